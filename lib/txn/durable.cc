#include "txn/durable.h"

#include <algorithm>
#include <utility>

#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr std::size_t kCheckpointPiece = 64u << 10;    // of rows, in one step: about 50 us
constexpr Time kCheckpointPause = 250 * kMicrosecond;  // then whatever waits has its turn
constexpr std::size_t kCheckpointBacklog = 4u << 20;
// Bytes of redo since the last checkpoint began that call for the next one; a small log calls earlier.
std::uint64_t checkpoint_after(const store::RedoLayout& l) {
  return std::min<std::uint64_t>(std::uint64_t{64} << 20, l.capacity() / 4);
}
}  // namespace

// ---- the state of a replica beside its rows: for checkpoints and for copies

void Worker::encode_state(const Replica& r, Writer& w) {
  const std::size_t at = w.size();
  w.u32(0);
  std::uint32_t count = 0;
  auto put = [&](const TxnId& t, const Anchor& a, Bytes changes) {
    w.u64(t.session);
    w.u64(t.number);
    w.put(a);
    w.bytes32(changes);
    count++;
  };
  r.prepared.each([&](const TxnId& txn, const Prepared& q) { put(txn, q.anchor, q.changes); });
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || parts_[p].replica != &r) continue;
    // Prepared, or its commit record is still to come.
    if (parts_[p].state != PartState::prepared && parts_[p].state != PartState::finishing) continue;
    put(parts_[p].txn, parts_[p].anchor, parts_[p].changes.view());
  }
  w.patch(at, count);
  w.u32(static_cast<std::uint32_t>(r.decided.size()));
  r.decided.each([&](const TxnId& txn, const Decided& d) {
    w.u64(txn.session);
    w.u64(txn.number);
    w.u64(d.epoch);
    w.u16(static_cast<std::uint16_t>(d.participants.size()));
    for (const FragmentRef& f : d.participants) {
      w.u32(f.table);
      w.u16(f.fragment);
    }
  });
  r.outcomes.encode(w);
}

bool Worker::decode_state(Replica& r, Reader& in) {
  r.prepared.clear();
  r.decided.clear();
  std::uint32_t n = in.u32();
  for (std::uint32_t i = 0; i < n && !in.bad(); i++) {
    TxnId t;
    t.session = in.u64();
    t.number = in.u64();
    auto a = in.get<Anchor>();
    r.prepared.make(t).set(a, in.text());
  }
  n = in.u32();
  for (std::uint32_t i = 0; i < n && !in.bad(); i++) {
    TxnId t;
    t.session = in.u64();
    t.number = in.u64();
    Decided& d = r.decided.make(t);
    d.reset();
    d.epoch = in.u64();
    const std::uint16_t participants = in.u16();
    for (std::uint16_t k = 0; k < participants && !in.bad(); k++) {
      const TableId table = in.u32();
      d.participants.push_back({table, in.u16()});
    }
  }
  return !in.bad() && r.outcomes.decode(in);
}

// ---- redo

void Worker::attach_disk(store::Disk& disk, const store::DiskIdentity& identity, std::uint64_t life) {
  durable_ = std::make_unique<Durable>(disk, identity, life);
}

void Worker::log_redo(const Replica& r, Sequence seq, Epoch epoch, Bytes record) {
  if (durable_ && durable_->running()) durable_->redo->record(r.ref, seq, epoch, record);
}

void Worker::log_created(Replica& r) {
  if (!durable_ || !durable_->running()) return;
  durable_->redo->created(r.ref, epoch_);
  r.logged = true;
  if (durable_->writer) durable_->writer->forget(r.ref);
}

void Worker::log_dropped(const Replica& r) {
  if (!durable_ || !durable_->running()) return;
  durable_->redo->dropped(r.ref, epoch_);
  if (durable_->writer) durable_->writer->forget(r.ref);
}

void Worker::end_redo() {
  if (!durable_ || !durable_->running() || durable_->redo->empty()) return;
  if (!durable_->disk.append(durable_->redo->take(durable_->disk.durable(), epoch_))) {
    out_->log(env::Severity::critical, "the redo log is full: a replica could not log what it had to");
    durable_->failed = true;
  }
  durable_->redo->clear();
}

void Worker::flush_epoch(Epoch e) {
  if (!durable_) {
    flushed_epoch_ = std::max(flushed_epoch_, e);
    return;
  }
  if (!durable_->running()) return;
  if (durable_->filled != 0) durable_->redo->filled(std::exchange(durable_->filled, 0));
  durable_->redo->complete(e);
  end_redo();
  const std::uint64_t tag = disk_tag();
  durable_->flushes.push_back({tag, e});
  durable_->disk.flush(tag);
}

