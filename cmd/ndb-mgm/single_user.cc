#include "commands.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

struct SingleUser final : Command {
  std::string verb;
  std::uint64_t node = 0;
  ChangeOptions change;

  void declare(Options& o) override {
    o.text("verb", &verb, "enter or exit", "VERB", true);
    o.number("node", &node, "with enter: the API node that may go on working", "ID");
    change.declare(o);
  }

  int run(Tool& tool) override {
    if (verb != "enter" && verb != "exit") return tool.usage("'" + verb + "' is neither enter nor exit");
    if (verb == "enter" && node == 0) return tool.usage("enter needs the id of an API node");
    auto status = read_status_for(tool, change);
    if (!status) return tool.fail(status.failure());
    const bool enter = verb == "enter";
    const std::string who = std::to_string(node);
    if (enter && status->single_user == node)
      return say(tool, "nothing to do: single user mode is for node " + who, false);
    if (!enter && status->single_user == 0)
      return say(tool, "nothing to do: the cluster is not in single user mode", false);
    if (change.dry_run) {
      const NodeStatus* n = node <= UINT16_MAX ? status->node(static_cast<NodeId>(node)) : nullptr;
      if (enter && (n == nullptr || n->type != "api")) {
        return tool.fail({static_cast<Error>(5062), "node " + who + " is no API node"});
      }
      return say(tool, enter ? "would enter single user mode for node " + who : "would leave single user mode", false);
    }
    auto r =
        enter ? tool.order("enter single user", {{"nodeId", who}}, 300 * kSecond) : tool.order("exit single user", {});
    if (!r) return tool.fail(r.failure());
    return say(tool, enter ? "single user mode: only API node " + who + " may work" : "single user mode has ended",
               true);
  }

  int say(Tool& tool, const std::string& text, bool changed) const {
    std::vector<NodeId> nodes;
    if (node != 0) nodes.push_back(static_cast<NodeId>(node));
    print_order(tool, text, nodes, changed, change.dry_run);
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_single_user() { return make_command<SingleUser>(); }
}  // namespace ndb::cli
