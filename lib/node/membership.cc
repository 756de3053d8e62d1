// What a new catalog asks of the node: its configuration, its own state, joining, its lease, and what it reports of itself.
#include <algorithm>

#include "base/probe.h"
#include "node/unit.h"

namespace ndb::node {

using meta::NodeState;

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
    NDB_PROBE("node.group_lost");
    log(env::Severity::critical, "a node group has lost all its members; restarting from disk");
    stop_ = Stop::gone;
    stop_status_ = kExitRestart;
    return;
  }
  if (mine && self->state == NodeState::joining && filled_epoch() != 0 && group_lost(self->group)) {
    // Half filled, by peers that are lost: what its own files hold may be what all come back with.
    NDB_PROBE("node.group_lost_while_filling");
    log(env::Severity::warning, "node group " + std::to_string(self->group) +
                                    " was lost while it filled this node; restarting from disk");
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
  NDB_PROBE("node.declared_dead");
  log(env::Severity::error, "declared dead by the cluster, restarting");
  stop_ = Stop::gone;
  stop_status_ = kExitRestart;
}

void Node::join() {
  if (stop_ != Stop::no) return;
  const meta::Node* self = catalog_->node(options_.node);
  // Let in, and declared dead before it could learn of the one without the other.
  if (life_ == Life::asking && !member_.proposing(join_request_)) {
    NDB_PROBE("node.let_in_and_dead");
    life_ = Life::waiting;
  }
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
    // An empty disk that is the one it had: nothing was durable yet, so nothing is missing.
    j.initial = !options_.has_rows && (options_.disks.empty() || self->raft_id != options_.raft_id);
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

}  // namespace ndb::node
