// What the two readers of configuration texts have in common: sections of names and values with
// their lines. Inside lib/mgmt only.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mgmt/config.h"

namespace ndb::mgmt {

struct RawValue {
  std::string name;
  std::string value;
  int line = 0;
};
struct RawSection {
  std::string name;  // as written
  bool is_default = false;
  int line = 0;
  std::vector<RawValue> values;
};

// Where things came from, for the lines of messages. All may be empty.
struct Origin {
  std::map<NodeId, int> nodes;
  std::map<std::pair<NodeId, NodeId>, int> links;
  std::map<Kind, int> defaults;
  int node(NodeId id) const {
    auto it = nodes.find(id);
    return it == nodes.end() ? 0 : it->second;
  }
  int link(const Link& l) const {
    auto it = links.find({l.node1, l.node2});
    return it == links.end() ? 0 : it->second;
  }
};

// Sections in the order of the text; `problems` are those of the reader.
ParseResult build_config(const std::vector<RawSection>& sections, std::vector<Problem> problems);
std::string written_value(const Config&, const Node&,
                          std::string_view name);  // its own, else its default section's
void assign_groups(Config&);
bool says_something(const Link&);              // false: an implied link about which only internal values are known
bool may_link(Kind a, Kind b);                 // API nodes only with data nodes
void orient(Link& l, Kind kind1, Kind kind2);  // turns it around when its ends stand the wrong way, see config.h

void check_config(const Config&, const Origin&, std::vector<Problem>& problems);
void sort_problems(std::vector<Problem>&);

inline void add_error(std::vector<Problem>& problems, int line, std::string text) {
  problems.push_back({line, Severity::error, std::move(text)});
}
inline void add_warning(std::vector<Problem>& problems, int line, std::string text) {
  problems.push_back({line, Severity::warning, std::move(text)});
}
inline std::string quoted(std::string_view s) { return "'" + std::string(s) + "'"; }

}  // namespace ndb::mgmt
