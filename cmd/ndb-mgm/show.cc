#include <algorithm>

#include "cli/status.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {

// {"format_version":1,"changed":false,"stock":true,"nodes":[..]} of a stock server, in the words of ours.
static std::string stock_json(const ClusterStatus& s) {
  mgmt::Json j;
  j.object().member("format_version", 1).member("changed", false).member("stock", true).member("started", s.started);
  j.member("single_user", s.single_user).name("nodes").array();
  for (const NodeStatus& n : s.nodes) {
    j.object().member("id", n.id).member("type", n.type).member("host", n.host).member("state", n.state);
    j.member("connected", n.connected).name("group");
    if (n.group)
      j.value(*n.group);
    else
      j.null();
    j.member("phase", n.phase).end_object();
  }
  j.end_array().name("groups").array();
  for (const auto& g : s.groups) {
    j.object().member("id", g.id).name("members").array();
    for (NodeId id : g.members) j.value(id);
    j.end_array().end_object();
  }
  return j.end_array().end_object().text();
}

namespace {

std::string memory_of(const NodeStatus& n) {
  if (!n.memory_used || !n.memory_total || *n.memory_total == 0) return "";
  return std::to_string(*n.memory_used * 100 / *n.memory_total) + "% of " + show_bytes(*n.memory_total);
}

struct Show final : Command {
  void declare(Options&) override {}

  int run(Tool& tool) override {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    const ClusterStatus& s = *status;
    if (tool.json()) {
      print_line(s.stock ? stock_json(s) : with_changed(s.json, false));
      return kExitDone;
    }
    Table table({"node", "type", "host", "state", "group", "generation", "rows", "memory"});
    std::vector<NodeId> old;
    for (const NodeStatus& n : s.nodes) {
      const bool behind = n.data() && n.generation != 0 && n.generation != s.generation;
      if (behind) old.push_back(n.id);
      std::string state = n.state;
      if (n.state == "joining" && n.percent != 0) state += " " + std::to_string(n.percent) + "%";
      if (n.id == s.leader) state += ", leader";
      if (n.id == s.single_user && n.type == "api") state += ", single user";
      const std::string group = !n.data() ? "" : n.group ? std::to_string(*n.group) : "none";
      const std::string generation =
          n.data() && n.generation != 0 ? std::to_string(n.generation) + (behind ? "*" : "") : "";
      table.row({std::to_string(n.id), n.type, n.host.empty() ? n.address : n.host, state, group, generation,
                 n.rows ? show_count(*n.rows) : "", memory_of(n)});
    }
    if (tool.format() == Format::table && !s.stock) heading(s);
    table.print(tool.format());
    if (tool.format() == Format::table && !old.empty()) {
      print_line(
          "* runs with an older generation of the configuration; 'ndb-mgm rolling-restart "
          "--pending --dry-run' "
          "says who must restart");
    }
    return kExitDone;
  }

  static void heading(const ClusterStatus& s) {
    std::string text = "cluster " + s.name + ": " + (s.started ? "started" : "not started") +
                       ", configuration generation " + std::to_string(s.generation) + ", version " +
                       std::to_string(s.version);
    if (s.single_user != 0) text += ", single user mode for node " + std::to_string(s.single_user);
    if (s.job != 0) text += ", job " + std::to_string(s.job) + " is running";
    if (s.leader == 0) text += "; " + s.leaderless() + ": nothing can be changed";
    print_line(text + "\n");
  }
};

}  // namespace

std::unique_ptr<Command> make_show() { return make_command<Show>(); }
}  // namespace ndb::cli
