// Changes of view: who is primary, who is backup, and what becomes of what was under way.
//
// A new primary commits all that its stream holds: some of it may have been acknowledged to clients. Peers tell it how
// far they are (stream_resume); who has less gets the rest, who has more cuts back to it: nobody can have acknowledged
// that. Transactions prepared in the stream are settled by asking the primary of their anchor. Until both is done the
// fragment serves nobody (role takeover); clients repeat.
#include <algorithm>

#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

void Worker::set_catalog(std::shared_ptr<const meta::Catalog> catalog) {
  const View old_view = catalog_->view;
  catalog_ = std::move(catalog);
  release_replies();
  if (catalog_->view == old_view) return;
  update_tables(*catalog_);
  check_coordinations();
  std::vector<std::pair<NodeId, StreamAck>> early;
  early.swap(early_resumes_);
  for (auto& [node, a] : early) on_stream_ack(a, node, true);
}

namespace {
// The view with which each fragment was made that the running reorganisation made; 0 = it is older. A job may be rolled
// back and the next one make fragments of the same numbers, and a node may come to know both at once: they are not the
// same.
View born_in(const meta::Distribution& d, const std::vector<bool>& old, FragmentId f) {
  return d.steps.empty() || old[f] ? 0 : d.steps.front().view;
}
}  // namespace

void Worker::update_tables(const meta::Catalog& c) {
  const meta::Node* self = c.node(options_.node);
  for (auto& t : tables_) {
    if (t && c.table(t->table->id) == nullptr) {
      for (auto& r : t->replicas) drop_replica(std::move(r));
      dropped_.push_back(std::move(t));
    }
  }
  for (const auto& [id, table] : c.tables) {
    if (id >= tables_.size()) tables_.resize(id + 1);
    if (!tables_[id]) {
      auto shape = store::RowShape::make(*table);
      NDB_CHECK(shape.ok());
      tables_[id] = std::make_unique<TableState>();
      tables_[id]->shape = std::move(*shape);
      tables_[id]->guarded = table->kept_by_clients();
    }
    TableState& t = *tables_[id];
    t.table = table;
    const meta::Distribution& d = table->distribution;
    while (t.replicas.size() > d.groups.size()) {
      drop_replica(std::move(t.replicas.back()));
      t.replicas.pop_back();
    }
    t.replicas.resize(d.groups.size());
    std::vector<bool> old(d.groups.size());
    for (const FragmentId f : d.map) old[f] = true;
    for (FragmentId f = 0; f < d.groups.size(); f++) {
      const bool here = self != nullptr && self->group != kNoGroup && d.groups[f] == self->group &&
                        self->state != meta::NodeState::down && c.worker(*self, f) == options_.worker;
      if (!here) {
        if (t.replicas[f]) drop_replica(std::move(t.replicas[f]));
        continue;
      }
      const View born = born_in(d, old, f);
      if (t.replicas[f] && born != 0 && t.replicas[f]->born != born && t.replicas[f]->group_view != 0) {
        drop_replica(std::move(t.replicas[f]));
      }
      if (!t.replicas[f]) {
        t.replicas[f] = std::make_unique<Replica>(FragmentRef{id, f}, t, slab_, memory_);
        t.replicas[f]->group = d.groups[f];
        t.replicas[f]->born = born;
        t.replicas[f]->role = self->state == meta::NodeState::in_sync ? Role::backup : Role::joining;
        log_created(*t.replicas[f]);
      }
      update_replica(*t.replicas[f], c);
    }
  }
  count_sources();
}

void Worker::update_replica(Replica& r, const meta::Catalog& c) {
  const meta::Group* g = c.group(r.group);
  const meta::Node* self = c.node(options_.node);
  NDB_CHECK(g != nullptr && self != nullptr);
  const View view = std::max(g->view, r.born);
  if (view == r.group_view) return;
  const bool was_leading = r.leads();
  const bool restarted = g->restarted > r.group_view;
  r.group_view = view;
  r.primary = c.primary(r.group, r.ref.fragment);
  const meta::Node* pn = c.node(r.primary);
  r.primary_worker = pn == nullptr ? WorkerId{0} : c.worker(*pn, r.ref.fragment);
  if (self->state == meta::NodeState::joining) {
    restart_filling(r);
    return;
  }
  if (restarted) {
    NDB_PROBE("txn.streams_begin_anew");
    // The whole cluster came back from its disks at one epoch: every replica is the same, nothing is under way, and the
    // streams begin anew at a place that lies behind all that was.
    r.ring.reset();
    r.pending.clear();
    r.prepared.clear();
    r.decided.clear();
    r.appended = r.committed = g->restarted << 20;
    count_room(r);
  }
  if (r.primary == options_.node) {
    become_primary(r, c, was_leading);
  } else {
    become_backup(r, was_leading);
  }
}