std::uint64_t Worker::disk_tag() {
  return kDiskTag | static_cast<std::uint64_t>(options_.worker) << 48 | durable_->next_tag++;
}

void Worker::on_disk(std::uint64_t tag, int status) {
  if (!durable_) return;
  if (status != 0) {
    out_->log(env::Severity::critical, durable_->disk.failure().sentence());
    durable_->failed = true;
    return;
  }
  for (std::size_t i = 0; i < durable_->flushes.size(); i++) {
    if (durable_->flushes[i].tag != tag) continue;
    flushed_epoch_ = std::max(flushed_epoch_, durable_->flushes[i].epoch);
    durable_->flushes.erase(durable_->flushes.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
  if (tag == durable_->finish_tag) {
    durable_->finish_tag = 0;
    if (!durable_->finished.empty()) durable_->finished.back().on_disk = true;
  }
}

bool Worker::files_damaged() const { return durable_ && durable_->damaged; }
bool Worker::disk_failed() const { return durable_ && durable_->failed; }

// ---- checkpoints

store::Fragment* Worker::next(store::CheckpointFragment* f, Writer& state) {
  FragmentRef& at = durable_->next_replica;
  for (; at.table < tables_.size(); at = {at.table + 1, 0}) {
    if (!tables_[at.table]) continue;
    const auto& replicas = tables_[at.table]->replicas;
    while (at.fragment < replicas.size()) {
      Replica* r = replicas[at.fragment++].get();
      if (r == nullptr) continue;
      *f = {r->ref, r->committed, durable_->redo->position()};
      encode_state(*r, state);
      return &r->rows;
    }
  }
  return nullptr;
}

void Worker::checkpoint_step(bool allowed) {
  if (!durable_ || !durable_->running()) return;
  Durable& d = *durable_;
  // What the newest usable checkpoint makes superfluous.
  for (std::size_t i = d.finished.size(); i-- > 0;) {
    if (!d.finished[i].on_disk || d.finished[i].newest > catalog_->durable_epoch) continue;
    if (i == 0 && d.kept == d.finished[i].from) break;  // done
    NDB_PROBE("txn.trim_behind_checkpoint");
    for (std::size_t k = 0; k < i; k++) d.disk.remove_checkpoint(d.finished[k].id);
    d.disk.trim(d.finished[i].from);
    d.kept = d.finished[i].from;
    d.finished.erase(d.finished.begin(), d.finished.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  if (!d.writer) {
    if (d.finish_tag != 0 || d.finished.size() > 1) return;
    const std::uint64_t since = d.redo->position() - d.redo_at_last;
    const bool early =
        since >= room_.marks.early && d.disk.layout().room(d.kept, d.redo->position()) < room_.marks.ample;
    if (!early && !(allowed && since >= checkpoint_after(d.disk.layout()))) return;
    store::CheckpointHead h;
    h.identity = d.identity;
    h.id = d.id++;
    end_redo();
    h.from = d.redo->place();
    h.complete = flushed_epoch_;
    d.redo_at_last = d.redo->position();
    d.next_replica = {};
    d.writer = std::make_unique<store::CheckpointWriter>(h, static_cast<store::CheckpointWriter::Source&>(*this));
    d.disk.begin_checkpoint(h.id);
  }
  if (now_ < d.next_piece) return;
  d.next_piece = now_ + kCheckpointPause;
  if (d.disk.checkpoint_backlog() < kCheckpointBacklog) {
    Bytes piece = d.writer->step(kCheckpointPiece);
    if (!piece.empty()) d.disk.write_checkpoint(d.writer->head().id, piece);
  }
  if (!d.writer->scanned()) return;
  d.disk.write_checkpoint(d.writer->head().id, d.writer->end(epoch_));
  d.finish_tag = disk_tag();
  d.disk.finish_checkpoint(d.writer->head().id, d.finish_tag);
  d.finished.push_back({d.writer->head().id, d.writer->head().from.position, epoch_, false});
  d.writer.reset();
}

// ---- the way back

bool Worker::recovered() const { return !durable_ || durable_->running(); }
Epoch Worker::restored() const { return durable_ ? durable_->restored : 0; }
Epoch Worker::filled_epoch() const { return durable_ ? durable_->filled : 0; }

const char* Worker::recovering(int* percent) const {
  *percent = durable_ && durable_->recovery ? durable_->recovery->percent() : 0;
  return durable_ && durable_->recovery ? durable_->recovery->doing() : "";
}

// A bounded piece of the recovery. Ends with a running redo log; what could not be used is left to the peers.
bool Worker::recover_some() {
  if (recovered()) return true;
  Durable& d = *durable_;
  if (d.damaged) return false;
  if (!d.recovery) {
    store::RecoveryOptions o;
    o.upto = d.upto = catalog_->durable_epoch;
    o.exactly = false;
    d.recovery = std::make_unique<store::Recovery>(d.disk, static_cast<store::RecoverySink&>(*this), o);
  }
  const auto state = d.recovery->step(std::size_t{2} << 20);  // heartbeats go on in between
  if (state == store::Recovery::State::working) return false;
  for (const std::string& n : d.recovery->report().notes) out_->log(env::Severity::warning, n);
  if (state == store::Recovery::State::failed) {
    out_->log(env::Severity::error, d.recovery->failure().sentence());
    NDB_PROBE("txn.recovery_failed");
    const bool memory = d.recovery->failure().error == Error::memory_full;
    (memory ? d.failed : d.damaged) = true;  // refused with file and offset: a peer's rows, --initial, or repair
    return false;
  }
  const store::Recovery::Report& r = d.recovery->report();
  // All rows of a group that held no fragment at the durable epoch are later: nothing is exactly what it held.
  const meta::Node* self = catalog_->node(options_.node);
  const meta::Group* group = self == nullptr ? nullptr : catalog_->group(self->group);
  const bool young = group != nullptr && group->since == d.upto;
  if (young || (!r.empty && r.epoch == d.upto)) d.restored = d.upto + 1;
  out_->log(env::Severity::info, "recovered epoch " + std::to_string(r.epoch) + ": " + std::to_string(r.rows) +
                                     " rows of checkpoint " + std::to_string(r.checkpoint) + ", " +
                                     std::to_string(r.applied) + " records of the redo log");
  d.disk.start(r.keep.position, r.end);
  for (std::uint64_t id : r.checkpoints) {
    if (id != r.checkpoint) d.disk.remove_checkpoint(id);
  }
  if (r.checkpoint != 0) d.finished.push_back({r.checkpoint, r.keep.position, r.epoch, true});
  d.id = r.checkpoint_next;
  d.redo_at_last = d.kept = r.keep.position;
  room_.marks = RedoMarks(d.disk.layout());
  d.redo = std::make_unique<store::RedoWriter>(r.end, d.life);
  flushed_epoch_ = r.epoch;
  if (!r.empty) d.redo->restarted(r.epoch);
  d.recovery.reset();
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& p : t->replicas) {
      if (p && !p->logged) log_created(*p);
    }
  }
  end_redo();
  d.disk.flush(disk_tag());  // what the restart made void must stay so
  return true;
}

void Worker::empty(Replica& r, bool logged) {
  while (r.rows.drop_some()) {
  }
  r.prepared.clear();
  r.decided.clear();
  r.outcomes.clear();
  r.logged = logged;
}

void Worker::reset() {
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (r) empty(*r, false);
    }
  }
}

