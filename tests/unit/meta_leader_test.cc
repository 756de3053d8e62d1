#include <algorithm>

#include "unit/meta_lone_world.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

std::vector<ConfigNode> three_nodes(const Values& values) {
  std::vector<ConfigNode> nodes;
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) {
    nodes.push_back({id, NodeType::data, {}, false, kNoGroup, id == 3, values});
  }
  return nodes;
}

// Two data nodes and one outside groups, as heartbeats.
struct World : LoneWorld {
  std::map<NodeId, bool> beating;
  std::map<NodeId, Version> says_version;
  std::map<NodeId, View> says_open;
  std::map<NodeId, std::vector<NodeId>> says_nowait;
  std::map<NodeId, Epoch> says_restored;  // 1 + the epoch

  explicit World(const Values& values = {}, std::uint8_t replicas = 2) : LoneWorld(replicas, three_nodes(values)) {}
  void joins(NodeId id) {
    apply(NodeJoins{id, 100u + id, "host", static_cast<std::uint16_t>(5000 + id), 1, 1, false});
    beating[id] = true;
  }
  std::uint64_t beat(NodeId id) {
    wire::Heartbeat h = heartbeat_of(id);
    if (says_version.count(id) != 0) h.version = says_version[id];
    h.oldest_open = says_open.count(id) != 0 ? says_open[id] : h.version;
    h.nowait = says_nowait[id];
    if (says_restored.count(id) != 0) {
      h.restored = says_restored[id];
      h.phase = 5;
    }
    return leader.heard(now, h, *member);
  }
  void heartbeats() override {
    for (auto& [id, on] : beating) {
      if (on) beat(id);
    }
  }
  void refuse(NodeId id) {
    Peers::Change c;
    c.kind = Peers::Change::Kind::port_refused;
    c.node = id;
    c.incarnation = catalog().node(id)->incarnation;
    leader.on_change(now, c);
  }
  NodeState state(NodeId id) const { return catalog().node(id)->state; }
};

struct Started : World {
  Started() {
    for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) joins(id);
    run(kLeaderSilence);
    REQUIRE(catalog().started);
  }
};

// The power of every node went; node 1 is back with its files.
struct LostPower : World {
  explicit LostPower(Values values, std::uint8_t replicas = 2)
      : World(with_short_first_start(std::move(values)), replicas) {
    for (NodeId id : {NodeId{1}, NodeId{2}}) joins(id);
    run(100 * kMillisecond);
    REQUIRE(catalog().started);
    run(kLeaderSilence);
    for (NodeId id : {NodeId{1}, NodeId{2}}) {
      beating[id] = false;
      refuse(id);
    }
    run(50 * kMillisecond);
    comes_back(1);
  }
  static Values with_short_first_start(Values v) {
    v["StartNoNodegroupTimeout"] = "1";
    return v;
  }
  void comes_back(NodeId id) {
    says_restored[id] = catalog().durable_epoch + 1;
    joins(id);
  }
  const std::string& text() const { return leader.waiting().text; }
};

CreateTable create_table() {
  CreateTable x;
  x.table.name = "t";
  x.table.columns = {{"id", Type::bigint, 0, 0, 0, false, {}}};
  x.table.primary_key = {0};
  return x;
}

}  // namespace

TEST_CASE("the cluster comes back from its disks at once when all nodes are there") {
  LostPower w({});
  w.comes_back(2);
  w.run(100 * kMillisecond);
  CHECK(w.state(1) == NodeState::in_sync);
  CHECK(w.state(2) == NodeState::in_sync);
}

TEST_CASE(
    "a restart waits for missing nodes as long as StartPartialTimeout says, then StartPartitionedTimeout while no "
    "group is complete") {
  LostPower w({{"StartPartialTimeout", "1000"}, {"StartPartitionedTimeout", "2000"}});
  w.run(800 * kMillisecond);
  CHECK(w.text() == "for node 2 (StartPartialTimeout)");
  w.run(kSecond);
  CHECK(w.text() == "for node 2 (StartPartitionedTimeout: no node group is complete)");
  CHECK(w.state(1) == NodeState::joining);
  w.run(kSecond);
  CHECK(w.state(1) == NodeState::joining);
  w.run(500 * kMillisecond);
  CHECK(w.state(1) == NodeState::in_sync);
  CHECK(w.text().empty());
}

TEST_CASE("the waits of a restart have their defaults: 30 s, then for ever") {
  LostPower w({});
  w.run(29 * kSecond);
  CHECK(w.text() == "for node 2 (StartPartialTimeout)");
  w.run(300 * kSecond);
  CHECK(w.text() == "for node 2 (StartPartitionedTimeout: no node group is complete)");
  CHECK(w.state(1) == NodeState::joining);
  w.says_nowait[1] = {2};
  w.run(100 * kMillisecond);
  CHECK(w.state(1) == NodeState::in_sync);
}

