// One member of the metadata log together with the catalog that it has built: what a management server and a data node
// each hold exactly one of.
//
// Promises: the catalog is replaced, never changed in place, with each applied entry, so that a pointer once taken
// stays valid and constant; every member that is at the same version has the same catalog (I2). A proposal is repeated
// until its request id shows up in the log or its deadline passes, wherever the leader may be; the same id twice is one
// change (I4), so a caller may repeat as well. The leader keeps the log's own membership as wanted (membership.h).
//
// Requires: like everything in the core it is told the time; tick() at least every 10 ms of it (wake() says when).
// After every call that takes a time the owner drains the five vectors below, in any order. What `sends` holds goes to
// the Member of that raft id and is given to its receive(); messages may get lost, repeated or reordered.
//
// Costs: copy-on-write of the catalog's maps for each entry (tables and images are shared); metadata changes are rare.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "base/prng.h"
#include "meta/catalog.h"
#include "meta/command.h"
#include "meta/log.h"
#include "meta/membership.h"

namespace ndb::meta {

struct MemberOptions {
  std::uint64_t raft_id = 0;  // unique for the life of the cluster; one that lost its store comes back under a new one
  std::uint64_t seed = 0;     // of election time-outs and of request ids; different in every process and every start
  std::uint32_t snapshot_threshold = 0;  // for tests; 0 = limits::kMetaSnapshotEntries and kMetaTrailingEntries
  std::uint32_t snapshot_trailing = 1;
  bool placements_wait = false;  // a new leader proposes none before let_place(); for who has a Leader beside it
};

class Member {
 public:
  struct Send {
    std::uint64_t to_raft_id = 0;
    std::string bytes;
  };
  struct Applied {
    Version index = 0;
    Command command;
    Outcome outcome;
    std::shared_ptr<const Catalog> catalog;  // after this entry
  };
  struct Finished {
    RequestId request;
    Outcome outcome;  // error timed_out: the outcome is unknown, the same id may be proposed again
  };

  Member(LogStore& store, MemberOptions options);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Before start(), once, on the first voter of a new cluster: with an empty store only.
  Failure bootstrap();
  // Opens the store. A store that was written under another raft id is refused. The catalog is that of the last
  // snapshot afterwards; the rest comes back as `applied` when a leader is known.
  Failure start(Time now);
  void tick(Time now);
  Time wake() const;  // call tick() then
  // What the store holds, as if all of it were committed: where others may be. Before start(), which may write. Costs a
  // load of the store.
  std::shared_ptr<const Catalog> expected() const;
  void receive(Time now, std::uint64_t from_raft_id, Bytes bytes);         // malformed bytes are dropped
  void stored(Time now, std::uint64_t tag, int status);                    // a completion of the store
  void lost(Time now, std::uint64_t raft_id) { log_.lost(now, raft_id); }  // the link to this member broke

  // Never null. Before anything was applied: an empty catalog of version 0.
  std::shared_ptr<const Catalog> catalog() const { return catalog_; }
  Log& log() { return log_; }
  const Log& log() const { return log_; }
  std::uint64_t raft_id() const { return options_.raft_id; }

  // Leader of the log *and* everything that was committed before is in catalog(): true from the moment its own entry
  // LeaderStarts was applied until it stops being leader.
  bool leading() const { return leading_term_ != 0 && log_.leader() && log_.term() == leading_term_; }
  std::uint64_t leader_raft_id() const { return log_.leader_raft_id(); }  // 0 = unknown

  // Its outcome appears in `finished`, under the id returned (the command's own, or one drawn here when it has none).
  // `deadline` 0 = now + limits::kProposeTimeout. A second proposal under an id that is still open only extends it.
  RequestId propose(Time now, Command command, Time deadline = 0);
  bool proposing(const RequestId& id) const { return pending_.count(id) != 0; }
  RequestId draw_request_id();

  // Whom the log should have as members, as the owner sees it; acted upon in tick() while leading(). Empty = unknown:
  // the membership stays as it is.
  void want_members(std::vector<WantedMember> wanted) { wanted_ = std::move(wanted); }
  const std::vector<WantedMember>& wanted_members() const { return wanted_; }

  // While leading: whether commands that give rows a new place (CreateGroups, CreateTable, StartReorg) may be proposed.
  // They wait otherwise, those of others too, as when there is no leader.
  void let_place(Time now, bool allowed);

  // --- results, drained by the owner after every call
  std::vector<Send> sends;
  std::vector<Applied> applied;    // in order, each exactly once since start
  std::vector<Finished> finished;  // proposals of this member only
  bool replaced = false;           // a snapshot replaced the catalog: entries were skipped in `applied`
  bool failed = false;             // the store failed, or the log cannot be trusted: the process has to stop
  std::string failure;             // why

 private:
  struct Pending {
    std::string bytes;  // the encoded command
    bool places = false;
    Time deadline = 0;
    Time next_try = 0;
    std::uint64_t tried_term = 0;    // proposed as leader of this term already: not again in the same one
    std::uint64_t tried_leader = 0;  // sent to this one last
  };
  void after(Time now);  // what every call ends with: apply, finish, lead, collect
  void apply_entries();
  void finish(const RequestId& id, const Outcome& outcome);
  void finish_from_catalog();
  void lead(Time now);
  bool may_propose(bool places) const { return may_place_ || !places; }
  void try_pending(Time now);
  void follow_membership(Time now);
  void prefer_management(Time now);
  void received_forward(Time now, Bytes bytes);
  static std::string encode_snapshot(void* self);
  static bool appending(void* self, Bytes data);

  MemberOptions options_;
  LogStore& store_;
  Log log_;
  Prng prng_;
  std::shared_ptr<const Catalog> catalog_;
  std::map<RequestId, Pending> pending_;
  std::vector<WantedMember> wanted_;
  std::uint64_t proposed_start_term_ = 0;  // LeaderStarts was proposed in this term
  std::uint64_t leading_term_ = 0;         // and applied in this one
  RequestId start_request_;                // of that LeaderStarts
  Time led_since_ = 0;
  bool may_place_ = true;
  std::set<RequestId> forwarded_;  // proposed for others in this term, not applied yet
  Time next_membership_step_ = 0;
  Time next_transfer_ = 0;
  Time next_mirror_ = 0;
  Version mirrored_ = 0;  // the store's readable copy of the catalog is this old
};

}  // namespace ndb::meta
