#include "commands.h"

namespace ndb::cli {

int report_end(Tool& tool, const Job& job) {
  const std::string who = "job " + std::to_string(job.id) + " on table '" + job.table + "'";
  if (job.running()) {
    tool.note(who + " is still running (" + job.phase + "); it goes on");
    return kExitStillRunning;
  }
  if (job.state == "done") {
    if (!tool.json()) print_line(who + " is done: " + show_count(job.rows_moved) + " rows moved");
    return kExitDone;
  }
  const std::string why =
      job.detail.empty() ? std::string(error_info(static_cast<Error>(job.error)).sentence) : job.detail;
  return tool.refuse("error " + std::to_string(job.error) + ": " + who + " was rolled back: " + why +
                     "; the table is as before, it may be started again");
}

namespace {

struct Wait final : Command {
  std::uint64_t job = 0, timeout_s = 0;

  void declare(Options& o) override {
    o.number("--job", &job, "which one; 0 = the newest", "JOB");
    o.number("--timeout", &timeout_s, "give up waiting (exit 7) after so long; 0 = never", "SECONDS");
  }

  int run(Tool& tool) override {
    tool.on_interrupt("the reorganisation goes on");
    auto first = read_job(tool, job);
    if (!first) return Tool::unknown_command(first.failure()) ? tool.refuse_stock("wait") : tool.fail(first.failure());
    if (first->id == 0) {
      if (tool.json())
        print_line(R"({"format_version":1,"changed":false,"id":0,"state":"none"})");
      else
        tool.note("nothing to wait for: there was no reorganisation yet");
      return kExitDone;
    }
    auto end = wait_for_job(tool, first->id, static_cast<Time>(timeout_s) * kSecond);
    if (!end) return tool.fail(end.failure());
    const int status = report_end(tool, *end);
    if (tool.json() && status == kExitDone) print_line(with_changed(end->json, false));
    return status;
  }
};

}  // namespace

std::unique_ptr<Command> make_wait() { return make_command<Wait>(); }
}  // namespace ndb::cli
