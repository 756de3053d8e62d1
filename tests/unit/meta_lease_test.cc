// How long leases are while HeartbeatIntervalDbDb changes: what a leader gives, and what the log says before and after.
#include "unit/meta_lone_world.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

const Time kElections = 2 * limits::kMetaElection;

// Two data nodes in sync. Each heartbeat is checked against what a later leader would count with.
struct World : LoneWorld {
  std::map<NodeId, bool> beating;
  std::map<NodeId, Time> serves_until;  // by the node's own clock, as it keeps the lease that ends last

  World()
      : LoneWorld(2, {{1, NodeType::data, {}, false, kNoGroup, false, {}},
                      {2, NodeType::data, {}, false, kNoGroup, false, {}}}) {
    for (NodeId id : {NodeId{1}, NodeId{2}}) {
      apply(NodeJoins{id, 100u + id, "host", static_cast<std::uint16_t>(5000 + id), 1, 1, false});
      beating[id] = true;
    }
    run(kLeaderSilence);
    REQUIRE(catalog().started);
  }
  Time beat(NodeId id) {
    const Time given = static_cast<Time>(leader.heard(now, heartbeat_of(id), *member));
    CHECK(given <= catalog().longest_lease());
    serves_until[id] = std::max(serves_until[id], now + given);
    return given;
  }
  void heartbeats() override {
    for (auto& [id, on] : beating) {
      if (on) beat(id);
    }
  }
  void stepped() override {
    for (auto& [id, until] : serves_until) {
      if (state(id) == NodeState::down && now < until) {
        FAIL("node " << id << " was declared dead " << (until - now) / kMillisecond << " ms before its lease is over");
      }
    }
  }
  NodeState state(NodeId id) const { return catalog().node(id)->state; }
  void configure(const char* interval) {
    auto image = std::make_shared<ConfigImage>(*catalog().config());
    for (ConfigNode& n : image->nodes) {
      if (n.type == NodeType::data) n.values["HeartbeatIntervalDbDb"] = interval;
    }
    ChangeConfig change;
    change.expect_generation = catalog().generation;
    change.generation.image = image;
    apply(change);
  }
  void live(const char* interval) { leader.set_live("HeartbeatIntervalDbDb", interval); }
  void step() { leader.step(now, *member, peers, out); }
  std::size_t told(const std::string& text) const {
    std::size_t n = 0;
    for (const auto& line : out.logs) n += line.second.find(text) != std::string::npos ? 1 : 0;
    return n;
  }
};

}  // namespace

TEST_CASE("a longer lease is given when the log allows it, a shorter one at once") {
  World w;
  w.live("500");
  CHECK(w.beat(1) == limits::kLease);
  w.step();
  CHECK(w.beat(1) == limits::kLease);  // proposed, not applied
  w.run(20 * kMillisecond);
  CHECK(w.catalog().lease_ms == 2000);
  CHECK(w.beat(1) == 2 * kSecond);
  w.live("100");
  CHECK(w.beat(1) == 400 * kMillisecond);
  w.live("");
  w.live("TimeBetweenEpochs");
  CHECK(w.beat(1) == limits::kLease);
  w.configure("250");
  CHECK(w.beat(1) == kSecond);
  CHECK(w.catalog().lease_ms == 2000);  // leases of two seconds may still be good
  w.live("1000000");
  w.run(40 * kMillisecond);
  CHECK(w.beat(1) == kLeaseMax);
}

TEST_CASE("the log allows no more than is wanted when the last longer lease has run out") {
  World w;
  w.live("500");
  w.run(5 * kSecond);
  REQUIRE(w.catalog().lease_ms == 2000);
  w.live("100");
  w.step();
  const Time since = w.now;
  while (w.catalog().lease_ms == 2000 && w.now < since + 10 * kSecond) w.run(kMillisecond);
  CHECK(w.catalog().lease_ms == 400);
  CHECK(w.now - since >= 2200 * kMillisecond);
  CHECK(w.now - since <= 2300 * kMillisecond);
  w.live("");
  w.run(3 * kSecond);
  CHECK(w.catalog().lease_ms == 0);
}

