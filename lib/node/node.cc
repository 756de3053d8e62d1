#include "node/node.h"

#include <algorithm>

#include "node/unit.h"

namespace ndb::node {

using env::EventKind;
using meta::NodeState;

namespace {
constexpr std::uint64_t kMemoryDefault = std::uint64_t{98} << 20;
constexpr Epoch kEpochLeapMax = 1u << 20;  // a peer that claims more is not believed
constexpr std::size_t kRun = 16;  // messages whose rows are fetched together

meta::Peers::Self self_of(const NodeOptions& o) {
  meta::Peers::Self s;
  s.kind = wire::PeerKind::data;
  s.node = o.node;
  s.raft_id = o.raft_id;
  s.port = o.port;
  s.workers = o.workers;
  return s;
}
}  // namespace

Node::Node(meta::LogStore& store, NodeOptions options)
    : options_(std::move(options)),
      member_(store, {options_.raft_id, options_.seed}),
      peers_(self_of(options_)),
      catalog_(member_.catalog()),
      start_wanted_(!options_.nostart) {
  make_units();
}

Node::~Node() = default;

const txn::Worker& Node::worker(std::size_t i) const { return units_[i]->worker; }

void Node::make_units() {
  for (WorkerId w = 0; w < options_.workers; w++) {
    txn::WorkerOptions o;
    o.node = options_.node;
    o.worker = w;
    o.memory_bytes = (options_.memory_bytes != 0 ? options_.memory_bytes : kMemoryDefault) / options_.workers;
    units_.push_back(std::make_unique<Unit>(o, *this));
    if (w < options_.disks.size()) {
      units_.back()->worker.attach_disk(*options_.disks[w], {options_.disk_cluster, options_.node, w, options_.workers},
                                        options_.seed | 1);
    }
  }
}

bool Node::in_sync() const {
  const meta::Node* n = catalog_->node(options_.node);
  return n != nullptr && life_ == Life::joined && n->incarnation == incarnation_ && n->state == NodeState::in_sync;
}

void Node::step(Time now, const env::Event& event, env::Outbox& out) {
  now_ = now;
  out_ = &out;
  if (event.kind == EventKind::frame && event.epoch > epoch_ && event.epoch - epoch_ < kEpochLeapMax) epoch_ = event.epoch;
  out.epoch = epoch_;
  for (auto& u : units_) {
    u->worker.begin(now, out, self_);
    u->worker.set_epoch(epoch_);
  }
  switch (event.kind) {
    case EventKind::start: {
      Failure f = member_.start(now);
      if (f) {
        log(env::Severity::critical, f.sentence());
        out.exit(kExitError);
        return;
      }
      catalog_ = member_.catalog();
      peers_.update(catalog_, options_.servers);
      break;
    }
    case EventKind::frame: on_frame(event); break;
    case EventKind::stored:
      if ((event.tag & txn::kDiskTag) == 0) {
        member_.stored(now, event.tag, event.status);
      } else if (txn::worker_of_tag(event.tag) < units_.size()) {
        units_[txn::worker_of_tag(event.tag)]->worker.on_disk(event.tag, event.status);
      }
      break;
    case EventKind::stop:
      if (stop_ != Stop::no) stop_status_ = kExitStop;  // it was about to start again
      begin_stop(kExitStop, true);
      break;
    default: peers_.on_event(now, event, out); break;
  }
  if (now >= member_.wake()) member_.tick(now);
  on_peer_changes();
  drain_member();
  leader_.step(now, member_, peers_, out);
  driver_.step(now, member_, leader_, out);
  epochs_.want(driver_.durable_wanted());
  epochs_.step(now, member_, leader_, out);
  if (epochs_.present() > epoch_) {
    epoch_ = epochs_.present();
    out.epoch = epoch_;
    for (auto& u : units_) u->worker.set_epoch(epoch_);
  }
  send_epoch_orders();
  drain_member();
  join();
  for (auto& u : units_) {
    if (now >= u->worker.wake()) u->worker.on_time();
    u->mover.pump(now);
    u->worker.end();
  }
  run_loopback();
  disk_progress();
  epoch_progress();
  continue_stop();
  heartbeat();
  job_reports();
  peers_.tick(now, out);
  if (std::any_of(units_.begin(), units_.end(), [](auto& u) { return u->worker.out_of_memory(); })) {
    log(env::Severity::critical, "DataMemory is too small for what this node has to hold; raise it");
    out.exit(kExitError);
  }
  out.wake_at(member_.wake());
  out.wake_at(next_heartbeat_);
  for (auto& u : units_) {
    out.wake_at(u->worker.wake());
    out.wake_at(u->mover.wake());
  }
  if (stop_ != Stop::no) out.wake_at(now + kMillisecond);
}

// ---- messages

void Node::on_frame(const env::Event& event) {
  dispatch(event.data, event.link, sender(event.link));
}

NodeId Node::sender(env::LinkId link) const {
  return peers_.known(link) && peers_.kind_of(link) == wire::PeerKind::data ? peers_.node_of(link) : NodeId{0};
}

void Node::dispatch(Bytes payload, env::LinkId link, NodeId from) {
  wire::Message run[kRun];
  std::size_t n = 0;
  bool damaged = false;
  wire::Message m;
  while (wire::next_message(payload, &m, &damaged)) {
    if (m.to < units_.size() && m.type >= static_cast<std::uint16_t>(wire::Type::execute)) {
      run[n++] = m;
      if (n < kRun) continue;
    }
    dispatch_run(run, n, link, from);
    if (n < kRun) {
      on_control(m, link, from);
      if (link != env::kSelf) from = sender(link);  // after a Hello more may follow in the same frame
    }
    n = 0;
  }
  dispatch_run(run, n, link, from);
  if (damaged) {
    log(env::Severity::warning, "malformed frame from " + peers_.address_of(link) + ", link closed");
    out_->close(link);
  }
}

void Node::dispatch_run(const wire::Message* m, std::size_t n, env::LinkId link, NodeId from) {
  if (n == 0 || (link != env::kSelf && !peers_.known(link))) return;
  if (n > 1) {
    for (std::size_t i = 0; i < n; i++) units_[m[i].to]->worker.prefetch(m[i]);
    for (std::size_t i = 0; i < n; i++) units_[m[i].to]->worker.prefetch_row(m[i]);
  }
  for (std::size_t i = 0; i < n; i++) {
    Unit& u = *units_[m[i].to];
    if (m[i].type >= static_cast<std::uint16_t>(wire::Type::move_rows)) {
      if (from != 0) u.mover.on_message(now_, m[i], from);
    } else {
      u.worker.on_message(m[i], link, from);
    }
  }
}

// What workers and movers of this node say to each other, until nobody has anything more to say.
void Node::run_loopback() {
  while (!self_.empty()) {
    std::swap(self_, self_swap_);
    self_.clear();
    dispatch(self_swap_.view(), env::kSelf, options_.node);
    self_swap_.clear();
    for (auto& u : units_) {
      u->mover.pump(now_);
      u->worker.end();
    }
  }
}

void Node::on_control(const wire::Message& m, env::LinkId link, NodeId from) {
  if (link != env::kSelf && peers_.on_message(now_, link, m, *out_)) {
    on_peer_changes();
    return;
  }
  if (link == env::kSelf || !peers_.known(link)) return;
  switch (static_cast<wire::Type>(m.type)) {
    case wire::Type::member:
      if (peers_.raft_of(link) != 0) member_.receive(now_, peers_.raft_of(link), m.body);
      return;
    case wire::Type::relay: {
      Reader r(m.body);
      const std::uint64_t to = r.u64(), sender = r.u64();
      if (r.bad() || to != member_.raft_id() || sender == 0 || peers_.kind_of(link) != wire::PeerKind::mgm) return;
      member_.receive(now_, sender, m.body.substr(16));
      return;
    }
    case wire::Type::get_catalog: {
      Reader r(m.body);
      std::uint32_t request = r.u32();
      Version have = r.u64();
      if (r.bad()) return;
      Writer& w = out_->link(link);
      std::size_t at = wire::begin_message(w, wire::Type::catalog, m.from, kControl);
      w.u32(request);
      w.u64(catalog_->version);
      if (catalog_->version > have) encode(w, *catalog_);
      wire::end_message(w, at);
      return;
    }
    case wire::Type::heartbeat: leader_.on_heartbeat(now_, link, m.body, member_, peers_, *out_); return;
    case wire::Type::heartbeat_ok: {
      Reader r(m.body);
      wire::HeartbeatOk ok;
      if (!wire::decode(r, &ok) || ok.sent > static_cast<std::uint64_t>(now_) ||
          ok.lease_ns > 10 * static_cast<std::uint64_t>(kSecond)) {
        return;
      }
      cluster_waits_ = std::move(ok.waiting);
      cluster_waits_s_ = ok.left_s;
      cluster_in_vain_ = ok.in_vain;
      extend_lease(static_cast<Time>(ok.sent + ok.lease_ns));
      return;
    }
    case wire::Type::node_order: on_order(m, link); return;
    case wire::Type::epoch_order: {
      Reader r(m.body);
      wire::EpochOrder o;
      if (peers_.kind_of(link) != wire::PeerKind::api && wire::decode(r, &o)) on_epoch_order(o);
      return;
    }
    case wire::Type::epoch_report: {
      Reader r(m.body);
      wire::EpochReport e;
      if (from != 0 && wire::decode(r, &e)) epochs_.on_report(e);
      return;
    }
    case wire::Type::job_report:
      if (from != 0) driver_.on_report(m.body);
      return;
    default: return;
  }
}

void Node::on_peer_changes() {
  while (!peers_.changes.empty()) {
    std::vector<meta::Peers::Change> changes;
    changes.swap(peers_.changes);
    for (const auto& c : changes) {
      using Kind = meta::Peers::Change::Kind;
      leader_.on_change(now_, c);
      if (c.kind == Kind::turned_away) log(env::Severity::warning, "turned away: " + c.text);
      if (c.peer == wire::PeerKind::data && c.node != 0) {
        for (auto& u : units_) {
          if (c.kind == Kind::up) u->worker.node_up(c.node, c.link);
          if (c.kind == Kind::down) {
            u->worker.node_down(c.node);
            u->mover.node_down(c.node);
          }
        }
      }
      if (c.peer == wire::PeerKind::api) {
        for (auto& u : units_) {
          if (c.kind == Kind::up) u->worker.client_up(c.link, c.session, c.node);
          if (c.kind == Kind::down) u->worker.client_down(c.link);
        }
      }
      if (c.kind == Kind::up && c.peer != wire::PeerKind::api) next_heartbeat_ = now_;
    }
  }
}

// ---- the metadata log

// To a member that we have no link to, by way of a management server. Data nodes that come back from their disks may know
// nobody's address; when the votes of management servers are not enough, nothing else would ever bring them together.
void Node::relay(const meta::Member::Send& s) {
  const auto servers = peers_.links(wire::PeerKind::mgm);
  if (servers.empty()) return;
  Writer& w = out_->link(servers.front());
  std::size_t at = wire::begin_message(w, wire::Type::relay, kControl, kControl);
  w.u64(s.to_raft_id);
  w.u64(member_.raft_id());
  w.raw(s.bytes);
  wire::end_message(w, at);
}

void Node::drain_member() {
  for (int round = 0; round < 8; round++) {
    for (auto& s : member_.sends) {
      env::LinkId link = peers_.link_of_raft(s.to_raft_id);
      if (link == 0) {
        relay(s);
        continue;
      }
      Writer& w = out_->link(link);
      std::size_t at = wire::begin_message(w, wire::Type::member, kControl, kControl);
      w.raw(s.bytes);
      wire::end_message(w, at);
    }
    member_.sends.clear();
    if (member_.failed) {
      log(env::Severity::critical, member_.failure);
      out_->exit(kExitError);
      return;
    }
    for (auto& f : member_.finished) {
      if (f.request == join_request_ && life_ == Life::asking && f.outcome.error != Error::ok) {
        life_ = Life::waiting;
        next_join_ = now_ + 500 * kMillisecond;
        const bool again = is_temporary(f.outcome.error) || f.outcome.error == Error::timed_out ||
                           f.outcome.error == Error::bad_node_state;
        log(again ? env::Severity::warning : env::Severity::critical, "not let in: " + f.outcome.text);
        if (!again) out_->exit(kExitError);
      }
      if (f.request == sync_request_) sync_request_ = {};
      if (f.request == stop_request_ && f.outcome.error != Error::ok && stop_ == Stop::leaving) {
        log(env::Severity::warning, "leaving the cluster: " + f.outcome.text);
        stop_ = Stop::gone;
      }
    }
    member_.finished.clear();
    member_.applied.clear();
    member_.replaced = false;
    if (member_.catalog() == catalog_) return;
    catalog_ = member_.catalog();
    on_catalog();
  }
}

void Node::on_catalog() {
  peers_.update(catalog_);
  if (epoch_ <= catalog_->durable_epoch) {  // a decision in an epoch that is durable would be lost with it, unnoticed
    epoch_ = catalog_->durable_epoch + 1;
    out_->epoch = epoch_;
    for (auto& u : units_) u->worker.set_epoch(epoch_);
  }
  const meta::Node* self = catalog_->node(options_.node);
  if (self != nullptr && life_ == Life::asking && self->raft_id == options_.raft_id && self->port == options_.port &&
      self->state != NodeState::down && catalog_->outcome_of(join_request_) != nullptr) {
    life_ = Life::joined;
    incarnation_ = self->incarnation;
    peers_.set_incarnation(incarnation_);
    log(env::Severity::info, "let in, incarnation " + std::to_string(incarnation_));
  }
  if (catalog_->generation != config_generation_) apply_config();
  check_own_state();
  if (life_ == Life::joined && stop_ != Stop::gone) {
    for (auto& u : units_) {
      u->worker.set_catalog(catalog_);
      u->mover.set_catalog(now_, catalog_);
    }
  }
}

// Parameters that this node obeys. Limits of memory only grow while it runs.
void Node::apply_config() {
  config_generation_ = catalog_->generation;
  const meta::ConfigImage* image = catalog_->config();
  if (image == nullptr) return;
  for (const meta::ConfigNode& n : image->nodes) {
    if (n.id != options_.node) continue;
    auto number = [&](const char* name, std::uint64_t fallback) {
      auto live = live_.find(name);
      auto i = n.values.find(name);
      if (live == live_.end() && (i == n.values.end() || i->second.empty())) return fallback;
      const std::string& text = live != live_.end() ? live->second : i->second;
      char* end = nullptr;
      std::uint64_t v = std::strtoull(text.c_str(), &end, 10);
      return *end == '\0' ? v : fallback;
    };
    const std::uint64_t memory = number("DataMemory", kMemoryDefault) / units_.size();
    const Time wait = static_cast<Time>(number("TransactionDeadlockDetectionTimeout", 1200)) * kMillisecond;
    const std::uint64_t idle = number("TransactionInactiveTimeout", UINT32_MAX);
    for (auto& u : units_) {
      if (options_.memory_bytes == 0 && (memory > u->worker.memory_total() || life_ != Life::joined)) {
        u->worker.set_memory(memory);
      }
      u->worker.set_lock_wait(wait);
      u->worker.set_inactive(idle >= 4294967039u || idle == 0 ? kNever : static_cast<Time>(idle) * kMillisecond);
    }
  }
}

// Declared dead, or put out of the configuration: the rows here are nobody's any more.
void Node::check_own_state() {
  if (life_ != Life::joined) return;
  const meta::Node* self = catalog_->node(options_.node);
  const bool mine = self != nullptr && self->incarnation == incarnation_ && self->state != NodeState::down;
  if (mine && self->state == NodeState::in_sync && self->group != kNoGroup && !options_.disks.empty() && group_lost()) {
    // Some rows are nowhere in memory any more: all come back from their disks, at one epoch.
    log(env::Severity::critical, "a node group has lost all its members; restarting from disk");
    stop_ = Stop::gone;
    stop_status_ = kExitRestart;
    return;
  }
  if (mine) {
    if (self->state == NodeState::in_sync && !was_in_sync_) {
      was_in_sync_ = true;
      std::uint64_t fetched = 0;
      for (const auto& u : units_) fetched += u->worker.counters().fetched_rows;
      log(env::Severity::info, "in sync, serving; " + std::to_string(fetched) + " rows were fetched from its node group");
    }
    return;
  }
  if (stop_ != Stop::no) {
    stop_ = Stop::gone;
    return;
  }
  log(env::Severity::error, "declared dead by the cluster, restarting");
  stop_ = Stop::gone;
  stop_status_ = kExitRestart;
}

void Node::join() {
  if (stop_ != Stop::no) return;
  const meta::Node* self = catalog_->node(options_.node);
  // Let in, and declared dead before it could learn of the one without the other.
  if (life_ == Life::asking && !member_.proposing(join_request_)) life_ = Life::waiting;
  if (life_ == Life::waiting) {
    if (!start_wanted_ || now_ < next_join_ || catalog_->generation == 0 || self == nullptr || self->disabled) return;
    if (self->type != meta::NodeType::data || member_.leader_raft_id() == 0) return;
    meta::Command c;
    meta::NodeJoins j;
    j.node = options_.node;
    j.raft_id = options_.raft_id;
    j.address = options_.address;
    j.port = options_.port;
    j.workers = options_.workers;
    j.generation = catalog_->generation;
    j.initial = !options_.has_rows;
    c.body = j;
    life_ = Life::asking;
    join_request_ = member_.draw_request_id();
    c.request = join_request_;
    member_.propose(now_, std::move(c));
    return;
  }
  if (life_ != Life::joined || self == nullptr || self->incarnation != incarnation_) return;
  if (self->state != NodeState::joining || !sync_request_.none()) return;
  View group_view = 0;
  if (self->group != kNoGroup) {
    const meta::Group* g = catalog_->group(self->group);
    if (g == nullptr) return;
    group_view = g->content_view();
    if (!recovered()) return;
    for (auto& u : units_) {
      if (!u->worker.filled()) return;
    }
  } else if (!catalog_->started) {
    const bool wishes = self->wished_group != kNoGroup || !self->no_group_wish;
    if (wishes) return;  // the first start of the cluster will take it in
  }
  meta::Command c;
  c.body = meta::NodeInSync{options_.node, incarnation_, group_view};
  sync_request_ = member_.draw_request_id();
  c.request = sync_request_;
  member_.propose(now_, std::move(c), now_ + kSecond);
}

// ---- heartbeats and reports

// A node that says good-bye serves nobody any more: its heirs do, from the entry on, which it may be the last to see.
void Node::extend_lease(Time until) {
  if (stop_ == Stop::leaving || stop_ == Stop::gone) return;
  serve_until_ = std::max(serve_until_, until);
  for (auto& u : units_) u->worker.serve_until(serve_until_);
}

View Node::oldest_open() const {
  View v = catalog_->view;
  for (const auto& u : units_) v = std::min(v, u->worker.oldest_open());
  return v;
}

void Node::heartbeat() {
  const View open = oldest_open();
  Epoch wanted = 0;
  for (const auto& u : units_) wanted = std::max(wanted, u->worker.durable_wanted());
  if (stop_ == Stop::draining) wanted = std::max(wanted, stop_epoch_);
  const bool waits = wanted > told_wanted_ && wanted > catalog_->durable_epoch;
  const bool news = life_ == Life::joined && (told_version_ != catalog_->version || told_open_ != open || waits);
  told_wanted_ = wanted;
  if (now_ < next_heartbeat_ && !news) return;
  next_heartbeat_ = now_ + limits::kNodeHeartbeat;
  told_version_ = catalog_->version;
  told_open_ = open;
  wire::Heartbeat h;
  h.node = options_.node;
  h.incarnation = incarnation_;
  h.sent = static_cast<std::uint64_t>(now_);
  h.version = catalog_->version;
  h.oldest_open = open;
  h.durable_wanted = wanted;
  h.restored = restored();
  for (const auto& u : units_) {
    h.memory_used += u->worker.memory_used();
    h.memory_total += u->worker.memory_total();
    h.rows += u->worker.primary_rows();
  }
  h.phase = in_sync() ? 101 : (life_ == Life::joined ? (recovered() || damaged_ ? 5 : 4) : start_wanted_ ? 1 : 0);
  describe_start(&h);
  if (member_.leading()) {
    cluster_waits_ = leader_.waiting().text;
    cluster_waits_s_ = leader_.waiting().left_s(now_);
    cluster_in_vain_ = leader_.waiting().in_vain;
    const std::uint64_t lease = leader_.heard(now_, h, member_);
    if (lease != 0) extend_lease(now_ + static_cast<Time>(lease));
  }
  auto tell = [&](env::LinkId link) {
    Writer& w = out_->link(link);
    std::size_t at = wire::begin_message(w, wire::Type::heartbeat, kControl, kControl);
    encode(w, h);
    wire::end_message(w, at);
  };
  for (env::LinkId link : peers_.links(wire::PeerKind::mgm)) tell(link);
  const env::LinkId leader = peers_.link_of_raft(member_.leader_raft_id());
  if (leader != 0 && peers_.kind_of(leader) != wire::PeerKind::mgm) tell(leader);
}

void Node::job_reports() {
  if (life_ != Life::joined || catalog_->running_job() == nullptr) return;
  reorg::JobReport r;
  bool changed = false;
  for (auto& u : units_) changed = u->mover.report(&r) || changed;
  if (!changed && now_ < next_report_) {
    out_->wake_at(next_report_);
    return;
  }
  // Rows go by the thousand: not every batch is news.
  if (changed && now_ < next_report_ &&
      !std::all_of(r.fragments.begin(), r.fragments.end(), [](const auto& f) { return f.done; })) {
    out_->wake_at(next_report_);
    for (auto& u : units_) u->mover.remember_change();
    return;
  }
  next_report_ = now_ + 20 * kMillisecond;
  out_->wake_at(next_report_);
  r.node = options_.node;
  r.incarnation = incarnation_;
  if (member_.leading()) {
    driver_.on_report(r);
  }
  auto tell = [&](env::LinkId link) {
    Writer& w = out_->link(link);
    std::size_t at = wire::begin_message(w, wire::Type::job_report, kControl, kControl);
    encode(w, r);
    wire::end_message(w, at);
  };
  for (env::LinkId link : peers_.links(wire::PeerKind::mgm)) tell(link);
  const env::LinkId leader = peers_.link_of_raft(member_.leader_raft_id());
  if (leader != 0 && peers_.kind_of(leader) != wire::PeerKind::mgm) tell(leader);
}

// ---- orders and leaving

void Node::on_order(const wire::Message& m, env::LinkId link) {
  if (peers_.kind_of(link) == wire::PeerKind::api) return;
  Reader r(m.body);
  wire::NodeOrder o;
  if (!decode(r, &o)) return;
  const bool forced = o.text.find("force") != std::string::npos;
  const int waits = o.text.find("nostart") != std::string::npos ? kExitThenWait : 0;
  switch (o.kind) {
    case wire::OrderKind::stop: begin_stop(kExitStop, forced); break;
    case wire::OrderKind::restart: begin_stop(kExitRestart + waits, forced); break;
    case wire::OrderKind::restart_initial: begin_stop(kExitRestartInitial + waits, forced); break;
    case wire::OrderKind::start: start_wanted_ = true; break;
    case wire::OrderKind::leaving: leader_.leaves(peers_.raft_of(link)); break;
    case wire::OrderKind::set_parameter: set_live(o.text); break;
    case wire::OrderKind::report: {
      Writer& w = out_->link(link);
      std::size_t at = wire::begin_message(w, wire::Type::node_report, m.from, kControl);
      w.u32(o.request);
      w.bytes32(report_text());
      wire::end_message(w, at);
      break;
    }
  }
}

// "name=value"; nothing behind the = : as configured again.
void Node::set_live(const std::string& text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos) return;
  const std::string value = text.substr(equal + 1);
  if (value.empty()) live_.erase(text.substr(0, equal));
  else live_[text.substr(0, equal)] = value;
  apply_config();
}

