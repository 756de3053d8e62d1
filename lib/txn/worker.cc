#include "txn/worker.h"

#include <algorithm>

namespace ndb::txn {

namespace {
// New rows are refused when this share of DataMemory is used; the rest is for changes that were promised already.
constexpr std::uint64_t soft_limit(std::uint64_t bytes) { return bytes - bytes / 20; }
constexpr Time kSlowRound = 20 * kMillisecond;
}  // namespace

Worker::Worker(WorkerOptions options)
    : options_(options),
      memory_total_(options.memory_bytes),
      memory_soft_(soft_limit(options.memory_bytes)),
      memory_(options.memory_bytes, options.memory_ahead),
      slab_(memory_),
      catalog_(std::make_shared<meta::Catalog>()),
      parts_(limits::kOpenOperationsMax),
      coords_(limits::kOpenTransactionsMax),
      locks_(limits::kOpenOperationsMax * 8),
      scans_(limits::kOpenScansMax) {}

Worker::~Worker() = default;

void Worker::set_memory(std::uint64_t bytes) {
  memory_total_ = bytes;
  memory_soft_ = soft_limit(bytes);
  memory_.set_budget(bytes);
}

void Worker::begin(Time now, env::Outbox& out, Writer& self) {
  now_ = now;
  out_ = &out;
  self_ = &self;
}

void Worker::end() {
  run_ready();
  flush_streams();
  run_ready();
  if (!dirty_.empty()) flush_streams();
  end_redo();
  watch_room();
}

Replica* Worker::replica(FragmentRef ref) const {
  TableState* t = table_state(ref.table);
  return t == nullptr || ref.fragment >= t->replicas.size() ? nullptr : t->replicas[ref.fragment].get();
}

void Worker::each_replica(const std::function<void(const Replica&)>& f) const {
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (r) f(*r);
    }
  }
}

std::uint64_t Worker::primary_rows() const {
  std::uint64_t n = 0;
  each_replica([&](const Replica& r) { n += r.role == Role::primary ? r.rows.rows() : 0; });
  return n;
}

// ---- open views: what the barriers of a reorganisation wait for

void Worker::view_begins(View v) {
  if (!open_views_.empty() && open_views_.back().view == v) {
    open_views_.back().count++;
  } else {
    open_views_.push_back({v, 1});
  }
}

void Worker::view_ends(View v) {
  for (OpenView& o : open_views_) {
    if (o.view == v) {
      NDB_CHECK(o.count > 0);
      o.count--;
      break;
    }
  }
  while (!open_views_.empty() && open_views_.front().count == 0) open_views_.pop_front();
}

View Worker::oldest_open() const { return open_views_.empty() ? catalog_->view : open_views_.front().view; }

bool Worker::quiet() const { return parts_.in_use() == 0 && coords_.in_use() == 0; }

// ---- peers

void Worker::client_up(env::LinkId link, std::uint64_t session, NodeId api_node) {
  if (link >= clients_.size()) clients_.resize(link + 1);
  clients_[link] = {session, api_node, true};
}

void Worker::client_down(env::LinkId link) {
  if (link >= clients_.size() || !clients_[link].up) return;
  clients_[link] = {};
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || !parts_[p].direct || parts_[p].link != link) continue;
    parts_[p].link = 0;
    if (parts_[p].state == PartState::waiting || parts_[p].state == PartState::running) {
      fail_part(p, Error::node_failure);
    }
  }
  for (std::uint32_t c = 1; c <= coords_.made(); c++) {
    if (!coords_.used(c) || coords_[c].link != link) continue;
    coords_[c].link = 0;
    if (coords_[c].state != CoordState::deciding && coords_[c].state != CoordState::committing) {
      abort_coordination(c, Error::node_failure, false);
    }
  }
  for (std::uint32_t s = 1; s <= scans_.made(); s++) {
    if (scans_.used(s) && scans_[s].link == link) close_scan(s);
  }
  for (HeldReply& h : held_replies_) {
    if (h.link == link) h.link = 0;
  }
}

void Worker::node_up(NodeId node, env::LinkId link) {
  links_[node] = link;
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      const bool follows = r && (r->role == Role::backup || (r->role == Role::joining && r->filled));
      if (!follows || r->primary != node) continue;
      send(node, r->primary_worker, wire::Type::stream_resume, stream_ack(*r));
    }
  }
  next_round_ = now_;
}

