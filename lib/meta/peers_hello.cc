// Peers: the first words on a link, and who is turned away.
#include <algorithm>

#include "meta/peers.h"

namespace ndb::meta {

namespace {

const char* kind_word(wire::PeerKind k) {
  switch (k) {
    case wire::PeerKind::data:
      return "a data node";
    case wire::PeerKind::api:
      return "an API client";
    case wire::PeerKind::mgm:
      return "a management server";
  }
  return "a process";
}

std::string hex(std::uint64_t v) {
  std::string s(16, '0');
  for (std::size_t i = 16; i-- > 0; v >>= 4) s[i] = "0123456789abcdef"[v & 15];
  return s;
}

}  // namespace

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
    refuse(id, link,
           {Error::wrong_protocol, "protocol version " + std::to_string(protocol) + " at the peer, " +
                                       std::to_string(wire::kProtocolVersion) + " here"},
           out);
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
  if (!link.ours) say_hello(id, out, hello.kind == wire::PeerKind::api ? self_.worker_links : std::uint8_t{0});
  link.stage = Stage::open;
  link.deadline = kNever;
  link.hello = std::move(hello);
  tell(Change::Kind::up, id, link);
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
                                      ") at the peer, cluster '" + self_.cluster_name + "' (" + hex(self_.cluster_id) +
                                      ") here"};
  }
  if (!hello.cluster_name.empty() && !self_.cluster_name.empty() && hello.cluster_name != self_.cluster_name) {
    return {Error::wrong_cluster,
            "cluster '" + hello.cluster_name + "' at the peer, cluster '" + self_.cluster_name + "' here"};
  }
  const std::uint8_t most = hello.kind == wire::PeerKind::api ? self_.worker_links : std::uint8_t{0};
  if (hello.worker_links > most) {
    return {Error::bad_message, "a link for worker " + std::to_string(hello.worker_links - 1) + ", where " +
                                    std::to_string(most) + " workers take such links"};
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
    return {Error::no_such_node,
            who + " is not in the configuration (generation " + std::to_string(catalog_->generation) + ")"};
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
                                      std::to_string(hello.incarnation) + " was replaced by incarnation " +
                                      std::to_string(node->incarnation)};
  }
  const env::LinkId old = link_of(hello.node);
  if (old != 0 && links_[old]->hello.raft_id != hello.raft_id && now - links_[old]->heard < limits::kLease) {
    return {Error::in_use,
            "node id " + std::to_string(hello.node) + " is in use by the process at " + links_[old]->address};
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

void Peers::say_hello(env::LinkId id, env::Outbox& out, std::uint8_t worker_links) {
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
  h.worker_links = worker_links;
  Writer& w = out.link(id);
  std::size_t at = wire::begin_message(w, wire::Type::hello, kControl, kControl);
  wire::encode(w, h);
  wire::end_message(w, at);
}

}  // namespace ndb::meta