void Node::begin_stop(int status, bool forced) {
  if (stop_ != Stop::no) return;
  stop_status_ = status;
  stop_forced_ = forced;
  stop_ = Stop::draining;
  stop_epoch_ = in_sync() && !options_.disks.empty() ? epoch_ : 0;  // nothing that was acknowledged may be lost
  stop_deadline_ = now_ + 4 * kSecond;
  log(env::Severity::info, "stopping");
  for (auto& u : units_) u->worker.stop_accepting();
}

// New transactions go elsewhere; those under way get a moment; then the node says good-bye in the log, so that its
// fragments have new primaries before its ports close.
void Node::continue_stop() {
  if (stop_ == Stop::draining) {
    const bool quiet = std::all_of(units_.begin(), units_.end(), [](auto& u) { return u->worker.quiet(); });
    const bool durable = catalog_->durable_epoch >= stop_epoch_;
    if ((!quiet || !durable) && now_ < stop_deadline_) return;
    if (life_ != Life::joined || member_.leader_raft_id() == 0) {
      stop_ = Stop::gone;
    } else {
      meta::Command c;
      c.body = meta::NodeDown{options_.node, incarnation_, "stopped", stop_forced_};
      stop_request_ = member_.draw_request_id();
      c.request = stop_request_;
      member_.propose(now_, std::move(c), now_ + 2 * kSecond);
      stop_ = Stop::leaving;
      serve_until_ = 0;
      for (auto& u : units_) u->worker.serve_until(0);
      stop_deadline_ = now_ + 3 * kSecond;
    }
  }
  if (stop_ == Stop::leaving && now_ > stop_deadline_) stop_ = Stop::gone;
  if (stop_ == Stop::gone) out_->exit(stop_status_);
}

