#include <map>

#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

const Distribution& distribution(const Story& s, const char* table = "t") { return s.c.table(table)->distribution; }

// Table t on group 0, group 1 fresh.
Story grown() {
  Story s = small_cluster(6);
  s.ok(s.create("t"));
  s.ok(CreateGroups{{{3, 4}}});
  return s;
}

std::map<GroupId, std::uint32_t> buckets_by_group(const Distribution& d) {
  std::map<GroupId, std::uint32_t> n;
  for (const FragmentId f : d.map) n[d.groups[f]]++;
  return n;
}

}  // namespace

TEST_CASE("the loss of the whole cluster before the commit point: rolled back, or copied again when it was asked for") {
  Story s = grown();
  StartReorg start = s.reorganise("t");
  SECTION("rolled back") { start.resume_on_failure = false; }
  SECTION("copied again") { start.resume_on_failure = true; }
  s.ok(start);
  const Version began = s.c.version;
  for (const Phase p : {Phase::doubling, Phase::copying, Phase::deciding}) s.ok(AdvanceReorg{1, p, 0});
  s.ok(EpochDurable{5});
  RestartCluster back;
  back.epoch = 5;
  for (NodeId id = 1; id <= 4; id++) {
    NodeJoins again = s.joins(id);
    again.initial = false;
    s.ok(again);
    back.nodes.push_back({id, s.node(id).incarnation});
  }
  s.ok(LeaderStarts{7});
  s.ok(back);
  const Job& j = s.c.jobs.at(1);
  if (start.resume_on_failure) {
    CHECK(j.state == JobState::running);
    CHECK(j.phase == Phase::copying);
    CHECK(j.leader_epoch == s.c.leader_epoch);
    CHECK(distribution(s).phase == Phase::copying);
    CHECK(distribution(s).steps == std::vector<PhaseStep>{{began, Phase::prepare}, {s.c.version, Phase::copying}});
    CHECK(distribution(s).view == s.c.version);
    for (const Phase p : {Phase::deciding, Phase::switched}) s.ok(AdvanceReorg{1, p, 0});
  } else {
    CHECK(j.state == JobState::rolled_back);
    CHECK(distribution(s).phase == Phase::none);
    CHECK(distribution(s).groups == std::vector<GroupId>{0, 0});
  }
}

TEST_CASE("the last member of a group that is only copied to goes, and with it the job, not the cluster") {
  Story s = grown();
  const Distribution before = distribution(s);
  s.ok(s.reorganise("t"));
  s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding});
  CHECK((holds_fragments(s.c, 1) && !holds_rows_that_count(s.c, 1) && holds_rows_that_count(s.c, 0)));
  SECTION("one of two is no loss") {
    s.ok(s.down(3));
    CHECK(s.c.running_job() != nullptr);
    CHECK(lost_target(s.c) == nullptr);
    s.ok(s.down(2));
    s.refused(Error::would_lose_group, s.down(1));
  }
  SECTION("missed, without force") {
    s.ok(s.down(4));
    s.ok(s.down(3));
  }
  SECTION("by the verdict of a port") {
    s.ok(s.down(4));
    s.ok(s.down(3, true));
  }
  SECTION("by coming again, with files or without") {
    s.ok(s.down(4));
    s.ok(s.joins(3));
    CHECK(s.node(3).state == NodeState::joining);
  }
  if (s.c.running_job() != nullptr) return;
  const Job& j = s.c.jobs.at(1);
  CHECK(j.state == JobState::rolled_back);
  CHECK(j.error == Error::node_failure);
  CHECK(j.detail == "node group 1, which rows were being copied to, has no member in sync any more");
  Distribution after = distribution(s);
  after.view = before.view;
  CHECK(after == before);
  s.ok(EpochDurable{7});  // the others go on
  s.refused(Error::no_such_job, AdvanceReorg{1, Phase::switched, 0});
  s.ok(s.joins(4));
  s.ok(s.in_sync(4));
  s.ok(s.reorganise("t"));
}

TEST_CASE("behind the commit point the last member of a new group is the last of its rows") {
  Story s = grown();
  s.ok(s.reorganise("t"));
  s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched});
  CHECK(holds_rows_that_count(s.c, 1));
  s.ok(s.down(3));
  s.refused(Error::would_lose_group, s.down(4));
  s.ok(s.down(4, true));
  CHECK(s.c.running_job()->phase == Phase::switched);
  s.refused(Error::not_ready, EpochDurable{7});
}

