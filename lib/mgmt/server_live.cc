// Values for running processes alone, until their next start (`ndb set live`).
//
//  * of a data node: memory and time-outs of transactions. The nodes that are named take them over.
//  * of the whole cluster: leases and epochs, which the leader of the metadata log obeys, whoever that is, and the
//  levels of
//    the cluster log, which the management servers obey. Every data node and management server is told.
#include <algorithm>

#include "mgmt/config_image.h"
#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

std::string live_parameters() {
  std::string all;
  for (const Parameter& p : parameters()) {
    if (p.kind == Kind::ndbd && can_be_live(p.name)) all += (all.empty() ? "" : ", ") + std::string(p.name);
  }
  return all;
}

// What to do instead.
std::string not_live(std::string_view name, const Parameter* p) {
  const std::string text = "'" + std::string(name) + "' cannot be changed in running nodes alone";
  const std::string these = "; these can: " + live_parameters();
  if (p == nullptr) return text + these;
  if (!p->used()) return text + ": it is accepted but not used here" + these;
  if (p->restart == Restart::online) return text + ": set it in the configuration, where it holds at once" + these;
  return text + ": set it in the configuration and restart the nodes ('ndb-mgm rolling-restart --pending')" + these;
}

}  // namespace

void Server::set_live(const std::string& text) {
  const auto [name, value] = live_.take(text);
  leader_.set_live(name, value);
  epochs_.set_live(name, value);
  forget_level(name);
}

// The data nodes that are to hear of it, and whose value it is.
Failure Server::live_nodes(const Request& r, const Parameter& p, std::vector<NodeId>* nodes) const {
  const bool all = r.text("nodes") == "all";
  if (one_for_all_nodes(p.name) && !all) {
    return {Error::illegal_change, std::string(p.name) + " is one value for the whole cluster; name no nodes"};
  }
  if (all)
    *nodes = all_nodes(meta::NodeType::data);
  else if (Failure f = parse_nodes(r.text("nodes"), nodes))
    return f;
  if (nodes->empty()) return {static_cast<Error>(5030), "no contact with any data node"};
  for (NodeId id : *nodes) {
    const meta::Node* n = seen_->node(id);
    const std::string who = "node " + std::to_string(id);
    if (n == nullptr || n->type != meta::NodeType::data) return {Error::no_such_node, "no data " + who};
    if (!connected(*n)) return {static_cast<Error>(5030), "no contact with " + who};
  }
  return {};
}

// The value in its one spelling, checked as the configuration would be.
Failure Server::live_value(const Request& r, const Parameter& p, const std::vector<NodeId>& nodes,
                           std::string* value) const {
  if (seen_->config() == nullptr) return {Error::not_ready, not_confirmed()};
  if (!r.has("value")) return {};
  Config config = from_image(*seen_->config()).config;
  const auto problems = set_parameter(config, Kind::ndbd, nodes, p.name, r.text("value"));
  if (has_errors(problems)) return {Error::illegal_change, problems.front().text};
  *value = effective(config, *config.find(nodes.front()), p.name);
  return {};
}

void Server::ndb_set_live(Session& s, const Request& r) {
  const Parameter* p = find_parameter(Kind::ndbd, r.text("name"));
  if (p == nullptr || !can_be_live(p->name)) {
    complain(s, r, {Error::illegal_change, not_live(r.text("name"), p)});
    return;
  }
  std::vector<NodeId> nodes;
  std::string value;
  Failure f = live_nodes(r, *p, &nodes);
  if (!f) f = live_value(r, *p, nodes, &value);
  if (f) {
    complain(s, r, f);
    return;
  }
  const bool keep = r.number("keep") != 0;
  const std::string text = (keep ? "?" : "") + std::string(p->name) + "=" + value;
  Writer body;
  wire::encode(body, wire::NodeOrder{wire::OrderKind::set_parameter, next_report_++, text});
  for (NodeId id : nodes) send(peers_.link_of(id), wire::Type::node_order, body.view());
  const std::string what = std::string(p->name) + (value.empty() ? " is as configured again"
                                                   : keep        ? " stays what it is until its next start"
                                                                 : " is " + value + " until its next start");
  if (one_for_all_nodes(p->name)) {
    for (env::LinkId link : peers_.links(wire::PeerKind::mgm)) send(link, wire::Type::node_order, body.view());
    set_live(text);
    event(env::Severity::info, kInfo, 0, "the cluster: " + what);
  } else {
    for (NodeId id : nodes) event(env::Severity::info, kInfo, id, "node " + std::to_string(id) + ": " + what);
  }
  answer(s, Reply(reply_header(r)).ok().key("applied", nodes.size()).done());
}

}  // namespace ndb::mgmt
