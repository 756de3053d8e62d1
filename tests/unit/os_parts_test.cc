// Parts of a machine in threads of their own: parcels between them and the loop.
#include <future>
#include <set>

#include "os_world.h"

using namespace ndb;
using namespace ndb::os;

namespace {

struct Number : env::Parcel {
  explicit Number(std::uint64_t v) : value(v) {}
  std::uint64_t value;
  std::thread::id stepped_by;
};

struct Echo : env::Part {
  std::function<void()> before = [] {};
  Time wake_at = kNever;
  std::uint64_t timers = 0;
  std::unique_ptr<env::Parcel> step(Time now, std::unique_ptr<env::Parcel> in) override {
    before();
    if (in == nullptr) {
      timers++;
      wake_at = timers < 3 ? now + kMillisecond : kNever;
      return std::make_unique<Number>(timers + 1000000);
    }
    static_cast<Number&>(*in).stepped_by = std::this_thread::get_id();
    return in;
  }
  Time wake() const override { return wake_at; }
};

// Gives each part the numbers from 1 on, a few at a time.
struct Counter : TestMachine {
  using TestMachine::TestMachine;
  std::vector<Echo> echoes{2};
  std::uint64_t last = 0;
  unsigned under_way_max = 3;
  std::vector<std::uint64_t> given{0, 0}, back{0, 0};
  std::vector<std::uint64_t> timers;
  std::set<std::thread::id> threads;
  bool in_order = true;
  bool ends = true;    // when all are back
  bool holds = false;  // while the first part has not answered

  std::size_t parts() const override { return echoes.size(); }
  env::Part* part(std::size_t i) override { return &echoes[i]; }
  std::unique_ptr<env::Parcel> parcel_for(std::size_t i) override {
    if (given[i] == last || given[i] - back[i] == under_way_max) return nullptr;
    return std::make_unique<Number>(++given[i]);
  }
  void step(Time now, const Event& e, Outbox& out) override {
    TestMachine::step(now, e, out);
    if (e.kind == EventKind::parcel) answered(e, out);
    out.hold_input = holds && last == 1 && back[0] == 0;
  }
  void answered(const Event& e, Outbox& out) {
    const auto& n = static_cast<const Number&>(**e.parcel);
    if (n.value > 1000000) {
      timers.push_back(n.value - 1000000);
      return;
    }
    threads.insert(n.stepped_by);
    in_order = in_order && n.value == back[e.tag] + 1;
    back[e.tag]++;
    if (ends && back[0] == last && back[1] == last) out.exit(0);
  }
};

}  // namespace

TEST_CASE("parcels come back in order, each part in a thread of its own", "[os]") {
  Counter m;
  m.last = 20000;
  Loop loop(m);
  CHECK(loop.run() == 0);
  CHECK(m.in_order);
  CHECK(m.back == std::vector<std::uint64_t>{20000, 20000});
  CHECK(m.threads.size() == 2);
  CHECK(m.threads.count(std::this_thread::get_id()) == 0);
}

TEST_CASE("without threads the parts take turns in the loop's", "[os]") {
  Counter m;
  m.last = 20000;
  m.echoes[1].wake_at = 0;
  LoopOptions o;
  o.part_threads = false;
  Loop loop(m, o);
  CHECK(loop.run() == 0);
  CHECK(m.in_order);
  CHECK(m.back == std::vector<std::uint64_t>{20000, 20000});
  CHECK(m.threads == std::set{std::this_thread::get_id()});
  CHECK(m.timers.size() <= 3);
}

TEST_CASE("a part is stepped when its time has come", "[os]") {
  Counter m;
  m.last = 1;
  m.ends = false;
  m.echoes[1].wake_at = 0;
  Loop loop(m);
  REQUIRE(turn({&loop}, [&] { return m.timers.size() == 3; }));
  CHECK(m.timers == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("a machine that holds its input gets none until a part has answered", "[os]") {
  Counter m;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  m.echoes[0].before = [gone] { gone.wait(); };
  m.holds = true;
  m.ends = false;
  m.on = [&](Time, const Event& e, Outbox&) {
    if (e.kind == EventKind::frame) m.last = 1;
  };
  Loop server(m);
  auto port = server.listen("127.0.0.1", 0, false);
  REQUIRE(port.ok());
  LinkId link = 0;
  TestMachine client([&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", *port);
    if (e.kind == EventKind::link_up) {
      link = e.link;
      put_message(out.link(link), "one");
    }
  });
  Loop client_loop(client);
  REQUIRE(turn({&server, &client_loop}, [&] { return m.last == 1; }));
  put_message(client_loop.outbox().link(link), "two");
  const std::uint64_t rounds = server.counts().rounds;
  REQUIRE(turn({&server, &client_loop}, [&] { return server.counts().rounds > rounds + 20; }));
  CHECK(client_loop.counts().frames_out == 2);
  CHECK(m.payloads.size() == 1);
  go.set_value();
  REQUIRE(turn({&server, &client_loop}, [&] { return m.payloads.size() == 2; }));
}
