// The life of a transaction's slot: built, sent, answered; repeated, asked after, given up.
#include <algorithm>

#include "base/check.h"
#include "client/machine.h"

namespace ndb::client {

namespace {

constexpr std::size_t kHead = sizeof(wire::Execute);
constexpr std::uint32_t kSlotBits = 16;
static_assert(limits::kClientSlotsMax <= 1u << kSlotBits);

bool changes_or_locks(wire::Op op) { return op != wire::Op::read; }

// Errors after which the same request may succeed and nothing has happened. A cluster in single user mode stays so.
bool worth_repeating(Error e) { return is_temporary(e) && e != Error::single_user; }

}  // namespace

Handle ClientMachine::open(std::uint64_t tag) {
  if (free_.empty()) return kNoHandle;
  const Handle h = free_.back();
  free_.pop_back();
  in_use_++;
  if (!slots_[h]) slots_[h] = std::make_unique<Slot>();
  Slot& s = *slots_[h];
  NDB_CHECK(s.state == SlotState::free);
  s.state = SlotState::building;
  s.begun = s.writes = s.abandoned = s.commit_sent = s.finished = false;
  s.indexed = s.inside = s.only_asks = false;
  s.stage = Stage::plain;
  s.races = 0;
  s.verdict = Error::ok;
  s.durable_when = 0;
  s.operations = s.attempts = 0;
  s.last_error = Error::ok;
  s.node = 0;
  s.link = 0;
  s.number = 0;
  s.deadline = 0;
  s.request.clear();
  s.request.extend(kHead);
  s.result.handle = h;
  s.result.id = {};
  s.result.tag = tag;
  return h;
}

void ClientMachine::add(Handle h, wire::Op op, TableId table, std::uint64_t hash, Bytes key, Bytes payload) {
  Slot& s = *slots_[h];
  NDB_CHECK(s.state == SlotState::building);
  NDB_CHECK(key.size() <= limits::kKeyBytesMax && s.operations < limits::kOperationsPerTransactionMax);
  if (s.operations == 0 && !s.begun) {
    s.table = table;
    s.hash = hash;
  }
  if (changes_or_locks(op)) s.writes = true;
  if (op >= wire::Op::insert && (!routing_ || routing_->indexed(table))) s.indexed = true;
  s.operations++;
  wire::Operation head{op,    0,   static_cast<std::uint16_t>(key.size()), static_cast<std::uint32_t>(payload.size()),
                       table, hash};
  char* p = s.request.extend(sizeof head + key.size() + payload.size());
  save(p, head);
  std::memcpy(p + sizeof head, key.data(), key.size());
  if (!payload.empty()) std::memcpy(p + sizeof head + key.size(), payload.data(), payload.size());
}

void ClientMachine::send(Handle h, std::uint8_t flags) {
  Slot& s = *slots_[h];
  NDB_CHECK(s.state == SlotState::building);
  s.flags = static_cast<std::uint8_t>(flags & ~wire::kBegin);
  if (!s.begun) s.flags |= wire::kBegin;
  s.verdict = Error::ok;
  s.races = 0;
  s.attempts = 0;
  s.deadline = 0;
  s.commit_sent = false;
  if (s.finished || (!s.begun && s.operations == 0)) {  // nothing to do, or over already
    const bool abort = (flags & wire::kAbort) != 0 || s.finished;
    finish(s, h, s.finished && !abort ? Error::txn_aborted : Error::ok,
           abort ? wire::TxnState::aborted : wire::TxnState::committed, false);
    return;
  }
  s.state = SlotState::ready;
  ready_.push_back(h);
}

void ClientMachine::ask_again(Handle h) {
  Slot& s = *slots_[h];
  NDB_CHECK(s.state == SlotState::building && s.result.state == wire::TxnState::unknown && s.number != 0);
  s.only_asks = true;
  s.verdict = Error::ok;
  s.attempts = 0;
  s.deadline = 0;
  s.state = SlotState::ready;
  ready_.push_back(h);
}

std::uint32_t ClientMachine::request_of(const Slot& s, Handle h) const {
  return static_cast<std::uint32_t>(s.generation & 0x7fff) << kSlotBits | h;
}

ClientMachine::Slot* ClientMachine::slot_of_request(std::uint32_t request, Handle* h) {
  *h = request & ((1u << kSlotBits) - 1);
  if (*h >= slots_.size() || !slots_[*h]) return nullptr;
  Slot* s = slots_[*h].get();
  return request_of(*s, *h) == request ? s : nullptr;
}

bool ClientMachine::draw_number(Slot& s) {
  if (!s.writes && (s.flags & wire::kCommit) != 0) {
    s.number = next_read_number_++;
    return true;
  }
  for (std::uint32_t i = 0; i < limits::kClientWritesMax; i++) {
    const std::uint64_t n = next_number_++;
    if (in_doubt_[n % limits::kClientWritesMax]) continue;
    in_doubt_[n % limits::kClientWritesMax] = true;
    s.number = n;
    return true;
  }
  return false;
}

void ClientMachine::drop_number(Slot& s) {
  if (s.number != 0 && s.number < std::uint64_t{1} << 40) in_doubt_[s.number % limits::kClientWritesMax] = false;
  s.number = 0;
}

// Encodes the slot's step into its node's link. False: it cannot be sent now (the slot pauses), or it was finished.
bool ClientMachine::try_send(Slot& s, Handle h, Time now, env::Outbox& out) {
  if ((s.begun || s.inside) && s.link == 0) {  // the link of an open transaction has died: so has the transaction
    step_lost(s, h, now);
    return true;
  }
  if (s.indexed && s.stage == Stage::plain && (s.flags & wire::kAbort) == 0 && !keep_indexes(s, h)) {
    return s.state != SlotState::ready && s.state != SlotState::pausing;
  }
  if (!s.begun && !s.inside) {
    if (!catalog_ || !routing_->knows(s.table)) {
      if (catalog_ && s.attempts > 8) {  // it is in no catalog of the last tenth of a second
        finish(s, h, Error::no_such_table, wire::TxnState::aborted, false);
        return true;
      }
      refresh();
      return false;
    }
    s.route = s.writes ? routing_->write(s.table, s.hash) : routing_->read(s.table, s.hash);
    Peer* p = up(s.route, now, out);
    if (p == nullptr) {
      if (s.last_error == Error::ok) s.last_error = Error::unreachable;
      if (s.route.node == 0) refresh();
      return false;
    }
    s.link = p->link;
    s.node = p->node;
    if (s.number == 0 && !draw_number(s)) return false;
  }
  if (out.backlog(s.link) > limits::kFrameBytesFull) return false;
  s.generation++;
  const std::uint8_t flags = flags_of(s);
  wire::Execute head{request_of(s, h), flags, 0, s.operations, s.number};
  Writer& w = out.link(s.link);
  const auto n = static_cast<std::uint32_t>(s.request.size());
  char* p = w.extend(wire::kMessageHeaderBytes + n);
  save<std::uint32_t>(p, n);
  save<std::uint16_t>(p + 4, static_cast<std::uint16_t>(wire::Type::execute));
  p[6] = static_cast<char>(s.route.worker);
  p[7] = 0;
  p += wire::kMessageHeaderBytes;
  save(p, head);
  std::memcpy(p + kHead, s.request.data() + kHead, n - kHead);
  if ((flags & wire::kCommit) != 0) s.commit_sent = true;
  s.state = SlotState::sent;
  s.sent_at = now;
  s.attempts++;
  counts_.sent++;
  return true;
}

void ClientMachine::on_execute_reply(Time now, Bytes body) {
  if (body.size() < sizeof(wire::ExecuteReply)) return;
  const auto head = load<wire::ExecuteReply>(body.data());
  saw_view(head.view);
  Handle h;
  Slot* slot = slot_of_request(head.request, &h);
  if (slot == nullptr || slot->state != SlotState::sent) return;
  Slot& s = *slot;
  counts_.answered++;
  if (head.state == wire::TxnState::unknown) {
    s.last_error = Error::outcome_unknown;
    pause(s, now, SlotState::must_ask);
    return;
  }
  const Error error = judge_race(s, head.error);
  if (s.stage == Stage::reading && head.state == wire::TxnState::open) {
    old_rows_read(s, h, body.substr(sizeof head));
    return;
  }
  if (head.state == wire::TxnState::aborted) {
    const bool behind = catalog_ && head.view < catalog_->view &&
                        (head.error == Error::no_such_table || head.error == Error::bad_row_image);
    if (head.error == Error::stale_view || head.error == Error::not_ready) refresh();
    if (repeatable(s) && (s.flags & wire::kAbort) == 0 && (worth_repeating(error) || behind)) {
      drop_number(s);  // that transaction is over for good: the repeat is another one
      s.commit_sent = false;
      failed_step(s, h, now, error);
      return;
    }
    s.finished = true;
  }
  if (head.state == wire::TxnState::committed) s.finished = true;
  s.begun = true;
  s.reply.clear();
  s.reply.raw(body.substr(sizeof head));
  s.result.results =
      s.stage == Stage::writing ? std::min(std::uint16_t{head.results}, s.upkeep->count()) : head.results;
  finish(s, h, error, head.state, true);
}

// The step did not succeed and did nothing: again after a pause.
void ClientMachine::failed_step(Slot& s, Handle h, Time now, Error e) {
  s.last_error = e;
  start_over(s);
  if (now >= s.deadline) {
    expire(s, h);
    return;
  }
  counts_.retries++;
  pause(s, now, SlotState::pausing);
}

// The link died while the step was on its way.
void ClientMachine::step_lost(Slot& s, Handle h, Time now) {
  s.last_error = Error::node_failure;
  if (s.commit_sent && (s.writes || s.begun)) {
    pause(s, now, SlotState::must_ask);
    s.next_try = now;
  } else if (repeatable(s) && (s.flags & wire::kAbort) == 0) {
    drop_number(s);
    failed_step(s, h, now, Error::node_failure);
  } else {
    s.finished = true;
    finish(s, h, (s.flags & wire::kAbort) != 0 ? Error::ok : Error::node_failure, wire::TxnState::aborted, false);
  }
}

void ClientMachine::pause(Slot& s, Time now, SlotState next) {
  const int doublings = std::min<int>(s.attempts, 6);
  Time most = std::min<Time>(limits::kClientBackOffMin << doublings, limits::kClientBackOffMax);
  Time wait = most / 2 + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(most / 2) + 1));
  s.state = next;
  if (s.attempts < 1000) s.attempts++;
  s.next_try = now + wait;
  earliest_try_ = std::min(earliest_try_, s.next_try);
  next_tick_ = std::min(next_tick_, s.next_try);
}

