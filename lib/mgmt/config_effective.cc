// What holds in the end: own values, then the section's defaults, then rules, then the table's
// defaults.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

constexpr std::string_view kWanBuffer = "4194304";
constexpr std::string_view kWanSegment = "61440";

const std::string* find_value(const Values& v, std::string_view name) {
  const auto it = v.find(name);
  return it == v.end() ? nullptr : &it->second;
}

const std::string* find_written(const Config& c, Kind kind, const Values& own, std::string_view name) {
  if (const std::string* v = find_value(own, name)) return v;
  const auto it = c.defaults.find(kind);
  return it == c.defaults.end() ? nullptr : find_value(it->second, name);
}

// Defaults that depend on other values, and those of parameters that are obeyed here with a default of our own.
std::string rule(const Config& c, const Node& n, std::string_view name) {
  if (name == "NodeId") return std::to_string(n.id);
  if (name == "NodeGroup" && n.kind == Kind::ndbd) return std::to_string(n.group);
  if (name == "FileSystemPath") return effective(c, n, "DataDir");
  if (name == "BackupDataDir") return effective(c, n, "FileSystemPath");
  const bool own = n.kind == Kind::ndbd && !c.stock;
  if (own && name == "HeartbeatIntervalDbDb") return std::to_string(limits::kLease / kMillisecond / 4);
  if (own && name.starts_with("LogLevel")) return std::to_string(kLevelDefault);
  if (name == "LogDestination") {
    return "FILE:filename=ndb_" + std::to_string(n.id) + "_cluster.log,maxsize=1000000,maxfiles=6";
  }
  return {};
}

bool far_apart(const Config& c, const Node& a, const Node& b) {
  if (effective(c, a, "wan") == "1" || effective(c, b, "wan") == "1") return true;
  const auto x = effective_number(c, a, "LocationDomainId");
  const auto y = effective_number(c, b, "LocationDomainId");
  return x != 0 && y != 0 && x != y;
}

// What a link takes from its two ends.
void link_rules(const Config& c, const Link& l, Values& v) {
  v["NodeId1"] = std::to_string(l.node1);
  v["NodeId2"] = std::to_string(l.node2);
  const Node* a = c.find(l.node1);
  const Node* b = c.find(l.node2);
  if (!a || !b) return;
  v.emplace("HostName1", effective(c, *a, "HostName"));
  v.emplace("HostName2", effective(c, *b, "HostName"));
  const bool api = a->kind == Kind::api;
  v.emplace("NodeIdServer", std::to_string(api ? l.node2 : l.node1));
  const Node* server = c.find(static_cast<NodeId>(to_number(v["NodeIdServer"])));
  if (l.kind != Kind::tcp) return;
  if (server && server->kind == Kind::ndb_mgmd) {
    v.emplace("PortNumber", effective(c, *server, "PortNumber"));
  } else if (server && server->kind == Kind::ndbd && !effective(c, *server, "ServerPort").empty()) {
    v.emplace("PortNumber", effective(c, *server, "ServerPort"));
  }
  if (far_apart(c, *a, *b)) {
    v.emplace("TCP_SND_BUF_SIZE", kWanBuffer);
    v.emplace("TCP_RCV_BUF_SIZE", kWanBuffer);
    v.emplace("TCP_MAXSEG_SIZE", kWanSegment);
  }
  if (server && effective(c, *server, "TcpBind_INADDR_ANY") == "1") v.emplace("TcpBind_INADDR_ANY", "1");
  if (effective(c, *a, "RequireTls") == "1" || effective(c, *b, "RequireTls") == "1") v["RequireLinkTls"] = "1";
}

void add_table_defaults(Kind kind, Values& v) {
  for (const Parameter& p : parameters()) {
    if (p.kind == kind && !p.unset() && !p.mandatory()) v.emplace(p.name, p.default_value);
  }
}

void add_section_defaults(const Config& c, Kind kind, Values& v) {
  const auto it = c.defaults.find(kind);
  if (it != c.defaults.end()) v.insert(it->second.begin(), it->second.end());
}

}  // namespace

const Node* Config::find(NodeId id) const noexcept {
  const auto it =
      std::lower_bound(nodes.begin(), nodes.end(), id, [](const Node& n, NodeId wanted) { return n.id < wanted; });
  return it != nodes.end() && it->id == id ? &*it : nullptr;
}

Node* Config::find(NodeId id) noexcept { return const_cast<Node*>(static_cast<const Config*>(this)->find(id)); }

bool has_errors(const std::vector<Problem>& problems) noexcept {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.severity == Severity::error; });
}

std::string problem_line(const Problem& p) {
  std::string line = p.line ? "line " + std::to_string(p.line) + ": " : std::string();
  return line + (p.severity == Severity::error ? "error: " : "warning: ") + p.text;
}

std::string written_value(const Config& c, const Node& n, std::string_view name) {
  const std::string* v = find_written(c, n.kind, n.written, name);
  return v ? *v : std::string();
}

bool says_something(const Link& l) {
  if (l.kind != Kind::tcp || l.written.empty()) return true;
  return std::any_of(l.written.begin(), l.written.end(), [&](const auto& v) {
    const Parameter* p = find_parameter(l.kind, v.first);
    return p && !p->internal();
  });
}

std::string effective(const Config& c, const Node& n, std::string_view name) {
  const Parameter* p = find_parameter(n.kind, name);
  if (!p) return {};
  if (const std::string* v = find_written(c, n.kind, n.written, p->name)) return *v;
  std::string v = rule(c, n, p->name);
  return v.empty() ? std::string(p->default_value) : v;
}

