// Ports that the system chose, as NDB's nodes tell them to their management server and ask it for them. Nodes of this
// product tell theirs when they join; what is set here is remembered by this server alone, for those who ask it.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr std::int64_t kServerPortParameter = 406;

}  // namespace

const meta::Node* Server::node_of(const Request& r, std::string_view key) const {
  const std::int64_t id = r.number(key);
  return id < 1 || id > static_cast<std::int64_t>(limits::kNodeIdMax) ? nullptr : seen_->node(static_cast<NodeId>(id));
}

Server::Pair Server::connection_of(const Request& r) const {
  const meta::Node* n1 = node_of(r, "node1");
  const meta::Node* n2 = node_of(r, "node2");
  if (n1 == nullptr || n2 == nullptr || n1 == n2 || r.number("param") != kServerPortParameter) return {};
  return std::minmax(n1->id, n2->id);
}

void Server::get_connection_parameter(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const Pair pair = connection_of(r);
  if (pair.first == 0) {
    answer(s, reply.key("value", "0").key("result", "no such connection or parameter").done());
    return;
  }
  if (auto told = ports_.find(pair); told != ports_.end()) {
    answer(s, reply.key("value", told->second).ok().done());
    return;
  }
  // The listening end: the data node, of two data nodes the lower id.
  const meta::Node* low = seen_->node(pair.first);
  const meta::Node* high = seen_->node(pair.second);
  const bool low_listens = low->type == meta::NodeType::data || high->type != meta::NodeType::data;
  answer(s, reply.key("value", (low_listens ? low : high)->port).ok().done());
}

void Server::set_connection_parameter(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const Pair pair = connection_of(r);
  const std::int64_t port = r.number("value");
  if (pair.first == 0) {
    answer(s, reply.key("message", "").key("result", "no such connection or parameter").done());
  } else if (port < -UINT16_MAX || port > UINT16_MAX) {  // negative: chosen by the system
    answer(s, reply.key("message", "").key("result", std::to_string(port) + " is no port").done());
  } else {
    ports_[pair] = static_cast<int>(port);
    answer(s, reply.key("message", "").ok().done());
  }
}

void Server::set_ports(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const meta::Node* node = node_of(r, "node");
  std::map<Pair, int> told;
  std::string wrong = node == nullptr ? "no node with id " + std::string(r.text("node")) : std::string{};
  const std::vector<std::string_view> lines = split_words(r.bulk, "\n");
  for (std::string_view line : lines) {
    const std::size_t equal = line.find('=');
    std::int64_t other = 0;
    std::int64_t port = 0;
    const bool good = equal != std::string_view::npos && parse_number(trim(line.substr(0, equal)), &other) &&
                      parse_number(trim(line.substr(equal + 1)), &port) && port >= -UINT16_MAX && port <= UINT16_MAX &&
                      other > 0 && other <= static_cast<std::int64_t>(limits::kNodeIdMax) &&
                      seen_->node(static_cast<NodeId>(other)) != nullptr;
    if (!good && wrong.empty()) wrong = "'" + std::string(line) + "' is no <node>=<port>";
    if (good && node != nullptr) told[std::minmax(node->id, static_cast<NodeId>(other))] = static_cast<int>(port);
  }
  if (wrong.empty() && static_cast<std::int64_t>(lines.size()) != r.number("num_ports")) {
    wrong = "expected " + std::to_string(r.number("num_ports")) + " ports, got " + std::to_string(lines.size());
  }
  if (!wrong.empty()) {
    answer(s, reply.key("result", wrong).done());
    return;
  }
  for (const auto& [pair, port] : told) ports_[pair] = port;
  answer(s, reply.ok().done());
}

}  // namespace ndb::mgmt
