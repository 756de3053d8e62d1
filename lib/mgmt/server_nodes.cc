// Orders to processes: stop, restart, start. An order is checked whole before anybody hears of it.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr Time kLeaveBehindNodes = 8 * kSecond;  // a shutdown waits so long for data nodes
constexpr Time kOrderForgotten = 120 * kSecond;  // a node that was told to stop and still is there

Failure number(int code, std::string text) { return {static_cast<Error>(code), std::move(text)}; }

}  // namespace

std::vector<NodeId> Server::all_nodes(meta::NodeType type) const {
  std::vector<NodeId> ids;
  for (const auto& [id, n] : seen_->nodes) {
    if (n.type == type && connected(n)) ids.push_back(id);
  }
  return ids;
}

Failure Server::parse_nodes(std::string_view words, std::vector<NodeId>* nodes) const {
  for (std::string_view word : split_words(words)) {
    std::int64_t id = 0;
    if (!parse_number(word, &id) || id < 1 || id > static_cast<std::int64_t>(limits::kNodeIdMax)) {
      return {Error::bad_node_id, "'" + std::string(word) + "' is no node id"};
    }
    const auto node = static_cast<NodeId>(id);
    if (std::find(nodes->begin(), nodes->end(), node) == nodes->end()) nodes->push_back(node);
  }
  if (nodes->empty()) return {Error::bad_node_id, "no node is named"};
  return {};
}

Failure Server::check_order(const Order& order) const {
  if (system_stop_ != 0 && now_ - system_stop_ < kOrderForgotten)
    return number(5027, "the whole cluster is being stopped");
  const bool restarts = order.kind == wire::OrderKind::restart || order.kind == wire::OrderKind::restart_initial;
  std::vector<NodeId> data;
  for (NodeId id : order.nodes) {
    const meta::Node* n = seen_->node(id);
    const std::string who = "node " + std::to_string(id);
    if (n == nullptr) return {Error::no_such_node, "no " + who + " in the configuration"};
    if (n->type == meta::NodeType::api) return number(5002, who + " is an API node: it is not stopped from here");
    if (!connected(*n)) return number(5030, "no contact with " + who);
    if (auto i = ordered_.find(id); i != ordered_.end() && now_ - i->second.at < kOrderForgotten) {
      return number(5026, who + " is being stopped already");
    }
    if (n->type != meta::NodeType::data) continue;
    if (n->state == meta::NodeState::joining && !order.abort && !order.force) {
      return {Error::bad_node_state, who + " is starting"};
    }
    if (restarts && seen_->single_user != 0 && !order.whole) {
      return {Error::bad_node_state, who + " cannot restart alone in single user mode; leave that mode first"};
    }
    data.push_back(id);
  }
  if (order.whole || order.force) return {};
  if (data.size() > 1 && !order.abort) {
    return number(5031,
                  "several data nodes at once cannot be stopped in good order; one after the other, or with abort");
  }
  if (order.kind == wire::OrderKind::start) return {};
  for (const auto& [id, group] : seen_->groups) {
    std::size_t left = 0;
    std::size_t leaving = 0;
    for (NodeId member : group.members) {
      const meta::Node* n = seen_->node(member);
      if (n == nullptr || n->state != meta::NodeState::in_sync) continue;
      const bool goes = std::find(data.begin(), data.end(), member) != data.end() || ordered_.count(member) != 0;
      ++(goes ? leaving : left);
    }
    const bool concerned =
        std::any_of(data.begin(), data.end(), [&, g = id](NodeId d) { return seen_->node(d)->group == g; });
    if (concerned && leaving != 0 && left == 0) {
      return {Error::would_lose_group, "node group " + std::to_string(id) + " would lose its last member"};
    }
  }
  return {};
}

// By force a stop may take a group's last member; then the cluster cannot serve and all data nodes go, as in NDB.
Failure Server::give_order(Order* order) {
  if (Failure f = check_order(*order)) return f;
  Order single = *order;
  single.force = false;
  single.abort = true;
  if (order->force && check_order(single).error == Error::would_lose_group) {
    for (NodeId id : all_nodes(meta::NodeType::data)) {
      if (std::find(order->nodes.begin(), order->nodes.end(), id) == order->nodes.end()) order->nodes.push_back(id);
    }
    order->whole = true;
  }
  std::string text = order->abort || order->force || order->whole ? "force" : "";
  if (order->whole) text += " whole";
  if (order->nostart) text += text.empty() ? "nostart" : " nostart";
  Writer body;
  wire::encode(body, wire::NodeOrder{order->kind, next_report_++, text});
  const bool stops = order->kind != wire::OrderKind::start;
  for (NodeId id : order->nodes) {
    ++order->ordered;
    if (id == options_.node) {
      order->disconnect = true;
      continue;
    }
    send(peers_.link_of(id), wire::Type::node_order, body.view());
    if (stops) ordered_[id] = {now_, seen_->node(id)->incarnation};
    event(env::Severity::info, stops ? kShutdown : kStartup, id,
          "node " + std::to_string(id) + (stops ? " was told to stop" : " was told to start"));
  }
  if (order->whole && stops && order->kind == wire::OrderKind::stop) system_stop_ = now_;
  if (order->disconnect && order->whole && stops && !peers_.links(wire::PeerKind::data).empty()) {
    // The data nodes make what they have durable first, and for that they need a leader.
    out_->log(env::Severity::info, "told to stop behind the data nodes");
    leave_behind_nodes_ = now_ + kLeaveBehindNodes;
  } else if (order->disconnect) {
    obey(order->kind, order->whole);
  }
  return {};
}

