// Data nodes come and go; the cluster's first start.
#include "base/probe.h"
#include "meta/apply_rules.h"

namespace ndb::meta::rules {

std::uint32_t in_sync_members(const Catalog& c, GroupId g, NodeId but) {
  const Group* group = c.group(g);
  std::uint32_t n = 0;
  if (group == nullptr) return n;
  for (const NodeId id : group->members) {
    const Node* node = c.node(id);
    n += id != but && node != nullptr && node->state == NodeState::in_sync ? 1 : 0;
  }
  return n;
}

namespace {

// A configured data node that may take part; else why not.
Failure usable(const Catalog& c, NodeId id) {
  const Node* n = c.node(id);
  if (n == nullptr) {
    return {Error::no_such_node, words("no node ", id, " in the configuration (generation ", c.generation, ")")};
  }
  if (n->type != NodeType::data) {
    return {Error::wrong_node_id,
            words("node ", id, " is configured as ", name_of(n->type), " node, not as data node")};
  }
  if (n->disabled) return {Error::bad_node_state, words("node ", id, " is disabled; enable it first")};
  return {};
}

Failure wrong_incarnation(const Node& n, std::uint32_t incarnation) {
  return {Error::version_moved, words("node ", n.id, " has incarnation ", n.incarnation, ", not ", incarnation,
                                      ": it was started again since")};
}

// A group has rows that count and nobody in sync: all come back together, from their disks.
Failure some_group_lost(const Catalog& c) {
  for (const auto& [id, g] : c.groups) {
    if (in_sync_members(c, id) == 0 && holds_rows_that_count(c, id)) {
      return {Error::not_ready,
              words("node group ", id, " has no member in sync: all come back together, from their disks")};
    }
  }
  return {};
}

}  // namespace

Outcome run(Change& change, const NodeJoins& x) {
  Catalog& c = change.c;
  if (auto f = usable(c, x.node)) return refuse(std::move(f));
  if (x.workers < 1 || x.workers > limits::kWorkersMax) {
    return refuse(Error::bad_definition,
                  words("node ", x.node, " has ", x.workers, " workers; a node takes 1 to ", limits::kWorkersMax));
  }
  Node& n = c.nodes[x.node];
  // Its process is a new one, so what the old one held in memory is gone. While a peer in sync has
  // the rows, the old incarnation is declared dead here and now. Without a peer the rows would have
  // no home in the log's eyes.
  if (x.initial && n.state == NodeState::in_sync && n.group != kNoGroup && in_sync_members(c, n.group, n.id) == 0 &&
      holds_rows_that_count(c, n.group)) {
    return refuse(Error::would_lose_group, words("node ", x.node, " was the last member of node group ", n.group,
                                                 " in sync and comes without its rows: letting it in would lose them; "
                                                 "declare it down by force to give the group's rows up"));
  }
  n.state = NodeState::joining;
  n.incarnation++;
  n.raft_id = x.raft_id;
  n.address = x.address;
  n.port = x.port;
  n.workers = x.workers;
  n.generation = x.generation;
  change.view();
  change.group(n.group);
  give_up_lost_copies(change, false);
  return done({n.incarnation});
}

Outcome run(Change& change, const NodeInSync& x) {
  Catalog& c = change.c;
  if (auto f = usable(c, x.node)) return refuse(std::move(f));
  Node& n = c.nodes[x.node];
  if (n.incarnation != x.incarnation) return refuse(wrong_incarnation(n, x.incarnation));
  if (n.state == NodeState::in_sync) return nothing_to_do(words("node ", x.node, " is in sync already"));
  if (n.state != NodeState::joining) {
    return refuse(Error::bad_node_state, words("node ", x.node, " is down; it must join first"));
  }
  if (!c.started) {
    return refuse(Error::not_ready, "the cluster has not been started; its first start brings the nodes in sync");
  }
  const Group* g = c.group(n.group);
  const View view = g == nullptr ? 0 : g->content_view();
  if (x.group_view != view) {
    return refuse(Error::version_moved,
                  g == nullptr ? words("node ", x.node, " belongs to no node group any more; ask again")
                               : words("node group ", g->id, " changed at version ", view, ", node ", x.node,
                                       " was confirmed for version ", x.group_view, "; ask the primaries again"));
  }
  if (g != nullptr && in_sync_members(c, g->id) == 0 && holds_fragments(c, g->id)) {
    return refuse(Error::would_lose_group, words("node group ", g->id, " has no member in sync that node ", x.node,
                                                 " could have got its rows from"));
  }
  if (g != nullptr) {
    if (auto f = some_group_lost(c)) {
      NDB_PROBE("meta.in_sync_while_a_group_is_lost");
      return refuse(std::move(f));
    }
  }
  n.state = NodeState::in_sync;
  change.view();
  change.group(n.group);
  return done();
}

Outcome run(Change& change, const NodeDown& x) {
  Catalog& c = change.c;
  auto i = c.nodes.find(x.node);
  if (i == c.nodes.end()) return refuse(Error::no_such_node, words("no node ", x.node, " in the configuration"));
  Node& n = i->second;
  if (n.type != NodeType::data) return refuse(Error::wrong_node_id, words("node ", x.node, " is no data node"));
  if (n.incarnation != x.incarnation) return refuse(wrong_incarnation(n, x.incarnation));
  if (x.leader_epoch != 0 && x.leader_epoch != c.leader_epoch) {
    return refuse(Error::version_moved, words("the verdict on node ", x.node, " is of an earlier leader"));
  }
  if (n.state == NodeState::down) return nothing_to_do(words("node ", x.node, " is down already"));
  const bool last = n.state == NodeState::in_sync && n.group != kNoGroup && in_sync_members(c, n.group, n.id) == 0;
  if (last && !x.forced && holds_rows_that_count(c, n.group)) {
    return refuse(Error::would_lose_group, words("node ", x.node, " is the last member of node group ", n.group,
                                                 " in sync; start another member and wait until it is in sync, or "
                                                 "force it and lose the group"));
  }
  n.state = NodeState::down;
  change.view();
  change.group(n.group);
  give_up_lost_copies(change, false);
  Outcome o = done();
  if (last) o.text = words("node group ", n.group, " has no member in sync any more");
  return o;
}

// --- epochs, and the start from disks

Outcome run(Change& change, const EpochDurable& x) {
  if (x.epoch <= change.c.durable_epoch) return nothing_to_do("that epoch is durable already");
  if (x.view != 0 && x.view != change.c.view) {
    NDB_PROBE("meta.epoch_durable_too_late");
    return refuse(Error::version_moved, words("the view is ", change.c.view, ", not ", x.view,
                                              ": nodes may have come or gone since epoch ", x.epoch, " was flushed"));
  }
  // Else the others would go ahead of what the files of its members hold.
  if (auto f = some_group_lost(change.c)) {
    NDB_PROBE("meta.epoch_durable_without_a_group");
    return refuse(std::move(f));
  }
  change.c.durable_epoch = x.epoch;
  return done();
}

Outcome run(Change& change, const RestartCluster& x) {
  Catalog& c = change.c;
  if (!c.started) return refuse(Error::bad_node_state, "the cluster has never been started");
  if (x.epoch != c.durable_epoch) {
    return refuse(Error::version_moved, words("epoch ", x.epoch, " is not the durable one, ", c.durable_epoch));
  }
  for (const auto& [id, n] : c.nodes) {
    if (n.state == NodeState::in_sync && n.group != kNoGroup) {
      return refuse(Error::bad_node_state, words("node ", id, " is in sync: the cluster runs"));
    }
  }
  std::map<GroupId, std::uint32_t> back;
  for (const auto& m : x.nodes) {
    if (auto f = usable(c, m.node)) return refuse(std::move(f));
    const Node& n = c.nodes[m.node];
    if (n.incarnation != m.incarnation) return refuse(wrong_incarnation(n, m.incarnation));
    if (n.state != NodeState::joining) {
      return refuse(Error::bad_node_state, words("node ", m.node, " is not there"));
    }
    back[n.group]++;
  }
  for (const auto& [id, g] : c.groups) {
    if (holds_rows_that_count(c, id) && back[id] == 0) {
      return refuse(Error::would_lose_group,
                    words("node group ", id, " has no member with its rows; start one of nodes ", listed(g.members)));
    }
  }
  NDB_PROBE("meta.restart_cluster");
  for (const auto& m : x.nodes) c.nodes[m.node].state = NodeState::in_sync;
  give_up_lost_copies(change, true);
  if (const Job* j = c.running_job(); j != nullptr && !past_commit_point(j->phase)) {
    if (j->resume_on_failure) {
      copy_again(change, j->id);
    } else {
      roll_back(change, j->id, Error::node_failure, "the cluster was restarted from its disks");
    }
  }
  for (auto& [id, g] : c.groups) {
    g.view = change.index;
    g.restarted = change.index;
  }
  change.view();
  return done();
}

// --- the first start

namespace {

using Members = std::map<GroupId, std::vector<NodeId>>;

Failure check_starters(const Catalog& c, const std::vector<NodeId>& nodes) {
  for (std::size_t i = 0; i < nodes.size(); i++) {
    if (auto f = usable(c, nodes[i])) return f;
    if (std::count(nodes.begin(), nodes.end(), nodes[i]) > 1) {
      return {Error::node_repeated, words("node ", nodes[i], " is listed twice")};
    }
    if (c.node(nodes[i])->state != NodeState::joining) {
      return {Error::bad_node_state, words("node ", nodes[i], " is ", name_of(c.node(nodes[i])->state),
                                           "; a first start takes nodes that have just joined")};
    }
  }
  return {};
}

// Explicit wishes first; then the others, in the order of their ids, fill the lowest groups that
// have room.
Failure assign(const Catalog& c, std::vector<NodeId> nodes, Members* groups) {
  std::sort(nodes.begin(), nodes.end());
  for (const NodeId id : nodes) {
    const Node& n = *c.node(id);
    if (n.wished_group != kNoGroup) (*groups)[n.wished_group].push_back(id);
  }
  for (const auto& [g, members] : *groups) {
    if (members.size() > c.replicas) {
      return {Error::wrong_number_of_nodes,
              words("node group ", g, " takes ", c.replicas, " nodes (NoOfReplicas), but ", members.size(),
                    " wish to be in it: ", listed(members))};
    }
  }
  for (const NodeId id : nodes) {
    const Node& n = *c.node(id);
    if (n.wished_group != kNoGroup || n.no_group_wish) continue;
    auto room =
        std::find_if(groups->begin(), groups->end(), [&](const auto& g) { return g.second.size() < c.replicas; });
    GroupId g = 0;
    if (room != groups->end()) {
      g = room->first;
    } else {
      while (groups->contains(g)) g++;
    }
    (*groups)[g].push_back(id);
  }
  return {};
}

}  // namespace

Outcome run(Change& change, const StartCluster& x) {
  Catalog& c = change.c;
  if (c.generation == 0) return refuse(Error::not_ready, "there is no configuration yet");
  if (c.started) return refuse(Error::bad_node_state, "the cluster has had its first start already");
  if (auto f = check_starters(c, x.nodes)) return refuse(std::move(f));
  Members groups;
  if (auto f = assign(c, x.nodes, &groups)) return refuse(std::move(f));
  if (groups.empty()) {
    return refuse(Error::wrong_number_of_nodes, "no data node is there to form a node group");
  }
  if (groups.size() > limits::kGroupsMax) {
    return refuse(Error::bad_group_id, words("a cluster takes at most ", limits::kGroupsMax, " node groups"));
  }
  for (auto& [g, members] : groups) {
    if (members.size() != c.replicas) {
      return refuse(Error::wrong_number_of_nodes,
                    words("node group ", g, " has ", members.size(), " of ", c.replicas,
                          " nodes (NoOfReplicas): ", listed(members), "; start the missing ones"));
    }
    std::sort(members.begin(), members.end());
  }
  std::vector<std::uint64_t> ids;
  for (const NodeId id : x.nodes) c.nodes[id].state = NodeState::in_sync;
  for (const auto& [g, members] : groups) {
    for (const NodeId id : members) c.nodes[id].group = g;
    c.groups[g] = Group{g, members, change.index, 0, c.durable_epoch};
    ids.push_back(g);
  }
  c.started = true;
  change.view();
  change.changed();
  return done(std::move(ids));
}

}  // namespace ndb::meta::rules
