#include "cli/tool.h"

#include <time.h>

#include <algorithm>
#include <cstdio>

#include "cli/signals.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr Time kRepeatPause = 200 * kMillisecond;
constexpr std::size_t kValueBytes = 400;  // of one line of a request; the rest goes into further lines

void sleep_for(Time t) {
  timespec ts{t / kSecond, t % kSecond};
  ::nanosleep(&ts, nullptr);
}

// No answer, or none that says whether anything happened.
bool silent(const Failure& f) { return f.error == Error::unreachable || f.error == Error::timed_out; }

// Values on one line each, and no line longer than the protocol allows.
Management::Keys framed(const Management::Keys& keys) {
  Management::Keys out;
  for (const auto& [key, value] : keys) {
    if (value.empty()) continue;
    std::string clean = value;
    for (char& c : clean) {
      if (c == '"') c = '\'';
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    if (clean.size() <= kValueBytes) {
      out.emplace_back(key, std::move(clean));
      continue;
    }
    for (std::size_t at = 0; at < clean.size(); at += kValueBytes) {
      out.emplace_back(at == 0 ? key : "+" + key, "\"" + clean.substr(at, kValueBytes) + "\"");
    }
  }
  return out;
}

}  // namespace

void ChangeOptions::declare(Options& o) {
  o.flag("--dry-run", &dry_run, "only check and say what would happen; nothing is changed");
  o.number("--if-version", &if_version, "refuse (exit 6) when the cluster has changed since this version", "VERSION");
}

Failure Tool::connect() {
  if (management_) return {};
  auto servers = find_connectstring(connectstring);
  if (!servers) return servers.failure();
  management_ = std::make_unique<Management>(*servers);
  return {};
}

Result<Tool::Reply> Tool::request(const std::string& command, const Keys& keys, const std::string& bulk, Time timeout) {
  if (auto f = connect()) return f;
  return management_->request(command, framed(keys), bulk, timeout);
}

Result<Tool::Reply> Tool::ask(const std::string& command, const Keys& keys, Time patience) {
  const Time deadline = os::monotonic_now() + patience;
  while (true) {
    auto f = connect();
    auto r = f ? Result<Reply>(f) : management_->ask(command, framed(keys));
    if (r || !silent(r.failure())) return r;
    if (os::monotonic_now() >= deadline) {
      // A question has no outcome to be unsure about.
      return Failure{Error::unreachable, r.failure().text};
    }
    sleep_for(kRepeatPause);
  }
}

Result<Tool::Reply> Tool::change(const std::string& command, Keys keys, const ChangeOptions& options,
                                 const std::string& bulk) {
  // First something harmless: who is not reached at all has certainly not been changed.
  if (auto r = ask("check connection"); !r && silent(r.failure())) return r;
  keys.emplace_back("request", Management::draw_request_id());
  if (options.if_version != 0) keys.emplace_back("expect_version", std::to_string(options.if_version));
  if (options.dry_run) keys.emplace_back("dry_run", "1");
  const Time deadline = os::monotonic_now() + kChangePatience;
  while (true) {
    auto r = request(command, keys, bulk);
    if (r || !silent(r.failure())) return r;
    if (os::monotonic_now() >= deadline) {
      if (options.dry_run) return Failure{Error::unreachable, r.failure().text};
      return Failure{Error::timed_out,
                     "no answer to '" + command + "'; the outcome is unknown, running the same command again is safe"};
    }
    sleep_for(kRepeatPause);
  }
}

Result<Tool::Reply> Tool::order(const std::string& command, const Keys& keys, Time timeout) {
  if (auto r = ask("check connection"); !r && silent(r.failure())) return r;
  auto r = request(command, keys, {}, timeout);
  if (!r && silent(r.failure())) {
    return Failure{Error::timed_out, "no answer to '" + command +
                                         "'; the outcome is unknown, look at 'ndb-mgm show' before doing it again"};
  }
  return r;
}

std::uint64_t Tool::wait_for_change(std::uint64_t version, Time at_most) {
  const Time began = os::monotonic_now();
  const Keys keys{{"version", std::to_string(version)}, {"timeout", std::to_string(at_most / kMillisecond)}};
  auto r = request("ndb wait", keys, {});
  if (r) return std::strtoull(r->value("version").c_str(), nullptr, 10);
  const Time left = at_most - (os::monotonic_now() - began);
  if (left > 0) sleep_for(left);
  return version;
}

void Tool::note(std::string_view sentence) const { report_refusal(name_, sentence, kExitDone); }
void Tool::on_interrupt(const std::string& what_goes_on) const { cli::on_interrupt(name_, what_goes_on); }

bool Tool::unknown_command(const Failure& failure) noexcept { return failure.text.starts_with("Unknown command"); }

int Tool::refuse_stock(std::string_view verb) const {
  return refuse("'" + std::string(verb) +
                "' needs a management server of this product; the one that answers is NDB's own");
}

Result<std::vector<NodeId>> parse_node_ids(std::string_view words) {
  std::vector<NodeId> ids;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find_first_of(", ", at), words.size());
    const std::string word(words.substr(at, end - at));
    at = end + 1;
    if (word.empty()) continue;
    const bool digits = word.size() <= 5 && word.find_first_not_of("0123456789") == std::string::npos;
    const unsigned long id = digits ? std::stoul(word) : 0;
    if (!digits || id == 0 || id > UINT16_MAX) {
      return Failure{Error::bad_node_id, "'" + word + "' is no node id"};
    }
    ids.push_back(static_cast<NodeId>(id));
  }
  return ids;
}

Result<std::vector<NodeId>> parse_node_ids(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& w : words) all += w + " ";
  return parse_node_ids(all);
}

}  // namespace ndb::cli
