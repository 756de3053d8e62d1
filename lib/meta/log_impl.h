// The inside of Log: a raft_io over LogStore, and around libraft what its assertions would have checked. Private.
//
// How a call runs: time is set, libraft is called, and settle() then runs the completions that libraft expects "later"
// (sends, its own snapshots) until none is left. Where libraft 0.15 is looser than the Raft paper this file is strict:
//
// - A leader counts replicas only once an entry of its own term is stored here (paper, 5.4.2): until then the answers
//   of followers are held back. It appends a barrier as soon as it leads, so this takes one write.
// - A follower reports as stored no more than the leader's messages of this term have shown to be the same (5.3):
//   libraft would report leftovers of an older term as well.
// - An uncommitted membership is taken back here, from our own list, when its entry is overwritten: libraft looks for
//   the previous one in the log, where a snapshot may have dropped it, and forgets to do so after a restart.
// - Whoever is asked for its vote votes, member or not in its own view (4.2.1): libraft refuses, and two members of
// which
//   the second has not heard of its promotion yet would never elect a leader again.
// - Who is asked before an election by one of an older term, and refuses, says its own term: libraft says the asker's,
// and a
//   member with a later term and one with a longer log would keep each other from leading for good.
// - A lone voter gets a new term before it elects itself: libraft would go on in the old one and could put other
// entries
//   in the place of those that its followers got before it crashed.
// - A leader stores a change of membership before it sends it: a follower that is no voter by it would keep it from
// being
//   elected again, and, other than in the dissertation (4.2.2), libraft does not let that follower be elected either.
// - No membership change before an entry of the leader's own term is committed.
// - While a snapshot from the leader is being stored everything else is dropped; the leader repeats it. Own snapshots
//   are complete for libraft at once: until they are durable the older one and the longer log are what is on disk.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "meta/log.h"
#include "meta/log_codec.h"
#include "meta/log_raft.h"

namespace ndb::meta {

// Is this member the only voter?
bool lone_voter(const std::vector<MemberInfo>& members, std::uint64_t id);

struct Log::Impl {
  Impl(Log& l, LogStore& s, std::uint64_t own_id, std::uint64_t seed);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  struct PendingAppend {
    std::uint64_t tag = 0;
    raft_io_append* request = nullptr;
    std::uint64_t last_index = 0;  // lowered when the entries are overwritten meanwhile
    std::uint64_t last_term = 0;
    bool as_leader = false;
    bool overwritten = false;
  };
  struct HeldResult {
    std::uint64_t from = 0;
    raft_message message{};
  };
  struct Delayed {
    std::uint64_t after = 0;
    Send send;
  };

  Failure start(Time now);
  void settle();
  template <class Call>
  bool change(Time at, Call call);
  void fail(Error error, std::string text);
  void fail_to_write();
  bool running() const { return started && !failure; }
  bool leading() const { return running() && raft.state == RAFT_LEADER; }
  bool may_change_membership() const;
  std::uint64_t term_of(std::uint64_t index) const;  // 0 = not in the log

  void receive(std::uint64_t from, codec::Message&& m);
  void vote(std::uint64_t from, raft_message& request);
  void receive_append(std::uint64_t from, codec::Message&& m);
  void receive_snapshot(std::uint64_t from, codec::Message&& m);
  void hand_over(std::uint64_t from, raft_message& m);
  bool take_back_conflict(std::uint64_t from, const codec::Message& m);
  void skip_committed(codec::Message* m) const;
  void step_down(std::uint64_t from, std::uint64_t leader_term);
  void install_configuration(std::uint64_t index);
  void complete_append(const PendingAppend& a);
  void complete_install();
  void announce_commit();
  void before_self_election();

  // libraft's calls
  int load(raft_term* term, RaftId* vote, raft_snapshot** snapshot, raft_index* start_index, raft_entry** entries,
           std::size_t* n);
  int bootstrap(const raft_configuration& c);
  int set_term(raft_term term);
  int set_vote(RaftId id);
  int send(raft_io_send* request, const raft_message& message, raft_io_send_cb cb);
  std::uint64_t must_be_stored_before(const raft_message& m) const;
  int append(raft_io_append* request, const raft_entry* entries, unsigned n, raft_io_append_cb cb);
  int truncate(raft_index index);
  int snapshot_put(unsigned trailing, raft_io_snapshot_put* request, const raft_snapshot& s,
                   raft_io_snapshot_put_cb cb);
  int snapshot_get(raft_io_snapshot_get* request, raft_io_snapshot_get_cb cb);
  int random(int min, int max);
  int apply(const raft_buffer& buffer);
  int snapshot(raft_buffer** buffers, unsigned* n);
  int restore(raft_buffer* buffer);
  void close(raft_io_close_cb cb);
  raft_snapshot* build_snapshot(const LogSnapshot& from) const;
  void connect_io();

  Log& log;
  LogStore& store;
  const std::uint64_t id;
  Prng prng;
  Raft raft{};
  raft_io io{};
  raft_fsm fsm{};
  raft_io_tick_cb tick_cb = nullptr;
  raft_io_recv_cb recv_cb = nullptr;
  bool started = false;
  Failure failure;
  Time now = 0;
  Time last_tick = 0;
  std::uint32_t threshold;
  std::uint32_t trailing;

  std::deque<std::function<void()>> later;
  std::deque<PendingAppend> appends;  // in the order of the store's completions
  std::uint64_t next_tag = 1;
  std::uint64_t next_index = 1;    // of the next entry appended
  std::uint64_t stored_index = 0;  // everything up to here is stored
  std::uint64_t stored_term = 0;   // highest term of an entry that is stored
  std::uint64_t barrier_term = 0;  // a barrier was appended as leader of this term
  std::uint64_t announced_commit = 0;
  std::vector<HeldResult> held;
  std::deque<Delayed> delayed;  // ascending

  // As a follower: what of the log is known to be the leader's, in this term.
  std::uint64_t verified_term = 0;
  std::uint64_t verified_index = 0;
  std::uint64_t checking_index = 0;  // last entry that the message in hand speaks of
  bool rejected = false;             // the message in hand was refused

  LogSnapshot newest;                                // what a late member gets
  std::map<std::uint64_t, std::string> memberships;  // entry index -> encoding: of the snapshot and of the log
  raft_io_snapshot_put* install = nullptr;           // a snapshot from the leader that is being stored
  raft_io_snapshot_put_cb install_cb = nullptr;
  std::uint64_t install_tag = 0;
  std::uint64_t restoring_index = 0;
};

}  // namespace ndb::meta
