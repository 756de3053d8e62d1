#include "nodes.h"

#include <algorithm>

#include "cli/progress.h"
#include "mgmt/text_reply.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr Time kPatience = 60 * kSecond;  // with a management server that restarts meanwhile
constexpr Time kLookEvery = 100 * kMillisecond;
constexpr Time kStockRestartTimeout = 600 * kSecond;  // a stock server answers when the node has restarted

Failure bad(int number, std::string text) { return {static_cast<Error>(number), std::move(text)}; }

bool contains(const std::vector<NodeId>& v, NodeId id) { return std::find(v.begin(), v.end(), id) != v.end(); }

// A node of NDB's that is in no group waits for ever for somebody to hand over to, and has nothing that others need.
bool must_abort(const ClusterStatus& s, const OrderTo& o) {
  return !o.all && std::all_of(o.nodes.begin(), o.nodes.end(), [&](NodeId id) {
    const NodeStatus* n = s.node(id);
    return n != nullptr && n->data() && !n->group;
  });
}

Failure order_stock(Tool& tool, const ClusterStatus& s, const OrderTo& o) {
  const std::string words = join_ids(o.nodes, " ");
  const std::string abort = o.abort || must_abort(s, o) ? "1" : "0";
  const std::string force = o.force ? "1" : "0";
  if (o.all) {
    auto r =
        o.kind == OrderKind::start ? tool.order("start all", {})
        : o.kind == OrderKind::stop
            ? tool.order("stop all", {{"abort", abort}, {"stop", "db"}}, kStockRestartTimeout)
            : tool.order("restart all", {{"abort", abort}, {"initialstart", "0"}, {"nostart", o.nostart ? "1" : "0"}},
                         kStockRestartTimeout);
    return r ? Failure{} : r.failure();
  }
  if (o.kind == OrderKind::start) {
    for (NodeId id : o.nodes) {
      if (auto r = tool.order("start", {{"node", std::to_string(id)}}); !r) return r.failure();
    }
    return {};
  }
  if (o.kind == OrderKind::stop) {
    auto r = tool.order("stop v2", {{"node", words}, {"abort", abort}, {"force", force}}, kStockRestartTimeout);
    return r ? Failure{} : r.failure();
  }
  auto r = tool.order("restart node v2",
                      {{"node", words},
                       {"abort", abort},
                       {"initialstart", o.initial ? "1" : "0"},
                       {"nostart", o.nostart ? "1" : "0"},
                       {"force", force}},
                      kStockRestartTimeout);
  return r ? Failure{} : r.failure();
}

}  // namespace

bool names_all(const std::vector<std::string>& words) {
  return words.size() == 1 && (words[0] == "all" || words[0] == "ALL");
}

Result<std::vector<NodeId>> named_nodes(const ClusterStatus& status, const std::vector<std::string>& words) {
  if (names_all(words)) {
    std::vector<NodeId> ids;
    for (const NodeStatus& n : status.nodes) {
      if (n.data() && n.connected && !n.disabled) ids.push_back(n.id);
    }
    if (ids.empty()) return bad(5030, "no contact with any data node");
    return ids;
  }
  auto ids = parse_node_ids(words);
  if (!ids) return ids;
  if (ids->empty()) return Failure{Error::bad_node_id, "no node is named"};
  std::vector<NodeId> once;
  for (NodeId id : *ids) {
    if (status.node(id) == nullptr) {
      return Failure{Error::no_such_node, "no node " + std::to_string(id) + " in the configuration"};
    }
    if (!contains(once, id)) once.push_back(id);
  }
  return once;
}

Result<ClusterStatus> read_status_for(Tool& tool, const ChangeOptions& change) {
  auto status = read_status(tool);
  if (!status) return status;
  if (auto f = check_version(*status, change.if_version)) return f;
  return status;
}

Failure foresee(const ClusterStatus& s, const OrderTo& o) {
  std::size_t data = 0;
  for (NodeId id : o.nodes) {
    const NodeStatus& n = *s.node(id);
    const std::string who = "node " + std::to_string(id);
    if (n.type == "api") return bad(5002, who + " is an API node: it is not stopped from here");
    if (!n.connected) return bad(5030, "no contact with " + who);
    if (n.data() && n.state == "joining" && !o.abort && !o.force) return {Error::bad_node_state, who + " is starting"};
    if (o.kind == OrderKind::start && n.state != "not_started") {
      return {Error::bad_node_state, who + " does not wait to be started: it is " + n.state};
    }
    data += n.data() ? 1 : 0;
  }
  if (o.kind == OrderKind::restart && s.single_user != 0 && !o.all) {
    return {Error::bad_node_state, "no node can restart alone in single user mode; leave that mode first"};
  }
  if (o.all || o.force || o.kind == OrderKind::start) return {};
  if (data > 1 && !o.abort) {
    return bad(5031,
               "several data nodes at once cannot be stopped in good order; one after the other, "
               "or with --abort");
  }
  for (NodeId id : o.nodes) {
    const NodeStatus& n = *s.node(id);
    if (n.data() && n.state == "in_sync" && !s.group_survives(id, o.nodes)) {
      return {Error::would_lose_group, "node group " + std::to_string(*n.group) + " would lose its last member"};
    }
  }
  return {};
}

