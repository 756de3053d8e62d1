// Who may still write, and who is told so (room.h).
#include "txn/room.h"

#include <set>

#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr Time kTellPeople = 60 * kSecond;
}

// What each source may have in its streams.
std::uint64_t Worker::redo_share() const {
  if (!durable_ || !durable_->running()) return RedoRoom::kAny;
  return room_.low ? 0 : room_.marks.under_way / room_.sources;
}

std::uint64_t Worker::redo_room() const {
  if (!durable_ || !durable_->running()) return RedoRoom::kAny;
  const std::uint64_t spoken_for = durable_->redo->bytes() + room_.led + room_.followed;
  const std::uint64_t room = durable_->disk.room();
  return room > spoken_for ? room - spoken_for : 0;
}

// Something of a replica that nobody waits for: what is kept for others is not for it.
bool Worker::fits_redo(std::uint64_t bytes) const {
  const std::uint64_t room = redo_room();
  if (room == RedoRoom::kAny || room > bytes + room_.marks.low) return true;
  return room >= room_.marks.ample && room > bytes + room_.marks.reserve;  // no checkpoint makes more
}

// May a record with so many bytes of changes, which nobody has been promised yet, be appended to this stream?
Error Worker::admit(const Replica& r, std::size_t bytes) const {
  if (r.ring.size() > limits::kStreamBytesMax) return Error::stream_full;
  std::uint64_t share = redo_share();
  for (const Peer& p : r.peers) share = std::min(share, room_.share_at(p.node, p.worker));
  if (share == RedoRoom::kAny) return Error::ok;
  if (share == 0) return Error::redo_full;
  const std::uint64_t open = std::uint64_t{parts_.in_use()} + coords_.in_use();
  const std::uint64_t log_bytes = bytes + RedoRoom::kEndBytes;
  if (log_bytes > share) return Error::txn_too_large;
  return room_.led + log_bytes > share || open * RedoRoom::kEndBytes > share ? Error::redo_full : Error::ok;
}

// After each change of a stream's ring or role.
void Worker::count_room(Replica& r) {
  (r.counted_led ? room_.led : room_.followed) -= r.counted;
  r.counted = r.ring.size() + RedoRoom::kEntryBytes * (r.appended - r.committed);
  r.counted_led = r.leads();
  (r.counted_led ? room_.led : room_.followed) += r.counted;
}

void Worker::count_sources() {
  std::set<std::pair<NodeId, WorkerId>> sources{{options_.node, options_.worker}};
  each_replica([&](const Replica& r) {
    if (!r.leads() && r.primary != 0) sources.emplace(r.primary, r.primary_worker);
  });
  room_.sources = static_cast<std::uint32_t>(sources.size());
}

void Worker::watch_room() {
  if (!durable_ || !durable_->running()) return;
  const std::uint64_t room = redo_room();
  const bool was_low = room_.low;
  const bool was_tight = room_.tight;
  room_.low = room < (was_low ? room_.marks.ample : room_.marks.low);
  room_.tight = room < (was_tight ? room_.marks.ample : room_.marks.tight);
  if (room_.low != was_low) {
    NDB_PROBE("txn.redo_low");
    if (room_.low && (room_.told == 0 || now_ - room_.told > kTellPeople)) {
      room_.told = now_;
      out_->log(env::Severity::warning, "the redo log is nearly full: writes wait for a checkpoint");
    }
    tell_sources();
  }
  if (was_tight && !room_.tight) resume_filling();
}

// One word to each: it is about this worker, not about the fragment.
void Worker::tell_sources() {
  std::set<std::pair<NodeId, WorkerId>> told;
  each_replica([&](const Replica& r) {
    if (r.leads() || r.primary == 0 || !told.emplace(r.primary, r.primary_worker).second) return;
    send(r.primary, r.primary_worker, wire::Type::stream_ack, stream_ack(r));
  });
}

StreamAck Worker::stream_ack(const Replica& r) const {
  return {r.ref.table, r.ref.fragment, share_to_wire(redo_share()), r.group_view, r.appended, r.committed, r.followed};
}

// Acknowledgements of rows that were held back.
void Worker::resume_filling() {
  each_replica([&](const Replica& r) {
    if (r.role != Role::joining || !r.copy_ack_held) return;
    const CopyWord w{r.ref.table, r.ref.fragment, 0, r.group_view, r.copied_batches};
    send(r.primary, r.primary_worker, wire::Type::copy_ack, w);
  });
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (r) r->copy_ack_held = false;
    }
  }
  next_round_ = now_;  // to ask for others
}

}  // namespace ndb::txn