// To the primary of now of the fragment that the first operation's row lives in now: wherever it was when the
// transaction ran, what became of it is known there.
void ClientMachine::ask_outcome(Slot& s, Handle h, Time now, env::Outbox& out) {
  Route r = routing_ && routing_->knows(s.table) ? routing_->write(s.table, s.hash) : Route{};
  Peer* p = up(r, now, out);
  if (p == nullptr) {
    refresh();
    pause(s, now, SlotState::must_ask);
    return;
  }
  s.generation++;
  s.link = p->link;
  s.node = p->node;
  s.sent_at = now;
  s.state = SlotState::asking;
  counts_.outcomes_asked++;
  Writer& w = out.link(p->link);
  auto at = wire::begin_message(w, wire::Type::outcome, r.worker, 0);
  w.u32(request_of(s, h));
  w.u64(options_.session);
  w.u64(s.number);
  w.u32(s.table);
  w.u16(r.fragment);
  w.u64(s.hash);
  w.u8((s.flags & wire::kDurable) != 0 ? 1 : 0);
  w.u64(s.durable_when);
  wire::end_message(w, at);
}

void ClientMachine::on_outcome_reply(Time now, Bytes body) {
  Reader r(body);
  const std::uint32_t request = r.u32();
  const std::uint8_t outcome = r.u8();
  Handle h;
  Slot* slot = slot_of_request(request, &h);
  if (r.bad() || slot == nullptr || slot->state != SlotState::asking) return;
  Slot& s = *slot;
  if (outcome == 1) {
    s.finished = true;
    finish(s, h, Error::ok, wire::TxnState::committed, false);
    return;
  }
  if (outcome != 2) {  // still under way, not durable, only now forbidden, or asked of the wrong node: no answer yet
    if (static_cast<Error>(r.u16()) == Error::stale_view) refresh();
    saw_view(r.u64());
    const Epoch epoch = r.u64();
    s.durable_when = outcome == 3 && !r.bad() ? epoch : 0;
    if (now >= s.deadline)
      expire(s, h);
    else
      pause(s, now, SlotState::must_ask);
    return;
  }
  if (s.begun || s.only_asks) {  // its earlier steps cannot be repeated here
    s.finished = true;
    finish(s, h, Error::node_failure, wire::TxnState::aborted, false);
    return;
  }
  drop_number(s);  // aborted for good: the repeat is another transaction
  s.durable_when = 0;
  s.commit_sent = false;
  failed_step(s, h, now, s.last_error == Error::outcome_unknown ? Error::node_failure : s.last_error);
}

