// The hands of a reorganisation: one mover beside each worker. It reads from the catalog which phase a table is in and
// does, for every fragment whose primary it is, what the phase asks for (docs/REORG.md):
//
//   copying    share-locks moving rows a stretch at a time, sends them to their new primary, unlocks on its answer
//   deciding   holds back writes to a few buckets at a time and compares count and checksum with the new primary's
//   cleaning   tells the new places what became of transactions here, then removes the rows that live elsewhere now
//
// and reports to the leader. A fragment that got a new primary is begun anew: every step may be repeated.
//
// Pace: while clients are served here, a bite is small, the next one waits a moment, and few batches are under way:
// an operation of theirs never stands behind much, here or at the new place, and processors are left for them. Without
// clients it goes as fast as it can.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "env/machine.h"
#include "meta/catalog.h"
#include "reorg/messages.h"
#include "reorg/rows.h"
#include "wire/messages.h"

namespace ndb::reorg {

// Of the mover's parts, not of those who use it.
inline constexpr std::size_t kBatchesMax = 4;  // of one fragment, under way
inline constexpr Time kRetry = 2 * kMillisecond;
inline constexpr std::size_t kBite = 512;  // rows looked at in one go

class Mover {
 public:
  struct Sender {  // how a mover writes to another worker, or to its own
    virtual ~Sender() = default;
    virtual bool reachable(NodeId node) const = 0;
    virtual Writer& to(NodeId node) = 0;
  };
  Mover(NodeId node, WorkerId worker, Rows& rows, Sender& sender)
      : node_(node), worker_(worker), rows_(rows), sender_(sender) {}

  void set_catalog(Time now, std::shared_ptr<const meta::Catalog> catalog);
  void node_down(NodeId node);
  // True: the message was for it.
  bool on_message(Time now, const wire::Message& m, NodeId from);
  void on_row_moved(FragmentRef to, std::uint64_t tag, bool ok);
  void on_row_locked(FragmentRef from, std::uint32_t hold, bool ok, Bytes image, Bytes key, std::uint64_t hash);
  void pump(Time now);  // at the end of each step
  Time wake() const { return wake_; }
  bool working() const { return !tasks_.empty(); }
  // What to tell the leader, or nothing. `changed` since the last call?
  bool report(JobReport* r);
  void remember_change() { changed_ = true; }  // the report was not sent after all

 private:
  static constexpr Time kTrafficFresh = 100 * kMillisecond;
  struct Batch {
    FragmentId to = 0;
    NodeId node = 0;  // where it was sent
    std::uint32_t hold = 0;
    std::uint64_t start = 0;  // cursor to go back to when it fails
    std::uint32_t rows = 0;
  };
  struct Task {  // one fragment of ours, in one phase
    FragmentRef from;
    std::vector<FragmentId> targets;
    std::size_t target = 0;  // copying: which one is being filled
    std::uint64_t cursor = 0;
    std::map<std::uint64_t, Batch> batches;
    std::uint32_t waiting = 0;     // rows in lock queues
    std::uint16_t lo = 0, hi = 0;  // deciding
    std::uint32_t asked = 0;       // answers awaited
    bool frozen = false;
    Time frozen_since = 0;
    std::uint64_t rows = 0;
    Sequence mark = 0;     // cleaning: the stream up to here has to be shown first
    bool told = false;     // ... and the new places know the outcomes
    bool cleaned = false;  // ... and all removals are before the mark
    bool done = false;
    Epoch epoch = 0;  // of this node when it was done
    Error error = Error::ok;
    Time retry = 0;
  };
  struct Incoming {  // rows of others on their way into our stream
    NodeId node = 0;
    WorkerId worker = 0;
    MoveWord word{};
  };

  void start_tasks(Time now);
  bool clients_wait() const { return now_ - traffic_at_ < kTrafficFresh; }
  bool may_bite(Task& t);
  std::size_t under_way() const;
  void stop_tasks();
  void finish(Task& t);
  void pump_copy(Time now, Task& t);
  void send_batch(Task& t, std::uint32_t hold, std::uint64_t start, FragmentId to, std::uint32_t rows, Bytes changes);
  bool tell_history(Task& t);
  void pump_verify(Time now, Task& t);
  void pump_clean(Time now, Task& t);
  void on_move_rows(const wire::Message& m, NodeId from);
  void on_move_ack(Time now, const wire::Message& m);
  void on_sums_request(const wire::Message& m, NodeId from);
  void on_sums_reply(Time now, const wire::Message& m);
  void fail_batch(Task& t, std::uint64_t number, Time retry);
  bool find_primary(TableId table, FragmentId f, NodeId* node, WorkerId* worker) const;
  Task* task_of(std::uint64_t job, FragmentId from);
  void wish(Time t) {
    if (t < wake_) wake_ = t;
  }
  const meta::Table* table() const { return catalog_ ? catalog_->table(table_) : nullptr; }

  NodeId node_;
  WorkerId worker_;
  Rows& rows_;
  Sender& sender_;
  std::shared_ptr<const meta::Catalog> catalog_;
  std::uint64_t job_ = 0;
  TableId table_ = 0;
  meta::Phase phase_ = meta::Phase::none;
  View view_ = 0;
  std::vector<Task> tasks_;
  std::map<std::uint64_t, Incoming> incoming_;
  std::uint64_t next_batch_ = 1;
  std::uint64_t next_tag_ = 1;
  Time now_ = 0;                      // of the last pump()
  std::uint64_t served_ = 0;          // operations of clients, when it was last looked
  Time traffic_at_ = -kTrafficFresh;  // when they were last seen to have grown
  Time next_bite_ = 0;
  Time wake_ = kNever;
  Writer scratch_;
  bool changed_ = false;
};

}  // namespace ndb::reorg
