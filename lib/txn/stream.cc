// The replication stream of a fragment, both ends. Frames of one link arrive in order or the link breaks, so a backup
// sees records in sequence; after a broken link or a change of view it says where to go on (stream_resume).
#include <algorithm>

#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr int kAhead = 8;  // changes of a long record whose places in the index are fetched ahead

// The hash of the first row that becomes visible with a record, at a replica that applies it from its bytes.
bool first_shown(const Replica& r, const RecordHead& h, Bytes body, std::uint64_t* hash) {
  if (h.kind == RecordKind::commit) {
    const Prepared* q = r.prepared.find(h.txn());
    if (q == nullptr) return false;
    body = q->changes;
  } else if (h.kind == RecordKind::decide) {
    const std::size_t participants = body.size() < 2 ? 0 : load<std::uint16_t>(body.data());
    body.remove_prefix(std::min(body.size(), 2 + participants * 6));
  } else if (h.kind != RecordKind::write) {
    return false;
  }
  if (body.size() < sizeof(Change)) return false;
  *hash = load<Change>(body.data()).hash;
  return true;
}
}  // namespace

void Worker::mark_dirty(Replica& r) {
  if (r.dirty) return;
  r.dirty = true;
  dirty_.push_back(&r);
}

Sequence Worker::append(Replica& r, RecordKind kind, const TxnId& txn, const Anchor* anchor, Bytes changes,
                        std::uint32_t count, std::uint32_t part, std::uint64_t tag, Epoch epoch) {
  NDB_CHECK(r.leads());
  RecordHead h{};
  h.bytes = static_cast<std::uint32_t>(sizeof h + (anchor ? sizeof(Anchor) : 0) + changes.size());
  h.kind = kind;
  h.changes = static_cast<std::uint16_t>(count < 0xffff ? count : 0xffff);
  h.session = txn.session;
  h.number = txn.number;
  h.epoch = epoch != 0 ? epoch : epoch_;
  Writer& w = r.ring.tail();
  w.put(h);
  if (anchor) w.put(*anchor);
  w.raw(changes);
  r.appended++;
  counters_.stream_records++;
  if (part != 0 || tag != 0) r.pending.push_back({r.appended, part, tag});
  count_room(r);
  mark_dirty(r);
  return r.appended;
}

void Worker::send_stream(Replica& r, Peer& p) {
  const std::uint64_t end = r.ring.end();
  Writer& w = link_writer(link_to(p.node));
  std::size_t at = wire::begin_message(w, wire::Type::stream, p.worker, options_.worker);
  Sequence n = r.appended - p.sent_sequence;
  Stream s{r.ref.table, r.ref.fragment, 0, r.group_view, p.sent_sequence + 1, r.committed};
  w.put(s);
  w.u32(static_cast<std::uint32_t>(n));
  w.raw(r.ring.view(p.sent));
  wire::end_message(w, at);
  p.sent = end;
  p.sent_sequence = r.appended;
  p.told_committed = r.committed;
}

void Worker::flush_streams() {
  for (std::size_t i = 0; i < dirty_.size(); i++) {
    Replica& r = *dirty_[i];
    r.dirty = false;
    if (!r.leads()) continue;
    for (Peer& p : r.peers) {
      if (p.streaming && p.sent_sequence < r.appended && can_reach(p.node)) send_stream(r, p);
    }
    advance(r);  // without peers that count it is committed now, and may have made other streams dirty
  }
  dirty_.clear();
  for (Replica* r : acks_) {
    r->ack_due = false;
    send(r->primary, r->primary_worker, wire::Type::stream_ack, stream_ack(*r));
  }
  acks_.clear();
}

// Commits what every replica that counts has acknowledged.
void Worker::advance(Replica& r) {
  Sequence stable = r.appended;
  for (const Peer& p : r.peers) {
    if (p.counts && p.acked < stable) stable = p.acked;
  }
  if (stable > r.committed) {
    commit_to(r, stable);
    for (const Peer& p : r.peers) commits_untold_ = commits_untold_ || p.told_committed < r.committed;
    if (commits_untold_ && tell_commits_at_ == kNever) tell_commits_at_ = now_ + 5 * kMillisecond;
  }
  if (r.role == Role::takeover) settle_takeover(r);
}

