// What the nodes themselves say they hold of a table: `ndb describe table` (docs/PROTOCOL.md).
#pragma once
#include <map>
#include <string>
#include <vector>

#include "cli/tool.h"

namespace ndb::traffic {

struct Replica {
  NodeId node = 0;
  std::string role;
  std::uint64_t rows = 0, checksum = 0;
};

struct Fragment {
  FragmentId number = 0;
  std::uint64_t members = 0;  // how many replicas there should be; 0: the fragment is gone
  std::vector<Replica> replicas;
};

struct Description {
  std::string phase;  // of a reorganisation; "none"
  Version version = 0;
  std::vector<Fragment> fragments;
};

Result<Description> describe(cli::Tool& tool, const std::string& table);

// Rows by node, backups included; every data node of the description.
std::map<NodeId, std::uint64_t> rows_by_node(const Description& d);

}  // namespace ndb::traffic
