#include "cli/status.h"

#include <algorithm>
#include <set>

#include "cli/json_value.h"

namespace ndb::cli {

namespace {

std::optional<std::uint64_t> optional_number(const JsonValue& v) {
  if (v.is_null()) return std::nullopt;
  return v.number();
}

NodeStatus read_node(const JsonValue& v) {
  NodeStatus n;
  n.id = static_cast<NodeId>(v["id"].number());
  n.type = v["type"].text;
  n.host = v["host"].text;
  n.address = v["address"].text;
  n.connected = v["connected"].boolean();
  n.disabled = v["disabled"].boolean();
  n.stopping = v["stopping"].boolean();
  if (auto g = optional_number(v["group"])) n.group = static_cast<GroupId>(*g);
  n.incarnation = v["incarnation"].number();
  n.generation = v["generation"].number();
  n.version = v["version"].number();
  n.port = v["port"].number();
  n.workers = v["workers"].number();
  n.memory_used = optional_number(v["memory_used"]);
  n.memory_total = optional_number(v["memory_total"]);
  n.rows = optional_number(v["rows"]);
  n.phase = v["phase"].number();
  n.percent = v["percent"].number();
  n.seconds_left = optional_number(v["seconds_left"]);
  n.doing = v["doing"].text;
  n.state = v["state"].text;
  if (!n.data()) n.state = n.connected ? "connected" : "down";
  if (n.data() && n.disabled) n.state = "disabled";
  if (n.data() && n.state == "down" && n.connected)
    n.state = v["phase"].is_null() || n.phase != 0 ? "joining" : "not_started";
  return n;
}

std::string stock_state(const std::string& word) {
  if (word == "STARTED" || word == "SINGLE USER MODE" || word == "SHUTTING_DOWN") return "in_sync";
  if (word == "STARTING" || word == "RESTARTING" || word == "RESUME") return "joining";
  if (word == "NOT_STARTED") return "not_started";
  if (word == "CONNECTED") return "connected";
  return "down";
}

}  // namespace

const NodeStatus* ClusterStatus::node(NodeId id) const {
  auto i = std::find_if(nodes.begin(), nodes.end(), [&](const NodeStatus& n) { return n.id == id; });
  return i == nodes.end() ? nullptr : &*i;
}

bool ClusterStatus::group_survives(NodeId but, const std::vector<NodeId>& others) const {
  const NodeStatus* n = node(but);
  if (n == nullptr || !n->group) return true;
  return std::any_of(nodes.begin(), nodes.end(), [&](const NodeStatus& o) {
    const bool goes = o.id == but || std::find(others.begin(), others.end(), o.id) != others.end();
    return !goes && o.data() && o.group == n->group && o.state == "in_sync";
  });
}

std::vector<NodeId> ClusterStatus::restart_order() const {
  std::vector<NodeId> order;
  std::size_t most = 0;
  for (const Group& g : groups) most = std::max(most, g.members.size());
  auto add = [&](NodeId id) {
    const NodeStatus* n = node(id);
    if (n != nullptr && n->data() && !n->disabled) order.push_back(id);
  };
  for (std::size_t member = 0; member < most; ++member) {
    for (const Group& g : groups) {
      if (member < g.members.size()) add(g.members[member]);
    }
  }
  for (const NodeStatus& n : nodes) {
    if (!n.group) add(n.id);
  }
  return order;
}

std::string ClusterStatus::leaderless() const {
  return std::string(error_info(Error::not_leader).sentence) + (no_quorum.empty() ? "" : " (" + no_quorum + ")");
}

Result<ClusterStatus> parse_status(std::string_view json) {
  auto v = JsonValue::parse(json);
  if (!v) return v.failure();
  const JsonValue& o = *v;
  ClusterStatus s;
  s.json = std::string(json);
  s.name = o["cluster"].text;
  s.version = o["version"].number();
  s.view = o["view"].number();
  s.generation = o["generation"].number();
  s.job = o["job"].number();
  s.replicas = o["replicas"].number();
  s.started = o["started"].boolean();
  s.leader = static_cast<NodeId>(o["leader"].number());
  s.no_quorum = o["no_quorum"].text;
  s.answering = static_cast<NodeId>(o["node"].number());
  s.single_user = static_cast<NodeId>(o["single_user"].number());
  for (const JsonValue& n : o["nodes"].items) s.nodes.push_back(read_node(n));
  std::sort(s.nodes.begin(), s.nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const JsonValue& g : o["groups"].items) {
    auto& group = s.groups.emplace_back();
    group.id = static_cast<GroupId>(g["id"].number());
    for (const JsonValue& m : g["members"].items) group.members.push_back(static_cast<NodeId>(m.number()));
  }
  return s;
}

ClusterStatus parse_stock_status(const std::map<std::string, std::string>& values) {
  ClusterStatus s;
  s.stock = true;
  std::map<NodeId, NodeStatus> nodes;
  for (const auto& [key, value] : values) {
    if (!key.starts_with("node.")) continue;
    const std::size_t dot = key.find('.', 5);
    if (dot == std::string::npos) continue;
    auto id = parse_node_ids(key.substr(5, dot - 5));
    if (!id || id->size() != 1) continue;
    NodeStatus& n = nodes[id->front()];
    n.id = id->front();
    const std::string name = key.substr(dot + 1);
    if (name == "type") n.type = value == "NDB" ? "data" : value == "MGM" ? "mgm" : "api";
    if (name == "status") {
      n.state = stock_state(value);
      n.stopping = value == "SHUTTING_DOWN";
      n.connected = n.state != "down";
      if (value == "SINGLE USER MODE") n.doing = "single user mode";
    }
    if (name == "address") n.address = n.host = value == "0.0.0.0" ? "" : value;
    if (name == "node_group" && !value.empty() && value.front() != '-') {
      n.group = static_cast<GroupId>(std::strtoul(value.c_str(), nullptr, 10));
    }
    if (name == "is_single_user" && value == "1") s.single_user = n.id;
    if (name == "dynamic_id") n.dynamic_id = std::strtoll(value.c_str(), nullptr, 10);
    if (name == "version") n.ndb_version = std::strtoul(value.c_str(), nullptr, 10);
    if (name == "startphase") n.phase = std::strtoul(value.c_str(), nullptr, 10);
  }
  std::map<GroupId, std::vector<NodeId>> groups;
  for (auto& [id, n] : nodes) {
    if (!n.data()) n.group.reset();
    if (n.group) groups[*n.group].push_back(id);
    s.started |= n.data() && n.state == "in_sync";
    s.nodes.push_back(n);
  }
  for (auto& [id, members] : groups) {
    s.replicas = std::max<std::uint64_t>(s.replicas, members.size());
    s.groups.push_back({id, members});
  }
  return s;
}

Result<ClusterStatus> read_status(Tool& tool, Time patience) {
  auto r = tool.ask("ndb status", {}, patience);
  if (r) return parse_status(r->bulk);
  if (!Tool::unknown_command(r.failure())) return r.failure();
  tool.ask("set clientversion", {{"major", "8"}, {"minor", "4"}, {"build", "8"}},
           patience);  // then it tells the single user
  auto stock = tool.ask("get status", {{"types", "NDB MGM API"}}, patience);
  if (!stock) return stock.failure();
  return parse_stock_status(stock->values);
}

Failure check_version(const ClusterStatus& s, std::uint64_t if_version) {
  if (if_version == 0 || s.view <= if_version) return {};
  return {Error::version_moved,
          "the cluster changed at version " + std::to_string(s.view) + ", after version " + std::to_string(if_version)};
}

Failure drop_in_words(const Failure& f, const std::string& group) {
  const std::string n = "node group " + group;
  if (f.text.ends_with("-1")) return {Error::no_such_group, "no " + n};
  if (f.text.ends_with("-2")) {
    return {Error::group_in_use, n + " holds fragments of tables, even if they have no rows; drop these tables first"};
  }
  return f;
}

}  // namespace ndb::cli
