// The simulated world itself: order, links, deaths, clocks, and that a seed repeats.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "sim/world.h"
#include "wire/frame.h"

using namespace ndb;
using sim::ProcessId;
using sim::World;

namespace {

constexpr std::uint16_t kPing = 900, kPong = 901;

// What the machines of a test saw; outlives them.
struct Notes {
  std::vector<std::string> server, client;
  std::uint64_t pings = 0, pongs = 0, downs = 0, ups = 0, refused = 0, unanswered = 0;
  std::uint64_t last_ping = 0, last_pong = 0;
  bool order_broken = false;
  std::string text;
};

void put(env::Outbox& out, env::LinkId link, std::uint16_t type, std::uint64_t value) {
  Writer& w = out.link(link);
  std::size_t at = wire::begin_message(w, type, 0, 0);
  w.u64(value);
  wire::end_message(w, at);
}

class Echo : public env::Machine {
 public:
  explicit Echo(Notes& n) : notes_(n) {}
  void step(Time, const env::Event& e, env::Outbox& out) override {
    if (e.kind == env::EventKind::stop) out.exit(0);
    if (e.kind == env::EventKind::text) {
      notes_.text += e.data;
      out.link(e.link).raw(e.data);
      if (std::size_t at = notes_.text.find("GO\n"); at != std::string::npos) {
        out.upgrade(e.link, at + 3 - (notes_.text.size() - e.data.size()));
      }
    }
    if (e.kind != env::EventKind::frame) return;
    Bytes rest = e.data;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      auto v = load<std::uint64_t>(m.body.data());
      notes_.pings++;
      notes_.last_ping = v;
      put(out, e.link, kPong, v);
    }
    if (damaged) notes_.order_broken = true;
  }

 private:
  Notes& notes_;
};

class Pinger : public env::Machine {
 public:
  Pinger(Notes& n, bool text) : notes_(n), text_(text) {}
  void step(Time now, const env::Event& e, env::Outbox& out) override {
    switch (e.kind) {
      case env::EventKind::start:
        out.connect(7, "server", 99, text_);
        break;
      case env::EventKind::no_link:
        (e.refused ? notes_.refused : notes_.unanswered)++;
        retry_ = now + 50 * kMillisecond;
        break;
      case env::EventKind::link_up:
        notes_.ups++;
        link_ = e.link;
        if (e.tag != 7) notes_.order_broken = true;
        expect_ = next_;
        if (text_) {
          out.link(link_).raw("hello\nGO\n");
          answered_.clear();
        } else {
          ping(out);
        }
        break;
      case env::EventKind::link_down:
        notes_.downs++;
        link_ = 0;
        retry_ = now + 50 * kMillisecond;
        break;
      case env::EventKind::text:
        answered_ += e.data;
        if (answered_.size() >= 9) {
          out.upgrade(e.link, 9 - (answered_.size() - e.data.size()));
          upgraded_ = now + 1;
        }
        break;
      case env::EventKind::frame:
        receive(e, out);
        break;
      case env::EventKind::timer:
        break;
      default:
        break;
    }
    if (retry_ != 0 && now >= retry_) {
      retry_ = 0;
      out.connect(7, "server", 99, text_);
    }
    if (upgraded_ != 0 && now >= upgraded_) {
      upgraded_ = 0;
      ping(out);
    }
    if (retry_ != 0) out.wake_at(retry_);
    if (upgraded_ != 0) out.wake_at(upgraded_);
  }

 private:
  void ping(env::Outbox& out) {
    for (int i = 0; i < 3; i++) put(out, link_, kPing, next_++);
  }
  void receive(const env::Event& e, env::Outbox& out) {
    Bytes rest = e.data;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      auto v = load<std::uint64_t>(m.body.data());
      if (v != expect_++) notes_.order_broken = true;
      notes_.pongs++;
      notes_.last_pong = v;
      if (v + 1 == next_) ping(out);
    }
  }
  Notes& notes_;
  bool text_;
  env::LinkId link_ = 0;
  std::uint64_t next_ = 0, expect_ = 0;
  Time retry_ = 0, upgraded_ = 0;
  std::string answered_;
};

