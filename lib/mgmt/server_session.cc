// Requests about the session itself, and the allocation of node ids.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr std::uint32_t kOldestClient = 7 << 16;  // NDB versions before this speak another protocol

constexpr std::int64_t kNodeIdPatienceS = 20;  // before the first configuration, unless the caller says something else
constexpr std::int64_t kNodeIdPatienceMaxS = 300;

std::string_view host_of(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

bool same_host(std::string_view configured, std::string_view caller) {
  if (configured.empty() || configured == caller) return true;
  return loopback_host(configured) && loopback_host(caller);
}

}  // namespace

void Server::get_version(Session& s, const Request&) {
  Reply reply("version");
  reply.key("id", kTextVersion).key("major", 8).key("minor", 4).key("build", 8).key("string", kTextVersionWords);
  answer(s, reply.key("mysql_major", 8).key("mysql_minor", 4).key("mysql_build", 8).done());
}

void Server::set_client_version(Session& s, const Request& r) {
  s.client_version = static_cast<std::uint32_t>(r.number("major") << 16 | r.number("minor") << 8 | r.number("build"));
  answer(s, Reply(reply_header(r)).ok().done());
}

void Server::check_connection(Session& s, const Request& r) { answer(s, Reply(reply_header(r)).ok().done()); }

void Server::get_mgmd_nodeid(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).line("nodeid:" + std::to_string(options_.node)).done());
}

void Server::get_session_id(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).key("id", s.number).done());
}

void Server::get_session(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const auto number = static_cast<std::uint64_t>(r.number("id"));
  for (const auto& [link, other] : sessions_) {
    if (other->number != number || number == 0) continue;
    reply.key("id", number).key("m_stopSelf", 0).key("m_stop", other->ending ? 1 : 0);
    reply.key("parser_buffer_len", other->reader.unread()).key("parser_status", 0);
    answer(s, reply.done());
    return;
  }
  answer(s, reply.key("id", 0).done());
}

void Server::list_sessions(Session& s, const Request&) {
  std::string text;
  for (const auto& [link, other] : sessions_) {
    const std::string name = "session." + std::to_string(other->number) + ".";
    text += "session: " + std::to_string(other->number) + "\n" + name + "m_stopSelf: 0\n" + name + "m_stop: 0\n" +
            name + "address: " + other->address + "\n";
  }
  answer(s, text + "\n");
}

void Server::purge_stale_sessions(Session& s, const Request& r) {
  for (const auto& [link, other] : sessions_) {
    if (other->number != s.number) other->reserved = 0;
  }
  answer(s, Reply(reply_header(r)).ok().done());
}

void Server::end_session_request(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).done());
  s.ending = true;
  out_->close(s.link);
}

void Server::bye(Session& s, const Request&) {
  s.ending = true;
  out_->close(s.link);
}

void Server::start_tls(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).key("result", "this server has no TLS certificate").done());
}
void Server::list_certs(Session& s, const Request& r) { answer(s, Reply(reply_header(r)).done()); }
void Server::get_tls_stats(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  reply.key("accepted", next_session_ - 1).key("upgraded", 0).key("current", sessions_.size());
  answer(s, reply.key("tls", 0).key("authfail", 0).done());
}

// The session ends here and the link goes on as one of Peers: what came behind the request are frames.
void Server::transporter_connect(Session& s, const Request&) {
  const env::LinkId link = s.link;
  if (s.arrived == 0 || s.reader.unread() > s.arrived) {  // sent while an answer was under way: it cannot be cut here
    s.ending = true;
    out_->close(link);
    return;
  }
  out_->upgrade(link, s.arrived - s.reader.unread());
  const std::string address = s.address;
  end_session(link);
  peers_.adopt(now_, link, address);
}

bool Server::node_taken(NodeId id, const Session& asker) const {
  if (peers_.link_of(id) != 0) return true;
  for (env::LinkId link : peers_.links(wire::PeerKind::api)) {
    if (peers_.node_of(link) == id) return true;
  }
  return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second->reserved == id && entry.second->number != asker.number;
  });
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

Failure Server::allocate_node(Session& s, meta::NodeType type, NodeId wanted, NodeId* given) {
  const auto now_is = catalog();
  const std::string kind = meta::name_of(type);
  const std::string_view caller = host_of(s.address);
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
    if (options_.node_id_checks && !same_host(n->host, caller)) {
      return {static_cast<Error>(1103),
              "id " + id + " is configured for host '" + n->host + "', the caller is '" + std::string(caller) + "'"};
    }
    if (node_taken(wanted, s)) return {Error::no_free_node_id, "id " + id + " is already allocated by another node"};
    *given = wanted;
    return {};
  }
  for (bool exact : {true, false}) {  // a host of one's own before ids for everybody
    for (const auto& [id, n] : now_is->nodes) {
      if (n.type != type || n.disabled || n.host.empty() == exact || dedicated(id)) continue;
      if ((options_.node_id_checks && !same_host(n.host, caller)) || node_taken(id, s)) continue;
      *given = id;
      return {};
    }
  }
  return {Error::no_free_node_id,
          "no free node id found for a " + kind + " node from host '" + std::string(caller) + "'"};
}

void Server::get_nodeid(Session& s, const Request& r) {
  const Time patience =
      std::clamp<std::int64_t>(r.number("timeout", kNodeIdPatienceS), 0, kNodeIdPatienceMaxS) * kSecond;
  if (seen_->generation == 0 && patience != 0) {
    wait(s, r, now_ + patience).kind = Waiting::Kind::node_id;
    return;
  }
  give_nodeid(s, r);
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
  } else if (type < 0 || type > 2) {
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
    s.reserved = given;
    reply.key("nodeid", given).ok();
  }
  answer(s, reply.done());
}

}  // namespace ndb::mgmt
