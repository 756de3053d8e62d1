#include "meta/peers.h"

#include <algorithm>

namespace ndb::meta {

namespace {

constexpr std::uint64_t kTagKind = std::uint64_t{0xffff} << 48;
constexpr std::uint64_t kTagServer = std::uint64_t{0x5045} << 48;  // + round << 16 + index
constexpr std::uint64_t kTagNode = std::uint64_t{0x5046} << 48;    // + node id
constexpr std::uint64_t kTagKnock = std::uint64_t{0x5047} << 48;   // + node id
constexpr std::string_view kConnectRequest = "transporter connect\n\n";

const std::string kNoAddress;

}  // namespace

Peers::Peers(Self self) : self_(std::move(self)) {}

void Peers::update(std::shared_ptr<const Catalog> catalog, std::vector<Server> servers) {
  if (servers != servers_) {
    servers_ = std::move(servers);
    ++servers_round_;
    server_ids_.assign(servers_.size(), 0);
    server_dials_.assign(servers_.size(), Dial{});
    for (auto& link : links_) {
      if (link) link->server = 0;
    }
  }
  update(std::move(catalog));
}

void Peers::update(std::shared_ptr<const Catalog> catalog) {
  catalog_ = std::move(catalog);
  if (catalog_ && catalog_->cluster_id != 0) {
    self_.cluster_id = catalog_->cluster_id;
    self_.cluster_name = catalog_->name;
  }
  recheck_ = true;
  next_ = 0;
}

// --- events

bool Peers::on_event(Time now, const env::Event& event, env::Outbox& out) {
  if (event.kind != env::EventKind::frame) next_ = 0;
  switch (event.kind) {
    case env::EventKind::link_up:
      return link_up(now, event, out);
    case env::EventKind::link_down:
      return link_down(now, event.link);
    case env::EventKind::no_link:
      return no_link(now, event);
    case env::EventKind::frame:
      if (Link* link = find(event.link)) link->heard = now;
      return false;
    default:
      return false;
  }
}

Peers::Link& Peers::make(Time now, env::LinkId id, std::string address) {
  if (id >= links_.size()) links_.resize(id + 1);
  links_[id] = std::make_unique<Link>();
  Link& link = *links_[id];
  link.address = std::move(address);
  link.deadline = now + limits::kHelloTimeout;
  link.heard = now;
  return link;
}

bool Peers::link_up(Time now, const env::Event& event, env::Outbox& out) {
  const std::uint64_t kind = event.tag & kTagKind;
  if (event.tag == 0) {
    if (event.text) return false;  // a text session, perhaps to be adopted
    make(now, event.link, std::string(event.data));
    return true;
  }
  if (kind != kTagServer && kind != kTagNode && kind != kTagKnock) return false;
  Link& link = make(now, event.link, std::string(event.data));
  link.ours = true;
  Dial* dial = dial_of_tag(event.tag);
  if (dial == nullptr ||
      kind == kTagKnock) {  // nobody wants it any more; or somebody is at home, which is all we asked
    if (dial != nullptr) dial->under_way = false;
    close(event.link, link, out);
    return true;
  }
  if (kind == kTagServer) {
    link.server = static_cast<std::size_t>(event.tag & 0xffff) + 1;
    link.expected = servers_[link.server - 1].node;
    out.link(event.link).raw(kConnectRequest);
    out.upgrade(event.link);
    link.stage = Stage::upgrading;  // what this step writes is still text
  } else {
    link.expected = static_cast<NodeId>(event.tag & 0xffff);
    say_hello(event.link, out);
  }
  return true;
}

Peers::Dial* Peers::dial_of_tag(std::uint64_t tag) {
  const auto low = static_cast<std::size_t>(tag & 0xffff);
  if ((tag & kTagKind) == kTagServer) {
    if (static_cast<std::uint32_t>(tag >> 16) != servers_round_ || low >= server_dials_.size()) return nullptr;
    return &server_dials_[low];
  }
  auto i = node_dials_.find(static_cast<NodeId>(low));
  return i == node_dials_.end() ? nullptr : &i->second;
}

Peers::Dial* Peers::dial_of(const Link& link) {
  if (!link.ours) return nullptr;
  if (link.server != 0) return &server_dials_[link.server - 1];
  auto i = node_dials_.find(link.expected);
  return i == node_dials_.end() ? nullptr : &i->second;
}

bool Peers::link_down(Time now, env::LinkId id) {
  Link* link = find(id);
  if (link == nullptr) return false;
  if (Dial* dial = link->stage == Stage::closing ? nullptr : dial_of(*link)) {
    dial->under_way = false;
    dial->next = std::max(dial->next, link->stage == Stage::open ? now : now + limits::kConnectRetry);
  }
  if (link->stage == Stage::open) unmap(id, *link);
  links_[id].reset();
  return true;
}

// The end of an open link: nobody finds it any more, and the owner is told.
void Peers::unmap(env::LinkId id, const Link& link) {
  auto n = by_node_.find(link.hello.node);
  if (n != by_node_.end() && n->second == id) by_node_.erase(n);
  auto r = by_raft_.find(link.hello.raft_id);
  if (r != by_raft_.end() && r->second == id) by_raft_.erase(r);
  tell(Change::Kind::down, id, link);
}

// The owner, that an open link has come or gone.
void Peers::tell(Change::Kind kind, env::LinkId id, const Link& link) {
  Change c;
  c.kind = kind;
  c.node = link.hello.node;
  c.peer = link.hello.kind;
  c.link = id;
  c.raft_id = link.hello.raft_id;
  c.incarnation = link.hello.incarnation;
  c.session = link.hello.session;
  c.worker_links = link.hello.worker_links;
  changes.push_back(std::move(c));
}

bool Peers::no_link(Time now, const env::Event& event) {
  const std::uint64_t kind = event.tag & kTagKind;
  if (kind != kTagServer && kind != kTagNode && kind != kTagKnock) return false;
  Dial* dial = dial_of_tag(event.tag);
  if (dial == nullptr) return true;
  dial->under_way = false;
  dial->next = now + (kind == kTagKnock ? limits::kKnockRetry : limits::kConnectRetry);
  if (!event.refused) return true;
  Change c;
  c.kind = Change::Kind::port_refused;
  const auto low = static_cast<std::size_t>(event.tag & 0xffff);
  if (kind == kTagServer) {
    c.peer = wire::PeerKind::mgm;
    c.node = servers_[low].node != 0 ? servers_[low].node : server_ids_[low];
  } else {
    c.peer = wire::PeerKind::data;
    c.node = static_cast<NodeId>(low);
    c.incarnation = dial->incarnation;
  }
  if (link_of(c.node) == 0) changes.push_back(std::move(c));
  return true;
}

void Peers::forget(env::LinkId id) { links_[id].reset(); }

void Peers::adopt(Time now, env::LinkId id, std::string address) {
  next_ = 0;
  make(now, id, std::move(address));
}

// --- time

void Peers::wish(Time t, env::Outbox& out) {
  next_ = std::min(next_, t);
  out.wake_at(t);
}

void Peers::tick(Time now, env::Outbox& out) {
  if (now < next_) {  // nothing happened since and nothing is due
    out.wake_at(next_);
    return;
  }
  next_ = kNever;
  for (env::LinkId id = 1; id < links_.size(); ++id) {
    Link* link = links_[id].get();
    if (link == nullptr) continue;
    if (link->stage == Stage::upgrading) {
      link->stage = Stage::hello_due;
      wish(now, out);
    } else if (link->stage == Stage::hello_due) {
      say_hello(id, out);
      link->stage = Stage::waiting;
    }
    if (link->deadline <= now) {
      out.log(env::Severity::warning, "closing the link of " + link->address + ": no hello in time");
      if (Dial* dial = dial_of(*link)) {
        dial->under_way = false;
        dial->next = now + limits::kConnectRetry;
      }
      close(id, *link, out);
    } else if (link->deadline != kNever) {
      wish(link->deadline, out);
    }
    if (recheck_ && link->stage == Stage::open) {
      if (Failure why = check(link->hello)) refuse(id, *link, why, out);
    }
  }
  recheck_ = false;
  dial_servers(now, out);
  dial_nodes(now, out);
}

bool Peers::wants_server(std::size_t index) const {
  const Server& s = servers_[index];
  const NodeId id = s.node != 0 ? s.node : server_ids_[index];
  if (s.port == 0 || s.host.empty()) return false;
  if (id == 0) return true;
  if (id == self_.node || link_of(id) != 0) return false;
  return self_.kind != wire::PeerKind::mgm || s.node == 0 || id < self_.node;
}

void Peers::dial_servers(Time now, env::Outbox& out) {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Dial& dial = server_dials_[i];
    if (dial.under_way || !wants_server(i)) continue;
    if (now < dial.next) {
      wish(dial.next, out);
      continue;
    }
    dial.under_way = true;
    dial.next = now + limits::kConnectRetry;
    out.connect(kTagServer | std::uint64_t{servers_round_} << 16 | i, servers_[i].host, servers_[i].port, true);
  }
}