TEST_CASE(
    "a job that is to be resumed outlives the group it copies to, but not its commit point, nor a restart without it") {
  Story s = grown();
  s.ok(s.reorganise("t", {}, true));
  s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding});
  s.ok(EpochDurable{5});
  s.ok(s.down(3));
  s.ok(s.down(4));
  REQUIRE(lost_target(s.c) != nullptr);
  CHECK(lost_target(s.c)->id == 1);
  CHECK(s.refused(Error::not_ready, AdvanceReorg{1, Phase::switched, 0}).find("node group 1, which rows") == 0);
  s.ok(s.joins(4));
  s.refused(Error::would_lose_group, s.in_sync(4));  // copies, but nobody to have them from
  SECTION("the driver ends it") {
    s.ok(AbortReorg{1, Error::node_failure, "lost"});
    s.ok(s.in_sync(4));
  }
  SECTION("the whole cluster comes back without it") {
    RestartCluster back;
    back.epoch = 5;
    for (const NodeId id : {NodeId{1}, NodeId{2}}) {
      NodeJoins again = s.joins(id);
      again.initial = false;
      s.ok(again);
      back.nodes.push_back({id, s.node(id).incarnation});
    }
    s.ok(back);
    CHECK(s.node(1).state == NodeState::in_sync);
  }
  CHECK(s.c.jobs.at(1).state == JobState::rolled_back);
  CHECK(distribution(s).groups == std::vector<GroupId>{0, 0});
  CHECK(lost_target(s.c) == nullptr);
}

TEST_CASE("a reorganisation goes through its phases, one entry each") {
  Story s = grown();
  const std::vector<FragmentId> old = distribution(s).map;
  StartReorg start = s.reorganise("T");
  start.now_s = 1700000000;
  start.rows_to_move = 500;
  CHECK(s.ok(start).ids == std::vector<std::uint64_t>{1});
  const Version began = s.c.version;
  const Job* j = s.c.running_job();
  REQUIRE(j != nullptr);
  CHECK((j->id == 1 && j->table_name == "t" && j->phase == Phase::prepare && j->leader_epoch == 1 &&
         j->rows_to_move == 500 && j->started_s == 1700000000));
  CHECK(distribution(s).groups == std::vector<GroupId>{0, 0, 1, 1});
  CHECK(distribution(s).map == old);
  CHECK(distribution(s).next == extended_map(old, 2, 4));
  CHECK(distribution(s).phase == Phase::prepare);
  CHECK(distribution(s).steps == std::vector<PhaseStep>{{began, Phase::prepare}});

  CHECK(s.refused(Error::version_moved, AdvanceReorg{1, Phase::copying, 0}) ==
        "job 1 is in phase prepare, which copying does not follow");
  s.refused(Error::version_moved, AdvanceReorg{1, Phase::none, 0});
  for (const Phase p :
       {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched, Phase::settling, Phase::cleaning}) {
    s.ok(AdvanceReorg{1, p, 0});
    CHECK(s.c.running_job()->phase == p);
    CHECK(distribution(s).phase == p);
    CHECK(distribution(s).steps.back() == PhaseStep{s.c.version, p});
    CHECK(distribution(s).view == s.c.version);
    CHECK(s.c.view == s.c.version);
    CHECK(s.c.changed_version == s.c.version);
    s.refused(Error::version_moved, AdvanceReorg{1, p, 0});
  }
  CHECK(distribution(s).steps.size() == 7);
  s.ok(AdvanceReorg{1, Phase::none, 498});
  CHECK(s.c.running_job() == nullptr);
  CHECK(s.c.jobs.at(1).state == JobState::done);
  CHECK(s.c.jobs.at(1).rows_moved == 498);
  CHECK(distribution(s).map == extended_map(old, 2, 4));
  CHECK((distribution(s).next.empty() && distribution(s).steps.empty() && distribution(s).phase == Phase::none));
  CHECK(distribution(s).view == s.c.version);
  CHECK(s.refused(Error::no_such_job, AdvanceReorg{1, Phase::doubling, 0}) ==
        "job 1 (table \"t\") does not run any more: it is done");
  s.refused(Error::no_such_job, AdvanceReorg{9, Phase::doubling, 0});

  const Outcome nothing = s.ok(s.reorganise("t"));
  CHECK_FALSE(nothing.changed);
  CHECK(nothing.ids.empty());
  CHECK(s.c.jobs.size() == 1);
}