void Worker::become_primary(Replica& r, const meta::Catalog& c, bool was_leading) {
  std::vector<Peer> old = std::move(r.peers);
  r.peers.clear();
  for (NodeId n : c.backups(r.group, r.ref.fragment)) {
    Peer p;
    p.node = n;
    p.worker = c.worker(*c.node(n), r.ref.fragment);
    p.counts = true;
    p.acked = r.committed;
    p.sent = r.ring.begin();
    p.sent_sequence = r.committed;
    p.told_committed = 0;
    r.peers.push_back(p);  // streaming begins with its stream_resume in this view
  }
  std::erase_if(r.copies, [](const CopySession&) { return true; });
  if (!was_leading) {
    r.role = Role::takeover;
    r.tail_settled = false;
    r.takeover_end = r.appended;
    r.reign = r.group_view;
  }
  count_room(r);
  mark_dirty(r);
  advance(r);
}

void Worker::become_backup(Replica& r, bool was_leading) {
  if (was_leading) fail_running_parts(r);
  r.role = Role::backup;
  count_room(r);
  r.forbidden.clear();
  r.peers.clear();
  r.copies.clear();
  r.resumed = true;
  send(r.primary, r.primary_worker, wire::Type::stream_resume, stream_ack(r));
}

// This node is not the fragment's primary any more. What is in the stream stays (the new primary decides); prepared
// parts become what a backup knows of them; the rest has not happened.
void Worker::fail_running_parts(Replica& r) {
  for (std::uint32_t p : r.frozen_waiters) {
    if (parts_.used(p) && parts_[p].state == PartState::waiting && parts_[p].replica == &r) parts_[p].wait_ticket = 0;
  }
  r.frozen_waiters.clear();
  r.frozen_from = r.frozen_to = 0;
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || parts_[p].replica != &r) continue;
    Part& part = parts_[p];
    switch (part.state) {
      case PartState::logging:
      case PartState::finishing:
        break;  // their record is in the stream
      case PartState::prepared:
        hand_over_prepared(r, p);
        break;
      default:
        fail_part(p, Error::node_failure);
    }
  }
}

// A prepared part becomes what a backup knows of it.
void Worker::hand_over_prepared(Replica& r, std::uint32_t p) {
  Part& part = parts_[p];
  Prepared& q = r.prepared.make(part.txn);
  q.set(part.anchor, {});
  ChangeView c;
  Bytes rest = part.changes.view();
  while (next_change(rest, &c)) {
    if (c.head.kind == ChangeKind::none) continue;
    q.changes.append(reinterpret_cast<const char*>(&c.head), sizeof c.head);
    q.changes.append(c.key);
    q.changes.append(c.image);
  }
  undo_part(p);
}

// Forgets records from `first` on: the primary of this view never had them.
void Worker::cut_stream(Replica& r, Sequence first) {
  NDB_PROBE("txn.cut_stream");
  NDB_CHECK(first > r.committed);
  std::uint64_t at = r.ring.begin();
  Bytes rest = r.ring.view(at);
  for (Sequence i = r.committed + 1; i < first; i++) {
    RecordHead h;
    Bytes body;
    NDB_CHECK(next_record(rest, &h, &body));
    at += h.bytes;
  }
  r.ring.cut(at);
  r.appended = first - 1;
  count_room(r);
  while (!r.pending.empty() && r.pending.back().sequence >= first) {
    Pending pending = r.pending.back();
    r.pending.pop_back();
    if (pending.tag != 0 && row_moved) row_moved(r.ref, pending.tag, false);
    if (pending.part == 0 || !parts_.used(pending.part)) continue;
    Part& part = parts_[pending.part];
    if (part.state == PartState::finishing) {
      // Decided and shown, but by no record any more: the new primary will hear of it from the anchor and append one,
      // or we shall, if we lead again before.
      NDB_PROBE("txn.cut_a_finishing_part");
      hand_over_prepared(r, pending.part);
    } else if (part.direct) {
      fail_part(pending.part, Error::node_failure);
    } else {
      // a decide record that never was: the coordination is still here
      std::uint32_t c = part.coordinator;
      const bool deciding = part.coordinator_node == options_.node && coords_.used(c) && coords_[c].txn == part.txn &&
                            coords_[c].state == CoordState::deciding && coords_[c].members_used > 0 &&
                            coords_[c].members[0].ref == r.ref;
      if (deciding) {
        NDB_PROBE("txn.cut_a_decision");
        coords_[c].state = CoordState::executing;
        coords_[c].members[0].part = 0;
        undo_part(pending.part);
        abort_coordination(c, Error::node_failure, true);
      } else {
        fail_part(pending.part, Error::node_failure);
      }
    }
  }
}

void Worker::settle_takeover(Replica& r) {
  if (r.committed < r.takeover_end) return;
  for (const Peer& p : r.peers) {
    if (p.counts && !p.streaming) return;
  }
  r.tail_settled = true;
  if (r.prepared.empty()) {
    r.role = Role::primary;
    adopt_decisions(r);
    return;
  }
  if (next_round_ > now_ + kMillisecond) next_round_ = now_;  // ask their anchors soon
}

