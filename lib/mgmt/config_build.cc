// From sections of words to a Config: names, ranges, node ids, links.
#include <algorithm>
#include <set>

#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

struct Computer {
  std::string id, host;
};

// A section whose words have been understood.
struct Section {
  Kind kind = Kind::system;
  bool is_default = false;
  int line = 0;
  Values values;
};

class Builder {
 public:
  explicit Builder(std::vector<Problem> problems) : problems_(std::move(problems)) {}

  ParseResult build(const std::vector<RawSection>& sections) {
    for (const RawSection& s : sections) {
      if (same_name(s.name, "computer") && !s.is_default) read_computer(s);
    }
    for (const RawSection& s : sections) read_section(s);
    keep_defaults_exact();
    take_ids();
    for (Section& s : sections_) {
      if (!is_link(s.kind)) place(s);
    }
    for (Section& s : sections_) {
      if (is_link(s.kind)) place(s);
    }
    std::sort(config_.nodes.begin(), config_.nodes.end(), [](const Node& a, const Node& b) { return a.id < b.id; });
    std::sort(config_.links.begin(), config_.links.end(),
              [](const Link& a, const Link& b) { return std::pair(a.node1, a.node2) < std::pair(b.node1, b.node2); });
    assign_groups(config_);
    check_config(config_, origin_, problems_);
    sort_problems(problems_);
    return {std::move(config_), std::move(problems_)};
  }

 private:
  void error(int line, std::string text) { add_error(problems_, line, std::move(text)); }
  void warning(int line, std::string text) {
    if (problems_.size() < limits::kConfigProblemsMax) add_warning(problems_, line, std::move(text));
  }

  void read_computer(const RawSection& s) {
    Computer c;
    for (const RawValue& v : s.values) {
      if (same_name(v.name, "Id")) {
        c.id = v.value;
      } else if (same_name(v.name, "HostName")) {
        c.host = v.value;
      } else {
        error(v.line, "unknown parameter " + quoted(v.name) + " in [computer]");
      }
    }
    if (c.id.empty() || c.host.empty()) {
      error(s.line, "[computer] needs an Id and a HostName");
      return;
    }
    for (const Computer& o : computers_) {
      if (o.id == c.id) error(s.line, "a second [computer] has the Id " + quoted(c.id));
    }
    warning(s.line, "[computer] is deprecated; write HostName into the node's section");
    computers_.push_back(std::move(c));
  }

  void read_section(const RawSection& raw) {
    if (same_name(raw.name, "computer")) {
      if (raw.is_default) error(raw.line, "[computer] has no default section");
      return;
    }
    const auto kind = find_kind(raw.name);
    if (!kind) {
      error(raw.line, "unknown section " + quoted("[" + raw.name + "]") +
                          "; there are system, ndb_mgmd, ndbd, mysqld, tcp and shm");
      return;
    }
    Section s;
    s.kind = *kind;
    s.is_default = raw.is_default;
    s.line = raw.line;
    if (s.kind == Kind::system) {
      if (s.is_default) {
        error(s.line, "[system] has no default section");
        return;
      }
      if (system_seen_) error(s.line, "a second [system] section");
      system_seen_ = true;
    }
    for (const RawValue& v : raw.values) read_value(s, v);
    if (s.is_default) {
      if (!defaults_seen_.insert(s.kind).second) {
        error(s.line, "a second [" + std::string(kind_name(s.kind)) + " default] section");
        return;
      }
      origin_.defaults[s.kind] = s.line;
    }
    sections_.push_back(std::move(s));
  }

  void unknown(const Section& s, const RawValue& v) {
    std::string text = "unknown parameter " + quoted(v.name) + " in [" + std::string(kind_name(s.kind)) + "]";
    std::string elsewhere;
    for (Kind k : {Kind::ndbd, Kind::ndb_mgmd, Kind::api, Kind::tcp, Kind::shm, Kind::system}) {
      if (elsewhere.empty() && find_parameter(k, v.name)) elsewhere = kind_name(k);
    }
    if (!elsewhere.empty()) {
      text += "; it belongs to [" + elsewhere + "]";
    } else if (const Parameter* near =
                   problems_.size() < limits::kConfigProblemsMax ? similar_parameter(s.kind, v.name) : nullptr) {
      text += "; did you mean " + quoted(near->name) + "?";
    }
    error(v.line, text);
  }