struct Pair {
  World world;
  Notes notes;
  ProcessId server, client;
  explicit Pair(std::uint64_t seed, bool text = false) : world(seed) {
    server =
        world.add({.name = "server", .host = "server", .ports = {{99, text}}, .make = [this](const sim::StartInfo&) {
                     return std::make_unique<Echo>(notes);
                   }});
    client = world.add({.name = "client", .host = "client", .make = [this, text](const sim::StartInfo&) {
                          return std::make_unique<Pinger>(notes, text);
                        }});
  }
};

}  // namespace

TEST_CASE("messages go to and fro in order") {
  Pair p(1);
  p.world.start(p.server);
  p.world.start(p.client);
  p.world.run_for(kSecond);
  CHECK(p.notes.ups == 1);
  CHECK(p.notes.pongs > 1000);
  CHECK(p.notes.pings >= p.notes.pongs);
  CHECK(!p.notes.order_broken);
  CHECK(p.world.now() == kSecond);
}

TEST_CASE("what dies in the midst of a step has sent nothing of it") {
  Pair p(1);
  Notes& notes = p.notes;
  std::uint64_t answered = 0;
  // Dies within the step that counts the 100th ping, before its answer is out.
  struct Mortal : Echo {
    Mortal(World& w, Notes& n, std::uint64_t* a) : Echo(n), world(w), all(n), answers(a) {}
    void step(Time now, const env::Event& e, env::Outbox& out) override {
      const std::uint64_t before = all.pings;
      Echo::step(now, e, out);
      if (before < 100 && all.pings >= 100) world.kill(world.stepping(), false);
      if (before < 100 && all.pings < 100) *answers = all.pings;
    }
    World& world;
    Notes& all;
    std::uint64_t* answers;
  };
  p.world.spec(p.server).make = [&](const sim::StartInfo&) {
    return std::make_unique<Mortal>(p.world, notes, &answered);
  };
  p.world.start(p.server);
  p.world.start(p.client);
  p.world.run_for(kSecond / 2);
  CHECK(!p.world.running(p.server));
  CHECK(p.world.stepping() == sim::kNobody);
  CHECK(notes.pings >= 100);
  CHECK(notes.pongs == answered);
}

TEST_CASE("a text link becomes a frame link") {
  for (std::uint64_t seed = 1; seed < 20; seed++) {
    Pair p(seed, true);
    p.world.start(p.server);
    p.world.start(p.client);
    p.world.run_for(kSecond / 10);
    CHECK(p.notes.text == "hello\nGO\n");
    CHECK(p.notes.pongs > 100);
    CHECK(!p.notes.order_broken);
  }
}

TEST_CASE("nobody listens, then somebody does; a killed server is noticed") {
  Pair p(2);
  p.world.start(p.client);
  p.world.run_for(kSecond);
  CHECK(p.notes.refused > 5);
  CHECK(p.notes.ups == 0);
  p.world.start(p.server);
  p.world.run_for(kSecond);
  CHECK(p.notes.ups == 1);
  p.world.kill(p.server, false);
  p.world.run_for(kSecond / 100);
  CHECK(p.notes.downs == 1);
  p.world.start(p.server);
  p.world.run_for(kSecond);
  CHECK(p.notes.ups == 2);
  CHECK(!p.notes.order_broken);
}

TEST_CASE("a host without power answers nothing at all") {
  Pair p(3);
  p.world.start(p.server);
  p.world.start(p.client);
  p.world.run_for(kSecond / 10);
  p.world.kill(p.server, true);
  auto pongs = p.notes.pongs;
  p.world.run_for(30 * kSecond);
  CHECK(p.notes.downs == 1);
  CHECK(p.notes.refused == 0);
  CHECK(p.notes.unanswered >= 1);
  CHECK(p.notes.pongs <= pongs + 3);
  p.world.start(p.server);
  p.world.run_for(3 * kSecond);
  CHECK(p.notes.ups == 2);
}

