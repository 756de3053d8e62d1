// Filling a joining replica from its primary.
//
//   joining                              primary
//     | copy_request ----------------------->|  from here on it gets every record of the stream, too
//     |<---------------------- copy_rows (1) |  empties the replica; the place in the stream; prepared and decided
//     |<------------------ copy_rows (2 ..)  |  transactions, then the committed rows, a stretch of the index at a time
//     | copy_ack --------------------------->|  a few batches are under way at once
//     |<------------------------- copy_end   |  "I wait for your acknowledgements from now on"
//
// A joining replica that cannot log what comes begins anew, until it has copy_end. While it has no room for rows either
// it says so (copy_ack with kCopyBeginsAnew): the primary may have sent copy_end already.
//
// No row is locked: rows show a committed state at the time of their batch, and records that came later are applied
// after them, whole images each, so the last word is right. When every replica of the node has its copy_end under the
// present view, the node asks the log to be in sync (DESIGN "Replication, views, failure").
#include <algorithm>

#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr std::uint64_t kCopyWindow = 8;  // batches under way
constexpr std::size_t kCopyBatchBytes = 64u << 10;
constexpr std::size_t kCopyRows = 16;  // looked at at once
constexpr Time kCopyRetry = 200 * kMillisecond;
}  // namespace

// Asks for rows, of so many replicas at a time as the redo log can take in a row.
void Worker::request_copies() {
  if (!recovered()) return;
  if (room_.tight) {
    withdraw_copies();
    return;
  }
  constexpr std::uint64_t kWhole = kCopyWindow * kCopyBatchBytes;
  const std::uint64_t at_once = has_disk() ? std::max<std::uint64_t>(1, room_.marks.fill / kWhole) : UINT64_MAX;
  const std::uint64_t window = has_disk() ? std::min(kWhole, room_.marks.fill / at_once) : 0;
  auto asked = [&](const Replica& r) { return r.resumed || (r.copy_asked != 0 && now_ - r.copy_asked < kCopyRetry); };
  std::uint64_t under_way = 0;
  each_replica([&](const Replica& r) { under_way += r.role == Role::joining && !r.filled && asked(r); });
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (!r || r->role != Role::joining || r->filled || r->primary == 0 || asked(*r) || !can_reach(r->primary))
        continue;
      if (under_way++ >= at_once) return;
      r->copy_asked = now_;
      request_copy(*r, window);
    }
  }
}

// A replica that has begun anew asks again when a checkpoint has made room, which takes a durable epoch. Its primary
// may be waiting for it since it sent copy_end, and the epoch for the primary.
void Worker::withdraw_copies() {
  each_replica([&](const Replica& r) {
    if (r.role != Role::joining || r.filled || r.resumed || r.primary == 0 || !can_reach(r.primary)) return;
    send(r.primary, r.primary_worker, wire::Type::copy_ack,
         CopyWord{r.ref.table, r.ref.fragment, 0, r.group_view, kCopyBeginsAnew});
  });
}

// Beside its place it says what it has already, as counts and checksums of buckets: only buckets that differ are sent.
void Worker::request_copy(const Replica& r, std::uint64_t window) {
  Writer& w = link_writer(link_to(r.primary));
  std::size_t at = wire::begin_message(w, wire::Type::copy_request, r.primary_worker, options_.worker);
  w.put(CopyWord{r.ref.table, r.ref.fragment, 0, r.group_view, window});
  for (std::uint16_t b = 0; r.rows.rows() > 0 && b < limits::kBuckets; b++) {
    const store::BucketSum sum = r.rows.bucket_sum(b);
    if (sum.rows == 0) continue;
    w.u16(b);
    w.u64(sum.rows);
    w.u64(sum.sum);
  }
  wire::end_message(w, at);
}

void Worker::on_copy_request(const wire::Message& m, NodeId from, WorkerId from_worker) {
  if (m.body.size() < sizeof(CopyWord)) return;
  auto w = load<CopyWord>(m.body.data());
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::primary) return;  // it asks again
  // Who comes when the reorganisation that made this fragment is over cannot know since when there are streams of it.
  const bool younger = r->born == r->group_view && w.group_view == catalog_->group(r->group)->view;
  if (w.group_view != r->group_view && !younger) return;
  forget_copy(*r, from);
  Peer p;
  p.node = from;
  p.worker = from_worker;
  p.streaming = true;
  p.acked = p.shown = r->committed;  // once it is filled
  p.sent = r->ring.begin();
  p.sent_sequence = r->committed;
  p.told_committed = r->committed;
  CopySession s;
  s.node = from;
  s.batch_bytes = w.batch == 0 ? kCopyBatchBytes : std::clamp<std::size_t>(w.batch / kCopyWindow, 1, kCopyBatchBytes);
  Reader sums(m.body.substr(sizeof w));
  if (sums.left() > 0) {
    s.some = true;
    s.wanted.assign(limits::kBuckets, false);
    std::vector<store::BucketSum> theirs(limits::kBuckets);
    while (sums.left() > 0 && !sums.bad()) {
      const std::uint16_t b = sums.u16();
      if (b >= limits::kBuckets) return;
      theirs[b].rows = sums.u64();
      theirs[b].sum = sums.u64();
    }
    for (std::uint16_t b = 0; b < limits::kBuckets; b++) {
      const store::BucketSum ours = r->rows.bucket_sum(b);
      s.wanted[b] = ours.rows != theirs[b].rows || ours.sum != theirs[b].sum;
    }
  }
  r->copies.push_back(s);
  pump_copy(*r, r->copies.back());  // the first batch goes before any record
  r->peers.push_back(p);
  mark_dirty(*r);
}

