#include "mgmt/config_diff.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

std::vector<NodeId> ids_of(const Config& c, Kind kind) {
  std::vector<NodeId> out;
  for (const Node& n : c.nodes) {
    if (n.kind == kind) out.push_back(n.id);
  }
  return out;
}

std::string value_of(const Values& v, const std::string& name) {
  const auto it = v.find(name);
  return it == v.end() ? std::string() : it->second;
}

class Differ {
 public:
  Differ(const Config& from, const Config& to) : from_(from), to_(to) {}

  std::vector<Change> run() {
    system();
    nodes();
    link_defaults(Kind::tcp);
    link_defaults(Kind::shm);
    links();
    return std::move(out_);
  }

 private:
  void system() {
    Values a = effective_system(from_), b = effective_system(to_);
    for (const char* own : {"ConfigGenerationNumber", "PrimaryMGMNode"}) {
      a.erase(own);
      b.erase(own);
    }
    if (!a.count("Name") || !b.count("Name")) {
      a.erase("Name");
      b.erase("Name");
    }
    values(Kind::system, {}, a, b, {});
  }

  void nodes() {
    std::set<NodeId> ids;
    for (const Node& n : from_.nodes) ids.insert(n.id);
    for (const Node& n : to_.nodes) ids.insert(n.id);
    for (NodeId id : ids) {
      const Node* a = from_.find(id);
      const Node* b = to_.find(id);
      if (a && (!b || a->kind != b->kind)) whole(a->kind, {id}, ChangeKind::removed);
      if (b && (!a || a->kind != b->kind)) whole(b->kind, {id}, ChangeKind::added);
      if (a && b && a->kind == b->kind) node(*a, *b);
    }
  }

  void node(const Node& a, const Node& b) {
    Values x = effective_values(from_, a), y = effective_values(to_, b);
    // What the rule gives is only a first proposal; the cluster knows its groups.
    if (written_value(from_, a, "NodeGroup").empty() && written_value(to_, b, "NodeGroup").empty()) {
      x.erase("NodeGroup");
      y.erase("NodeGroup");
    }
    values(a.kind, {a.id}, x, y, {a.id});
  }

  // What all links have in common is compared once, not for each of the implied ones.
  void link_defaults(Kind kind) {
    static const Values kNone;
    const auto a = from_.defaults.find(kind), b = to_.defaults.find(kind);
    const Values& x = a == from_.defaults.end() ? kNone : a->second;
    const Values& y = b == to_.defaults.end() ? kNone : b->second;
    auto with_table = [&](Values v) {
      for (const auto* other : {&x, &y}) {
        for (const auto& [name, value] : *other) {
          const Parameter* p = find_parameter(kind, name);
          if (p && !p->unset() && !p->mandatory()) v.emplace(name, p->default_value);
        }
      }
      return v;
    };
    std::vector<NodeId> all;
    for (const Node& n : to_.nodes) all.push_back(n.id);
    values(kind, {}, with_table(x), with_table(y), all);
  }

  const Link* written(const Config& c, NodeId one, NodeId two) const {
    for (const Link& l : c.links) {
      if (l.node1 == one && l.node2 == two) return &l;
    }
    return nullptr;
  }

  void links() {
    std::set<std::pair<NodeId, NodeId>> pairs;
    for (const Link& l : from_.links) pairs.emplace(l.node1, l.node2);
    for (const Link& l : to_.links) pairs.emplace(l.node1, l.node2);
    for (const auto& [one, two] : pairs) {
      const bool before = from_.find(one) && from_.find(two), after = to_.find(one) && to_.find(two);
      const Link implied{Kind::tcp, one, two, {}};
      const Link* a = written(from_, one, two);
      const Link* b = written(to_, one, two);
      if (!before || !after) {
        whole(b ? b->kind : a->kind, {one, two}, after ? ChangeKind::added : ChangeKind::removed);
        continue;
      }
      const Link& x = a ? *a : implied;
      const Link& y = b ? *b : implied;
      if (x.kind != y.kind) {
        whole(x.kind, {one, two}, ChangeKind::removed);
        whole(y.kind, {one, two}, ChangeKind::added);
      } else {
        values(x.kind, {one, two}, own_values(from_, x, y), own_values(to_, y, x), {one, two});
      }
    }
  }

  // Of a link, only what somebody wrote into one of the two sections: the rest follows nodes and
  // defaults.
  static Values own_values(const Config& c, const Link& l, const Link& other) {
    Values v = effective_values(c, l);
    std::erase_if(v, [&](const auto& e) {
      const Parameter* p = find_parameter(l.kind, e.first);
      return !p || p->internal() || (!l.written.count(e.first) && !other.written.count(e.first));
    });
    return v;
  }

