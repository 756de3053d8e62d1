// What a new catalog asks of the node: its configuration, its own state, joining, its lease, and what it reports of
// itself.
#include <algorithm>

#include "base/probe.h"
#include "node/node.h"

namespace ndb::node {

using meta::NodeState;

void Node::on_catalog() {
  peers_.update(catalog_);
  if (epoch_ <= catalog_->durable_epoch) {  // a decision in an epoch that is durable would be lost with it, unnoticed
    raise_epoch(catalog_->durable_epoch + 1);
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
    tell_state();
    tell_all({.kind = Word::Kind::catalog, .catalog = catalog_});
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
      const std::string* live = live_.find(name);
      auto i = n.values.find(name);
      if (live == nullptr && (i == n.values.end() || i->second.empty())) return fallback;
      const std::string& text = live != nullptr ? *live : i->second;
      char* end = nullptr;
      std::uint64_t v = std::strtoull(text.c_str(), &end, 10);
      return *end == '\0' ? v : fallback;
    };
    const std::uint64_t memory = number("DataMemory", kMemoryDefault) / desks_.size();
    const Time wait = static_cast<Time>(number("TransactionDeadlockDetectionTimeout", 1200)) * kMillisecond;
    const std::uint64_t idle = number("TransactionInactiveTimeout", UINT32_MAX);
    if (options_.memory_bytes == 0 && (memory > memory_told_ || life_ != Life::joined)) {
      memory_told_ = memory;
      tell_all({.kind = Word::Kind::memory, .a = memory});
    }
    tell_all({.kind = Word::Kind::lock_wait, .a = static_cast<std::uint64_t>(wait)});
    const bool for_ever = idle >= 4294967039u || idle == 0;
    tell_all({.kind = Word::Kind::inactive,
              .a = static_cast<std::uint64_t>(for_ever ? kNever : static_cast<Time>(idle) * kMillisecond)});
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
    log(env::Severity::warning,
        "node group " + std::to_string(self->group) + " was lost while it filled this node; restarting from disk");
    stop_ = Stop::gone;
    stop_status_ = kExitRestart;
    return;
  }
  if (mine) {
    if (self->state == NodeState::in_sync && !was_in_sync_) {
      was_in_sync_ = true;
      std::uint64_t fetched = 0;
      for (const Desk& d : desks_) fetched += d.status.fetched_rows;
      log(env::Severity::info,
          "in sync, serving; " + std::to_string(fetched) + " rows were fetched from its node group");
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
    // By this very catalog: with another group view something else would have to be filled.
    for (const Desk& d : desks_) {
      if (!d.status.filled || d.status.version != catalog_->version) return;
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
  if (lease_returned_ || stop_ == Stop::gone) return;
  serve_until_ = std::max(serve_until_, until);
  tell_all({.kind = Word::Kind::lease, .a = static_cast<std::uint64_t>(serve_until_)});
}

View Node::oldest_open() const {
  View v = catalog_->view;
  if (life_ != Life::joined) return v;
  for (const Desk& d : desks_) v = std::min(v, d.status.oldest_open);
  return v;
}

void Node::heartbeat() {
  const View open = oldest_open();
  const Version shown = version();
  Epoch wanted = 0;
  for (const Desk& d : desks_) wanted = std::max(wanted, d.status.durable_wanted);
  if (stop_ == Stop::draining) wanted = std::max(wanted, stop_epoch_);
  const bool waits = wanted > told_wanted_ && wanted > catalog_->durable_epoch;
  const bool news = life_ == Life::joined && (told_version_ != shown || told_open_ != open || waits);
  told_wanted_ = wanted;
  if (now_ < next_heartbeat_ && !news) return;
  next_heartbeat_ = now_ + limits::kNodeHeartbeat;
  told_version_ = shown;
  told_open_ = open;
  wire::Heartbeat h;
  h.node = options_.node;
  h.incarnation = incarnation_;
  h.sent = static_cast<std::uint64_t>(now_);
  h.version = shown;
  h.oldest_open = open;
  h.durable_wanted = wanted;
  h.restored = restored();
  for (const Desk& d : desks_) {
    h.memory_used += d.details.memory_used;
    h.memory_total += d.details.memory_total;
    h.rows += d.details.rows;
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
  reorg::JobReport r = desks_[0].job;
  bool changed = desks_[0].job_news;
  for (std::size_t i = 1; i < desks_.size(); i++) {
    const reorg::JobReport& j = desks_[i].job;
    // One of them has not seen the present phase yet; it will say so.
    if (j.job != r.job || j.phase != r.phase || j.view != r.view) return;
    r.fragments.insert(r.fragments.end(), j.fragments.begin(), j.fragments.end());
    changed = changed || desks_[i].job_news;
  }
  if (!changed && now_ < next_report_) {
    out_->wake_at(next_report_);
    return;
  }
  // Rows go by the thousand: not every batch is news.
  if (changed && now_ < next_report_ &&
      !std::all_of(r.fragments.begin(), r.fragments.end(), [](const auto& f) { return f.done; })) {
    out_->wake_at(next_report_);
    return;
  }
  for (Desk& d : desks_) d.job_news = false;
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
