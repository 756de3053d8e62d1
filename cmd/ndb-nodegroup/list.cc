#include "cli/status.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct List final : Command {
  void declare(Options&) override {}

  int run(Tool& tool) override {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    const ClusterStatus& s = *status;
    std::vector<NodeId> free;
    for (const NodeStatus& n : s.nodes) {
      if (n.data() && !n.group && !n.disabled) free.push_back(n.id);
    }
    if (tool.json()) {
      print_json(s, free);
      return kExitDone;
    }
    Table table({"group", "nodes", "in_sync", "state"});
    for (const auto& g : s.groups) {
      const std::size_t up = serving(s, g.members);
      table.row({std::to_string(g.id), join_ids(g.members), std::to_string(up), state(up, g.members.size())});
    }
    if (!free.empty()) table.row({"-", join_ids(free), std::to_string(serving(s, free)), "no group"});
    table.print(tool.format());
    return kExitDone;
  }

  static std::size_t serving(const ClusterStatus& s, const std::vector<NodeId>& members) {
    std::size_t up = 0;
    for (NodeId id : members) {
      const NodeStatus* n = s.node(id);
      up += n != nullptr && n->state == "in_sync" ? 1 : 0;
    }
    return up;
  }
  static const char* state(std::size_t up, std::size_t all) {
    return up == all ? "complete" : up == 0 ? "down" : "degraded";
  }

  static void print_json(const ClusterStatus& s, const std::vector<NodeId>& free) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).member("version", s.version);
    j.member("replicas", s.replicas).name("groups").array();
    for (const auto& g : s.groups) {
      const std::size_t up = serving(s, g.members);
      j.object().member("id", g.id).name("members").array();
      for (NodeId id : g.members) j.value(id);
      j.end_array().member("in_sync", up).member("state", state(up, g.members.size())).end_object();
    }
    j.end_array().name("free").array();
    for (NodeId id : free) j.value(id);
    print_line(j.end_array().end_object().text());
  }
};

}  // namespace

std::unique_ptr<Command> make_list() { return make_command<List>(); }
}  // namespace ndb::cli