  void whole(Kind kind, std::vector<NodeId> ids, ChangeKind change) {
    Change c;
    c.section = kind;
    c.kind = change;
    c.restart = is_link(kind) ? Restart::node : Restart::online;
    c.nodes = std::move(ids);
    c.affected = c.nodes;
    out_.push_back(std::move(c));
  }

  void values(Kind kind, const std::vector<NodeId>& ids, const Values& a, const Values& b,
              const std::vector<NodeId>& who) {
    std::set<std::string> names;
    for (const auto& [name, value] : a) names.insert(name);
    for (const auto& [name, value] : b) names.insert(name);
    for (const std::string& name : names) {
      Change c;
      c.old_value = value_of(a, name);
      c.new_value = value_of(b, name);
      if (c.old_value == c.new_value && a.count(name) == b.count(name)) continue;
      const Parameter* p = find_parameter(kind, name);
      c.section = kind;
      c.nodes = ids;
      c.parameter = name;
      c.kind = !a.count(name) ? ChangeKind::added : !b.count(name) ? ChangeKind::removed : ChangeKind::changed;
      c.restart = p ? p->restart : Restart::node;
      c.used = p && p->used();
      c.affected = who;
      if (name == "DataMemory" && to_number(c.new_value) < to_number(c.old_value)) c.restart = Restart::node;
      if (c.restart == Restart::system || c.restart == Restart::initial_system) c.affected = ids_of(to_, Kind::ndbd);
      out_.push_back(std::move(c));
    }
  }

  const Config& from_;
  const Config& to_;
  std::vector<Change> out_;
};

std::string_view kind_word(ChangeKind k) {
  constexpr std::string_view words[] = {"added", "removed", "changed"};
  return words[static_cast<std::size_t>(k)];
}

std::string header(const Change& c) {
  std::string out = "[";
  if (is_node(c.section)) {
    out += std::string(kind_name(c.section)) + "(" + std::string(kind_type_name(c.section)) + ")]\n";
    return out + "NodeId=" + std::to_string(c.nodes.at(0)) + "\n";
  }
  out += std::string(kind_type_name(c.section));
  if (is_link(c.section) && c.nodes.empty()) return out + " default]\n";
  out += "]\n";
  if (c.nodes.size() == 2) {
    out += "NodeId1=" + std::to_string(c.nodes[0]) + "\nNodeId2=" + std::to_string(c.nodes[1]) + "\n";
  }
  return out;
}

std::string takes(const Change& c) {
  if (!c.used) return "not used here";
  switch (c.restart) {
    case Restart::online:
      return "online";
    case Restart::node:
      return "N: restart of the node";
    case Restart::initial_node:
      return "IN: restart of the node with --initial";
    case Restart::system:
      return "S: restart of the whole cluster";
    case Restart::initial_system:
      return "IS: backup, new cluster, restore";
  }
  return {};
}

}  // namespace

std::vector<Change> diff(const Config& from, const Config& to) { return Differ(from, to).run(); }

std::string diff_text(const std::vector<Change>& changes) {
  std::string out, last;
  for (const Change& c : changes) {
    std::string h = header(c);
    if (h != last) {
      if (!out.empty()) out += "\n";
      out += h;
      last = std::move(h);
    }
    if (c.parameter.empty()) {
      out += std::string(is_link(c.section) ? "Connection " : "Node ") + std::string(kind_word(c.kind)) + "\n";
      continue;
    }
    std::string comment = "    # " + takes(c) + "\n";
    if (c.kind != ChangeKind::added) {
      out += "-" + c.parameter + "=" + c.old_value + (c.kind == ChangeKind::removed ? comment : "\n");
    }
    if (c.kind != ChangeKind::removed) out += "+" + c.parameter + "=" + c.new_value + comment;
  }
  return out;
}

std::string diff_json(const std::vector<Change>& changes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Change& c : changes) {
    nlohmann::ordered_json o;
    o["section"] = kind_name(c.section);
    o["nodes"] = c.nodes;
    o["change"] = kind_word(c.kind);
    if (!c.parameter.empty()) {
      o["parameter"] = c.parameter;
      if (c.kind != ChangeKind::added) o["old"] = c.old_value;
      if (c.kind != ChangeKind::removed) o["new"] = c.new_value;
      o["restart"] = restart_name(c.restart);
      o["used"] = c.used;
    }
    o["affected"] = c.affected;
    list.push_back(std::move(o));
  }
  nlohmann::ordered_json all;
  all["format_version"] = 1;
  all["changes"] = std::move(list);
  return all.dump();
}

}  // namespace ndb::mgmt