TEST_CASE("one schema change at a time; the refusal says who holds the lock") {
  Story s = grown();
  s.ok(s.create("u"));
  s.refused(Error::no_such_table, s.reorganise("nobody"));
  s.ok(s.reorganise("t"));
  const std::string text = "table \"t\" is being reorganised (job 1, prepare); wait for it, or cancel it";
  CHECK(s.refused(Error::schema_busy, s.reorganise("t")) == text);
  CHECK(s.refused(Error::schema_busy, s.reorganise("u")) == text);
  CHECK(s.refused(Error::schema_busy, s.create("v")) == text);
  CHECK(s.refused(Error::schema_busy, DropTable{"u", false}) == text);
  CHECK(s.refused(Error::schema_busy, CreateGroups{{{5, 6}}}) == text);
  CHECK(s.refused(Error::schema_busy, DropGroup{1}) == text);
  s.ok(CreateTable{table_named("u"), true});  // nothing to do is no change
  s.ok(DropTable{"v", true});
  s.ok(s.down(3));  // nodes come and go as they like
  s.come_up(3);
  s.configure(image_of(2, {1, 2, 3, 4, 5, 6, 7}));
  s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched});
  CHECK(s.refused(Error::schema_busy, s.create("v")) ==
        "table \"t\" is being reorganised (job 1, switched); wait for it");
  s.advance(1, {Phase::settling, Phase::cleaning, Phase::none});
  s.ok(s.create("v"));
}

TEST_CASE("before the commit point a job can be rolled back, after it not") {
  for (int steps = 0; steps < 5; steps++) {
    Story s = grown();
    const Distribution before = distribution(s);
    s.ok(s.reorganise("t"));
    const std::vector<Phase> phases = {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched};
    for (int i = 0; i < steps; i++) s.ok(AdvanceReorg{1, phases[static_cast<std::size_t>(i)], 0});
    INFO("in phase " << name_of(distribution(s).phase));
    if (steps == 4) {
      CHECK(s.refused(Error::past_commit_point, AbortReorg{1, Error::cancelled, ""}).find("only go forward") !=
            std::string::npos);
      s.advance(1, {Phase::settling, Phase::cleaning});
      s.refused(Error::past_commit_point, AbortReorg{1, Error::cancelled, ""});
      continue;
    }
    s.ok(AbortReorg{1, Error::not_enough_memory, "node 3 has 1 MiB"});
    Distribution after = distribution(s);
    CHECK(after.view == s.c.version);
    after.view = before.view;
    CHECK(after == before);
    const Job& j = s.c.jobs.at(1);
    CHECK((j.state == JobState::rolled_back && j.error == Error::not_enough_memory && j.detail == "node 3 has 1 MiB"));
    CHECK(s.refused(Error::no_such_job, AbortReorg{1, Error::cancelled, ""}).find("rolled back, node 3 has 1 MiB") !=
          std::string::npos);
    CHECK(s.ok(s.reorganise("t")).ids == std::vector<std::uint64_t>{2});
  }
  Story s = grown();
  s.refused(Error::no_such_job, AbortReorg{1, Error::cancelled, ""});
}

