#include "changes.h"

#include <unistd.h>

#include <cstdio>

#include "cli/json_value.h"
#include "mgmt/text_reply.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr std::size_t kFileBytesMax = limits::kTextBulkBytesMax;  // what one request takes

Result<std::string> read_input(const std::string& path) {
  if (path != "-") return os::read_file(path, kFileBytesMax);
  std::string text;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kFileBytesMax)
      return Failure{Error::os_failed, "standard input is longer than a configuration may be"};
  }
  return text;
}

std::string plan_json(const mgmt::RestartPlan& plan) {
  mgmt::Json j;
  j.object().member("restart", mgmt::restart_name(plan.worst)).name("steps").array();
  for (const mgmt::RestartStep& s : plan.steps) {
    j.object().name("nodes").array();
    for (NodeId id : s.nodes) j.value(id);
    j.end_array().member("restart", mgmt::restart_name(s.restart)).name("parameters").array();
    for (const std::string& p : s.parameters) j.value(p);
    j.end_array().end_object();
  }
  j.end_array().name("online").array();
  for (const std::string& p : plan.online) j.value(p);
  return j.end_array().end_object().text();
}

void write_problems(mgmt::Json& j, const std::vector<mgmt::Problem>& problems) {
  j.name("problems").array();
  for (const mgmt::Problem& p : problems) {
    j.object().member("line", p.line).member("severity", p.severity == mgmt::Severity::error ? "error" : "warning");
    j.member("text", p.text).end_object();
  }
  j.end_array();
}

}  // namespace

void print_problems(const Tool& tool, const std::string& source, const std::vector<mgmt::Problem>& problems) {
  for (const mgmt::Problem& p : problems) tool.note(source + ": " + mgmt::problem_line(p));
}

void print_refused(const Tool& tool, const std::string& source) {
  auto report = JsonValue::parse(tool.last_reply().bulk);
  if (!report) return;
  for (const JsonValue& p : (*report)["problems"].items) {
    tool.note(source + ": " +
              mgmt::problem_line({static_cast<int>(p["line"].number()),
                                  p["severity"].text == "error" ? mgmt::Severity::error : mgmt::Severity::warning,
                                  p["text"].text}));
  }
}

Result<FileConfig> read_config_file(const Tool& tool, const std::string& path) {
  auto text = read_input(path);
  if (!text) return text.failure();
  FileConfig f;
  f.source = path == "-" ? "standard input" : path;
  f.text = std::move(*text);
  mgmt::ParseResult parsed = mgmt::parse_any(f.text);
  f.ok = parsed.ok();
  f.config = std::move(parsed.config);
  f.problems = std::move(parsed.problems);
  print_problems(tool, f.source, f.problems);
  return f;
}

Comparison compare(const StoredConfig& from, const mgmt::Config& to, bool stock) {
  mgmt::Config named = from.config;
  if (!from.name.empty()) named.system["Name"] = from.name;
  Comparison c;
  c.changes = mgmt::diff(named, to);
  if (!c.changes.empty()) c.problems = mgmt::check_change(named, to);
  for (mgmt::Change& change : c.changes) {
    if (stock && change.restart == mgmt::Restart::online)
      change.restart = mgmt::Restart::node;  // it applies nothing online
  }
  c.plan = mgmt::restart_plan(c.changes, to, stock);
  return c;
}

void print_comparison(const Tool& tool, const Comparison& c, const std::string& from, const std::string& to) {
  if (tool.json()) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", !c.changes.empty()).member("from", from).member("to", to);
    j.name("difference").raw(mgmt::diff_json(c.changes)).name("plan").raw(plan_json(c.plan));
    write_problems(j, c.problems);
    print_line(j.end_object().text());
    return;
  }
  if (c.changes.empty()) {
    print_line("no difference between " + from + " and " + to);
    return;
  }
  print(mgmt::diff_text(c.changes) + "\n" + mgmt::plan_text(c.plan));
}

void ApplyOptions::declare(Options& o) {
  o.flag("--dry-run", &dry_run, "only check and say what would happen; nothing is changed");
  o.number("--if-generation", &if_generation, "refuse (exit 6) unless this is the present generation", "N");
  o.text("-m,--message", &message, "why, for the history", "TEXT");
  o.flag("--accept-warnings", &accept_warnings, "go on although the change would hurt");
}

Failure ApplyOptions::check(const StoredConfig& present) const {
  if (if_generation == 0 || if_generation == present.generation) return {};
  return {Error::generation_moved, "the configuration is at generation " + std::to_string(present.generation) +
                                       ", not " + std::to_string(if_generation)};
}

int judge(const Tool& tool, const ApplyOptions& options, const Comparison& c, const std::string& source) {
  print_problems(tool, source, c.problems);
  if (mgmt::has_errors(c.problems))
    return tool.fail({Error::illegal_change, "'" + source + "' cannot become the configuration; nothing was changed"});
  if (c.problems.empty() || options.accept_warnings || options.dry_run) return kExitDone;
  return tool.fail({Error::illegal_change,
                    "'" + source + "' would hurt; nothing was changed; if that is meant, use --accept-warnings"});
}

int report_applied(Tool& tool, const ApplyOptions& options, const Comparison& c, std::uint64_t generation,
                   bool changed) {
  if (tool.json()) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", changed).member("dry_run", options.dry_run);
    if (options.dry_run) j.member("would_change", !c.changes.empty());
    j.member("generation", generation).name("difference").raw(mgmt::diff_json(c.changes));
    j.name("plan").raw(plan_json(c.plan));
    write_problems(j, c.problems);
    print_line(j.end_object().text());
    return kExitDone;
  }
  if (c.changes.empty()) {
    print_line("nothing to do: the same as generation " + std::to_string(generation));
    return kExitDone;
  }
  print(mgmt::diff_text(c.changes) + "\n");
  if (options.dry_run) {
    print_line("would become generation " + std::to_string(generation + 1) + "; then:");
  } else {
    print_line("configuration generation " + std::to_string(generation) + " is in force; what is to be done:");
  }
  print(mgmt::plan_text(c.plan));
  if (!c.plan.steps.empty() && c.plan.worst < mgmt::Restart::system && !options.dry_run) {
    tool.note("'ndb-mgm rolling-restart --pending' does that");
  }
  return kExitDone;
}

int apply_text(Tool& tool, const ApplyOptions& options, const StoredConfig& present, const mgmt::Config& next,
               const std::string& text, const std::string& source) {
  if (present.stock()) return tool.refuse_stock("apply");
  if (auto f = options.check(present)) return tool.fail(f);
  const Comparison c = compare(present, next, false);
  if (int status = judge(tool, options, c, source); status != kExitDone) return status;
  if (c.changes.empty()) return report_applied(tool, options, c, present.generation, false);
  Tool::Keys keys{{"expect_generation", std::to_string(present.generation)},
                  {"message", options.message},
                  {"who", who_am_i()},
                  {"source", source}};
  if (options.accept_warnings || options.dry_run) keys.emplace_back("accept_warnings", "1");
  tool.on_interrupt("the change may have been made; 'ndb-config history' tells");
  auto r = tool.change("ndb apply config", keys, ChangeOptions{.dry_run = options.dry_run}, text);
  if (r) {
    const std::uint64_t generation =
        options.dry_run ? present.generation : std::strtoull(r->value("generation").c_str(), nullptr, 10);
    return report_applied(tool, options, c, generation, r->value("changed") == "1");
  }
  print_refused(tool, source);
  return tool.fail(r.failure());
}

}  // namespace ndb::cli