  void read_value(Section& s, const RawValue& v) {
    const Parameter* p = find_parameter(s.kind, v.name);
    if (!p) {
      unknown(s, v);
      return;
    }
    const std::string name(p->name);
    if (is_node(s.kind) && same_name(v.name, "Id")) warning(v.line, "'Id' is deprecated; write 'NodeId'");
    if (s.values.count(name)) {
      error(v.line, "parameter " + quoted(name) + " stands twice in this section");
      return;
    }
    if (p->internal()) {
      error(v.line, "parameter " + quoted(name) + " is set by the management server, not in a configuration");
      return;
    }
    if (s.is_default &&
        (name == "NodeId" || name == "NodeId1" || name == "NodeId2" || name == "HostName1" || name == "HostName2")) {
      error(v.line, quoted(name) + " has no place in a default section");
      return;
    }
    std::string why;
    std::optional<std::string> value;
    if (v.value.size() > limits::kConfigLineBytesMax - 64) {
      why = "is too long";
    } else {
      value = parse_value(*p, v.value, &why);
    }
    if (!value) {
      error(v.line, "parameter " + quoted(name) + " " + why + ": " + quoted(v.value.substr(0, 80)));
      return;
    }
    if (p->deprecated()) warning(v.line, "parameter " + quoted(name) + " is deprecated: " + std::string(p->meaning));
    if (name == "ExecuteOnComputer") {
      resolve_computer(s, *value, v.line);
      return;
    }
    if (!p->used() && !p->deprecated() && warned_unused_.insert({s.kind, name}).second) {
      warning(v.line, "parameter " + quoted(name) + " is accepted but not used here");
    }
    s.values.emplace(name, *value);
  }

  void resolve_computer(Section& s, const std::string& id, int line) {
    for (const Computer& c : computers_) {
      if (c.id != id) continue;
      if (s.values.count("HostName")) {
        warning(line, "'ExecuteOnComputer' is ignored beside 'HostName'");
      } else {
        s.values["HostName"] = c.host;
      }
      return;
    }
    error(line, "'ExecuteOnComputer' names a [computer] that does not exist: " + quoted(id));
  }

  // A default section speaks only for the sections after it. When some stand before it, its values
  // are moved into those that follow, so that a Config needs no order.
  void keep_defaults_exact() {
    for (std::size_t i = 0; i < sections_.size(); i++) {
      if (!sections_[i].is_default) continue;
      const Kind kind = sections_[i].kind;
      auto same_kind = [&](const Section& s) { return s.kind == kind && !s.is_default; };
      const auto at = sections_.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::none_of(sections_.begin(), at, same_kind)) {
        if (!at->values.empty()) config_.defaults[kind] = at->values;
        continue;
      }
      for (auto s = at + 1; s != sections_.end(); ++s) {
        if (same_kind(*s)) s->values.insert(at->values.begin(), at->values.end());
      }
    }
  }

  // Written ids first, so that nobody else gets them; then "last used + 1" in the order of the
  // text.
  void take_ids() {
    std::set<NodeId> taken;
    for (Section& s : sections_) {
      if (!is_node(s.kind) || s.is_default) continue;
      const auto it = s.values.find("NodeId");
      if (it == s.values.end()) continue;
      const auto id = static_cast<NodeId>(to_number(it->second));
      if (!taken.insert(id).second) {
        error(s.line, "node id " + std::to_string(id) + " stands twice");
        s.values["NodeId"] = "0";
      }
    }
    NodeId last = 0;
    for (Section& s : sections_) {
      if (!is_node(s.kind) || s.is_default) continue;
      const auto it = s.values.find("NodeId");
      if (it != s.values.end()) {
        last = std::max(last, static_cast<NodeId>(to_number(it->second)));
        continue;
      }
      const std::uint32_t most = s.kind == Kind::ndbd ? limits::kDataNodeIdMax : limits::kNodeIdMax;
      std::uint32_t next = last + 1u;
      while (next <= most && taken.count(static_cast<NodeId>(next))) next++;
      if (next > most) {
        next = 1;
        while (next <= most && taken.count(static_cast<NodeId>(next))) next++;
      }
      if (next > most) {
        error(s.line, "no node id up to " + std::to_string(most) + " is left for this [" +
                          std::string(kind_name(s.kind)) + "]");
        s.values["NodeId"] = "0";
        continue;
      }
      last = static_cast<NodeId>(next);
      taken.insert(last);
      s.values["NodeId"] = std::to_string(last);
    }
  }

  void place(Section& s) {
    if (s.is_default) return;
    if (s.kind == Kind::system) {
      config_.system = std::move(s.values);
    } else if (is_node(s.kind)) {
      Node n;
      n.kind = s.kind;
      n.id = static_cast<NodeId>(to_number(s.values["NodeId"]));
      if (n.id == 0) return;  // said already
      s.values.erase("NodeId");
      n.written = std::move(s.values);
      origin_.nodes[n.id] = s.line;
      kinds_[n.id] = n.kind;
      config_.nodes.push_back(std::move(n));
    } else {
      place_link(s);
    }
  }

  std::optional<Kind> kind_of(NodeId id) const {
    const auto it = kinds_.find(id);
    if (it == kinds_.end()) return std::nullopt;
    return it->second;
  }

  void place_link(Section& s) {
    for (const char* end : {"NodeId1", "NodeId2"}) {
      if (!s.values.count(end)) {
        error(s.line, "[" + std::string(kind_name(s.kind)) + "] needs " + end);
        return;
      }
    }
    Link l;
    l.kind = s.kind;
    l.node1 = static_cast<NodeId>(to_number(s.values["NodeId1"]));
    l.node2 = static_cast<NodeId>(to_number(s.values["NodeId2"]));
    s.values.erase("NodeId1");
    s.values.erase("NodeId2");
    l.written = std::move(s.values);
    if (l.node1 == l.node2) {
      error(s.line, "a link from node " + std::to_string(l.node1) + " to itself");
      return;
    }
    const auto k1 = kind_of(l.node1), k2 = kind_of(l.node2);
    if (!k1 || !k2) {
      error(s.line, "a link to node " + std::to_string(k1 ? l.node2 : l.node1) + ", which is not in the configuration");
      return;
    }
    if (!may_link(*k1, *k2)) {
      error(s.line, "a link between " + std::string(kind_name(*k1)) + " node " + std::to_string(l.node1) + " and " +
                        std::string(kind_name(*k2)) + " node " + std::to_string(l.node2) +
                        "; API nodes have links to data nodes only");
      return;
    }
    orient(l, *k1, *k2);
    if (!origin_.links.emplace(std::pair(l.node1, l.node2), s.line).second) {
      error(s.line, "a second link between node " + std::to_string(l.node1) + " and node " + std::to_string(l.node2));
      return;
    }
    config_.links.push_back(std::move(l));
  }

  Config config_;
  Origin origin_;
  std::vector<Problem> problems_;
  std::vector<Section> sections_;
  std::vector<Computer> computers_;
  std::map<NodeId, Kind> kinds_;
  std::set<Kind> defaults_seen_;
  std::set<std::pair<Kind, std::string>> warned_unused_;
  bool system_seen_ = false;
};

}  // namespace

