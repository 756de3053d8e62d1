#include "node/node.h"

#include <algorithm>

#include "base/probe.h"

namespace ndb::node {

using env::EventKind;
using meta::NodeState;

namespace {

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
      member_(store, {options_.raft_id, options_.seed, 0, 1, true}),
      peers_(self_of(options_)),
      catalog_(member_.catalog()),
      start_wanted_(!options_.nostart) {
  make_units();
}

Node::~Node() = default;

bool Node::in_sync() const {
  const meta::Node* n = catalog_->node(options_.node);
  return n != nullptr && life_ == Life::joined && n->incarnation == incarnation_ && n->state == NodeState::in_sync;
}

void Node::step(Time now, const env::Event& event, env::Outbox& out) {
  now_ = now;
  out_ = &out;
  if (event.kind == EventKind::frame && event.epoch > epoch_ && event.epoch - epoch_ < limits::kEpochLeapMax)
    epoch_ = event.epoch;
  out.epoch = epoch_;
  begin_unit();
  switch (event.kind) {
    case EventKind::start: {
      // The voters have to find each other before anything is committed: where they were is where they may be.
      const auto expected = member_.expected();
      Failure f = member_.start(now);
      if (f) {
        log(env::Severity::critical, f.sentence());
        out.exit(kExitError);
        return;
      }
      catalog_ = member_.catalog();
      peers_.update(expected, options_.servers);
      break;
    }
    case EventKind::frame:
      on_frame(event);
      break;
    case EventKind::stored:
      if ((event.tag & txn::kDiskTag) == 0) {
        member_.stored(now, event.tag, event.status);
      } else if (txn::worker_of_tag(event.tag) < desks_.size()) {
        tell(desks_[txn::worker_of_tag(event.tag)],
             {.kind = Word::Kind::stored, .status = event.status, .a = event.tag});
      }
      break;
    case EventKind::parcel:
      on_parcel(event);
      break;
    case EventKind::stop:
      if (stop_ != Stop::no) stop_status_ = kExitStop;  // it was about to start again
      begin_stop(kExitStop, true);
      break;
    default:
      peers_.on_event(now, event, out);
      break;
  }
  if (now >= member_.wake()) member_.tick(now);
  on_peer_changes();
  drain_member();
  leader_.step(now, member_, peers_, out);
  driver_.step(now, member_, leader_, out);
  epochs_.want(driver_.durable_wanted());
  epochs_.step(now, member_, leader_, out);
  if (epochs_.present() > epoch_) raise_epoch(epochs_.present());
  send_epoch_orders();
  drain_member();
  look_at_unit();
  join();
  tell_state();
  run_unit();
  disk_progress();
  epoch_progress();
  give_up_start();
  continue_stop();
  heartbeat();
  job_reports();
  send_reports();
  peers_.tick(now, out);
  if (std::any_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.status.out_of_memory; })) {
    log(env::Severity::critical, "DataMemory is too small for what this node has to hold; raise it");
    out.exit(kExitError);
  }
  out.wake_at(member_.wake());
  out.wake_at(next_heartbeat_);
  if (alone()) out.wake_at(desks_[0].unit->wake());
  if (stop_ != Stop::no) out.wake_at(now + kMillisecond);
  out.hold_input = std::any_of(desks_.begin(), desks_.end(),
                               [](const Desk& d) { return d.next && d.next->bytes.size() > limits::kPartBytesFull; });
}

// ---- messages

void Node::on_frame(const env::Event& event) { dispatch(event.data, event.link, sender(event.link)); }

NodeId Node::sender(env::LinkId link) const {
  return peers_.known(link) && peers_.kind_of(link) == wire::PeerKind::data ? peers_.node_of(link) : NodeId{0};
}

void Node::dispatch(Bytes payload, env::LinkId link, NodeId from) {
  wire::Message run[Unit::kRun];
  std::size_t n = 0;
  bool damaged = false;
  wire::Message m;
  auto take_run = [&] {
    if (n != 0 && peers_.known(link)) desks_[0].unit->take(run, n, link, from);
    n = 0;
  };
  while (wire::next_message(payload, &m, &damaged)) {
    const bool ours = m.to < desks_.size() && m.type >= static_cast<std::uint16_t>(wire::Type::execute);
    if (ours && alone()) {
      run[n++] = m;
      if (n == Unit::kRun) take_run();
    } else if (ours) {
      if (peers_.known(link)) pass_on(m, link, from);
    } else {
      take_run();
      on_control(m, link, from);
      from = sender(link);  // after a Hello more may follow in the same frame
    }
  }
  take_run();
  if (damaged) {
    log(env::Severity::warning, "malformed frame from " + peers_.address_of(link) + ", link closed");
    out_->close(link);
  }
}

void Node::on_control(const wire::Message& m, env::LinkId link, NodeId from) {
  if (peers_.on_message(now_, link, m, *out_)) {
    on_peer_changes();
    return;
  }
  if (!peers_.known(link)) return;
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
    case wire::Type::heartbeat:
      leader_.on_heartbeat(now_, link, m.body, member_, peers_, *out_);
      return;
    case wire::Type::heartbeat_ok: {
      Reader r(m.body);
      wire::HeartbeatOk ok;
      if (!wire::decode(r, &ok) || ok.sent > static_cast<std::uint64_t>(now_) ||
          ok.lease_ns > static_cast<std::uint64_t>(meta::kLeaseMax)) {
        return;
      }
      cluster_waits_ = std::move(ok.waiting);
      cluster_waits_s_ = ok.left_s;
      cluster_in_vain_ = ok.in_vain;
      extend_lease(static_cast<Time>(ok.sent + ok.lease_ns));
      return;
    }
    case wire::Type::node_order:
      on_order(m, link);
      return;
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
    default:
      return;
  }
}

void Node::on_peer_changes() {
  while (!peers_.changes.empty()) {
    std::vector<meta::Peers::Change> changes;
    changes.swap(peers_.changes);
    for (const auto& c : changes) {
      using Kind = meta::Peers::Change::Kind;
      leader_.on_change(now_, c);
      if (c.kind == Kind::down && c.raft_id != 0) member_.lost(now_, c.raft_id);
      if (c.kind == Kind::turned_away) log(env::Severity::warning, "turned away: " + c.text);
      if (c.peer == wire::PeerKind::data && c.node != 0) {
        if (c.kind == Kind::up) tell_all({.kind = Word::Kind::node_up, .node = c.node, .link = c.link});
        if (c.kind == Kind::down) tell_all({.kind = Word::Kind::node_down, .node = c.node});
      }
      if (c.peer == wire::PeerKind::api) client_changed(c);
      if (c.kind == Kind::up) {
        if (c.link >= link_since_.size()) link_since_.resize(c.link + 1);
        link_since_[c.link] = mark_;
      }
      if (c.kind == Kind::up && c.peer != wire::PeerKind::api) next_heartbeat_ = now_;
    }
  }
}

// ---- the metadata log

// To a member that we have no link to, by way of a management server. Data nodes that come back from their disks may
// know nobody's address; when the votes of management servers are not enough, nothing else would ever bring them
// together.
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

}  // namespace ndb::node