Failure give_order(Tool& tool, const ClusterStatus& status, const OrderTo& o) {
  if (status.stock) return order_stock(tool, status, o);
  Tool::Keys keys{{"nodes", o.all ? "all" : join_ids(o.nodes, " ")}};
  const char* command = o.kind == OrderKind::stop    ? "ndb stop node"
                        : o.kind == OrderKind::start ? "ndb start node"
                                                     : "ndb restart node";
  if (o.kind != OrderKind::start && o.abort) keys.emplace_back("abort", "1");
  if (o.kind != OrderKind::start && o.force) keys.emplace_back("force", "1");
  if (o.kind == OrderKind::restart && o.initial) keys.emplace_back("initial", "1");
  if (o.kind == OrderKind::restart && o.nostart) keys.emplace_back("nostart", "1");
  auto r = tool.order(command, keys);
  return r ? Failure{} : r.failure();
}

Result<Restarted> await_restart(Tool& tool, const NodeStatus& before, bool stock, bool nostart, Time deadline) {
  Progress progress("node " + std::to_string(before.id), "rows");
  std::uint64_t version = 0;
  std::uint64_t applied = 0;  // what the node must have applied; set when it is first seen in sync again
  while (true) {
    auto s = read_status(tool, kPatience);
    if (!s) return s.failure();
    const NodeStatus* n = s->node(before.id);
    if (n == nullptr) return Failure{Error::no_such_node, "node " + std::to_string(before.id) + " was removed"};
    const bool management = !n->data();
    const bool again = stock || management || n->incarnation != before.incarnation;
    if (management && n->connected) return Restarted{*n, true};
    if (nostart && n->data()) {
      if (n->state == "not_started") return Restarted{*n, true};
    } else if (again && n->state == "in_sync") {
      if (applied == 0) applied = std::max<std::uint64_t>(s->version, 1);
      if (stock || n->version >= applied) return Restarted{*n, true};
    }
    if (os::monotonic_now() >= deadline) return Restarted{*n, false};
    progress.update(0, 0, n->state + (n->doing.empty() ? "" : " (" + n->doing + ")"));
    version = std::max(version, s->version);
    tool.wait_for_change(version, kLookEvery);
  }
}

void print_order(const Tool& tool, const std::string& text, const std::vector<NodeId>& nodes, bool changed,
                 bool dry_run) {
  if (!tool.json()) {
    print_line(text);
    return;
  }
  mgmt::Json j;
  j.object().member("format_version", 1).member("changed", changed).member("dry_run", dry_run).name("nodes").array();
  for (NodeId id : nodes) j.value(id);
  print_line(j.end_array().end_object().text());
}

std::string state_of_word(const std::string& word) {
  if (word == "started") return "in_sync";
  if (word == "stopped") return "down";
  for (const char* known : {"in_sync", "down", "not_started", "joining", "connected"}) {
    if (word == known) return word;
  }
  return {};
}

Result<bool> await_state(Tool& tool, const std::vector<NodeId>& nodes, const std::string& state, Time deadline,
                         ClusterStatus* last) {
  Progress progress("waiting", "nodes");
  while (true) {
    auto s = read_status(tool, kPatience);
    if (!s) return s.failure();
    *last = std::move(*s);
    std::vector<NodeId> missing;
    for (NodeId id : nodes) {
      const NodeStatus* n = last->node(id);
      // A node that ends, or is gone and not yet missed, does not serve for long; one that has just been let in has to
      // learn it.
      constexpr std::uint64_t kServes = 101;  // its phase, by its own word
      const bool fleeting = n != nullptr && n->data() && state == "in_sync" &&
                            (n->stopping || !n->connected || (!last->stock && n->phase < kServes));
      if (n == nullptr || n->state != state || fleeting) missing.push_back(id);
    }
    if (missing.empty()) return true;
    if (os::monotonic_now() >= deadline) return false;
    progress.update(nodes.size() - missing.size(), nodes.size(), "for " + state + " of " + join_ids(missing));
    tool.wait_for_change(last->version, kLookEvery);
  }
}

}  // namespace ndb::cli
