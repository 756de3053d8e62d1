#include "commands.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

struct Start final : Command {
  std::vector<std::string> ids;
  ChangeOptions change;

  void declare(Options& o) override {
    o.list("nodes", &ids, "node ids, or all that wait", "ID", true);
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status_for(tool, change);
    if (!status) return tool.fail(status.failure());
    std::vector<NodeId> nodes;
    if (names_all(ids)) {
      for (const NodeStatus& n : status->nodes) {
        if (n.data() && n.state == "not_started") nodes.push_back(n.id);
      }
      if (nodes.empty()) {
        print_order(tool, "nothing to do: no data node waits to be started", nodes, false, change.dry_run);
        return kExitDone;
      }
    } else {
      auto named = named_nodes(*status, ids);
      if (!named) return tool.fail(named.failure());
      nodes = *named;
    }
    const OrderTo order{.kind = OrderKind::start, .nodes = nodes};
    if (auto f = foresee(*status, order)) return tool.fail(f);
    const std::string who = (nodes.size() == 1 ? "node " : "nodes ") + join_ids(nodes, ", ");
    if (!change.dry_run) {
      for (NodeId id : nodes) {  // a server takes one at a time
        if (auto f = give_order(tool, *status, {.kind = OrderKind::start, .nodes = {id}})) return tool.fail(f);
      }
    }
    print_order(tool,
                change.dry_run ? "would start " + who : who + (nodes.size() == 1 ? " is" : " are") + " being started",
                nodes, !change.dry_run, change.dry_run);
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_start() { return make_command<Start>(); }
}  // namespace ndb::cli
