#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

TEST_CASE("a node is let in, is counted, and comes in sync after its group's view") {
  Story s = small_cluster(2);
  CHECK(s.node(1).state == NodeState::in_sync);
  CHECK(s.node(1).incarnation == 1);
  s.ok(s.down(1));
  CHECK(s.node(1).state == NodeState::down);
  CHECK(s.c.groups.at(0).view == s.c.version);
  CHECK(s.c.view == s.c.version);
  const NodeInSync early = s.in_sync(1);
  CHECK(s.refused(Error::bad_node_state, early) == "node 1 is down; it must join first");

  NodeJoins again = s.joins(1, 4);
  again.raft_id = 5;
  CHECK(s.ok(again).ids == std::vector<std::uint64_t>{2});
  const Node& n = s.node(1);
  CHECK((n.state == NodeState::joining && n.incarnation == 2 && n.raft_id == 5 && n.workers == 4 && n.port == 2001));
  CHECK(n.generation == 1);
  CHECK(n.address == "127.0.0.1");
  CHECK(s.c.groups.at(0).view == s.c.version);

  CHECK(s.refused(Error::version_moved, NodeInSync{1, 1, s.c.groups.at(0).view}) ==
        "node 1 has incarnation 2, not 1: it was started again since");
  CHECK(s.refused(Error::version_moved, NodeInSync{1, 2, early.group_view}).find("ask the primaries again") !=
        std::string::npos);
  s.ok(s.in_sync(1));
  CHECK(s.node(1).state == NodeState::in_sync);
  CHECK(s.c.groups.at(0).view == s.c.version);
  CHECK_FALSE(s.ok(s.in_sync(1)).changed);
}

TEST_CASE("who may not join") {
  Story s = small_cluster(3);
  CHECK(s.refused(Error::no_such_node, s.joins(9)) == "no node 9 in the configuration (generation 1)");
  CHECK(s.refused(Error::wrong_node_id, s.joins(49)) == "node 49 is configured as management node, not as data node");
  CHECK(s.refused(Error::wrong_node_id, s.joins(51)).find("API") != std::string::npos);
  s.refused(Error::bad_definition, s.joins(3, 0));
  s.refused(Error::bad_definition, s.joins(3, 33));
  s.ok(s.down(3));
  s.ok(SetNodeEnabled{3, false});
  CHECK(s.refused(Error::bad_node_state, s.joins(3)) == "node 3 is disabled; enable it first");
  CHECK_FALSE(s.ok(SetNodeEnabled{3, false}).changed);
  s.ok(SetNodeEnabled{3, true});
  s.come_up(3);
  CHECK(s.refused(Error::bad_node_state, SetNodeEnabled{3, false}) == "node 3 is in sync; stop it first");
  s.refused(Error::no_such_node, SetNodeEnabled{99, false});
  s.refused(Error::wrong_node_id, SetNodeEnabled{49, false});
}

TEST_CASE("a node that restarts before it was missed is declared dead by its own joining") {
  Story s = small_cluster(2);
  s.ok(s.create("t"));
  s.ok(s.joins(2));
  CHECK(s.node(2).state == NodeState::joining);
  CHECK(s.node(2).incarnation == 2);
  SECTION(
      "its peer, the last in sync, is not let in anew: the rows were in the memory of its old "
      "process") {
    NodeJoins one = s.joins(1);
    CHECK(s.refused(Error::would_lose_group, one)
              .find("node 1 was the last member of node group 0 in sync and comes "
                    "without its rows") == 0);
    CHECK(s.node(1).state == NodeState::in_sync);
    const View flushed = s.c.view;
    s.ok(EpochDurable{9, flushed});
    // With its files it may try: the cluster can come back from its disks.
    one.initial = false;
    s.ok(one);
    s.refused(Error::version_moved, EpochDurable{10, flushed});  // it has come again since
    s.refused(Error::not_ready, EpochDurable{10});
    s.refused(Error::version_moved, RestartCluster{{{1, 1}}, 9});
    s.refused(Error::version_moved, RestartCluster{{{1, 2}}, 0});
    s.refused(Error::would_lose_group, RestartCluster{{}, 9});
    s.ok(RestartCluster{{{1, 2}}, 9});
    CHECK(s.node(1).state == NodeState::in_sync);
    CHECK(s.node(2).state == NodeState::joining);
    CHECK(s.c.group(0)->restarted == s.c.version);
    CHECK(s.c.group(0)->view == s.c.version);
    s.refused(Error::bad_node_state, RestartCluster{{{2, 2}}, 9});
  }
  SECTION("without a table there is nothing to lose") {
    s.ok(DropTable{"t", false});
    s.ok(s.joins(1));
    s.ok(s.in_sync(1));
    s.ok(s.in_sync(2));
  }
  SECTION("a third start counts on") {
    s.ok(s.joins(2));
    CHECK(s.node(2).incarnation == 3);
  }
}

