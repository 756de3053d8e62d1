// What a worker does for the epoch clock (meta/epochs.h), and clients that wait for an epoch to be durable.
#include <algorithm>

#include "txn/worker.h"

namespace ndb::txn {

bool Worker::decided_upto(Epoch e) const {
  auto& coords = const_cast<Pool<Coordination>&>(coords_);
  for (std::uint32_t c = 1; c <= coords_.made(); c++) {
    if (!coords_.used(c)) continue;
    const Coordination& x = coords[c];
    if ((x.state == CoordState::deciding || x.state == CoordState::committing) && x.epoch <= e) return false;
  }
  // Decisions inherited from an earlier primary that nobody has taken up yet.
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (!r || !r->leads()) continue;
      if (r->role == Role::takeover) return false;
      if (r->decided.any([&](const Decided& d) { return d.epoch <= e; })) return false;
    }
  }
  return true;
}

void Worker::mark_streams() {
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (r && r->leads()) r->mark = r->appended;
    }
  }
  flush_streams();
  tell_commit_points();
}

bool Worker::marks_shown() const {
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (!r || !r->leads()) continue;
      if (r->committed < r->mark) return false;
      for (const Peer& p : r->peers) {
        if (p.counts && p.shown < r->mark) return false;
      }
    }
  }
  return true;
}

Epoch Worker::durable_wanted() const {
  Epoch e = std::max(outcome_wanted_, held_replies_.empty() ? Epoch{0} : held_replies_.back().epoch);
  // A checkpoint that could make room.
  if (room_.tight && !durable_->finished.empty() && durable_->finished.back().on_disk)
    e = std::max(e, durable_->finished.back().newest);
  return e;
}

void Worker::hold_reply(env::LinkId link, Epoch epoch, Bytes message) {
  if (epoch <= catalog_->durable_epoch) {
    link_writer(link).raw(message);
    return;
  }
  HeldReply h{link, epoch, std::string(message)};
  auto at = std::upper_bound(held_replies_.begin(), held_replies_.end(), epoch,
                             [](Epoch e, const HeldReply& x) { return e < x.epoch; });
  held_replies_.insert(at, std::move(h));
}

void Worker::release_replies() {
  while (!held_replies_.empty() && held_replies_.front().epoch <= catalog_->durable_epoch) {
    const HeldReply& h = held_replies_.front();
    if (h.link != 0) link_writer(h.link).raw(h.message);
    held_replies_.pop_front();
  }
}

}  // namespace ndb::txn
