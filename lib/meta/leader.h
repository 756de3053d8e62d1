// What runs beside the leader of the metadata log, in whichever process that is: the failure detector with its
// leases, the first start of the cluster, and who should be a member of the log. Every management server and data
// node holds one; it acts while Member::leading() and remembers heartbeats always (management servers are sent all
// of them, for reports).
//
// Leases (docs/PROTOCOL.md, section 5). A data node may serve until `sent` + lease of its own clock, where `sent`
// is when it sent the heartbeat that was answered. The leader counts from its answer, which is later, and adds a
// margin for drifting clocks. So a node that is declared dead by silence has stopped serving before (invariant I6).
// A node keeps a lease that it has when it is given a shorter one: the leader waits for the one that ends last.
// A new leader waits kLeaderSilence (with the longest lease of the log) before it trusts silence, also of a node that
// was just let in: an earlier leader may have answered up to two election times after it lost its majority.
// So how long leases may be is in the log (AllowLease): a longer one is given when the entry has been applied, and the
// entry of a shorter one is made when no longer one can be good any more (leader_lease.cc).
//
// A node whose port refuses connections is declared dead at once: its process is gone. This alone may take the last
// in-sync member of a group.
//
// Nothing gets a new place (Member::let_place) before every node in sync has been heard by this leader: nodes may have
// died while nobody led, and rows that are placed on a group without members take the cluster down.
//
// Members of the log are all management servers and data nodes that are linked or that the catalog knows; management
// servers and data nodes that were let in want a vote. A member that nobody knows (a management server that has not
// been seen since we started) stays, as a dead one.
//
// Starts of the whole cluster (leader_start.cc). The first one waits for every node of the configuration that belongs
// to a group, for ever, and for those without a group StartNoNodegroupTimeout. A restart from disks waits
// StartPartialTimeout for nodes that it could do without; then, when no group is complete, StartPartitionedTimeout
// more. Nodes that a starting node names (--nowait-nodes) are not waited for. Every answer to a heartbeat says what is
// waited for.
//
// Use: heartbeat messages to on_heartbeat(), changes of Peers to on_change(), then step() at the end of every step
// of the owner, after Member's vectors were drained. A proposal of ours may show up in Member::finished: ignore it.
#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "env/machine.h"
#include "meta/member.h"
#include "meta/peers.h"
#include "wire/messages.h"

namespace ndb::meta {

// A lease is limits::kLease, unless the configuration has a HeartbeatIntervalDbDb. Clocks run up to a tenth apart.
inline constexpr Time kLeaseMargin = limits::kLease / 10;
inline constexpr Time kMemberGrace = 2 * kSecond;  // a lost management server counts as alive for this long
inline constexpr Time kLeaderSilence = 2 * limits::kMetaElection + limits::kLease + kLeaseMargin;

class Leader {
 public:
  struct Report {
    wire::Heartbeat last;
    Time received = 0;
  };

  // `body` of a wire::Type::heartbeat from `link`. Malformed ones, and those that name another node than the link's,
  // are dropped. Answers while leading.
  void on_heartbeat(Time now, env::LinkId link, Bytes body, const Member& member, const Peers& peers, env::Outbox& out);
  // The same without a link: for a data node that leads, its own heartbeat. The answer is the lease, ns; 0 = none.
  std::uint64_t heard(Time now, wire::Heartbeat heartbeat, const Member& member);
  void on_change(Time now, const Peers::Change& change);
  // A management server is about to end in good order: it is demoted at once, so that the quorum follows those who
  // stay.
  void leaves(std::uint64_t raft_id) {
    if (raft_id != 0) leaving_.insert(raft_id);
  }
  void step(Time now, Member& member, const Peers& peers, env::Outbox& out);  // states its wish with wake_at()

  // --- the barrier of reorganisations
  // True when every in-sync node has told this leader that it has applied version v and that nothing older than v is
  // open in it. Only while leading; false when it does not lead.
  bool barrier_reached(const Catalog& catalog, View v) const;
  // The oldest view that a transaction or scan may still be running in, over all in-sync and joining nodes; 0 =
  // unknown.
  View oldest_open(const Catalog& catalog) const;

  // Each group with rows that count has a member in sync whose heartbeats come. Only while leading.
  bool all_rows_served(Time now, const Catalog& catalog) const;

