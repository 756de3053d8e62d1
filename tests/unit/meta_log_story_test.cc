// Stories of the metadata log: a lone voter, members that come and go, snapshots, restarts, and the same under loss,
// repetition, delay and crashes.
#include <catch2/catch.hpp>

#include "meta_log_world.h"

namespace ndb {
namespace {

using meta::Log;
using meta::Role;

using World = test::LogStory;

TEST_CASE("a lone voter leads at once and applies what it is given") {
  World w(1);
  w.boot();
  CHECK(w.leader() == 1);
  REQUIRE(w.propose("a"));
  REQUIRE(w.propose("b"));
  REQUIRE(w.run_until([&] { return w.everywhere("ab"); }, kSecond));
  CHECK(w.at(1).members().size() == 1);
  CHECK(!w.at(1).propose(w.now, ""));
}

TEST_CASE("a cluster is bootstrapped once") {
  World w(1);
  w.boot();
  w.propose("a");
  w.run(100 * kMillisecond);
  w.kill(1);
  CHECK(w.start(1, true).error == Error::illegal_change);
}

TEST_CASE("a store of another member is refused") {
  World w(1);
  w.boot();
  w.kill(1);
  Log other(w.nodes[1]->store, 2, 1);
  CHECK(other.start(w.now).error == Error::wrong_node_id);
}

TEST_CASE("a store whose entries are of no known type is refused") {
  for (const std::uint16_t type : {std::uint16_t{0}, std::uint16_t{4}, std::uint16_t{65535}}) {
    World w(1);
    w.boot();
    w.propose("a");
    w.run(100 * kMillisecond);
    w.kill(1);
    auto state = w.nodes[1]->store.load();
    REQUIRE(state.entries.size() > 1);
    meta::LogEntry next = state.entries.back();
    next.index++;
    next.type = type;
    w.nodes[1]->store.append_now({next});
    Log again(w.nodes[1]->store, 1, 1);
    const Failure f = again.start(w.now);
    CHECK(f.error == Error::os_failed);
    CHECK(f.text.find("an entry is damaged") != std::string::npos);
  }
}

TEST_CASE("when the links to the leader break another leads at once; one that the others still hear stays") {
  World w(3);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  const std::uint64_t leader = w.leader(), term = w.at(1).term();
  REQUIRE(leader == 1);
  SECTION("its process is dead") {
    w.kill(1);
    w.at(2).lost(w.now, 1);
    w.run(5 * kMillisecond);
    w.at(3).lost(w.now, 1);
    CHECK(w.run_until([&] { return w.at(2).leader() || w.at(3).leader(); }, 100 * kMillisecond));
    CHECK(w.at(2).term() == term + 1);
  }
  SECTION("one link broke") {
    w.at(2).lost(w.now, 1);
    w.run(2 * kSecond);
    CHECK(w.leader() == 1);
    CHECK(w.at(1).term() == term);
    CHECK(w.at(2).leader_raft_id() == 1);
  }
  SECTION("one was cut off") {
    w.cut[{1, 2}];
    w.at(2).lost(w.now, 1);
    w.run(2 * kSecond);
    CHECK(w.leader() == 1);
    CHECK(w.at(1).term() == term);
  }
}

TEST_CASE("members join, leaders die, the rest go on") {
  World w(2);
  w.boot();
  w.propose("a");
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.join(4, Role::standby);
  w.propose("b");
  REQUIRE(w.run_until([&] { return w.everywhere("ab"); }, kSecond));
  w.kill(1);
  w.run(100 * kMillisecond);
  w.wait_leader();
  CHECK(w.leader() != 1);
  CHECK(w.leader() != 4);
  w.give(1, Role::spare);
  REQUIRE(w.propose("c"));
  w.give(4, Role::voter);
  std::uint64_t second = w.leader();
  w.kill(second);
  w.wait_leader();
  REQUIRE(w.propose("d"));
  REQUIRE(w.run_until([&] { return w.everywhere("abcd"); }, 2 * kSecond));
  // The first one comes back, first as a standby.
  REQUIRE(!w.start(1));
  w.give(1, Role::standby);
  w.give(1, Role::voter);
  REQUIRE(w.run_until([&] { return w.everywhere("abcd"); }, 2 * kSecond));
  REQUIRE(w.change([&](Log& l) { return l.remove(w.now, second); }));
  REQUIRE(w.run_until([&] { return !w.at(w.leader()).change_pending(); }, kSecond));
  CHECK(w.at(w.leader()).members().size() == 3);
}

TEST_CASE("followers learn what is committed without waiting for a heartbeat") {
  World w(3);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  for (int i = 0; i < 20; ++i) {
    w.run(static_cast<Time>(w.prng.below(40)) * kMillisecond);
    std::string all = w.states[w.leader()].data + "x";
    REQUIRE(w.propose("x"));
    Time before = w.now;
    REQUIRE(w.run_until([&] { return w.everywhere(all); }, kSecond));
    CHECK(w.now - before <= 8 * kMillisecond);  // each message and each write takes a millisecond here
  }
}

TEST_CASE("leadership is handed over") {
  World w(4);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  std::uint64_t heir = w.leader() == 2 ? 3 : 2;
  REQUIRE(w.at(w.leader()).transfer(w.now, heir));
  w.collect(*w.nodes[w.leader()]);
  Time before = w.now;
  REQUIRE(w.run_until([&] { return w.leader() == heir; }, kSecond));
  CHECK(w.now - before < 100 * kMillisecond);
  REQUIRE(w.run_until([&] { return w.propose("a"); }, kSecond));
  REQUIRE(w.run_until([&] { return w.everywhere("a"); }, kSecond));
  CHECK(!w.at(heir).transfer(w.now, 99));
  CHECK(!w.at(heir).remove(w.now, heir));
  CHECK(!w.at(heir).assign(w.now, heir, Role::spare));
}

TEST_CASE("a late member gets a snapshot, and everybody restarts from one") {
  World w(5);
  w.threshold = 20;
  w.trailing = 5;
  w.boot();
  w.join(2, Role::voter);
  std::string all;
  for (int i = 0; i < 200; ++i) {
    std::string d = std::to_string(i) + ",";
    if (w.propose(d)) all += d;
    w.run(2 * kMillisecond);
  }
  REQUIRE(w.run_until([&] { return w.everywhere(all); }, kSecond));
  CHECK(w.nodes[1]->store.durable().snapshot.index > 100);
  CHECK(w.nodes[1]->store.durable().entries.size() < 40);
  CHECK(w.restores == 0);
  w.join(3, Role::voter);
  CHECK(w.restores == 1);
  REQUIRE(w.run_until([&] { return w.everywhere(all); }, 2 * kSecond));
  for (std::uint64_t id : {1u, 2u, 3u}) w.kill(id);
  for (std::uint64_t id : {1u, 2u, 3u}) REQUIRE(!w.start(id));
  CHECK(w.restores == 4);
  w.wait_leader();
  REQUIRE(w.propose("end"));
  REQUIRE(w.run_until([&] { return w.everywhere(all + "end"); }, 2 * kSecond));
  CHECK(w.at(w.leader()).members().size() == 3);
}

TEST_CASE("a failed write stops the member for good") {
  World w(6);
  w.boot();
  w.nodes[1]->store.break_disk();
  w.at(1).propose(w.now, "a");
  sim::MemoryLogStore::Completion c;
  REQUIRE(w.nodes[1]->store.complete(&c));
  w.at(1).stored(w.now, c.tag, c.status);
  CHECK(w.at(1).failure().error == Error::os_failed);
  CHECK(!w.at(1).leader());
  CHECK(w.at(1).applied.empty());
  CHECK(!w.at(1).propose(w.now, "b"));
}

TEST_CASE("cut, changed and foreign messages are dropped") {
  World w(7);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::standby);
  std::vector<std::string> seen;
  w.propose("hello");
  for (int i = 0; i < 50; ++i) {
    for (auto& m : w.flying) seen.push_back(m.bytes);
    w.step();
  }
  w.run(kSecond);
  REQUIRE(seen.size() > 10);
  for (const std::string& bytes : seen) {
    for (std::size_t n = 0; n < bytes.size(); ++n) w.at(3).receive(w.now, 1, Bytes(bytes).substr(0, n));
    w.at(3).receive(w.now, 1, bytes + "x");
    w.at(3).receive(w.now, 0, bytes);
    w.at(3).receive(w.now, 3, bytes);
  }
  CHECK(w.at(3).sends.empty());
  // Any byte changed: may be taken for another message, must not break anything.
  for (const std::string& bytes : seen) {
    for (int i = 0; i < 20; ++i) {
      std::string b = bytes;
      b[w.prng.below(std::min<std::size_t>(2, b.size()))] = static_cast<char>(w.prng.below(8));
      w.at(3).receive(w.now, 1, b);
    }
  }
  w.at(3).sends.clear();
  w.propose("!");
  REQUIRE(w.run_until([&] { return w.everywhere("hello!"); }, 2 * kSecond));
}

// Random histories. `truth` in drain() is the invariant: all members apply the same entries in the same order, none is
// skipped, none is applied twice, and none that one member has applied is ever replaced.
void random_history(std::uint64_t seed) {
  CAPTURE(seed);
  World w(seed);
  w.threshold = 10 + static_cast<std::uint32_t>(w.prng.below(40));
  w.trailing = 1 + static_cast<std::uint32_t>(w.prng.below(20));
  w.boot();
  std::uint64_t voters = 2 + w.prng.below(4);
  for (std::uint64_t id = 2; id <= voters; ++id) w.join(id, Role::voter);
  if (w.prng.chance(0.5)) w.join(voters + 1, Role::standby);
  w.loss = w.prng.chance(0.7) ? 0.2 * static_cast<double>(w.prng.below(100)) / 100 : 0;
  w.repeat = w.prng.chance(0.7) ? 0.2 : 0;
  w.delay_max = static_cast<Time>(w.prng.below(60)) * kMillisecond;
  w.slow_disk = w.prng.chance(0.7) ? 0.98 * static_cast<double>(w.prng.below(100)) / 100 : 0;
  std::vector<std::uint64_t> ids;
  for (auto& [id, n] : w.nodes) ids.push_back(id);
  std::uint64_t proposals = 0;
  for (int round = 0; round < 6000; ++round) {
    w.step();
    std::uint64_t id = ids[w.prng.below(ids.size())];
    if (w.prng.chance(0.05) && w.up(id)) {  // whoever thinks that it leads
      w.at(id).propose(w.now, "<" + std::to_string(++proposals) + ">");
      w.collect(*w.nodes[id]);
    }
    if (w.prng.chance(0.002) && w.up(id)) w.kill(id, w.prng.below(4));
    if (w.prng.chance(0.01) && !w.up(id)) {
      Failure f = w.start(id);
      REQUIRE(f.sentence() == "no error");
    }
    if (w.prng.chance(0.002)) {
      std::uint64_t other = ids[w.prng.below(ids.size())];
      w.cut[{id, other}] = true;
      if (w.prng.chance(0.5)) w.cut[{other, id}] = true;
    }
    if (w.prng.chance(0.004)) w.cut.clear();
    if (w.prng.chance(0.003) && w.up(id) && w.at(id).leader()) {
      std::uint64_t other = ids[w.prng.below(ids.size())];
      switch (w.prng.below(5)) {
        case 0:
          w.at(id).assign(w.now, other, Role::standby);
          break;
        case 1:
          w.at(id).assign(w.now, other, Role::voter);
          break;
        case 2:
          w.at(id).remove(w.now, other);
          break;
        case 3:
          w.at(id).add(w.now, other);
          break;
        default:
          w.at(id).transfer(w.now, other);
          break;
      }
      w.collect(*w.nodes[id]);
    }
  }
  // Calm: everything works again, and whoever is a member catches up.
  w.loss = w.repeat = w.slow_disk = 0;
  w.delay_max = kMillisecond;
  w.cut.clear();
  for (std::uint64_t id : ids) {
    if (!w.up(id)) REQUIRE(!w.start(id));
  }
  std::string before;
  for (auto& [index, data] : w.truth) before += data;
  REQUIRE(w.run_until(
      [&] {
        if (w.leader() == 0) return false;
        return w.propose("end");
      },
      30 * kSecond));
  REQUIRE(w.run_until(
      [&] {
        std::uint64_t l = w.leader();
        if (l == 0 || w.states[l].data.find("end") == std::string::npos) return false;
        for (auto& m : w.at(l).members()) {
          if (m.role != Role::spare && w.states[m.raft_id].data != w.states[l].data) return false;
        }
        return true;
      },
      30 * kSecond));
  CHECK(w.states[w.leader()].data.substr(0, before.size()) == before);
}

TEST_CASE("random histories keep one order of entries") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) random_history(seed);
}

}  // namespace
}  // namespace ndb
