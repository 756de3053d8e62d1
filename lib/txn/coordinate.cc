// The coordinator of a transaction: sends each operation to the primaries of its write targets, first ones first,
// then, for rows on the move, the result to the second ones; then commits.
//
//   client      coordinator = primary of the anchor      other primaries (each: its stream to its backups)
//     | execute ->|                                          |
//     |           | part_execute (+prepare) ---------------->| locks, changes, "prepared" record
//     |           |<------------------------ part_reply -----| when all its replicas hold it
//     |           | "decide" record in the anchor's stream   |
//     |           |====== commit point: all replicas of the anchor hold the record ======
//     |           | part_commit ---------------------------->| shows it, "commit" record
//     |<- reply --|<---------------- part_done (shown) ------|
//     |           |<------------------------ part_done ------| when all its replicas hold it
//     |           | "forget" record in the anchor's stream   |
//
// Lost above the line: aborted (a prepared participant asks the anchor's primary, who forbids a late commit by an
// "aborted" record). Below: committed, whoever has to find out.
#include "txn/worker.h"

namespace ndb::txn {

using wire::Op;
using wire::Operation;
using wire::TxnState;

namespace {
Operation op_at(const Coordination& c, const Doing& d, Bytes* key, Bytes* payload) {
  auto op = load<Operation>(c.body.data() + d.at);
  *key = c.body.view().substr(d.at + sizeof op, op.key_bytes);
  *payload = c.body.view().substr(d.at + sizeof op + op.key_bytes, op.payload_bytes);
  return op;
}
bool is_write(Op k) { return k >= Op::insert; }
// To the participant at this place of the coordination.
PartWord part_word(std::uint32_t n, const Coordination& c, std::uint32_t slot) {
  const auto& m = c.members[slot];
  const FragmentRef anchor = c.members[0].ref;
  PartWord w{};
  w.coordinator = n;
  w.part = m.part;
  w.session = c.txn.session;
  w.number = c.txn.number;
  w.table = m.ref.table;
  w.fragment = m.ref.fragment;
  w.slot = static_cast<std::uint16_t>(slot);
  w.anchor = {anchor.table, anchor.fragment, 0};
  w.error = Error::ok;
  w.epoch = c.epoch;
  return w;
}

}  // namespace

std::uint16_t Worker::member_for(Coordination& c, FragmentRef ref) {
  for (std::uint32_t i = 0; i < c.members_used; i++) {
    if (c.members[i].ref == ref) return static_cast<std::uint16_t>(i);
  }
  if (c.members_used == c.members.size()) c.members.emplace_back();
  Member& m = c.members[c.members_used++];
  m.ref = ref;
  m.part = 0;
  m.busy = m.wrote = m.locked = m.prepared = m.awaited = m.done = false;
  m.sent.clear();
  const meta::Table* t = catalog_->table(ref.table);
  GroupId g =
      t == nullptr || ref.fragment >= t->distribution.groups.size() ? kNoGroup : t->distribution.groups[ref.fragment];
  m.node = catalog_->primary(g, ref.fragment);
  const meta::Node* n = catalog_->node(m.node);
  m.worker = n == nullptr ? WorkerId{0} : catalog_->worker(*n, ref.fragment);
  return static_cast<std::uint16_t>(c.members_used - 1);
}

// Names the first target of every operation; the very first one of a transaction is the anchor, and must be ours.
Error Worker::plan_round_one(Coordination& c, std::uint32_t, const wire::Execute&) {
  for (std::uint32_t i = 0; i < c.members_used; i++) c.members[i].sent.clear();
  for (std::size_t i = 0; i < c.doing.size(); i++) {
    Doing& d = c.doing[i];
    Bytes key, payload;
    Operation op = op_at(c, d, &key, &payload);
    const meta::Distribution& dist = table_state(op.table)->table->distribution;
    const meta::Phase phase = dist.phase_at(c.view);
    const std::uint16_t bucket = meta::bucket_of(op.hash);
    meta::Targets t = op.kind == Op::read ? meta::Targets{dist.read_target(bucket, phase), 0, false}
                                          : dist.write_targets(bucket, phase);
    d.doubled = t.two && is_write(op.kind);
    d.second = t.second;
    std::uint16_t slot = member_for(c, {op.table, t.first});
    Member& m = c.members[slot];
    if (m.node == 0 || !can_reach(m.node)) return Error::not_ready;
    m.awaited = true;
    if (slot == 0 && m.part == 0) {
      Replica* r = replica(m.ref);
      if (r == nullptr || r->role == Role::backup || r->role == Role::joining) return Error::stale_view;
      if (r->role == Role::takeover) return Error::not_ready;
      if (m.node != options_.node || m.worker != options_.worker) return Error::stale_view;
    }
    m.sent.push_back(static_cast<std::uint16_t>(i));
  }
  return Error::ok;
}

void Worker::send_round(std::uint32_t n, bool second) {
  Coordination& c = coords_[n];
  const bool whole = (c.flags & (wire::kBegin | wire::kCommit)) == (wire::kBegin | wire::kCommit);
  bool doubled = false;
  for (const Doing& d : c.doing) doubled = doubled || d.doubled;
  c.outstanding = 0;
  for (std::uint32_t i = 0; i < c.members_used; i++) {
    Member& m = c.members[i];
    if (m.sent.empty()) continue;
    PartExecute h{};
    h.coordinator = n;
    h.part = m.part;
    h.session = c.txn.session;
    h.number = c.txn.number;
    h.table = m.ref.table;
    h.fragment = m.ref.fragment;
    h.slot = static_cast<std::uint16_t>(i);
    h.flags = static_cast<std::uint8_t>(((c.flags & wire::kKeepGoing) && !second ? kPartKeepGoing : 0) |
                                        (doubled && !second ? kPartWantImages : 0) |
                                        (whole && doubled == second && i != 0 ? kPartPrepare : 0));
    h.operations = static_cast<std::uint16_t>(m.sent.size());
    h.anchor = {c.members[0].ref.table, c.members[0].ref.fragment, 0};
    h.view = c.view;
    Writer& w = link_writer(link_to(m.node));
    std::size_t at = wire::begin_message(w, wire::Type::part_execute, m.worker, options_.worker);
    w.put(h);
    for (std::uint16_t k : m.sent) {
      const Doing& d = c.doing[k];
      Bytes key, payload;
      Operation op = op_at(c, d, &key, &payload);
      m.locked = m.locked || op.kind != Op::read;
      if (second) {
        const bool gone = op.kind == Op::remove;
        payload = gone ? Bytes{} : c.results.view().substr(d.result_at, d.result_bytes);
        op.kind = static_cast<Op>(gone ? kMirrorRemove : kMirrorPut);
        op.payload_bytes = static_cast<std::uint32_t>(payload.size());
      }
      w.put(op);
      w.raw(key);
      w.raw(payload);
    }
    wire::end_message(w, at);
    m.busy = true;
    c.outstanding++;
  }
  if (c.outstanding == 0) round_done(n);
}

void Worker::on_part_reply(const wire::Message& msg) {
  if (msg.body.size() < sizeof(PartReply)) return;
  auto r = load<PartReply>(msg.body.data());
  if (!coords_.used(r.coordinator)) return;
  Coordination& c = coords_[r.coordinator];
  if (c.txn != r.txn() || r.slot >= c.members_used || !c.members[r.slot].busy) return;
  if (c.state != CoordState::executing) return;
  Member& m = c.members[r.slot];
  m.busy = false;
  m.part = r.part;
  m.wrote = (r.wrote & kPartWrote) != 0;
  m.awaited = m.awaited || (r.wrote & kPartReadSoon) != 0;
  m.prepared = r.prepared != 0;
  c.outstanding--;
  if (r.error != Error::ok) c.error = r.error;  // of several the last one
  Reader in(msg.body.substr(sizeof r));
  for (std::uint16_t i = 0; i < r.results && i < m.sent.size(); i++) {
    auto res = in.get<wire::OpResult>();
    Bytes image = in.raw(res.bytes);
    if (in.bad()) break;
    if (c.round != 1) continue;
    Doing& d = c.doing[m.sent[i]];
    d.executed = true;
    d.error = res.error;
    d.result_at = static_cast<std::uint32_t>(c.results.size());
    d.result_bytes = static_cast<std::uint32_t>(image.size());
    c.results.raw(image);
    if (res.error != Error::ok) d.doubled = false;
  }
  if (c.outstanding == 0) round_done(r.coordinator);
}

void Worker::round_done(std::uint32_t n) {
  Coordination& c = coords_[n];
  if (c.error != Error::ok) {
    abort_coordination(n, c.error, true);
    return;
  }
  if (c.round == 1) {
    bool doubled = false;
    for (std::uint32_t i = 0; i < c.members_used; i++) c.members[i].sent.clear();
    for (std::size_t i = 0; i < c.doing.size(); i++) {
      Doing& d = c.doing[i];
      if (!d.doubled) continue;
      doubled = true;
      Bytes key, payload;
      Operation op = op_at(c, d, &key, &payload);
      std::uint16_t slot = member_for(c, {op.table, d.second});
      Member& m = c.members[slot];
      if (m.node == 0 || !can_reach(m.node)) {
        abort_coordination(n, Error::not_ready, true);
        return;
      }
      m.sent.push_back(static_cast<std::uint16_t>(i));
    }
    c.round = 2;
    if (doubled) {
      send_round(n, true);
      return;
    }
  }
  if (c.flags & wire::kCommit) {
    begin_commit(n);
    return;
  }
  c.state = CoordState::open;
  c.since = now_;
  reply_coordination(c, TxnState::open);
}

void Worker::begin_commit(std::uint32_t n) {
  Coordination& c = coords_[n];
  c.state = CoordState::preparing;
  c.outstanding = 0;
  for (std::uint32_t i = 1; i < c.members_used; i++) {
    Member& m = c.members[i];
    // Who only read under locks has to say that it still holds them, now that all reads are done: it may have lost them
    // with its link to us or with its view, and others may have written since.
    if (m.wrote ? m.prepared : !m.locked) continue;
    if (!can_reach(m.node)) {
      abort_coordination(n, Error::node_failure, true);
      return;
    }
    const PartWord w = part_word(n, c, i);
    send(m.node, m.worker, wire::Type::part_prepare, w);
    m.busy = true;
    c.outstanding++;
  }
  if (c.outstanding == 0) decide(n);
}

void Worker::on_part_prepared(const PartWord& w) {
  if (!coords_.used(w.coordinator)) return;
  Coordination& c = coords_[w.coordinator];
  if (c.txn != w.txn() || c.state != CoordState::preparing || w.slot >= c.members_used) return;
  Member& m = c.members[w.slot];
  if (!m.busy) return;
  m.busy = false;
  c.outstanding--;
  if (w.error != Error::ok) {
    abort_coordination(w.coordinator, w.error, true);
    return;
  }
  m.prepared = true;
  if (c.outstanding == 0) decide(w.coordinator);
}

void Worker::decide(std::uint32_t n) {
  Coordination& c = coords_[n];
  bool wrote = false;
  for (std::uint32_t i = 0; i < c.members_used; i++) wrote = wrote || c.members[i].wrote;
  if (!wrote) {        // nothing but reads
    if (!serving()) {  // the same for our own locks
      abort_coordination(n, Error::node_failure, true);
      return;
    }
    reply_coordination(c, TxnState::committed);
    c.link = 0;
    abort_coordination(n, Error::ok, false);
    return;
  }
  const std::uint32_t p = c.members[0].part;
  if (!parts_.used(p) || parts_[p].txn != c.txn || parts_[p].state != PartState::idle ||
      parts_[p].replica->role != Role::primary) {
    abort_coordination(n, Error::node_failure, true);
    return;
  }
  if (const Error e = admit(*parts_[p].replica, parts_[p].changes.size()); e != Error::ok) {
    abort_coordination(n, e, true);
    return;
  }
  c.state = CoordState::deciding;
  c.epoch = epoch_;
  parts_[p].coordinator = n;
  append_part(p, RecordKind::decide);
}

// The decide record is committed, its changes show at the anchor.
void Worker::decided(std::uint32_t n) {
  Coordination& c = coords_[n];
  c.state = CoordState::committing;
  c.members[0].done = true;
  c.members[0].part = 0;
  c.outstanding = 0;
  c.resent = now_;
  for (std::uint32_t i = 1; i < c.members_used; i++) {
    Member& m = c.members[i];
    const PartWord w = part_word(n, c, i);
    if (!m.wrote) {
      send(m.node, m.worker, wire::Type::part_abort, w);
      m.done = true;
      continue;
    }
    send(m.node, m.worker, wire::Type::part_commit, w);
    c.outstanding++;
    if (m.awaited) c.awaited++;
  }
  if (c.awaited == 0) answer_committed(n);
  if (c.outstanding == 0) finish_commit(n);
}

void Worker::member_shows(std::uint32_t n, Member& m) {
  if (!m.awaited) return;
  m.awaited = false;
  if (--coords_[n].awaited == 0) answer_committed(n);
}

void Worker::member_done(std::uint32_t n, Member& m) {
  m.done = true;
  member_shows(n, m);
  if (--coords_[n].outstanding == 0) finish_commit(n);
}

void Worker::on_part_done(const PartWord& w) {
  if (!coords_.used(w.coordinator)) return;
  Coordination& c = coords_[w.coordinator];
  if (c.txn != w.txn() || c.state != CoordState::committing || w.slot >= c.members_used) return;
  Member& m = c.members[w.slot];
  if (m.done) return;
  if (w.flags & kPartShown) {
    member_shows(w.coordinator, m);
  } else {
    member_done(w.coordinator, m);
  }
}

// Whoever reads from now on sees it.
void Worker::answer_committed(std::uint32_t n) {
  Coordination& c = coords_[n];
  reply_coordination(c, TxnState::committed);
  c.link = 0;
  counters_.commits++;
}

void Worker::finish_commit(std::uint32_t n) {
  Coordination& c = coords_[n];
  Replica* r = replica(c.members[0].ref);
  if (r != nullptr && r->role == Role::primary && r->decided.find(c.txn) != nullptr) {
    append(*r, RecordKind::forget, c.txn, nullptr, {}, 0, 0, 0);
  }
  free_coordination(n);
}

void Worker::reply_coordination(Coordination& c, TxnState state) {
  if (c.link == 0) return;
  const bool later = state == TxnState::committed && (c.flags & wire::kDurable) && c.epoch != 0;
  if (later) scratch_.clear();
  Writer& w = later ? scratch_ : link_writer(c.link);
  std::size_t at = wire::begin_message(w, wire::Type::execute_reply, 0, options_.worker);
  std::uint16_t count = 0;
  Error first = c.error;
  for (const Doing& d : c.doing) {
    if (!d.executed && !(c.flags & wire::kKeepGoing)) break;
    count++;
    if (first == Error::ok && d.error != Error::ok) {
      Bytes key, payload;
      if (is_write(op_at(c, d, &key, &payload).kind)) first = d.error;
    }
  }
  w.put(wire::ExecuteReply{c.request, first, state, 0, count, 0, catalog_->view});
  for (std::uint16_t i = 0; i < count; i++) {
    const Doing& d = c.doing[i];
    Bytes key, payload;
    const bool read = op_at(c, d, &key, &payload).kind <= Op::read_exclusive;
    const std::uint32_t bytes = read ? d.result_bytes : 0;
    w.put(wire::OpResult{d.error, 0, bytes});
    w.raw(c.results.view().substr(d.result_at, bytes));
  }
  wire::end_message(w, at);
  if (later) hold_reply(c.link, c.epoch, w.view());
}

// Also the way to let go of the locks of a transaction that only read.
void Worker::abort_coordination(std::uint32_t n, Error e, bool tell_client) {
  Coordination& c = coords_[n];
  NDB_CHECK(c.state != CoordState::deciding && c.state != CoordState::committing);
  for (std::uint32_t i = 0; i < c.members_used; i++) {
    Member& m = c.members[i];
    if (m.part == 0 && !m.busy) continue;
    const PartWord w = part_word(n, c, i);
    send(m.node, m.worker, wire::Type::part_abort, w);
  }
  if (tell_client) {
    c.error = e;
    reply_coordination(c, TxnState::aborted);
    counters_.aborts++;
  }
  free_coordination(n);
}

void Worker::free_coordination(std::uint32_t n) {
  Coordination& c = coords_[n];
  view_ends(c.view);
  auto i = open_by_session_.find(c.txn.session);
  if (i != open_by_session_.end()) {
    std::erase(i->second, n);
    if (i->second.empty()) open_by_session_.erase(i);
  }
  c.reset();
  coords_.give(n);
}

// Parts at a node that is gone (or out of reach) are lost unless they are prepared.
void Worker::coordination_lost_node(NodeId node) {
  for (std::uint32_t n = 1; n <= coords_.made(); n++) {
    if (!coords_.used(n)) continue;
    Coordination& c = coords_[n];
    if (c.state == CoordState::deciding || c.state == CoordState::committing) continue;
    for (std::uint32_t i = 0; i < c.members_used; i++) {
      if (c.members[i].node != node) continue;
      abort_coordination(n, Error::node_failure, true);
      break;
    }
  }
}

void Worker::resend_commits() {
  for (std::uint32_t n = 1; n <= coords_.made(); n++) {
    if (!coords_.used(n) || coords_[n].state != CoordState::committing) continue;
    Coordination& c = coords_[n];
    if (now_ - c.resent < 50 * kMillisecond) continue;
    c.resent = now_;
    for (std::uint32_t i = 1; i < c.members_used; i++) {
      Member& m = c.members[i];
      if (m.done) continue;
      const meta::Table* t = catalog_->table(m.ref.table);
      if (t == nullptr || m.ref.fragment >= t->distribution.groups.size()) {
        member_done(n, m);  // the table, or the fragment, is gone
        if (!coords_.used(n)) break;
        continue;
      }
      NodeId primary = catalog_->primary(t->distribution.groups[m.ref.fragment], m.ref.fragment);
      const meta::Node* node = catalog_->node(primary);
      if (node == nullptr) continue;
      m.node = primary;
      m.worker = catalog_->worker(*node, m.ref.fragment);
      const PartWord w = part_word(n, c, i);
      send(m.node, m.worker, wire::Type::part_commit, w);
    }
  }
}

}  // namespace ndb::txn
