// Configuration changes: what the log itself must guarantee. Whether values are in range is for the
// one who proposes.
#include "meta/apply_rules.h"

namespace ndb::meta::rules {
namespace {

Failure illegal(std::string text) { return {Error::illegal_change, std::move(text)}; }

Failure check_image(const ConfigImage& image) {
  if (image.replicas < 1 || image.replicas > limits::kReplicasMax) {
    return illegal(words("NoOfReplicas is ", image.replicas, "; it takes 1 to ", limits::kReplicasMax));
  }
  NodeId last = 0;
  for (const ConfigNode& n : image.nodes) {
    if (n.id == 0 || n.id > limits::kNodeIdMax) return illegal(words("node id ", n.id, " is out of range"));
    if (n.id == last) return illegal(words("node ", n.id, " is there twice"));
    if (n.id < last) return illegal("the nodes are not in the order of their ids");
    if (n.type == NodeType::data && n.id > limits::kDataNodeIdMax) {
      return illegal(words("data node ", n.id, ": the ids of data nodes end at ", limits::kDataNodeIdMax));
    }
    if (n.has_group_wish && n.wished_group != kNoGroup && n.wished_group >= limits::kGroupsMax) {
      return illegal(words("node ", n.id, ": NodeGroup=", n.wished_group, " is neither 0 to ", limits::kGroupsMax - 1,
                           " nor ", kNoGroup));
    }
    last = n.id;
  }
  return {};
}

const ConfigNode* find(const ConfigImage& image, NodeId id) {
  for (const ConfigNode& n : image.nodes) {
    if (n.id == id) return &n;
  }
  return nullptr;
}

Failure check_gone(const Catalog& c, const Node& n) {
  if (n.state != NodeState::down) {
    return illegal(
        words("node ", n.id, " is missing in the new configuration but is ", name_of(n.state), "; stop it first"));
  }
  if (n.group != kNoGroup) {
    return illegal(words("node ", n.id, " is missing in the new configuration but belongs to node group ", n.group,
                         holds_fragments(c, n.group)
                             ? ", which holds data; move the tables off the group and drop it first"
                             : "; drop the group first"));
  }
  if (c.single_user == n.id) {
    return illegal(words("node ", n.id,
                         " is missing in the new configuration but is the single user; leave single "
                         "user mode first"));
  }
  return {};
}

Failure check_against(const Catalog& c, const ConfigImage& image) {
  if (image.name != c.name) {
    return illegal(words("the name of the cluster may not change: it is \"", c.name,
                         "\", the new configuration says \"", image.name, "\""));
  }
  if (c.started && image.replicas != c.replicas) {
    return illegal(words("NoOfReplicas may not change once the cluster has started: it is ", c.replicas,
                         ", the new configuration says ", image.replicas));
  }
  for (const auto& [id, n] : c.nodes) {
    const ConfigNode* next = find(image, id);
    if (next == nullptr) {
      if (auto f = check_gone(c, n)) return f;
      continue;
    }
    if (next->type != n.type) {
      return illegal(words("node ", id, " may not change from ", name_of(n.type), " node to ", name_of(next->type),
                           " node; take a new node id"));
    }
    if (next->disabled && !n.disabled && n.state != NodeState::down) {
      return illegal(words("node ", id, " is ", name_of(n.state), " and cannot be disabled; stop it first"));
    }
    if (next->disabled && c.single_user == id) {
      return illegal(words("node ", id, " is the single user and cannot be disabled; leave single user mode first"));
    }
  }
  return {};
}

// Nodes as the new configuration has them. A node that `SetNodeEnabled` touched stays so until the
// configuration itself says something else than before.
void take_over(Catalog& c, const ConfigImage& image, const ConfigImage* before) {
  std::erase_if(c.nodes, [&](const auto& entry) { return find(image, entry.first) == nullptr; });
  for (const ConfigNode& from : image.nodes) {
    const bool known = c.nodes.contains(from.id);
    Node& n = c.nodes[from.id];
    const ConfigNode* old = before == nullptr ? nullptr : find(*before, from.id);
    n.id = from.id;
    n.type = from.type;
    n.host = from.host;
    if (!known || old == nullptr || old->disabled != from.disabled) n.disabled = from.disabled;
    n.no_group_wish = from.has_group_wish && from.wished_group == kNoGroup;
    n.wished_group = from.has_group_wish ? from.wished_group : kNoGroup;
  }
}

}  // namespace

Outcome run(Change& change, const ChangeConfig& x) {
  Catalog& c = change.c;
  if (x.expect_generation != c.generation) {
    return refuse(Error::generation_moved,
                  words("the configuration is at generation ", c.generation, ", the change was made from generation ",
                        x.expect_generation, "; look at the difference and repeat"));
  }
  if (x.generation.image == nullptr) return refuse(Error::illegal_change, "the change carries no configuration");
  const ConfigImage& image = *x.generation.image;
  if (auto f = check_image(image)) return refuse(std::move(f));
  const ConfigImage* before = c.config();
  if (c.generation == 0) {
    if (x.cluster_id == 0) return refuse(Error::illegal_change, "the first configuration needs a cluster id");
  } else {
    if (auto f = check_against(c, image)) return refuse(std::move(f));
    if (before != nullptr && *before == image) {
      return nothing_to_do(words("generation ", c.generation, " is the same configuration"), {c.generation});
    }
  }
  if (c.generation == 0) {
    c.cluster_id = x.cluster_id;
    c.name = image.name;
  }
  c.replicas = image.replicas;
  const std::shared_ptr<const ConfigImage> old = before == nullptr ? nullptr : c.generations[c.generation].image;
  take_over(c, image, old.get());
  Generation g = x.generation;
  g.number = ++c.generation;
  c.generations[g.number] = std::move(g);
  while (c.generations.size() > limits::kGenerationsKept) c.generations.erase(c.generations.begin());
  change.changed();
  return done({c.generation});
}

}  // namespace ndb::meta::rules
