#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

void add_row(Table* table, const Job& j) {
  table->row({std::to_string(j.id), j.table, j.state, j.phase, std::to_string(j.percent) + "%",
              show_count(j.rows_moved), show_count(j.rows_to_move), show_when(j.started_s), j.detail});
}

struct Status final : Command {
  std::uint64_t job = 0;
  bool all = false;

  void declare(Options& o) override {
    o.number("--job", &job, "which one; 0 = the newest", "JOB");
    o.flag("--all", &all, "all that are remembered, newest first");
  }

  int run(Tool& tool) override {
    Table table({"job", "table", "state", "phase", "percent", "rows_moved", "rows_to_move", "started", "detail"});
    if (all) {
      if (tool.json()) {
        auto r = tool.ask("ndb list jobs");
        if (!r) return failed(tool, r.failure());
        print_line(with_changed(r->bulk, false));
        return kExitDone;
      }
      auto jobs = read_jobs(tool);
      if (!jobs) return failed(tool, jobs.failure());
      for (const Job& j : *jobs) add_row(&table, j);
      table.print(tool.format());
      return kExitDone;
    }
    auto j = read_job(tool, job);
    if (!j) return failed(tool, j.failure());
    if (tool.json()) {
      print_line(j->id == 0 ? R"({"format_version":1,"changed":false,"id":0,"state":"none"})"
                            : with_changed(j->json, false));
      return kExitDone;
    }
    if (j->id == 0) {
      tool.note("there was no reorganisation yet");
      return kExitDone;
    }
    add_row(&table, *j);
    table.print(tool.format());
    return kExitDone;
  }

  static int failed(Tool& tool, const Failure& f) {
    return Tool::unknown_command(f) ? tool.refuse_stock("status") : tool.fail(f);
  }
};

}  // namespace

std::unique_ptr<Command> make_status() { return make_command<Status>(); }
}  // namespace ndb::cli
