// Members: the metadata log with a catalog on top, proposals that find the leader, leadership, and the membership that
// follows what the owner wants.
#include <catch2/catch.hpp>
#include <set>

#include "meta/member.h"
#include "meta_log_world.h"
#include "meta_story.h"

namespace ndb {
namespace {

using meta::Command;
using meta::Member;
using meta::MemberInfo;
using meta::MembershipStep;
using meta::Outcome;
using meta::RequestId;
using meta::Role;
using meta::WantedMember;

struct World : test::LogWorld<Member> {
  using Base = test::LogWorld<Member>;
  explicit World(std::uint64_t seed) : Base(seed) {}
  std::map<std::uint64_t, std::uint64_t> prints;  // version -> fingerprint: the same on every member (I2)
  std::map<std::uint64_t, std::uint64_t> applied_to;
  std::map<RequestId, Outcome> answers;
  std::vector<WantedMember> wanted;
  std::uint32_t threshold = 0;
  std::uint64_t replacements = 0;
  std::uint64_t configs = 0;

  std::unique_ptr<Member> make(Node& n) override {
    applied_to[n.id] = 0;
    auto m = std::make_unique<Member>(n.store, meta::MemberOptions{n.id, n.id * 1000 + n.starts, threshold, 3});
    m->want_members(wanted);
    return m;
  }
  void see(const meta::Catalog& c) {
    auto [i, fresh] = prints.emplace(c.version, meta::fingerprint(c));
    REQUIRE(i->second == meta::fingerprint(c));
  }
  void drain(Node& n) override {
    Member& m = *n.engine;
    if (m.failed) FAIL(m.failure);
    if (m.replaced) {
      ++replacements;
      m.replaced = false;
      applied_to[n.id] = 0;
      see(*m.catalog());
    }
    for (auto& a : m.applied) {
      REQUIRE(a.index > applied_to[n.id]);
      REQUIRE(a.catalog->version == a.index);
      applied_to[n.id] = a.index;
      see(*a.catalog);
    }
    m.applied.clear();
    for (auto& f : m.finished) {
      if (f.outcome.error == Error::timed_out) continue;
      auto [i, fresh] = answers.emplace(f.request, f.outcome);
      REQUIRE(i->second == f.outcome);  // the same id has one outcome (I4)
    }
    m.finished.clear();
  }
  std::uint64_t leader() {
    std::uint64_t found = 0, term = 0;
    for (auto& [id, n] : nodes) {
      if (n->up() && n->engine->leading() && n->engine->log().term() > term) {
        found = id;
        term = n->engine->log().term();
      }
    }
    return found;
  }
  void want(std::vector<WantedMember> w) {
    wanted = std::move(w);
    for (auto& [id, n] : nodes) {
      if (n->up()) n->engine->want_members(wanted);
    }
  }
  void alive(std::uint64_t id, bool yes) {
    auto w = wanted;
    for (auto& x : w) {
      if (x.raft_id == id) x.alive = yes;
    }
    want(w);
  }
  std::map<std::uint64_t, Role> roles() {
    std::map<std::uint64_t, Role> all;
    if (std::uint64_t l = leader()) {
      for (auto& m : at(l).log().members()) all[m.raft_id] = m.role;
    }
    return all;
  }
  bool settled(const std::map<std::uint64_t, Role>& expected) {
    return run_until([&] { return roles() == expected && !at(leader()).log().change_pending(); }, 20 * kSecond);
  }
  RequestId propose(std::uint64_t id, meta::CommandBody body, RequestId request = {}) {
    RequestId r = at(id).propose(now, Command{request, 0, std::move(body)});
    collect(*nodes[id]);
    return r;
  }
  meta::ChangeConfig config(std::uint64_t expected) {
    meta::ChangeConfig c;
    c.expect_generation = expected;
    c.cluster_id = 77;
    auto image = meta::test::image_of(2, {1, 2});
    image.text += "# " + std::to_string(++configs) + "\n";  // a change, each time
    c.generation.image = std::make_shared<const meta::ConfigImage>(std::move(image));
    return c;
  }
  bool answered(const RequestId& r, Time limit = 5 * kSecond) {
    return run_until([&] { return answers.count(r) != 0; }, limit);
  }
  bool same_everywhere() {
    std::set<std::uint64_t> versions;
    for (auto& [id, n] : nodes) {
      if (n->up()) versions.insert(n->engine->catalog()->version);
    }
    return versions.size() == 1;
  }
  // A management server (1, which boots) and data nodes.
  void boot(std::uint64_t data_nodes) {
    add(1);
    REQUIRE(!start(1, true));
    std::vector<WantedMember> w{{1, true, true, true}};
    std::map<std::uint64_t, Role> expected{{1, Role::voter}};
    for (std::uint64_t id = 2; id < 2 + data_nodes; ++id) {
      add(id);
      REQUIRE(!start(id));
      w.push_back({id, true, true, false});
      expected[id] = Role::voter;
    }
    want(w);
    REQUIRE(settled(expected));
  }
};

TEST_CASE("a member alone leads, applies its start and then what it is asked") {
  World w(1);
  w.add(1);
  REQUIRE(!w.start(1, true));
  CHECK(w.at(1).catalog()->version == 0);
  REQUIRE(w.run_until([&] { return w.at(1).leading(); }, kSecond));
  CHECK(w.at(1).catalog()->leader_epoch == 1);
  CHECK(w.at(1).catalog()->leader_raft_id == 1);
  RequestId r = w.propose(1, w.config(0));
  REQUIRE(w.answered(r));
  CHECK(w.answers[r].error == Error::ok);
  CHECK(w.at(1).catalog()->generation == 1);
  RequestId stale = w.propose(1, w.config(0));
  REQUIRE(w.answered(stale));
  CHECK(w.answers[stale].error == Error::generation_moved);
  // It leads again after a restart, with all that was.
  w.kill(1);
  REQUIRE(!w.start(1));
  REQUIRE(w.run_until([&] { return w.at(1).leading(); }, kSecond));
  CHECK(w.at(1).catalog()->generation == 1);
  CHECK(w.at(1).catalog()->leader_epoch == 2);
  w.run(2 * kSecond);
  REQUIRE(w.nodes[1]->store.mirror() != nullptr);
  meta::Catalog c;
  Reader reader(*w.nodes[1]->store.mirror());
  REQUIRE(meta::decode(reader, &c));
  CHECK(c.version == w.at(1).catalog()->version);
}

TEST_CASE("the membership follows what is wanted; proposals find the leader") {
  World w(2);
  w.boot(2);
  CHECK(w.leader() == 1);
  RequestId r = w.propose(3, w.config(0));
  Time before = w.now;
  REQUIRE(w.answered(r));
  CHECK(w.now - before < 20 * kMillisecond);
  CHECK(w.answers[r].error == Error::ok);
  REQUIRE(w.run_until([&] { return w.same_everywhere(); }, kSecond));
  CHECK(w.at(2).catalog()->generation == 1);
  // The same id again, from elsewhere: the same outcome, no second change.
  w.answers.clear();
  w.propose(2, w.config(1), r);
  REQUIRE(w.answered(r));
  CHECK(w.at(2).catalog()->generation == 1);
  // More than seven: management servers first, the rest stands by.
  auto all = w.wanted;
  std::map<std::uint64_t, Role> expected{{1, Role::voter}, {2, Role::voter}, {3, Role::voter}};
  for (std::uint64_t id = 4; id <= 10; ++id) {
    w.add(id);
    REQUIRE(!w.start(id));
    all.push_back({id, true, true, id == 10});
    expected[id] = id <= 6 || id == 10 ? Role::voter : Role::standby;
  }
  w.want(all);
  REQUIRE(w.settled(expected));
  REQUIRE(w.run_until([&] { return w.same_everywhere(); }, kSecond));
  all.erase(all.begin() + 3, all.end());
  w.want(all);
  REQUIRE(w.settled({{1, Role::voter}, {2, Role::voter}, {3, Role::voter}}));
}

TEST_CASE("what gives rows a new place waits until the leader lets it, wherever it was asked for") {
  World w(3);
  w.boot(2);
  w.at(1).let_place(w.now, false);
  meta::CreateTable create;
  create.table.name = "t";
  create.table.columns = {{"id", meta::Type::bigint, 0, 0, 0, false, {}}};
  create.table.primary_key = {0};
  const RequestId here = w.propose(1, create), there = w.propose(3, create);
  const RequestId other = w.propose(3, w.config(0));
  REQUIRE(w.answered(other));
  w.run(500 * kMillisecond);
  CHECK(w.answers.count(here) == 0);
  CHECK(w.answers.count(there) == 0);
  w.at(1).let_place(w.now, true);
  CHECK(w.answered(here));
  CHECK(w.answered(there));
}

TEST_CASE("a dead leader is replaced and demoted, comes back and leads again") {
  World w(3);
  w.boot(3);
  w.kill(1);
  RequestId r = w.propose(3, w.config(0));
  Time before = w.now;
  REQUIRE(w.answered(r));
  CHECK(w.now - before < 3 * kSecond);
  std::uint64_t second = w.leader();
  REQUIRE(second != 1);
  CHECK(w.at(second).catalog()->leader_raft_id == second);
  w.alive(1, false);
  REQUIRE(w.settled({{1, Role::spare}, {2, Role::voter}, {3, Role::voter}, {4, Role::voter}}));
  REQUIRE(!w.start(1));
  w.alive(1, true);
  REQUIRE(w.settled({{1, Role::voter}, {2, Role::voter}, {3, Role::voter}, {4, Role::voter}}));
  CHECK(w.at(1).catalog()->generation == 1);
  // Leadership prefers a management server.
  REQUIRE(w.run_until([&] { return w.leader() == 1; }, 30 * kSecond));
  REQUIRE(w.run_until([&] { return w.same_everywhere(); }, kSecond));
  w.run(20 * kSecond);
  CHECK(w.leader() == 1);
}

TEST_CASE("one of three voters that dies keeps its vote: after a power loss any two of the three go on") {
  World w(31);
  w.boot(2);
  w.kill(2);
  w.alive(2, false);
  w.run(5 * kSecond);  // time enough for the leader to act on it
  REQUIRE(w.answered(w.propose(1, w.config(0))));
  w.kill(1);
  w.kill(3);
  REQUIRE(!w.start(1));
  REQUIRE(!w.start(2));
  w.alive(2, true);
  REQUIRE(w.answered(w.propose(2, w.config(1))));
  CHECK(w.at(2).catalog()->generation == 2);
}

TEST_CASE("without a leader a proposal ends as unknown, in time") {
  World w(4);
  w.boot(2);
  w.kill(1);
  w.kill(2);
  RequestId r = w.at(3).propose(w.now, Command{{}, 0, w.config(0)}, w.now + kSecond);
  CHECK(w.at(3).proposing(r));
  Time before = w.now;
  std::vector<Member::Finished> done;
  while (w.at(3).finished.empty() && w.now < before + 3 * kSecond) {
    w.now += 10 * kMillisecond;
    w.at(3).tick(w.now);
  }
  REQUIRE(w.at(3).finished.size() == 1);
  CHECK(w.at(3).finished[0].outcome.error == Error::timed_out);
  CHECK(w.now - before == kSecond);
  CHECK(!w.at(3).proposing(r));
  w.at(3).finished.clear();
  // Repeated under its id when the others are back.
  REQUIRE(!w.start(1));
  REQUIRE(!w.start(2));
  w.propose(3, w.config(0), r);
  REQUIRE(w.answered(r));
  CHECK(w.at(3).catalog()->generation == 1);
}

TEST_CASE("snapshots carry the catalog, and the outcomes with it") {
  World w(5);
  w.threshold = 10;
  w.boot(2);
  RequestId r = w.propose(1, w.config(0));
  REQUIRE(w.answered(r));
  w.kill(3);
  for (std::uint64_t i = 1; i < 60; ++i) REQUIRE(w.answered(w.propose(1, w.config(i))));
  CHECK(w.nodes[1]->store.durable().snapshot.index > 40);
  CHECK(w.nodes[1]->store.durable().entries.size() < 30);
  REQUIRE(!w.start(3));
  w.answers.erase(r);
  w.propose(3, w.config(0), r);  // before it has caught up
  REQUIRE(w.run_until([&] { return w.same_everywhere(); }, 5 * kSecond));
  CHECK(w.replacements > 0);
  CHECK(w.at(3).catalog()->generation == 60);
  REQUIRE(w.answered(r));
  CHECK(w.answers[r].error == Error::ok);
  for (std::uint64_t id : {1u, 2u, 3u}) w.kill(id);
  for (std::uint64_t id : {1u, 2u, 3u}) REQUIRE(!w.start(id));
  CHECK(w.at(2).catalog()->generation > 40);
  REQUIRE(w.run_until([&] { return w.leader() != 0 && w.same_everywhere(); }, 5 * kSecond));
  CHECK(w.at(2).catalog()->generation == 60);
}

TEST_CASE("bytes that are no message of a member do nothing") {
  World w(6);
  w.boot(0);
  Writer writer;
  meta::encode(writer, Command{{1, 2}, 0, w.config(0)});
  std::string good = "\1" + std::string(writer.view());
  w.at(1).receive(w.now, 2, "");
  w.at(1).receive(w.now, 2, "\2abc");
  for (std::size_t n = 1; n < good.size(); ++n) w.at(1).receive(w.now, 2, Bytes(good).substr(0, n));
  w.at(1).receive(w.now, 2, good + "x");
  w.run(100 * kMillisecond);
  CHECK(w.at(1).catalog()->generation == 0);
  w.at(1).receive(w.now, 2, good);
  w.at(1).receive(w.now, 2, good);
  w.run(100 * kMillisecond);
  CHECK(w.at(1).catalog()->generation == 1);
}

TEST_CASE("the next step of the membership, by the table") {
  auto next = [](std::vector<MemberInfo> members, std::vector<WantedMember> wanted, std::uint64_t leader = 1) {
    return meta::next_membership_step(members, wanted, leader);
  };
  using Kind = MembershipStep::Kind;
  const WantedMember m1{1, true, true, true}, d2{2, true, true, false}, d3{3, true, true, false};
  const MemberInfo v1{1, Role::voter}, v2{2, Role::voter}, v3{3, Role::voter};
  const WantedMember dead2{2, true, false, false}, dead3{3, true, false, false}, quiet2{2, false, true, false};
  CHECK(next({v1}, {}) == MembershipStep{});
  CHECK(next({v1}, {m1}) == MembershipStep{});
  CHECK(next({v1}, {m1, d2}) == MembershipStep{Kind::add, 2, Role::spare});
  CHECK(next({v1}, {m1, dead2}) == MembershipStep{});
  CHECK(next({v1, {2, Role::spare}}, {m1, d2}) == MembershipStep{Kind::assign, 2, Role::standby});
  // A data node is no second voter as long as nobody could be the third; a management server is.
  const MemberInfo s2{2, Role::standby}, s3{3, Role::standby};
  CHECK(next({v1, s2}, {m1, d2}) == MembershipStep{});
  CHECK(next({v1, s2, s3}, {m1, d2, dead3}) == MembershipStep{});
  CHECK(next({v1, s2, s3}, {m1, d2, d3}) == MembershipStep{Kind::assign, 2, Role::voter});
  CHECK(next({v1, v2, s3}, {m1, d2, d3}) == MembershipStep{Kind::assign, 3, Role::voter});
  CHECK(next({v1, s2}, {m1, {2, true, true, true}}) == MembershipStep{Kind::assign, 2, Role::voter});
  CHECK(next({v1, {2, Role::standby}}, {m1, quiet2}) == MembershipStep{});
  // A lone dead one of three keeps its vote; it goes from four, with another dead one, or when somebody takes its
  // place.
  CHECK(next({v1, v2, v3}, {m1, dead2, dead3}) == MembershipStep{});  // who hears nobody takes no vote away
  const MemberInfo v4{4, Role::voter}, v5{5, Role::voter};
  const WantedMember d4{4, true, true, false}, d5{5, true, true, false};
  CHECK(next({v1, v2, v3}, {m1, dead2, d3}) == MembershipStep{});
  CHECK(next({v1, v2, v3, v4}, {m1, dead2, d3, d4}) == MembershipStep{Kind::assign, 2, Role::spare});
  CHECK(next({v1, v2, v3, v4, v5}, {m1, dead2, d3, d4, d5}) == MembershipStep{});
  CHECK(next({v1, v2, v3, v4, v5}, {m1, dead2, dead3, d4, d5}) == MembershipStep{Kind::assign, 2, Role::spare});
  CHECK(next({v1, v2, v3, {4, Role::standby}}, {m1, dead2, d3, d4}) == MembershipStep{Kind::assign, 2, Role::spare});
  CHECK(next({v1, v2, v3, {4, Role::spare}}, {m1, dead2, d3, d4}) == MembershipStep{Kind::assign, 4, Role::standby});
  CHECK(next({v1, v2, v3}, {m1, d3}) == MembershipStep{Kind::assign, 2, Role::spare});
  CHECK(next({v1, {2, Role::spare}, v3}, {m1, d3}) == MembershipStep{Kind::remove, 2, Role::spare});
  CHECK(next({v1, v2}, {m1, quiet2}) == MembershipStep{Kind::assign, 2, Role::standby});
  // A data node that was declared dead while its process lives keeps its vote in the same way; a management server that
  // leaves gives it back.
  CHECK(next({v1, v2, v3}, {m1, quiet2, d3}) == MembershipStep{});
  CHECK(next({v1, v2, v3, v4}, {m1, quiet2, d3, d4}) == MembershipStep{Kind::assign, 2, Role::standby});
  CHECK(next({v1, v2, v3}, {m1, {2, false, true, true}, d3}) == MembershipStep{Kind::assign, 2, Role::standby});
  // One living vote less would leave two of which one is dead: not now. The dead one leaves first.
  CHECK(next({v1, v2, v3}, {m1, quiet2, dead3}) == MembershipStep{Kind::assign, 3, Role::spare});
  CHECK(next({v2, v3}, {d2, d3}, 9) == MembershipStep{});
  // The leader stays, wanted or not.
  CHECK(next({v1}, {d2, d3}).kind == Kind::add);
  CHECK(next({v1, v2, v3}, {d2, d3}) == MembershipStep{});
}

void random_history(std::uint64_t seed) {
  CAPTURE(seed);
  World w(seed);
  w.threshold = 5 + static_cast<std::uint32_t>(w.prng.below(40));
  w.boot(2 + w.prng.below(3));
  w.loss = 0.1 * static_cast<double>(w.prng.below(100)) / 100;
  w.repeat = 0.1;
  w.delay_max = static_cast<Time>(w.prng.below(30)) * kMillisecond;
  w.slow_disk = 0.9 * static_cast<double>(w.prng.below(100)) / 100;
  std::vector<std::uint64_t> ids;
  for (auto& [id, n] : w.nodes) ids.push_back(id);
  std::vector<RequestId> asked;
  std::uint64_t ok_before = 0;
  for (int round = 0; round < 4000; ++round) {
    w.step();
    std::uint64_t id = ids[w.prng.below(ids.size())];
    if (w.prng.chance(0.01) && w.up(id)) {
      RequestId again = !asked.empty() && w.prng.chance(0.3) ? asked[w.prng.below(asked.size())] : RequestId{};
      asked.push_back(w.propose(id, w.config(w.at(id).catalog()->generation), again));
    }
    if (w.prng.chance(0.001) && w.up(id)) w.kill(id, w.prng.below(3));
    if (w.prng.chance(0.005) && !w.up(id)) REQUIRE(!w.start(id));
    if (w.prng.chance(0.01)) w.alive(id, w.up(id));
  }
  w.loss = w.repeat = w.slow_disk = 0;
  w.delay_max = 0;
  std::map<std::uint64_t, Role> everybody;
  for (std::uint64_t id : ids) {
    if (!w.up(id)) REQUIRE(!w.start(id));
    everybody[id] = Role::voter;
  }
  for (std::uint64_t id : ids) w.alive(id, true);
  REQUIRE(w.run_until([&] { return w.leader() != 0; }, 30 * kSecond));
  REQUIRE(w.settled(everybody));
  RequestId last = w.propose(ids.back(), w.config(0));
  REQUIRE(w.answered(last));
  REQUIRE(w.run_until([&] { return w.same_everywhere(); }, 10 * kSecond));
  const meta::Catalog& c = *w.at(1).catalog();
  // What was answered happened, and once: every success is one generation.
  for (auto& [request, outcome] : w.answers) {
    const Outcome* kept = c.outcome_of(request);
    REQUIRE(kept != nullptr);
    CHECK(*kept == outcome);
    ok_before += outcome.error == Error::ok ? 1 : 0;
  }
  std::uint64_t successes = 0;
  for (const RequestId& r : std::set<RequestId>(asked.begin(), asked.end())) {
    const Outcome* kept = c.outcome_of(r);
    successes += kept != nullptr && kept->error == Error::ok ? 1 : 0;
  }
  CHECK(c.generation == successes);
  CHECK(ok_before <= successes);
}

TEST_CASE("random histories of members: one catalog for each version, one outcome for each request") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) random_history(seed);
}

}  // namespace
}  // namespace ndb
