// The closed list of commands of the metadata log, and the one pure function that applies them. A command that turns
// out not to be allowed changes nothing but the version and yields an Outcome with an error: refusals are decided here,
// in the order of the log, so that two racing requests have one winner.
//
// Checks common to all: a request id that was applied before yields the stored outcome again and changes nothing (I4);
// `expect_version` != 0 is refused with version_moved when tables, groups, jobs or the configuration's generation have
// changed since (I3: it is older than Catalog::changed_version, or newer than the log). Schema changes
// (tables, node groups, reorganisations) are refused with schema_busy while a job runs; the text says which.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "meta/catalog.h"

namespace ndb::meta {

// A member became leader of the log. Jobs before their commit point that were driven by an earlier leader and are not
// marked resume_on_failure are rolled back by this very entry; the others are taken over.
struct LeaderStarts {
  std::uint64_t raft_id = 0;
};
// The first entry of a new cluster, or a later configuration. `expect_generation` must be the present one. New nodes
// appear down and without a group; nodes that are gone must be down, hold no data, and leave their (empty) group first.
struct ChangeConfig {
  std::uint64_t expect_generation = 0;
  std::uint64_t cluster_id = 0;  // used when this is generation 1
  Generation generation;         // number is assigned by apply
};
// A data node asks to be let in (again). Allowed when it is configured, enabled and down (or when its old incarnation
// is still thought to be up: then that one is declared dead by this entry first). `initial` = it has no rows.
struct NodeJoins {
  NodeId node = 0;
  std::uint64_t raft_id = 0;
  std::string address;
  std::uint16_t port = 0;
  std::uint8_t workers = 1;
  std::uint64_t generation = 0;
  bool initial = false;
};
// Before the cluster's first start: all of `nodes` (joining) become members of groups (filled in the order of node ids,
// explicit wishes first) and in_sync at once, with empty tables. Refused when started already.
struct StartCluster {
  std::vector<NodeId> nodes;
};
// The node holds everything: every primary has confirmed that it waits for it. Refused (version_moved) unless the
// group's view still equals `group_view` and the incarnation fits. A node without a group: group_view = 0.
// Refused, too, while another group has nobody in sync that holds its rows: all come back together then
// (RestartCluster).
struct NodeInSync {
  NodeId node = 0;
  std::uint32_t incarnation = 0;
  View group_view = 0;
};  // Group::content_view() that it was filled under
// The detector's verdict, or a node's own good-bye. Refused (would_lose_group) when it is the last in-sync member of
// its group and that holds rows that count, unless `forced`. A reorganisation before its commit point that copied to a
// group which has lost its last member with this entry is rolled back by it.
// `leader_epoch`: the verdict is that leader's; refused (version_moved) when another one leads by now. 0 = anybody's.
struct NodeDown {
  NodeId node = 0;
  std::uint32_t incarnation = 0;
  std::string reason;
  bool forced = false;
  std::uint64_t leader_epoch = 0;
};
// One or several new groups, all in one change. Checks and numbers: 325, 322, 326 per id in list order, then 320, 324.
struct CreateGroups {
  std::vector<std::vector<NodeId>> groups;
};
// Refused with group_in_use (text lists the tables) while any fragment of any table lives there.
struct DropGroup {
  GroupId group = 0;
};
// `table.id`, `.created` and `.distribution` are assigned by apply: replicas*workers fragments for each group.
struct CreateTable {
  Table table;
  bool if_not_exists = false;
};
struct DropTable {
  std::string name;
  bool if_exists = false;
};
// Spreads one table over all groups that exist now. Nothing to do: ok, changed = false, no job.
// `drain` lists groups that shall hold nothing of the table afterwards.
struct StartReorg {
  std::string table;
  bool resume_on_failure = false;
  std::vector<GroupId> drain;
  std::int64_t now_s = 0;
  std::uint64_t rows_to_move = 0;
};
// The driver's next step; `phase` must be the successor of the job's phase, Phase::none after cleaning = finished.
struct AdvanceReorg {
  std::uint64_t job = 0;
  Phase phase = Phase::none;
  std::uint64_t rows_moved = 0;
};
// Rolls back. Refused with past_commit_point from `switched` on.
struct AbortReorg {
  std::uint64_t job = 0;
  Error error = Error::cancelled;
  std::string detail;
};
struct SetSingleUser {
  NodeId api_node = 0;
};  // 0 = leave
struct SetNodeEnabled {
  NodeId node = 0;
  bool enabled = true;
};
// Every node in sync has on its disk all that was decided up to this epoch (meta::EpochClock sees to that). `view`: the
// catalog's when they said so; refused (version_moved) when it is another by now, since a node that has joined again
// has given up what its files hold beyond the durable epoch. 0 = any.
struct EpochDurable {
  Epoch epoch = 0;
  View view = 0;
};
// The cluster comes back from its disks: no node is in sync, these (joining) nodes hold exactly what was decided up to
// `epoch`, which must be the durable one; every group that holds fragments is among them. They are in sync at once.
// A reorganisation before its commit point is rolled back, or copies again what is to be moved (resume_on_failure).
struct RestartCluster {
  struct Member {
    NodeId node = 0;
    std::uint32_t incarnation = 0;
  };
  std::vector<Member> nodes;
  Epoch epoch = 0;
};

// From now on leaders may give leases of up to `ms` (Leader, leader_lease.cc): entered before the first longer one is
// given, and again when the last one has run out. Refused (version_moved) when another leader leads by now.
struct AllowLease {
  std::uint32_t ms = 0;  // 0 = limits::kLease
  std::uint64_t leader_epoch = 0;
};

using CommandBody = std::variant<LeaderStarts, ChangeConfig, NodeJoins, StartCluster, NodeInSync, NodeDown,
                                 CreateGroups, DropGroup, CreateTable, DropTable, StartReorg, AdvanceReorg, AbortReorg,
                                 SetSingleUser, SetNodeEnabled, EpochDurable, RestartCluster, AllowLease>;

struct Command {
  RequestId request;
  Version expect_version = 0;  // 0 = any
  CommandBody body;
};

void encode(Writer& w, const Command& c);
bool decode(Reader& r, Command* c);
const char* name_of(const CommandBody& b);  // "create table", for logs

// Applies one entry. Pure: the result depends on the arguments only. Postcondition: c->version == index.
Outcome apply(Catalog* c, Version index, const Command& command);
// The same check without a change: what `--dry-run` shows.
Outcome dry_run(const Catalog& c, const Command& command);

}  // namespace ndb::meta
