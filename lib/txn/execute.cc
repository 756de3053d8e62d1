// Requests of clients. Three ways: plain reads are answered at once; a whole transaction on one fragment that is ours
// becomes a Part that answers the client itself; everything else is coordinated (coordinate.cc).
#include "base/probe.h"
#include "txn/worker.h"

namespace ndb::txn {

using wire::Execute;
using wire::ExecuteReply;
using wire::Op;
using wire::Operation;
using wire::OpResult;
using wire::TxnState;

void Worker::refuse(env::LinkId link, WorkerId to, std::uint32_t request, Error e, TxnState state) {
  Writer& w = link_writer(link);
  std::size_t at = wire::begin_message(w, wire::Type::execute_reply, to, options_.worker);
  w.put(ExecuteReply{request, e, state, 0, 0, 0, catalog_->view});
  wire::end_message(w, at);
}

// Which replica of ours an operation goes to first. `locks`: it is a write or a locking read.
Error Worker::route(const Operation& op, bool locks, Replica** replica, meta::Targets* targets) const {
  TableState* t = table_state(op.table);
  if (t == nullptr) return Error::no_such_table;
  const meta::Distribution& d = t->table->distribution;
  const std::uint16_t bucket = meta::bucket_of(op.hash);
  if (locks) {
    *targets = d.write_targets(bucket, d.phase);
  } else {
    *targets = {d.read_target(bucket, d.phase), 0, false};
  }
  Replica* r = targets->first < t->replicas.size() ? t->replicas[targets->first].get() : nullptr;
  if (r == nullptr) return Error::stale_view;
  *replica = r;
  if (r->role == Role::takeover) return Error::not_ready;
  if (r->role != Role::primary) return Error::stale_view;
  return Error::ok;
}

namespace {

// The next operation of a request, checked for shape only. False: malformed.
bool next_operation(Bytes& rest, Operation* op, Bytes* key, Bytes* payload) {
  if (rest.size() < sizeof(Operation)) return false;
  *op = load<Operation>(rest.data());
  const std::size_t n = std::size_t{op->key_bytes} + op->payload_bytes;
  if (rest.size() - sizeof(Operation) < n) return false;
  *key = rest.substr(sizeof(Operation), op->key_bytes);
  *payload = rest.substr(sizeof(Operation) + op->key_bytes, op->payload_bytes);
  rest.remove_prefix(sizeof(Operation) + n);
  return op->kind >= Op::read && op->kind <= Op::remove;
}

// What a client sent, against the table: a wrong hash or key would put a row where nobody finds it.
Error check_operation(const TableState& t, const Operation& op, Bytes key, Bytes payload) {
  const store::RowShape& shape = t.shape;
  if (key.size() > limits::kKeyBytesMax || !shape.valid_key(key)) return Error::bad_row_image;
  if (shape.hash(key) != op.hash) return Error::bad_row_image;
  if (t.guarded && op.kind >= Op::insert && op.keeps_indexes == 0) return Error::indexes_not_kept;
  if (op.kind == Op::insert || op.kind == Op::replace || op.kind == Op::write) {
    if (payload.size() > limits::kRowBytesMax) return Error::row_too_large;
    if (!shape.valid_image(payload) || !shape.key_equals(payload, key)) return Error::bad_row_image;
  } else if (op.kind == Op::update) {
    if (payload.size() > limits::kRowBytesMax) return Error::row_too_large;
  } else if (!payload.empty()) {
    return Error::bad_row_image;
  }
  return Error::ok;
}

}  // namespace

// The replica that a request, or a coordinator's, begins with; null = none here.
Replica* Worker::first_touched(const wire::Message& m, std::uint64_t* hash) const {
  const bool part = m.type == static_cast<std::uint16_t>(wire::Type::part_execute);
  if (!part && m.type != static_cast<std::uint16_t>(wire::Type::execute)) return nullptr;
  const std::size_t head = part ? sizeof(PartExecute) : sizeof(Execute);
  if (m.body.size() < head + sizeof(Operation)) return nullptr;
  auto op = load<Operation>(m.body.data() + head);
  *hash = op.hash;
  if (part) {
    auto h = load<PartExecute>(m.body.data());
    return replica({h.table, h.fragment});
  }
  TableState* t = table_state(op.table);
  if (t == nullptr) return nullptr;
  const FragmentId f = t->table->distribution.map[meta::bucket_of(op.hash)];
  return f < t->replicas.size() ? t->replicas[f].get() : nullptr;
}

void Worker::prefetch(const wire::Message& m) const {
  std::uint64_t hash = 0;
  if (const Replica* r = first_touched(m, &hash)) r->rows.prefetch(hash);
}

void Worker::prefetch_row(const wire::Message& m) const {
  std::uint64_t hash = 0;
  if (const Replica* r = first_touched(m, &hash)) r->rows.prefetch_row(hash);
}

// Plain reads need no transaction. False: not only plain reads.
bool Worker::read_now(const Execute& head, Bytes ops, env::LinkId link, WorkerId client) {
  Writer& w = link_writer(link);
  const std::size_t before = w.size();
  const std::size_t at = wire::begin_message(w, wire::Type::execute_reply, client, options_.worker);
  const std::size_t reply_at = w.size();
  ExecuteReply reply{head.request, Error::ok, TxnState::committed, 0, head.operations, 0, catalog_->view};
  w.put(reply);
  Operation op;
  Bytes key, payload;
  for (std::uint16_t i = 0; i < head.operations; i++) {
    if (ops.size() >= sizeof(Operation) && load<Operation>(ops.data()).kind != Op::read) {
      w.truncate(before);
      return false;
    }
    Error e = Error::bad_message;
    Replica* r = nullptr;
    meta::Targets targets;
    if (next_operation(ops, &op, &key, &payload)) {
      e = route(op, false, &r, &targets);
      if (e == Error::ok) e = check_operation(r->table, op, key, payload);
    }
    if (e != Error::ok) {
      w.truncate(reply_at);
      reply.error = e;
      reply.state = TxnState::aborted;
      reply.results = 0;
      w.put(reply);
      wire::end_message(w, at);
      return true;
    }
    store::RowRef ref = r->rows.find_committed(key, op.hash);
    Bytes image = ref == 0 ? Bytes{} : r->rows.image(ref);
    w.put(OpResult{ref == 0 ? Error::no_such_row : Error::ok, 0, static_cast<std::uint32_t>(image.size())});
    w.raw(image);
    counters_.reads++;
  }
  wire::end_message(w, at);
  return true;
}

void Worker::on_execute(const wire::Message& m, env::LinkId link) {
  if (m.body.size() < sizeof(Execute) || link >= clients_.size() || !clients_[link].up) return;
  auto head = load<Execute>(m.body.data());
  Bytes ops = m.body.substr(sizeof head);
  Error e = Error::ok;
  if (!serving() || stopping_) {
    e = Error::not_ready;
  } else if (catalog_->single_user != 0 && clients_[link].api_node != catalog_->single_user) {
    e = Error::single_user;
  } else if (out_->backlog(link) > limits::kFrameBytesFull) {
    e = Error::too_many_open;
  }
  const bool whole = (head.flags & (wire::kBegin | wire::kCommit)) == (wire::kBegin | wire::kCommit);
  if (e != Error::ok && (head.flags & wire::kBegin)) {
    refuse(link, m.from, head.request, e);
    return;
  }
  if (!whole) {
    on_step(head, ops, link);
    return;
  }
  if (head.operations == 0 || head.number == 0) {
    refuse(link, m.from, head.request, head.operations == 0 ? Error::ok : Error::bad_message,
           head.operations == 0 ? TxnState::committed : TxnState::aborted);
    return;
  }
  if (load<Operation>(m.body.data() + sizeof head).kind == Op::read && read_now(head, ops, link, m.from)) return;
  // Are all operations on one fragment that is ours?
  Replica* first = nullptr;
  bool one = true;
  Bytes rest = ops;
  Operation op;
  Bytes key, payload;
  for (std::uint16_t i = 0; i < head.operations; i++) {
    Replica* r = nullptr;
    meta::Targets targets;
    if (!next_operation(rest, &op, &key, &payload)) {
      refuse(link, m.from, head.request, Error::bad_message);
      return;
    }
    e = route(op, op.kind != Op::read, &r, &targets);
    if (i == 0) {
      if (e == Error::ok) e = check_operation(r->table, op, key, payload);
      if (e != Error::ok) {
        refuse(link, m.from, head.request, e);
        return;
      }
      first = r;
      one = !targets.two;
    } else if (e != Error::ok || r != first || targets.two) {
      one = false;
    }
    if (!one) break;
    if (i > 0 && (e = check_operation(r->table, op, key, payload)) != Error::ok) {
      refuse(link, m.from, head.request, e);
      return;
    }
  }
  if (one) {
    start_direct(head, ops, link, *first);
  } else {
    on_step(head, ops, link);
  }
}

void Worker::start_direct(const Execute& head, Bytes ops, env::LinkId link, Replica& r) {
  const Fate fate = r.settled({clients_[link].session, head.number});
  if (fate != Fate::unknown) {  // committed: it asks for the outcome, and whether that is durable
    refuse(link, 0, head.request, fate == Fate::committed ? Error::outcome_unknown : Error::node_failure,
           fate == Fate::committed ? TxnState::unknown : TxnState::aborted);
    return;
  }
  std::uint32_t p = parts_.take();
  if (p == 0) {
    refuse(link, 0, head.request, Error::too_many_open);
    return;
  }
  Part& part = parts_[p];
  part.reset();
  part.txn = {clients_[link].session, head.number};
  part.replica = &r;
  part.direct = true;
  part.link = link;
  part.request = head.request;
  part.coordinator_worker = 0;
  part.flags = static_cast<std::uint8_t>((head.flags & wire::kKeepGoing) ? kPartKeepGoing : 0);
  part.durable = (head.flags & wire::kDurable) != 0;
  part.view = catalog_->view;
  view_begins(part.view);
  part.state = PartState::running;
  part.input.raw(ops);
  part.operations_left = head.operations;
  run_part(p);
}

void Worker::on_outcome(const wire::Message& m, env::LinkId link) {
  Reader in(m.body);
  std::uint32_t request = in.u32();
  TxnId txn;
  txn.session = in.u64();
  txn.number = in.u64();
  FragmentRef ref;
  ref.table = in.u32();
  ref.fragment = in.u16();
  const std::uint64_t hash = in.u64();  // of the first operation's key: its fragment is the anchor
  const bool durable = in.u8() != 0;
  Epoch epoch = in.u64();
  if (in.bad()) return;
  Fate fate = Fate::unknown;
  Error e = Error::ok;
  Replica* r = replica(ref);
  const std::uint16_t bucket = meta::bucket_of(hash);
  const meta::Distribution* d = r == nullptr ? nullptr : &r->table.table->distribution;
  if (r == nullptr || r->role != Role::primary || !serving() ||
      d->write_targets(bucket, d->phase).first != ref.fragment) {
    e = Error::stale_view;
  } else if (r->decided.find(txn) != nullptr) {
    fate = Fate::committed;
  } else {
    fate = r->outcomes.get(txn);
    // Until the old place has told what it knows nobody can say that a transaction has never been seen.
    if (d->moves(bucket) && meta::past_commit_point(d->phase)) e = Error::not_ready;
    // Still under way here? Then there is no outcome yet.
    if (r->prepared.find(txn) != nullptr) e = Error::not_ready;
    for (std::uint32_t p = 1; fate == Fate::unknown && p <= parts_.made(); p++) {
      if (parts_.used(p) && parts_[p].txn == txn) e = Error::not_ready;
    }
    for (std::uint32_t c = 1; fate == Fate::unknown && c <= coords_.made(); c++) {
      if (coords_.used(c) && coords_[c].txn == txn) e = Error::not_ready;
    }
    if (fate == Fate::unknown && e == Error::ok) {
      NDB_PROBE("txn.forbid_by_outcome");
      // Nobody has seen it. From now on nobody may: the answer has to stay true.
      forbid(*r, txn);
      e = Error::not_ready;  // asked again, the record answers
    }
  }
  Writer& w = link_writer(link);
  std::size_t at = wire::begin_message(w, wire::Type::outcome_reply, m.from, options_.worker);
  w.u32(request);
  // In which epoch it was decided is not remembered; not in a later one than this.
  if (epoch == 0) epoch = epoch_;
  const bool later = durable && fate == Fate::committed && epoch > catalog_->durable_epoch;
  if (later) outcome_wanted_ = std::max(outcome_wanted_, std::min(epoch, epoch_));
  w.u8(later ? kCommittedNotDurable : static_cast<std::uint8_t>(fate));
  w.put(e);
  w.u64(catalog_->view);
  w.u64(epoch);
  wire::end_message(w, at);
}

// ---- interactive transactions and those on several fragments

void Worker::on_step(const Execute& head, Bytes ops, env::LinkId link) {
  const std::uint64_t session = clients_[link].session;
  const TxnId txn{session, head.number};
  std::uint32_t n = 0;
  std::vector<std::uint32_t>& open = open_by_session_[session];
  for (std::uint32_t c : open) {
    if (coords_[c].txn == txn) n = c;
  }
  if (n == 0 && !(head.flags & wire::kBegin)) {
    refuse(link, 0, head.request, Error::no_such_txn);
    return;
  }
  if (n != 0 && (head.flags & wire::kBegin)) {
    refuse(link, 0, head.request, Error::not_ready, TxnState::open);  // the first request is being worked on
    return;
  }
  if (n == 0) {
    n = coords_.take();
    if (n == 0) {
      refuse(link, 0, head.request, Error::too_many_open);
      return;
    }
    coords_[n].reset();
    coords_[n].txn = txn;
    coords_[n].link = link;
    coords_[n].view = catalog_->view;
    view_begins(catalog_->view);
    open.push_back(n);
  }
  Coordination& c = coords_[n];
  if (c.state != CoordState::open) {
    refuse(link, 0, head.request, Error::bad_message, TxnState::open);
    return;
  }
  c.request = head.request;
  c.flags = head.flags;
  c.since = now_;
  c.doing.clear();
  c.results.clear();
  c.body.clear();
  c.body.raw(ops);
  if (head.flags & wire::kAbort) {
    abort_coordination(n, Error::ok, true);
    return;
  }
  Bytes rest = c.body.view();
  Operation op;
  Bytes key, payload;
  Error e = Error::ok;
  for (std::uint16_t i = 0; i < head.operations && e == Error::ok; i++) {
    auto at = static_cast<std::uint32_t>(c.body.size() - rest.size());
    if (!next_operation(rest, &op, &key, &payload)) {
      e = Error::bad_message;
      break;
    }
    TableState* t = table_state(op.table);
    e = t == nullptr ? Error::no_such_table : check_operation(*t, op, key, payload);
    c.doing.push_back({});
    c.doing.back().at = at;
  }
  if (e == Error::ok) e = plan_round_one(c, n, head);
  if (e == Error::ok && (head.flags & wire::kBegin) && c.members_used > 0) {
    Replica* anchor = replica(c.members[0].ref);
    const Fate fate = anchor == nullptr ? Fate::unknown : anchor->settled(txn);
    if (fate == Fate::committed) {
      abort_coordination(n, Error::node_failure, false);
      refuse(link, 0, head.request, Error::outcome_unknown, TxnState::unknown);
      return;
    }
    if (fate != Fate::unknown) e = Error::node_failure;
  }
  if (e != Error::ok) {
    abort_coordination(n, e, true);
    return;
  }
  c.round = 1;
  c.state = CoordState::executing;
  send_round(n, false);
}

}  // namespace ndb::txn
