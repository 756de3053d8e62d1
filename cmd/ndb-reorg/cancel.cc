#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct Cancel final : Command {
  std::uint64_t job = 0;
  ChangeOptions change;

  void declare(Options& o) override {
    o.number("--job", &job, "which one; 0 = the one that runs", "JOB");
    change.declare(o);
  }

  int run(Tool& tool) override {
    std::uint64_t id = job;
    if (id == 0) {
      auto newest = read_job(tool, 0);
      if (!newest)
        return Tool::unknown_command(newest.failure()) ? tool.refuse_stock("cancel") : tool.fail(newest.failure());
      if (!newest->running()) return say(tool, 0, false, "nothing to do: no reorganisation is running");
      id = newest->id;  // so that a repeated request can never hit a later one
    }
    auto r = tool.change("ndb cancel reorg", {{"job", std::to_string(id)}}, change);
    if (!r) return tool.fail(r.failure());
    const std::string n = std::to_string(id);
    if (change.dry_run) return say(tool, id, false, "would cancel job " + n);
    return say(tool, id, r->value("changed") == "1", "cancelled job " + n + ": its table is as before");
  }

 private:
  static int say(Tool& tool, std::uint64_t id, bool changed, const std::string& text) {
    if (tool.json()) {
      print_line(mgmt::Json()
                     .object()
                     .member("format_version", 1)
                     .member("changed", changed)
                     .member("job", id)
                     .end_object()
                     .text());
    } else {
      print_line(text);
    }
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_cancel() { return make_command<Cancel>(); }
}  // namespace ndb::cli
