// Rows between fragments: what a reorganisation (lib/reorg) needs of the worker that owns them. The rules are the
// same as for everybody: a row is touched under its lock, and changes travel in the stream.
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr std::size_t kMoveBytes = 128u << 10;  // of one batch, about: a small redo log has to take it as one record
constexpr std::size_t kMoveRows = 8;            // looked at at once
}  // namespace

bool Worker::leads(FragmentRef ref) const {
  Replica* r = replica(ref);
  return r != nullptr && r->role == Role::primary;
}

Sequence Worker::appended(FragmentRef ref) const {
  Replica* r = replica(ref);
  return r != nullptr && r->role == Role::primary ? r->appended : 0;
}

bool Worker::shown(FragmentRef ref, Sequence upto) const {
  Replica* r = replica(ref);
  return r != nullptr && r->role == Role::primary && r->committed >= upto;
}

Worker::RowsTaken Worker::take_rows(FragmentRef from, FragmentId to, std::uint64_t cursor, std::size_t rows_max,
                                    Writer& w) {
  RowsTaken taken;
  taken.next = cursor;
  taken.again = true;
  Replica* r = replica(from);
  if (r == nullptr || r->role != Role::primary) return taken;
  const std::uint32_t p = parts_.take();
  if (p == 0) return taken;
  Part& part = parts_[p];
  part.reset();
  part.replica = r;
  part.state = PartState::idle;
  const meta::Distribution& d = r->table.table->distribution;
  const std::size_t before = w.size();
  std::vector<store::RowRef> contended;
  refs_.clear();
  std::uint64_t next = cursor;
  for (std::size_t bytes = 0; next != store::kScanEnd && refs_.size() < rows_max && bytes < kMoveBytes;) {
    const std::size_t had = refs_.size();
    next = r->rows.scan(next, refs_, kMoveRows);
    for (std::size_t i = had; i < refs_.size(); i++) bytes += r->rows.row(refs_[i])->bytes;
  }
  for (store::RowRef ref : refs_) {
    store::Row* row = r->rows.row(ref);
    const std::uint64_t hash = r->table.shape.hash_of_image(row->view());
    const std::uint16_t b = meta::bucket_of(hash);
    if (d.next.empty() || d.map[b] != from.fragment || d.next[b] != to) continue;
    const bool busy = row->lock != 0 && (locks_[row->lock].owner != 0 || locks_[row->lock].wait_head != 0);
    std::size_t i = 0;
    if (busy) {
      contended.push_back(ref);
      continue;
    }
    if (acquire(p, ref, LockMode::shared, &i) != Grant::granted) {
      undo_part(p);
      w.truncate(before);
      return taken;  // no more locks: try this stretch again
    }
    w.put(Change{ChangeKind::put, 0, 0, row->bytes, hash});
    w.raw(row->view());
    taken.rows++;
  }
  taken.again = false;
  taken.next = next;
  for (store::RowRef ref : contended) {
    store::KeyBuffer buffer;
    Bytes key = r->table.shape.key_of(r->rows.image(ref), buffer);
    if (lock_row(from, key, r->table.shape.hash(key))) taken.waiting++;
  }
  if (taken.rows == 0) {
    undo_part(p);
    return taken;
  }
  taken.part = p;
  counters_.moved_rows += taken.rows;
  return taken;
}

// A row that a transaction holds: stands in its lock's queue like everybody else; row_locked is called in the end.
bool Worker::lock_row(FragmentRef ref, Bytes key, std::uint64_t hash) {
  Replica* r = replica(ref);
  const std::uint32_t p = r == nullptr || r->role != Role::primary ? 0 : parts_.take();
  if (p == 0) return false;
  Part& part = parts_[p];
  part.reset();
  part.replica = r;
  part.state = PartState::running;
  part.input.put(wire::Operation{wire::Op::read_shared, 0, static_cast<std::uint16_t>(key.size()), 0, ref.table, hash});
  part.input.raw(key);
  part.operations_left = 1;
  part.changes.raw(key);  // to tell which row it was
  part.txn.number = hash;
  run_part(p);
  return true;
}

// The end of lock_row: the lock is held (or the row is gone by now).
void Worker::tell_row_locked(std::uint32_t p, bool ok) {
  Part& part = parts_[p];
  Reader in(part.results.view());
  auto res = in.get<wire::OpResult>();
  Bytes image = ok && res.error == Error::ok ? in.raw(res.bytes) : Bytes{};
  std::string copy(image);
  if (row_locked) row_locked(part.replica->ref, p, ok, copy, std::string(part.changes.view()), part.txn.number);
}