void Worker::node_down(NodeId node) {
  links_[node] = 0;
  for (std::uint32_t w = 0; w < limits::kWorkersMax; w++)
    room_.share_at(node, static_cast<WorkerId>(w)) = RedoRoom::kAny;
  coordination_lost_node(node);
  for (std::uint32_t p = 1; p <= parts_.made(); p++) {
    if (!parts_.used(p) || parts_[p].direct || parts_[p].coordinator_node != node) continue;
    if (parts_[p].state == PartState::logging) {
      parts_[p].abort_wanted = false;  // becomes prepared, then asks the anchor
    } else if (parts_[p].state != PartState::prepared && parts_[p].state != PartState::finishing) {
      undo_part(p);
    }
  }
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (!r) continue;
      if (Peer* peer = r->peer(node)) peer->streaming = false;
      // A joining node begins anew when it is back.
      const bool filling = std::erase_if(r->copies, [&](const CopySession& s) { return s.node == node; }) > 0;
      if (filling) std::erase_if(r->peers, [&](const Peer& p) { return p.node == node && !p.counts; });
      // Not when it is filled: the primary waits for it, and the log may call it in sync at any moment.
      if (r->role == Role::joining && r->primary == node && !r->filled) restart_filling(*r);
    }
  }
}

// ---- messages

void Worker::on_message(const wire::Message& m, env::LinkId link, NodeId from) {
  using wire::Type;
  const auto type = static_cast<Type>(m.type);
  if (type == Type::execute) {
    on_execute(m, link);
    return;
  }
  switch (type) {
    case Type::scan_open:
      on_scan_open(m, link);
      return;
    case Type::scan_next:
      if (m.body.size() >= sizeof(wire::ScanNext)) on_scan_next(load<wire::ScanNext>(m.body.data()), link, m.from);
      return;
    case Type::scan_close:
      if (m.body.size() >= sizeof(wire::ScanNext)) {
        std::uint32_t s = load<wire::ScanNext>(m.body.data()).scan;
        if (scans_.used(s) && scans_[s].link == link) close_scan(s);
      }
      return;
    case Type::outcome:
      on_outcome(m, link);
      return;
    default:
      break;
  }
  if (from == 0) return;  // the rest is between data nodes
  auto word = [&](auto handle) {
    if (m.body.size() >= sizeof(PartWord)) handle(load<PartWord>(m.body.data()));
  };
  switch (type) {
    case Type::stream:
      on_stream(m, from);
      return;
    case Type::stream_ack:
    case Type::stream_resume:
      if (m.body.size() >= sizeof(StreamAck)) {
        const auto a = load<StreamAck>(m.body.data());
        room_.share_at(from, m.from) = share_from_wire(a.share);
        on_stream_ack(a, from, type == Type::stream_resume);
      }
      return;
    case Type::part_execute:
      on_part_execute(m, from);
      return;
    case Type::part_reply:
      on_part_reply(m);
      return;
    case Type::part_prepare:
      word([&](const PartWord& w) { on_part_prepare(w, from, m.from); });
      return;
    case Type::part_prepared:
      word([&](const PartWord& w) { on_part_prepared(w); });
      return;
    case Type::part_commit:
      word([&](const PartWord& w) { on_part_commit(w, from, m.from); });
      return;
    case Type::part_abort:
      word([&](const PartWord& w) { on_part_abort(w); });
      return;
    case Type::part_done:
      word([&](const PartWord& w) { on_part_done(w); });
      return;
    case Type::part_ask:
      word([&](const PartWord& w) { on_part_ask(w, from, m.from); });
      return;
    case Type::part_answer:
      word([&](const PartWord& w) { on_part_answer(w); });
      return;
    case Type::copy_request:
      on_copy_request(m, from, m.from);
      return;
    case Type::copy_rows:
      on_copy_rows(m, from);
      return;
    case Type::copy_ack:
      if (m.body.size() >= sizeof(CopyWord)) on_copy_ack(load<CopyWord>(m.body.data()), from);
      return;
    case Type::copy_end:
      on_copy_end(m, from);
      return;
    default:
      return;
  }
}

// ---- time

void Worker::on_time() {
  expire_waits();
  if (now_ >= tell_commits_at_) tell_commit_points();
  if (now_ < next_round_) return;
  next_round_ = now_ + kSlowRound;
  request_copies();
  resend_commits();
  ask_anchors();
  expire_scans();
  if (options_.inactive != kNever) {
    for (std::uint32_t c = 1; c <= coords_.made(); c++) {
      if (coords_.used(c) && coords_[c].state == CoordState::open && now_ - coords_[c].since > options_.inactive) {
        abort_coordination(c, Error::inactive_timeout, false);
      }
    }
  }
  for (int i = 0; i < 64 && !graveyard_.empty(); i++) {
    if (!graveyard_.back()->rows.drop_some()) graveyard_.pop_back();
  }
  if (graveyard_.empty()) dropped_.clear();
}

Time Worker::wake() const {
  Time t = next_round_;
  if (!waits_.empty() && waits_.front().deadline < t) t = waits_.front().deadline;
  if (tell_commits_at_ < t) t = tell_commits_at_;
  if (durable_ && durable_->writer && durable_->next_piece < t) t = durable_->next_piece;
  return t;
}

}  // namespace ndb::txn
