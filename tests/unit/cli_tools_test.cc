// What the tools print and how they read a cluster's state, without a cluster.
#include <catch2/catch.hpp>

#include "cli/json_value.h"
#include "cli/node_list.h"
#include "cli/progress.h"
#include "cli/status.h"
#include "mgmt/text_reply.h"

using namespace ndb;
using namespace ndb::cli;

TEST_CASE("tables are padded, tab-separated values are not") {
  Table t({"node", "what"});
  t.row({"1", "x"}).row({"10", "a\tb\nc"});
  CHECK(t.text(Format::table) == "NODE  WHAT\n1     x\n10    a\tb\nc\n");
  CHECK(t.text(Format::tsv) == "node\twhat\n1\tx\n10\ta b c\n");
  CHECK(Table({"a", "b"}).row({"1", ""}).text(Format::table) == "A  B\n1\n");
}

TEST_CASE("numbers for people") {
  CHECK(show_count(0) == "0");
  CHECK(show_count(999) == "999");
  CHECK(show_count(1024000) == "1,024,000");
  CHECK(show_bytes(1023) == "1023 B");
  CHECK(show_bytes(1536) == "1.5 KiB");
  CHECK(show_seconds(59.94) == "59.9 s");
  CHECK(show_seconds(200) == "3 min 20 s");
  CHECK(show_seconds(7260) == "2 h 1 min");
  CHECK(show_when(0) == "1970-01-01 00:00:00");
}

TEST_CASE("changed is the second member, once") {
  CHECK(with_changed(R"({"format_version":1,"a":2})", false) == R"({"format_version":1,"changed":false,"a":2})");
  CHECK(with_changed(R"({"format_version":1})", true) == R"({"format_version":1,"changed":true})");
  CHECK(with_changed(R"({"format_version":1,"changed":true})", false) == R"({"format_version":1,"changed":true})");
}

TEST_CASE("progress says percent, rate and time left when they are known") {
  CHECK(Progress::line("ips", "rows", 0, 0, "prepare", 1.5, 0) == "ips: prepare, 1.5 s");
  CHECK(Progress::line("ips", "rows", 250, 1000, "copying", 2, 125) ==
        "ips: copying 25%, 250 of 1,000 rows, 125 rows/s, 6.0 s left");
  CHECK(Progress::line("ips", "rows", 1200, 1000, "copying", 2, 600) ==
        "ips: copying 100%, 1,200 of 1,000 rows, 600 rows/s, 2.0 s");
}

TEST_CASE("errors end with the status of the table, and 1 when they are not ours") {
  CHECK(exit_status(Error::wrong_number_of_nodes) == kExitRefused);
  CHECK(exit_status(Error::version_moved) == kExitMoved);
  CHECK(exit_status(Error::timed_out) == kExitUnknown);
  CHECK(exit_status(Error::unreachable) == kExitUnreachable);
  CHECK(exit_status(static_cast<Error>(5031)) == kExitRefused);
  CHECK(error_line("ndb-x", {Error::wrong_number_of_nodes, "too\nfew."}) == "ndb-x: error 320: too few");
  CHECK(error_line("ndb-x", {Error::internal, "odd"}) == "ndb-x: odd");
}

TEST_CASE("node ids come with commas or blanks, and nothing else is one") {
  CHECK(*parse_node_ids("3,4 5") == std::vector<NodeId>{3, 4, 5});
  CHECK(parse_node_ids("")->empty());
  CHECK(parse_node_ids("0").error() == Error::bad_node_id);
  CHECK(parse_node_ids("3;4").error() == Error::bad_node_id);
  CHECK(parse_node_ids("-3").error() == Error::bad_node_id);
  CHECK(parse_node_ids("99999").error() == Error::bad_node_id);
}

TEST_CASE("lists of nodes have ranges; each mistake has its sentence") {
  CHECK(*parse_node_list("1,3-5") == std::vector<NodeId>{1, 3, 4, 5});
  CHECK(parse_node_list("0").failure().text == "there is no node id 0");
  CHECK(parse_node_list("x").failure().text == "'x' is no node id and no range of node ids");
  CHECK(parse_node_list("3-").failure().text == "'3-' is no node id and no range of node ids");
  CHECK(parse_node_list("5-1").failure().text == "'5-1' ends before it begins");
  CHECK(parse_node_list("300").failure().text == "'300' is out of range; node ids end at 255");
}