void Server::obey(wire::OrderKind kind, bool whole) {
  out_->log(env::Severity::info, kind == wire::OrderKind::stop ? "told to stop" : "told to restart");
  const bool stop = kind == wire::OrderKind::stop;
  leave(stop ? 0 : kExitRestart, stop && !whole);
}

void Server::on_node_order(env::LinkId link, Bytes body) {
  Reader r(body);
  wire::NodeOrder order;
  if (!decode(r, &order)) return;
  const bool whole = order.text.find("whole") != std::string::npos;
  if (order.kind == wire::OrderKind::stop || order.kind == wire::OrderKind::restart) obey(order.kind, whole);
  if (order.kind == wire::OrderKind::leaving) leader_.leaves(peers_.raft_of(link));
  if (order.kind == wire::OrderKind::set_parameter) set_live(order.text);
}

// --- NDB's requests

void Server::start_node(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::start, .nodes = {static_cast<NodeId>(r.number("node"))}};
  answer(s, Reply("start reply").failed(give_order(&order)).done());
}

void Server::start_all(Session& s, const Request&) {
  Order order{.kind = wire::OrderKind::start, .nodes = {}, .whole = true};
  for (const auto& [id, n] : seen_->nodes) {
    if (n.type == meta::NodeType::data && connected(n) && n.state == meta::NodeState::down) order.nodes.push_back(id);
  }
  const Failure f = give_order(&order);
  answer(s, Reply("start reply").failed(f).key("started", order.ordered).done());
}

void Server::stop_node(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::stop, .nodes = {}};
  order.abort = r.number("abort") != 0;
  order.force = r.number("force") != 0;
  Failure f = parse_nodes(r.text("node"), &order.nodes);
  if (!f) f = give_order(&order);
  Reply reply("stop reply");
  reply.failed(f).key("stopped", order.ordered);
  if (r.command->name == "stop v2") reply.key("disconnect", order.disconnect ? 1 : 0);
  answer(s, reply.done());
}

void Server::stop_all(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::stop, .nodes = {}, .whole = true};
  const std::string_view what = r.text("stop", "db");
  if (what.find("db") != std::string_view::npos) order.nodes = all_nodes(meta::NodeType::data);
  if (what.find("mgm") != std::string_view::npos) {
    for (NodeId id : all_nodes(meta::NodeType::mgm)) order.nodes.push_back(id);
  }
  Reply reply("stop reply");
  reply.failed(give_order(&order)).key("stopped", order.ordered);
  if (r.has("stop")) reply.key("disconnect", order.disconnect ? 1 : 0);
  answer(s, reply.done());
}

void Server::restart_node(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::restart, .nodes = {}};
  if (r.number("initialstart") != 0) order.kind = wire::OrderKind::restart_initial;
  order.nostart = r.number("nostart") != 0;
  order.abort = r.number("abort") != 0;
  order.force = r.number("force") != 0;
  Failure f = parse_nodes(r.text("node"), &order.nodes);
  if (!f) f = give_order(&order);
  Reply reply("restart reply");
  reply.failed(f).key("restarted", order.ordered);
  if (r.command->name == "restart node v2") reply.key("disconnect", order.disconnect ? 1 : 0);
  answer(s, reply.done());
}

void Server::restart_all(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::restart, .nodes = all_nodes(meta::NodeType::data), .whole = true};
  if (r.number("initialstart") != 0) order.kind = wire::OrderKind::restart_initial;
  order.nostart = r.number("nostart") != 0;
  const Failure f = give_order(&order);
  answer(s, Reply("restart reply").failed(f).key("restarted", order.ordered).done());
}

// --- our own

void Server::ndb_stop_node(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::stop, .nodes = {}};
  order_nodes(s, r, std::move(order), "stopped");
}
void Server::ndb_restart_node(Session& s, const Request& r) {
  Order order{.kind = wire::OrderKind::restart, .nodes = {}};
  if (r.number("initial") != 0) order.kind = wire::OrderKind::restart_initial;
  order.nostart = r.number("nostart") != 0;
  order_nodes(s, r, std::move(order), "restarted");
}
void Server::ndb_start_node(Session& s, const Request& r) {
  order_nodes(s, r, Order{.kind = wire::OrderKind::start, .nodes = {}}, "started");
}

void Server::order_nodes(Session& s, const Request& r, Order order, std::string_view done) {
  order.abort = r.number("abort") != 0;
  order.force = r.number("force") != 0;
  Failure f;
  if (r.text("nodes") == "all") {
    order.nodes = all_nodes(meta::NodeType::data);
    order.whole = true;
    if (order.nodes.empty()) f = {static_cast<Error>(5030), "no contact with any data node"};
  } else {
    f = parse_nodes(r.text("nodes"), &order.nodes);
  }
  if (!f) f = give_order(&order);
  answer(s, Reply(reply_header(r)).failed(f).key(done, order.ordered).done());
}

}  // namespace ndb::mgmt