bool Peers::let_in() const {
  const Node* me = catalog_ ? catalog_->node(self_.node) : nullptr;
  return me != nullptr && me->state != NodeState::down && self_.incarnation != 0 &&
         me->incarnation == self_.incarnation;
}

void Peers::dial_nodes(Time now, env::Outbox& out) {
  if (!catalog_) return;
  const bool dials_all = self_.kind == wire::PeerKind::data && !let_in();
  for (const auto& [id, node] : catalog_->nodes) {
    if (node.type != NodeType::data || id == self_.node) continue;
    if (node.port == 0 || node.disabled) continue;
    if (link_of(id) != 0) {
      if (auto i = node_dials_.find(id); i != node_dials_.end()) i->second.missed_since = kNever;
      continue;
    }
    // A node that is down may be a voter of the log that has come back and knows nobody but us: without each other's
    // vote neither of us would ever hear of anything.
    const bool down = node.state == NodeState::down;
    if (down && self_.kind != wire::PeerKind::data) continue;
    Dial& dial = node_dials_[id];
    if (dial.under_way) continue;
    if (now < dial.next) {
      wish(dial.next, out);
      continue;
    }
    if (dial.missed_since == kNever) dial.missed_since = now;
    // The same for one that was killed and is back before anybody declared it dead.
    const bool missed = now - dial.missed_since > limits::kMetaElection;
    const bool connects = self_.kind == wire::PeerKind::data && (dials_all || down || missed || id < self_.node);
    dial.under_way = true;
    dial.incarnation = node.incarnation;
    dial.next = now + (down ? limits::kMetaElection : connects ? limits::kConnectRetry : limits::kKnockRetry);
    out.connect((connects ? kTagNode : kTagKnock) | id, node.address, node.port);
  }
}

