// Random histories of the metadata log. I2: whoever applies the same entries has the same bytes,
// even when it went through a snapshot in between; a refusal leaves everything but version and
// request list alone; and what the rest of the system relies on holds after every entry.
#include <map>

#include "base/prng.h"
#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

// Draws commands that are often allowed and often not.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed), replicas_(static_cast<std::uint32_t>(random_.between(1, 3))) {}

  Command next(const Catalog& c) {
    Command command;
    if (random_.chance(0.7)) command.request = {5, random_.chance(0.05) ? random_.below(10) : ++requests_ + 100};
    if (random_.chance(0.1)) command.expect_version = random_.between(c.version > 6 ? c.version - 6 : 0, c.version + 1);
    command.body = body(c);
    return command;
  }

 private:
  NodeId node() { return static_cast<NodeId>(random_.chance(0.05) ? random_.below(256) : random_.between(1, 8)); }
  std::vector<NodeId> nodes(std::uint64_t n) {
    std::vector<NodeId> v;
    for (std::uint64_t i = 0; i < n; i++) v.push_back(node());
    return v;
  }
  std::string table() { return "t" + std::to_string(random_.below(5)); }
  std::uint32_t incarnation(const Catalog& c, NodeId id) {
    const Node* n = c.node(id);
    return n == nullptr ? 1 : n->incarnation - (random_.chance(0.1) ? 1 : 0);
  }
  View group_view(const Catalog& c, NodeId id) {
    const Node* n = c.node(id);
    const Group* g = n == nullptr ? nullptr : c.group(n->group);
    return (g == nullptr ? 0 : g->content_view()) + (random_.chance(0.1) ? 1 : 0);
  }

  CommandBody config(const Catalog& c) {
    std::vector<NodeId> ids;
    for (NodeId id = 1; id <= 8; id++) {
      if (c.generation == 0 || random_.chance(0.95)) ids.push_back(id);
    }
    ConfigImage image = image_of(random_.chance(0.95) ? replicas_ : 4, ids);
    for (ConfigNode& n : image.nodes) {
      n.disabled = random_.chance(0.02);
      n.has_group_wish = random_.chance(0.2);
      if (random_.chance(0.5)) n.wished_group = static_cast<GroupId>(random_.below(3));
    }
    image.text = std::to_string(random_.below(3));
    ChangeConfig x;
    x.expect_generation = c.generation + (random_.chance(0.1) ? 1 : 0);
    x.cluster_id = 9;
    x.generation.image = std::make_shared<const ConfigImage>(image);
    return x;
  }
  CommandBody joins() {
    NodeJoins x;
    x.node = node();
    x.raft_id = random_.below(100);
    x.address = "10.0.0." + std::to_string(random_.below(200));
    x.workers = static_cast<std::uint8_t>(random_.between(random_.chance(0.02) ? 0 : 1, 3));
    x.initial = random_.chance(0.5);
    return x;
  }
  CommandBody in_sync(const Catalog& c) {
    const NodeId id = node();
    return NodeInSync{id, incarnation(c, id), group_view(c, id)};
  }
  CommandBody start_cluster(const Catalog& c) {
    StartCluster x;
    for (const auto& [id, n] : c.nodes) {
      if (n.state == NodeState::joining && random_.chance(0.9)) x.nodes.push_back(id);
    }
    return x;
  }
  CommandBody create_groups(const Catalog& c) {
    CreateGroups x;
    std::vector<NodeId> free;
    for (const auto& [id, n] : c.nodes) {
      if (n.type == NodeType::data && n.group == kNoGroup && random_.chance(0.9)) free.push_back(id);
    }
    while (free.size() >= c.replicas && random_.chance(0.8)) {
      x.groups.emplace_back(free.end() - static_cast<std::ptrdiff_t>(c.replicas), free.end());
      free.resize(free.size() - c.replicas);
    }
    if (random_.chance(0.1)) x.groups.push_back(nodes(random_.below(3)));
    return x;
  }
  CommandBody create_table() {
    CreateTable x{table_named(table()), random_.chance(0.2)};
    if (random_.chance(0.05)) x.table.primary_key = {1};
    if (random_.chance(0.3)) x.table.unique = {{"u", {1}, 0}};
    return x;
  }
  CommandBody start_reorg() {
    StartReorg x;
    x.table = table();
    x.resume_on_failure = random_.chance(0.3);
    for (GroupId g = 0; g < 5; g++) {
      if (random_.chance(0.1)) x.drain.push_back(g);
    }
    return x;
  }
  CommandBody advance(const Catalog& c) {
    const Job* j = c.running_job();
    if (j == nullptr || random_.chance(0.05))
      return AdvanceReorg{random_.below(4), static_cast<Phase>(random_.below(7)), 0};
    const auto next = j->phase == Phase::cleaning ? 0 : static_cast<int>(j->phase) + 1;
    return AdvanceReorg{j->id, static_cast<Phase>(next), random_.below(100)};
  }
  CommandBody abort(const Catalog& c) {
    const Job* j = c.running_job();
    return AbortReorg{j == nullptr ? random_.below(5) : j->id, Error::cancelled, "because"};
  }

  // All who are joining, as a rule.
  CommandBody restart(const Catalog& c) {
    RestartCluster x;
    x.epoch = c.durable_epoch + (random_.chance(0.1) ? 1 : 0);
    for (const auto& [id, n] : c.nodes) {
      if (n.state == NodeState::joining && !random_.chance(0.05)) x.nodes.push_back({id, n.incarnation});
    }
    return x;
  }

  CommandBody body(const Catalog& c) {
    if (c.generation == 0) return config(c);
    const std::uint64_t dice = random_.below(c.running_job() != nullptr ? 140 : 100);
    if (dice < 3) return LeaderStarts{random_.below(9)};
    if (random_.chance(0.03)) return EpochDurable{c.durable_epoch + random_.below(3)};
    if (random_.chance(0.05)) return restart(c);
    if (random_.chance(0.03)) {
      return AllowLease{static_cast<std::uint32_t>(random_.below(70000)), c.leader_epoch - random_.below(2)};
    }
    if (dice < 6) return config(c);
    if (dice < 24) return joins();
    if (dice < 29) return c.started && random_.chance(0.8) ? create_table() : start_cluster(c);
    if (dice < 46) return in_sync(c);
    if (dice < 58) {
      const NodeId id = node();
      return NodeDown{id, incarnation(c, id), "x", random_.chance(0.05)};
    }
    if (dice < 66) return create_groups(c);
    if (dice < 70) return DropGroup{static_cast<GroupId>(random_.below(4))};
    if (dice < 78) return create_table();
    if (dice < 82) return DropTable{table(), random_.chance(0.2)};
    if (dice < 91) return start_reorg();
    if (dice < 94) return c.running_job() != nullptr || random_.chance(0.1) ? abort(c) : start_reorg();
    if (dice < 96) return SetSingleUser{static_cast<NodeId>(random_.chance(0.8) ? 0 : random_.between(49, 53))};
    if (dice < 98) return SetNodeEnabled{node(), random_.chance(0.8)};
    return advance(c);
  }

  Prng random_;
  std::uint32_t replicas_;
  std::uint64_t requests_ = 0;
};

