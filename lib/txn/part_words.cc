// Participants: what they hear from coordinators, and from each other about transactions whose coordinator is gone.
#include "txn/worker.h"

namespace ndb::txn {

using wire::Op;
using wire::Operation;
using wire::OpResult;

void Worker::on_part_execute(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(PartExecute)) return;
  auto h = load<PartExecute>(m.body.data());
  Bytes ops = m.body.substr(sizeof h);
  std::uint32_t p = h.part;
  Replica* r = replica({h.table, h.fragment});
  Error e = Error::ok;
  if (p != 0) {
    if (!parts_.used(p) || parts_[p].txn != TxnId{h.session, h.number} || parts_[p].state != PartState::idle) {
      e = Error::node_failure;
    }
  } else if (r == nullptr || r->role != Role::primary || !serving() || h.view < r->born || !in_sync(from)) {
    // (Older than the fragment: it means one of the same number, of a reorganisation that was rolled back. From a node
    // that was declared dead: no barrier has waited for it, so its rows may have moved on and been removed here.)
    e = Error::stale_view;
  } else if ((h.flags & kPartWantImages) != 0 && h.view > catalog_->view) {
    e = Error::not_ready;  // it is doubled, and transactions of our view are not yet: see writes_once_too_late()
  } else {
    p = parts_.take();
    if (p == 0) {
      e = Error::too_many_open;
    } else {
      Part& part = parts_[p];
      part.reset();
      part.txn = {h.session, h.number};
      part.replica = r;
      part.coordinator_node = from;
      part.coordinator_worker = m.from;
      part.coordinator = h.coordinator;
      part.slot = h.slot;
      part.anchor = h.anchor;
      part.view = h.view;
    }
  }
  if (e != Error::ok) {
    if (!can_reach(from)) return;
    Writer& w = link_writer(link_to(from));
    std::size_t at = wire::begin_message(w, wire::Type::part_reply, m.from, options_.worker);
    w.put(PartReply{h.coordinator, 0, h.session, h.number, h.slot, e, 0, 0, 0});
    wire::end_message(w, at);
    return;
  }
  Part& part = parts_[p];
  part.flags = h.flags;
  part.state = PartState::running;
  part.results.clear();
  part.results_count = 0;
  part.first_error = Error::ok;
  part.input.clear();
  part.input.raw(ops);
  part.input_at = 0;
  part.operations_left = h.operations;
  run_part(p);
}

std::uint32_t Worker::find_part(const PartWord& w) const {
  auto& pool = const_cast<Pool<Part>&>(parts_);
  auto fits = [&](std::uint32_t p) {
    return pool.used(p) && pool[p].txn == w.txn() && pool[p].replica != nullptr && pool[p].replica->ref == w.ref() &&
           !pool[p].direct;
  };
  if (fits(w.part)) return w.part;
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (fits(p)) return p;
  }
  return 0;
}

void Worker::on_part_prepare(const PartWord& w, NodeId from, WorkerId from_worker) {
  std::uint32_t p = parts_.used(w.part) && parts_[w.part].txn == w.txn() ? w.part : 0;
  const bool holds = p != 0 && parts_[p].state == PartState::idle && (parts_[p].live > 0 || serving());
  const Error e = !holds               ? Error::node_failure
                  : parts_[p].live > 0 ? admit(*parts_[p].replica, parts_[p].changes.size())
                                       : Error::ok;
  if (e != Error::ok) {
    PartWord answer = w;
    answer.error = e;
    send(from, from_worker, wire::Type::part_prepared, answer);
    return;
  }
  Part& part = parts_[p];
  part.flags = static_cast<std::uint8_t>(part.flags & ~kPartPrepare);
  part.anchor = w.anchor;
  if (part.live > 0) {
    append_part(p, RecordKind::prepare);
  } else {
    tell_coordinator(part, p, wire::Type::part_prepared, Error::ok);
  }
}

