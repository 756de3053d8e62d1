#include "meta/leader.h"

#include <algorithm>
#include <utility>

#include "base/probe.h"

namespace ndb::meta {

void Leader::begin(Time now) {
  since_ = now;
  watched_.clear();
  start_asked_ = kNever;
  start_request_ = {};
}

std::uint64_t Leader::heard(Time now, wire::Heartbeat h, const Member& member) {
  std::uint64_t lease = 0;
  const auto catalog = member.catalog();
  const Node* node = catalog->node(h.node);
  if (leading() && member.leading() && node != nullptr && node->state != NodeState::down &&
      node->incarnation == h.incarnation && confirmed(now, member)) {
    Watch& w = watched_[h.node];
    if (w.incarnation != h.incarnation) {
      w = Watch{};
      w.incarnation = h.incarnation;
    }
    if (w.verdict.none()) {  // no lease is given behind a verdict: the others may have applied it already
      w.heard = true;
      refused_.erase(h.node);
      const Time given = lease_to_give(*catalog);
      w.lease_end = std::max(w.lease_end, now + given + given / 10);
      lease = static_cast<std::uint64_t>(given);
    }
  }
  Report& report = reports_[h.node];
  report.received = now;
  report.last = std::move(h);
  return lease;
}

void Leader::on_heartbeat(Time now, env::LinkId link, Bytes body, const Member& member, const Peers& peers,
                          env::Outbox& out) {
  Reader r(body);
  wire::Heartbeat h;
  if (!decode(r, &h) || !r.done() || h.node != peers.node_of(link)) return;
  wire::HeartbeatOk ok;
  ok.sent = h.sent;
  ok.leader_epoch = member.catalog()->leader_epoch;
  ok.lease_ns = heard(now, std::move(h), member);
  if (!member.leading()) return;
  ok.waiting = waiting_.text;
  ok.left_s = waiting_.left_s(now);
  ok.in_vain = waiting_.in_vain;
  Writer& w = out.link(link);
  std::size_t at = wire::begin_message(w, wire::Type::heartbeat_ok, kControl, kControl);
  wire::encode(w, ok);
  wire::end_message(w, at);
}

void Leader::on_change(Time now, const Peers::Change& change) {
  if (change.raft_id != 0 && change.node != 0) holders_[change.raft_id] = change.node;
  if (change.peer == wire::PeerKind::mgm && change.raft_id != 0) {
    if (change.kind == Peers::Change::Kind::up) {
      lost_.erase(change.raft_id);
      leaving_.erase(change.raft_id);
    }
    if (change.kind == Peers::Change::Kind::down) lost_[change.raft_id] = now;
  }
  if (change.peer != wire::PeerKind::data || change.node == 0) return;
  if (change.kind == Peers::Change::Kind::up) {
    refused_.erase(change.node);
  } else if (change.kind == Peers::Change::Kind::port_refused) {
    refused_[change.node] = change.incarnation;
  }
}

void Leader::step(Time now, Member& member, const Peers& peers, env::Outbox& out) {
  if (!member.leading()) {
    since_ = kNever;
    return;
  }
  const std::uint64_t epoch = member.catalog()->leader_epoch;
  if (since_ == kNever || epoch != epoch_) {
    begin(now);
    restart_since_ = kNever;
    epoch_ = epoch;
    unconfirmed_ = 0;
    cap_ = kNever;  // what an earlier leader has proposed is in the log before us, or refused
    lease_request_ = {};
    out.log(env::Severity::info, "leading the metadata log, leader epoch " + std::to_string(epoch));
  } else if (was_away(now)) {
    // Heartbeats wait unread, and silence proves nothing. Others may lead by now: leases are given again when an entry
    // that says nothing has been committed.
    NDB_PROBE("meta.leader_was_away");
    begin(now);
    unconfirmed_ = member.log().last_index();
    Command nothing;
    nothing.body = EpochDurable{member.catalog()->durable_epoch, 0};
    member.propose(now, std::move(nothing));
  }
  stepped_ = now;
  watch_nodes(now, member, out);
  member.let_place(now, all_heard(*member.catalog()));
  agree_on_lease(now, member, out);
  waiting_ = {};
  start_cluster(now, member, out);
  restart_cluster(now, member, out);
  want_members(now, member, peers);
}

void Leader::want_members(Time now, Member& member, const Peers& peers) {
  std::map<std::uint64_t, WantedMember> wanted;
  const bool management = peers.self().kind == wire::PeerKind::mgm;
  wanted[member.raft_id()] = {member.raft_id(), true, true, management};
  for (const env::LinkId link : peers.links(wire::PeerKind::mgm)) {
    const std::uint64_t raft = peers.raft_of(link);
    if (raft != 0) wanted[raft] = {raft, true, leaving_.count(raft) == 0, true};
  }
  for (const auto& [raft, when] : lost_) {
    if (now - when < kMemberGrace && leaving_.count(raft) == 0)
      wanted.try_emplace(raft, WantedMember{raft, true, true, true});
  }
  const auto catalog = member.catalog();
  const std::vector<MemberInfo> members = member.log().members();
  auto votes = [&](std::uint64_t raft) {
    return std::any_of(members.begin(), members.end(),
                       [&](const MemberInfo& m) { return m.raft_id == raft && m.role == Role::voter; });
  };
  std::map<NodeId, std::uint64_t> present;  // node -> the raft id that it has now
  for (const auto& [id, node] : catalog->nodes) {
    if (node.type == NodeType::api || node.disabled) continue;
    const env::LinkId link = peers.link_of(id);
    if (node.type == NodeType::data && node.raft_id != 0) {
      const bool up = node.state != NodeState::down;
      // Its node may have come back without files, under another raft id: then this one is gone for good.
      const bool linked = peers.link_of_raft(node.raft_id) != 0;
      const bool alive =
          linked ? up || !votes(node.raft_id) || speaks(now, id) : up && link == 0 && heard_lately(now, node);
      wanted.try_emplace(node.raft_id, WantedMember{node.raft_id, up, alive, false});
      present[id] = node.raft_id;
      holders_[node.raft_id] = id;
    }
    if (link == 0 || peers.raft_of(link) == 0) continue;
    const std::uint64_t raft = peers.raft_of(link);  // a process that is not let in yet gets the log, too
    wanted.try_emplace(raft, WantedMember{raft, node.type == NodeType::mgm, true, node.type == NodeType::mgm});
    if (node.type == NodeType::mgm) present[id] = raft;
  }
  for (const MemberInfo& m : members) {
    auto holder = holders_.find(m.raft_id);
    if (holder != holders_.end()) {
      auto now_has = present.find(holder->second);
      const bool replaced = now_has != present.end() && now_has->second != m.raft_id;
      if (replaced || catalog->node(holder->second) == nullptr) continue;  // to be removed
    }
    wanted.try_emplace(m.raft_id, WantedMember{m.raft_id, true, false, true});
  }
  std::vector<WantedMember> list;
  for (const auto& [raft, w] : wanted) list.push_back(w);
  if (list != member.wanted_members()) member.want_members(std::move(list));
}

void Leader::watch_nodes(Time now, Member& member, env::Outbox& out) {
  const auto catalog = member.catalog();
  longest_ = catalog->longest_lease();
  for (const auto& [id, node] : catalog->nodes) {
    if (node.type != NodeType::data || node.state == NodeState::down) {
      watched_.erase(id);
      continue;
    }
    auto [i, fresh] = watched_.try_emplace(id);
    Watch& w = i->second;
    if (fresh || w.incarnation != node.incarnation) {
      w = Watch{};
      w.incarnation = node.incarnation;
      w.seen = now;
    }
    auto refused = refused_.find(id);
    if (!w.verdict.none() && !member.proposing(w.verdict)) w.verdict = {};  // refused, or its outcome is unknown
    if (!w.verdict.none()) continue;
    if (refused != refused_.end() && refused->second == node.incarnation) {
      declare(now, member, node, w, true, out);
      continue;
    }
    if (const Time until = silent_from(w); now < until) {
      out.wake_at(until);
    } else if (!last_in_sync(*catalog, node)) {
      declare(now, member, node, w, false, out);
    }
  }
}

// When a node that says nothing more has been silent for too long.
Time Leader::silent_from(const Watch& w) const {
  const Time silence = 2 * limits::kMetaElection + longest_ + longest_ / 10;
  return std::max(w.heard ? w.lease_end : w.seen + silence, since_ + silence);
}

bool Leader::heard_lately(Time now, const Node& node) const {
  auto w = watched_.find(node.id);
  return w != watched_.end() && w->second.incarnation == node.incarnation && w->second.heard &&
         now < silent_from(w->second);
}

// A link proves nothing of a voter that was declared dead: its computer may have lost its power. (Who has no vote may
// not know yet whom to speak to.)
bool Leader::speaks(Time now, NodeId id) const {
  const Report* r = report(id);
  return r != nullptr && now < r->received + longest_ + longest_ / 10;
}

bool Leader::all_heard(const Catalog& catalog) const {
  return std::all_of(catalog.nodes.begin(), catalog.nodes.end(), [&](const auto& n) {
    if (n.second.type != NodeType::data || n.second.state != NodeState::in_sync) return true;
    auto w = watched_.find(n.first);
    return w != watched_.end() && w->second.heard && w->second.incarnation == n.second.incarnation;
  });
}

bool Leader::all_rows_served(Time now, const Catalog& catalog) const {
  return std::all_of(catalog.groups.begin(), catalog.groups.end(), [&](const auto& g) {
    return !holds_rows_that_count(catalog, g.first) ||
           std::any_of(g.second.members.begin(), g.second.members.end(), [&](NodeId id) {
             const Node* n = catalog.node(id);
             return n != nullptr && n->state == NodeState::in_sync && heard_lately(now, *n);
           });
  });
}

// The only one that has rows which nobody else has, as far as is known: of several members that are silent the others
// may have been dead for long, and the one that was heard last is waited for.
bool Leader::last_in_sync(const Catalog& catalog, const Node& node) const {
  if (node.state != NodeState::in_sync || node.group == kNoGroup) return false;
  const Group* group = catalog.group(node.group);
  if (group == nullptr || !holds_rows_that_count(catalog, node.group)) return false;
  auto last_sign = [&](const Node& of) {
    const Report* r = report(of.id);
    return std::pair{r != nullptr && r->last.incarnation == of.incarnation ? r->received : 0, of.id};
  };
  return std::none_of(group->members.begin(), group->members.end(), [&](NodeId id) {
    const Node* other = catalog.node(id);
    auto w = watched_.find(id);
    const bool condemned = w != watched_.end() && !w->second.verdict.none();
    return other != nullptr && other->state == NodeState::in_sync && !condemned && last_sign(*other) > last_sign(node);
  });
}

void Leader::declare(Time now, Member& member, const Node& node, Watch& watch, bool forced, env::Outbox& out) {
  const std::string reason = forced ? "its port refuses connections" : "no heartbeat within its lease";
  out.log(env::Severity::warning, "declaring node " + std::to_string(node.id) + " dead: " + reason);
  Command c;
  // A verdict that an earlier leader could not get through is not ours any more: the next one has heard the node.
  c.body = NodeDown{node.id, node.incarnation, reason, forced, epoch_};
  watch.verdict = member.propose(now, std::move(c));
}

bool Leader::barrier_reached(const Catalog& catalog, View v) const {
  if (!leading()) return false;
  for (const auto& [id, node] : catalog.nodes) {
    if (node.type != NodeType::data || node.state != NodeState::in_sync) continue;
    auto w = watched_.find(id);
    auto r = reports_.find(id);
    if (w == watched_.end() || !w->second.heard || w->second.incarnation != node.incarnation) return false;
    if (r == reports_.end() || r->second.last.incarnation != node.incarnation) return false;
    if (r->second.last.version < v || r->second.last.oldest_open < v) return false;
  }
  return true;
}

View Leader::oldest_open(const Catalog& catalog) const {
  View oldest = UINT64_MAX;
  for (const auto& [id, node] : catalog.nodes) {
    if (node.type != NodeType::data || node.state == NodeState::down) continue;
    auto r = reports_.find(id);
    if (r == reports_.end() || r->second.last.incarnation != node.incarnation) return 0;
    oldest = std::min({oldest, r->second.last.oldest_open, r->second.last.version});
  }
  return oldest == UINT64_MAX ? 0 : oldest;
}

const Leader::Report* Leader::report(NodeId node) const {
  auto i = reports_.find(node);
  return i == reports_.end() ? nullptr : &i->second;
}

}  // namespace ndb::meta