// Of the record at this place of the ring. Returns the place behind it.
std::uint64_t Worker::fetch_row_of(const Replica& r, std::uint64_t at) const {
  Bytes rest = r.ring.view(at);
  RecordHead h;
  Bytes body;
  if (!next_record(rest, &h, &body)) return at;
  std::uint64_t hash = 0;
  if (first_shown(r, h, body, &hash)) r.rows.prefetch_row(hash);
  return at + h.bytes;
}

void Worker::commit_to(Replica& r, Sequence upto) {
  NDB_CHECK(upto <= r.appended);
  const bool from_bytes = !r.leads();  // Parts hold their rows; here they are fetched ahead of the records
  std::uint64_t ahead = r.ring.begin();
  for (int i = 0; from_bytes && i < kAhead; i++) ahead = fetch_row_of(r, ahead);
  while (r.committed < upto) {
    if (from_bytes) ahead = fetch_row_of(r, ahead);
    Bytes rest = r.ring.view(r.ring.begin());
    RecordHead head;
    Bytes body;
    NDB_CHECK(next_record(rest, &head, &body));
    r.committed++;
    Pending pending;
    const bool waits = !r.pending.empty() && r.pending.front().sequence == r.committed;
    if (waits) {
      pending = r.pending.front();
      r.pending.pop_front();
    }
    log_redo(r, r.committed, head.epoch, r.ring.view(r.ring.begin()).substr(0, head.bytes));
    complete(r, r.committed, head, body, waits ? &pending : nullptr);
    r.ring.release(r.ring.begin() + head.bytes);
  }
  count_room(r);
  while (!to_abort_.empty()) {
    std::uint32_t p = to_abort_.back();
    to_abort_.pop_back();
    append(r, RecordKind::abort, parts_[p].txn, nullptr, {}, 0, 0, 0);
    undo_part(p);
  }
}

// A moved row that meets the lock of a transaction here: that one wrote it on both sides and has been decided (the row
// could not have been share-locked where it came from otherwise); its image is this one, or a newer one.
// A row arrives from another fragment and a transaction holds its place here: the row goes beneath what the transaction
// is about to do. Whether that comes to pass or not (its lock at the old place may have died with the old primary), the
// right row is here.
bool Worker::put_under_writer(Replica& r, const ChangeView& c, Bytes key, Sequence seq) {
  const store::RowRef ref = r.rows.find(key, c.head.hash);
  if (ref == 0) return false;
  const std::uint32_t lock = r.rows.row(ref)->lock;
  if (lock == 0 || locks_[lock].owner == 0) return false;
  NDB_PROBE("txn.row_arrives_under_writer");
  Touched& t = parts_[locks_[lock].owner].touched[locks_[lock].op];
  if (r.rows.update(&t.row, c.head.hash, c.image, seq) != Error::ok) broken_ = true;
  locks_[lock].row = t.row;
  if (t.inserted) r.rows.commit_insert(t.row, c.head.hash);
  t.inserted = false;
  return true;
}

void Worker::apply_changes(Replica& r, Bytes changes, Sequence seq, bool arrived) {
  ChangeView c;
  store::KeyBuffer buffer;
  Bytes ahead = changes;
  ChangeView a;
  for (int i = 0; i < kAhead && next_change(ahead, &a); i++) r.rows.prefetch(a.head.hash);
  while (next_change(changes, &c)) {
    if (next_change(ahead, &a)) r.rows.prefetch(a.head.hash);
    if (c.head.kind == ChangeKind::put) {
      Bytes key = r.table.shape.key_of(c.image, buffer);
      if (arrived && put_under_writer(r, c, key, seq)) continue;
      if (r.rows.put(key, c.head.hash, c.image, seq) != Error::ok) broken_ = true;
    } else if (c.head.kind == ChangeKind::remove) {
      r.rows.remove(c.key, c.head.hash);
    }
  }
}

