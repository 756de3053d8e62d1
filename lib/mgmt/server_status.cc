// Requests that ask: NDB's, and our own about the state of the cluster.
#include <algorithm>

#include "mgmt/config_image.h"
#include "mgmt/report.h"
#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr std::uint32_t kKnowsSingleUser = 8 << 16 | 0 << 8 | 22;  // clients from here on read .is_single_user

const char* type_word(meta::NodeType t) {
  switch (t) {
    case meta::NodeType::data:
      return "NDB";
    case meta::NodeType::api:
      return "API";
    case meta::NodeType::mgm:
      return "MGM";
  }
  return "";
}

}  // namespace

bool Server::connected(const meta::Node& node) const {
  if (node.id == options_.node || peers_.link_of(node.id) != 0) return true;
  if (node.type != meta::NodeType::api) return false;
  for (env::LinkId link : peers_.links(wire::PeerKind::api)) {
    if (peers_.node_of(link) == node.id) return true;
  }
  return reserved(node.id) != nullptr;
}

std::string Server::address_of(const meta::Node& node) const {
  if (node.id == options_.node) return node.host.empty() ? "127.0.0.1" : node.host;
  if (env::LinkId link = peers_.link_of(node.id)) return std::string(without_port(peers_.address_of(link)));
  const Reserved* r = reserved(node.id);
  return r != nullptr ? std::string(without_port(r->address)) : std::string();
}

NodeId Server::leader_node() const { return node_of_raft(member_->leader_raft_id()); }

NodeId Server::node_of_raft(std::uint64_t raft) const {
  if (raft == 0) return 0;
  if (raft == options_.raft_id) return options_.node;
  if (env::LinkId link = peers_.link_of_raft(raft)) return peers_.node_of(link);
  for (const auto& [id, node] : seen_->nodes) {
    if (node.raft_id == raft) return id;
  }
  return 0;
}

// Told to stop, or the catalog still speaks of the process before the one that reports.
bool Server::ends(const meta::Node& node) const {
  if (ordered_.count(node.id) != 0) return true;
  const meta::Leader::Report* report = leader_.report(node.id);
  return node.state == meta::NodeState::in_sync && report != nullptr && report->last.incarnation != node.incarnation;
}

const char* Server::status_word(const meta::Node& node) const {
  if (!connected(node)) return "NO_CONTACT";
  if (node.type != meta::NodeType::data) return "CONNECTED";
  if (ordered_.count(node.id) != 0) return "SHUTTING_DOWN";
  switch (node.state) {
    case meta::NodeState::in_sync:
      return seen_->single_user != 0 ? "SINGLE USER MODE" : "STARTED";
    case meta::NodeState::joining:
      return "STARTING";
    case meta::NodeState::down:
      break;
  }
  const meta::Leader::Report* report = leader_.report(node.id);
  return report != nullptr && report->last.phase == 0 ? "NOT_STARTED" : "STARTING";
}

// Before the first configuration: those that the file names.
std::map<NodeId, meta::Node> Server::nodes_of_file() const {
  std::map<NodeId, meta::Node> nodes;
  if (!file_) return nodes;
  for (const Node& n : file_->nodes) {
    meta::Node& node = nodes[n.id];
    node.id = n.id;
    node.type = node_type(n.kind);
    node.host = effective(*file_, n, "HostName");
  }
  return nodes;
}

void Server::get_status(Session& s, const Request& r) {
  std::vector<meta::NodeType> order;
  for (std::string_view word : split_words(r.text("types", "NDB MGM API"))) {
    for (meta::NodeType t : {meta::NodeType::data, meta::NodeType::mgm, meta::NodeType::api}) {
      if (word == type_word(t)) order.push_back(t);
    }
  }
  Reply body("");
  std::size_t count = 0;
  int dynamic_id = 0;
  const std::map<NodeId, meta::Node> nodes = seen_->nodes.empty() ? nodes_of_file() : seen_->nodes;
  for (meta::NodeType type : order) {
    for (const auto& [id, node] : nodes) {
      if (node.type != type) continue;
      ++count;
      const bool up = connected(node);
      const bool data = type == meta::NodeType::data;
      const std::string prefix = "node." + std::to_string(id) + ".";
      const meta::Leader::Report* report = leader_.report(id);
      const bool starting = data && up && node.state != meta::NodeState::in_sync;
      body.key(prefix + "type", type_word(type)).key(prefix + "status", status_word(node));
      body.key(prefix + "version", up ? kTextVersion : 0u).key(prefix + "mysql_version", up ? kTextVersion : 0u);
      body.key(prefix + "startphase", starting && report != nullptr ? int{report->last.phase} : 0);
      body.key(prefix + "dynamic_id", data && up ? ++dynamic_id : 0);
      body.key(prefix + "node_group", !data ? 0 : node.group == kNoGroup ? -256 : static_cast<int>(node.group));
      body.key(prefix + "connect_count", 0).key(prefix + "address", up ? address_of(node) : data ? "" : "0.0.0.0");
      if (s.client_version >= kKnowsSingleUser) {
        body.key(prefix + "is_single_user", seen_->single_user != 0 && seen_->single_user == id ? 1 : 0);
      }
    }
  }
  answer(s, Reply("node status").key("nodes", count).done_with(body));
}

