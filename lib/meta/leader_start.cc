// When the cluster is started as a whole: for the first time, and from its disks.
#include <algorithm>
#include <charconv>

#include "meta/leader.h"
#include "meta/words.h"

namespace ndb::meta {

namespace {

constexpr Time kStartRetry = kSecond;  // a start that the log refused

// A time-out of the data nodes in ms, the first data node's; 0 = for ever.
Time start_timeout(const Catalog& c, const char* parameter, Time fallback) {
  const ConfigImage* image = c.config();
  if (image == nullptr) return fallback;
  for (const ConfigNode& n : image->nodes) {
    auto i = n.values.find(parameter);
    if (n.type != NodeType::data || i == n.values.end()) continue;
    std::int64_t ms = 0;
    auto [end, error] = std::from_chars(i->second.data(), i->second.data() + i->second.size(), ms);
    if (error != std::errc{} || ms < 0 || ms > 4'294'967'039) return fallback;
    return ms == 0 ? kNever : ms * kMillisecond;
  }
  return fallback;
}
Time no_group_wait(const Catalog& c) { return start_timeout(c, "StartNoNodegroupTimeout", 15 * kSecond); }
Time partial_wait(const Catalog& c) { return start_timeout(c, "StartPartialTimeout", 30 * kSecond); }
Time partitioned_wait(const Catalog& c) { return start_timeout(c, "StartPartitionedTimeout", kNever); }

bool takes_part(const Node& n) { return n.type == NodeType::data && !n.disabled; }

Time sum(Time a, Time b) { return a == kNever || b == kNever ? kNever : a + b; }

std::string nodes_text(const std::vector<NodeId>& nodes) {
  return words(nodes.size() == 1 ? "node " : "nodes ", listed(nodes));
}

}  // namespace

void Leader::wait_until(Time now, std::string text, Time until, env::Outbox& out) {
  waiting_ = {std::move(text), until, false};
  if (until != kNever && until > now) out.wake_at(until);
}

const wire::Heartbeat* Leader::joining_report(const Node& node) const {
  const Report* r = report(node.id);
  if (node.state != NodeState::joining || r == nullptr || r->last.incarnation != node.incarnation) return nullptr;
  return &r->last;
}

std::set<NodeId> Leader::not_waited_for(const Catalog& catalog) const {
  std::set<NodeId> skip;
  for (const auto& [id, node] : catalog.nodes) {
    if (const wire::Heartbeat* h = joining_report(node)) skip.insert(h->nowait.begin(), h->nowait.end());
  }
  return skip;
}

void Leader::start_cluster(Time now, Member& member, env::Outbox& out) {
  const auto catalog = member.catalog();
  if (catalog->started || catalog->generation == 0) return;
  if (!start_request_.none() && member.proposing(start_request_)) return;
  const std::set<NodeId> skip = not_waited_for(*catalog);
  std::vector<NodeId> joining, missing, missing_outside;
  bool with_group = false;
  for (const auto& [id, node] : catalog->nodes) {
    if (!takes_part(node)) continue;
    const bool here = node.state == NodeState::joining;
    if (here) joining.push_back(id);
    with_group |= here && !node.no_group_wish;
    if (!here && skip.count(id) == 0) (node.no_group_wish ? missing_outside : missing).push_back(id);
  }
  if (!missing.empty() || !with_group) {
    start_asked_ = kNever;
    if (joining.empty()) return;
    const std::string whom = missing.empty() ? "a node with a node group" : nodes_text(missing) + " (first start)";
    wait_until(now, "for " + whom, kNever, out);
    return;
  }
  if (start_asked_ == kNever) start_asked_ = now;
  const Time until = sum(start_asked_, no_group_wait(*catalog));
  if (!missing_outside.empty() && now < until) {
    return wait_until(now, "for " + nodes_text(missing_outside) + " (StartNoNodegroupTimeout)", until, out);
  }
  if (!start_request_.none() && now < start_retry_) {
    return wait_until(now, "for another try: the first start was refused", start_retry_, out);
  }
  out.log(env::Severity::info, "first start of the cluster with " + std::to_string(joining.size()) + " data nodes");
  Command c;
  c.body = StartCluster{std::move(joining)};
  start_request_ = member.propose(now, std::move(c));
  start_retry_ = now + kStartRetry;
}

// No group has a member in sync: the cluster comes back from its disks, when every group that holds fragments has a
// member whose files give back the durable epoch exactly.
void Leader::restart_cluster(Time now, Member& member, env::Outbox& out) {
  const auto catalog = member.catalog();
  if (!catalog->started || (!restart_request_.none() && member.proposing(restart_request_))) return;
  const std::set<NodeId> skip = not_waited_for(*catalog);
  RestartCluster x;
  x.epoch = catalog->durable_epoch;
  std::vector<NodeId> absent;  // might come with what is needed, or still reads its files
  bool anybody = false;
  std::map<GroupId, std::uint32_t> ready;
  for (const auto& [id, node] : catalog->nodes) {
    if (!takes_part(node) || node.group == kNoGroup) continue;
    if (node.state == NodeState::in_sync) {
      restart_since_ = kNever;
      return;
    }
    anybody |= node.state == NodeState::joining;
    const wire::Heartbeat* h = joining_report(node);
    if (h != nullptr && h->restored == catalog->durable_epoch + 1) {
      x.nodes.push_back({id, node.incarnation});
      ready[node.group]++;
    } else if (h == nullptr ? skip.count(id) == 0 : h->phase < 5) {
      absent.push_back(id);  // (one whose files are older has said so when its recovery is over: no use in waiting)
    }
  }
  if (!anybody) {
    restart_since_ = kNever;
    return;
  }
  if (restart_since_ == kNever) restart_since_ = now;
  bool some_group_complete = false;
  for (const auto& [id, g] : catalog->groups) {
    some_group_complete |= ready[id] == g.members.size();
    if (!holds_rows_that_count(*catalog, id) || ready[id] != 0) continue;
    const bool can_come = std::any_of(g.members.begin(), g.members.end(), [&](NodeId n) {
      return std::find(absent.begin(), absent.end(), n) != absent.end() || skip.count(n) != 0;
    });
    const std::string what = words("node group ", id, " with the files of epoch ", catalog->durable_epoch);
    wait_until(now,
               can_come ? words("for one of nodes ", listed(g.members), " of ", what)
                        : words("in vain: none of nodes ", listed(g.members), " came back to ", what),
               kNever, out);
    waiting_.in_vain = !can_come;
    return;
  }
  const Time partial = sum(restart_since_, partial_wait(*catalog));
  const Time partitioned = sum(partial, partitioned_wait(*catalog));
  if (!absent.empty() && now < partial) {
    return wait_until(now, "for " + nodes_text(absent) + " (StartPartialTimeout)", partial, out);
  }
  if (!absent.empty() && !some_group_complete && now < partitioned) {
    return wait_until(now, "for " + nodes_text(absent) + " (StartPartitionedTimeout: no node group is complete)",
                      partitioned, out);
  }
  out.log(env::Severity::info, "restart of the cluster from " + std::to_string(x.nodes.size()) +
                                   " data nodes' disks, epoch " + std::to_string(x.epoch));
  Command c;
  c.body = std::move(x);
  restart_request_ = member.propose(now, std::move(c));
  restart_since_ = kNever;
}

}  // namespace ndb::meta
