// A data node with two workers, whose words to each other are held up at the worst moment: what the node promises for
// its workers (lib/node/parcel.h) is never ahead of them.
#include <catch2/catch.hpp>

#include "sim/keeper.h"

using namespace ndb;
using namespace ndb::simtest;

namespace {

// Two nodes with two workers each, one management server, a client that writes all the time.
struct Pair {
  ClusterRun run;
  Rows rows;
  Keeper keeper;
  sim::ProcessId client = 0;

  explicit Pair(std::uint64_t seed) : run(seed, settings()), rows(run), keeper(rows, seed, 1, 200, 4, kMillisecond) {
    REQUIRE(run.begin());
    client = run.cluster.add_client(keeper, kClientLimit);
    run.world.start(client);
    run.world.run_for(300 * kMillisecond);
    REQUIRE(rows.acked > 20);
  }
  static sim::ClusterSettings settings() {
    sim::ClusterSettings s;
    s.workers = 2;
    return s;
  }
  sim::World& world() { return run.world; }
  sim::ProcessId node(NodeId id) const { return run.cluster.data()[id - 1u]; }
  // What the leader has heard that node 1 obeys.
  Version told() const {
    const meta::Leader::Report* r = run.cluster.server(0)->leader().report(1);
    return r == nullptr ? 0 : r->last.version;
  }
  meta::NodeState state() const { return run.cluster.newest()->node(1)->state; }
};

}  // namespace

TEST_CASE("a node obeys a catalog, in its heartbeats, when its workers do") {
  Pair p(3);
  p.world().hold_parcels(p.node(1), true, false);
  REQUIRE(p.run.create_table("later"));
  const Version made = p.run.cluster.newest()->version;
  p.world().run_for(150 * kMillisecond);
  REQUIRE(p.run.cluster.data_node(1)->member().catalog()->version >= made);
  CHECK(p.told() < made);
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return p.told() >= made; }, kSecond));
  CHECK(p.world().failure() == "");
}

TEST_CASE("what a worker says on a link that is gone is not for who comes after") {
  const auto seed = GENERATE(range(1, 13));
  Pair p(static_cast<std::uint64_t>(seed));
  Keeper other(p.rows, 9, 1001, 200, 1, kMillisecond);
  const sim::ProcessId second = p.run.cluster.add_client(other, kClientLimit);
  std::uint64_t asked = 0, answered = 0;
  bool strange = false;
  p.world().network().on_send = [&](sim::ProcessId from, sim::ProcessId to, std::uint16_t type) {
    const auto t = static_cast<wire::Type>(type);
    asked += from == second && to == p.node(1) && t == wire::Type::execute;
    answered += from == p.node(1) && to == second && t == wire::Type::execute_reply;
    strange |= answered > asked;
  };
  p.world().hold_parcels(p.node(1), false, true);
  p.world().run_for(20 * kMillisecond);  // answers wait
  p.world().kill(p.client, false);
  p.world().run_for(20 * kMillisecond);
  p.world().start(second);
  REQUIRE(p.world().run_until([&] { return asked != 0; }, 2 * kSecond));
  REQUIRE(answered == 0);
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return answered > 10; }, kSecond));
  INFO("seed " << seed);
  CHECK_FALSE(strange);
  CHECK(p.world().failure() == "");
}

TEST_CASE("a node says good-bye when its workers serve nobody any more, however long that takes") {
  Pair p(5);
  p.world().hold_parcels(p.node(1), true, false);
  p.world().stop(p.node(1));
  p.world().run_for(6 * kSecond);  // longer than it waits for anything else
  CHECK(p.state() == meta::NodeState::in_sync);
  CHECK(p.world().running(p.node(1)));
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return p.state() == meta::NodeState::down; }, kSecond));
  CHECK(p.world().failure() == "");
}
