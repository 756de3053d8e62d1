// Where libraft is looser than the Raft paper, and what lib/meta/log_impl.h does about it: one story for each.
#include <catch2/catch.hpp>

#include "meta_log_world.h"

namespace ndb {
namespace {

using meta::Log;
using meta::Role;
using World = test::LogStory;

// Messages by hand, as docs/FORMATS.md says.
std::string append_entries(std::uint64_t term, std::uint64_t previous, std::uint64_t previous_term) {
  Writer w;
  w.u8(1);
  w.u8(1);
  for (std::uint64_t v : {term, previous, previous_term, std::uint64_t{0}}) w.u64(v);
  w.u32(0);
  return std::string(w.view());
}
std::string request_vote(std::uint64_t term, std::uint64_t candidate, bool disrupt) {
  Writer w;
  w.u8(1);
  w.u8(3);
  for (std::uint64_t v : {term, candidate, std::uint64_t{0}, std::uint64_t{0}}) w.u64(v);
  w.u8(disrupt ? 1 : 0);
  return std::string(w.view());
}
struct Result {
  std::uint64_t term = 0, rejected = 0, last = 0;
};
Result result_of(const std::string& bytes) {
  Reader r(bytes);
  REQUIRE(r.u8() == 1);
  REQUIRE(r.u8() == 2);
  return {r.u64(), r.u64(), r.u64()};
}

TEST_CASE("a lone voter that lost an entry which a standby has leads in a new term") {
  World w(1);
  w.boot();
  w.join(2, Role::standby);
  w.run(kSecond);
  std::uint64_t term = w.at(1).term();
  w.stuck.insert(1);
  REQUIRE(w.propose("lost"));
  w.run(100 * kMillisecond);
  std::uint64_t index = w.nodes[2]->store.durable().entries.back().index;
  CHECK(w.nodes[2]->store.durable().entries.back().data == "lost");
  CHECK(w.nodes[1]->store.durable().entries.back().index < index);
  CHECK(w.states[2].data.empty());
  w.kill(1);
  w.stuck.clear();
  REQUIRE(!w.start(1));
  w.wait_leader();
  CHECK(w.at(1).term() == term + 1);
  REQUIRE(w.propose("a"));
  REQUIRE(w.propose("b"));
  REQUIRE(w.run_until([&] { return w.everywhere("ab"); }, kSecond));
}

TEST_CASE("a lone voter that was deposed elects itself in a new term") {
  World w(2);
  w.boot();
  std::uint64_t term = w.at(1).term() + 5;
  w.at(1).receive(w.now, 2, request_vote(term, 2, true));
  w.collect(*w.nodes[1]);
  CHECK(!w.at(1).leader());
  CHECK(w.at(1).term() == term);
  w.wait_leader();
  CHECK(w.at(1).term() == term + 1);
  CHECK(w.nodes[1]->store.durable().vote == 1);
}

TEST_CASE("a voter of a later term whose log is shorter tells its term to one that asks before an election") {
  World w(21);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.wait_leader();
  w.run(kSecond);
  w.kill(2);
  REQUIRE(w.propose("a"));
  REQUIRE(w.run_until([&] { return w.states[1].data == "a"; }, kSecond));
  const std::uint64_t term = w.at(1).term();
  w.kill(3);  // for good
  w.kill(1);
  w.nodes[2]->store.set_term(term + 2);  // it stood for elections that nobody heard of
  REQUIRE(!w.start(1));
  REQUIRE(!w.start(2));
  REQUIRE(w.run_until([&] { return w.at(1).leader(); }, 20 * kSecond));
  CHECK(w.at(1).term() > term + 2);
}

TEST_CASE("a vote that cannot be written stops the member, and is not given") {
  World w(3);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  w.nodes[2]->store.break_disk();
  w.at(2).sends.clear();
  w.at(2).receive(w.now, 3, request_vote(w.at(2).term() + 1, 3, true));
  CHECK(w.at(2).failure().error == Error::os_failed);
  CHECK(w.at(2).sends.empty());
}

TEST_CASE("a promoted member that has not heard of it votes") {
  World w(3);
  w.boot();
  w.join(2, Role::standby);
  w.run(kSecond);
  w.cut[{1, 2}] = true;
  REQUIRE(w.change([&](Log& l) { return l.assign(w.now, 2, Role::voter); }));
  w.run(50 * kMillisecond);
  REQUIRE(w.nodes[1]->store.durable().entries.back().type == 3);
  w.kill(1);
  w.cut.clear();
  REQUIRE(!w.start(1));
  w.wait_leader();
  REQUIRE(w.run_until([&] { return w.has_role(2, Role::voter); }, kSecond));
}

TEST_CASE("a leader stores a change of membership before it sends it") {
  World w(4);
  w.boot();
  w.join(2, Role::voter);
  w.run(kSecond);
  REQUIRE(w.leader() == 1);
  w.stuck.insert(1);
  REQUIRE(w.change([&](Log& l) { return l.assign(w.now, 2, Role::standby); }));
  w.run(100 * kMillisecond);
  CHECK(w.nodes[2]->store.durable().entries.back().index < w.at(1).last_applied() + 1);
  w.kill(1);  // and it forgets the change
  w.stuck.clear();
  REQUIRE(!w.start(1));
  w.wait_leader();
  w.give(w.leader() == 1 ? 2 : 1, Role::standby);
}

TEST_CASE("membership does not change before an entry of the leader's term is committed") {
  World w(5);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  std::uint64_t first = w.leader();
  w.kill(first);
  REQUIRE(w.run_until([&] { return w.leader() != 0; }, 5 * kSecond));
  Log& l = w.at(w.leader());
  CHECK(l.change_pending());
  CHECK(!l.assign(w.now, first, Role::spare));
  REQUIRE(w.run_until([&] { return !l.change_pending(); }, kSecond));
  CHECK(l.assign(w.now, first, Role::spare));
}

TEST_CASE("what a snapshot took out of a follower's log counts as the same as the leader's") {
  World w(6);
  w.threshold = 10;
  w.trailing = 1;
  w.boot();
  w.join(2, Role::standby);
  for (int i = 0; i < 50; ++i) {
    w.propose("x");
    w.run(5 * kMillisecond);
  }
  w.run(kSecond);
  REQUIRE(w.nodes[2]->store.durable().entries.front().index > 20);
  w.at(2).receive(w.now, 1, append_entries(w.at(2).term(), 5, 1));
  REQUIRE(w.at(2).sends.size() == 1);
  Result r = result_of(w.at(2).sends[0].bytes);
  w.at(2).sends.clear();
  CHECK(r.rejected == 0);
  CHECK(r.last == w.at(2).commit_index());
  // A message of an older term is no reason to believe anything.
  w.at(2).receive(w.now, 1, append_entries(w.at(2).term() - 1, 5, 1));
  for (auto& s : w.at(2).sends) CHECK(result_of(s.bytes).rejected == 5);
}

TEST_CASE("a follower acknowledges no more than the leader has shown") {
  World w(7);
  w.boot();
  w.join(2, Role::voter);
  w.join(3, Role::voter);
  w.run(kSecond);
  // Entries that only 2 gets, from a leader that dies.
  REQUIRE(w.leader() == 1);
  w.cut[{1, 3}] = true;
  w.stuck.insert(1);
  w.propose("a");
  w.propose("b");
  w.run(20 * kMillisecond);
  w.kill(1);
  std::uint64_t known = w.nodes[3]->store.durable().entries.back().index;
  REQUIRE(w.nodes[2]->store.durable().entries.back().index == known + 2);
  std::uint64_t term = w.at(2).term() + 1;
  w.at(2).receive(w.now, 3, append_entries(term, known, term - 1));
  REQUIRE(w.at(2).sends.size() == 1);
  Result r = result_of(w.at(2).sends[0].bytes);
  w.at(2).sends.clear();
  CHECK(r.rejected == 0);
  CHECK(r.last == known);
}

// Figure 8 of the paper: an entry of an older term must not be committed by counting its copies.
TEST_CASE("an entry of an older term is committed only with one of the leader's own") {
  World w(8);
  w.boot();
  for (std::uint64_t id = 2; id <= 5; ++id) w.join(id, Role::voter);
  w.run(kSecond);
  REQUIRE(w.leader() == 1);
  auto isolate = [&](std::set<std::uint64_t> group) {  // these hear each other, nobody else is heard
    w.cut.clear();
    for (auto& [a, n] : w.nodes) {
      for (auto& [b, m] : w.nodes) {
        if (group.count(a) == 0 || group.count(b) == 0) w.cut[{a, b}] = true;
      }
    }
  };
  auto only_awake = [&](std::uint64_t id) {  // after all have forgotten who led
    auto cut = std::exchange(w.cut, {});
    for (auto& [a, n] : w.nodes) {
      for (auto& [b, m] : w.nodes) w.cut[{a, b}] = true;
    }
    w.asleep.clear();
    if (!w.up(id) || !w.at(id).leader()) w.run(3 * kSecond);
    w.cut = cut;
    for (auto& [a, n] : w.nodes) {
      if (a != id) w.asleep.insert(a);
    }
  };
  // (a) 1 leads and gives X to 2 only.
  isolate({1, 2});
  only_awake(1);
  REQUIRE(w.propose("X"));
  w.run(20 * kMillisecond);
  std::uint64_t at = w.nodes[2]->store.durable().entries.back().index;
  REQUIRE(w.nodes[2]->store.durable().entries.back().data == "X");
  w.kill(1);
  // (b) 5 is elected by 3 and 4 and keeps its own entry to itself: it dies as soon as it has it.
  isolate({3, 4, 5});
  only_awake(5);
  REQUIRE(w.run_until([&] { return w.up(5) && w.at(5).leader(); }, 5 * kSecond));
  isolate({5});
  w.flying.clear();
  w.run(10 * kMillisecond);
  REQUIRE(w.nodes[5]->store.durable().entries.back().index == at);
  w.kill(5);
  // (c) 1 is back, elected by 2 and 3, and gives X to 3; its disk is stuck, so nothing of its own term is stored.
  REQUIRE(!w.start(1));
  isolate({1, 2, 3});
  only_awake(1);
  w.stuck = {1};
  REQUIRE(w.run_until([&] { return w.at(1).leader(); }, 10 * kSecond));
  w.run(5 * kMillisecond);
  w.cut[{1, 2}] = true;  // 2 stays without the entry of the new term
  w.run(200 * kMillisecond);
  CHECK(w.at(1).last_applied() < at);
  w.kill(1);
  w.stuck.clear();
  // (d) 5 comes back. Whoever leads: all must agree; the checks of the world see to it.
  REQUIRE(!w.start(5));
  REQUIRE(!w.start(1));
  isolate({1, 2, 4, 5});
  only_awake(5);
  w.run(5 * kSecond);
  w.cut.clear();
  w.asleep.clear();
  REQUIRE(w.run_until([&] { return w.leader() != 0 && w.propose("end"); }, 10 * kSecond));
  REQUIRE(w.run_until(
      [&] {
        return w.states[w.leader()].data.find("end") != std::string::npos && w.everywhere(w.states[w.leader()].data);
      },
      10 * kSecond));
}

}  // namespace
}  // namespace ndb