TEST_CASE("the last member in sync goes down by force only, and nobody follows it from nothing") {
  Story s = small_cluster(2);
  s.ok(s.create("t"));
  s.ok(s.down(2));
  CHECK_FALSE(s.ok(s.down(2)).changed);
  CHECK(s.refused(Error::would_lose_group, s.down(1)).find("start another member and wait") != std::string::npos);
  s.ok(s.joins(2));
  s.refused(Error::would_lose_group, s.down(1));  // one that is filling does not count
  CHECK(s.ok(s.down(1, true)).text == "node group 0 has no member in sync any more");
  CHECK(s.c.primary(0, 0) == 0);
  CHECK(s.c.backups(0, 0).empty());
  CHECK(s.refused(Error::would_lose_group, s.in_sync(2)).find("no member in sync") != std::string::npos);
  CHECK(s.refused(Error::not_ready, s.create("u")).find("node group 0 has no member in sync") == 0);
}

TEST_CASE("nobody comes in sync while a group is lost: all come back together") {
  Story s = small_cluster(4);
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(s.create("t"));
  s.ok(s.down(2));
  s.ok(s.joins(2));
  s.ok(s.down(3));
  s.ok(s.down(4, true));
  CHECK(s.refused(Error::not_ready, s.in_sync(2)).find("all come back together") != std::string::npos);
}

TEST_CASE("verdicts about an old incarnation, or about nobody, are refused") {
  Story s = small_cluster(3);
  const NodeDown old = s.down(3);
  s.ok(s.joins(3));
  s.refused(Error::version_moved, old);
  CHECK(s.node(3).state == NodeState::joining);
  s.refused(Error::no_such_node, NodeDown{88, 1, "", false});
  s.refused(Error::wrong_node_id, NodeDown{49, 0, "", false});
  s.refused(Error::no_such_node, NodeInSync{88, 1, 0});
  s.ok(s.down(3));
}

TEST_CASE("primary and backups go round from fragment mod replicas") {
  Story s;
  s.configure(image_of(3, {1, 2, 3}));
  s.join({1, 2, 3});
  s.ok(StartCluster{{3, 1, 2}});
  CHECK(s.c.groups.at(0).members == std::vector<NodeId>{1, 2, 3});
  CHECK(s.c.primary(0, 0) == 1);
  CHECK(s.c.primary(0, 1) == 2);
  CHECK(s.c.primary(0, 5) == 3);
  CHECK(s.c.backups(0, 4) == std::vector<NodeId>{3, 1});
  s.ok(s.down(2));
  CHECK(s.c.primary(0, 1) == 3);
  CHECK(s.c.backups(0, 1) == std::vector<NodeId>{1});
  s.ok(s.joins(2));
  CHECK(s.c.primary(0, 1) == 3);
  CHECK(s.c.primary(7, 1) == 0);
}

