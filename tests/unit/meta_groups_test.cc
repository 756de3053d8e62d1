#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

TEST_CASE("bad input of node group creation, one by one") {
  Story s = small_cluster(4);  // 3 and 4 are free; 49 is a management, 51 an API node; 48 is nobody
  auto refused = [&](Error e, std::vector<std::vector<NodeId>> groups) {
    return s.refused(e, CreateGroups{std::move(groups)});
  };
  CHECK(refused(Error::bad_node_id, {{147, 148}}) == "node id 147 is invalid: data nodes have ids 1 to 144");
  refused(Error::bad_node_id, {{4, 147}});
  refused(Error::bad_node_id, {{0, 4}});
  CHECK(refused(Error::node_in_group, {{4, 48}}) ==
        "node 48 is not in the configuration (generation 1); add it there first");
  refused(Error::node_in_group, {{48, 3}});
  CHECK(refused(Error::node_in_group, {{3, 49}}) == "node 49 is a management node; a node group takes data nodes");
  CHECK(refused(Error::node_in_group, {{51, 3}}) == "node 51 is an API node; a node group takes data nodes");
  CHECK(refused(Error::node_in_group, {{1, 3}}) == "node 1 is already in node group 0");
  CHECK(refused(Error::node_repeated, {{3, 3}}) == "node 3 is listed twice");
  CHECK(refused(Error::wrong_number_of_nodes, {{3}}) == "a node group takes 2 nodes (NoOfReplicas), 1 is given: 3");
  CHECK(refused(Error::wrong_number_of_nodes, {{}}) == "a node group takes 2 nodes (NoOfReplicas), 0 are given");
  CHECK(refused(Error::wrong_number_of_nodes, {}) == "no nodes are given for a new node group");
  // the first bad id in the order of the list wins, and an id is looked at before the number of
  // nodes
  refused(Error::node_repeated, {{3, 3, 147}});
  refused(Error::bad_node_id, {{147, 3, 3}});
  refused(Error::node_in_group, {{3, 1, 3}});
  refused(Error::node_repeated, {{3, 4}, {4, 3}});
  CHECK(s.c.groups.size() == 1);
}

TEST_CASE("a group needs a member that is alive") {
  Story s = small_cluster(4);
  s.ok(s.down(3));
  s.ok(s.down(4));
  CHECK(s.refused(Error::all_nodes_dead, CreateGroups{{{3, 4}}}) ==
        "none of the nodes 3, 4 is alive; start one of them first");
  s.refused(Error::wrong_number_of_nodes, CreateGroups{{{3}}});  // 320 before 324
  s.ok(s.joins(3));
  CHECK(s.refused(Error::node_restart_running, CreateGroups{{{3, 4}}}) ==
        "node 3 is still starting; wait until it is up");
  s.ok(s.in_sync(3));
  CHECK(s.ok(CreateGroups{{{4, 3}}}).ids == std::vector<std::uint64_t>{1});
  CHECK(s.c.groups.at(1).members == std::vector<NodeId>{3, 4});
  CHECK(s.c.groups.at(1).view == s.c.version);
  CHECK(s.c.view == s.c.version);
  CHECK(s.c.changed_version == s.c.version);
  CHECK(s.c.primary(1, 0) == 3);
  CHECK(s.c.primary(1, 1) == 3);
  s.ok(s.joins(4));  // the dead one follows later
  s.ok(s.in_sync(4));
  CHECK(s.c.primary(1, 1) == 4);
}

TEST_CASE("a node that was coming up while its group was made asks again") {
  Story s = small_cluster(4);
  s.ok(s.joins(4));
  const NodeInSync outside = s.in_sync(4);
  s.ok(CreateGroups{{{3, 4}}});
  s.refused(Error::version_moved, outside);
  const NodeInSync inside = s.in_sync(4);
  s.ok(DropGroup{1});
  CHECK(s.refused(Error::version_moved, inside).find("no node group any more") != std::string::npos);
  s.ok(s.in_sync(4));
}