// What a decide record says of its participants. The rest: the anchor's own changes.
Bytes Worker::note_decision(Replica& r, const RecordHead& head, Bytes body) {
  Reader in(body);
  if (const std::uint16_t n = in.u16(); n > 0) {
    Decided& d = r.decided.make(head.txn());
    d.reset();
    d.epoch = head.epoch;
    for (std::uint16_t i = 0; i < n && !in.bad(); i++) {
      const TableId table = in.u32();
      d.participants.push_back({table, in.u16()});
    }
  }
  return body.substr(body.size() - in.left());
}

// A record is committed: its effect becomes visible. At the primary a Part usually holds it ready, with locks and row
// references; everywhere else, and for records inherited from an earlier primary, it comes from the bytes.
void Worker::complete(Replica& r, Sequence seq, const RecordHead& head, Bytes body, const Pending* pending) {
  const std::uint32_t p = pending != nullptr ? pending->part : 0;
  switch (head.kind) {
    case RecordKind::write:
      r.outcomes.put(head.txn(), Fate::committed);
      if (p != 0) {
        apply_part(p, seq);
        parts_[p].epoch = head.epoch;
        end_direct(p, parts_[p].first_error, wire::TxnState::committed);
      } else {
        apply_changes(r, body, seq);
      }
      return;
    case RecordKind::prepare: {
      if (p == 0) {
        if (body.size() < sizeof(Anchor)) return;
        r.prepared.make(head.txn()).set(load<Anchor>(body.data()), body.substr(sizeof(Anchor)));
        return;
      }
      Part& part = parts_[p];
      if (!r.leads()) {  // no longer primary: now it is what any backup holds
        r.prepared.make(head.txn()).set(load<Anchor>(body.data()), body.substr(sizeof(Anchor)));
        undo_part(p);
        return;
      }
      part.state = PartState::prepared;
      part.since = now_;
      if (part.abort_wanted) {
        NDB_PROBE("txn.abort_when_prepared");
        to_abort_.push_back(p);  // not here: the ring must not grow while it is being read
        return;
      }
      tell_coordinator(part, p, (part.flags & kPartPrepare) ? wire::Type::part_reply : wire::Type::part_prepared,
                       Error::ok);
      return;
    }
    case RecordKind::commit:
      if (p != 0) {
        tell_coordinator(parts_[p], p, wire::Type::part_done, Error::ok);
        undo_part(p);
        return;
      }
      [[fallthrough]];
    case RecordKind::abort: {
      const Prepared* q = r.prepared.find(head.txn());
      if (q == nullptr) return;
      if (head.kind == RecordKind::commit) apply_changes(r, q->changes, seq);
      r.prepared.erase(head.txn());
      return;
    }
    case RecordKind::decide: {
      r.outcomes.put(head.txn(), Fate::committed);
      body = note_decision(r, head, body);
      if (p != 0) {
        apply_part(p, seq);
        std::uint32_t c = parts_[p].coordinator;
        undo_part(p);
        decided(c);
      } else {
        apply_changes(r, body, seq);
      }
      return;
    }
    case RecordKind::decide_abort:
      std::erase(r.forbidden, head.txn());
      if (r.outcomes.get(head.txn()) == Fate::unknown) r.outcomes.put(head.txn(), Fate::aborted);
      return;
    case RecordKind::refill:
      drop_buckets(r, body);
      return;
    case RecordKind::forget:
      r.decided.erase(head.txn());
      return;
    case RecordKind::outcomes:
    case RecordKind::rows:
    case RecordKind::drop:
      if (head.kind == RecordKind::outcomes) {
        Reader in(body);
        r.outcomes.merge(in);
      } else {
        apply_changes(r, body, seq, true);
      }
      if (pending != nullptr && pending->tag != 0 && row_moved) row_moved(r.ref, pending->tag, true);
      return;
  }
}

// ---- backup