  // The latest heartbeat; nullptr = none since this process started.
  const Report* report(NodeId node) const;
  bool leading() const { return since_ != kNever; }
  // Why the cluster cannot be started now; empty: it runs, or nobody is there. Only while leading.
  struct Waiting {
    std::string text;      // "for node 2 (StartPartialTimeout)"
    Time until = kNever;   // as far as it is known
    bool in_vain = false;  // all members of a node group have come, none with its rows
    std::uint32_t left_s(Time now) const {
      return until == kNever || until <= now ? 0 : static_cast<std::uint32_t>((until - now + kSecond - 1) / kSecond);
    }
  };
  const Waiting& waiting() const { return waiting_; }

  // HeartbeatIntervalDbDb in place of the configuration's, for the life of this process; empty: as configured again.
  void set_live(const std::string& name, const std::string& value);

 private:
  struct Watch {
    std::uint32_t incarnation = 0;
    Time seen = 0;       // first, by this leader
    bool heard = false;  // by this leader, in this incarnation
    Time lease_end = 0;  // when the last of the leases that this leader gave it has run out, with the margin
    RequestId verdict;   // NodeDown, proposed
  };
  void begin(Time now);
  bool was_away(Time now) const { return now - stepped_ > limits::kLease / 2; }
  // It leads in fact: nobody has taken over while this process stood still.
  bool confirmed(Time now, const Member& member) const {
    return !was_away(now) && member.catalog()->version > unconfirmed_;
  }
  // --- leader_lease.cc
  Time wanted_lease(const Catalog& catalog);
  Time lease_to_give(const Catalog& catalog) {
    return std::min({wanted_lease(catalog), catalog.longest_lease(), cap_});
  }
  void agree_on_lease(Time now, Member& member, env::Outbox& out);

  void watch_nodes(Time now, Member& member, env::Outbox& out);
  Time silent_from(const Watch& w) const;
  bool heard_lately(Time now, const Node& node) const;
  bool speaks(Time now, NodeId id) const;
  bool all_heard(const Catalog& catalog) const;
  bool last_in_sync(const Catalog& catalog, const Node& node) const;
  void declare(Time now, Member& member, const Node& node, Watch& watch, bool forced, env::Outbox& out);
  void start_cluster(Time now, Member& member, env::Outbox& out);
  void restart_cluster(Time now, Member& member, env::Outbox& out);
  void wait_until(Time now, std::string text, Time until, env::Outbox& out);
  const wire::Heartbeat* joining_report(
      const Node& node) const;  // nullptr: it does not start, or has not said anything
  std::set<NodeId> not_waited_for(const Catalog& catalog) const;
  void want_members(Time now, Member& member, const Peers& peers);

  Time stepped_ = 0;            // the last step while leading
  Version unconfirmed_ = 0;     // what was in the log when we had been away: an entry behind it that is committed says
                                // that a majority has followed us since
  Time since_ = kNever;         // leading since; kNever = not leading
  std::uint64_t epoch_ = 0;     // Catalog::leader_epoch of our time
  std::uint64_t lease_of_ = 0;  // the generation that this is of
  Time lease_ = limits::kLease;
  Time live_lease_ = 0;            // 0 = lease_
  Time longest_ = limits::kLease;  // of the catalog
  Time wanted_ = 0;                // the last wanted_lease() ..
  Time wanted_since_ = 0;          // .. and since when
  Time cap_ = kNever;              // no lease is longer: a shorter longest one was proposed, and may be in the log
  RequestId lease_request_;        // AllowLease, proposed
  std::map<NodeId, Watch> watched_;
  std::map<NodeId, Report> reports_;
  std::map<std::uint64_t, NodeId> holders_;  // raft id -> node, as far as was seen
  std::map<std::uint64_t, Time> lost_;       // raft id of a management server -> when its link went
  std::set<std::uint64_t> leaving_;          // raft ids of management servers; until they come back
  std::map<NodeId, std::uint32_t> refused_;  // node -> incarnation whose port refused
  Time start_asked_ = kNever;                // all nodes with a group were there, those without are waited for since
  RequestId start_request_;
  Time start_retry_ = 0;
  Time restart_since_ = kNever;  // the first node that could come back from its disk was there
  RequestId restart_request_;
  Waiting waiting_;
};

}  // namespace ndb::meta