// --- answers

Peers::Link* Peers::find(env::LinkId id) { return id < links_.size() ? links_[id].get() : nullptr; }
const Peers::Link* Peers::find(env::LinkId id) const { return id < links_.size() ? links_[id].get() : nullptr; }

const wire::Hello* Peers::hello_of(env::LinkId id) const {
  const Link* link = find(id);
  return link != nullptr && link->stage == Stage::open ? &link->hello : nullptr;
}
env::LinkId Peers::link_of(NodeId node) const {
  auto i = by_node_.find(node);
  return i == by_node_.end() ? 0 : i->second;
}
env::LinkId Peers::link_of_raft(std::uint64_t raft_id) const {
  auto i = by_raft_.find(raft_id);
  return i == by_raft_.end() ? 0 : i->second;
}
NodeId Peers::node_of(env::LinkId id) const {
  const wire::Hello* h = hello_of(id);
  return h != nullptr ? h->node : NodeId{0};
}
std::uint64_t Peers::raft_of(env::LinkId id) const {
  const wire::Hello* h = hello_of(id);
  return h != nullptr ? h->raft_id : 0;
}
bool Peers::known(env::LinkId id) const { return hello_of(id) != nullptr; }
wire::PeerKind Peers::kind_of(env::LinkId id) const {
  const wire::Hello* h = hello_of(id);
  NDB_CHECK(h != nullptr);
  return h->kind;
}
std::uint64_t Peers::session_of(env::LinkId id) const {
  const wire::Hello* h = hello_of(id);
  return h != nullptr ? h->session : 0;
}
const std::string& Peers::address_of(env::LinkId id) const {
  const Link* link = find(id);
  return link != nullptr ? link->address : kNoAddress;
}
std::vector<env::LinkId> Peers::links(wire::PeerKind kind) const {
  std::vector<env::LinkId> found;
  for (env::LinkId id = 1; id < links_.size(); ++id) {
    const wire::Hello* h = hello_of(id);
    if (h != nullptr && h->kind == kind) found.push_back(id);
  }
  return found;
}

}  // namespace ndb::meta
