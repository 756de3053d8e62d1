// Leases that change while clients write: nobody is given up for it, and nobody serves beside his heir.
#include <catch2/catch.hpp>

#include "sim/keeper.h"

using namespace ndb;
using namespace ndb::simtest;

namespace {

// Two nodes, one management server, a client that writes all the time.
struct Pair {
  ClusterRun run;
  Rows rows;
  Keeper keeper;
  std::size_t given_up = 0;  // verdicts

  explicit Pair(std::uint64_t seed)
      : run(seed, sim::ClusterSettings()), rows(run), keeper(rows, seed, 1, 200, 4, kMillisecond) {
    run.world.on_log = [this](sim::ProcessId, env::Severity, const std::string& text) {
      given_up += text.starts_with("declaring node") ? 1 : 0;
    };
    REQUIRE(run.begin());
    run.world.start(run.cluster.add_client(keeper, kClientLimit));
    run.world.run_for(300 * kMillisecond);
    REQUIRE(rows.acked > 20);
  }
  void live(const std::string& ms) {
    sim::Order o;
    o.command = "ndb set live";
    o.keys = {{"nodes", "all"}, {"name", "HeartbeatIntervalDbDb"}};
    if (!ms.empty()) o.keys.emplace_back("value", ms);
    o.changes = false;
    sim::Reply r;
    REQUIRE(run.order(std::move(o), &r, 5 * kSecond));
    REQUIRE(r.ok());
  }
  std::uint32_t lease_ms() const { return run.cluster.newest()->lease_ms; }
  meta::NodeState state(NodeId id) const { return run.cluster.newest()->node(id)->state; }
  sim::ProcessId node(NodeId id) const { return run.cluster.data()[id - 1u]; }
  void finish() {
    run.world.network().heal_all();
    run.calm([&] { return keeper.is_idle(); });
    check_rows(run, rows);
    CHECK(run.world.failure() == "");
  }
};

}  // namespace

TEST_CASE("leases get longer and shorter in a running cluster, and nobody is given up") {
  Pair p(static_cast<std::uint64_t>(GENERATE(range(1, 4))));
  std::uint64_t acked = p.rows.acked;
  for (const char* ms : {"1000", "60", "3000", "", "100", "2500", "50"}) {
    p.live(ms);
    p.run.world.run_for(700 * kMillisecond);
    CHECK(p.rows.acked > acked);
    acked = p.rows.acked;
  }
  CHECK(p.lease_ms() == 12000);  // a lease of 12 s was given 4.2 s ago
  p.live("");
  p.run.world.run_for(15 * kSecond);
  CHECK(p.lease_ms() == 0);
  CHECK(p.given_up == 0);
  p.finish();
}

TEST_CASE("a node that is cut off when leases have just got shorter is given up when its longer one is over") {
  Pair p(5);
  p.live("1000");
  p.run.world.run_for(500 * kMillisecond);
  REQUIRE(p.lease_ms() == 4000);
  p.live("");
  p.run.world.run_for(100 * kMillisecond);
  for (sim::ProcessId other = 0; other < p.run.world.processes(); ++other) {
    if (other == p.node(2)) continue;
    p.run.world.network().cut(p.node(2), other);
    p.run.world.network().cut(other, p.node(2));
  }
  p.run.world.run_for(3500 * kMillisecond);
  CHECK(p.state(2) == meta::NodeState::in_sync);
  CHECK(p.run.world.run_until([&] { return p.state(2) == meta::NodeState::down; }, 1500 * kMillisecond));
  CHECK(p.given_up == 1);
  p.finish();
}
