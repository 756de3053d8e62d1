// Node groups. The commit point of their creation and removal is the entry itself.
#include "meta/apply_rules.h"

namespace ndb::meta {

bool holds_fragments(const Catalog& c, GroupId g) {
  return std::any_of(c.tables.begin(), c.tables.end(),
                     [&](const auto& t) { return rules::holds_fragments(*t.second, g); });
}

bool holds_rows_that_count(const Catalog& c, GroupId g) {
  return std::any_of(c.tables.begin(), c.tables.end(), [&](const auto& t) {
    const Distribution& d = t.second->distribution;
    auto end = d.groups.end();
    if (!d.next.empty() && !past_commit_point(d.phase)) end = d.groups.begin() + old_fragments(d);
    return std::find(d.groups.begin(), end, g) != end;
  });
}

const Group* lost_target(const Catalog& c) {
  const Job* job = c.running_job();
  if (job == nullptr || past_commit_point(job->phase)) return nullptr;
  for (const auto& [id, g] : c.groups) {
    if (rules::in_sync_members(c, id) == 0 && holds_fragments(c, id) && !holds_rows_that_count(c, id)) return &g;
  }
  return nullptr;
}

std::string lost_target_text(const Group& g) {
  return words("node group ", g.id, ", which rows were being copied to, has no member in sync any more");
}

}  // namespace ndb::meta

namespace ndb::meta::rules {

bool holds_fragments(const Table& t, GroupId g) {
  const auto& groups = t.distribution.groups;
  return std::find(groups.begin(), groups.end(), g) != groups.end();
}

namespace {

Failure schema_change_allowed(const Catalog& c) {
  if (c.single_user != 0) {
    return {Error::single_user,
            words("the cluster is in single user mode for node ", c.single_user, "; leave it first")};
  }
  if (!c.started) return {Error::not_ready, "the cluster has not been started"};
  return schema_lock(c);
}

// 325, 322: whether this id may be in a new group.
Failure check_candidate(const Catalog& c, NodeId id) {
  if (id == 0 || id > limits::kDataNodeIdMax) {
    return {Error::bad_node_id,
            words("node id ", id, " is invalid: data nodes have ids 1 to ", limits::kDataNodeIdMax)};
  }
  const Node* n = c.node(id);
  if (n == nullptr) {
    return {Error::node_in_group,
            words("node ", id, " is not in the configuration (generation ", c.generation, "); add it there first")};
  }
  if (n->type != NodeType::data) {
    return {Error::node_in_group, words("node ", id, " is ", n->type == NodeType::api ? "an API" : "a management",
                                        " node; a node group takes data nodes")};
  }
  if (n->group != kNoGroup) return {Error::node_in_group, words("node ", id, " is already in node group ", n->group)};
  return {};
}

// 324; a group needs a member that is up, for the others to follow.
Failure check_alive(const Catalog& c, const std::vector<NodeId>& nodes) {
  NodeId starting = 0;
  for (const NodeId id : nodes) {
    const Node& n = *c.node(id);
    if (n.state == NodeState::in_sync) return {};
    if (n.state == NodeState::joining) starting = id;
  }
  if (starting != 0) {
    return {Error::node_restart_running, words("node ", starting, " is still starting; wait until it is up")};
  }
  return {Error::all_nodes_dead, words("none of the nodes ", listed(nodes), " is alive; start one of them first")};
}

Failure check_groups(const Catalog& c, const CreateGroups& x) {
  std::vector<NodeId> seen;
  for (const auto& nodes : x.groups) {
    for (const NodeId id : nodes) {
      if (auto f = check_candidate(c, id)) return f;
      if (std::find(seen.begin(), seen.end(), id) != seen.end()) {
        return {Error::node_repeated, words("node ", id, " is listed twice")};
      }
      seen.push_back(id);
    }
  }
  if (x.groups.empty()) return {Error::wrong_number_of_nodes, "no nodes are given for a new node group"};
  for (const auto& nodes : x.groups) {
    if (nodes.size() != c.replicas) {
      return {Error::wrong_number_of_nodes,
              words("a node group takes ", c.replicas, c.replicas == 1 ? " node" : " nodes", " (NoOfReplicas), ",
                    nodes.size(), nodes.size() == 1 ? " is given" : " are given", nodes.empty() ? "" : ": ",
                    listed(nodes))};
    }
  }
  if (c.groups.size() + x.groups.size() > limits::kGroupsMax) {
    return {Error::bad_group_id, words("a cluster takes at most ", limits::kGroupsMax, " node groups")};
  }
  for (const auto& nodes : x.groups) {
    if (auto f = check_alive(c, nodes)) return f;
  }
  return {};
}

}  // namespace

Outcome run(Change& change, const CreateGroups& x) {
  Catalog& c = change.c;
  if (auto f = schema_change_allowed(c)) return refuse(std::move(f));
  if (auto f = check_groups(c, x)) return refuse(std::move(f));
  std::vector<std::uint64_t> ids;
  for (const auto& nodes : x.groups) {
    GroupId id = 0;
    while (c.groups.contains(id)) id++;
    Group g{id, nodes, change.index};
    std::sort(g.members.begin(), g.members.end());
    for (const NodeId member : g.members) c.nodes[member].group = id;
    g.since = c.durable_epoch;
    c.groups[id] = std::move(g);
    ids.push_back(id);
  }
  change.view();
  change.changed();
  return done(std::move(ids));
}

Outcome run(Change& change, const DropGroup& x) {
  Catalog& c = change.c;
  if (auto f = schema_change_allowed(c)) return refuse(std::move(f));
  const Group* g = c.group(x.group);
  if (g == nullptr) return refuse(Error::no_such_group, words("no such node group: ", x.group));
  std::vector<std::string> users;
  for (const auto& [id, t] : c.tables) {
    if (holds_fragments(*t, x.group)) users.push_back(t->name);
  }
  if (!users.empty()) {
    return refuse(Error::group_in_use, words("node group ", x.group, " holds fragments of ", users.size(),
                                             users.size() == 1 ? " table: " : " tables: ", listed(users),
                                             "; drop them, or reorganise them off the group"));
  }
  for (const NodeId id : g->members) c.nodes[id].group = kNoGroup;
  c.groups.erase(x.group);
  change.view();
  change.changed();
  return done({x.group});
}

}  // namespace ndb::meta::rules