TEST_CASE("a group is as young as its first fragment: what was durable before then holds nothing of it") {
  Story s = small_cluster(4);
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(EpochDurable{20, s.c.view});
  s.ok(s.create("t"));
  CHECK(s.c.groups.at(1).since == 20);
  s.ok(EpochDurable{25, s.c.view});
  s.ok(s.create("u"));
  CHECK(s.c.groups.at(1).since == 20);  // it had rows by then
}

TEST_CASE("several groups are one change; ids are the lowest free ones") {
  Story s = small_cluster(8);
  s.refused(Error::node_in_group, CreateGroups{{{3, 4}, {5, 1}}});
  CHECK(s.c.groups.size() == 1);
  CHECK(s.ok(CreateGroups{{{5, 6}, {3, 4}}}).ids == std::vector<std::uint64_t>{1, 2});
  CHECK(s.c.groups.at(1).members == std::vector<NodeId>{5, 6});
  s.ok(DropGroup{1});
  CHECK(s.node(5).group == kNoGroup);
  CHECK(s.c.view == s.c.version);
  CHECK(s.ok(CreateGroups{{{7, 8}}}).ids == std::vector<std::uint64_t>{1});
}

TEST_CASE("a group goes when no table uses it") {
  Story s = small_cluster(4);
  CHECK(s.refused(Error::no_such_group, DropGroup{1}) == "no such node group: 1");
  s.ok(s.create("old"));
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(s.create("new"));
  CHECK(s.refused(Error::group_in_use, DropGroup{1}) ==
        "node group 1 holds fragments of 1 table: new; drop them, or reorganise them off the group");
  CHECK(s.refused(Error::group_in_use, DropGroup{0}).find("2 tables: old, new") != std::string::npos);
  for (int i = 0; i < 12; i++) s.ok(s.create("t" + std::to_string(i)));
  CHECK(s.refused(Error::group_in_use, DropGroup{1}).find("t8 and 3 more") != std::string::npos);
  for (int i = 0; i < 12; i++) s.ok(DropTable{"t" + std::to_string(i), false});
  s.ok(DropTable{"new", false});
  s.ok(DropGroup{1});
  CHECK(s.node(3).group == kNoGroup);
  CHECK(s.node(3).state == NodeState::in_sync);
  s.refused(Error::group_in_use, DropGroup{0});
}

TEST_CASE("tables: created over all groups, found by name, dropped") {
  Story s = small_cluster(4);
  CHECK(s.ok(s.create("Ips")).ids == std::vector<std::uint64_t>{1});
  const Table* t = s.c.table("iPS");
  REQUIRE(t != nullptr);
  CHECK((t->id == 1 && t->created == s.c.version && t->distribution.view == s.c.version && s.c.view == s.c.version));
  CHECK(s.c.changed_version == s.c.version);
  CHECK(t->distribution.groups == std::vector<GroupId>{0, 0});
  CHECK(t->distribution.map == initial_map(2));
  CHECK(s.refused(Error::table_exists, s.create("IPS")) == "table \"Ips\" exists already");
  const Outcome again = s.ok(CreateTable{table_named("IPS"), true});
  CHECK_FALSE(again.changed);
  CHECK(again.ids == std::vector<std::uint64_t>{1});
  s.refused(Error::bad_definition, CreateTable{Table{}, false});
  s.ok(CreateGroups{{{3, 4}}});
  CHECK(s.c.table("ips")->distribution.groups.size() == 2);
  s.ok(s.create("b"));
  CHECK(s.c.table("b")->distribution.groups == std::vector<GroupId>{0, 0, 1, 1});
  CHECK(s.refused(Error::no_such_table, DropTable{"c", false}) == "no such table: \"c\"");
  CHECK_FALSE(s.ok(DropTable{"c", true}).changed);
  s.ok(DropTable{"IPS", false});
  CHECK(s.c.table("ips") == nullptr);
  CHECK(s.c.view == s.c.version);
  CHECK(s.ok(s.create("ips")).ids == std::vector<std::uint64_t>{3});  // ids are never reused
}