Catalog copied_by_bytes(const Catalog& c) {
  Writer w;
  encode(w, c);
  Reader r(w.view());
  Catalog back;
  REQUIRE(decode(r, &back));  // checks groups, members, maps and jobs against each other
  REQUIRE(r.done());
  return back;
}

void check_laws(const Catalog& c) {
  std::size_t running = 0;
  for (const auto& [id, j] : c.jobs) running += j.state == JobState::running ? 1 : 0;
  REQUIRE(running <= 1);
  const Job* job = c.running_job();
  for (const auto& [id, t] : c.tables) {
    const Distribution& d = t->distribution;
    REQUIRE((d.phase != Phase::none) == (job != nullptr && job->table == id));
    REQUIRE(d.steps.empty() == (d.phase == Phase::none));
    REQUIRE(d.view <= c.view);
    bool homeless = false;
    for (const FragmentId f : d.map) homeless = homeless || d.groups[f] == kNoGroup;
    for (const FragmentId f : d.next) homeless = homeless || d.groups[f] == kNoGroup;
    REQUIRE_FALSE(homeless);  // every row has a home, now and afterwards
  }
  for (const auto& [id, g] : c.groups) REQUIRE(g.view <= c.view);
  REQUIRE(c.view <= c.version);
  REQUIRE(c.changed_version <= c.version);
}

}  // namespace

TEST_CASE("random histories: same entries, same bytes") {
  std::map<std::string, int> applied, refused;
  for (std::uint64_t seed = 1; seed <= 40; seed++) {
    INFO("seed " << seed);
    Chaos chaos(seed);
    Prng random(seed + 1000);
    Catalog a, b;
    Version index = 0;
    for (int i = 0; i < 400; i++) {
      const Command command = chaos.next(a);
      index += random.between(1, 3);  // raft's own entries lie between
      const Catalog before = a;
      const Outcome outcome = apply(&a, index, command);
      // b gets the command as bytes, and is itself sometimes a snapshot
      Writer w;
      encode(w, command);
      Reader r(w.view());
      Command received;
      REQUIRE(decode(r, &received));
      REQUIRE(r.done());
      if (random.chance(0.2)) b = copied_by_bytes(b);
      REQUIRE(apply(&b, index, received) == outcome);
      REQUIRE(fingerprint(a) == fingerprint(b));

      INFO(name_of(command.body) << ": " << outcome.text);
      REQUIRE(a.version == index);
      const bool repeated = before.outcome_of(command.request) != nullptr;
      const bool same = fingerprint_but_for_the_log(before) == fingerprint_but_for_the_log(a);
      REQUIRE(same == (repeated || !outcome.changed));
      if (outcome.error != Error::ok) REQUIRE(same);
      if (repeated) REQUIRE(a.requests == before.requests);
      check_laws(a);
      (outcome.changed ? applied : refused)[name_of(command.body)]++;
    }
    (void)copied_by_bytes(a);
  }
  // The histories are worth something only if every command succeeds and fails in them.
  for (std::size_t i = 0; i < std::variant_size_v<CommandBody>; i++) {
    static const std::vector<CommandBody> bodies = {
        LeaderStarts{}, ChangeConfig{},  NodeJoins{},      StartCluster{}, NodeInSync{},     NodeDown{},
        CreateGroups{}, DropGroup{},     CreateTable{},    DropTable{},    StartReorg{},     AdvanceReorg{},
        AbortReorg{},   SetSingleUser{}, SetNodeEnabled{}, EpochDurable{}, RestartCluster{}, AllowLease{}};
    const std::string name = name_of(bodies[i]);
    INFO(name << " applied " << applied[name] << " refused " << refused[name]);
    CHECK(applied[name] >= 5);
    const bool never_refused = i == 0 || name == name_of(EpochDurable{});
    if (!never_refused) CHECK(refused[name] >= 3);
  }
}