Failure Worker::fragment(const store::CheckpointFragment& f, Bytes state) {
  Replica* r = replica(f.ref);
  if (r == nullptr) return {};
  Reader in(state);
  if (!decode_state(*r, in)) return {Error::bad_message, "the state of a fragment in a checkpoint is damaged"};
  r->logged = true;
  return {};
}

Failure Worker::state(const FragmentRef& ref, Bytes state) {
  Replica* r = replica(ref);
  Reader in(state);
  if (r == nullptr || decode_state(*r, in)) return {};
  return {Error::bad_message, "the state of a fragment in the redo log is damaged"};
}

Failure Worker::row(const FragmentRef& ref, Sequence seq, Bytes image) {
  Replica* r = replica(ref);
  if (r == nullptr) return {};
  const store::RowShape& shape = r->table.shape;
  if (!shape.valid_image(image)) return {Error::bad_row_image, "a row in a checkpoint does not fit its table"};
  store::KeyBuffer buffer;
  Bytes key = shape.key_of(image, buffer);
  if (r->rows.put(key, shape.hash(key), image, seq) != Error::ok) {
    return {Error::memory_full, "DataMemory is too small for what this node had; raise it"};
  }
  return {};
}

Failure Worker::fragment_end(const FragmentRef&) { return {}; }

Failure Worker::created(const FragmentRef& ref) {
  if (Replica* r = replica(ref)) empty(*r, true);
  return {};
}

Failure Worker::dropped(const FragmentRef& ref) {
  if (Replica* r = replica(ref)) empty(*r, false);
  return {};
}

Failure Worker::apply(const FragmentRef& ref, Sequence seq, Epoch, Bytes record) {
  Replica* r = replica(ref);
  if (r == nullptr) return {};
  RecordHead head;
  Bytes body;
  if (!next_record(record, &head, &body)) return {Error::bad_message, "a record of the redo log is damaged"};
  complete(*r, seq, head, body, nullptr);
  return broken_ ? Failure{Error::memory_full, "DataMemory is too small for what this node had; raise it"} : Failure{};
}

}  // namespace ndb::txn