void Worker::pump_copy(Replica& r, CopySession& s) {
  if (!can_reach(s.node)) return;
  const meta::Node* n = catalog_->node(s.node);
  const WorkerId worker = n == nullptr ? WorkerId{0} : catalog_->worker(*n, r.ref.fragment);
  while (!s.done && s.sent - s.acked < kCopyWindow) {
    Writer& w = link_writer(link_to(s.node));
    std::size_t at = wire::begin_message(w, wire::Type::copy_rows, worker, options_.worker);
    std::size_t head_at = w.size();
    CopyRows h{r.ref.table,
               r.ref.fragment,
               s.first ? kCopyFirst : std::uint8_t{0},
               0,
               r.group_view,
               r.committed,
               ++s.sent,
               0,
               0};
    w.put(h);
    if (s.first) {
      s.first = false;
      const std::size_t before = w.size();
      if (s.some) {
        NDB_PROBE("txn.copy_what_differs");
        h.flags |= kCopySome;
        for (std::uint16_t k = 0; k < limits::kBuckets; k += 8) {
          std::uint8_t bits = 0;
          for (std::uint16_t i = 0; i < 8; i++) bits = static_cast<std::uint8_t>(bits | (s.wanted[k + i] ? 1 << i : 0));
          w.u8(bits);
        }
      }
      encode_state(r, w);
      h.prepared_bytes = static_cast<std::uint32_t>(w.size() - before);
    }
    const std::size_t from_bytes = w.size();
    while (w.size() - from_bytes < s.batch_bytes && s.cursor != store::kScanEnd) {
      refs_.clear();
      s.cursor = r.rows.scan(s.cursor, refs_, kCopyRows);
      s.scanned += refs_.size();
      for (store::RowRef ref : refs_) {
        const store::Row* row = r.rows.row(ref);
        if (s.some && !s.wanted[meta::bucket_of(r.table.shape.hash_of_image(row->view()))]) continue;
        w.u32(row->bytes);
        w.u64(row->sequence);
        w.raw(row->view());
        h.rows++;
      }
    }
    counters_.copied_rows += h.rows;
    h.percent = static_cast<std::uint8_t>(
        std::min<std::uint64_t>(99, s.scanned * 100 / std::max<std::uint64_t>(1, r.rows.rows())));
    w.patch(head_at, h);
    wire::end_message(w, at);
    s.done = s.cursor == store::kScanEnd;
  }
}

void Worker::on_copy_rows(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(CopyRows)) return;
  auto h = load<CopyRows>(m.body.data());
  Replica* r = replica({h.table, h.fragment});
  if (r == nullptr || r->role != Role::joining || r->primary != from) return;
  if ((h.flags & kCopyFirst) != 0 && h.group_view > r->group_view &&
      h.group_view <= catalog_->group(r->group)->content_view()) {
    NDB_PROBE("txn.joins_a_younger_fragment");
    r->born = r->group_view = h.group_view;
  }
  if (h.group_view != r->group_view) return;
  Reader in(m.body.substr(sizeof h));
  if (((h.flags & kCopyFirst) != 0 || r->resumed) && !copy_fits(h, m.body.size())) {
    restart_filling(*r);
    return;
  }
  if (has_disk()) {
    durable_->restored = 0;
    durable_->filled = std::max(durable_->filled, epoch_);
  }
  if (h.flags & kCopyFirst) {
    Bytes rest = in.raw(h.prepared_bytes);
    if (h.flags & kCopySome) {
      scratch_.clear();
      scratch_.put(RecordHead{});
      scratch_.raw(rest.substr(0, limits::kBuckets / 8));
      log_copied(*r, RecordKind::refill);
      drop_buckets(*r, rest.substr(0, limits::kBuckets / 8));
      rest.remove_prefix(std::min<std::size_t>(rest.size(), limits::kBuckets / 8));
    } else {
      while (r->rows.drop_some()) {
      }
      log_created(*r);
    }
    r->ring.reset();
    r->pending.clear();
    r->appended = r->committed = h.committed;
    r->copied_batches = 0;
    r->resumed = true;
    r->followed = h.group_view;
    Reader state(rest);
    if (!decode_state(*r, state)) {
      out_->log(env::Severity::error, "damaged copy of a fragment, ignored");
      NDB_PROBE("txn.damaged_copy");
      restart_filling(*r);
      return;
    }
    if (has_disk()) durable_->redo->state(r->ref, epoch_, rest);
  }
  if (!r->resumed || h.batch != r->copied_batches + 1) return;
  r->copied_batches = h.batch;
  r->copied_percent = h.percent;
  counters_.fetched_rows += h.rows;
  store::KeyBuffer buffer;
  const store::RowShape& shape = r->table.shape;
  scratch_.clear();
  scratch_.put(RecordHead{});
  for (std::uint32_t i = 0; i < h.rows && !in.bad(); i++) {
    std::uint32_t bytes = in.u32();
    Sequence seq = in.u64();
    Bytes image = in.raw(bytes);
    if (in.bad() || !shape.valid_image(image)) break;
    Bytes key = shape.key_of(image, buffer);
    const std::uint64_t hash = shape.hash(key);
    if (r->rows.put(key, hash, image, seq) != Error::ok) broken_ = true;
    if (has_disk()) {
      scratch_.put(Change{ChangeKind::put, 0, 0, static_cast<std::uint32_t>(image.size()), hash});
      scratch_.raw(image);
    }
  }
  log_copied(*r, RecordKind::rows);
  counters_.copied_rows += h.rows;
  r->copy_ack_held = room_.tight;
  if (r->copy_ack_held) {
    NDB_PROBE("txn.filling_pauses");
    return;
  }
  CopyWord w{h.table, h.fragment, 0, r->group_view, r->copied_batches};
  send(from, m.from, wire::Type::copy_ack, w);
}

