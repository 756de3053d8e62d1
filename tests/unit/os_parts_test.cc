// Parts of a machine in threads of their own: parcels between them and the loop.
#include <future>
#include <set>

#include "os_world.h"

using namespace ndb;
using namespace ndb::os;

namespace {

struct Numbers : env::Parcel {
  std::vector<std::uint64_t> values;
  std::thread::id stepped_by;
};

constexpr std::uint64_t kTimer = 1000000, kFrame = 2000000, kDown = 3000000;  // + what

// Gives every number back, and says what else it sees: the time, three times in a millisecond each; frames of its own
// links, which it answers there; the ends of these links.
struct Echo : env::Part {
  std::function<void()> before = [] {};
  bool wakes = false;
  std::uint64_t timers = 0;
  std::vector<std::uint64_t> left;
  void step(Time now, const Event& e, Outbox& out) override {
    before();
    if (e.kind == EventKind::parcel) {
      for (std::uint64_t v : static_cast<Numbers&>(**e.parcel).values) left.push_back(v);
    } else if (e.kind == EventKind::frame) {
      left.push_back(kFrame + e.link);
      wire::Message m;
      Bytes payload = e.data;
      bool damaged = false;
      while (wire::next_message(payload, &m, &damaged)) put_message(out.link(e.link), "part: " + std::string(m.body));
    } else if (e.kind == EventKind::link_down) {
      left.push_back(kDown + e.link);
    } else if (wakes && timers < 3) {
      left.push_back(kTimer + ++timers);
    }
    if (wakes && timers < 3) out.wake_at(now + kMillisecond);
  }
  std::unique_ptr<env::Parcel> parcel() override {
    if (left.empty()) return nullptr;
    auto p = std::make_unique<Numbers>();
    p->values.swap(left);
    p->stepped_by = std::this_thread::get_id();
    return p;
  }
};

// Gives each part the numbers from 1 on, a few at a time.
struct Counter : TestMachine {
  using TestMachine::TestMachine;
  std::vector<Echo> echoes{2};
  std::uint64_t last = 0;
  unsigned under_way_max = 3;
  std::vector<std::uint64_t> given{0, 0}, back{0, 0};
  std::vector<std::uint64_t> others;  // what came back and is no number
  std::vector<LinkId> to_give;        // with the next number for the second part
  std::set<std::thread::id> threads;
  bool in_order = true;
  bool ends = true;    // when all are back
  bool holds = false;  // while the first part has not answered

  std::size_t parts() const override { return echoes.size(); }
  env::Part* part(std::size_t i) override { return &echoes[i]; }
  std::unique_ptr<env::Parcel> parcel_for(std::size_t i) override {
    if (given[i] == last || given[i] - back[i] == under_way_max) return nullptr;
    auto p = std::make_unique<Numbers>();
    p->values = {++given[i]};
    if (i == 1) p->links.swap(to_give);
    return p;
  }
  void step(Time now, const Event& e, Outbox& out) override {
    TestMachine::step(now, e, out);
    if (e.kind == EventKind::parcel) answered(e, out);
    out.hold_input = holds && last == 1 && back[0] == 0;
  }
  void answered(const Event& e, Outbox& out) {
    const auto& n = static_cast<const Numbers&>(**e.parcel);
    threads.insert(n.stepped_by);
    for (std::uint64_t v : n.values) {
      if (v > kTimer) {
        others.push_back(v);
        continue;
      }
      in_order = in_order && v == back[e.tag] + 1;
      back[e.tag]++;
    }
    if (ends && back[0] == last && back[1] == last) out.exit(0);
  }
};

// A server that gives its first link to the second part when something has come on it, and a client that says "one".
struct Shop {
  Counter m;
  std::unique_ptr<Loop> server;
  TestMachine client;
  std::unique_ptr<Loop> client_loop;
  LinkId link = 0;

