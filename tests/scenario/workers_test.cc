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
