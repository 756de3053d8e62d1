// The catalog: everything that is not a row, at one version. It is a value: built by nothing but apply() from the
// metadata log, byte-identical on every member that is at the same version (invariant I2), and handed around as
// std::shared_ptr<const Catalog>.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "meta/requests.h"
#include "meta/table.h"

namespace ndb::meta {

enum class NodeType : std::uint8_t { data = 0, api = 1, mgm = 2 };  // the numbers of the management protocol

enum class NodeState : std::uint8_t {
  down = 0,  // not in the cluster: never seen, stopped, or declared dead
  joining,   // known to run, its replicas are being filled; serves nothing
  in_sync,   // holds every acknowledged write of its group (a node without a group: simply up)
};

struct Node {
  NodeId id = 0;
  NodeType type = NodeType::data;
  std::string host;                 // from the configuration
  bool disabled = false;            // kept in reserve: configured, but ignored until enabled
  bool no_group_wish = false;       // NodeGroup=65536 in the configuration
  GroupId wished_group = kNoGroup;  // explicit NodeGroup=g at the first start
  GroupId group = kNoGroup;         // where it is
  NodeState state = NodeState::down;
  std::uint32_t incarnation = 0;  // +1 with every start that was let in: tells an old process from a new one
  std::uint64_t raft_id = 0;      // member id in the metadata log; a node that lost its files gets a new one
  std::string address;            // where its port really is, told at its start
  std::uint16_t port = 0;
  std::uint8_t workers = 1;
  std::uint64_t generation = 0;  // of the configuration that it runs with
  friend bool operator==(const Node&, const Node&) = default;
};

struct Group {
  GroupId id = 0;
  std::vector<NodeId> members;  // NoOfReplicas of them, ascending
  View view = 0;                // of the last log entry that changed members' states: the view of the group's streams
  View restarted = 0;           // of the last RestartCluster: streams begin anew behind it
  Epoch since = 0;              // the durable epoch when it got its first fragment, or was made: all its rows are later
  View grown = 0;               // of the last log entry that made a fragment in it
  // A member that joins has to hold everything as of this view.
  View content_view() const { return grown > view ? grown : view; }
  friend bool operator==(const Group&, const Group&) = default;
};

// One node or the system in a configuration, with its effective values: sorted by name.
struct ConfigNode {
  NodeId id = 0;
  NodeType type = NodeType::data;
  std::string host;
  bool disabled = false;
  GroupId wished_group = kNoGroup;
  bool has_group_wish = false;
  std::map<std::string, std::string> values;
  friend bool operator==(const ConfigNode&, const ConfigNode&) = default;
};
struct ConfigImage {
  std::string text;  // as given, in the ini dialect
  std::string name;  // [system] Name
  std::uint32_t replicas = 2;
  std::map<std::string, std::string> system;
  std::vector<ConfigNode> nodes;  // ascending by id
  friend bool operator==(const ConfigImage&, const ConfigImage&) = default;
};
struct Generation {
  std::uint64_t number = 0;
  std::int64_t when_s = 0;  // seconds since 1970, the proposer's clock
  std::string who;          // user@host
  std::string source;       // file name, "set", "rollback 3"
  std::string message;
  std::shared_ptr<const ConfigImage> image;
};

enum class JobKind : std::uint8_t { reorganise = 1 };
enum class JobState : std::uint8_t { running = 0, done, rolled_back };
struct Job {
  std::uint64_t id = 0;
  JobKind kind = JobKind::reorganise;
  JobState state = JobState::running;
  TableId table = 0;
  std::string table_name;
  Phase phase = Phase::none;
  bool resume_on_failure = false;
  std::uint64_t leader_epoch = 0;  // `Catalog::leader_epoch` when it was started or resumed
  Error error = Error::ok;         // why it was, or is being, rolled back
  std::string detail;
  std::int64_t started_s = 0;
  std::uint64_t rows_to_move = 0;  // estimate at the start
  std::uint64_t rows_moved = 0;    // at the end
  // The decision to roll back is taken; copies are being removed (phases settling and cleaning).
  bool rolling_back() const { return state == JobState::running && error != Error::ok; }
  friend bool operator==(const Job&, const Job&) = default;
};

struct Catalog {
  Version version = 0;           // index of the last applied log entry
  View view = 0;                 // of the last entry that changed topology or a distribution
  std::uint64_t cluster_id = 0;  // drawn at the first start; in every hello
  std::string name;
  bool started = false;  // the first start of the cluster has happened (node groups exist)
  std::uint32_t replicas = 2;
  Epoch durable_epoch = 0;         // everything that was decided up to here is on the disks of all nodes in sync
  std::uint64_t generation = 0;    // of the configuration; 0 = none committed yet
  Version changed_version = 0;     // of the last entry that changed tables, groups, jobs or the generation (I3)
  std::uint64_t leader_epoch = 0;  // +1 each time a member becomes leader of the log
  std::uint64_t leader_raft_id = 0;
  NodeId single_user = 0;      // the API node that alone may work; 0 = nobody special
  std::uint32_t lease_ms = 0;  // the longest lease that a leader may give; 0 = limits::kLease
  TableId next_table = 1;
  std::uint64_t next_job = 1;
  std::map<NodeId, Node> nodes;
  std::map<GroupId, Group> groups;
  std::map<TableId, std::shared_ptr<const Table>> tables;
  std::map<std::uint64_t, Job> jobs;                // the last 64
  std::map<std::uint64_t, Generation> generations;  // the last limits::kGenerationsKept
  Requests requests;                                // the last limits::kRequestIdsKept, oldest first