void Worker::on_part_commit(const PartWord& w, NodeId from, WorkerId from_worker) {
  std::uint32_t p = find_part(w);
  if (p != 0) {
    Part& part = parts_[p];
    if (part.state == PartState::finishing) return;  // told twice
    if (part.state == PartState::prepared || (part.state == PartState::idle && part.live == 0)) {
      if (part.live == 0) {
        tell_coordinator(part, p, wire::Type::part_done, Error::ok);
        undo_part(p);
        return;
      }
      Sequence seq = append(*part.replica, RecordKind::commit, part.txn, nullptr, {}, 0, p, 0, w.epoch);
      part.state = PartState::finishing;
      apply_part(p, seq);
      counters_.commits++;
      PartWord shown = w;
      shown.flags = kPartShown;
      send(from, from_worker, wire::Type::part_done, shown);
    }
    return;
  }
  Replica* r = replica(w.ref());
  if (r == nullptr || !r->leads()) return;  // the coordinator repeats, to whoever is primary then
  if (r->prepared.find(w.txn()) != nullptr) {
    settle_prepared(*r, w.txn(), true, w.epoch);
    return;
  }
  if (r->role == Role::primary && r->appended == r->committed) {
    send(from, from_worker, wire::Type::part_done, w);
  }
}

void Worker::on_part_abort(const PartWord& w) {
  std::uint32_t p = find_part(w);
  if (p != 0) {
    Part& part = parts_[p];
    if (part.state == PartState::prepared) {
      append(*part.replica, RecordKind::abort, part.txn, nullptr, {}, 0, 0, 0);
    } else if (part.state == PartState::logging || part.state == PartState::finishing) {
      part.abort_wanted = part.state == PartState::logging;  // its prepare record is on its way
      return;
    }
    undo_part(p);
    return;
  }
  Replica* r = replica(w.ref());
  if (r != nullptr && r->leads() && r->prepared.find(w.txn()) != nullptr) settle_prepared(*r, w.txn(), false, 0);
}

// A prepared part without a Part: left behind by an earlier primary.
void Worker::settle_prepared(Replica& r, const TxnId& t, bool commit, Epoch epoch) {
  Prepared* q = r.prepared.find(t);
  if (q == nullptr || q->aborting) return;
  q->aborting = true;  // settled once; the record's completion erases it on every replica alike
  append(r, commit ? RecordKind::commit : RecordKind::abort, t, nullptr, {}, 0, 0, 0, epoch);
}

// Nobody has seen this transaction. From now on nobody may: the answer that will be given has to stay true.
void Worker::forbid(Replica& r, const TxnId& t) {
  for (const TxnId& f : r.forbidden) {
    if (f == t) return;  // its record is on its way
  }
  r.forbidden.push_back(t);
  append(r, RecordKind::decide_abort, t, nullptr, {}, 0, 0, 0);
}

// At the anchor's primary: what became of this transaction?
void Worker::on_part_ask(const PartWord& w, NodeId from, WorkerId from_worker) {
  Replica* r = replica(w.anchor.ref());
  if (r == nullptr || !(r->role == Role::primary || (r->role == Role::takeover && r->tail_settled))) return;
  PartWord answer = w;
  if (const Decided* d = r->decided.find(w.txn())) {
    answer.error = Error::ok;
    answer.epoch = d->epoch;
    send(from, from_worker, wire::Type::part_answer, answer);
    return;
  }
  for (std::uint32_t c = 1; c <= coords_.made(); c++) {
    if (!coords_.used(c) || coords_[c].txn != w.txn()) continue;
    if (coords_[c].state == CoordState::deciding || coords_[c].state == CoordState::committing) return;
    abort_coordination(c, Error::node_failure, true);
    break;
  }
  if (r->outcomes.get(w.txn()) == Fate::aborted) {
    answer.error = Error::node_failure;
    send(from, from_worker, wire::Type::part_answer, answer);
    return;
  }
  forbid(*r, w.txn());  // answered when it is committed and asked again
}

void Worker::on_part_answer(const PartWord& w) {
  const bool commit = w.error == Error::ok;
  std::uint32_t p = find_part(w);
  if (p != 0) {
    Part& part = parts_[p];
    if (part.state != PartState::prepared) return;
    if (commit) {
      Sequence seq = append(*part.replica, RecordKind::commit, part.txn, nullptr, {}, 0, p, 0, w.epoch);
      part.state = PartState::finishing;
      apply_part(p, seq);
    } else {
      append(*part.replica, RecordKind::abort, part.txn, nullptr, {}, 0, 0, 0);
      undo_part(p);
    }
    return;
  }
  Replica* r = replica(w.ref());
  if (r != nullptr && r->leads()) settle_prepared(*r, w.txn(), commit, w.epoch);
}

}  // namespace ndb::txn