TEST_CASE("a short cut delays, a long one breaks") {
  Pair p(4);
  p.world.start(p.server);
  p.world.start(p.client);
  p.world.run_for(kSecond / 10);
  for (bool one_way : {true, false}) {
    p.world.network().cut(p.client, p.server);
    if (!one_way) p.world.network().cut(p.server, p.client);
    auto pongs = p.notes.pongs;
    p.world.run_for(kSecond / 2);
    CHECK(p.notes.pongs <= pongs + 3);
    CHECK(p.notes.downs == 0);
    p.world.network().heal_all();
    p.world.run_for(kSecond / 2);
    CHECK(p.notes.pongs > pongs + 100);
  }
  p.world.network().cut(p.server, p.client);
  p.world.run_for(30 * kSecond);
  CHECK(p.notes.downs == 1);
  p.world.network().heal_all();
  p.world.run_for(5 * kSecond);
  CHECK(p.notes.ups == 2);
  CHECK(!p.notes.order_broken);
}

TEST_CASE("a broken connection loses a tail and both ends hear of it") {
  Pair p(5);
  p.world.start(p.server);
  p.world.start(p.client);
  for (int i = 1; i <= 20; i++) {
    p.world.run_for(kSecond / 5);
    CHECK(p.world.network().break_links(p.server, p.client, 1.0) == 1);
  }
  p.world.run_for(kSecond / 5);
  CHECK(p.notes.downs == 20);
  CHECK(p.notes.ups == 21);
  CHECK(p.world.network().links() == 1);
  CHECK(p.notes.pings > p.notes.pongs);
}

TEST_CASE("a paused process gets everything when it goes on") {
  Pair p(6);
  p.world.start(p.server);
  p.world.start(p.client);
  p.world.run_for(kSecond / 10);
  p.world.pause(p.server);
  auto pings = p.notes.pings;
  p.world.run_for(20 * kSecond);
  CHECK(p.notes.pings == pings);
  CHECK(p.notes.downs == 0);
  p.world.resume(p.server);
  p.world.run_for(kSecond / 10);
  CHECK(p.notes.pings > pings + 100);
  CHECK(!p.notes.order_broken);
  p.world.stop(p.server);
  p.world.run_for(kSecond / 10);
  CHECK(!p.world.running(p.server));
  CHECK(p.notes.downs == 1);
}

TEST_CASE("the same seed gives the same trace, another one another") {
  auto run = [](std::uint64_t seed) {
    Pair p(seed);
    p.world.spec(p.client).clock_offset = 77 * kSecond;
    p.world.spec(p.client).clock_drift_ppm = -300;
    p.world.start(p.server);
    p.world.start(p.client);
    p.world.run_for(kSecond);
    p.world.kill(p.server, false);
    p.world.network().settings.spike_chance = 0.1;
    p.world.after(kSecond / 3, [&] { p.world.start(p.server); });
    p.world.run_for(kSecond);
    p.world.network().break_links(p.server, p.client, 1.0);
    p.world.run_for(kSecond);
    return p.world.trace().hash();
  };
  CHECK(run(11) == run(11));
  CHECK(run(11) != run(12));
}

TEST_CASE("a machine that wants its timer gets it by its own clock, never early") {
  struct Clock : env::Machine {
    Time asked = 0;
    int fired = 0;
    bool early = false;
    void step(Time now, const env::Event& e, env::Outbox& out) override {
      if (e.kind == env::EventKind::timer) {
        fired++;
        if (now < asked) early = true;
      }
      asked = now + 10 * kMillisecond;
      out.wake_at(asked);
    }
  };
  for (std::int64_t ppm : {0, 500, -500}) {
    World w(9);
    Clock* c = nullptr;
    ProcessId p = w.add({.name = "clock",
                         .host = "c",
                         .make =
                             [&c](const sim::StartInfo&) {
                               auto m = std::make_unique<Clock>();
                               c = m.get();
                               return m;
                             },
                         .clock_offset = 5 * kSecond,
                         .clock_drift_ppm = ppm});
    w.start(p);
    w.run_for(10 * kSecond);
    CHECK(c->fired > 980);
    CHECK(c->fired <= 1006);
    CHECK(!c->early);
  }
}
