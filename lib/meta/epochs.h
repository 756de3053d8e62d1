// The epoch clock: runs beside the leader of the metadata log and makes one epoch after the other durable.
//
// An epoch is a cut through the cluster's decisions: every message carries its sender's epoch, a receiver moves forward
// to it (Lamport, Time, Clocks, and the Ordering of Events, 1978), and a decision is stamped with the epoch of the node
// that makes it, so a transaction that read another's write is never in an earlier epoch. Closing epoch e:
//
//   leader                          every node in sync
//     | enter e+1 ------------------->|  decides nothing in e any more; its decisions up to e are shown by all
//     participants
//     |<---------------- entered -----|
//     | show ------------------------>|  what its streams hold now is shown by all replicas (and so in their redo)
//     |<---------------- shown -------|
//     | flush ----------------------->|  fsync
//     |<---------------- flushed -----|
//     |== log entry "epoch e durable" ==
//
// After the loss of the whole cluster it comes back at the last durable epoch, exactly (I7). A change among the nodes
// in sync starts the round anew. A round costs three round trips and two fsyncs, one on every node at once and one of
// the log.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "meta/leader.h"
#include "meta/live.h"
#include "meta/member.h"
#include "wire/messages.h"

namespace ndb::meta {

class EpochClock {
 public:
  struct Order {
    NodeId node = 0;
    wire::EpochOrder order;
  };
  void on_report(const wire::EpochReport& r);
  // Until the next step: this epoch is waited for, so it is closed at once.
  void want(Epoch e) { wanted_ = std::max(wanted_, e); }
  // Orders to be sent are left in `orders`; states its wish with wake_at().
  void step(Time now, Member& member, const Leader& leader, env::Outbox& out);
  std::vector<Order> orders;  // drained by the owner
  // TimeBetweenEpochs, TimeBetweenGlobalCheckpoints in place of the configuration's, for the life of this process; an
  // empty value: as configured again.
  void set_live(const std::string& name, const std::string& value);
  // The epoch that has begun, TimeBetweenEpochs after the one before. The owner puts it into its frames, and so pulls
  // every node along.
  Epoch present() const { return present_; }

 private:
  struct Taker {
    std::uint32_t incarnation = 0;
    bool answered = false;
  };
  void begin(Time now, const Catalog& c, Epoch epoch);
  void tick(Time now, const Catalog& c, env::Outbox& out);
  void order(wire::EpochStep step);
  bool all_answered() const;
  Time configured(const Catalog& c, const char* parameter, std::int64_t least, Time fallback) const;
  Time between_durable(const Catalog& c) const;
  Time between_epochs(const Catalog& c) const;
  static std::map<NodeId, Taker> takers_of(const Catalog& c);
  static bool group_lost(const Catalog& c);

  LiveValues live_;
  std::map<NodeId, Taker> takers_;
  bool running_ = false;
  bool was_leading_ = false;
  std::uint64_t round_ = 0;
  Epoch epoch_ = 0;
  Epoch highest_ = 0;  // that any node reported to be in
  Epoch again_ = 0;    // the round has to begin anew with this one
  wire::EpochStep step_ = wire::EpochStep::enter;
  Epoch wanted_ = 0;
  Epoch present_ = 0;
  Time next_epoch_ = 0;
  RequestId request_;
  Time next_ = 0;
  Time repeat_ = 0;
};

}  // namespace ndb::meta
