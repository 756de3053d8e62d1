// The query of NDB's ndb_config: rows of parameters, one row for each node, each link, or for the
// system.
#pragma once
#include <string>
#include <vector>

#include "mgmt/config.h"

namespace ndb::mgmt {

struct Query {
  enum class Of : std::uint8_t { nodes, connections, system };
  Of of = Of::nodes;
  // Parameter names in any case; also id, nodeid, type (ndbd, ndb_mgmd, mysqld, tcp, shm), host,
  // nodeid1, nodeid2.
  std::vector<std::string> fields;
  bool all = false;              // every parameter of the rows, in the order of the table, below a row of names
  std::optional<Kind> type;      // only these nodes
  std::optional<NodeId> nodeid;  // only this node; of links, those with this end
  std::string host;              // only nodes on this host; "" = all
  std::string field_separator = ",";
  std::string row_separator = " ";
};

struct QueryResult {
  std::string text;                  // rows, then a line end; nothing when there are no rows
  std::vector<std::string> unknown;  // fields that no row can have; they are empty in the text
  std::size_t rows = 0;
};

QueryResult run_query(const Config&, const Query&);
std::string unescape_separator(std::string_view);  // "\n", "\t", "\\" as people type them

// What differs from the table's defaults: CONFIG_PARAMETER, ACTUAL_VALUE, DEFAULT_VALUE for each
// section.
std::string differences_from_defaults(const Config&);
// All there is to say about a parameter, some lines.
std::string describe_parameter(const Parameter&);

}  // namespace ndb::mgmt