void Worker::release_rows(std::uint32_t part) {
  if (parts_.used(part) && !parts_[part].direct && parts_[part].coordinator_node == 0) undo_part(part);
}

Error Worker::put_rows(FragmentRef to, Bytes changes, std::uint64_t tag) {
  Replica* r = replica(to);
  if (r == nullptr || r->role != Role::primary) return Error::stale_view;
  if (!room_for_writes()) return Error::memory_full;
  if (const Error e = admit(*r, changes.size()); e != Error::ok) return e;
  // Every image is checked: they came over the network.
  ChangeView c;
  Bytes rest = changes;
  std::uint32_t n = 0;
  while (next_change(rest, &c)) {
    if (c.head.kind != ChangeKind::put || !r->table.shape.valid_image(c.image)) return Error::bad_row_image;
    n++;
  }
  if (!rest.empty()) return Error::bad_message;
  append(*r, RecordKind::rows, {}, nullptr, changes, n, 0, tag);
  counters_.moved_rows += n;
  return Error::ok;
}

std::uint64_t Worker::history(FragmentRef from, std::uint64_t session, Writer& w) const {
  constexpr std::size_t kHistoryBytes = 16u << 10;
  Replica* r = replica(from);
  return r == nullptr ? UINT64_MAX : r->outcomes.encode_after(session, kHistoryBytes, w);
}

Error Worker::put_history(FragmentRef to, Bytes outcomes, std::uint64_t tag) {
  Replica* r = replica(to);
  if (r == nullptr || r->role != Role::primary) return Error::stale_view;
  if (const Error e = admit(*r, outcomes.size()); e != Error::ok) return e;
  Outcomes check;  // they came over the network
  Reader in(outcomes);
  if (!check.merge(in) || !in.done()) return Error::bad_message;
  append(*r, RecordKind::outcomes, {}, nullptr, outcomes, 0, 0, tag);
  return Error::ok;
}

std::uint64_t Worker::drop_rows(FragmentRef from, std::uint64_t cursor, std::size_t rows_max, std::uint32_t* dropped,
                                bool* busy) {
  *busy = true;
  Replica* r = replica(from);
  if (r == nullptr || r->role != Role::primary || r->ring.size() > limits::kStreamBytesMax / 4) return cursor;
  const meta::Distribution& d = r->table.table->distribution;
  refs_.clear();
  std::uint64_t next = r->rows.scan(cursor, refs_, rows_max);
  scratch_.clear();
  std::uint32_t n = 0;
  store::KeyBuffer buffer;
  for (store::RowRef ref : refs_) {
    store::Row* row = r->rows.row(ref);
    const std::uint64_t hash = r->table.shape.hash_of_image(row->view());
    if (d.next.empty() || d.next[meta::bucket_of(hash)] == from.fragment) continue;
    if (row->lock != 0 || !row->committed()) return cursor;
    Bytes key = r->table.shape.key_of(row->view(), buffer);
    scratch_.put(Change{ChangeKind::remove, 0, static_cast<std::uint16_t>(key.size()), 0, hash});
    scratch_.raw(key);
    n++;
  }
  if (const Error e = n > 0 ? admit(*r, scratch_.size()) : Error::ok; e != Error::ok) {
    return e == Error::txn_too_large && rows_max > 1 ? drop_rows(from, cursor, rows_max / 2, dropped, busy) : cursor;
  }
  if (n > 0) append(*r, RecordKind::drop, {}, nullptr, scratch_.view(), n, 0, 0);
  *dropped += n;
  *busy = false;
  return next;
}

bool Worker::quiet_in(FragmentRef ref, std::uint16_t from, std::uint16_t to) {
  Replica* r = replica(ref);
  if (r == nullptr) return false;
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || parts_[p].replica != r) continue;
    for (const Touched& t : parts_[p].touched) {
      const std::uint16_t b = meta::bucket_of(t.hash);
      if (t.lock != 0 && b >= from && b < to) return false;
    }
  }
  return true;
}

bool Worker::freeze(FragmentRef ref, std::uint16_t from, std::uint16_t to) {
  Replica* r = replica(ref);
  if (r == nullptr) return false;
  if (r->frozen_from != from || r->frozen_to != to) {
    r->frozen_from = from;
    r->frozen_to = to;
    std::vector<std::uint32_t> waiters;
    waiters.swap(r->frozen_waiters);
    for (std::uint32_t p : waiters) {
      if (parts_.used(p) && parts_[p].state == PartState::waiting && parts_[p].wait_lock == 0 &&
          parts_[p].wait_ticket != 0) {
        wake_part(p);
      }
    }
  }
  return quiet_in(ref, from, to);
}

}  // namespace ndb::txn
