// The leader's epoch clock: epochs begin and are closed as often as the configuration says.
#include <catch2/catch.hpp>

#include "meta/epochs.h"
#include "sim/memory_log_store.h"

using namespace ndb;
using namespace ndb::meta;

namespace {

using Values = std::map<std::string, std::string>;  // parameters of the data node

// A lone member that leads, and a data node that answers every order at once.
struct World {
  sim::MemoryLogStore store;
  std::unique_ptr<Member> member;
  Peers peers{Peers::Self{wire::PeerKind::mgm, 10, 1, 0, 0, 0, 0, {}}};
  Leader leader;
  EpochClock clock;
  env::Outbox out;
  Time now = kSecond;
  bool beating = false;
  std::size_t rounds = 0;

  explicit World(const Values& values) {
    member = std::make_unique<Member>(store, MemberOptions{1, 3});
    REQUIRE_FALSE(member->bootstrap());
    REQUIRE_FALSE(member->start(now));
    run(2 * kSecond);
    auto image = std::make_shared<ConfigImage>();
    image->name = "c";
    image->replicas = 1;
    image->nodes.resize(2);
    image->nodes[0].id = 1;
    image->nodes[0].values = values;
    image->nodes[1].id = 10;
    image->nodes[1].type = NodeType::mgm;
    ChangeConfig change;
    change.cluster_id = 9;
    change.generation.image = image;
    apply(change);
    apply(NodeJoins{1, 101, "host", 5001, 1, 1, false});
    apply(StartCluster{{1}});
    REQUIRE(catalog().started);
    beating = true;
    run(100 * kMillisecond);
  }
  const Catalog& catalog() const { return *member->catalog(); }
  void apply(CommandBody body) {
    Command c;
    c.body = std::move(body);
    member->propose(now, std::move(c));
    run(20 * kMillisecond);
  }
  void run(Time t) {
    for (const Time end = now + t; now < end; now += kMillisecond) {
      sim::MemoryLogStore::Completion c;
      while (store.complete(&c)) member->stored(now, c.tag, c.status);
      member->tick(now);
      member->applied.clear();
      member->finished.clear();
      member->sends.clear();
      if (beating && now % (20 * kMillisecond) == 0) {
        wire::Heartbeat h;
        h.node = 1;
        h.incarnation = catalog().node(1)->incarnation;
        h.sent = static_cast<std::uint64_t>(now);
        h.version = h.oldest_open = catalog().version;
        leader.heard(now, h, *member);
      }
      leader.step(now, *member, peers, out);
      clock.step(now, *member, leader, out);
      answer();
    }
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
