// The JSON that tells people and tools about the cluster (docs/PROTOCOL.md, section 3.2), made from a catalog and what
// was heard of the processes. Pure.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>

#include "meta/catalog.h"
#include "mgmt/config.h"
#include "wire/messages.h"

namespace ndb::mgmt {

// What is known beyond the catalog.
struct Seen {
  NodeId leader = 0;        // 0 = unknown
  NodeId answering = 0;     // who says all this
  std::string no_quorum;    // why there is no leader, as far as too few of those who vote are there
  std::set<NodeId> voters;  // of the metadata log, as far as the one who answers knows
  std::map<NodeId, bool> connected;
  std::set<NodeId> stopping;                         // was told to stop or to restart, and is still there
  std::map<NodeId, std::string> addresses;           // of management servers and API nodes
  std::map<NodeId, const wire::Heartbeat*> reports;  // the last ones
};
// What nodes report of the replicas they hold; what is missing is unknown.
struct Replica {
  std::string role;  // primary, backup, takeover, joining
  std::uint64_t rows = 0, bytes = 0, checksum = 0;
};
using Replicas = std::map<std::pair<FragmentId, NodeId>, Replica>;
// Adds the lines of one node's report about one table: "fragment.<table>.<fragment>=<role> rows=N bytes=N checksum=N
// ..". Other lines and other words are passed over.
void read_replicas(std::string_view text, TableId table, NodeId node, Replicas* replicas);

std::string status_json(const meta::Catalog& catalog, const Seen& seen);
std::string tables_json(const meta::Catalog& catalog);
std::string table_json(const meta::Catalog& catalog, const meta::Table& table, const Replicas& replicas);
// `limit` 0 = all. Newest first.
std::string history_json(const meta::Catalog& catalog, std::size_t limit);
std::string jobs_json(const meta::Catalog& catalog);
// Live numbers of a running job, known to the leader only.
struct Progress {
  bool known = false;
  std::uint64_t rows_moved = 0;
  std::uint32_t percent = 0;  // of the phase
};
std::string job_json(const meta::Job& job, const Progress& progress = {});

// What a reorganisation of `before` into `after` moves; after.distribution.next tells. Equal: nothing moves.
struct Plan {
  bool known = true;       // what the primaries of all old fragments hold is
  std::uint64_t rows = 0;  // of the table
  std::uint64_t rows_moved = 0;
  std::uint64_t bytes_moved = 0;
  std::uint32_t buckets_moved = 0;
  struct Move {
    FragmentId from = 0, to = 0;
    GroupId from_group = 0, to_group = 0;
    std::uint32_t buckets = 0;
    std::uint64_t rows = 0, bytes = 0;
  };
  std::vector<Move> moves;  // by (from, to)
};
Plan plan_of(const meta::Table& before, const meta::Table& after, const Replicas& replicas);
// not_enough_memory, with the numbers, when a member of a receiving group has less DataMemory free than its share of
// the rows takes. Nodes without a report, and rows that are not known, count as fitting.
Failure check_memory(const Plan& plan, const meta::Catalog& catalog,
                     const std::map<NodeId, const wire::Heartbeat*>& reports);
std::string plan_json(const meta::Table& before, const meta::Table& after, const Plan& plan, bool changed);

// A configuration with every value written out that is obeyed here or was written, in the ini dialect.
std::string effective_text(const Config& config, const std::string& name);

}  // namespace ndb::mgmt