ParseResult build_config(const std::vector<RawSection>& sections, std::vector<Problem> problems) {
  return Builder(std::move(problems)).build(sections);
}

bool may_link(Kind a, Kind b) {
  return a == Kind::ndbd || b == Kind::ndbd || (a == Kind::ndb_mgmd && b == Kind::ndb_mgmd);
}

void orient(Link& l, Kind kind1, Kind kind2) {
  const bool turn = kind1 == kind2 ? l.node1 > l.node2 : kind1 == Kind::ndbd;
  if (!turn) return;
  std::swap(l.node1, l.node2);
  auto one = l.written.extract("HostName1");
  auto two = l.written.extract("HostName2");
  if (one) {
    one.key() = "HostName2";
    l.written.insert(std::move(one));
  }
  if (two) {
    two.key() = "HostName1";
    l.written.insert(std::move(two));
  }
}

// Explicit groups stand. Data nodes without a wish fill, in the order of their ids, the lowest
// group with room; those in reserve stay outside.
void assign_groups(Config& c) {
  std::map<GroupId, std::uint32_t> members;
  for (Node& n : c.nodes) {
    n.group = kNoGroup;
    if (n.kind != Kind::ndbd) continue;
    const std::string wish = written_value(c, n, "NodeGroup");
    if (wish.empty()) continue;
    n.group = static_cast<GroupId>(to_number(wish));
    members[n.group]++;
  }
  const std::uint32_t size = replicas(c);
  GroupId next = 0;
  for (Node& n : c.nodes) {
    if (n.kind != Kind::ndbd || in_reserve(c, n) || !written_value(c, n, "NodeGroup").empty()) continue;
    while (members[next] >= size) next++;
    n.group = next;
    members[next]++;
  }
}

void sort_problems(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  if (problems.size() > limits::kConfigProblemsMax) {
    const bool errors = has_errors(problems);
    problems.resize(limits::kConfigProblemsMax);
    problems.push_back({0, errors ? Severity::error : Severity::warning, "there are more problems than are shown"});
  }
}

std::vector<Problem> finish(Config& c) {
  assign_groups(c);
  std::vector<Problem> problems;
  check_config(c, {}, problems);
  sort_problems(problems);
  return problems;
}

}  // namespace ndb::mgmt
