// Rules that concern more than one value.
#include <algorithm>
#include <set>

#include "base/log_destination.h"
#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

// The first of a ThreadConfig ("main={cpubind=0},ldm={count=2}") that is no type of thread; empty: all are.
std::string unknown_thread_type(std::string_view threads) {
  static const std::set<std::string, std::less<>> kTypes{"main", "ldm", "query",    "tc",     "recv",   "send",
                                                         "rep",  "io",  "watchdog", "idxbld", "recover"};
  std::string type;
  bool braces = false;
  for (std::size_t i = 0; i <= threads.size(); ++i) {
    const char c = i == threads.size() ? ',' : threads[i];
    if (c == '{' || c == '}') braces = c == '{';
    if (braces || c == '}' || c == '=' || c == ' ') continue;
    if (c != ',') {
      type += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      continue;
    }
    if (!type.empty() && !kTypes.count(type)) return type;
    type.clear();
  }
  return {};
}

class Checker {
 public:
  Checker(const Config& c, const Origin& o, std::vector<Problem>& p) : c_(c), origin_(o), problems_(p) {}

  void check() {
    counts();
    bool replicas_agree = true;
    for (const Node& n : c_.nodes) {
      if (n.kind != Kind::ndbd) continue;
      replicas_agree = replicas_agree && effective_number(c_, n, "NoOfReplicas") == replicas(c_);
      data_node(n);
    }
    if (replicas_agree) {
      groups();
    } else {
      error(default_line(Kind::ndbd), "NoOfReplicas differs between data nodes");
    }
    for (const Node& n : c_.nodes) any_node(n);
    heartbeat_order();
    host_mix();
    addresses();
    redundancy();
    arbitrators();
    links();
  }

 private:
  void error(int line, std::string text) { add_error(problems_, line, std::move(text)); }
  void warning(int line, std::string text) {
    if (problems_.size() < limits::kConfigProblemsMax) add_warning(problems_, line, std::move(text));
  }
  int default_line(Kind k) const {
    const auto it = origin_.defaults.find(k);
    return it == origin_.defaults.end() ? 0 : it->second;
  }
  static std::string named(const Node& n) { return "node " + std::to_string(n.id); }
  std::string host(const Node& n) const { return effective(c_, n, "HostName"); }

  void counts() {
    for (Kind k : {Kind::ndb_mgmd, Kind::ndbd, Kind::api}) {
      const bool one = std::any_of(c_.nodes.begin(), c_.nodes.end(), [&](const Node& n) { return n.kind == k; });
      if (!one) error(0, "there is no [" + std::string(kind_name(k)) + "] section; at least one is needed");
    }
  }

  void at_most(const Node& n, const char* low, const char* high) {
    if (written_value(c_, n, low).empty()) return;
    const std::string limit = effective(c_, n, high);
    if (limit.empty() || effective_number(c_, n, low) <= to_number(limit)) return;
    error(origin_.node(n.id), named(n) + ": " + low + " " + effective(c_, n, low) + " is above " + high + " " + limit);
  }

  void any_node(const Node& n) {
    if (const std::string to = written_value(c_, n, "LogDestination"); !to.empty()) {
      if (auto r = parse_log_destination(to, {}); !r) error(origin_.node(n.id), named(n) + ": " + r.failure().text);
    }
    if (const std::string threads = written_value(c_, n, "ThreadConfig"); !threads.empty()) {
      if (const std::string type = unknown_thread_type(threads); !type.empty()) {
        error(origin_.node(n.id),
              named(n) + ": ThreadConfig has no threads of type '" + type +
                  "'; there are main, ldm, query, tc, recv, send, rep, io, watchdog, idxbld, recover");
      }
    }
  }