std::uint64_t effective_number(const Config& c, const Node& n, std::string_view name) {
  return to_number(effective(c, n, name));
}

Values effective_values(const Config& c, const Node& n) {
  Values v = n.written;
  add_section_defaults(c, n.kind, v);
  for (const Parameter& p : parameters()) {
    if (p.kind != n.kind || v.count(p.name)) continue;
    std::string value = rule(c, n, p.name);
    if (!value.empty()) v.emplace(p.name, std::move(value));
  }
  add_table_defaults(n.kind, v);
  return v;
}

Values effective_values(const Config& c, const Link& l) {
  Values v = l.written;
  add_section_defaults(c, l.kind, v);
  link_rules(c, l, v);
  add_table_defaults(l.kind, v);
  return v;
}

Values effective_system(const Config& c) {
  Values v = c.system;
  add_table_defaults(Kind::system, v);
  return v;
}

std::optional<std::uint64_t> ldm_threads(std::string_view threads) {
  constexpr std::string_view kCount = "count=";
  std::size_t at = threads.find("ldm");
  if (at == std::string::npos) return std::nullopt;
  at = threads.find(kCount, at);
  if (at == std::string::npos) return 1;
  const std::string_view count = threads.substr(at + kCount.size());
  return to_number(count.substr(0, count.find_first_not_of("0123456789")));
}

std::vector<Link> all_links(const Config& c) {
  std::vector<Link> out = c.links;
  std::set<std::pair<NodeId, NodeId>> written;
  for (const Link& l : c.links) written.emplace(l.node1, l.node2);
  for (const Node& a : c.nodes) {
    for (const Node& b : c.nodes) {
      if (!may_link(a.kind, b.kind) || a.id == b.id) continue;
      if (a.kind == b.kind ? a.id > b.id : a.kind == Kind::ndbd) continue;
      if (!written.count({a.id, b.id})) out.push_back({Kind::tcp, a.id, b.id, {}});
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Link& a, const Link& b) { return std::pair(a.node1, a.node2) < std::pair(b.node1, b.node2); });
  return out;
}

bool in_reserve(const Config& c, const Node& n) {
  return n.kind != Kind::ndb_mgmd && (effective(c, n, "Disabled") == "1" || effective(c, n, "NodeActive") == "0");
}

std::uint32_t replicas(const Config& c) {
  for (const Node& n : c.nodes) {
    if (n.kind == Kind::ndbd) {
      // Never 0, also in a configuration that was decoded and not checked.
      const std::uint64_t wish = effective_number(c, n, "NoOfReplicas");
      return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wish, 1, limits::kReplicasMax));
    }
  }
  return 2;
}

std::vector<std::string> hosts(const Config& c) {
  std::set<std::string> out;
  for (const Node& n : c.nodes) out.insert(effective(c, n, "HostName"));
  for (const Link& l : c.links) {
    for (const char* end : {"HostName1", "HostName2"}) {
      if (const std::string* v = find_value(l.written, end)) out.insert(*v);
    }
  }
  out.erase("");
  return {out.begin(), out.end()};
}

bool loopback_host(std::string_view host) noexcept {
  return same_name(host, "localhost") || host == "::1" || host.substr(0, 4) == "127.";
}

namespace {
// Why a parameter is not one that is set, and what to do instead; "" when it is.
std::string not_set(const Parameter& p) {
  if (p.internal()) return "it is the program's own";
  if (p.name == "NodeId") return "a node keeps its id; remove the node and add another one, with 'ndb-config apply'";
  if (p.name == "NodeId1" || p.name == "NodeId2")
    return "a link is between its nodes; write another one, with 'ndb-config apply'";
  if (p.name == "ExecuteOnComputer") return "it is deprecated; set HostName";
  return {};
}
}  // namespace

std::vector<Problem> set_parameter(Config& config, Kind kind, const std::vector<NodeId>& nodes, std::string_view name,
                                   std::optional<std::string_view> value) {
  std::vector<Problem> problems;
  const Parameter* p = find_parameter(kind, name);
  const std::string section(kind_name(kind));
  if (!p) {
    add_error(problems, 0, "unknown parameter " + quoted(name) + " in [" + section + "]");
    return problems;
  }
  if (const std::string why = not_set(*p); !why.empty()) {
    add_error(problems, 0, "parameter " + quoted(p->name) + " cannot be set: " + why);
    return problems;
  }
  std::optional<std::string> canonical;
  if (value) {
    std::string why;
    canonical = parse_value(*p, *value, &why);
    if (!canonical) {
      add_error(problems, 0, "parameter " + quoted(p->name) + " " + why + ": " + quoted(*value));
      return problems;
    }
  }
  Config next = config;
  auto change = [&](Values& values) {
    if (canonical) {
      values.insert_or_assign(std::string(p->name), *canonical);
    } else {
      values.erase(std::string(p->name));
    }
  };
  if (nodes.empty()) {
    change(kind == Kind::system ? next.system : next.defaults[kind]);
    if (kind != Kind::system && next.defaults[kind].empty()) next.defaults.erase(kind);
  }
  for (NodeId id : nodes) {
    Node* n = next.find(id);
    if (!n || n->kind != kind) {
      add_error(problems, 0, "node " + std::to_string(id) + " is no [" + section + "] of the configuration");
      return problems;
    }
    change(n->written);
  }
  problems = finish(next);
  if (!p->used()) {
    add_warning(problems, 0, "parameter " + quoted(p->name) + " is accepted but not used here");
  }
  if (!has_errors(problems)) config = std::move(next);
  return problems;
}

}  // namespace ndb::mgmt