TEST_CASE("with a complete node group nobody waits for StartPartitionedTimeout; 0 waits for ever") {
  LostPower w({{"StartPartialTimeout", "1000"}}, 1);
  w.run(800 * kMillisecond);
  CHECK(w.state(1) == NodeState::joining);
  w.run(400 * kMillisecond);
  CHECK(w.state(1) == NodeState::in_sync);
  LostPower forever({{"StartPartialTimeout", "0"}}, 1);
  forever.run(300 * kSecond);
  CHECK(forever.text() == "for node 2 (StartPartialTimeout)");
  CHECK(forever.state(1) == NodeState::joining);
}

TEST_CASE("the cluster starts when all nodes with a group are there") {
  World w;
  w.joins(1);
  w.joins(3);
  w.run(kSecond);
  CHECK_FALSE(w.catalog().started);
  w.joins(2);
  w.run(100 * kMillisecond);
  CHECK(w.catalog().started);
  CHECK(w.catalog().groups.at(0).members == std::vector<NodeId>{1, 2});
  CHECK(w.catalog().node(3)->group == kNoGroup);
}

TEST_CASE("nodes outside groups are waited for as long as the configuration says") {
  World w(Values{{"StartNoNodegroupTimeout", "1000"}});
  w.joins(1);
  w.joins(2);
  w.run(900 * kMillisecond);
  CHECK_FALSE(w.catalog().started);
  w.run(300 * kMillisecond);
  CHECK(w.catalog().started);
  World forever(Values{{"StartNoNodegroupTimeout", "0"}});
  forever.joins(1);
  forever.joins(2);
  forever.run(20 * kSecond);
  CHECK_FALSE(forever.catalog().started);
}

TEST_CASE("a first start does not wait for nodes that a starting node names; who is waited for is told") {
  World w(Values{{"StartNoNodegroupTimeout", "0"}});
  w.joins(1);
  w.run(100 * kMillisecond);
  CHECK(w.leader.waiting().text == "for node 2 (first start)");
  w.joins(2);
  w.run(kSecond);
  CHECK(w.leader.waiting().text == "for node 3 (StartNoNodegroupTimeout)");
  CHECK_FALSE(w.catalog().started);
  w.says_nowait[2] = {3};
  w.run(100 * kMillisecond);
  CHECK(w.catalog().started);
  CHECK(w.leader.waiting().text.empty());
}

TEST_CASE("a silent node is declared dead when its lease has surely run out, not before") {
  Started w;
  w.beating[2] = false;
  REQUIRE(w.beat(2) == static_cast<std::uint64_t>(limits::kLease));
  w.run(limits::kLease + kLeaseMargin - 2 * kMillisecond);
  CHECK(w.state(2) == NodeState::in_sync);
  w.run(20 * kMillisecond);
  CHECK(w.state(2) == NodeState::down);
  CHECK(w.beat(2) == 0);  // no lease for one that is down
  CHECK(w.state(1) == NodeState::in_sync);
}

TEST_CASE("a heartbeat on a link that is not its node's is nobody's") {
  LoneWorld w(1, three_nodes({}));
  wire::Heartbeat h;
  h.node = 1;
  Writer body;
  wire::encode(body, h);
  REQUIRE(w.peers.node_of(7) == 0);
  w.leader.on_heartbeat(w.now, 7, body.view(), *w.member, w.peers, w.out);
  CHECK(w.leader.report(1) == nullptr);
}

TEST_CASE("nodes that answer live on") {
  Started w;
  w.run(5 * kSecond);
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) CHECK(w.state(id) == NodeState::in_sync);
}

TEST_CASE(
    "the last node in sync of a group is declared dead by silence while nothing lives there: epochs wait for it") {
  Started w;
  w.beating[1] = w.beating[2] = false;
  w.run(3 * kSecond);
  CHECK(w.state(1) == NodeState::down);
  CHECK(w.state(2) == NodeState::down);
}

TEST_CASE("the last node in sync of a group with rows is never declared dead by silence") {
  Started w;
  w.apply(create_table());
  w.beating[1] = w.beating[2] = false;
  w.run(10 * kSecond);
  CHECK((w.state(1) == NodeState::in_sync) != (w.state(2) == NodeState::in_sync));
  const NodeId last = w.state(1) == NodeState::in_sync ? 1 : 2;
  auto verdicts = std::count_if(w.out.logs.begin(), w.out.logs.end(), [&](const auto& line) {
    return line.second.find("declaring node " + std::to_string(last)) == 0;
  });
  CHECK(verdicts == 0);
  w.refuse(last);
  w.run(50 * kMillisecond);
  CHECK(w.state(last) == NodeState::down);
}

