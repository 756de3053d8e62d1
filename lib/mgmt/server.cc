#include "mgmt/server.h"

#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr Time kLeadershipHandOver = 1 * kSecond;  // a server that is told to stop waits this long for its successor
constexpr int kRoundsMax = 16;                     // of acting and draining in one step

meta::Peers::Self self_of(const ServerOptions& o) {
  meta::Peers::Self self;
  self.kind = wire::PeerKind::mgm;
  self.node = o.node;
  self.raft_id = o.raft_id;
  self.port = o.port;
  return self;
}

}  // namespace

Server::Server(meta::LogStore& store, ConfigFiles& files, ServerOptions options)
    : options_(std::move(options)),
      store_(store),
      files_(files),
      prng_(options_.seed),
      member_(std::make_unique<meta::Member>(
          store, meta::MemberOptions{options_.raft_id, options_.seed ^ 0x6d67, 0, 1, true})),
      peers_(self_of(options_)),
      seen_(member_->catalog()) {}

Server::~Server() = default;

void Server::step(Time now, const env::Event& event, env::Outbox& out) {
  now_ = now;
  out_ = &out;
  const bool ours = peers_.on_event(now, event, out);
  switch (event.kind) {
    case env::EventKind::start:
      begin();
      break;
    case env::EventKind::link_up:
      if (!ours && event.text) {
        sessions_[event.link] = std::make_unique<Session>(event.link, next_session_++, std::string(event.data));
      }
      break;
    case env::EventKind::link_down:
      if (!ours) end_session(event.link);
      break;
    case env::EventKind::frame:
      on_frame(event);
      break;
    case env::EventKind::text:
      on_text(event);
      break;
    case env::EventKind::stored:
      if (member_started_) member_->stored(now, event.tag, event.status);
      break;
    case env::EventKind::stop:
      leave(0, true);
      break;
    case env::EventKind::no_link:
    case env::EventKind::parcel:
    case env::EventKind::timer:
      break;
  }
  if (!member_started_ && must_bootstrap_) try_first_start();
  if (member_started_ && now >= member_->wake()) member_->tick(now);
  act();
  if (leave_behind_nodes_ != kNever && (now >= leave_behind_nodes_ || peers_.links(wire::PeerKind::data).empty())) {
    leave_behind_nodes_ = kNever;
    leave(0, false);
  }
  if (leave_status_ >= 0 && (now >= leave_at_ || !waits_to_leave())) out.exit(leave_status_);
  peers_.tick(now, out);
  if (member_started_) out.wake_at(member_->wake());
  if (leave_status_ >= 0) out.wake_at(leave_at_);
  if (leave_behind_nodes_ != kNever) out.wake_at(leave_behind_nodes_);
  out_ = nullptr;
}

void Server::send_epoch_orders() {
  for (const meta::EpochClock::Order& o : epochs_.orders) {
    const env::LinkId link = peers_.link_of(o.node);
    if (link == 0) continue;
    Writer w;
    wire::encode(w, o.order);
    send(link, wire::Type::epoch_order, w.view());
  }
  epochs_.orders.clear();
}

// Draining and acting follow one another until nothing new comes of it: an applied entry may be what the leader's part
// waited for, and what that proposes may be applied at once.
void Server::act() {
  for (int round = 0; round < kRoundsMax; ++round) {
    drain();
    if (!member_started_ || member_->failed) break;
    leader_.step(now_, *member_, peers_, *out_);
    driver_.step(now_, *member_, leader_, *out_);
    epochs_.want(driver_.durable_wanted());
    epochs_.step(now_, *member_, leader_, *out_);
    out_->epoch = std::max(out_->epoch, epochs_.present());
    send_epoch_orders();
    propose_file();
    if (member_->sends.empty() && member_->applied.empty() && member_->finished.empty() && peers_.changes.empty())
      break;
  }
  settle();
  watch_quorum();
  check_waiting();
  ping_listeners();
  if (member_->failed && leave_status_ < 0) {
    out_->log(env::Severity::critical, "the metadata log failed: " + member_->failure);
    leave_status_ = 1;
    leave_at_ = now_;
  }
}

// `alone`: the others stay, and must be able to go on without this one.
void Server::leave(int status, bool alone) {
  leave_status_ = status;
  gives_vote_back_ = alone && vote_is_needed();
  hand_over();
}

// An operator's stop: another voter leads first, so that nobody's lease runs out for our sake.
void Server::hand_over() {
  leave_at_ = gives_vote_back_ ? now_ + kLeadershipHandOver : now_;
  if (!member_->leading()) return;
  for (const meta::MemberInfo& m : member_->log().members()) {
    if (m.role != meta::Role::voter || peers_.link_of_raft(m.raft_id) == 0) continue;
    if (member_->log().transfer(now_, m.raft_id)) leave_at_ = now_ + kLeadershipHandOver;
    return;
  }
}

// Until another one leads, and where the others need it, has taken the vote away.
bool Server::waits_to_leave() {
  if (member_->leading()) return true;
  if (!gives_vote_back_) return false;
  const std::uint64_t leader = member_->leader_raft_id();
  if (const env::LinkId link = peers_.link_of_raft(leader); leader != told_leader_ && link != 0) {
    told_leader_ = leader;
    Writer body;
    wire::encode(body, wire::NodeOrder{wire::OrderKind::leaving, 0, {}});
    send(link, wire::Type::node_order, body.view());
  }
  for (const meta::MemberInfo& m : member_->log().members()) {
    if (m.raft_id == options_.raft_id) return m.role != meta::Role::spare;
  }
  return true;  // not known yet
}