void Server::show_variables(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  reply.key("nodeid", options_.node).key("port", options_.port).key("config_file", options_.config_source);
  reply.key("generation", seen_->generation).key("version", seen_->version).key("leader", leader_node());
  answer(s, reply.key("sessions", sessions_.size()).done());
}

void Server::show_config(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const meta::ConfigImage* image = seen_->config();
  const auto wanted = r.number("NodeId");
  const std::string_view name = r.text("Name");
  if (image != nullptr) {
    for (const meta::ConfigNode& n : image->nodes) {
      if (wanted != 0 && wanted != n.id) continue;
      reply.line(std::string("[") + meta::name_of(n.type) + " " + std::to_string(n.id) + "]");
      for (const auto& [key, value] : n.values) {
        if (name.empty() || name == key) reply.line(key + "=" + value);
      }
    }
  }
  answer(s, reply.done());
}

void Server::ndb_status(Session& s, const Request& r) {
  Seen seen;
  seen.leader = leader_node();
  seen.answering = options_.node;
  if (seen.leader == 0) seen.no_quorum = no_quorum();
  for (const auto& [id, node] : seen_->nodes) {
    seen.connected[id] = connected(node);
    if (ends(node)) seen.stopping.insert(id);
    if (node.type != meta::NodeType::data) seen.addresses[id] = address_of(node);
    if (const meta::Leader::Report* report = leader_.report(id)) seen.reports[id] = &report->last;
  }
  if (member_started_) {
    for (const meta::MemberInfo& m : member_->log().members()) {
      if (m.role == meta::Role::voter) seen.voters.insert(node_of_raft(m.raft_id));
    }
  }
  Reply reply(reply_header(r));
  reply.ok().key("version", seen_->version).key("view", seen_->view).key("generation", seen_->generation);
  reply.key("leader", seen.leader).key("node", options_.node).key("cluster", seen_->name);
  reply.key("started", seen_->started ? 1 : 0);
  answer(s, reply.done_json(status_json(*seen_, seen)));
}

void Server::ndb_get_catalog(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  reply.ok().key("version", seen_->version);
  if (static_cast<std::int64_t>(seen_->version) <= r.number("have")) {
    answer(s, reply.done());
    return;
  }
  Writer w;
  meta::encode(w, *seen_);
  answer(s, reply.done_base64("application/octet-stream", w.view()));
}

void Server::ndb_list_tables(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).ok().key("version", seen_->version).done_json(tables_json(*seen_)));
}

void Server::ndb_describe_table(Session& s, const Request& r) {
  const meta::Table* t = seen_->table(r.text("name"));
  if (t == nullptr) {
    complain(s, r, {Error::no_such_table, "no table '" + std::string(r.text("name")) + "'"});
    return;
  }
  gather(s, r, *t);
}

void Server::ndb_list_jobs(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).ok().done_json(jobs_json(*seen_)));
}

void Server::ndb_show_job(Session& s, const Request& r) {
  const auto wanted = static_cast<std::uint64_t>(r.number("job"));
  auto i = wanted != 0 ? seen_->jobs.find(wanted) : seen_->jobs.empty() ? seen_->jobs.end() : --seen_->jobs.end();
  if (i == seen_->jobs.end()) {
    complain(s, r, {Error::no_such_job, wanted == 0 ? "there was no job yet" : "no job " + std::to_string(wanted)});
    return;
  }
  Progress progress;
  const reorg::Driver::Progress live = driver_.progress(*seen_);
  if (member_->leading() && live.job == i->first) progress = {true, live.rows_copied, live.percent};
  answer(s, Reply(reply_header(r)).ok().key("job", i->first).done_json(job_json(i->second, progress)));
}

}  // namespace ndb::mgmt