void ClientMachine::expire(Slot& s, Handle h) {
  s.finished = true;
  if (s.only_asks || (s.commit_sent && (s.writes || s.begun))) {
    finish(s, h, Error::outcome_unknown, wire::TxnState::unknown, false);
    return;
  }
  // An open transaction whose node is silent is over for its owner; the node gets rid of it by itself.
  finish(s, h, s.last_error == Error::ok ? Error::unreachable : s.last_error, wire::TxnState::aborted, false);
}

void ClientMachine::finish(Slot& s, Handle h, Error e, wire::TxnState state, bool answered) {
  s.result.error = state == wire::TxnState::aborted && s.verdict != Error::ok ? s.verdict : e;
  if (s.number != 0) s.result.id = {options_.session, s.number};
  if (answered || state != wire::TxnState::aborted) s.inside = false;  // else its node may still have it: release()
  if (state != wire::TxnState::open) {
    s.finished = true;
    if (!s.inside && state != wire::TxnState::unknown) drop_number(s);  // unknown: ask_again() needs it
  }
  s.result.state = state;
  s.result.answered = answered;
  s.result.bytes = answered ? s.reply.view() : Bytes();
  if (!answered) s.result.results = 0;
  if (s.abandoned) {
    s.state = SlotState::complete;
    if (state != wire::TxnState::open && !s.inside)
      recycle(s, h);
    else
      release(h);
    return;
  }
  // The owner may add the next step at once.
  s.state = SlotState::building;
  s.operations = 0;
  s.indexed = false;
  s.stage = Stage::plain;
  s.writes = s.writes && state == wire::TxnState::open;
  s.request.truncate(kHead);
  s.reported = true;
  done_.push_back(h);
}