void Server::send(env::LinkId link, wire::Type type, Bytes body) {
  Writer& w = out_->link(link);
  const std::size_t at = wire::begin_message(w, type, kControl, kControl);
  w.raw(body);
  wire::end_message(w, at);
}

void Server::on_frame(const env::Event& event) {
  Bytes payload = event.data;
  wire::Message m;
  bool damaged = false;
  while (wire::next_message(payload, &m, &damaged)) {
    if (!peers_.on_message(now_, event.link, m, *out_)) on_message(event.link, m);
  }
  if (damaged) {
    out_->log(env::Severity::warning, "closing the link of " + peers_.address_of(event.link) + ": malformed message");
    out_->close(event.link);
  }
}

void Server::on_message(env::LinkId link, const wire::Message& m) {
  switch (static_cast<wire::Type>(m.type)) {
    case wire::Type::member:
      if (member_started_) member_->receive(now_, peers_.raft_of(link), m.body);
      break;
    case wire::Type::relay: {  // between data nodes that have no link to each other
      Reader r(m.body);
      const env::LinkId to = peers_.link_of_raft(r.u64());
      const bool between_nodes =
          peers_.kind_of(link) == wire::PeerKind::data && to != 0 && peers_.kind_of(to) == wire::PeerKind::data;
      if (!r.bad() && between_nodes) send(to, wire::Type::relay, m.body);
      break;
    }
    case wire::Type::heartbeat:
      leader_.on_heartbeat(now_, link, m.body, *member_, peers_, *out_);
      break;
    case wire::Type::job_report:
      if (peers_.kind_of(link) == wire::PeerKind::data) driver_.on_report(m.body);
      break;
    case wire::Type::epoch_report: {
      Reader r(m.body);
      wire::EpochReport e;
      if (peers_.kind_of(link) == wire::PeerKind::data && wire::decode(r, &e)) epochs_.on_report(e);
      break;
    }
    case wire::Type::node_report:
      on_node_report(link, m.body);
      break;
    case wire::Type::node_order:
      if (peers_.kind_of(link) == wire::PeerKind::mgm) on_node_order(link, m.body);
      break;
    case wire::Type::get_catalog: {
      Reader r(m.body);
      const std::uint32_t request = r.u32();
      const Version have = r.u64();
      if (!r.done()) break;
      Writer body;
      body.u32(request);
      body.u64(catalog()->version);
      if (catalog()->version > have) meta::encode(body, *catalog());
      send(link, wire::Type::catalog, body.view());
      break;
    }
    default:
      break;  // of no concern to a management server
  }
}

void Server::drain() {
  drain_changes();
  for (meta::Member::Send& s : std::exchange(member_->sends, {})) {
    if (env::LinkId link = peers_.link_of_raft(s.to_raft_id)) send(link, wire::Type::member, s.bytes);
  }
  drain_applied();
  for (meta::Member::Finished& f : std::exchange(member_->finished, {})) {
    if (f.request == file_request_) {
      file_request_ = {};
      file_checked_ = f.outcome.error != Error::generation_moved && f.outcome.error != Error::timed_out;
      if (f.outcome.error != Error::ok && file_checked_) {
        fail("the configuration file was refused: " + f.outcome.text);
      }
      continue;
    }
    for (auto& w : waiting_) {
      if (!w->done && w->id == f.request) finish_waiting(*w, f.outcome);
    }
  }
}

void Server::drain_changes() {
  using What = meta::Peers::Change::Kind;
  for (const meta::Peers::Change& c : std::exchange(peers_.changes, {})) {
    leader_.on_change(now_, c);
    if (c.kind == What::down && c.raft_id != 0) member_->lost(now_, c.raft_id);
    if (c.kind == What::turned_away) on_turned_away(c);
    if (c.kind == What::down) forget_orders(c.node);
    if (c.kind == What::up) reserved_.erase(c.node);  // it is used
    if (c.node == 0 || (c.kind != What::up && c.kind != What::down)) continue;
    const bool up = c.kind == What::up;
    event(up ? env::Severity::info : env::Severity::alert, kConnection, c.node,
          "node " + std::to_string(c.node) + (up ? " connected" : " disconnected"), stock::connected(c.node, up));
  }
}

void Server::drain_applied() {
  for (meta::Member::Applied& a : std::exchange(member_->applied, {})) applied_event(a);
  if (seen_ == member_->catalog()) return;
  seen_ = member_->catalog();
  catalog_changed();
}

void Server::catalog_changed() {
  peers_.update(seen_, servers());
  check_file_against_catalog();
  forget_orders(0);
}

// A data node that served is gone when the catalog says so, any other one when its link is.
void Server::forget_orders(NodeId lost) {
  std::erase_if(ordered_, [&](const auto& o) {
    const meta::Node* n = seen_->node(o.first);
    if (n == nullptr || n->incarnation != o.second.incarnation) return true;
    const bool serves = n->type == meta::NodeType::data && n->state == meta::NodeState::in_sync;
    return !serves && (o.first == lost || (n->type == meta::NodeType::data && n->state == meta::NodeState::down));
  });
}

}  // namespace ndb::mgmt
