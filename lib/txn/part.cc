// Participants: operations under row locks at the primary of one fragment, and what becomes of them.
#include "txn/worker.h"

namespace ndb::txn {

using wire::Op;
using wire::Operation;
using wire::OpResult;

bool Worker::room_for_writes() const { return memory_.used_bytes() < memory_soft_; }

void Worker::add_result(Part& part, Error e, Bytes image) {
  OpResult r{e, 0, static_cast<std::uint32_t>(image.size())};
  part.results.put(r);
  part.results.raw(image);
  part.results_count++;
}

Worker::Step Worker::fail_op(Part& part, Error e) {
  add_result(part, e, {});
  if (part.first_error == Error::ok) part.first_error = e;
  return Step::failed;
}

// The image that this part has in mind for a row it holds; empty when it means to remove it.
Bytes Worker::pending_image(const Part& part, const Touched& t) const {
  if (t.removed) return {};
  if (t.change != Touched::kNone) {
    auto c = load<Change>(part.changes.data() + t.change);
    return part.changes.view().substr(t.change + sizeof(Change) + c.key_bytes, c.image_bytes);
  }
  return part.replica->rows.image(t.row);
}

void Worker::record_change(Part& part, Touched& t, ChangeKind kind, Bytes key, Bytes image) {
  if (t.change != Touched::kNone) {
    auto c = load<Change>(part.changes.data() + t.change);
    c.kind = ChangeKind::none;
    part.changes.patch(t.change, c);
    part.dead++;
    part.live--;
  }
  t.removed = kind == ChangeKind::remove;
  if (t.inserted && t.removed) {  // it never was there
    t.change = Touched::kNone;
    return;
  }
  t.change = static_cast<std::uint32_t>(part.changes.size());
  Change c{kind, 0, static_cast<std::uint16_t>(key.size()), static_cast<std::uint32_t>(image.size()), t.hash};
  part.changes.put(c);
  part.changes.raw(key);
  part.changes.raw(image);
  part.live++;
}

Worker::Step Worker::op_read(std::uint32_t p, const Operation& op, Bytes key) {
  Part& part = parts_[p];
  store::RowRef ref = part.replica->rows.find(key, op.hash);
  if (ref == 0) {
    add_result(part, Error::no_such_row, {});
    return Step::done;
  }
  store::Row* row = part.replica->rows.row(ref);
  if (op.kind == Op::read) {
    const bool mine = row->lock != 0 && locks_[row->lock].owner == p;
    Bytes image;
    if (mine) {
      image = pending_image(part, part.touched[locks_[row->lock].op]);
    } else if (row->committed()) {
      image = row->view();
    }
    add_result(part, image.empty() ? Error::no_such_row : Error::ok, image);
    return Step::done;
  }
  std::size_t i = 0;
  const LockMode mode = op.kind == Op::read_shared ? LockMode::shared : LockMode::exclusive;
  if (const Step s = lock_row(p, ref, mode, &i); s != Step::done) return s;
  part.touched[i].hash = op.hash;
  Bytes image = pending_image(part, part.touched[i]);
  add_result(part, image.empty() ? Error::no_such_row : Error::ok, image);
  return Step::done;
}

Worker::Step Worker::put_image(std::uint32_t p, std::size_t i, const Operation& op, Bytes image) {
  Part& part = parts_[p];
  if (!room_for_writes()) return fail_op(part, Error::memory_full);
  part.touched[i].hash = op.hash;
  record_change(part, part.touched[i], ChangeKind::put, {}, image);
  add_result(part, Error::ok, (part.flags & kPartWantImages) ? image : Bytes{});
  return Step::done;
}

namespace {
// Two rows of a table with one value are, in the hidden table of the index, two rows with one key.
Error exists_error(const Part& part) {
  return part.replica->table.table->index_of != 0 ? Error::unique_violation : Error::row_exists;
}
}  // namespace

// done: the lock is this part's now.
Worker::Step Worker::lock_row(std::uint32_t p, store::RowRef ref, LockMode mode, std::size_t* touched) {
  switch (acquire(p, ref, mode, touched)) {
    case Grant::wait:
      return Step::wait;
    case Grant::full:
      return fail_op(parts_[p], Error::too_many_open);
    case Grant::granted:
      break;
  }
  return Step::done;
}

Worker::Step Worker::op_insert(std::uint32_t p, const Operation& op, Bytes key, Bytes image) {
  Part& part = parts_[p];
  store::Fragment& rows = part.replica->rows;
  store::RowRef ref = rows.find(key, op.hash);
  if (ref != 0) {
    store::Row* row = rows.row(ref);
    if (row->lock == 0) return fail_op(part, exists_error(part));
    if (locks_[row->lock].owner == p) {
      std::size_t i = locks_[row->lock].op;
      if (!part.touched[i].removed) return fail_op(part, exists_error(part));
      return put_image(p, i, op, image);
    }
    std::size_t i = 0;
    if (const Step s = lock_row(p, ref, LockMode::exclusive, &i); s != Step::done) return s;
    return fail_op(part, exists_error(part));  // others only share it: it is there
  }
  if (!room_for_writes()) return fail_op(part, Error::memory_full);
  Error e = rows.insert_uncommitted(key, op.hash, image, 0, &ref);
  if (e != Error::ok) return fail_op(part, e);
  std::size_t i = 0;
  if (acquire(p, ref, LockMode::exclusive, &i) != Grant::granted) {
    rows.remove_ref(ref, op.hash);
    return fail_op(part, Error::too_many_open);
  }
  part.touched[i].inserted = true;
  part.touched[i].hash = op.hash;
  return put_image(p, i, op, image);
}

Worker::Step Worker::op_change(std::uint32_t p, const Operation& op, Bytes key, Bytes payload) {
  Part& part = parts_[p];
  const auto kind = static_cast<std::uint8_t>(op.kind);
  const bool creates = op.kind == Op::write || kind == kMirrorPut;
  const bool removes = op.kind == Op::remove || kind == kMirrorRemove;
  store::RowRef ref = part.replica->rows.find(key, op.hash);
  if (ref == 0) {
    if (creates) return op_insert(p, op, key, payload);
    if (kind == kMirrorRemove) {
      add_result(part, Error::ok, {});
      return Step::done;
    }
    return fail_op(part, Error::no_such_row);
  }
  std::size_t i = 0;
  if (const Step s = lock_row(p, ref, LockMode::exclusive, &i); s != Step::done) return s;
  Touched& t = part.touched[i];
  t.hash = op.hash;
  NDB_CHECK(t.inserted || part.replica->rows.row(ref)->committed());
  if (t.removed && !creates) {
    if (kind != kMirrorRemove) return fail_op(part, Error::no_such_row);
    add_result(part, Error::ok, {});
    return Step::done;
  }
  if (removes) {
    record_change(part, t, ChangeKind::remove, key, {});
    add_result(part, Error::ok, {});
    return Step::done;
  }
  if (op.kind != Op::update) return put_image(p, i, op, payload);
  scratch_.clear();
  Error e = part.replica->table.shape.apply_update(pending_image(part, t), payload, scratch_);
  if (e != Error::ok) return fail_op(part, e);
  return put_image(p, i, op, scratch_.view());
}

Worker::Step Worker::run_op(std::uint32_t p, const Operation& op, Bytes key, Bytes payload) {
  Part& part = parts_[p];
  Replica& r = *part.replica;
  if (op.kind <= Op::read_exclusive) {
    counters_.reads++;
    return op_read(p, op, key);
  }
  counters_.writes++;
  if (r.frozen_from != r.frozen_to) {
    std::uint16_t b = meta::bucket_of(op.hash);
    if (b >= r.frozen_from && b < r.frozen_to && part.touched.empty()) {
      part.wait_lock = 0;
      part.wait_ticket = next_ticket_++;
      waits_.push_back({now_ + options_.lock_wait, p, part.wait_ticket});
      r.frozen_waiters.push_back(p);
      return Step::wait;
    }
  }
  if (const Error e = admit(r, 0); e != Error::ok) return fail_op(part, e);
  if (op.kind == Op::insert) return op_insert(p, op, key, payload);
  return op_change(p, op, key, payload);
}

// A transaction of a view in which this row is written here only, after this node has come to one in which it is
// written at its new place, too: were it to remove a row that another one has doubled, the new place would keep it, and
// no copy would come to mend that.
bool Worker::writes_once_too_late(const Part& part, const Operation& op) const {
  const meta::Distribution& d = part.replica->table.table->distribution;
  if (d.next.empty() || part.view == 0 || static_cast<std::uint8_t>(op.kind) >= kMirrorPut ||
      op.kind <= Op::read_exclusive)
    return false;
  if (meta::past_commit_point(d.phase) || d.phase < meta::Phase::doubling ||
      d.phase_at(part.view) >= meta::Phase::doubling)
    return false;
  return d.moves(meta::bucket_of(op.hash));
}

// Runs what is left to do; comes back here when a lock is granted.
void Worker::run_part(std::uint32_t p) {
  Part& part = parts_[p];
  part.since = now_;
  while (part.operations_left > 0) {
    const char* at = part.input.data() + part.input_at;
    auto op = load<Operation>(at);
    Bytes key(at + sizeof op, op.key_bytes);
    Bytes payload(key.data() + key.size(), op.payload_bytes);
    if (writes_once_too_late(part, op)) {
      fail_part(p, Error::stale_view);
      return;
    }
    Step s = run_op(p, op, key, payload);
    if (s == Step::wait) {
      part.state = PartState::waiting;
      return;
    }
    if (s == Step::failed && !(part.flags & kPartKeepGoing)) {
      fail_part(p, part.first_error);
      return;
    }
    part.input_at += sizeof op + op.key_bytes + op.payload_bytes;
    part.operations_left--;
  }
  part.input.clear();
  part.input_at = 0;
  part_done_running(p);
}

void Worker::part_done_running(std::uint32_t p) {
  Part& part = parts_[p];
  const bool logs = part.live > 0 && (part.direct || (part.flags & kPartPrepare) != 0);
  if (const Error e = logs ? admit(*part.replica, part.changes.size()) : Error::ok; e != Error::ok) {
    fail_part(p, e);
    return;
  }
  if (part.direct) {
    if (part.live > 0) {
      append_part(p, RecordKind::write);
    } else if (!serving()) {  // the lease ran out while it waited for a lock
      fail_part(p, Error::node_failure);
    } else {
      end_direct(p, part.first_error, wire::TxnState::committed);
    }
    return;
  }
  if (moves_rows(part)) {
    part.state = PartState::idle;
    tell_row_locked(p, true);
    return;
  }
  if ((part.flags & kPartPrepare) && part.live > 0) {
    append_part(p, RecordKind::prepare);
    return;
  }
  part.state = PartState::idle;
  tell_coordinator(part, p, wire::Type::part_reply, Error::ok);
}

void Worker::append_part(std::uint32_t p, RecordKind kind) {
  Part& part = parts_[p];
  Bytes changes = part.changes.view();
  if (part.dead > 0) {
    scratch2_.clear();
    ChangeView c;
    Bytes rest = changes;
    while (next_change(rest, &c)) {
      if (c.head.kind == ChangeKind::none) continue;
      scratch2_.put(c.head);
      scratch2_.raw(c.key);
      scratch2_.raw(c.image);
    }
    changes = scratch2_.view();
  }
  part.state = PartState::logging;
  if (kind == RecordKind::decide) {
    const Coordination& c = coords_[part.coordinator];
    scratch_.clear();
    scratch_.u16(0);
    std::uint16_t n = 0;
    for (std::uint32_t i = 1; i < c.members_used; i++) {
      if (!c.members[i].wrote) continue;
      scratch_.u32(c.members[i].ref.table);
      scratch_.u16(c.members[i].ref.fragment);
      n++;
    }
    scratch_.patch(0, n);
    scratch_.raw(changes);
    changes = scratch_.view();
  }
  append(*part.replica, kind, part.txn, kind == RecordKind::prepare ? &part.anchor : nullptr, changes, part.live, p, 0,
         kind == RecordKind::decide ? coords_[part.coordinator].epoch : 0);
}

// The changes become what readers see; locks are released in the order in which they were taken.
void Worker::apply_part(std::uint32_t p, Sequence seq) {
  Part& part = parts_[p];
  store::Fragment& rows = part.replica->rows;
  for (Touched& t : part.touched) {
    if (t.lock == 0) continue;
    if (t.removed) {
      store::RowRef ref = t.row;
      release_lock(p, t, true);
      rows.remove_ref(ref, t.hash);
      continue;
    }
    if (t.change != Touched::kNone) {
      store::RowRef ref = t.row;
      if (rows.update(&ref, t.hash, pending_image(part, t), seq) != Error::ok) {
        broken_ = true;
      }
      if (ref != t.row) {
        t.row = ref;
        locks_[t.lock].row = ref;
      }
      if (t.inserted) rows.commit_insert(ref, t.hash);
    }
    release_lock(p, t, false);
  }
  part.touched.clear();
}

void Worker::undo_part(std::uint32_t p) {
  Part& part = parts_[p];
  leave_queue(p);
  for (Touched& t : part.touched) {
    if (t.lock == 0) continue;
    if (t.inserted) {
      store::RowRef ref = t.row;
      release_lock(p, t, true);
      part.replica->rows.remove_ref(ref, t.hash);
    } else {
      release_lock(p, t, false);
    }
  }
  if (part.direct) view_ends(part.view);
  part.reset();
  parts_.give(p);
}

void Worker::end_direct(std::uint32_t p, Error e, wire::TxnState state) {
  Part& part = parts_[p];
  if (part.link != 0) {
    const bool later = part.durable && part.epoch != 0 && state == wire::TxnState::committed;
    if (later) scratch_.clear();
    Writer& w = later ? scratch_ : link_writer(part.link);
    std::size_t at = wire::begin_message(w, wire::Type::execute_reply, part.coordinator_worker, options_.worker);
    wire::ExecuteReply head{part.request, e, state, 0, part.results_count, 0, catalog_->view};
    w.put(head);
    w.raw(part.results.view());
    wire::end_message(w, at);
    if (later) hold_reply(part.link, part.epoch, w.view());
  }
  if (state == wire::TxnState::committed) {
    counters_.commits++;
  } else {
    counters_.aborts++;
  }
  undo_part(p);
}

void Worker::fail_part(std::uint32_t p, Error e) {
  Part& part = parts_[p];
  if (part.direct) {
    end_direct(p, e, wire::TxnState::aborted);
    return;
  }
  if (moves_rows(part)) {
    tell_row_locked(p, false);
  } else {
    tell_coordinator(part, p, wire::Type::part_reply, e);
  }
  undo_part(p);
}

void Worker::tell_coordinator(const Part& part, std::uint32_t p, wire::Type type, Error e) {
  if (part.coordinator_node == 0) return;
  if (type == wire::Type::part_reply) {
    if (!can_reach(part.coordinator_node)) return;
    Writer& w = link_writer(link_to(part.coordinator_node));
    std::size_t at = wire::begin_message(w, type, part.coordinator_worker, options_.worker);
    // As we see it: whoever compares asks us, too.
    const bool compared = part.replica->table.table->distribution.phase >= meta::Phase::deciding;
    PartReply r{part.coordinator,
                e == Error::ok ? p : 0,
                part.txn.session,
                part.txn.number,
                part.slot,
                e,
                part.results_count,
                static_cast<std::uint8_t>((part.flags & kPartPrepare) ? 1 : 0),
                static_cast<std::uint8_t>((part.live > 0 ? kPartWrote : 0) | (compared ? kPartReadSoon : 0))};
    w.put(r);
    w.raw(part.results.view());
    wire::end_message(w, at);
    return;
  }
  PartWord word{part.coordinator,
                p,
                part.txn.session,
                part.txn.number,
                part.replica->ref.table,
                part.replica->ref.fragment,
                part.slot,
                part.anchor,
                e,
                0,
                0};
  send(part.coordinator_node, part.coordinator_worker, type, word);
}

}  // namespace ndb::txn