TEST_CASE("a new leader rolls back, goes on, or takes over") {
  Story s = grown();
  SECTION("before the commit point: rolled back") {
    s.ok(s.reorganise("t"));
    s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding});
    const Outcome o = s.ok(LeaderStarts{9});
    CHECK(o.text == "rolled back job 1");
    CHECK(o.ids == std::vector<std::uint64_t>{2});
    const Job& j = s.c.jobs.at(1);
    CHECK((j.state == JobState::rolled_back && j.error == Error::node_failure));
    CHECK(j.detail == "the leader of the metadata log changed");
    CHECK(distribution(s).groups.size() == 2);
    CHECK(s.c.view == s.c.version);
  }
  SECTION("marked as to be resumed: taken over") {
    s.ok(s.reorganise("t", {}, true));
    const View view = s.c.view;
    s.ok(LeaderStarts{9});
    CHECK(s.c.running_job()->leader_epoch == 2);
    CHECK(s.c.view == view);
    s.finish(1);
  }
  SECTION("past the commit point: rolled forward") {
    s.ok(s.reorganise("t"));
    s.advance(1, {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched});
    s.ok(LeaderStarts{9});
    CHECK(s.c.running_job()->leader_epoch == 2);
    s.advance(1, {Phase::settling, Phase::cleaning, Phase::none});
    CHECK(s.c.jobs.at(1).state == JobState::done);
  }
  CHECK(s.c.leader_epoch == 2);
  CHECK(s.c.leader_raft_id == 9);
}

TEST_CASE("two new groups in one reorganisation, and one after the other") {
  Story s = grown();
  SECTION("at once") {
    s.ok(CreateGroups{{{5, 6}}});
    s.ok(s.reorganise("t"));
    CHECK(distribution(s).groups == std::vector<GroupId>{0, 0, 1, 1, 2, 2});
    s.finish(1);
  }
  SECTION("one after the other") {
    s.ok(s.reorganise("t"));
    s.finish(1);
    s.ok(CreateGroups{{{5, 6}}});
    s.ok(s.reorganise("t"));
    s.finish(2);
  }
  for (const auto& [g, n] : buckets_by_group(distribution(s))) CHECK(n == 1280);
}

TEST_CASE("a group without a member in sync gets no fragments") {
  Story s = grown();
  s.ok(s.down(3));
  s.ok(s.down(4, true));
  CHECK(s.refused(Error::not_ready, s.reorganise("t")) ==
        "node group 1 has no member in sync; start its nodes 3, 4 or drop the group");
}

