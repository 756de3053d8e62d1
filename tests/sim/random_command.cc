#include "random_command.h"

#include <algorithm>

namespace ndb::simtest {
namespace {

constexpr NodeId kDataNodes = 8;

meta::ConfigImage first_image() {
  meta::ConfigImage image;
  image.name = "sim";
  image.text = "[ndbd default]\nNoOfReplicas=2\n";
  image.replicas = 2;
  for (NodeId id = 1; id <= kDataNodes; id++) {
    meta::ConfigNode n;
    n.id = id;
    n.type = meta::NodeType::data;
    n.host = "n" + std::to_string(id);
    n.has_group_wish = id > 4;
    image.nodes.push_back(n);
  }
  for (NodeId id = 145; id <= 147; id++) {
    meta::ConfigNode n;
    n.id = id;
    n.type = id == 147 ? meta::NodeType::api : meta::NodeType::mgm;
    n.host = "m" + std::to_string(id);
    image.nodes.push_back(n);
  }
  return image;
}

meta::CommandBody change_config(Prng& prng, const meta::Catalog& c) {
  meta::ChangeConfig x;
  x.expect_generation = c.generation;
  x.cluster_id = 4711;
  meta::ConfigImage image = c.config() && prng.chance(0.95) ? *c.config() : first_image();
  image.text += "#" + std::to_string(prng.below(1000)) + "\n";
  if (image.nodes.size() > 6 && prng.chance(0.2)) {
    image.nodes.erase(image.nodes.begin() + static_cast<long>(prng.below(image.nodes.size())));
  }
  if (image.text.size() > 2000) image.text.resize(100);
  x.generation.image = std::make_shared<const meta::ConfigImage>(std::move(image));
  x.generation.who = "somebody@somewhere";
  return x;
}

meta::CommandBody create_table(Prng& prng) {
  meta::CreateTable x;
  x.table.name = "t" + std::to_string(prng.below(4));
  meta::Column id, v;
  id.name = "id";
  id.type = meta::Type::bigint;
  id.nullable = false;
  v.name = "v";
  x.table.columns = {id, v};
  x.table.primary_key = {0};
  if (prng.chance(0.3)) x.table.unique = {{"v", {1}, 0}};
  x.if_not_exists = prng.chance(0.3);
  return x;
}

NodeId some_node(Prng& prng) { return static_cast<NodeId>(1 + prng.below(kDataNodes)); }

meta::CommandBody about_nodes(Prng& prng, const meta::Catalog& c) {
  NodeId id = some_node(prng);
  const meta::Node* n = c.node(id);
  std::uint32_t incarnation = n ? n->incarnation : 0;
  const meta::Group* g = n ? c.group(n->group) : nullptr;
  switch (prng.below(4)) {
    case 0: {
      meta::NodeJoins x;
      x.node = id;
      x.raft_id = id;
      x.address = "n" + std::to_string(id);
      x.port = 2000;
      x.workers = static_cast<std::uint8_t>(1u << prng.below(3));
      x.generation = c.generation;
      return x;
    }
    case 1:
      return meta::NodeInSync{id, incarnation, g ? g->content_view() : 0};
    case 2:
      return meta::NodeDown{id, incarnation, "tried", prng.chance(0.1)};
    default:
      return meta::SetNodeEnabled{id, prng.chance(0.7)};
  }
}

meta::CommandBody about_groups(Prng& prng, const meta::Catalog& c) {
  if (prng.chance(0.3)) return meta::DropGroup{static_cast<GroupId>(prng.below(4))};
  meta::CreateGroups x;
  std::vector<NodeId> free;
  for (const auto& [id, n] : c.nodes) {
    if (n.type == meta::NodeType::data && n.group == kNoGroup) free.push_back(id);
  }
  if (free.size() < 2) free = {some_node(prng), some_node(prng)};
  x.groups.push_back({free[0], free[1]});
  return x;
}

meta::CommandBody about_jobs(Prng& prng, const meta::Catalog& c) {
  const meta::Job* j = c.running_job();
  if (!j || prng.chance(0.1)) {
    meta::StartReorg x;
    x.table = "t" + std::to_string(prng.below(4));
    x.resume_on_failure = prng.chance(0.5);
    if (prng.chance(0.3)) x.drain = {static_cast<GroupId>(prng.below(4))};
    return x;
  }
  if (prng.chance(0.1)) return meta::AbortReorg{j->id, Error::cancelled, "tired"};
  auto next =
      j->phase == meta::Phase::cleaning ? meta::Phase::none : static_cast<meta::Phase>(static_cast<int>(j->phase) + 1);
  return meta::AdvanceReorg{j->id, next, 5};
}

}  // namespace

meta::Command random_command(Prng& prng, const meta::Catalog& c) {
  meta::Command x;
  if (prng.chance(0.3)) x.expect_version = c.version;
  if (c.generation == 0) {
    x.body = change_config(prng, c);
    return x;
  }
  if (!c.started && prng.chance(0.3)) {
    meta::StartCluster s;
    for (const auto& [id, n] : c.nodes) {
      if (n.state == meta::NodeState::joining) s.nodes.push_back(id);
    }
    x.body = s;
    return x;
  }
  switch (prng.below(13)) {
    case 0:
      x.body = change_config(prng, c);
      break;
    case 1:
    case 2:
      x.body = create_table(prng);
      break;
    case 3:
      x.body = meta::DropTable{"t" + std::to_string(prng.below(4)), prng.chance(0.3)};
      break;
    case 4:
      x.body = about_groups(prng, c);
      break;
    case 5:
    case 6:
    case 7:
      x.body = about_jobs(prng, c);
      break;
    case 8:
      x.body = meta::SetSingleUser{static_cast<NodeId>(prng.chance(0.5) ? 147 : 0)};
      break;
    case 9:
      x.body = meta::AllowLease{static_cast<std::uint32_t>(prng.below(61000)), c.leader_epoch};
      break;
    default:
      x.body = about_nodes(prng, c);
      break;
  }
  return x;
}

}  // namespace ndb::simtest
