#include "base/prng.h"
#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

std::string bytes_of(const Command& c) {
  Writer w;
  encode(w, c);
  return std::string(w.view());
}
std::string bytes_of(const Catalog& c) {
  Writer w;
  encode(w, c);
  return std::string(w.view());
}

// One of each kind, every field set to something.
std::vector<Command> one_of_each() {
  ChangeConfig config;
  config.expect_generation = 3;
  config.cluster_id = 5;
  config.generation = {9, 1700000000, "op@host", "set", "words", nullptr};
  ConfigImage image = image_of(2, {1, 2});
  image.nodes[0].disabled = true;
  image.nodes[1].has_group_wish = true;
  image.nodes[1].wished_group = 3;
  config.generation.image = std::make_shared<const ConfigImage>(image);
  CreateTable create{table_named("t"), true};
  create.table.columns[1].default_value = "x";
  StartReorg start;
  start.table = "t";
  start.resume_on_failure = true;
  start.drain = {1, 2};
  start.now_s = -1;
  start.rows_to_move = 12;
  const std::vector<CommandBody> bodies = {LeaderStarts{7},
                                           config,
                                           NodeJoins{3, 4, "10.0.0.1", 1186, 2, 5, true},
                                           StartCluster{{1, 2, 3}},
                                           NodeInSync{1, 2, 3},
                                           NodeDown{1, 2, "gone", true},
                                           CreateGroups{{{3, 4}, {}, {5}}},
                                           DropGroup{4},
                                           create,
                                           DropTable{"t", true},
                                           start,
                                           AdvanceReorg{1, Phase::switched, 55},
                                           AbortReorg{1, Error::verify_failed, "bucket 5"},
                                           SetSingleUser{51},
                                           SetNodeEnabled{3, false},
                                           EpochDurable{17},
                                           RestartCluster{{{1, 2}, {3, 4}}, 17},
                                           AllowLease{8000, 3}};
  std::vector<Command> all;
  for (const CommandBody& body : bodies) all.push_back({{11, 12}, 13, body});
  return all;
}

// A catalog with something of everything in it.
Catalog full() {
  Story s = small_cluster(6);
  s.ok(s.create("a"));
  s.ok(s.create("b"));
  s.ok(CreateGroups{{{3, 4}}});
  s.ok(s.reorganise("a"));
  s.finish(1);
  s.ok(s.reorganise("b"));
  s.advance(2, {Phase::doubling, Phase::copying});
  s.refused(Error::schema_busy, DropTable{"a", false});
  s.ok(s.down(5));
  s.ok(SetNodeEnabled{5, false});
  s.ok(SetSingleUser{51});
  s.ok(AllowLease{8000, s.c.leader_epoch});
  return s.c;
}

}  // namespace

TEST_CASE("every command survives its encoding") {
  const auto all = one_of_each();
  REQUIRE(all.size() == std::variant_size_v<CommandBody>);
  for (std::size_t i = 0; i < all.size(); i++) {
    INFO(name_of(all[i].body));
    REQUIRE(all[i].body.index() == i);
    const std::string bytes = bytes_of(all[i]);
    Reader r(bytes);
    Command back;
    REQUIRE(decode(r, &back));
    CHECK(r.done());
    CHECK(bytes_of(back) == bytes);
    CHECK((back.request == RequestId{11, 12} && back.expect_version == 13 && back.body.index() == i));
  }
  Reader r(Bytes{});
  Command none;
  CHECK_FALSE(decode(r, &none));
}

TEST_CASE("fields arrive where they were sent from") {
  const auto all = one_of_each();
  auto sent = [&](std::size_t i) {
    Command back;
    const std::string bytes = bytes_of(all[i]);
    Reader r(bytes);
    REQUIRE(decode(r, &back));
    return back.body;
  };
  const auto config = std::get<ChangeConfig>(sent(1));
  CHECK((config.expect_generation == 3 && config.cluster_id == 5 && config.generation.who == "op@host" &&
         config.generation.when_s == 1700000000 && config.generation.source == "set"));
  CHECK(*config.generation.image == *std::get<ChangeConfig>(all[1].body).generation.image);
  const auto joins = std::get<NodeJoins>(sent(2));
  CHECK((joins.node == 3 && joins.raft_id == 4 && joins.address == "10.0.0.1" && joins.port == 1186 &&
         joins.workers == 2 && joins.generation == 5 && joins.initial));
  const auto down = std::get<NodeDown>(sent(5));
  CHECK((down.node == 1 && down.incarnation == 2 && down.reason == "gone" && down.forced));
  CHECK(std::get<CreateGroups>(sent(6)).groups == std::vector<std::vector<NodeId>>{{3, 4}, {}, {5}});
  CHECK(std::get<CreateTable>(sent(8)).table == std::get<CreateTable>(all[8].body).table);
  const auto start = std::get<StartReorg>(sent(10));
  CHECK((start.table == "t" && start.resume_on_failure && start.drain == std::vector<GroupId>{1, 2} &&
         start.now_s == -1 && start.rows_to_move == 12));
  const auto abort = std::get<AbortReorg>(sent(12));
  CHECK((abort.job == 1 && abort.error == Error::verify_failed && abort.detail == "bucket 5"));
}