  Shop() {
    m.ends = false;
    m.on = [this](Time, const Event& e, Outbox& out) {
      if (e.kind != EventKind::frame) return;
      put_message(out.link(e.link), "machine");
      if (m.last != 0) return;
      m.last = 1;
      m.to_give.push_back(e.link);
    };
    server = std::make_unique<Loop>(m);
    auto port = server->listen("127.0.0.1", 0, false);
    REQUIRE(port.ok());
    client.on = [this, p = *port](Time, const Event& e, Outbox& out) {
      if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", p);
      if (e.kind != EventKind::link_up) return;
      link = e.link;
      put_message(out.link(link), "one");
    };
    client_loop = std::make_unique<Loop>(client);
  }
  template <class Condition>
  bool until(Condition done) {
    return turn({server.get(), client_loop.get()}, done);
  }
  void say(Bytes what) {
    put_message(client_loop->outbox().link(link), what);
    client_loop->run_once(0);
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
  m.echoes[1].wakes = true;
  LoopOptions o;
  o.part_threads = false;
  Loop loop(m, o);
  CHECK(loop.run() == 0);
  CHECK(m.in_order);
  CHECK(m.back == std::vector<std::uint64_t>{20000, 20000});
  CHECK(m.threads == std::set{std::this_thread::get_id()});
  CHECK(m.others.size() <= 3);
}

TEST_CASE("a part is stepped when its time has come", "[os]") {
  Counter m;
  m.last = 1;
  m.ends = false;
  m.echoes[1].wakes = true;
  Loop loop(m);
  REQUIRE(turn({&loop}, [&] { return m.others.size() == 3; }));
  CHECK(m.others == std::vector<std::uint64_t>{kTimer + 1, kTimer + 2, kTimer + 3});
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

TEST_CASE("a link that goes with a parcel is the part's own", "[os]") {
  Shop s;
  REQUIRE(s.until([&] { return s.client.payloads.size() == 1 && s.m.back[1] == 1; }));
  CHECK(s.client.payloads == std::vector<std::string>{message("machine")});
  const Loop::Counts before = s.server->counts();
  for (std::size_t n = 0; n < 100; n++) {
    s.say("two");
    REQUIRE(s.until([&] { return s.client.payloads.size() == n + 2; }));
    REQUIRE(s.client.payloads.back() == message("part: two"));
  }
  REQUIRE(s.until([&] { return s.m.others.size() == 100; }));
  // The machine's loop has neither received nor sent, and its thread is not the one that did.
  CHECK(s.server->counts().receives == before.receives);
  CHECK(s.server->counts().sends == before.sends);
  CHECK(s.m.payloads.size() == 1);
  CHECK(s.m.threads.count(std::this_thread::get_id()) == 0);
  CHECK(s.server->counts().links == 1);
}

TEST_CASE("half a frame goes along with its link, and so does what the machine has not sent", "[os]") {
  Counter m;
  m.ends = false;
  std::string much(8 << 20, 'x');
  m.on = [&](Time, const Event& e, Outbox& out) {
    if (e.kind != EventKind::frame) return;
    put_message(out.link(e.link), much);
    m.last = 1;
    m.to_give.push_back(e.link);
  };
  Loop server(m);
  auto port = server.listen("127.0.0.1", 0, false);
  REQUIRE(port.ok());
  Socket client(*port);
  const std::string second = frame(message("two"));
  REQUIRE(client.send(frame(message("one")) + second.substr(0, 20)));
  REQUIRE(turn({&server}, [&] { return m.back[1] == 1; }));
  LoopThread runs(server);
  CHECK(client.receive_exactly(frame(message(much)).size()) == frame(message(much)));
  REQUIRE(client.send(second.substr(20)));
  const std::string answer = frame(message("part: two"));
  CHECK(client.receive_exactly(answer.size()) == answer);
}

TEST_CASE("the number of a part's link is given out again when the part has seen its end", "[os]") {
  Shop s;
  REQUIRE(s.until([&] { return s.client.payloads.size() == 1 && s.m.back[1] == 1; }));
  const LinkId number = s.link;
  s.client_loop->outbox().close(s.link);
  s.client_loop->step(Event{});
  REQUIRE(s.until([&] { return s.server->counts().links == 0; }));
  REQUIRE(s.until([&] { return s.m.others == std::vector<std::uint64_t>{kDown + number}; }));
  CHECK(s.m.count("down " + std::to_string(number)) == 0);  // not the machine's to know
  s.client_loop->step([] {
    Event e;
    e.kind = EventKind::start;
    return e;
  }());
  REQUIRE(s.until([&] { return s.m.count("up " + std::to_string(number)) == 2; }));
  REQUIRE(s.until([&] { return s.client.payloads.size() == 2; }));
  CHECK(s.client.payloads.back() == message("machine"));
}