TEST_CASE("draining moves a table off a group, which then can be dropped") {
  Story s = grown();
  CHECK(s.refused(Error::no_such_group, s.reorganise("t", {5})) == "no such node group: 5");
  CHECK_FALSE(s.ok(s.reorganise("t", {1})).changed);  // t is not there
  s.refused(Error::bad_group_id, s.reorganise("t", {0, 1}));
  s.ok(s.reorganise("t"));
  s.finish(1);
  s.ok(s.create("u"));

  SECTION("the new group gives everything back") {
    s.ok(s.reorganise("t", {1}));
    CHECK(distribution(s).groups == std::vector<GroupId>{0, 0, 1, 1});
    for (std::size_t b = 0; b < limits::kBuckets; b++) {
      REQUIRE(distribution(s).next[b] < 2);
      if (distribution(s).map[b] < 2) REQUIRE_FALSE(distribution(s).moves(static_cast<std::uint16_t>(b)));
    }
    s.finish(2);
    CHECK(distribution(s).groups == std::vector<GroupId>{0, 0, kNoGroup, kNoGroup});
    CHECK(buckets_by_group(distribution(s)) == std::map<GroupId, std::uint32_t>{{0, 3840}});
    CHECK(s.refused(Error::group_in_use, DropGroup{1}).find("1 table: u") != std::string::npos);
    s.ok(s.reorganise("u", {1}));
    s.finish(3);
    s.ok(DropGroup{1});
    CHECK_FALSE(s.ok(s.reorganise("t")).changed);
    s.ok(CreateGroups{{{3, 4}}});
    s.ok(s.reorganise("t"));  // the numbers of the fragments that are gone are taken again
    CHECK(distribution(s).groups == std::vector<GroupId>{0, 0, 1, 1});
    s.finish(4);
    CHECK(buckets_by_group(distribution(s)) == std::map<GroupId, std::uint32_t>{{0, 1920}, {1, 1920}});
  }
  SECTION("rolled back, it removes the copies before anything else may happen to the schema") {
    const Distribution before = distribution(s);
    s.ok(s.reorganise("t", {1}));
    s.ok(AbortReorg{2, Error::ok, "no"});  // nothing was copied yet
    CHECK(s.c.jobs.at(2).state == JobState::rolled_back);
    s.ok(s.reorganise("t", {1}));
    s.advance(3, {Phase::doubling, Phase::copying});
    const bool new_leader = GENERATE(false, true);
    s.ok(new_leader ? CommandBody(LeaderStarts{8}) : CommandBody(AbortReorg{3, Error::ok, "no"}));
    CHECK(s.c.running_job()->leader_epoch == s.c.leader_epoch);
    CHECK((s.c.jobs.at(3).state == JobState::running && s.c.jobs.at(3).rolling_back()));
    CHECK(distribution(s).phase == Phase::settling);
    CHECK(distribution(s).next == before.map);
    for (std::uint16_t b = 0; b < limits::kBuckets; b++) {  // read and written where it was, by every view
      for (const Phase p : {Phase::doubling, Phase::copying, Phase::settling}) {
        const Targets t = distribution(s).write_targets(b, p);
        REQUIRE((t.first == before.map[b] && !t.two && distribution(s).read_target(b, p) == before.map[b]));
      }
    }
    CHECK_FALSE(s.ok(AbortReorg{3, Error::ok, "again"}).changed);
    CHECK(s.refused(Error::schema_busy, s.create("v")).find("rolling back, settling") != std::string::npos);
    s.ok(LeaderStarts{9});
    CHECK(s.c.running_job()->leader_epoch == s.c.leader_epoch);
    s.ok(AdvanceReorg{3, Phase::cleaning, 0});
    s.ok(AdvanceReorg{3, Phase::none, 77});
    const Job& j = s.c.jobs.at(3);
    CHECK((j.state == JobState::rolled_back && j.rows_moved == 0));
    Distribution after = distribution(s);
    after.view = before.view;
    CHECK(after == before);
  }
  SECTION("the old group goes while a new one comes") {
    s.ok(CreateGroups{{{5, 6}}});
    s.ok(s.reorganise("t", {0}));
    s.finish(2);
    CHECK(distribution(s).groups == std::vector<GroupId>{kNoGroup, kNoGroup, 1, 1, 2, 2});
    CHECK(buckets_by_group(distribution(s)) == std::map<GroupId, std::uint32_t>{{1, 1920}, {2, 1920}});
    s.ok(s.reorganise("t"));  // and back onto all of them, with holes in front
    CHECK(distribution(s).groups == std::vector<GroupId>{kNoGroup, kNoGroup, 1, 1, 2, 2, 0, 0});
    s.ok(AbortReorg{3, Error::ok, "no"});
    CHECK(s.c.jobs.at(3).error == Error::cancelled);
    CHECK(distribution(s).groups == std::vector<GroupId>{kNoGroup, kNoGroup, 1, 1, 2, 2});
    s.ok(s.reorganise("t"));
    s.finish(4);
    for (const auto& [g, n] : buckets_by_group(distribution(s))) CHECK(n == 1280);
  }
}

TEST_CASE("the last 64 jobs are kept") {
  Story s = grown();
  for (std::uint64_t id = 1; id <= limits::kJobsKept + 3; id++) {
    CHECK(s.ok(s.reorganise("t")).ids == std::vector<std::uint64_t>{id});
    s.ok(AbortReorg{id, Error::cancelled, ""});
  }
  CHECK(s.c.jobs.size() == limits::kJobsKept);
  CHECK(s.c.jobs.begin()->first == 4);
}

TEST_CASE("growth one group at a time stays even: 2, 3, 4, 5 fragments") {
  Story s;
  s.configure(image_of(1, {1, 2, 3, 4, 5}));
  s.join({1, 2});
  s.ok(StartCluster{{1, 2}});
  s.ok(s.create("t"));
  for (NodeId id = 3; id <= 5; id++) {
    s.come_up(id);
    s.ok(CreateGroups{{{id}}});
    s.ok(s.reorganise("t"));
    const Distribution d = distribution(s);
    std::uint32_t moving = 0;
    for (std::size_t b = 0; b < limits::kBuckets; b++) {
      if (d.next[b] == d.map[b]) continue;
      moving++;
      if (d.next[b] != id - 1) FAIL("a bucket moved between old fragments");
    }
    CHECK(moving == limits::kBuckets / id);
    s.finish(id - 2u);
    for (const auto& [g, n] : buckets_by_group(distribution(s))) CHECK(n == limits::kBuckets / id);
  }
}
