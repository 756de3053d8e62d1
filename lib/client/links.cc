// Links to data nodes: made when somebody needs them, given up when the catalog says that their node is gone.
#include "client/machine.h"

namespace ndb::client {

namespace {
constexpr std::uint64_t kManagementTag = std::uint64_t{1} << 63;
}

ClientMachine::Peer* ClientMachine::peer(NodeId node, std::uint8_t lane) {
  if (node >= peers_.size() || peers_[node].node == 0) return nullptr;
  Peer& p = peers_[node];
  if (lane == 0) return &p;
  return lane <= p.lanes.size() ? &p.lanes[lane - 1u] : nullptr;
}

ClientMachine::Peer* ClientMachine::peer_of_link(env::LinkId link) {
  if (link >= link_end_.size() || link_end_[link].node == 0) return nullptr;
  Peer* p = peer(link_end_[link].node, link_end_[link].lane);
  return p != nullptr && p->link == link && !p->closing ? p : nullptr;
}

// Of a connect() that is still the newest one of its peer.
ClientMachine::Peer* ClientMachine::peer_of_tag(std::uint64_t tag) {
  Peer* p = peer(static_cast<NodeId>(tag & 0xffff), static_cast<std::uint8_t>(tag >> 48 & 0xff));
  return p != nullptr && p->state == Peer::State::connecting && p->connects == static_cast<std::uint32_t>(tag >> 16)
             ? p
             : nullptr;
}

// To a worker: by its own link when that is up, else by its node's.
ClientMachine::Peer* ClientMachine::up(const Route& r, Time now, env::Outbox& out) {
  if (Peer* lane = peer(r.node, static_cast<std::uint8_t>(r.worker + 1))) {
    if (lane->state == Peer::State::up && !lane->closing) return lane;
    const Peer& node = peers_[r.node];
    if (node.state == Peer::State::up && !node.closing && r.worker < node.worker_links) lane->wanted = true;
  }
  return up(r.node, now, out);
}

// The peer when its link is ready for requests; otherwise a link is asked for.
ClientMachine::Peer* ClientMachine::up(NodeId node, Time now, env::Outbox& out) {
  if (node == 0 || !catalog_) return nullptr;
  if (node >= peers_.size() || peers_[node].node == 0) {
    const meta::Node* n = catalog_->node(node);
    if (n == nullptr || n->type != meta::NodeType::data || n->port == 0) return nullptr;
    if (node >= peers_.size()) peers_.resize(node + std::size_t{1});
    Peer& fresh = peers_[node];
    fresh.node = node;
    fresh.host = n->address;
    fresh.port = n->port;
    fresh.incarnation = n->incarnation;
  }
  Peer& p = peers_[node];
  if (p.state == Peer::State::up && !p.closing) return &p;
  p.wanted = true;
  if (p.state == Peer::State::idle)
    connect_peers(now, out);
  else if (now - p.since > limits::kClientPatience)
    note_trouble(now);
  return nullptr;
}

void ClientMachine::connect_peers(Time now, env::Outbox& out) {
  for (Peer& p : peers_) {
    connect_peer(p, now, out);
    for (Peer& lane : p.lanes) connect_peer(lane, now, out);
  }
}

void ClientMachine::connect_peer(Peer& p, Time now, env::Outbox& out) {
  if (p.state == Peer::State::greeting && now - p.since > limits::kConnectTimeout && !p.closing) {
    p.closing = true;  // it takes connections, but nobody is at home
    out.close(p.link);
  }
  if (!p.wanted || p.state != Peer::State::idle) return;
  if (now < p.next_connect) {
    out.wake_at(p.next_connect);
    return;
  }
  const meta::Node* n = catalog_ ? catalog_->node(p.node) : nullptr;
  if (n == nullptr || n->port == 0 || n->state == meta::NodeState::down) {
    p.wanted = false;  // asked for again by the next who needs it
    return;
  }
  p.host = n->address;
  p.port = n->port;
  p.incarnation = n->incarnation;
  p.state = Peer::State::connecting;
  p.since = now;
  p.connects++;
  p.next_connect = now + limits::kConnectRetry;
  out.connect(std::uint64_t{p.lane} << 48 | std::uint64_t{p.connects} << 16 | p.node, p.host, p.port);
}

void ClientMachine::on_link_up(Time now, const env::Event& e, env::Outbox& out) {
  if (e.link >= link_end_.size()) link_end_.resize(e.link + 1);
  if (e.tag == kManagementTag) {
    if (management_ != Management::connecting) {
      out.close(e.link);
      return;
    }
    management_ = Management::asking;
    management_link_ = e.link;
    management_text_.clear();
    out.link(e.link).raw("ndb get catalog\nhave: " + std::to_string(catalog_ ? catalog_->version : 0) + "\n\n");
    return;
  }
  Peer* p = peer_of_tag(e.tag);
  if (p == nullptr) {
    out.close(e.link);
    return;
  }
  p->state = Peer::State::greeting;
  p->since = now;
  p->link = e.link;
  p->closing = false;
  p->silent = false;
  link_end_[e.link] = {p->node, p->lane};
  wire::Hello hello;
  hello.kind = wire::PeerKind::api;
  hello.node = options_.node;
  hello.session = options_.session;
  hello.worker_links = p->lane;
  if (catalog_) {
    hello.cluster_id = catalog_->cluster_id;
    hello.cluster_name = catalog_->name;
    hello.view = catalog_->view;
  }
  Writer& w = out.link(e.link);
  auto at = wire::begin_message(w, wire::Type::hello, kControl, 0);
  wire::encode(w, hello);
  wire::end_message(w, at);
}

void ClientMachine::on_link_down(Time now, const env::Event& e, env::Outbox& out) {
  if (e.link == management_link_ && management_ == Management::asking) {
    finish_management(now, out, "the management server closed the connection");
    return;
  }
  if (e.link >= link_end_.size() || link_end_[e.link].node == 0) return;
  Peer* p = peer(link_end_[e.link].node, link_end_[e.link].lane);
  link_end_[e.link] = {};
  if (p == nullptr || p->link != e.link) return;
  const bool was_up = p->state == Peer::State::up;
  p->state = Peer::State::idle;
  p->link = 0;
  p->lost = !p->closing;
  p->closing = false;
  p->wanted = false;
  if (was_up) counts_.links_lost++;
  if (catalog_from_ == p->node && p->lane == 0) catalog_request_ = 0;
  for (Handle h = 0; h < slots_.size(); h++) {
    if (!slots_[h]) continue;
    Slot& s = *slots_[h];
    const bool open_there = (s.begun || s.inside) && s.route.node == p->node && !s.finished;
    const bool not_sent =
        s.state == SlotState::building || s.state == SlotState::ready || s.state == SlotState::pausing;
    if (s.link == e.link && s.state == SlotState::sent) {
      step_lost(s, h, now);
    } else if (s.link == e.link && s.state == SlotState::asking) {
      pause(s, now, SlotState::must_ask);
    } else if (open_there && s.link == e.link && not_sent) {
      s.link = 0;  // noticed by its next send(), or attempt
    }
  }
  scans_lost(now, e.link, out);
  refresh();
}

void ClientMachine::on_no_link(Time now, const env::Event& e, env::Outbox& out) {
  if (e.tag == kManagementTag) {
    if (management_ == Management::connecting) {
      const Endpoint& m = options_.management[management_next_ % options_.management.size()];
      finish_management(now, out, "no management server answers on " + m.host + ":" + std::to_string(m.port));
    }
    return;
  }
  Peer* p = peer_of_tag(e.tag);
  if (p == nullptr) return;
  p->state = Peer::State::idle;
  p->wanted = false;
  p->lost = true;
  trouble_ = "node " + std::to_string(p->node) + " does not answer on " + p->host + ":" + std::to_string(p->port);
  if (catalog_from_ == p->node && p->lane == 0) catalog_request_ = 0;
  refresh();
}

}  // namespace ndb::client
