// One line a node, with what it is doing. Status 3 when a node group is not complete.
#include "commands.h"
#include "mgmt/text_reply.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

struct Status final : Command {
  std::vector<std::string> ids;
  bool all = false;

  void declare(Options& o) override {
    o.list("nodes", &ids, "node ids; none: the data nodes", "ID");
    o.flag("--all", &all, "all nodes, also management servers and API nodes");
  }

  int run(Tool& tool) override {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    const ClusterStatus& s = *status;
    std::vector<NodeId> nodes;
    if (!ids.empty() && !names_all(ids)) {
      auto named = named_nodes(s, ids);
      if (!named) return tool.fail(named.failure());
      nodes = *named;
    } else {
      for (const NodeStatus& n : s.nodes) {
        if (all || n.data()) nodes.push_back(n.id);
      }
    }
    bool degraded = false;
    Table table({"node", "state", "group", "phase", "percent", "left", "doing"});
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).member("version", s.version).name("nodes").array();
    for (NodeId id : nodes) {
      const NodeStatus& n = *s.node(id);
      degraded |= n.data() && n.group && n.state != "in_sync";
      const std::string group = !n.data() ? "" : n.group ? std::to_string(*n.group) : "none";
      table.row({std::to_string(id), n.state, group, n.phase != 0 ? std::to_string(n.phase) : "",
                 n.state == "joining" ? std::to_string(n.percent) : "",
                 n.seconds_left ? std::to_string(*n.seconds_left) + " s" : "", n.doing});
      j.object().member("id", id).member("state", n.state).member("connected", n.connected).name("group");
      if (n.data() && n.group)
        j.value(*n.group);
      else
        j.null();
      j.member("phase", n.phase).member("percent", n.percent).name("seconds_left");
      if (n.seconds_left)
        j.value(*n.seconds_left);
      else
        j.null();
      j.member("doing", n.doing).end_object();
    }
    if (tool.json())
      print_line(j.end_array().member("degraded", degraded).end_object().text());
    else
      table.print(tool.format());
    return degraded ? kExitDegraded : kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_status() { return make_command<Status>(); }
}  // namespace ndb::cli