// The changes in scratch_, behind room for a head, go to the redo log as a record that has no place in the stream.
void Worker::log_copied(const Replica& r, RecordKind kind) {
  if (!has_disk() || scratch_.size() <= sizeof(RecordHead)) return;
  RecordHead head{};
  head.bytes = static_cast<std::uint32_t>(scratch_.size());
  head.kind = kind;
  head.changes = 0xffff;
  head.epoch = epoch_;
  scratch_.patch(0, head);
  log_redo(r, r.committed, epoch_, scratch_.view());
}

// A message of rows that would overrun the redo log is not taken: the replica begins anew when a checkpoint has made
// room.
bool Worker::copy_fits(const CopyRows& h, std::size_t bytes) {
  constexpr std::uint64_t kRowMore =
      sizeof(Change) - 12;  // of a row: its head in the log is longer than in the message
  if (fits_redo(bytes + h.rows * kRowMore + 4 * RedoRoom::kEndBytes)) return true;
  NDB_PROBE("txn.copy_overrun");
  room_.tight = true;  // that checkpoint has to begin now
  return false;
}

// Rows of the buckets that will be sent: what is here of them may be out of date.
void Worker::drop_buckets(Replica& r, Bytes bitmap) {
  if (bitmap.size() != limits::kBuckets / 8) return;
  std::vector<store::RowRef> refs;
  for (std::uint64_t cursor = 0; cursor != store::kScanEnd;) {
    refs.clear();
    cursor = r.rows.scan(cursor, refs, 512);
    for (store::RowRef ref : refs) {
      const std::uint16_t b = meta::bucket_of(r.table.shape.hash_of_image(r.rows.image(ref)));
      if (static_cast<std::uint8_t>(bitmap[b / 8]) >> (b % 8) & 1) r.rows.remove_ref(ref);
    }
  }
}

void Worker::forget_copy(Replica& r, NodeId joining) {
  std::erase_if(r.copies, [&](const CopySession& s) { return s.node == joining; });
  std::erase_if(r.peers, [&](const Peer& p) { return p.node == joining; });
}

void Worker::on_copy_ack(const CopyWord& w, NodeId from) {
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::primary || w.group_view != r->group_view) return;
  if (w.batch == kCopyBeginsAnew) {
    NDB_PROBE("txn.copy_begins_anew");
    forget_copy(*r, from);
    mark_dirty(*r);
    return;
  }
  for (CopySession& s : r->copies) {
    if (s.node != from) continue;
    s.acked = w.batch;
    if (!s.done) {
      pump_copy(*r, s);
      return;
    }
    if (s.acked < s.sent) return;
    Peer* p = r->peer(from);
    if (p == nullptr) return;
    p->counts = true;  // before it is told so
    send(from, p->worker, wire::Type::copy_end, w);
    std::erase_if(r->copies, [&](const CopySession& x) { return x.node == from; });
    return;
  }
}

void Worker::on_copy_end(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(CopyWord)) return;
  auto w = load<CopyWord>(m.body.data());
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::joining || r->primary != from || w.group_view != r->group_view) return;
  if (!r->resumed) return;
  r->filled = true;
  request_copies();
}

int Worker::filled_percent(std::set<NodeId>* from) const {
  std::uint64_t sum = 0, replicas = 0;
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (!r || r->role != Role::joining) continue;
      replicas++;
      sum += r->filled ? 100 : r->copied_percent;
      if (!r->filled && r->primary != 0) from->insert(r->primary);
    }
  }
  return replicas == 0 ? 100 : static_cast<int>(sum / replicas);
}

bool Worker::filled() const {
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (r && r->role == Role::joining && !r->filled) return false;
    }
  }
  return true;
}

}  // namespace ndb::txn
