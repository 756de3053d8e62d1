// Looking for a newer catalog: from a data node when one is connected, else from a management server.
#include <algorithm>

#include "client/base64.h"
#include "client/machine.h"

namespace ndb::client {

namespace {
constexpr std::uint64_t kManagementTag = std::uint64_t{1} << 63;

// The value of `key: value` in a reply's lines.
Bytes value_of(Bytes head, Bytes key) {
  for (std::size_t at = 0; at < head.size();) {
    std::size_t end = head.find('\n', at);
    if (end == Bytes::npos) end = head.size();
    Bytes line = head.substr(at, end - at);
    at = end + 1;
    if (line.substr(0, key.size()) != key || line.size() <= key.size() || line[key.size()] != ':') continue;
    line.remove_prefix(key.size() + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '"')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '"')) line.remove_suffix(1);
    return line;
  }
  return {};
}
}  // namespace

void ClientMachine::look_for_catalog(Time now, env::Outbox& out) {
  if (refresh_now_) {
    refresh_now_ = false;
    refresh_wanted_ = true;
    next_refresh_ = std::min(next_refresh_, now);
  }
  if (catalog_request_ != 0) {
    if (now - catalog_asked_ < limits::kClientPatience) return;
    catalog_request_ = 0;  // another one then
    if (Peer* p = peer(catalog_from_)) p->silent = true;
  }
  if (now < next_refresh_) {
    out.wake_at(next_refresh_);
    return;
  }
  // The next data node in turn that is connected, behind the one that was asked last.
  const std::size_t n = peers_.size();
  for (std::size_t i = 1; i <= n; i++) {
    Peer& p = peers_[(catalog_from_ + i) % n];
    if (p.node == 0 || p.state != Peer::State::up || p.closing || p.silent) continue;
    catalog_from_ = p.node;
    catalog_asked_ = now;
    catalog_request_ = static_cast<std::uint32_t>(prng_.next() | 1);
    next_refresh_ = now + limits::kClientTick;
    Writer& w = out.link(p.link);
    auto at = wire::begin_message(w, wire::Type::get_catalog, kControl, 0);
    w.u32(catalog_request_);
    w.u64(catalog_ ? catalog_->version : 0);
    wire::end_message(w, at);
    return;
  }
  for (Peer& p : peers_) p.silent = false;  // asked again, in turn with the others
  if (catalog_) {
    for (const auto& [id, node] : catalog_->nodes) {
      if (node.type == meta::NodeType::data && node.state == meta::NodeState::in_sync) up(id, now, out);
    }
  }
  if (management_ != Management::idle && now - management_since_ > limits::kConnectTimeout) {
    finish_management(now, out, "the management server does not answer");
  }
  if (!options_.management.empty() && management_ == Management::idle) {
    const Endpoint& m = options_.management[management_next_ % options_.management.size()];
    management_ = Management::connecting;
    management_since_ = now;
    out.connect(kManagementTag, m.host, m.port, true);
  }
  next_refresh_ = now + limits::kConnectRetry;
  out.wake_at(next_refresh_);
}

// u32 request, u64 version, the encoded catalog (nothing: not newer)
void ClientMachine::on_catalog(Time now, Bytes body, env::Outbox& out) {
  Reader r(body);
  const std::uint32_t request = r.u32();
  r.u64();
  if (r.bad() || request != catalog_request_ || catalog_request_ == 0) return;
  catalog_request_ = 0;
  counts_.catalog_answers++;
  if (r.left() == 0) {
    // Not newer. Who is late stays late: looked at again by the next tick that sees it. When a node is gone there will
    // be a newer one in a moment.
    refresh_wanted_ = catalog_ && (wanted_view_ > catalog_->view || misses_a_node());
    next_refresh_ = now + limits::kClientTick;
    return;
  }
  auto c = std::make_shared<meta::Catalog>();
  if (!meta::decode(r, c.get())) {
    trouble_ = "node " + std::to_string(catalog_from_) + " sent a catalog that cannot be read";
    return;
  }
  adopt(std::move(c), now, out);
}