  const Node* node(NodeId id) const {
    auto i = nodes.find(id);
    return i == nodes.end() ? nullptr : &i->second;
  }
  const Group* group(GroupId id) const {
    auto i = groups.find(id);
    return i == groups.end() ? nullptr : &i->second;
  }
  const Table* table(TableId id) const {
    auto i = tables.find(id);
    return i == tables.end() ? nullptr : i->second.get();
  }
  const Table* table(std::string_view table_name) const;  // ASCII case-insensitive, as SQL
  const ConfigImage* config() const {
    auto i = generations.find(generation);
    return i == generations.end() ? nullptr : i->second.image.get();
  }
  const Outcome* outcome_of(const RequestId& id) const;  // linear; requests are rare
  // No lease that is still good was given for longer.
  Time longest_lease() const {
    return lease_ms * kMillisecond > limits::kLease ? lease_ms * kMillisecond : limits::kLease;
  }
  const Job* running_job() const;  // the one that holds the schema lock, or nullptr

  // First in-sync member of the fragment's group in the rotation that starts at fragment mod replicas; 0 = none.
  NodeId primary(GroupId group_id, FragmentId fragment) const;
  // All in-sync members but the primary, in rotation order.
  std::vector<NodeId> backups(GroupId group_id, FragmentId fragment) const;
  // The worker that owns this fragment's replica on that node.
  WorkerId worker(const Node& n, FragmentId fragment) const {
    return static_cast<WorkerId>((fragment / replicas) % (n.workers ? n.workers : 1));
  }
};

inline constexpr Time kLeaseMax = 60 * kSecond;  // whatever is configured

const char* name_of(NodeType t);   // "data"
const char* name_of(NodeState s);  // "in sync"
const char* name_of(JobState s);   // "rolled back"
// Some lines for people: logs, tests, dumps.
std::string describe(const Catalog& c);

// Whether any fragment of any table lives on this group.
bool holds_fragments(const Catalog& c, GroupId group);
// The same without the new fragments of a reorganisation before its commit point: they hold nothing but copies, and the
// job is rolled back when its group is lost.
bool holds_rows_that_count(const Catalog& c, GroupId group);
// The group without a member in sync that the running job, before its commit point, copies rows to: nothing that counts
// is lost, but the job cannot go on. nullptr = none.
const Group* lost_target(const Catalog& c);
std::string lost_target_text(const Group& g);
// Fragments that a new table gets on this group: replicas for each worker that every member has.
std::uint32_t fragments_on(const Catalog& c, const Group& g);
// The distribution of a table that is created now. not_ready: no group, or one without an in-sync member.
Result<Distribution> new_distribution(const Catalog& c);
// What StartReorg would make of this table: `groups` with the new fragments, `map`, `next`. An empty `next`: nothing
// to do. Costs a few passes over the buckets.
Result<Distribution> planned_distribution(const Catalog& c, const Table& t, const std::vector<GroupId>& drain);

// The whole catalog as bytes: the snapshot of the metadata log, what clients fetch, what I2 compares.
void encode(Writer& w, const Catalog& c);
bool decode(Reader& r, Catalog* c);  // false: malformed
void encode(Writer& w, const ConfigImage& image);
bool decode(Reader& r, ConfigImage* image);
std::uint64_t fingerprint(const Catalog& c);  // block_hash of the encoding

}  // namespace ndb::meta