  void data_node(const Node& n) {
    const int line = origin_.node(n.id);
    if (effective_number(c_, n, "MaxNoOfConcurrentOperations") <
        effective_number(c_, n, "MaxNoOfConcurrentTransactions")) {
      error(line, named(n) + ": MaxNoOfConcurrentOperations is below MaxNoOfConcurrentTransactions");
    }
    at_most(n, "MaxDMLOperationsPerTransaction", "MaxNoOfConcurrentOperations");
    at_most(n, "ReservedConcurrentOperations", "MaxNoOfConcurrentOperations");
    at_most(n, "ReservedConcurrentTransactions", "MaxNoOfConcurrentTransactions");
    at_most(n, "ReservedConcurrentScans", "MaxNoOfConcurrentScans");
    at_most(n, "ReservedConcurrentIndexOperations", "MaxNoOfConcurrentIndexOperations");
    at_most(n, "ReservedFiredTriggers", "MaxNoOfFiredTriggers");
    at_most(n, "ReservedLocalScans", "MaxNoOfLocalScans");
    at_most(n, "ReservedTransactionBufferMemory", "TransactionBufferMemory");
    const auto parts = effective_number(c_, n, "NoOfFragmentLogParts");
    static const std::set<std::uint64_t> kParts{4, 6, 8, 10, 12, 16, 20, 24, 32};
    if (!kParts.count(parts)) {
      error(line, named(n) + ": NoOfFragmentLogParts " + std::to_string(parts) +
                      " is none of 4, 6, 8, 10, 12, 16, 20, 24, 32");
    }
    const std::uint64_t workers = ldm_threads(effective(c_, n, "ThreadConfig")).value_or(1);
    if (workers < 1 || workers > limits::kWorkersMax) {
      error(line, named(n) + ": ThreadConfig asks for " + std::to_string(workers) + " workers (ldm); a node has 1 to " +
                      std::to_string(limits::kWorkersMax));
    }
    if (!written_value(c_, n, "TransactionMemory").empty()) {
      for (const char* old : {"MaxNoOfConcurrentIndexOperations", "MaxNoOfFiredTriggers", "MaxNoOfLocalOperations",
                              "MaxNoOfLocalScans"}) {
        if (!written_value(c_, n, old).empty()) {
          error(line, named(n) + ": TransactionMemory and " + old + " exclude each other");
        }
      }
    }
    if (effective(c_, n, "StopOnError") == "1") {
      for (const char* angel : {"MaxStartFailRetries", "StartFailRetryDelay"}) {
        if (!written_value(c_, n, angel).empty()) error(line, named(n) + ": " + angel + " needs StopOnError=0");
      }
    }
    const auto wish = written_value(c_, n, "NodeGroup");
    if (!wish.empty() && n.group >= limits::kGroupsMax && n.group != kNoGroup) {
      error(line, named(n) + ": NodeGroup " + wish + " is neither below " + std::to_string(limits::kGroupsMax) +
                      " nor 65536 (no group yet)");
    }
    if (wish.empty() && in_reserve(c_, n)) {
      warning(line, named(n) +
                        " is in reserve and has no NodeGroup; write NodeGroup=65536 so that it can "
                        "be enabled");
    }
  }

  void groups() {
    std::map<GroupId, std::vector<const Node*>> members;
    for (const Node& n : c_.nodes) {
      if (n.kind == Kind::ndbd && n.group != kNoGroup) members[n.group].push_back(&n);
    }
    const bool any = std::any_of(c_.nodes.begin(), c_.nodes.end(), [](const Node& n) { return n.kind == Kind::ndbd; });
    if (any && members.empty()) error(default_line(Kind::ndbd), "no data node is in a node group");
    const std::size_t size = replicas(c_);
    for (const auto& [group, nodes] : members) {
      const int line = origin_.node(nodes.back()->id);
      if (group >= limits::kGroupsMax && written_value(c_, *nodes.back(), "NodeGroup").empty()) {
        error(line, "more than " + std::to_string(limits::kGroupsMax) + " node groups");
      }
      if (nodes.size() != size) {
        error(line, "node group " + std::to_string(group) + " has " + std::to_string(nodes.size()) +
                        (nodes.size() == 1 ? " member" : " members") + ", NoOfReplicas is " + std::to_string(size));
      } else if (std::all_of(nodes.begin(), nodes.end(), [&](const Node* n) { return in_reserve(c_, *n); })) {
        error(line, "all members of node group " + std::to_string(group) + " are in reserve");
      }
    }
  }

  void heartbeat_order() {
    std::map<std::uint64_t, const Node*> order;
    bool zero = false, other = false;
    for (const Node& n : c_.nodes) {
      if (n.kind != Kind::ndbd) continue;
      const auto place = effective_number(c_, n, "HeartbeatOrder");
      (place == 0 ? zero : other) = true;
      if (place != 0 && !order.emplace(place, &n).second) {
        error(origin_.node(n.id), named(n) + ": another data node has the same HeartbeatOrder");
      }
    }
    if (zero && other) error(default_line(Kind::ndbd), "HeartbeatOrder is 0 on some data nodes and not on others");
  }

