// Requests about the session itself.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

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
  std::erase_if(reserved_, [&](const auto& entry) { return entry.second.session != s.number; });
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

}  // namespace ndb::mgmt