const StepResult* ClientMachine::take() {
  while (done_head_ < done_.size()) {
    const Handle h = done_[done_head_++];
    Slot& s = *slots_[h];
    if (!s.reported) continue;  // released before it was taken
    s.reported = false;
    return &s.result;
  }
  done_.clear();
  done_head_ = 0;
  return nullptr;
}

void ClientMachine::release(Handle h) {
  Slot& s = *slots_[h];
  NDB_CHECK(s.state != SlotState::free);
  const bool on_its_way = s.state != SlotState::building && s.state != SlotState::complete;
  if (on_its_way) {
    s.abandoned = true;
    return;
  }
  if (((s.begun && !s.finished) || s.inside) && s.link != 0) {
    s.begun = true;
    s.finished = s.inside = s.indexed = false;
    s.stage = Stage::plain;
    s.verdict = Error::ok;
    s.abandoned = true;
    s.state = SlotState::building;
    s.operations = 0;
    s.request.truncate(kHead);
    send(h, wire::kAbort);
    return;
  }
  recycle(s, h);
}

void ClientMachine::recycle(Slot& s, Handle h) {
  drop_number(s);
  s.state = SlotState::free;
  s.reported = false;
  s.generation++;
  in_use_--;
  free_.push_back(h);
}

}  // namespace ndb::client
