#include "meta/catalog.h"

#include <algorithm>

#include "meta/words.h"

namespace ndb::meta {

const char* name_of(NodeType t) {
  switch (t) {
    case NodeType::data:
      return "data";
    case NodeType::api:
      return "API";
    case NodeType::mgm:
      return "management";
  }
  return "unknown";
}

const char* name_of(NodeState s) {
  switch (s) {
    case NodeState::down:
      return "down";
    case NodeState::joining:
      return "joining";
    case NodeState::in_sync:
      return "in sync";
  }
  return "unknown";
}

const char* name_of(JobState s) {
  switch (s) {
    case JobState::running:
      return "running";
    case JobState::done:
      return "done";
    case JobState::rolled_back:
      return "rolled back";
  }
  return "unknown";
}

const Table* Catalog::table(std::string_view table_name) const {
  for (const auto& [id, t] : tables) {
    if (same_name(t->name, table_name)) return t.get();
  }
  return nullptr;
}

const Outcome* Catalog::outcome_of(const RequestId& id) const {
  if (id.none()) return nullptr;
  return requests.find(id);
}

const Job* Catalog::running_job() const {
  for (auto i = jobs.rbegin(); i != jobs.rend(); ++i) {
    if (i->second.state == JobState::running) return &i->second;
  }
  return nullptr;
}

namespace {

// Calls take(id) for the in-sync members in the rotation that starts at fragment mod replicas,
// until it says false.
template <class Take>
void rotate(const Catalog& c, GroupId group_id, FragmentId fragment, Take take) {
  const Group* g = c.group(group_id);
  if (g == nullptr || g->members.empty()) return;
  const std::size_t n = g->members.size();
  for (std::size_t i = 0; i < n; i++) {
    const NodeId id = g->members[(fragment % n + i) % n];
    const Node* node = c.node(id);
    if (node != nullptr && node->state == NodeState::in_sync && !take(id)) return;
  }
}

}  // namespace

NodeId Catalog::primary(GroupId group_id, FragmentId fragment) const {
  NodeId first = 0;
  rotate(*this, group_id, fragment, [&](NodeId id) {
    first = id;
    return false;
  });
  return first;
}

std::vector<NodeId> Catalog::backups(GroupId group_id, FragmentId fragment) const {
  std::vector<NodeId> all;
  rotate(*this, group_id, fragment, [&](NodeId id) {
    all.push_back(id);
    return true;
  });
  if (!all.empty()) all.erase(all.begin());
  return all;
}

// --- where fragments go

std::uint32_t fragments_on(const Catalog& c, const Group& g) {
  std::uint32_t workers = limits::kWorkersMax;
  for (const NodeId id : g.members) {
    const Node* n = c.node(id);
    workers = std::min(workers, n == nullptr ? 1u : std::max(1u, std::uint32_t{n->workers}));
  }
  return c.replicas * workers;
}

namespace {

// Appends the fragments of one more group.
Failure add_group(const Catalog& c, const Group& g, std::vector<GroupId>* groups) {
  if (c.primary(g.id, 0) == 0) {
    return {Error::not_ready, words("node group ", g.id, " has no member in sync; start its nodes ", listed(g.members),
                                    " or drop the group")};
  }
  const std::uint32_t n = fragments_on(c, g);
  if (groups->size() + n > limits::kFragmentsMax) {
    return {Error::too_many_fragments, words("a table takes at most ", limits::kFragmentsMax, " fragments")};
  }
  groups->insert(groups->end(), n, g.id);
  return {};
}

}  // namespace

Result<Distribution> new_distribution(const Catalog& c) {
  Distribution d;
  if (c.groups.empty()) {
    return Failure{Error::not_ready, c.started ? "there is no node group; create one first"
                                               : "the cluster has not been started: there is no node group yet"};
  }
  for (const auto& [id, g] : c.groups) {
    if (auto f = add_group(c, g, &d.groups)) return f;
  }
  d.map = initial_map(static_cast<std::uint32_t>(d.groups.size()));
  return d;
}

namespace {

bool contains(const std::vector<GroupId>& v, GroupId g) { return std::find(v.begin(), v.end(), g) != v.end(); }

// More than a sixteenth between the fullest and the emptiest fragment.
bool uneven(const std::vector<FragmentId>& map, std::size_t fragments) {
  std::vector<std::uint32_t> owned(fragments);
  for (const FragmentId f : map) owned[f]++;
  const auto [least, most] = std::minmax_element(owned.begin(), owned.end());
  return *most > *least + 1 + *least / 16;
}

}  // namespace

Result<Distribution> planned_distribution(const Catalog& c, const Table& t, const std::vector<GroupId>& drain) {
  for (const GroupId g : drain) {
    if (c.group(g) == nullptr) return Failure{Error::no_such_group, words("no such node group: ", g)};
  }
  Distribution d = t.distribution;
  std::vector<FragmentId> from, to;
  for (std::size_t f = 0; f < d.groups.size(); f++) {
    if (d.groups[f] == kNoGroup) continue;
    from.push_back(static_cast<FragmentId>(f));
    if (!contains(drain, d.groups[f])) to.push_back(static_cast<FragmentId>(f));
  }
  const bool drains = to.size() < from.size();
  while (!d.groups.empty() && d.groups.back() == kNoGroup) d.groups.pop_back();  // numbers of fragments that are gone
  const std::size_t old_n = d.groups.size();
  for (const auto& [id, g] : c.groups) {
    if (contains(t.distribution.groups, id) || contains(drain, id)) continue;
    if (auto f = add_group(c, g, &d.groups)) return f;
  }
  const bool grows = d.groups.size() > old_n;
  if (!drains && !grows) return t.distribution;
  for (std::size_t f = old_n; f < d.groups.size(); f++) to.push_back(static_cast<FragmentId>(f));
  if (to.empty()) {
    return Failure{Error::bad_group_id, words("no node group would remain for table \"", t.name,
                                              "\"; leave one out of the groups to drain, or create one first")};
  }
  if (!drains && from.size() == old_n) {  // plain growth: the map that the number of fragments alone decides
    d.next = extended_map(d.map, static_cast<std::uint32_t>(old_n), static_cast<std::uint32_t>(d.groups.size()));
    if (!uneven(d.next, d.groups.size())) return d;
  }
  d.next = balanced_map(d.map, from, to);
  return d;
}

// --- for people

namespace {

std::string describe(const Table& t) {
  const Distribution& d = t.distribution;
  std::string s = words("table ", t.id, " \"", t.name, "\" columns=", t.columns.size(), " fragments=");
  for (std::size_t f = 0; f < d.groups.size();) {  // "0-3:g0 4-7:g1"
    std::size_t end = f;
    while (end < d.groups.size() && d.groups[end] == d.groups[f]) end++;
    s += words(f == 0 ? "" : ",", f, "-", end - 1, ":");
    s += d.groups[f] == kNoGroup ? "gone" : words("g", d.groups[f]);
    f = end;
  }
  s += words(" phase=", name_of(d.phase), " view=", d.view);
  if (!d.next.empty()) {
    std::uint32_t moving = 0;
    for (std::uint32_t b = 0; b < limits::kBuckets; b++) moving += d.next[b] != d.map[b] ? 1 : 0;
    s += words(" moving=", moving, "/", limits::kBuckets);
  }
  return s + "\n";
}

}  // namespace

std::string describe(const Catalog& c) {
  std::string s = words("version=", c.version, " view=", c.view, " changed=", c.changed_version, " name=", c.name,
                        " cluster=", c.cluster_id, c.started ? " started" : " not started", " replicas=", c.replicas,
                        " generation=", c.generation, " leader_epoch=", c.leader_epoch, " leader=", c.leader_raft_id);
  if (c.lease_ms != 0) s += words(" lease_ms=", c.lease_ms);
  if (c.single_user != 0) s += words(" single_user=", c.single_user);
  s += "\n";
  for (const auto& [id, n] : c.nodes) {
    s += words("node ", id, " ", name_of(n.type), " ", n.host);
    if (n.type == NodeType::data) {
      s += words(" ", name_of(n.state), " incarnation=", n.incarnation, " raft=", n.raft_id, " at=", n.address, ":",
                 n.port, " workers=", n.workers, " generation=", n.generation);
      s += n.group == kNoGroup ? std::string(" no group") : words(" group=", n.group);
    }
    s += n.disabled ? " disabled\n" : "\n";
  }
  for (const auto& [id, g] : c.groups) s += words("group ", id, " nodes=", listed(g.members), " view=", g.view, "\n");
  for (const auto& [id, t] : c.tables) s += describe(*t);
  for (const auto& [id, j] : c.jobs) {
    s += words("job ", id, " reorganise \"", j.table_name, "\" ", name_of(j.state), " phase=", name_of(j.phase),
               " leader_epoch=", j.leader_epoch, " rows=", j.rows_moved, "/", j.rows_to_move);
    if (j.error != Error::ok) s += words(" error=", static_cast<int>(j.error), " ", j.detail);
    s += "\n";
  }
  s += words("generations=", c.generations.size(), " requests=", c.requests.size(), "\n");
  return s;
}

}  // namespace ndb::meta
