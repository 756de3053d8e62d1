// The leader's epoch clock: epochs begin and are closed as often as the configuration says.
#include "meta/epochs.h"

#include "unit/meta_lone_world.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

// A data node that answers every order at once.
struct World : LoneWorld {
  EpochClock clock;
  bool beating = false;
  std::size_t rounds = 0;

  explicit World(const Values& values) : LoneWorld(1, {{1, NodeType::data, {}, false, kNoGroup, false, values}}) {
    apply(NodeJoins{1, 101, "host", 5001, 1, 1, false});
    apply(StartCluster{{1}});
    REQUIRE(catalog().started);
    beating = true;
    run(100 * kMillisecond);
  }
  void heartbeats() override {
    if (beating) leader.heard(now, heartbeat_of(1), *member);
  }
  void stepped() override {
    clock.step(now, *member, leader, out);
    answer();
  }
  void answer() {
    for (const auto& o : std::exchange(clock.orders, {})) {
      rounds += o.order.step == wire::EpochStep::enter;
      wire::EpochReport r;
      r.node = o.node;
      r.incarnation = catalog().node(o.node)->incarnation;
      r.round = o.order.round;
      r.step = o.order.step;
      r.now = std::max(clock.present(), o.order.epoch + 1);
      clock.on_report(r);
    }
  }
};

}  // namespace

TEST_CASE("an epoch begins every TimeBetweenEpochs, and one is made durable every TimeBetweenGlobalCheckpoints") {
  World w(Values{{"TimeBetweenEpochs", "50"}, {"TimeBetweenGlobalCheckpoints", "500"}});
  const Epoch epoch = w.clock.present();
  const Epoch durable = w.catalog().durable_epoch;
  const std::size_t rounds = w.rounds;
  w.run(2 * kSecond);
  CHECK(w.clock.present() - epoch >= 40);
  CHECK(w.clock.present() - epoch <= 46);  // closing one begins another
  CHECK(w.rounds - rounds == 4);
  CHECK(w.catalog().durable_epoch - durable >= 30);  // the last round is under way
  CHECK(w.catalog().durable_epoch < w.clock.present() + 2);
}

TEST_CASE("other times, other numbers") {
  World w(Values{{"TimeBetweenEpochs", "1000"}, {"TimeBetweenGlobalCheckpoints", "100"}});
  const Epoch epoch = w.clock.present();
  const std::size_t rounds = w.rounds;
  w.run(2 * kSecond);
  CHECK(w.rounds - rounds == 20);
  CHECK(w.clock.present() - epoch <= 24);  // no faster than they are closed
  World none(Values{{"TimeBetweenEpochs", "0"}});
  CHECK(none.clock.present() == 0);
}

TEST_CASE("times told while running count instead of the configuration's, at once, until they are taken back") {
  World w(Values{{"TimeBetweenEpochs", "1000"}, {"TimeBetweenGlobalCheckpoints", "30000"}});
  w.run(100 * kMillisecond);
  std::size_t rounds = w.rounds;
  Epoch epoch = w.clock.present();
  w.clock.set_live("TimeBetweenGlobalCheckpoints", "100");
  w.clock.set_live("TimeBetweenEpochs", "20");
  w.clock.set_live("DataMemory", "20");
  w.run(kSecond);
  CHECK(w.rounds - rounds >= 9);
  CHECK(w.clock.present() - epoch >= 40);
  w.clock.set_live("TimeBetweenGlobalCheckpoints", "");
  w.clock.set_live("TimeBetweenEpochs", "");
  w.run(200 * kMillisecond);
  rounds = w.rounds;
  epoch = w.clock.present();
  w.run(5 * kSecond);
  CHECK(w.rounds == rounds);
  CHECK(w.clock.present() - epoch <= 6);
}
