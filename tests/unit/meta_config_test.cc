#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

TEST_CASE("the first configuration makes the cluster, later ones count up") {
  Story s;
  ChangeConfig x = s.config_change(image_of(2, {1, 2}));
  x.cluster_id = 0;
  s.refused(Error::illegal_change, x);
  x.cluster_id = 99;
  x.expect_generation = 1;
  s.refused(Error::generation_moved, x);
  x.expect_generation = 0;
  x.generation.number = 77;  // assigned, not taken
  x.generation.message = "first";
  CHECK(s.ok(x).ids == std::vector<std::uint64_t>{1});
  CHECK((s.c.generation == 1 && s.c.cluster_id == 99 && s.c.name == "tests" && s.c.replicas == 2 && !s.c.started));
  CHECK(s.c.generations.at(1).message == "first");
  CHECK(s.c.changed_version == s.c.version);
  CHECK(s.c.config()->nodes.size() == 5);
  CHECK((s.node(1).state == NodeState::down && s.node(1).group == kNoGroup));
  CHECK(s.node(49).type == NodeType::mgm);

  CHECK_FALSE(s.ok(s.config_change(image_of(2, {1, 2}))).changed);
  CHECK(s.c.generation == 1);
  CHECK(s.refused(Error::generation_moved, x) ==
        "the configuration is at generation 1, the change was made from generation 0; look at the "
        "difference and repeat");
  ConfigImage image = image_of(2, {1, 2, 3});
  image.nodes[2].has_group_wish = true;
  CHECK(s.configure(image).ids == std::vector<std::uint64_t>{2});
  CHECK(s.node(3).no_group_wish);
  CHECK(s.c.cluster_id == 99);
}

TEST_CASE("what a configuration may not change") {
  Story s = small_cluster(4);
  s.ok(s.down(4));
  auto refused = [&](const ConfigImage& image) { return s.refused(Error::illegal_change, s.config_change(image)); };
  ConfigImage image = image_of(2, {1, 2, 3, 4});
  image.name = "other";
  CHECK(refused(image) ==
        "the name of the cluster may not change: it is \"tests\", the new configuration says "
        "\"other\"");
  image = image_of(1, {1, 2, 3, 4});
  CHECK(refused(image) ==
        "NoOfReplicas may not change once the cluster has started: it is 2, the new configuration "
        "says 1");
  image = image_of(2, {1, 2, 3, 4});
  image.nodes[3].type = NodeType::api;
  CHECK(refused(image) == "node 4 may not change from data node to API node; take a new node id");
  CHECK(refused(image_of(2, {2, 3, 4})) == "node 1 is missing in the new configuration but is in sync; stop it first");
  CHECK(refused(image_of(2, {1, 2, 4})).find("node 3 is missing in the new configuration but is in sync") == 0);
  image = image_of(2, {1, 2, 3, 4});
  image.nodes[2].disabled = true;
  CHECK(refused(image) == "node 3 is in sync and cannot be disabled; stop it first");
  s.ok(s.down(2));
  CHECK(refused(image_of(2, {1, 3, 4})).find("but belongs to node group 0; drop the group first") != std::string::npos);
  s.ok(s.create("t"));
  CHECK(refused(image_of(2, {1, 3, 4})).find("which holds data") != std::string::npos);
  s.ok(SetSingleUser{52});
  CHECK(refused(image_of(2, {1, 2, 3, 4}, {49}, {51})).find("is the single user") != std::string::npos);
  image = image_of(2, {1, 2, 3, 4});
  image.nodes.back().disabled = true;
  CHECK(refused(image).find("node 52 is the single user") == 0);
  s.ok(SetSingleUser{0});

  s.configure(image_of(2, {1, 2, 3}));  // node 4 is down and outside
  CHECK(s.c.node(4) == nullptr);
  CHECK(s.node(2).group == 0);
  CHECK(s.node(2).state == NodeState::down);
}

TEST_CASE("a configuration that is none") {
  Story s;
  ChangeConfig none;
  none.cluster_id = 1;
  s.refused(Error::illegal_change, none);
  auto refused = [&](const ConfigImage& image) { return s.refused(Error::illegal_change, s.config_change(image)); };
  CHECK(refused(image_of(0, {1})) == "NoOfReplicas is 0; it takes 1 to 4");
  refused(image_of(5, {1}));
  refused(image_of(2, {0}));
  CHECK(refused(image_of(2, {145}, {}, {})) == "data node 145: the ids of data nodes end at 144");
  refused(image_of(2, {}, {256}, {}));
  CHECK(refused(image_of(2, {1, 1})) == "node 1 is there twice");
  refused(image_of(2, {2, 1}));
  ConfigImage image = image_of(2, {1});
  image.nodes[0].has_group_wish = true;
  image.nodes[0].wished_group = 72;
  CHECK(refused(image) == "node 1: NodeGroup=72 is neither 0 to 71 nor 65536");
}

TEST_CASE("NoOfReplicas may change before the first start") {
  Story s;
  s.configure(image_of(2, {1, 2}));
  s.configure(image_of(1, {1, 2}));
  CHECK(s.c.replicas == 1);
  s.join({1, 2});
  CHECK(s.ok(StartCluster{{1, 2}}).ids == std::vector<std::uint64_t>{0, 1});
}

TEST_CASE("a node disabled by command stays so until the configuration says something new about it") {
  Story s = small_cluster(3);
  s.ok(s.down(3));
  s.ok(SetNodeEnabled{3, false});
  ConfigImage image = image_of(2, {1, 2, 3, 4});
  s.configure(image);
  CHECK(s.node(3).disabled);
  image.nodes[2].disabled = true;
  s.configure(image);
  s.ok(SetNodeEnabled{3, true});
  image.text += "# again\n";
  s.configure(image);
  CHECK_FALSE(s.node(3).disabled);
  image.nodes[3].disabled = true;
  s.configure(image);
  CHECK(s.node(4).disabled);
}

TEST_CASE("the last generations are kept") {
  Catalog c;
  Version index = 0;
  for (std::uint64_t g = 0; g < limits::kGenerationsKept + 5; g++) {
    ConfigImage image = image_of(1, {1});
    image.text = std::to_string(g);
    Command command;
    ChangeConfig x;
    x.expect_generation = g;
    x.cluster_id = 1;
    x.generation.image = std::make_shared<const ConfigImage>(image);
    command.body = std::move(x);
    REQUIRE(apply(&c, ++index, command).changed);
  }
  CHECK(c.generations.size() == limits::kGenerationsKept);
  CHECK(c.generations.begin()->first == 6);
  CHECK(c.config() != nullptr);
}
