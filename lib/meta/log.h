// The metadata log: Raft (libraft 0.15) behind an interface in which raft is invisible. One member a process.
//
// Log is a plain object inside a machine: it is told about time, messages and completed stores, and leaves what it
// wants in vectors that the owner drains after each call. It takes no time and no randomness but those given. Durable
// state is kept by a LogStore (SQLite in lib/os, memory with faults in lib/sim).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"

namespace ndb::meta {

struct LogEntry {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint16_t type = 0;  // raft's: 1 command, 2 barrier, 3 membership change
  std::string data;
};
struct LogSnapshot {
  std::uint64_t index = 0, term = 0;
  std::uint64_t membership_index = 0;
  std::string membership;  // raft's encoding
  std::string data;        // an encoded catalog
  bool present() const { return index != 0; }
};

// Durable state of one member. The synchronous calls are durable when they return (an election waits for them, a row
// never does); the others end with an event EventKind::stored that carries their tag, in the order of the calls.
class LogStore {
 public:
  struct State {
    std::uint64_t raft_id = 0;  // 0 = an empty store
    NodeId node = 0;            // the management server whose store it is; 0 = not known
    std::uint64_t term = 0, vote = 0;
    LogSnapshot snapshot;
    std::vector<LogEntry> entries;  // consecutive; the first follows the snapshot's trailing or has index 1
  };
  virtual ~LogStore() = default;
  virtual State load() = 0;
  virtual void set_raft_id(std::uint64_t id) = 0;                     // durable on return
  virtual void set_term(std::uint64_t term) = 0;                      // durable on return; clears the vote
  virtual void set_vote(std::uint64_t raft_id) = 0;                   // durable on return
  virtual void append_now(const std::vector<LogEntry>& entries) = 0;  // durable on return: bootstrap only
  virtual void append(std::uint64_t tag, std::vector<LogEntry> entries) = 0;
  virtual void truncate(std::uint64_t from_index) = 0;  // in order with appends, no completion
  // Entries before keep_from_index are deleted; keep_from_index > snapshot.index: all entries are. One atomic change.
  virtual void put_snapshot(std::uint64_t tag, LogSnapshot snapshot, std::uint64_t keep_from_index) = 0;
  // A synchronous call was not durable when it returned, or the state could not be read: nothing may follow.
  virtual bool failed() const { return false; }
  virtual std::string failure() const { return {}; }  // why, in words
  // The catalog after an applied entry, for people with the sqlite3 shell and for a fast start; not needed for safety.
  virtual void mirror_catalog(std::shared_ptr<const std::string> encoded_catalog) { (void)encoded_catalog; }
};

enum class Role : std::uint8_t { standby = 0, voter = 1, spare = 2 };  // standby receives the log without a vote

struct MemberInfo {
  std::uint64_t raft_id = 0;
  Role role = Role::spare;
};

class Log {
 public:
  struct Applied {
    std::uint64_t index = 0;
    std::string data;  // as proposed: an encoded Command. Raft's own entries do not appear; indices may skip.
  };
  struct Send {
    std::uint64_t to_raft_id = 0;
    std::string bytes;
  };

  // seed: randomness of election time-outs.
  Log(LogStore& store, std::uint64_t raft_id, std::uint64_t seed);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Once, before start(), on the first voter of a new cluster.
  Failure bootstrap();
  Failure start(Time now);  // loads the store; `restored` may be filled
  // Before start: a snapshot after so many entries, and how many entries before it are kept (1 at least).
  void set_snapshots(std::uint32_t threshold, std::uint32_t trailing);
  void tick(Time now);  // call at least every 10 ms of `now`; next_tick() says when
  Time next_tick() const;
  void receive(Time now, std::uint64_t from_raft_id, Bytes message);
  void stored(Time now, std::uint64_t tag, int status);
  // The link to this member broke. When it leads, its process is probably dead: an election begins soon instead of
  // within kMetaElection. Members that still hear of the leader refuse it their votes, so a mere broken link unseats
  // nobody.
  void lost(Time now, std::uint64_t raft_id);

  bool leader() const;
  std::uint64_t leader_raft_id() const;  // 0 = unknown
  std::uint64_t raft_id() const;
  std::uint64_t term() const;
  std::uint64_t last_applied() const;
  std::uint64_t commit_index() const;
  std::uint64_t last_index() const;  // of what is here, committed or not
  // The store failed, or a peer's log contradicts what is committed here: this member does nothing any more and its
  // process has to stop. Says why.
  const Failure& failure() const;
  // Only on the leader; false = not the leader any more or busy, try again. Success shows as an Applied with this data.
  bool propose(Time now, std::string data);
  // Membership (leader only, one change at a time; false = refused or busy, try again later).
  std::vector<MemberInfo> members() const;
  bool change_pending() const;
  bool add(Time now, std::uint64_t raft_id);  // as a spare
  bool assign(Time now, std::uint64_t raft_id, Role role);
  bool remove(Time now, std::uint64_t raft_id);
  bool transfer(Time now, std::uint64_t raft_id);  // hand leadership over

  // --- results, drained by the owner after every call above
  std::vector<Send> sends;
  std::vector<Applied> applied;  // in order, each exactly once since start
  std::string restored;          // a snapshot replaced everything: an encoded catalog (comes before `applied`)
  std::uint64_t restored_index = 0;
  // The owner supplies snapshots: called in the midst of a call when the log has grown; must be the catalog as of
  // last_applied(), so the owner first works off what is in `applied` by then. Set once before start; null = never.
  std::string (*encode_snapshot)(void* owner) = nullptr;
  // Told of every entry that is to be handed to the store; null = nobody. True: the process is dead, nothing is
  // (base/fault.h).
  bool (*appending)(void* owner, Bytes data) = nullptr;
  void* owner = nullptr;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ndb::meta
