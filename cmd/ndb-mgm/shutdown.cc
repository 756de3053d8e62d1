#include "commands.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

struct Shutdown final : Command {
  bool data_only = false;
  ChangeOptions change;

  void declare(Options& o) override {
    o.flag("--data-nodes-only", &data_only, "leave the management servers running");
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status_for(tool, change);
    if (!status) return tool.fail(status.failure());
    std::vector<NodeId> nodes;
    for (const NodeStatus& n : status->nodes) {
      if (n.connected && (n.data() || (n.type == "mgm" && !data_only))) nodes.push_back(n.id);
    }
    const std::string who = "nodes " + join_ids(nodes, ", ");
    if (!change.dry_run) {
      auto r = tool.order("stop all", {{"abort", "0"}, {"stop", data_only ? "db" : "mgm,db"}});
      if (!r) return tool.fail(r.failure());
    }
    print_order(tool, change.dry_run ? "would stop " + who : "the cluster is being stopped: " + who, nodes,
                !change.dry_run, change.dry_run);
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_shutdown() { return make_command<Shutdown>(); }
}  // namespace ndb::cli