std::string Node::report_text() const {
  txn::WorkerCounters n;
  std::string fragments;
  for (const auto& u : units_) {
    const txn::WorkerCounters& c = u->worker.counters();
    n.reads += c.reads;
    n.writes += c.writes;
    n.commits += c.commits;
    n.aborts += c.aborts;
    n.lock_waits += c.lock_waits;
    n.scanned_rows += c.scanned_rows;
    n.stream_records += c.stream_records;
    n.copied_rows += c.copied_rows;
    n.moved_rows += c.moved_rows;
    u->worker.each_replica([&](const txn::Replica& r) {
      const char* roles[] = {"joining", "backup", "takeover", "primary"};
      fragments += "fragment." + std::to_string(r.ref.table) + "." + std::to_string(r.ref.fragment) + "=" +
                   roles[static_cast<int>(r.role)] + " rows=" + std::to_string(r.rows.rows()) + " checksum=" +
                   std::to_string(r.rows.checksum()) + " appended=" + std::to_string(r.appended) + " committed=" +
                   std::to_string(r.committed) + " bytes=" + std::to_string(r.rows.bytes()) + "\n";
    });
  }
  std::string t;
  auto add = [&](const char* name, std::uint64_t v) { t += std::string(name) + "=" + std::to_string(v) + "\n"; };
  add("version", catalog_->version);
  add("view", catalog_->view);
  add("oldest_open", oldest_open());
  add("reads", n.reads);
  add("writes", n.writes);
  add("commits", n.commits);
  add("aborts", n.aborts);
  add("lock_waits", n.lock_waits);
  add("scanned_rows", n.scanned_rows);
  add("stream_records", n.stream_records);
  add("copied_rows", n.copied_rows);
  add("moved_rows", n.moved_rows);
  return t + fragments;
}

}  // namespace ndb::node