TEST_CASE("fragments follow the workers that all members of a group have") {
  Story s;
  s.configure(image_of(2, {1, 2, 3, 4}));
  s.ok(s.joins(1, 4));
  s.ok(s.joins(2, 3));
  s.ok(s.joins(3, 2));
  s.ok(s.joins(4, 2));
  s.ok(StartCluster{{1, 2, 3, 4}});
  s.ok(s.create("t"));
  CHECK(s.c.table("t")->distribution.groups == std::vector<GroupId>{0, 0, 0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(s.c.worker(s.node(1), 5) == 2);
}

TEST_CASE("too many fragments") {
  Story s;
  std::vector<NodeId> nodes;
  for (NodeId id = 1; id <= 144; id++) nodes.push_back(id);
  ConfigImage image = image_of(2, nodes, {200}, {201});
  Command command;
  command.body = s.config_change(image);
  apply(&s.c, s.c.version + 1, command);
  for (const NodeId id : nodes) {
    command.body = s.joins(id, 11);
    apply(&s.c, s.c.version + 1, command);
  }
  s.ok(StartCluster{nodes});
  CHECK(s.c.groups.size() == 72);
  CHECK(s.refused(Error::too_many_fragments, s.create("t")) == "a table takes at most 1536 fragments");
}

TEST_CASE("a version that tables, groups, jobs or the generation have left behind is refused") {
  Story s = small_cluster(4);
  const Version looked = s.c.version;
  s.ok(s.down(3));
  s.come_up(3);
  CHECK(s.apply(s.create("a"), looked).changed);  // nodes came and went: nothing that matters here
  CHECK(s.refused(Error::version_moved, s.create("b"), looked).find("look again") != std::string::npos);
  CHECK(s.apply(s.create("b"), s.c.version).changed);
  CHECK(s.refused(Error::version_moved, s.create("c"), s.c.version + 5).find("right cluster") != std::string::npos);
}

TEST_CASE("the same request id is one change, and the outcome is told again") {
  Story s = small_cluster(4);
  Command command;
  command.request = {1, 1};
  command.body = s.create("t");
  const Outcome first = s.apply(command);
  CHECK(first.changed);
  const Outcome second = s.apply(command);
  CHECK(first == second);
  CHECK(s.c.tables.size() == 1);
  command.body = DropTable{"t", false};  // even with other words
  CHECK(s.apply(command) == first);
  CHECK(s.c.tables.size() == 1);
  Command refused;
  refused.request = {1, 2};
  refused.body = DropTable{"u", false};
  CHECK(s.apply(refused).error == Error::no_such_table);
  s.ok(s.create("u"));
  CHECK(s.apply(refused).error == Error::no_such_table);
  CHECK(s.c.outcome_of({}) == nullptr);
  CHECK(s.c.outcome_of({1, 2})->error == Error::no_such_table);
  CHECK(s.c.outcome_of({2, 2}) == nullptr);
}

TEST_CASE("request ids are forgotten first in, first out; their texts are bounded") {
  Catalog c;
  Command command;
  command.body = DropTable{std::string(limits::kMetaTextBytesMax, 'x'), false};
  for (std::uint64_t i = 1; i <= limits::kRequestIdsKept + 3; i++) {
    command.request = {0, i};
    apply(&c, i, command);
    if (i == 1) command.body = DropTable{"x", false};
  }
  CHECK(c.requests.size() == limits::kRequestIdsKept);
  CHECK(c.requests[0].first.low == 4);
  Catalog d;
  command.body = DropTable{std::string(limits::kMetaTextBytesMax, 'x'), false};
  CHECK(apply(&d, 1, command).text.size() == limits::kOutcomeTextBytesMax);
}