void Worker::on_stream(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(Stream) + 4) return;
  auto s = load<Stream>(m.body.data());
  auto count = load<std::uint32_t>(m.body.data() + sizeof s);
  Bytes records = m.body.substr(sizeof s + 4);
  Replica* r = replica({s.table, s.fragment});
  if (r == nullptr || r->leads() || r->primary != from || s.group_view != r->group_view) return;
  if (r->role == Role::joining && !r->resumed) return;  // its copy has not begun
  if (s.first <= r->appended) cut_stream(*r, s.first);
  if (s.first == r->appended + 1) r->followed = s.group_view;
  if (s.first != r->appended + 1) {
    send(r->primary, r->primary_worker, wire::Type::stream_resume, stream_ack(*r));
    return;
  }
  // Walk the records once: what is damaged must not get into the ring.
  Bytes rest = records;
  RecordHead h;
  Bytes body;
  std::uint32_t n = 0;
  while (next_record(rest, &h, &body)) {
    // Applied when their commit point comes, in a moment: the index can be fetched meanwhile.
    std::uint64_t hash = 0;
    if (first_shown(*r, h, body, &hash)) r->rows.prefetch(hash);
    n++;
  }
  if (n != count || !rest.empty()) {
    out_->log(env::Severity::error, "damaged replication stream, ignored");
    return;
  }
  if (r->role == Role::joining && !r->filled && !fits_redo(records.size() + n * RedoRoom::kEntryBytes)) {
    NDB_PROBE("txn.joining_overrun");
    restart_filling(*r);
    next_round_ = now_;  // the primary may wait for it
    return;
  }
  r->ring.tail().raw(records);
  r->appended += n;
  count_room(*r);
  Sequence upto = s.committed < r->appended ? s.committed : r->appended;
  const bool shows_more = upto > r->committed;
  if (shows_more) commit_to(*r, upto);
  if ((n != 0 || shows_more) && !r->ack_due) {
    r->ack_due = true;
    acks_.push_back(r);
  }
}

void Worker::on_stream_ack(const StreamAck& a, NodeId from, bool resume) {
  Replica* r = replica({a.table, a.fragment});
  if (r == nullptr || a.group_view > r->group_view) {
    if (resume && early_resumes_.size() < 65536) early_resumes_.emplace_back(from, a);
    return;
  }
  if (!r->leads() || a.group_view != r->group_view) return;
  Peer* p = r->peer(from);
  if (p == nullptr) return;
  // A backup may have been told more than a new primary knows to be committed yet, which holds it all the same.
  p->shown = std::max(p->shown, Sequence{a.committed});
  if (!resume) {
    if (a.held > p->acked && a.held <= p->sent_sequence) {
      p->acked = a.held;
      if (p->counts) advance(*r);
    }
    return;
  }
  // Who has not followed us yet may hold records of an earlier primary behind the place where we took over. We may have
  // appended there ourselves: the same numbers, other records.
  const Sequence ours = a.followed < r->reign ? r->takeover_end : r->appended;
  const Sequence held = std::min(Sequence{a.held}, ours);
  if (held < r->committed) {  // only a joining replica can lack what is committed: it has to begin anew
    NDB_PROBE("txn.resume_behind_commit");
    out_->log(env::Severity::warning, "node " + std::to_string(from) + " resumes a stream behind its commit point");
    return;
  }
  std::uint64_t at = r->ring.begin();
  Bytes rest = r->ring.view(at);
  for (Sequence i = r->committed; i < held; i++) {
    RecordHead h;
    Bytes body;
    NDB_CHECK(next_record(rest, &h, &body));
    at += h.bytes;
  }
  p->streaming = true;
  p->acked = held;
  p->sent = at;
  p->sent_sequence = held;
  if (can_reach(p->node)) send_stream(*r, *p);  // even when empty: it cuts off what the peer has too much
  advance(*r);
}

void Worker::tell_commit_points() {
  tell_commits_at_ = kNever;
  commits_untold_ = false;
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (!r || !r->leads()) continue;
      for (Peer& p : r->peers) {
        if (p.streaming && p.told_committed < r->committed && can_reach(p.node)) send_stream(*r, p);
      }
    }
  }
}

}  // namespace ndb::txn