void ClientMachine::adopt(std::shared_ptr<const meta::Catalog> c, Time now, env::Outbox& out) {
  refresh_wanted_ = false;
  if (catalog_ &&
      (c->version <= catalog_->version || (catalog_->cluster_id != 0 && c->cluster_id != catalog_->cluster_id))) {
    return;
  }
  counts_.catalogs++;
  catalog_ = std::move(c);
  routing_ = std::make_unique<Routing>(*catalog_);
  std::erase_if(indexed_, [&](const auto& t) { return catalog_->table(t.first) == nullptr; });
  auto leave_if_gone = [&](Peer& p) {
    p.lost = false;
    const meta::Node* n = catalog_->node(p.node);
    const bool gone = n == nullptr || n->state == meta::NodeState::down || n->port != p.port || n->address != p.host ||
                      n->incarnation != p.incarnation;
    if (!gone) return;
    p.next_connect = now;
    if (p.link != 0 && !p.closing) {
      p.closing = true;
      out.close(p.link);
    }
  };
  for (Peer& p : peers_) {
    if (p.node == 0) continue;
    leave_if_gone(p);
    for (Peer& lane : p.lanes) leave_if_gone(lane);
  }
  retry_now_ = true;
  next_tick_ = now;  // those who waited for it
  if (wanted_view_ > catalog_->view) {
    refresh_wanted_ = true;
    next_refresh_ = now + limits::kClientTick;
  }
}

bool ClientMachine::misses_a_node() const {
  return anything_open() && std::any_of(peers_.begin(), peers_.end(), [](const Peer& p) { return p.lost; });
}

void ClientMachine::on_management_text(Time now, Bytes text, env::Outbox& out) {
  management_text_ += text;
  const std::size_t head = management_text_.find("\n\n");
  if (head == std::string::npos) {
    if (management_text_.size() > limits::kTextBulkBytesMax)
      finish_management(now, out, "no management server's reply");
    return;
  }
  Bytes lines = Bytes(management_text_).substr(0, head + 1);
  Bytes length = value_of(lines, "Content-Length");
  Bytes result = value_of(lines, "result");
  if (result != "Ok") {
    std::string why = "the management server answered: " + std::string(result);
    if (result.empty() || result.starts_with("Unknown command"))
      why = "the management server is NDB's own, or older than this program";
    finish_management(now, out, why);
    return;
  }
  counts_.catalog_answers++;
  if (length.empty()) {  // it has nothing newer
    refresh_wanted_ = catalog_ == nullptr;
    finish_management(now, out, catalog_ ? "" : "the cluster has no configuration yet");
    return;
  }
  std::size_t bytes = 0;
  for (char ch : length) {
    if (ch < '0' || ch > '9' || bytes > limits::kFrameBytesMax) {
      finish_management(now, out, "the management server's reply cannot be read");
      return;
    }
    bytes = bytes * 10 + static_cast<std::size_t>(ch - '0');
  }
  if (management_text_.size() < head + 2 + bytes) return;
  std::string decoded;
  auto c = std::make_shared<meta::Catalog>();
  const bool ok = base64_decode(Bytes(management_text_).substr(head + 2, bytes), &decoded);
  Reader r(decoded);
  if (!ok || !meta::decode(r, c.get())) {
    finish_management(now, out, "the management server's catalog cannot be read");
    return;
  }
  adopt(std::move(c), now, out);
  finish_management(now, out, "");
}

void ClientMachine::finish_management(Time now, env::Outbox& out, const std::string& trouble) {
  if (management_link_ != 0) out.close(management_link_);
  management_link_ = 0;
  management_ = Management::idle;
  management_text_.clear();
  if (!trouble.empty()) {
    trouble_ = trouble;
    management_next_++;
    next_refresh_ = now + limits::kConnectRetry;
  }
}

}  // namespace ndb::client
