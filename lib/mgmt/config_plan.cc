// Who restarts after a change, how, and in which order.
#include <algorithm>
#include <set>

#include "mgmt/config_diff.h"

namespace ndb::mgmt {
namespace {

struct Need {
  Restart restart = Restart::online;
  std::set<std::string> parameters;
};
using Needs = std::map<NodeId, Need>;

Restart stronger(Restart a, Restart b) { return std::max(a, b); }

std::string name_of(const Change& c) {
  if (!c.parameter.empty()) return c.parameter;
  std::string out = is_link(c.section) ? "link " : "node ";
  for (std::size_t i = 0; i < c.nodes.size(); i++) out += (i ? "-" : "") + std::to_string(c.nodes[i]);
  return out + (c.kind == ChangeKind::added ? " added" : " removed");
}

void need(Needs& needs, const Config& to, const Change& c, Restart how, const std::vector<NodeId>& who) {
  for (NodeId id : who) {
    if (!to.find(id)) continue;
    Need& n = needs[id];
    n.restart = stronger(n.restart, how);
    n.parameters.insert(name_of(c));
  }
}

// Where NDB asks for more than we do.
Restart stock_restart(const Change& c) {
  if (c.section == Kind::ndbd) {
    if (c.parameter == "HostName" || c.parameter == "ServerPort") return Restart::system;
    if (c.parameter == "ThreadConfig" || c.parameter == "MaxNoOfExecutionThreads") return Restart::initial_system;
  }
  return stronger(c.restart, Restart::node);
}

// A node that comes or goes changes the links of all others in NDB.
std::vector<NodeId> neighbours(const Config& to, const Change& c) {
  std::vector<NodeId> out;
  for (const Node& n : to.nodes) {
    const bool itself = std::find(c.nodes.begin(), c.nodes.end(), n.id) != c.nodes.end();
    if (!itself && (n.kind == Kind::ndbd || (n.kind == Kind::api && c.section != Kind::api))) out.push_back(n.id);
  }
  return out;
}

// Place in the order: management servers, first members of all groups, second members, .., nodes
// without a group, API nodes.
std::vector<NodeId> order(const Config& to) {
  std::map<GroupId, std::uint32_t> seen;
  std::vector<std::pair<std::tuple<int, std::uint32_t, GroupId, NodeId>, NodeId>> places;
  for (const Node& n : to.nodes) {
    const int first = n.kind == Kind::ndb_mgmd ? 0 : n.kind == Kind::ndbd ? 1 : 2;
    const bool grouped = n.kind == Kind::ndbd && n.group != kNoGroup;
    const std::uint32_t member = grouped ? seen[n.group]++ : n.kind == Kind::ndbd ? kNoGroup : 0;
    places.push_back({{first, member, grouped ? n.group : 0, n.id}, n.id});
  }
  std::sort(places.begin(), places.end());
  std::vector<NodeId> out;
  for (const auto& p : places) out.push_back(p.second);
  return out;
}

std::string list(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

}  // namespace

RestartPlan restart_plan(const std::vector<Change>& changes, const Config& to, bool stock) {
  Needs needs;
  RestartPlan plan;
  std::set<std::string> online;
  for (const Change& c : changes) {
    if (c.parameter.empty() && is_node(c.section)) {
      if (stock) need(needs, to, c, Restart::node, neighbours(to, c));
      continue;
    }
    if (!c.used && !stock && !c.parameter.empty()) continue;
    if (is_link(c.section) && !stock) continue;  // links are made anew as they are needed
    if (c.restart == Restart::online && !stock) {
      online.insert(c.parameter);
      continue;
    }
    const Restart how = stock ? stock_restart(c) : c.restart;
    std::vector<NodeId> who = c.affected;
    if (how >= Restart::system) {
      for (const Node& n : to.nodes) {
        if (n.kind == Kind::ndbd) who.push_back(n.id);
      }
    }
    need(needs, to, c, how, who);
  }
  plan.online.assign(online.begin(), online.end());
  for (const auto& [id, n] : needs) plan.worst = stronger(plan.worst, n.restart);
  RestartStep together;  // data nodes that must all be down at once
  for (NodeId id : order(to)) {
    const auto it = needs.find(id);
    if (it == needs.end()) continue;
    const std::vector<std::string> names(it->second.parameters.begin(), it->second.parameters.end());
    if (it->second.restart < Restart::system) {
      plan.steps.push_back({{id}, it->second.restart, names});
      continue;
    }
    together.nodes.push_back(id);
    together.restart = stronger(together.restart, it->second.restart);
    for (const auto& name : names) {
      if (std::find(together.parameters.begin(), together.parameters.end(), name) == together.parameters.end()) {
        together.parameters.push_back(name);
      }
    }
  }
  if (!together.nodes.empty()) {
    std::sort(together.nodes.begin(), together.nodes.end());
    auto at = std::find_if(plan.steps.begin(), plan.steps.end(),
                           [&](const RestartStep& s) { return to.find(s.nodes[0])->kind != Kind::ndb_mgmd; });
    plan.steps.insert(at, std::move(together));
  }
  return plan;
}

std::string plan_text(const RestartPlan& plan) {
  std::string out;
  if (!plan.online.empty()) out += "applied to running nodes: " + list(plan.online) + "\n";
  if (plan.steps.empty()) return out + "no node needs to restart\n";
  int number = 0;
  for (const RestartStep& s : plan.steps) {
    out += std::to_string(++number) + ". ";
    if (s.restart == Restart::initial_system) {
      out += "take a backup, start a new cluster, restore";
    } else if (s.nodes.size() > 1 || s.restart == Restart::system) {
      out += "stop and start all data nodes";
    } else {
      out += "restart node " + std::to_string(s.nodes[0]);
      if (s.restart == Restart::initial_node) out += " with --initial";
    }
    out += " (" + list(s.parameters) + ")\n";
  }
  return out;
}

}  // namespace ndb::mgmt