  // A node that calls itself localhost cannot be found from another machine.
  void host_mix() {
    const Node* local = nullptr;
    const Node* remote = nullptr;
    for (const Node& n : c_.nodes) {
      const std::string h = host(n);
      if (h.empty()) continue;
      (loopback_host(h) ? local : remote) = &n;
    }
    if (!local || !remote) return;
    error(origin_.node(local->id), named(*local) + " has the host " + quoted(host(*local)) + " and " + named(*remote) +
                                       " the host " + quoted(host(*remote)) +
                                       "; localhost cannot be mixed with other hosts");
  }

  void addresses() {
    std::map<std::pair<std::string, std::string>, NodeId> taken;
    for (const Node& n : c_.nodes) {
      const bool mgmd = n.kind == Kind::ndb_mgmd;
      if (!mgmd && n.kind != Kind::ndbd) continue;
      const std::string port = effective(c_, n, mgmd ? "PortNumber" : "ServerPort");
      if (port.empty() || port == "0") continue;
      const auto [it, fresh] = taken.emplace(std::pair(host(n), port), n.id);
      if (fresh) continue;
      error(origin_.node(n.id), named(n) + " and node " + std::to_string(it->second) +
                                    " have the same host and port: " + quoted(host(n) + ":" + port));
    }
  }

  // On one machine nobody expects to survive its loss, so loopback hosts are passed over.
  void redundancy() {
    std::map<std::pair<GroupId, std::string>, NodeId> seen;
    for (const Node& n : c_.nodes) {
      if (n.kind != Kind::ndbd || n.group == kNoGroup || loopback_host(host(n))) continue;
      const auto [it, fresh] = seen.emplace(std::pair(n.group, host(n)), n.id);
      if (!fresh) {
        warning(origin_.node(n.id), "node " + std::to_string(it->second) + " and " + named(n) +
                                        " are replicas of each other on one host " + quoted(host(n)) +
                                        ": its loss stops the cluster");
      }
    }
  }

  void arbitrators() {
    bool any = false;
    for (const Node& n : c_.nodes) {
      if (n.kind == Kind::ndbd || effective(c_, n, "ArbitrationRank") == "0") continue;
      any = true;
      if (host(n).empty() || loopback_host(host(n))) continue;
      for (const Node& d : c_.nodes) {
        if (d.kind != Kind::ndbd || host(d) != host(n)) continue;
        warning(origin_.node(n.id), "the arbitrator " + named(n) + " shares the host of data " + named(d) +
                                        ": the loss of that host may stop the cluster");
        break;
      }
    }
    if (!any && !c_.nodes.empty()) warning(0, "there is no arbitrator: every ArbitrationRank is 0");
  }

  void links() {
    std::set<std::string> versions;
    if (all_links(c_).size() > c_.links.size()) {  // the implied ones all say the same
      versions.insert(effective_values(c_, Link{}).at("PreferIPVersion"));
    }
    for (const Link& l : c_.links) {
      const Values v = effective_values(c_, l);
      if (v.count("PreferIPVersion")) versions.insert(v.at("PreferIPVersion"));
      const auto server = static_cast<NodeId>(to_number(v.at("NodeIdServer")));
      if (server != l.node1 && server != l.node2) {
        error(origin_.link(l), "NodeIdServer " + std::to_string(server) + " is no end of the link");
      } else if (v.at(server == l.node1 ? "HostName1" : "HostName2").empty()) {
        error(origin_.link(l), "node " + std::to_string(server) + " listens for this link and needs a HostName");
      }
    }
    if (versions.count("5")) error(default_line(Kind::tcp), "PreferIPVersion is neither 4 nor 6");
    if (versions.size() > 1) error(default_line(Kind::tcp), "PreferIPVersion differs between links");
    for (const Node& n : c_.nodes) {
      if (n.kind == Kind::ndb_mgmd && host(n).empty()) {
        error(origin_.node(n.id), named(n) + ": a management server listens and needs a HostName");
      }
    }
  }

  const Config& c_;
  const Origin& origin_;
  std::vector<Problem>& problems_;
};

}  // namespace

void check_config(const Config& c, const Origin& o, std::vector<Problem>& problems) { Checker(c, o, problems).check(); }

}  // namespace ndb::mgmt
