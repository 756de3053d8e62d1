// A data node with two workers, whose words to each other are held up at the worst moment: what the node promises for
// its workers (lib/node/parcel.h) is never ahead of them.
#include <catch2/catch.hpp>

#include "sim/keeper.h"

using namespace ndb;
using namespace ndb::simtest;

namespace {

// Two nodes with two workers each, one management server, a client that writes all the time; over the nodes' links, or
// over links of the workers' own.
struct Pair {
  ClusterRun run;
  Rows rows;
  Keeper keeper;
  sim::ProcessId client = 0;

  explicit Pair(std::uint64_t seed, bool worker_links = false, std::size_t lanes = 4)
      : run(seed, settings(worker_links)), rows(run), keeper(rows, seed, 1, 200, lanes, kMillisecond) {
    REQUIRE(run.begin());
    client = run.cluster.add_client(keeper, kClientLimit);
    run.world.start(client);
    run.world.run_for(300 * kMillisecond);
    REQUIRE(rows.acked > 20);
  }
  static sim::ClusterSettings settings(bool worker_links) {
    sim::ClusterSettings s;
    s.workers = 2;
    s.worker_links = worker_links;
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

// Counts executes and their answers between a client and node 1.
struct Talk {
  std::uint64_t asked = 0, answered = 0;
  bool strange = false;  // more answers than questions
  Talk(Pair& p, sim::ProcessId client) {
    p.world().network().on_send = [this, client, node = p.node(1)](auto from, auto to, std::uint16_t type) {
      const auto t = static_cast<wire::Type>(type);
      asked += from == client && to == node && t == wire::Type::execute;
      answered += from == node && to == client && t == wire::Type::execute_reply;
      strange |= answered > asked;
    };
  }
};

}  // namespace

TEST_CASE("a node obeys a catalog, in its heartbeats, when its workers do") {
  Pair p(3, GENERATE(false, true));
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
  Pair p(static_cast<std::uint64_t>(seed), GENERATE(false, true));
  Keeper other(p.rows, 9, 1001, 200, 1, kMillisecond);
  const sim::ProcessId second = p.run.cluster.add_client(other, kClientLimit);
  Talk talk(p, second);
  p.world().hold_parcels(p.node(1), false, true);
  p.world().run_for(20 * kMillisecond);  // answers wait
  p.world().kill(p.client, false);
  p.world().run_for(20 * kMillisecond);
  p.world().start(second);
  REQUIRE(p.world().run_until([&] { return talk.asked != 0; }, 2 * kSecond));
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return talk.answered > 10; }, kSecond));
  INFO("seed " << seed);
  CHECK_FALSE(talk.strange);
  CHECK(p.world().failure() == "");
}

TEST_CASE("a worker answers on its own links while its node is silent") {
  const bool worker_links = GENERATE(false, true);
  std::uint64_t answered = 0;
  for (std::uint64_t seed = 1; seed <= 6; seed++) {
    Pair p(seed, worker_links, 32);  // in each until all that the client asks for is a write
    p.world().run_for(100 * kMillisecond);
    p.world().hold_parcels(p.node(1), true, true);
    p.world().run_for(kMillisecond);  // what was on its way
    Talk talk(p, p.client);
    p.world().run_for(50 * kMillisecond);
    answered += talk.answered;
    p.world().hold_parcels(p.node(1), false, false);
    const std::uint64_t acked = p.rows.acked;
    CHECK(p.world().run_until([&] { return p.rows.acked > acked + 20; }, kSecond));
    INFO("seed " << seed);
    CHECK(p.world().failure() == "");
  }
  CHECK((answered != 0) == worker_links);
}

TEST_CASE("what a client says on a worker's link before the worker has it waits for that") {
  const auto seed = GENERATE(range(1, 13));
  Pair p(static_cast<std::uint64_t>(seed), true);
  Keeper other(p.rows, 9, 1001, 200, 4, kMillisecond);
  const sim::ProcessId second = p.run.cluster.add_client(other, kClientLimit);
  Talk talk(p, second);
  p.world().hold_parcels(p.node(1), true, false);
  p.world().start(second);
  REQUIRE(p.world().run_until([&] { return talk.asked != 0; }, 2 * kSecond));
  p.world().run_for(10 * kMillisecond);
  CHECK(talk.answered == 0);
  SECTION("the worker gets it") {}
  SECTION("the client has gone meanwhile, and another one comes") {
    p.world().kill(second, false);
    p.world().run_for(20 * kMillisecond);
    p.world().start(second);
    p.world().run_for(20 * kMillisecond);
  }
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return talk.answered > 10; }, 2 * kSecond));
  INFO("seed " << seed);
  CHECK(p.world().failure() == "");
}

TEST_CASE("a node says good-bye when its workers serve nobody any more, however long that takes") {
  Pair p(5, GENERATE(false, true));
  p.world().hold_parcels(p.node(1), true, false);
  p.world().stop(p.node(1));
  p.world().run_for(6 * kSecond);  // longer than it waits for anything else
  CHECK(p.state() == meta::NodeState::in_sync);
  CHECK(p.world().running(p.node(1)));
  p.world().hold_parcels(p.node(1), false, false);
  CHECK(p.world().run_until([&] { return p.state() == meta::NodeState::down; }, kSecond));
  CHECK(p.world().failure() == "");
}
