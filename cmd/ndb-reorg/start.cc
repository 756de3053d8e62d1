// One reorganisation runs at a time in a cluster: several tables are taken one after the other, and the command
// waits in between.
#include "commands.h"
#include "mgmt/text_reply.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

struct Start final : Command {
  TableOptions which;
  std::string drain;
  bool resume = false, wait = false;
  std::uint64_t timeout_s = 0;
  ChangeOptions change;

  void declare(Options& o) override {
    which.declare(o);
    o.text("--drain", &drain, "node groups that shall hold nothing of the table afterwards", "GROUP[,GROUP...]");
    o.flag("--resume-on-failure", &resume,
           "keep what was copied when the leader fails, and go on, instead of rolling back");
    o.flag("--wait", &wait, "wait until it has ended; also for another schema change that is in the way");
    o.number("--timeout", &timeout_s, "with --wait: give up waiting (exit 7) after so long; 0 = never", "SECONDS");
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto groups = drain_words(drain);
    if (!groups) return tool.fail(groups.failure());
    auto tables = which.tables(tool, change.dry_run);
    if (!tables) return TableOptions::refuse(tool, tables.failure());
    if (change.dry_run) return plan(tool, *tables, *groups);
    deadline_ = timeout_s == 0 ? kNever : os::monotonic_now() + static_cast<Time>(timeout_s) * kSecond;
    std::vector<Job> jobs;
    for (std::size_t i = 0; i < tables->size();) {
      if (!jobs.empty() && jobs.back().running()) {  // the next one needs its end
        if (int status = await(tool, &jobs.back()); status != kExitDone) return status;
      }
      Job job;
      if (int status = start_one(tool, (*tables)[i], *groups, &job); status != kExitDone) return status;
      if (left_ == 0) ++i;  // else its unique indexes are to come
      if (job.id != 0) jobs.push_back(std::move(job));
    }
    if (wait && !jobs.empty() && jobs.back().running()) {
      if (int status = await(tool, &jobs.back()); status != kExitDone) return status;
    }
    if (tool.json()) print_json(jobs);
    return kExitDone;
  }

 private:
  int plan(Tool& tool, const std::vector<std::string>& tables, const std::string& groups) {
    std::vector<Plan> plans;
    for (const std::string& t : tables) {
      auto p = make_plan_of(tool, t, groups, change.if_version);
      if (!p) return refused(tool, p.failure());
      plans.push_back(std::move(*p));
    }
    print_plans(tool, plans);
    return kExitDone;
  }

  // The server moves the table first, and its unique indexes when it is asked again.
  int start_one(Tool& tool, const std::string& named, const std::string& groups, Job* job) {
    Tool::Keys keys{{"table", named}, {"drain", groups}, {"resume_on_failure", resume ? "1" : "0"}};
    while (true) {
      auto r = tool.change("ndb start reorg", keys, change);
      if (!r && wait && r.error() == Error::schema_busy && os::monotonic_now() < deadline_) {
        tool.on_interrupt("table '" + named + "' was not started");
        version_ = tool.wait_for_change(version_, kSecond);
        continue;
      }
      if (!r) return Tool::unknown_command(r.failure()) ? tool.refuse_stock("start") : tool.fail(r.failure());
      change.if_version = 0;  // it was true before our own first change
      job->id = std::strtoull(r->value("job").c_str(), nullptr, 10);
      const std::string table = r->value("table").empty() ? named : r->value("table");
      left_ = std::strtoull(r->value("left").c_str(), nullptr, 10);
      job->table = table;
      const bool changed = r->value("changed") == "1" && job->id != 0;
      job->state = changed ? "running" : "done";
      if (changed) {
        tool.on_interrupt("job " + r->value("job") + " (table '" + table + "') goes on; 'ndb-reorg wait' waits for it");
      } else {
        job->id = 0;
      }
      if (tool.json()) return kExitDone;
      print_line(changed ? "started job " + r->value("job") + " on table '" + table + "'"
                         : "nothing to do: table '" + table + "' is spread as asked already");
      if (changed && !wait) tool.note("'ndb-reorg wait' waits for it, 'ndb-reorg status' shows it");
      return kExitDone;
    }
  }

  int await(Tool& tool, Job* job) {
    const Time left = deadline_ == kNever ? 0 : std::max<Time>(deadline_ - os::monotonic_now(), kMillisecond);
    auto end = wait_for_job(tool, job->id, left);
    if (!end) return tool.fail(end.failure());
    *job = std::move(*end);
    return report_end(tool, *job);
  }

  static void print_json(const std::vector<Job>& jobs) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", !jobs.empty()).name("jobs").array();
    for (const Job& job : jobs) {
      j.object().member("id", job.id).member("table", job.table).member("state", job.state);
      if (!job.json.empty()) j.member("rows_to_move", job.rows_to_move).member("rows_moved", job.rows_moved);
      j.end_object();
    }
    print_line(j.end_array().end_object().text());
  }

  Time deadline_ = kNever;
  std::uint64_t left_ = 0;  // unique indexes of the table that the next request is for
  std::uint64_t version_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_start() { return make_command<Start>(); }
}  // namespace ndb::cli