TEST_CASE("told to be longer and shorter again within one step, a lease may have been given in between") {
  World w;
  w.live("500");
  w.run(5 * kSecond);
  w.live("");
  w.run(2 * kSecond);
  REQUIRE(w.catalog().lease_ms == 2000);
  w.live("500");
  CHECK(w.beat(2) == 2 * kSecond);
  w.beating[2] = false;
  w.live("");
  w.run(kSecond);
  CHECK(w.catalog().lease_ms == 2000);
  w.run(2 * kSecond);
  CHECK(w.catalog().lease_ms == 0);
}

TEST_CASE("no lease is longer than a shorter longest one that was proposed, whatever becomes of that") {
  World w;
  w.live("500");
  w.run(5 * kSecond);
  w.live("");
  w.step();
  for (int i = 0; i < 40; ++i) {  // 3.2 s, in which the log stands still
    w.now += 80 * kMillisecond;
    w.beat(1);
    w.beat(2);
    w.step();
  }
  REQUIRE(w.catalog().lease_ms == 2000);
  w.live("500");
  CHECK(w.beat(1) == limits::kLease);
  w.step();
  CHECK(w.beat(1) == limits::kLease);
  w.run(100 * kMillisecond);  // both are applied, the shorter one first
  CHECK(w.catalog().lease_ms == 2000);
  CHECK(w.beat(1) == 2 * kSecond);
}

TEST_CASE("no node is declared dead while a lease of its own is good, however leases change") {
  World w;
  SECTION("it got shorter ones since: those do not take the longer one back") {
    w.configure("500");
    w.run(100 * kMillisecond);
    REQUIRE(w.beat(2) == 2 * kSecond);
    w.configure("10");
    w.run(200 * kMillisecond);
    REQUIRE(w.beat(2) == limits::kLease);
    w.beating[2] = false;
    w.run(1500 * kMillisecond);
    CHECK(w.state(2) == NodeState::in_sync);
    w.run(kSecond);
    CHECK(w.state(2) == NodeState::down);
  }
  SECTION("it heard of no shorter one") {
    w.live("500");
    w.run(100 * kMillisecond);
    w.beating[2] = false;
    w.live("");
    w.run(1800 * kMillisecond);
    CHECK(w.state(2) == NodeState::in_sync);
    w.run(kSecond);
    CHECK(w.state(2) == NodeState::down);
  }
  SECTION("it was given by a leader that is gone, which alone was told") {
    w.live("500");
    w.run(100 * kMillisecond);
    w.beating[2] = false;
    w.leader = Leader{};
    w.run(kElections + 2 * kSecond);
    CHECK(w.state(2) == NodeState::in_sync);
    w.run(kSecond);
    CHECK(w.state(2) == NodeState::down);
    w.run(5 * kSecond);
    CHECK(w.catalog().lease_ms == 0);  // nobody wants long leases any more
  }
  SECTION("they change all the time") {
    const char* wanted[] = {"500", "60", "", "2000", "100", "10"};
    for (int i = 0; i < 60; ++i) {
      w.live(wanted[i % 6]);
      w.run((40 + i * 7 % 300) * kMillisecond);
    }
    CHECK(w.state(1) == NodeState::in_sync);
    CHECK(w.state(2) == NodeState::in_sync);
    CHECK(w.told("declaring node") == 0);
    w.beating[2] = false;
    w.run(20 * kSecond);
    CHECK(w.state(2) == NodeState::down);
  }
}

TEST_CASE("an entry about leases counts only under the leader that made it") {
  World w;
  w.apply(AllowLease{4000, w.catalog().leader_epoch + 1});
  CHECK(w.catalog().lease_ms == 0);
  w.live("1000");
  w.apply(AllowLease{60001, w.catalog().leader_epoch});
  w.run(20 * kMillisecond);
  CHECK(w.catalog().lease_ms == 4000);
}
