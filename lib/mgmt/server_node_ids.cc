// Who gets which node id (`get nodeid`).
//
// An id that was given is kept for its caller until it is used (its node connects), until the caller's `timeout` is
// over, until the caller's session ends, or until somebody purges stale sessions: whichever comes first.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr std::uint32_t kOldestClient = 7 << 16;  // NDB versions before this speak another protocol

constexpr std::int64_t kPatienceS = 20;  // of a caller who does not say how long he waits
constexpr std::int64_t kPatienceMaxS = 300;
constexpr Time kNamesPatience = 3 * kSecond;  // so long the resolver is waited for

std::int64_t patience_s(const Request& r) {
  return std::clamp<std::int64_t>(r.number("timeout", kPatienceS), 0, kPatienceMaxS);
}

// A node type that was asked for; anything else is refused before names are looked at.
bool known_type(std::int64_t type) { return type >= 0 && type <= 2; }

}  // namespace

std::string_view without_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

bool Server::node_taken(NodeId id, const Session& asker) const {
  if (peers_.link_of(id) != 0) return true;
  for (env::LinkId link : peers_.links(wire::PeerKind::api)) {
    if (peers_.node_of(link) == id) return true;
  }
  const Reserved* r = reserved(id);
  return r != nullptr && r->session != asker.number;
}

const Server::Reserved* Server::reserved(NodeId id) const {
  auto i = reserved_.find(id);
  return i != reserved_.end() && now_ < i->second.until ? &i->second : nullptr;
}

// For those who ask for this very id.
bool Server::dedicated(NodeId id) const {
  const meta::ConfigImage* image = seen_->config();
  if (image == nullptr) return false;
  for (const meta::ConfigNode& n : image->nodes) {
    if (n.id != id) continue;
    auto v = n.values.find("Dedicated");
    return v != n.values.end() && v->second == "1";
  }
  return false;
}

// Is the caller at home at the configured host? A host is known by all addresses of its name, this computer by all of
// its own.
Server::Home Server::home(const std::string& host, std::string_view caller) const {
  if (!options_.node_id_checks || host.empty() || host == caller) return Home::yes;
  const bool loopback = loopback_host(caller);
  if (loopback && loopback_host(host)) return Home::yes;
  if (options_.host_names == nullptr) return Home::no;
  const std::optional<std::vector<std::string>> addresses = options_.host_names->addresses(host);
  if (!addresses) return Home::unknown;
  const bool found = std::any_of(addresses->begin(), addresses->end(),
                                 [&](const std::string& a) { return a == caller || (loopback && loopback_host(a)); });
  return found ? Home::yes : addresses->empty() ? Home::nowhere : Home::no;
}

// All hosts that the answer depends on have been looked up. Asks for all of them at once.
bool Server::hosts_known(const Session& s, const Request& r) const {
  const std::int64_t type = r.number("nodetype");
  const std::int64_t wanted = r.number("nodeid");
  bool known = true;
  for (const auto& [id, n] : seen_->nodes) {
    if (!known_type(type) || n.type != static_cast<meta::NodeType>(type)) continue;
    if (wanted == 0 ? n.disabled || dedicated(id) : wanted != id) continue;
    known &= home(n.host, without_port(s.address)) != Home::unknown;
  }
  return known;
}

Failure Server::allocate_node(Session& s, meta::NodeType type, NodeId wanted, NodeId* given) {
  const auto now_is = catalog();
  const std::string kind = meta::name_of(type);
  const std::string_view caller = without_port(s.address);
  if (now_is->generation == 0) return {Error::no_free_node_id, not_confirmed()};
  if (wanted != 0) {
    const meta::Node* n = now_is->node(wanted);
    const std::string id = std::to_string(wanted);
    if (n == nullptr) return {Error::wrong_node_id, "no node with id " + id + " in the configuration"};
    if (n->type != type) {
      return {Error::wrong_node_id,
              "id " + id + " is configured as " + meta::name_of(n->type) + " node, asked for as " + kind + " node"};
    }
    if (n->type == meta::NodeType::mgm || n->disabled) {
      return {Error::wrong_node_id, "id " + id + (n->disabled ? " is disabled" : " belongs to a management server")};
    }
    if (const Home h = home(n->host, caller); h != Home::yes) {
      return {static_cast<Error>(1103), "id " + id + " is configured for host '" + n->host + "'" +
                                            (h == Home::no ? "" : ", whose address cannot be found now") +
                                            ", the caller is '" + std::string(caller) + "'"};
    }
    if (node_taken(wanted, s)) return {Error::no_free_node_id, "id " + id + " is already allocated by another node"};
    *given = wanted;
    return {};
  }
  for (bool exact : {true, false}) {  // a host of one's own before ids for everybody
    for (const auto& [id, n] : now_is->nodes) {
      if (n.type != type || n.disabled || n.host.empty() == exact || dedicated(id)) continue;
      if (home(n.host, caller) != Home::yes || node_taken(id, s)) continue;
      *given = id;
      return {};
    }
  }
  return {Error::no_free_node_id,
          "no free node id found for a " + kind + " node from host '" + std::string(caller) + "'"};
}

void Server::get_nodeid(Session& s, const Request& r) {
  if (seen_->generation == 0 && patience_s(r) != 0) {
    wait(s, r, now_ + patience_s(r) * kSecond).kind = Waiting::Kind::node_id;
    return;
  }
  look_for_hosts(s, r);
}

void Server::finish_node_id(Waiting& w, bool over) {
  Session* s = session(w.link, w.session);
  if (s == nullptr || (seen_->generation == 0 && !over)) return;
  w.done = true;
  look_for_hosts(*s, w.request);
}

void Server::look_for_hosts(Session& s, const Request& r) {
  if (hosts_known(s, r)) {
    give_nodeid(s, r);
  } else {
    wait(s, r, now_ + kNamesPatience).kind = Waiting::Kind::host_names;
  }
}

void Server::finish_host_names(Waiting& w, bool over) {
  Session* s = session(w.link, w.session);
  if (s == nullptr || (!over && !hosts_known(*s, w.request))) return;
  w.done = true;
  give_nodeid(*s, w.request);
}

void Server::give_nodeid(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  Failure failure;
  NodeId given = 0;
  const std::int64_t type = r.number("nodetype");
  const std::int64_t wanted = r.number("nodeid");
  if (r.text("endian", "little") != "little") {
    failure = {Error::wrong_node_id, "the node's byte order is not the server's (little)"};
  } else if (static_cast<std::uint32_t>(r.number("version")) < kOldestClient) {
    failure = {Error::wrong_node_id, "incompatible version " + std::string(r.text("version"))};
  } else if (!known_type(type)) {
    failure = {Error::wrong_node_id, "unknown node type " + std::to_string(type)};
  } else if (wanted < 0 || wanted > static_cast<std::int64_t>(limits::kNodeIdMax)) {
    failure = {Error::wrong_node_id, "no node with id " + std::to_string(wanted) + " in the configuration"};
  } else {
    failure = allocate_node(s, static_cast<meta::NodeType>(type), static_cast<NodeId>(wanted), &given);
  }
  if (failure) {
    reply.key("result", failure.text);
    if (r.has("log_event")) reply.key("error_code", static_cast<unsigned>(failure.error));
  } else {
    const std::int64_t keep_s = patience_s(r) != 0 ? patience_s(r) : kPatienceS;
    reserved_[given] = {s.number, s.address, now_ + keep_s * kSecond};
    reply.key("nodeid", given).ok();
  }
  answer(s, reply.done());
}

}  // namespace ndb::mgmt
