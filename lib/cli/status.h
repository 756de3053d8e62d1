// The state of a cluster as a tool sees it: from `ndb status`, or from a stock management server's `get status`,
// which knows less (no versions, no rows, no memory).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/tool.h"

namespace ndb::cli {

struct NodeStatus {
  NodeId id = 0;
  std::string type;  // data, api, mgm
  std::string host, address;
  // down        no contact, or gone           not_started  waits after --nostart
  // joining     starts, or fetches its rows   in_sync      serves
  // connected   of API nodes and management servers; disabled: kept in reserve
  std::string state;
  std::optional<GroupId> group;
  bool connected = false, disabled = false;
  bool stopping = false;  // told to stop or to restart, and still there
  std::uint64_t incarnation = 0, generation = 0, version = 0, port = 0, workers = 0;
  std::optional<std::uint64_t> memory_used, memory_total, rows;
  std::uint64_t phase = 0, percent = 0;
  std::optional<std::uint64_t> seconds_left;  // of what it is doing, as far as it can tell
  std::string doing;
  std::int64_t dynamic_id = 0;    // of a stock server's data nodes: the lowest one's is their master
  std::uint64_t ndb_version = 0;  // as a stock server packs it

  bool data() const { return type == "data"; }
  bool up() const { return state == "in_sync" || state == "connected"; }
};

struct ClusterStatus {
  bool stock = false;
  std::string name, json;  // the server's own words; empty for a stock one
  std::uint64_t version = 0, view = 0, generation = 0, job = 0, replicas = 0;
  bool started = false;
  std::string no_quorum;  // why the leader is unknown; may be empty
  NodeId leader = 0, answering = 0, single_user = 0;
  std::vector<NodeStatus> nodes;  // by id
  struct Group {
    GroupId id = 0;
    std::vector<NodeId> members;
  };
  std::vector<Group> groups;

  const NodeStatus* node(NodeId id) const;
  std::string leaderless() const;  // "no leader of the metadata log is known", and why
  // A member that serves besides `but` and `others`. True for nodes outside groups.
  bool group_survives(NodeId but, const std::vector<NodeId>& others = {}) const;
  // Data nodes in the order in which they are restarted: first members of all groups, second members, .., those
  // without a group. Nodes in reserve are left out.
  std::vector<NodeId> restart_order() const;
};

Result<ClusterStatus> read_status(Tool& tool, Time patience = 0);
Result<ClusterStatus> parse_status(std::string_view json);                           // of `ndb status`
ClusterStatus parse_stock_status(const std::map<std::string, std::string>& values);  // of `get status`

// Refuses with version_moved when the topology changed after `if_version` (0 = any): for orders, which the server
// does not compare itself.
Failure check_version(const ClusterStatus& status, std::uint64_t if_version);

// Why a stock server did not drop a node group: it answers with a bare negative number.
Failure drop_in_words(const Failure& f, const std::string& group);

}  // namespace ndb::cli
