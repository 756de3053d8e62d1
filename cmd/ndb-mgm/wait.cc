#include <unistd.h>

#include "commands.h"
#include "mgmt/text_reply.h"
#include "nodes.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

struct Wait final : Command {
  std::vector<std::string> ids;
  std::string state = "in_sync";
  std::uint64_t timeout_s = 120;

  void declare(Options& o) override {
    o.list("nodes", &ids, "node ids; none: all data nodes that are not in reserve", "ID");
    o.choice("--state", &state, "the state to wait for (in_sync)",
             {"in_sync", "started", "joining", "not_started", "down", "stopped", "connected"});
    o.number("--timeout", &timeout_s, "give up waiting (exit 7) after so long (120); 0 = never", "SECONDS");
  }

  int run(Tool& tool) override {
    tool.on_interrupt("nothing was changed");
    auto status = read_status(tool, 10 * kSecond);
    if (!status) return tool.fail(status.failure());
    // A server that has just come back knows no node before the log has a leader.
    const Time deadline = deadline_after(timeout_s, os::monotonic_now());
    while (!status->stock && status->generation == 0 && os::monotonic_now() < deadline) {
      ::usleep(50'000);
      status = read_status(tool, 10 * kSecond);
      if (!status) return tool.fail(status.failure());
    }
    if (!status->stock && status->generation == 0) return tool.refuse(status->leaderless(), kExitStillRunning);
    std::vector<NodeId> nodes;
    if (ids.empty() || names_all(ids)) {
      for (const NodeStatus& n : status->nodes) {
        if (n.data() && !n.disabled) nodes.push_back(n.id);
      }
    } else {
      auto named = named_nodes(*status, ids);
      if (!named) return tool.fail(named.failure());
      nodes = *named;
    }
    if (nodes.empty()) return tool.refuse("there is no data node to wait for");
    const std::string wanted = state_of_word(state);
    ClusterStatus last;
    auto reached = await_state(tool, nodes, wanted, deadline, &last);
    if (!reached) return tool.fail(reached.failure());
    std::string late;
    for (NodeId id : nodes) {
      const NodeStatus* n = last.node(id);
      const std::string is = n == nullptr ? "gone" : n->state;
      if (is != wanted) late += (late.empty() ? "node " : ", node ") + std::to_string(id) + " is " + is;
    }
    if (!*reached) {
      return tool.refuse("still waiting for '" + wanted + "' after " + std::to_string(timeout_s) + " s: " + late,
                         kExitStillRunning);
    }
    print_order(tool, "nodes " + join_ids(nodes, ", ") + " are " + wanted, nodes, false, false);
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_wait() { return make_command<Wait>(); }
}  // namespace ndb::cli
