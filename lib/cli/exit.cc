#include "cli/exit.h"

#include <cstdio>

namespace ndb::cli {

int exit_status(Error error) noexcept {
  const ErrorInfo& info = error_info(error);
  return info.error == error ? info.exit_status : kExitRefused;
}

std::string_view advice(Error error) noexcept {
  switch (error) {
    case Error::unreachable:
      return "start ndb-mgmd, or name its host with --connectstring or NDB_CONNECTSTRING";
    case Error::version_moved:
      return "look at 'ndb-mgm show' and decide anew";
    case Error::generation_moved:
      return "look at 'ndb-config history' and decide anew";
    case Error::not_leader:
      return "start the missing management servers, then try again";
    case Error::would_lose_group:
      return "start its other members first, or use --force";
    case Error::past_commit_point:
      return "wait for it with 'ndb-reorg wait'";
    case Error::not_enough_memory:
      return "raise DataMemory, or move fewer tables";
    case Error::no_such_generation:
      return "'ndb-config history' lists them";
    default:
      return {};
  }
}

std::string error_line(std::string_view tool, const Failure& failure) {
  std::string line(tool);
  line += ": ";
  if (failure.error != Error::internal) line += "error " + std::to_string(static_cast<unsigned>(failure.error)) + ": ";
  std::string sentence = failure.sentence();
  while (!sentence.empty() && (sentence.back() == '\n' || sentence.back() == '.')) sentence.pop_back();
  for (char& c : sentence) c = c == '\n' ? ' ' : c;
  line += sentence;
  if (const std::string_view a = advice(failure.error); !a.empty()) line.append("; ").append(a);
  return line;
}

int report_failure(std::string_view tool, const Failure& failure) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", error_line(tool, failure).c_str());
  return exit_status(failure.error);
}

int report_refusal(std::string_view tool, std::string_view sentence, int status) {
  std::fflush(stdout);
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(tool.size()), tool.data(), static_cast<int>(sentence.size()),
               sentence.data());
  return status;
}

std::string usage_sentence(std::string text) {
  for (char& c : text) c = c == '\n' ? ' ' : c;
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

bool output_failed() noexcept { return std::fflush(stdout) != 0 || std::ferror(stdout) != 0; }

int end_output(std::string_view tool, int status) {
  if (!output_failed()) return status;
  return report_refusal(tool, "cannot write to standard output", status == kExitDone ? kExitRefused : status);
}

}  // namespace ndb::cli
