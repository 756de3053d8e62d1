#include "commands.h"
#include "nodes.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

struct Stop final : Command {
  std::vector<std::string> ids;
  bool force = false, wait = false;
  std::uint64_t timeout_s = 120;
  ChangeOptions change;

  void declare(Options& o) override {
    o.list("nodes", &ids, "node ids, or all (data nodes)", "ID", true);
    o.flag("-f,--force", &force,
           "at once, even when a node group loses its last member or a node is starting");
    o.flag("--wait", &wait, "wait until they are down");
    o.number("--timeout", &timeout_s,
             "with --wait: give up waiting (exit 7) after so long (120); 0 = never", "SECONDS");
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    if (auto f = check_version(*status, change.if_version)) return tool.fail(f);
    auto nodes = named_nodes(*status, ids);
    if (!nodes) return tool.fail(nodes.failure());
    const OrderTo order{OrderKind::stop, *nodes, names_all(ids), false, false, force};
    const std::string who = (nodes->size() == 1 ? "node " : "nodes ") + join_ids(*nodes, ", ");
    if (change.dry_run) {
      if (auto f = foresee(*status, order)) return tool.fail(f);
      print_order(tool, "would stop " + who, *nodes, false, true);
      return kExitDone;
    }
    if (auto f = give_order(tool, *status, order)) return tool.fail(f);
    tool.on_interrupt(who + " goes on stopping");
    if (wait) {
      ClusterStatus last;
      auto down =
          await_state(tool, *nodes, "down", deadline_after(timeout_s, os::monotonic_now()), &last);
      if (!down) return tool.fail(down.failure());
      if (!*down)
        return tool.refuse(who + " did not end within " + std::to_string(timeout_s) + " s",
                           kExitStillRunning);
    }
    print_order(
        tool,
        wait ? "stopped " + who : who + (nodes->size() == 1 ? " is" : " are") + " being stopped",
        *nodes, true, false);
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_stop() { return make_command<Stop>(); }
}  // namespace ndb::cli
