#include "commands.h"
#include "nodes.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

struct Restart final : Command {
  std::vector<std::string> ids;
  bool initial = false, nostart = false, force = false, wait = false;
  std::uint64_t timeout_s = 300;
  ChangeOptions change;

  void declare(Options& o) override {
    o.list("nodes", &ids, "node ids, or all", "ID", true);
    o.flag("-i,--initial", &initial,
           "the nodes forget their files and fetch all rows from their peers");
    o.flag("-n,--nostart", &nostart, "the nodes come back and wait for 'ndb-mgm start'");
    o.flag("-f,--force", &force,
           "at once, even when a node group loses its last member or a node is starting");
    o.flag("--wait", &wait, "wait until they serve again (with --nostart: wait to be started)");
    o.number("--timeout", &timeout_s,
             "with --wait: give up waiting (exit 7) after so long (300); 0 = never", "SECONDS");
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    if (auto f = check_version(*status, change.if_version)) return tool.fail(f);
    auto nodes = named_nodes(*status, ids);
    if (!nodes) return tool.fail(nodes.failure());
    const OrderTo order{OrderKind::restart, *nodes, names_all(ids), initial, nostart, force};
    const std::string who = (nodes->size() == 1 ? "node " : "nodes ") + join_ids(*nodes, ", ");
    if (change.dry_run) {
      if (auto f = foresee(*status, order)) return tool.fail(f);
      print_order(tool, "would restart " + who, *nodes, false, true);
      return kExitDone;
    }
    if (order.all && initial) {
      return tool.refuse(
          "restarting all data nodes with --initial would destroy all rows; give single nodes, one "
          "after the other");
    }
    if (auto f = give_order(tool, *status, order)) return tool.fail(f);
    tool.on_interrupt(who + " goes on restarting; 'ndb-mgm wait' waits for it");
    if (wait) {
      const Time deadline = deadline_after(timeout_s, os::monotonic_now());
      for (NodeId id : *nodes) {
        auto r = await_restart(tool, *status->node(id), status->stock, nostart, deadline);
        if (!r) return tool.fail(r.failure());
        if (!r->reached) {
          return tool.refuse("node " + std::to_string(id) + " is still " + r->node.state +
                                 " after " + std::to_string(timeout_s) +
                                 " s; it goes on, 'ndb-mgm wait' waits for it",
                             kExitStillRunning);
        }
        if (nostart && r->node.state != "not_started") {
          return tool.refuse("node " + std::to_string(id) + " came back and did not wait: it is " +
                             r->node.state);
        }
      }
    }
    print_order(tool,
                wait ? "restarted " + who
                     : who + (nodes->size() == 1 ? " is" : " are") + " being restarted",
                *nodes, true, false);
    if (!wait && !tool.json())
      tool.note("'ndb-mgm wait " + join_ids(*nodes, " ") + "' waits until they serve again");
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_restart() { return make_command<Restart>(); }
}  // namespace ndb::cli