TEST_CASE("JSON: what is absent is null, what is malformed is refused") {
  auto v = JsonValue::parse(R"({"a":18446744073709551615,"b":[1,null],"c":"x"})");
  REQUIRE(v);
  CHECK((*v)["a"].number() == UINT64_MAX);
  CHECK((*v)["b"].items[1].is_null());
  CHECK((*v)["c"].text == "x");
  CHECK((*v)["d"]["e"].is_null());
  CHECK((*v)["c"].number() == 0);
  CHECK(JsonValue::parse("{").error() == Error::bad_message);
  std::string quoted;
  mgmt::quote_json(&quoted, "a\"\\\n\x01\x7f\xc3\xa9\xe9z\xc3");
  CHECK(quoted == "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffdz\\ufffd\"");
}

namespace {
// Groups {1,2}, {3,4}; 5 has none, 6 is in reserve; 4 is down.
constexpr const char* kStatus =
    R"({"format_version":1,"version":57,"view":44,"generation":2,"cluster":"MC","started":true,
 "replicas":2,"leader":10,"node":10,"single_user":0,"job":0,"nodes":[
 {"id":10,"type":"mgm","state":"","connected":true,"group":null},
 {"id":1,"type":"data","state":"in_sync","connected":true,"group":0,"incarnation":3},
 {"id":2,"type":"data","state":"in_sync","connected":true,"group":0},
 {"id":3,"type":"data","state":"in_sync","connected":true,"group":1},
 {"id":4,"type":"data","state":"down","connected":false,"group":1},
 {"id":5,"type":"data","state":"down","connected":true,"group":null,"phase":0},
 {"id":6,"type":"data","state":"down","connected":false,"group":null,"disabled":true}],
 "groups":[{"id":0,"members":[1,2]},{"id":1,"members":[3,4]}]})";
}  // namespace

TEST_CASE("a rolling restart takes first members first, and never the last one that serves") {
  auto s = parse_status(kStatus);
  REQUIRE(s);
  CHECK(s->restart_order() == std::vector<NodeId>{1, 3, 2, 4, 5});
  CHECK(s->group_survives(1));
  CHECK(s->group_survives(4));
  CHECK_FALSE(s->group_survives(3));
  CHECK(s->group_survives(5));
  CHECK(s->node(5)->state == "not_started");
  CHECK(s->node(6)->state == "disabled");
  CHECK(s->node(10)->state == "connected");
  CHECK(s->node(7) == nullptr);
}

TEST_CASE("a version that was passed by a change of topology is refused") {
  auto s = parse_status(kStatus);
  REQUIRE(s);
  CHECK(check_version(*s, 0).error == Error::ok);
  CHECK(check_version(*s, 57).error == Error::ok);
  CHECK(check_version(*s, 44).error == Error::ok);
  CHECK(check_version(*s, 43).error == Error::version_moved);
}

TEST_CASE("a stock server's status is read in our words") {
  const ClusterStatus s = parse_stock_status({{"nodes", "3"},
                                              {"node.1.type", "NDB"},
                                              {"node.1.status", "STARTED"},
                                              {"node.1.node_group", "0"},
                                              {"node.2.type", "NDB"},
                                              {"node.2.status", "NOT_STARTED"},
                                              {"node.2.node_group", "-256"},
                                              {"node.49.type", "MGM"},
                                              {"node.49.status", "CONNECTED"},
                                              {"node.49.node_group", "0"},
                                              {"node.x.type", "NDB"}});
  REQUIRE(s.nodes.size() == 3);
  CHECK(s.stock);
  CHECK(s.node(1)->state == "in_sync");
  CHECK(*s.node(1)->group == 0);
  CHECK(s.node(2)->state == "not_started");
  CHECK_FALSE(s.node(2)->group);
  CHECK_FALSE(s.node(49)->group);
  CHECK(s.node(49)->up());
  REQUIRE(s.groups.size() == 1);
  CHECK(s.groups[0].members == std::vector<NodeId>{1});
}