TEST_CASE("the first start fills groups: wishes first, the rest in the order of ids") {
  Story s;
  ConfigImage image = image_of(2, {1, 2, 3, 4, 5, 6, 7});
  image.nodes[0].has_group_wish = true;  // node 1 wants group 3
  image.nodes[0].wished_group = 3;
  image.nodes[4].has_group_wish = true;  // node 5 wants none
  image.nodes[4].wished_group = kNoGroup;
  s.configure(image);
  CHECK(s.refused(Error::bad_node_state, StartCluster{{1, 2}}).find("node 1 is down") == 0);
  s.join({1, 2, 3, 4, 5, 7});
  CHECK(s.refused(Error::not_ready, s.in_sync(5)).find("first start") != std::string::npos);
  s.refused(Error::no_such_node, StartCluster{{1, 2, 99}});
  s.refused(Error::wrong_node_id, StartCluster{{1, 2, 49}});
  CHECK(s.refused(Error::node_repeated, StartCluster{{1, 2, 1}}) == "node 1 is listed twice");
  s.refused(Error::wrong_number_of_nodes, StartCluster{{}});
  s.refused(Error::wrong_number_of_nodes, StartCluster{{5}});
  CHECK(s.refused(Error::wrong_number_of_nodes, StartCluster{{1, 2, 3}}) ==
        "node group 0 has 1 of 2 nodes (NoOfReplicas): 3; start the missing ones");
  CHECK(s.refused(Error::wrong_number_of_nodes, StartCluster{{1}}).find("node group 3 has 1 of 2") == 0);
  CHECK(s.refused(Error::not_ready, s.create("t")).find("not been started") != std::string::npos);
  s.refused(Error::not_ready, CreateGroups{{{1, 2}}});

  SECTION("six nodes, one of them outside, make an odd number") {
    CHECK(s.refused(Error::wrong_number_of_nodes, StartCluster{{7, 5, 4, 3, 2, 1}}) ==
          "node group 1 has 1 of 2 nodes (NoOfReplicas): 7; start the missing ones");
  }
  SECTION("five, one outside") {
    CHECK(s.ok(StartCluster{{5, 4, 3, 2, 1}}).ids == std::vector<std::uint64_t>{0, 3});
    CHECK(s.c.groups.at(3).members == std::vector<NodeId>{1, 2});
    CHECK(s.c.groups.at(0).members == std::vector<NodeId>{3, 4});
    CHECK(s.node(5).group == kNoGroup);
    CHECK(s.node(5).state == NodeState::in_sync);
    CHECK(s.node(7).state == NodeState::joining);
    CHECK(s.node(6).state == NodeState::down);
    CHECK(s.c.started);
    CHECK(s.c.groups.at(0).view == s.c.version);
    CHECK(s.c.changed_version == s.c.version);
    CHECK(s.refused(Error::bad_node_state, StartCluster{{7}}) == "the cluster has had its first start already");
    s.ok(s.in_sync(7));
    CHECK(s.ok(s.create("t")).ids == std::vector<std::uint64_t>{1});
    CHECK(s.c.table("t")->distribution.groups == std::vector<GroupId>{0, 0, 3, 3});
  }
}

TEST_CASE("too many wishes for one group") {
  Story s;
  ConfigImage image = image_of(2, {1, 2, 3});
  for (std::size_t i = 0; i < 3; i++) {
    image.nodes[i].has_group_wish = true;
    image.nodes[i].wished_group = 1;
  }
  s.configure(image);
  s.join({1, 2, 3});
  CHECK(s.refused(Error::wrong_number_of_nodes, StartCluster{{1, 2, 3}}) ==
        "node group 1 takes 2 nodes (NoOfReplicas), but 3 wish to be in it: 1, 2, 3");
}

TEST_CASE("single user mode takes an API node") {
  Story s = small_cluster(4);
  s.refused(Error::no_such_node, SetSingleUser{99});
  CHECK(s.refused(Error::wrong_node_id, SetSingleUser{1}).find("node 1 is no API node") == 0);
  s.ok(SetSingleUser{51});
  CHECK_FALSE(s.ok(SetSingleUser{51}).changed);
  CHECK(s.refused(Error::bad_node_state, SetSingleUser{52}).find("node 51 is the single user already") == 0);
  CHECK(s.refused(Error::bad_node_state, SetNodeEnabled{51, false}).find("node 51 is the single user") == 0);
  s.refused(Error::single_user, CreateGroups{{{3, 4}}});
  s.refused(Error::single_user, DropGroup{0});
  s.ok(SetSingleUser{0});
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(SetNodeEnabled{51, false});
  CHECK(s.refused(Error::wrong_node_id, SetSingleUser{51}).find("node 51 is disabled") == 0);
}

TEST_CASE("a node that was filled before its group got another fragment asks again") {
  Story s = small_cluster(4);
  s.ok(s.create("t"));
  s.ok(s.down(2));
  s.ok(s.joins(2));
  NodeInSync filled = s.in_sync(2);
  const View view = s.c.groups.at(0).view;
  s.ok(s.create("u"));
  CHECK(s.c.groups.at(0).view == view);  // streams go on
  s.refused(Error::version_moved, filled);
  filled = s.in_sync(2);
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(s.reorganise("t"));  // fragments of the other group only
  s.ok(filled);
}