TEST_CASE("of the members of a group that are all silent the one is waited for that was heard last") {
  Started w;
  w.apply(create_table());
  const auto [dead, paused] = GENERATE(std::pair{NodeId{1}, NodeId{2}}, std::pair{NodeId{2}, NodeId{1}});
  w.beating[dead] = false;
  w.run(50 * kMillisecond);
  w.leader = Leader{};  // hears the other one for a moment only: both are overdue when earlier leases are surely over
  w.run(50 * kMillisecond);
  w.beating[paused] = false;
  w.run(10 * kSecond);
  CHECK(w.state(dead) == NodeState::down);
  CHECK(w.state(paused) == NodeState::in_sync);
}

TEST_CASE("a refusing port is proof enough, unless it was another incarnation's") {
  Started w;
  w.beating[1] = false;
  w.refuse(1);
  w.run(10 * kMillisecond);
  CHECK(w.state(1) == NodeState::down);
  Peers::Change old;
  old.kind = Peers::Change::Kind::port_refused;
  old.node = 2;
  old.incarnation = w.catalog().node(2)->incarnation + 1;
  w.leader.on_change(w.now, old);
  w.run(100 * kMillisecond);
  CHECK(w.state(2) == NodeState::in_sync);
}

TEST_CASE("a new leader trusts silence only after every earlier lease is over") {
  Started w;
  w.beating[2] = false;
  w.run(50 * kMillisecond);
  w.leader = Leader{};
  w.run(kLeaderSilence - 100 * kMillisecond);
  CHECK(w.state(2) == NodeState::in_sync);
  w.run(200 * kMillisecond);
  CHECK(w.state(2) == NodeState::down);
}

TEST_CASE("a new leader places nothing before it has heard every node in sync, or missed it") {
  Started w;
  w.beating[2] = false;
  w.leader = Leader{};
  w.run(kMillisecond);
  w.apply(create_table());
  w.run(kLeaderSilence / 2);
  CHECK(w.catalog().tables.empty());
  SECTION("it speaks") {
    w.beating[2] = true;
    w.run(40 * kMillisecond);
    CHECK(w.state(2) == NodeState::in_sync);
    CHECK(w.catalog().tables.size() == 1);
  }
  SECTION("it is dead") {
    w.run(kLeaderSilence);
    CHECK(w.state(2) == NodeState::down);
    CHECK(w.catalog().tables.size() == 1);
  }
}

TEST_CASE("no lease is given behind a verdict, and none by one that does not lead") {
  Started w;
  Leader follower;
  wire::Heartbeat h;
  h.node = 1;
  h.incarnation = w.catalog().node(1)->incarnation;
  CHECK(follower.heard(w.now, h, *w.member) == 0);
  REQUIRE(follower.report(1) != nullptr);
  h.incarnation += 1;
  CHECK(w.leader.heard(w.now, h, *w.member) == 0);
}

TEST_CASE("a leader that was away gives no lease before the log has moved on under it") {
  Started w;
  REQUIRE(w.beat(1) != 0);
  w.now += kSecond;  // stopped; on its return its own heartbeat, or one that waited, may come first
  CHECK(w.beat(1) == 0);
  w.leader.step(w.now, *w.member, w.peers, w.out);
  CHECK(w.beat(1) == 0);  // nor does it help that it takes itself for the leader
  w.run(20 * kMillisecond);
  CHECK(w.beat(1) != 0);
  CHECK(w.state(1) == NodeState::in_sync);
}

TEST_CASE("the barrier waits for every node in sync") {
  Started w;
  const View v = w.catalog().version + 1;
  CHECK_FALSE(w.leader.barrier_reached(w.catalog(), v));
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) w.says_version[id] = w.says_open[id] = v;
  w.run(40 * kMillisecond);
  CHECK(w.leader.barrier_reached(w.catalog(), v));
  w.says_open[2] = v - 1;
  w.run(40 * kMillisecond);
  CHECK_FALSE(w.leader.barrier_reached(w.catalog(), v));
  CHECK(w.leader.oldest_open(w.catalog()) <= v - 1);
  w.says_open[2] = v;
  w.says_version[1] = v - 1;
  w.run(40 * kMillisecond);
  CHECK_FALSE(w.leader.barrier_reached(w.catalog(), v));
  CHECK_FALSE(Leader{}.barrier_reached(w.catalog(), 0));
}
