// What data nodes report through NDB's own command `dump events`; ours and NDB's servers answer it alike.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/status.h"
#include "cli/tool.h"
#include "mgmt/stock_events.h"

namespace ndb::cli {

struct NodeEvent {
  NodeId node = 0;
  std::map<std::string, std::string> fields;
  std::uint64_t number(const char* field) const;  // 0 when there is none
};
std::vector<NodeEvent> read_node_events(std::string_view blocks);
// By node. No nodes: all that are connected.
Result<std::vector<NodeEvent>> dump_events(Tool& tool, mgmt::stock::EventType type, const std::vector<NodeId>& nodes);

// The lines of NDB's own client.
std::string stock_memory(const NodeEvent& e);
std::string stock_backup_status(const NodeEvent& e);

// Memory of each node of a stock cluster, which its status does not tell.
Failure add_stock_memory(Tool& tool, ClusterStatus* status);

}  // namespace ndb::cli