// Decisions that an earlier primary did not see through: somebody has to tell the participants, and to forget.
void Worker::adopt_decisions(Replica& r) {
  r.decided.each([&](const TxnId& txn, const Decided& d) {
    bool known = false;
    for (std::uint32_t c = 1; c <= coords_.made(); c++) known = known || (coords_.used(c) && coords_[c].txn == txn);
    const std::uint32_t n = known ? 0 : coords_.take();
    if (n == 0) return;
    Coordination& c = coords_[n];
    c.reset();
    c.txn = txn;
    c.link = 0;
    c.view = catalog_->view;
    view_begins(c.view);
    c.epoch = d.epoch;
    NDB_PROBE("txn.adopt_a_decision");
    c.state = CoordState::committing;
    member_for(c, r.ref);
    c.members[0].done = true;
    for (const FragmentRef& f : d.participants) {
      member_for(c, f);
      c.outstanding++;
    }
  });
  if (!r.decided.empty()) resend_commits();
}

// A joining replica begins anew: from whom it is filled, or who waits for it, may have changed.
void Worker::restart_filling(Replica& r) {
  if (r.leads()) fail_running_parts(r);
  r.role = Role::joining;
  r.forbidden.clear();
  r.filled = false;
  r.resumed = false;
  r.copied_batches = 0;
  r.copy_ack_held = false;
  r.copy_asked = 0;
  r.peers.clear();
  r.copies.clear();
  r.ring.reset();
  r.pending.clear();
  r.appended = r.committed = 0;
  count_room(r);
}

void Worker::drop_replica(std::unique_ptr<Replica> r) {
  if (!r) return;
  log_dropped(*r);
  fail_running_parts(*r);
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || parts_[p].replica != r.get()) continue;
    fail_part(p, Error::no_such_table);
  }
  while (!r->pending.empty()) {
    if (r->pending.back().tag != 0 && row_moved) row_moved(r->ref, r->pending.back().tag, false);
    r->pending.pop_back();
  }
  for (std::uint32_t s = 1; s <= scans_.made(); s++) {
    if (!scans_.used(s) || scans_[s].replica != r.get()) continue;
    scan_reply(scans_[s].link, 0, scans_[s].request, s, Error::stale_view, true, scans_[s].scanned);
    close_scan(s);
  }
  std::erase(dirty_, r.get());
  std::erase(acks_, r.get());
  r->ring.reset();
  r->appended = r->committed;
  count_room(*r);
  graveyard_.push_back(std::move(r));
}

// Participants that are not where they were: undecided transactions are aborted, decided ones told to the heirs.
void Worker::check_coordinations() {
  for (std::uint32_t n = 1; n <= coords_.made(); n++) {
    if (!coords_.used(n)) continue;
    Coordination& c = coords_[n];
    if (c.state == CoordState::committing) {
      c.resent = 0;
      continue;
    }
    if (c.state == CoordState::deciding) continue;
    for (std::uint32_t i = 0; i < c.members_used; i++) {
      const Member& m = c.members[i];
      const meta::Table* t = catalog_->table(m.ref.table);
      if (t != nullptr && m.ref.fragment < t->distribution.groups.size() &&
          catalog_->primary(t->distribution.groups[m.ref.fragment], m.ref.fragment) == m.node) {
        continue;
      }
      abort_coordination(n, Error::node_failure, true);
      break;
    }
  }
  resend_commits();
}

// Prepared parts whose coordinator is silent, and prepared transactions inherited from an earlier primary.
void Worker::ask_anchors() {
  auto ask = [&](const TxnId& txn, const Anchor& anchor, FragmentRef ref, std::uint32_t part) {
    const meta::Table* t = catalog_->table(anchor.table);
    if (t == nullptr || anchor.fragment >= t->distribution.groups.size()) return;
    NodeId primary = catalog_->primary(t->distribution.groups[anchor.fragment], anchor.fragment);
    const meta::Node* n = catalog_->node(primary);
    if (n == nullptr) return;
    PartWord w{0, part, txn.session, txn.number, ref.table, ref.fragment, 0, anchor, Error::ok, 0, 0};
    send(primary, catalog_->worker(*n, anchor.fragment), wire::Type::part_ask, w);
  };
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p)) continue;
    Part& part = parts_[p];
    if (part.state != PartState::prepared || now_ - part.since < 200 * kMillisecond) continue;
    if (now_ - part.asked < 100 * kMillisecond) continue;
    part.asked = now_;
    ask(part.txn, part.anchor, part.replica->ref, p);
  }
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (!r || !r->leads() || !r->tail_settled) continue;
      r->prepared.each([&](const TxnId& txn, const Prepared& q) {
        if (!q.aborting) ask(txn, q.anchor, r->ref, 0);
      });
    }
  }
}

}  // namespace ndb::txn
