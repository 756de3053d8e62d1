#include "meta/peers.h"

#include <algorithm>

namespace ndb::meta {

namespace {

constexpr std::uint64_t kTagKind = std::uint64_t{0xffff} << 48;
constexpr std::uint64_t kTagServer = std::uint64_t{0x5045} << 48;  // + round << 16 + index
constexpr std::uint64_t kTagNode = std::uint64_t{0x5046} << 48;    // + node id
constexpr std::uint64_t kTagKnock = std::uint64_t{0x5047} << 48;   // + node id
constexpr std::string_view kConnectRequest = "transporter connect\n\n";

const char* kind_word(wire::PeerKind k) {
  switch (k) {
    case wire::PeerKind::data: return "a data node";
    case wire::PeerKind::api: return "an API client";
    case wire::PeerKind::mgm: return "a management server";
  }
  return "a process";
}

std::string hex(std::uint64_t v) {
  std::string s(16, '0');
  for (std::size_t i = 16; i-- > 0; v >>= 4) s[i] = "0123456789abcdef"[v & 15];
  return s;
}

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
    case env::EventKind::link_up: return link_up(now, event, out);
    case env::EventKind::link_down: return link_down(now, event.link);
    case env::EventKind::no_link: return no_link(now, event);
    case env::EventKind::frame:
      if (Link* link = find(event.link)) link->heard = now;
      return false;
    default: return false;
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
  if (dial == nullptr || kind == kTagKnock) {  // nobody wants it any more; or somebody is at home, which is all we asked
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
  Change c;
  c.kind = Change::Kind::down;
  c.node = link.hello.node;
  c.peer = link.hello.kind;
  c.link = id;
  c.raft_id = link.hello.raft_id;
  c.incarnation = link.hello.incarnation;
  c.session = link.hello.session;
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

void Peers::adopt(Time now, env::LinkId id, std::string address) {
  next_ = 0;
  make(now, id, std::move(address));
}

// --- messages

bool Peers::on_message(Time now, env::LinkId id, const wire::Message& message, env::Outbox& out) {
  Link* link = find(id);
  if (link == nullptr || link->stage == Stage::closing) return true;  // late words on a link that we gave up
  const auto type = static_cast<wire::Type>(message.type);
  if (type > wire::Type::refused && link->stage == Stage::open) return false;
  next_ = 0;
  if (type == wire::Type::hello) {
    received_hello(now, id, *link, message.body, out);
    return true;
  }
  if (type == wire::Type::refused) {
    received_refusal(now, id, *link, message.body, out);
    return true;
  }
  if (link->stage == Stage::open) return false;
  out.log(env::Severity::warning, "closing the link of " + link->address + ": its first message is no hello");
  close(id, *link, out);
  return true;
}

void Peers::received_hello(Time now, env::LinkId id, Link& link, Bytes body, env::Outbox& out) {
  Reader r(body);
  wire::Hello hello;
  // A newer protocol may have a longer hello: its first word is looked at before the rest.
  const std::uint32_t protocol = body.size() >= 4 ? load<std::uint32_t>(body.data()) : wire::kProtocolVersion;
  if (protocol != wire::kProtocolVersion) {
    refuse(id, link, {Error::wrong_protocol, "protocol version " + std::to_string(protocol) + " at the peer, " +
                      std::to_string(wire::kProtocolVersion) + " here"}, out);
    return;
  }
  if (link.stage != Stage::waiting || !decode(r, &hello) || !r.done()) {
    refuse(id, link, {Error::bad_message, "malformed or repeated hello"}, out);
    return;
  }
  Failure why = check(hello);
  if (!why) why = check_fresh(now, hello, link);
  if (why) {
    refuse(id, link, why, out);
    return;
  }
  if (link.server != 0) server_ids_[link.server - 1] = hello.node;
  if (Dial* dial = dial_of(link)) dial->under_way = false;
  if (hello.kind != wire::PeerKind::api) {
    const env::LinkId old = link_of(hello.node);
    if (old != 0 && loses_to(old, link, hello)) {
      close(id, link, out);
      return;
    }
    if (old != 0) retire(old, out);
    by_node_[hello.node] = id;
    if (hello.raft_id != 0) by_raft_[hello.raft_id] = id;
  }
  if (!link.ours) say_hello(id, out);
  link.stage = Stage::open;
  link.deadline = kNever;
  link.hello = std::move(hello);
  Change c;
  c.kind = Change::Kind::up;
  c.node = link.hello.node;
  c.peer = link.hello.kind;
  c.link = id;
  c.raft_id = link.hello.raft_id;
  c.incarnation = link.hello.incarnation;
  c.session = link.hello.session;
  changes.push_back(std::move(c));
}

// Two links between the same two processes: both sides have to keep the same one. Dialled by different sides: the
// one that the higher node id dialled. By the same side: the newer one, for that side has lost the older; but our own
// second dial (a server known by two names) is in vain while the first one's link is open.
bool Peers::loses_to(env::LinkId old_id, const Link& link, const wire::Hello& hello) const {
  const Link& old = *links_[old_id];
  const bool same = old.hello.raft_id == hello.raft_id && old.hello.incarnation == hello.incarnation;
  if (!same) return false;
  if (old.ours == link.ours) return link.ours;
  const bool ours_wins = self_.node > hello.node;
  return link.ours != ours_wins;
}

void Peers::received_refusal(Time now, env::LinkId id, Link& link, Bytes body, env::Outbox& out) {
  Reader r(body);
  const auto error = static_cast<Error>(r.u16());
  std::string text = r.text();
  if (r.bad()) text = "malformed refusal";
  Change c;
  c.kind = Change::Kind::turned_away;
  c.node = link.expected;
  c.peer = link.server != 0 ? wire::PeerKind::mgm : wire::PeerKind::data;
  c.error = error;
  c.text = std::move(text);
  out.log(env::Severity::warning, "refused by " + link.address + ": " + c.text);
  changes.push_back(std::move(c));
  if (Dial* dial = dial_of(link)) {
    dial->under_way = false;
    dial->next = now + limits::kRefusedRetry;
  }
  if (link.stage == Stage::open) {
    retire(id, out);
  } else {
    close(id, link, out);
  }
}

// What does not depend on the moment: holds as long as the link does.
Failure Peers::check(const wire::Hello& hello) const {
  if (hello.cluster_id != 0 && self_.cluster_id != 0 && hello.cluster_id != self_.cluster_id) {
    return {Error::wrong_cluster, "cluster '" + hello.cluster_name + "' (" + hex(hello.cluster_id) +
            ") at the peer, cluster '" + self_.cluster_name + "' (" + hex(self_.cluster_id) + ") here"};
  }
  if (!hello.cluster_name.empty() && !self_.cluster_name.empty() && hello.cluster_name != self_.cluster_name) {
    return {Error::wrong_cluster, "cluster '" + hello.cluster_name + "' at the peer, cluster '" + self_.cluster_name +
            "' here"};
  }
  const std::string who = "node id " + std::to_string(hello.node);
  if (hello.node == 0) {
    if (hello.kind == wire::PeerKind::api) return {};
    return {Error::wrong_node_id, std::string(kind_word(hello.kind)) + " without a node id"};
  }
  if (hello.node == self_.node) return {Error::wrong_node_id, who + " is the node id of this process itself"};
  if (!catalog_ || catalog_->generation == 0) return {};  // nothing known yet
  const Node* node = catalog_->node(hello.node);
  if (node == nullptr) {
    return {Error::no_such_node, who + " is not in the configuration (generation " +
            std::to_string(catalog_->generation) + ")"};
  }
  if (static_cast<int>(node->type) != static_cast<int>(hello.kind)) {
    return {Error::wrong_node_id, who + " is " + kind_word(static_cast<wire::PeerKind>(node->type)) +
            " in the configuration, the peer is " + kind_word(hello.kind)};
  }
  if (node->disabled) return {Error::wrong_node_id, who + " is disabled in the configuration"};
  return {};
}

Failure Peers::check_fresh(Time now, const wire::Hello& hello, const Link& link) const {
  if (link.expected != 0 && hello.node != link.expected) {
    return {Error::wrong_node_id, "node " + std::to_string(hello.node) + " answers at " + link.address + ", node " +
            std::to_string(link.expected) + " was expected"};
  }
  if (link.server != 0 && hello.kind != wire::PeerKind::mgm) {
    return {Error::wrong_node_id, std::string(kind_word(hello.kind)) + " answers at " + link.address};
  }
  if (hello.kind == wire::PeerKind::api) return {};
  const Node* node = catalog_ ? catalog_->node(hello.node) : nullptr;
  if (node != nullptr && hello.incarnation != 0 && hello.incarnation < node->incarnation) {
    return {Error::wrong_node_id, "node " + std::to_string(hello.node) + ", incarnation " +
            std::to_string(hello.incarnation) + " was replaced by incarnation " + std::to_string(node->incarnation)};
  }
  const env::LinkId old = link_of(hello.node);
  if (old != 0 && links_[old]->hello.raft_id != hello.raft_id && now - links_[old]->heard < limits::kLease) {
    return {Error::in_use, "node id " + std::to_string(hello.node) + " is in use by the process at " +
            links_[old]->address};
  }
  return {};
}

void Peers::refuse(env::LinkId id, Link& link, const Failure& why, env::Outbox& out) {
  out.log(env::Severity::warning, "refusing " + link.address + ": " + why.sentence());
  Writer& w = out.link(id);
  std::size_t at = wire::begin_message(w, wire::Type::refused, kControl, kControl);
  w.u16(static_cast<std::uint16_t>(why.error));
  w.bytes32(why.sentence());
  wire::end_message(w, at);
  if (Dial* dial = dial_of(link)) {
    dial->under_way = false;
    dial->next = link.heard + limits::kRefusedRetry;
  }
  if (link.stage == Stage::open) {
    retire(id, out);
  } else {
    close(id, link, out);
  }
}

void Peers::retire(env::LinkId id, env::Outbox& out) {
  Link& link = *links_[id];
  unmap(id, link);
  close(id, link, out);
}

void Peers::close(env::LinkId id, Link& link, env::Outbox& out) {
  link.stage = Stage::closing;
  link.deadline = kNever;
  out.close(id);
}

void Peers::drop(NodeId node, env::Outbox& out) {
  next_ = 0;
  if (env::LinkId id = link_of(node)) retire(id, out);
}

void Peers::say_hello(env::LinkId id, env::Outbox& out) {
  wire::Hello h;
  h.cluster_id = self_.cluster_id;
  h.cluster_name = self_.cluster_name;
  h.kind = self_.kind;
  h.node = self_.node;
  h.raft_id = self_.raft_id;
  h.incarnation = self_.incarnation;
  h.port = self_.port;
  h.workers = self_.workers;
  h.view = catalog_ ? catalog_->view : 0;
  Writer& w = out.link(id);
  std::size_t at = wire::begin_message(w, wire::Type::hello, kControl, kControl);
  wire::encode(w, h);
  wire::end_message(w, at);
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