TEST_CASE("cut commands are refused, garbled ones never crash") {
  Prng random(3);
  const Catalog whole = full();
  for (const Command& command : one_of_each()) {
    const std::string bytes = bytes_of(command);
    for (std::size_t n = 0; n < bytes.size(); n++) {
      Reader r(Bytes(bytes).substr(0, n));
      Command none;
      REQUIRE_FALSE(decode(r, &none));
    }
    for (int i = 0; i < 2000; i++) {
      std::string garbled = bytes;
      for (std::uint64_t n = random.between(1, 4); n > 0; n--) {
        garbled[random.below(garbled.size())] = static_cast<char>(random.chance(0.3) ? 0xff : random.below(256));
      }
      Reader r(garbled);
      Command c;
      if (!decode(r, &c)) continue;
      Catalog catalog = whole;
      (void)apply(&catalog, catalog.version + 1, c);
    }
  }
}

TEST_CASE("cut catalogs are refused; garbled ones never crash, and what is read is whole") {
  const std::string bytes = bytes_of(full());
  for (std::size_t n = 0; n < bytes.size(); n += n < 2000 ? 1 : 37) {
    Reader r(Bytes(bytes).substr(0, n));
    Catalog none;
    REQUIRE_FALSE(decode(r, &none));
  }
  Prng random(4);
  int read = 0;
  for (int i = 0; i < 4000; i++) {
    std::string garbled = bytes;
    for (std::uint64_t n = random.between(1, 3); n > 0; n--) {
      garbled[random.below(garbled.size())] = static_cast<char>(random.chance(0.3) ? 0xff : random.below(256));
    }
    Reader r(garbled);
    Catalog c;
    if (!decode(r, &c)) continue;
    read++;
    for (const auto& [id, t] : c.tables) {
      for (const FragmentId f : t->distribution.map) {
        (void)c.primary(t->distribution.groups[f], f);
        for (const auto& [node, n] : c.nodes) (void)c.worker(n, f);
        break;
      }
    }
    (void)describe(c);
    const std::string again = bytes_of(c);
    Reader second(again);
    Catalog d;
    REQUIRE(decode(second, &d));
    REQUIRE(bytes_of(d) == again);
  }
  CHECK(read > 100);
}

TEST_CASE("a catalog whose parts do not fit each other is refused") {
  const Catalog whole = full();
  auto broken = [&](auto change) {
    Catalog c = whole;
    change(c);
    const std::string bytes = bytes_of(c);
    Reader r(bytes);
    Catalog back;
    return !decode(r, &back);
  };
  CHECK_FALSE(broken([](Catalog&) {}));
  CHECK(broken([](Catalog& c) { c.replicas = 0; }));
  CHECK(broken([](Catalog& c) { c.replicas = 3; }));
  CHECK(broken([](Catalog& c) { c.generation = 9; }));
  CHECK(broken([](Catalog& c) { c.groups.at(0).members = {1, 3}; }));
  CHECK(broken([](Catalog& c) { c.nodes.at(6).group = 0; }));
  CHECK(broken([](Catalog& c) { c.nodes.at(6).group = 7; }));
  CHECK(broken([](Catalog& c) { c.nodes.erase(1); }));
  CHECK(broken([](Catalog& c) { c.next_table = 2; }));
  CHECK(broken([](Catalog& c) { c.next_job = 1; }));
  CHECK(broken([](Catalog& c) { c.tables.erase(2); }));  // the running job's
  CHECK(broken([](Catalog& c) { c.jobs.at(2).phase = Phase::deciding; }));
  CHECK(broken([](Catalog& c) {
    auto t = std::make_shared<Table>(*c.tables.at(1));
    t->distribution.groups[0] = 9;
    c.tables[1] = t;
  }));
  CHECK(broken([](Catalog& c) {
    auto t = std::make_shared<Table>(*c.tables.at(1));
    t->distribution.map[0] = 99;
    c.tables[1] = t;
  }));
  CHECK(broken([](Catalog& c) {
    auto t = std::make_shared<Table>(*c.tables.at(1));
    t->primary_key.clear();
    c.tables[1] = t;
  }));
}

TEST_CASE("a catalog tells about itself") {
  const std::string text = describe(full());
  for (const char* part : {"name=tests", "started", "replicas=2", "node 5 data h down", "disabled",
                           "group 1 nodes=3, 4", "table 1 \"a\"", "fragments=0-1:g0,2-3:g1", "phase=copying",
                           "moving=1920/3840", "job 2 reorganise \"b\" running", "single_user=51"}) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  }
}
