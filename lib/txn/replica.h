// One replica of one fragment on this worker: its rows, its end of the replication stream and, at the primary, who else
// has to acknowledge.
//
// The stream (PacificA's scheme: Lin, Yang, Zhang, Zhou, MSR-TR-2008-25): the primary numbers records 1, 2, 3 .. and
// sends them to every in-sync replica; a record is committed when all of them hold it. Rows change at commit only, in
// the order of the stream, at the primary as at the backups.
//
//   committed <= acknowledged by every peer that counts <= appended          (checked wherever one of them moves)
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "meta/catalog.h"
#include "store/fragment.h"
#include "txn/outcomes.h"
#include "txn/record.h"
#include "txn/ring.h"
#include "txn/txn_map.h"

namespace ndb::txn {

enum class Role : std::uint8_t {
  joining,  // being filled; not in sync
  backup,
  takeover,  // primary of this view, but what the old one left behind is not settled yet: serves nobody
  primary,
};

struct Peer {
  NodeId node = 0;
  WorkerId worker = 0;
  bool streaming = false;  // it has told where to go on: records are sent
  bool counts = false;     // a write waits for its acknowledgement
  Sequence acked = 0;
  Sequence sent_sequence = 0;  // the last record sent
  std::uint64_t sent = 0;      // ring position behind it
  Sequence told_committed = 0;
  Sequence shown = 0;  // what it has acknowledged as committed and shown
};

// A prepared part of a transaction in a replica that is not (or not yet) run by a Part of the primary.
struct Prepared {
  Anchor anchor;
  std::string changes;
  bool aborting = false;
  void set(const Anchor& a, Bytes what) {
    anchor = a;
    changes.assign(what);
    aborting = false;
  }
  void reset() {
    if (changes.capacity() > kChangesKept) changes = {};
    set({}, {});
  }
  static constexpr std::size_t kChangesKept = 4096;  // memory of one that is over
};

// A decision in the anchor's stream, and who has to show it.
struct Decided {
  Epoch epoch = 0;
  std::vector<FragmentRef> participants;
  void reset() {
    epoch = 0;
    participants.clear();
  }
};

// What waits for a record of ours to be committed.
struct Pending {
  Sequence sequence = 0;
  std::uint32_t part = 0;  // the Part it belongs to, 0 = none
  std::uint64_t tag = 0;   // a row move's
};

// Filling a joining replica, at the primary.
struct CopySession {
  NodeId node = 0;
  std::uint64_t cursor = 0;
  std::uint64_t sent = 0, acked = 0;  // batches
  std::size_t batch_bytes = 0;
  std::uint64_t scanned = 0;  // rows looked at
  bool first = true;
  bool done = false;
  bool some = false;  // only the rows of these buckets are sent
  std::vector<bool> wanted;
};

struct TableState {
  std::shared_ptr<const meta::Table> table;
  store::RowShape shape;
  bool guarded = false;  // unique indexes, or one of them: only who keeps them may write
  std::vector<std::unique_ptr<struct Replica>> replicas;  // by fragment; null = none on this worker
};

struct Replica {
  Replica(FragmentRef r, TableState& t, store::Slab& slab, store::Memory& memory)
      : ref(r), table(t), rows(slab, memory, t.shape) {}

  FragmentRef ref;
  TableState& table;
  store::Fragment rows;
  GroupId group = 0;
  View born = 0;  // of a fragment that the running reorganisation made: the view it came with; else 0
  View group_view =
      0;  // who leads and follows is settled for this view: the last change of the group, or `born` when later
  Role role = Role::backup;
  NodeId primary = 0;
  WorkerId primary_worker = 0;

  Sequence appended = 0;
  Sequence committed = 0;
  Ring ring;                        // records (committed, appended]
  std::vector<Peer> peers;          // primary: the other in-sync replicas, and joining ones that are being filled
  std::deque<Pending> pending;      // ascending by sequence
  std::vector<CopySession> copies;  // primary
  TxnMap<Prepared> prepared;
  Outcomes outcomes;
  TxnMap<Decided> decided;  // committed here as anchor, not all participants are known to show it

  bool logged = false;  // the redo log knows that this replica exists
  bool filled = false;  // joining: every row is here, the primary waits for us
  std::uint64_t copied_batches = 0;
  std::uint8_t copied_percent = 0;
  bool copy_ack_held = false;  // until there is room in the redo log
  Time copy_asked = 0;
  bool resumed = false;  // backup: stream_resume was sent in this view
  bool dirty = false;    // listed for the end of the step
  bool ack_due = false;
  std::uint64_t counted = 0;  // log bytes of the ring, as RedoRoom has them
  bool counted_led = false;
  // while buckets are compared, writes to them wait: [frozen_from, frozen_to)
  std::uint16_t frozen_from = 0, frozen_to = 0;
  std::vector<std::uint32_t> frozen_waiters;  // Parts
  bool tail_settled = false;                  // takeover: what the old primary left in the stream is committed
  Sequence takeover_end = 0;                  // ... up to here
  View reign = 0;     // the view of that takeover: what lies behind takeover_end was appended here since
  View followed = 0;  // backup: the last view in which its primary told it what the stream is
  Sequence mark = 0;  // an epoch is closed when all replicas show what lies before

  std::vector<TxnId> forbidden;  // primary: their decide_abort records are on their way

  // A transaction that was answered already, or must not happen any more: a request may arrive late, over a link that
  // its client has given up, when its outcome has been asked for and told.
  Fate settled(const TxnId& t) const {
    for (const TxnId& f : forbidden) {
      if (f == t) return Fate::aborted;
    }
    return outcomes.get(t);
  }
  bool leads() const { return role == Role::primary || role == Role::takeover; }
  Peer* peer(NodeId n) {
    for (Peer& p : peers) {
      if (p.node == n) return &p;
    }
    return nullptr;
  }
};

}  // namespace ndb::txn
