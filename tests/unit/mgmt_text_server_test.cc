#include "mgmt_server_world.h"

#include <nlohmann/json.hpp>

#include "mgmt/config_binary.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using Json = nlohmann::json;

namespace {

Json json_of(const std::string& reply) { return Json::parse(bulk_of(reply)); }
const std::string kTable =
    R"({"name":"t","columns":[{"name":"id","type":"bigint","nullable":false},{"name":"c","type":"varchar","length":20}],)"
    R"("primary_key":["id"]})";
std::string create_table(const std::string& json, const std::string& keys = {}) {
  return with_bulk("ndb create table", json, keys);
}

// Nodes 1 and 2 say what they hold of table 1: fragment 0 is primary at node 1, fragment 1 at node 2.
void answer_gather(Started& w, std::uint64_t bytes0, std::uint64_t bytes1, NodeId last = 4) {
  for (NodeId node = 1; node <= last; node++) {
    Bytes sent = w.received[w.links[node]];
    wire::Message m;
    bool damaged = false;
    std::uint32_t request = 0;
    while (wire::next_message(sent, &m, &damaged)) {
      wire::NodeOrder order;
      Reader r(m.body);
      if (static_cast<wire::Type>(m.type) == wire::Type::node_order && decode(r, &order)) request = order.request;
    }
    REQUIRE(request != 0);
    Writer body;
    const std::size_t at = wire::begin_message(body, wire::Type::node_report, kControl, kControl);
    body.u32(request);
    std::string held = "version=3\n";
    if (node <= 2)
      held = "fragment.1.0=" + std::string(node == 1 ? "primary" : "backup") +
             " rows=100 checksum=9 bytes=" + std::to_string(bytes0) +
             "\nfragment.1.1=" + (node == 2 ? "primary" : "backup") + " rows=50 bytes=" + std::to_string(bytes1) +
             "\n" + held;
    body.bytes32(held);
    wire::end_message(body, at);
    w.step(event(env::EventKind::frame, w.links[node], body.view()));
  }
}

}  // namespace

TEST_CASE("a first server begins the log with its file as generation 1") {
  ServerWorld w;
  CHECK(w.server->leading());
  CHECK(w.catalog()->generation == 1);
  CHECK(w.catalog()->cluster_id != 0);
  CHECK_THAT(w.catalog()->name, StartsWith("MC_2026"));
  CHECK(w.catalog()->generations.at(1).who == "test@here");
}

TEST_CASE("the session requests of a stock client") {
  ServerWorld w;
  CHECK(w.ask("get version\n\n") ==
        "version\nid: 525320\nmajor: 8\nminor: 4\nbuild: 8\nstring: mysql-8.4.8 ndb-8.4.8\nmysql_major: 8\n"
        "mysql_minor: 4\nmysql_build: 8\n\n");
  CHECK(w.ask("check connection\n\n") == "check connection reply\nresult: Ok\n\n");
  CHECK(w.ask("get mgmd nodeid\n\n") == "get mgmd nodeid reply\nnodeid:10\n\n");
  CHECK(w.ask("frobnicate\n\n") == "result: Unknown command, 'frobnicate'\n\n");
  CHECK(w.ask("get info clusterlog\n\n") ==
        "clusterlog\nenabled: 1\ndebug: 0\ninfo: 1\nwarning: 1\nerror: 1\ncritical: 1\nalert: 1\n\n");
}

TEST_CASE("status before and after the first start") {
  ServerWorld w;
  std::string before = w.ask("get status\n\n");
  CHECK_THAT(before, StartsWith("node status\nnodes: 7\nnode.1.type: NDB\nnode.1.status: NO_CONTACT\n"));
  CHECK_THAT(before, Contains("node.10.status: CONNECTED"));
  CHECK_THAT(before, !Contains("is_single_user"));
  Started s;
  const env::LinkId link = s.open();
  s.say(link, "set clientversion\nmajor: 8\nminor: 4\nbuild: 8\n\n");
  std::string after = s.say(link, "get status\ntypes: NDB \n\n");
  CHECK_THAT(after, StartsWith("node status\nnodes: 4\n"));
  CHECK_THAT(after, Contains("node.2.status: STARTED\nnode.2.version: 525320\n"));
  CHECK_THAT(after, Contains("node.2.node_group: 0\nnode.2.connect_count: 0\nnode.2.address: 127.0.0.1\n"
                             "node.2.is_single_user: 0\n"));
  CHECK_THAT(after, Contains("node.3.node_group: -256\n"));
  Json j = json_of(s.ask("ndb status\n\n"));
  CHECK(j["nodes"].size() == 7);
  CHECK(j["leader"] == 10);
  CHECK(j["nodes"][0]["state"] == "in_sync");
  CHECK(j["nodes"][0]["rows"] == 5);
  for (const Json& n : j["nodes"]) CHECK(n["vote"] == (n["id"] == 10));  // no log stands behind the data nodes here
  CHECK(j["nodes"][2]["group"].is_null());
  CHECK(j["groups"][0]["members"] == Json::array({1, 2}));
}

TEST_CASE("node groups by NDB's request and by ours") {
  Started w;
  CHECK_THAT(w.ask("create nodegroup\nnodes:\"3 3\"\n\n"),
             StartsWith("create nodegroup reply\nng: -1\nerror_code: 326\n"
                        "result: 326-"));
  CHECK_THAT(w.ask("create nodegroup\nnodes:\"three\"\n\n"), Contains("error_code: 320"));
  CHECK_THAT(w.ask("create nodegroup\nnodes:\"4 48\"\n\n"), Contains("error_code: 322"));
  CHECK_THAT(w.ask("create nodegroup\nnodes:\"147 148\"\n\n"), Contains("error_code: 325"));
  std::string dry = w.ask("ndb create nodegroup\nnodes: 3 4\ndry_run: 1\n\n");
  CHECK(value_of(dry, "changed") == "0");
  CHECK(value_of(dry, "would_change") == "1");
  CHECK(w.catalog()->groups.size() == 1);
  const std::string request = "ndb create nodegroup\nnodes: 3 4\nrequest: 000102030405060708090a0b0c0d0e0f\n\n";
  std::string done = w.ask(request);
  CHECK(value_of(done, "result") == "Ok");
  CHECK(value_of(done, "groups") == "1");
  CHECK(value_of(done, "request") == "000102030405060708090a0b0c0d0e0f");
  std::string again = w.ask(request);
  CHECK(value_of(again, "result") == "Ok");
  CHECK(value_of(again, "groups") == "1");
  CHECK(w.catalog()->groups.size() == 2);
  CHECK_THAT(w.ask("drop nodegroup\nng: 7\n\n"), StartsWith("drop nodegroup reply\nresult: 9010-"));
  CHECK(w.ask("drop nodegroup\nng: 1\n\n") == "drop nodegroup reply\nresult: Ok\n\n");
}

TEST_CASE("tables by JSON, shown as they are read") {
  Started w;
  std::string made = w.ask(create_table(kTable));
  CHECK(value_of(made, "result") == "Ok");
  CHECK(value_of(made, "table") == "1");
  CHECK_THAT(w.ask(create_table(kTable)), Contains("result: 721-"));
  CHECK_THAT(w.ask(create_table("{\"name\":\"x\"}")), Contains("result: 702-'columns' is no list"));
  CHECK_THAT(w.ask(create_table("[1")), Contains("result: 702-"));
  CHECK(json_of(w.ask("ndb list tables\n\n"))["tables"][0]["fragments"] == 2);
  Json shown = json_of(w.ask("ndb describe table\nname: T\n\n"));
  CHECK(shown["columns"][1]["type"] == "varchar");
  CHECK(shown["primary_key"] == Json::array({"id"}));
  CHECK(shown["distribution"]["fragments"][0]["rows"].is_null());  // nobody answered in time
  shown["name"] = "again";
  CHECK(value_of(w.ask(create_table(shown.dump())), "result") == "Ok");
  CHECK(value_of(w.ask("ndb drop table\nname: again\nexpect_version: 1\n\n"), "result").substr(0, 5) == "9020-");
  CHECK(value_of(w.ask("ndb drop table\nname: again\n\n"), "changed") == "1");
  CHECK_THAT(w.ask("ndb drop table\nname: again\n\n"), Contains("result: 723-"));
}

TEST_CASE("the plan of a reorganisation, with what nodes report") {
  Started w;
  w.ask(create_table(kTable));
  w.ask("ndb create nodegroup\nnodes: 3 4\n\n");
  const env::LinkId link = w.open();
  w.received[w.links[1]].clear();
  w.step(event(env::EventKind::text, link, "ndb start reorg\ntable: t\ndry_run: 1\n\n"));
  answer_gather(w, 4000, 2000);
  std::string reply = w.received[link];
  CHECK(value_of(reply, "result") == "Ok");
  CHECK(value_of(reply, "would_change") == "1");
  Json plan = json_of(reply);
  CHECK(plan["fragments_before"] == 2);
  CHECK(plan["fragments_after"] == 4);
  CHECK(plan["buckets_moved"] == 1920);
  CHECK(plan["rows"] == 150);
  CHECK(plan["rows_moved"] == 75);
  CHECK(plan["bytes_moved"] == 3000);
  CHECK(w.catalog()->jobs.empty());
  CHECK_THAT(w.ask("ndb start reorg\ntable: nope\n\n"), Contains("result: 723-"));
  CHECK_THAT(w.ask("ndb cancel reorg\n\n"), Contains("result: 9030-"));
}

TEST_CASE("a reorganisation onto a group of which nobody answers is refused: it would be lost at once") {
  Started w;
  w.ask(create_table(kTable));
  w.ask("ndb create nodegroup\nnodes: 3 4\n\n");
  auto start = [&](NodeId last) {
    const env::LinkId link = w.open();
    for (auto& [id, l] : w.links) w.received[l].clear();
    w.step(event(env::EventKind::text, link, "ndb start reorg\ntable: t\n\n"));
    answer_gather(w, 4000, 2000, last);
    w.run(3 * kSecond);  // the others have no more time
    return w.received[link];
  };
  CHECK_THAT(start(2), Contains("result: 324-none of the nodes 3, 4 of node group 1 serves and answers"));
  CHECK(w.catalog()->jobs.empty());
  CHECK(value_of(start(3), "result") == "Ok");  // one is enough
  CHECK(w.catalog()->jobs.size() == 1);
}

TEST_CASE("a reorganisation for which the new nodes have too little memory is refused with the numbers") {
  Started w;
  w.ask(create_table(kTable));
  w.ask("ndb create nodegroup\nnodes: 3 4\n\n");
  w.memory_used[4] = (64 << 20) - (100 << 10);
  w.run(100 * kMillisecond);
  auto start = [&](std::uint64_t bytes) {
    const env::LinkId link = w.open();
    for (auto& [id, l] : w.links) w.received[l].clear();
    w.step(event(env::EventKind::text, link, "ndb start reorg\ntable: t\n\n"));
    answer_gather(w, bytes, bytes);
    w.run(100 * kMillisecond);
    return w.received[link];
  };
  const std::string refused = start(101 << 10);  // half of two fragments
  CHECK_THAT(refused, Contains("result: 9032-"));
  CHECK_THAT(refused,
             Contains("the rows to move need 101 KiB at node 4, which has 100 KiB of its 65536 KiB DataMemory free"));
  CHECK(w.catalog()->jobs.empty());
  CHECK(value_of(start(99 << 10), "result") == "Ok");
  CHECK(w.catalog()->jobs.size() == 1);
}

TEST_CASE("configurations: get, apply, refuse, history, roll back") {
  ServerWorld w;
  CHECK(bulk_of(w.ask("ndb get config\n\n")) == kConfig + "\n");
  std::string more = kConfig + "[api]\nNodeId=22\n";
  std::string dry = w.ask(with_bulk("ndb apply config", more, "dry_run: 1\n"));
  CHECK(value_of(dry, "result") == "Ok");
  CHECK(json_of(dry)["changed"] == true);
  CHECK(w.catalog()->generation == 1);
  CHECK_THAT(w.ask(with_bulk("ndb apply config", more, "expect_generation: 4\n")), Contains("result: 9021-"));
  std::string done =
      w.ask(with_bulk("ndb apply config", more, "expect_generation: 1\nwho: ann@ws\nmessage: one more\n"));
  CHECK(value_of(done, "result") == "Ok");
  CHECK(value_of(done, "generation") == "2");
  CHECK(w.catalog()->node(22) != nullptr);
  std::string same = w.ask(with_bulk("ndb apply config", more));
  CHECK(value_of(same, "changed") == "0");
  CHECK(w.catalog()->generation == 2);
  std::string bad = w.ask(with_bulk("ndb apply config", "[api]\nNodeId=25\nNoSuch=1\n" + kConfig));
  CHECK_THAT(bad, Contains("result: 9024-line 3: error: "));
  CHECK(json_of(bad)["problems"].size() >= 1);
  const std::string id = "request: 0123456789abcdef0123456789abcdef\nexpect_generation: 2\n";
  std::string once = w.ask(with_bulk("ndb apply config", kConfig + "[api]\nNodeId=24\n", id));
  CHECK(value_of(once, "generation") == "3");
  std::string twice = w.ask(with_bulk("ndb apply config", kConfig + "[api]\nNodeId=24\n", id));
  CHECK(value_of(twice, "result") == "Ok");
  CHECK(value_of(twice, "changed") == "1");
  CHECK(value_of(twice, "generation") == "3");
  std::string back = w.ask("ndb rollback config\ngeneration: 1\nwho: ann@ws\n\n");
  CHECK(value_of(back, "generation") == "4");
  CHECK(w.catalog()->node(22) == nullptr);
  Json history = json_of(w.ask("ndb config history\n\n"));
  CHECK(history["generations"].size() == 4);
  CHECK(history["generations"][2]["message"] == "one more");
  CHECK(history["generations"][0]["source"] == "rollback 1");
  CHECK_THAT(w.ask("ndb get config\ngeneration: 9\n\n"), Contains("result: 9025-"));
  std::string full = bulk_of(w.ask("ndb get config\neffective: 1\n\n"));
  CHECK_THAT(full, Contains("DataMemory=64M"));
  CHECK_THAT(full, Contains("TransactionDeadlockDetectionTimeout="));
  CHECK(mgmt::parse_ini(full).ok());
}

TEST_CASE("the binary configuration is that of the present generation") {
  ServerWorld w;
  std::string reply = w.ask("get config_v2\nversion: 0\nnode: 0\nnodetype: 4294967295\n\n");
  CHECK_THAT(reply, StartsWith("get config reply\nresult: Ok\nContent-Length: "));
  CHECK_THAT(reply, Contains("Content-Type: ndbconfig/octet-stream\nContent-Transfer-Encoding: base64\n\n"));
  std::string bytes;
  REQUIRE(mgmt::base64_bytes(bulk_of(reply), &bytes));
  auto config = mgmt::decode_config(bytes);
  REQUIRE(config.ok());
  CHECK((*config).nodes.size() == 7);
  CHECK((*config).system.at("ConfigGenerationNumber") == "1");
  CHECK((*config).system.at("Name") == w.catalog()->name);
  std::string set =
      "set config_v2\nContent-Type: ndbconfig/octet-stream\nContent-Transfer-Encoding: base64\nContent-Length: ";
  const std::string text = mgmt::base64_text(bytes);
  CHECK(w.ask(set + std::to_string(text.size()) + "\n\n" + text + "\n") == "set config reply\nresult: Ok\n\n");
  CHECK_THAT(w.ask(set + "4\n\nAAAA\n"), StartsWith("set config reply\nresult: Failed to unpack config"));
  CHECK_THAT(w.ask(set + "0\n\n"), StartsWith("set config reply\nresult: Illegal config length size 0"));
}

TEST_CASE("a file read again on request") {
  ServerWorld w;
  CHECK_THAT(w.ask("reload config\nconfig_filename: other.ini\n\n"), Contains("cannot open 'other.ini'"));
  w.files.files["other.ini"] = kConfig + "[api]\nNodeId=23\n";
  CHECK(w.ask("reload config\nconfig_filename: other.ini\n\n") == "reload config reply\nresult: Ok\n\n");
  CHECK(w.catalog()->generation == 2);
}

TEST_CASE("node ids are given out once") {
  ServerWorld w;
  const std::string head =
      "get nodeid\nversion: 525320\nnodetype: 1\nuser: u\npassword: p\npublic key: k\nendian: little\n";
  const env::LinkId first = w.open();
  CHECK(w.say(first, head + "nodeid: 0\n\n") == "get nodeid reply\nnodeid: 20\nresult: Ok\n\n");
  CHECK(w.ask(head + "nodeid: 0\n\n") == "get nodeid reply\nnodeid: 21\nresult: Ok\n\n");
  CHECK_THAT(w.ask(head + "nodeid: 20\nlog_event: 1\n\n"),
             Contains("already allocated") && Contains("error_code: 1101"));
  CHECK_THAT(w.ask(head + "nodeid: 1\nlog_event: 1\n\n"), Contains("error_code: 1102"));
  CHECK_THAT(w.ask(head + "nodeid: 99\n\n"), Contains("no node with id 99"));
  w.step(event(env::EventKind::link_down, first));
  CHECK(w.ask(head + "nodeid: 20\n\n") == "get nodeid reply\nnodeid: 20\nresult: Ok\n\n");
}

TEST_CASE("a dedicated node id is given to those who ask for it") {
  ServerWorld w(kConfig + "Dedicated=1\n");
  const std::string head =
      "get nodeid\nversion: 525320\nnodetype: 1\nuser: u\npassword: p\npublic key: k\nendian: little\n";
  const env::LinkId first = w.open();
  CHECK(w.say(first, head + "nodeid: 0\n\n") == "get nodeid reply\nnodeid: 20\nresult: Ok\n\n");
  CHECK_THAT(w.ask(head + "nodeid: 0\n\n"), Contains("no free node id"));
  CHECK(w.ask(head + "nodeid: 21\n\n") == "get nodeid reply\nnodeid: 21\nresult: Ok\n\n");
}

TEST_CASE("stopping and restarting follow the rules") {
  Started w;
  CHECK_THAT(w.ask("ndb stop node\nnodes: 1 2\n\n"), Contains("result: 5031-"));
  CHECK_THAT(w.ask("ndb stop node\nnodes: 1 2\nabort: 1\n\n"), Contains("result: 5028-"));
  CHECK_THAT(w.ask("ndb restart node\nnodes: 1 2\nabort: 1\n\n"), Contains("result: 5028-"));
  w.ask("enter single user\nnodeId: 20\n\n");
  CHECK_THAT(w.ask("ndb restart node\nnodes: 2\n\n"), Contains("result: 5063-"));
  CHECK_THAT(w.ask("restart node v2\nnode: 2\nabort: 1\nforce: 1\n\n"), Contains("result: 5063-"));
  w.ask("exit single user\n\n");
  CHECK_THAT(w.ask("ndb stop node\nnodes: 77\n\n"), Contains("result: 9026-"));
  CHECK_THAT(w.ask("ndb stop node\nnodes: 20\n\n"), Contains("result: 5002-"));
  w.received[w.links[2]].clear();
  CHECK(w.ask("restart node v2\nforce: 0\nnostart: 0\ninitialstart: 0\nabort: 0\nnode:\"2\"\n\n") ==
        "restart reply\nresult: Ok\nrestarted: 1\ndisconnect: 0\n\n");
  CHECK(w.received[w.links[2]].size() > wire::kMessageHeaderBytes);
  CHECK_THAT(w.ask("ndb stop node\nnodes: 2\n\n"), Contains("result: 5026-"));
  CHECK_THAT(w.ask("ndb stop node\nnodes: 1\n\n"), Contains("result: 5028-"));
  CHECK_THAT(w.ask("get status\n\n"), Contains("node.2.status: SHUTTING_DOWN"));
}

TEST_CASE("a dead node is declared dead, the last one of a group with rows only when its port refuses") {
  Started w;
  w.ask(create_table(kTable));
  w.run(10 * kMillisecond);
  w.beating.erase(2);
  w.run(2 * kSecond);
  CHECK(w.catalog()->node(2)->state == meta::NodeState::down);
  w.beating.erase(1);
  w.run(2 * kSecond);
  CHECK(w.catalog()->node(1)->state == meta::NodeState::in_sync);
}

TEST_CASE("waiting for a version") {
  ServerWorld w;
  const Version v = w.catalog()->version;
  const env::LinkId link = w.open();
  w.step(event(env::EventKind::text, link, "ndb wait\nversion: " + std::to_string(v) + "\n\ncheck connection\n\n"));
  w.run(50 * kMillisecond);
  CHECK(w.received[link].empty());
  w.ask("ndb disable node\nnode: 4\n\n");
  w.run(5 * kMillisecond);
  CHECK_THAT(w.received[link], StartsWith("ndb wait reply\nresult: Ok\n") && Contains("changed: 1") &&
                                   Contains("check connection reply"));
  CHECK(value_of(w.ask("ndb wait\nversion: 100000\ntimeout: 20\n\n"), "changed") == "0");
}

TEST_CASE("events are heard and listed") {
  Started w;
  const env::LinkId link = w.open();
  CHECK(w.say(link, "listen event\nfilter: SCHEMA=15 255=15\n\n") == "listen event\nresult: 0\n\n");
  w.ask(create_table(kTable));
  w.run(10 * kMillisecond);
  CHECK_THAT(w.received[link], Contains("[MgmtSrvr] INFO -- created table 't'\n"));
  w.run(2500 * kMillisecond);
  CHECK_THAT(w.received[link], Contains("<PING>\n"));
  CHECK_THAT(w.ask("listen event\nfilter: NOSUCH=3\n\n"), StartsWith("listen event\nresult: -1\nmsg: "));
  Json events = json_of(w.ask("ndb list events\n\n"));
  CHECK(events["events"].size() > 3);
  CHECK_THAT(w.ask("dump events\ntype: 50\n\n"),
             StartsWith("dump events reply\nresult: Ok\nevents: 8\n\nlog event reply\ntype=50\n"));
}

TEST_CASE("what comes every other second does not push out of memory what happened") {
  Started w;
  w.ask(create_table(kTable));
  const Epoch first = w.catalog()->durable_epoch + 1;
  for (Epoch e = first; e < first + 2500; e++) {
    meta::Command c;
    c.body = meta::EpochDurable{e};
    w.server->member().propose(w.now, std::move(c));
  }
  w.run(5 * kSecond);
  CHECK(w.catalog()->durable_epoch == first + 2499);
  Json events = json_of(w.ask("ndb list events\nlimit: 1000\n\n"))["events"];
  auto count = [&](auto wanted) { return std::count_if(events.begin(), events.end(), wanted); };
  CHECK(count([](const Json& e) { return e["text"] == "created table 't'"; }) == 1);
  CHECK(count([](const Json& e) { return e["severity"] == "debug"; }) == 200);
  CHECK(events.back()["severity"] == "debug");
}

TEST_CASE("levels of the cluster log follow the configuration while the server runs") {
  ServerWorld w;
  CHECK_THAT(w.ask("get cluster loglevel\n\n"), Contains("\nschema: 7\n") && Contains("\ninfo: 7\n"));
  std::string quiet = kConfig;
  quiet.insert(quiet.find("DataMemory"), "LogLevelSchema=0\nLogLevelInfo=3\n");
  REQUIRE(value_of(w.ask(with_bulk("ndb apply config", quiet)), "generation") == "2");
  CHECK_THAT(w.ask("get cluster loglevel\n\n"), Contains("\nschema: 0\n") && Contains("\ninfo: 3\n"));
}

TEST_CASE("categories of the cluster log are turned off and on") {
  Started w;
  auto logged = [&](const std::string& text) {
    return std::any_of(w.logs.begin(), w.logs.end(),
                       [&](const auto& l) { return l.second.find(text) != std::string::npos; });
  };
  CHECK(w.ask("set cluster loglevel\nnode: 0\ncategory: SCHEMA\nlevel: 0\n\n") ==
        "set cluster loglevel reply\nresult: Ok\n\n");
  CHECK_THAT(w.ask("get cluster loglevel\n\n"), Contains("\nschema: 0\n"));
  w.ask(create_table(kTable));
  CHECK_FALSE(logged("created table 't'"));
  CHECK(w.ask("set cluster loglevel\nnode: 1\ncategory: 262\nlevel: 8\n\n") ==
        "set cluster loglevel reply\nresult: Ok\n\n");
  w.ask("ndb drop table\nname: t\n\n");
  CHECK(logged("dropped table 't'"));
  CHECK_THAT(w.ask("set loglevel\nnode: 99\ncategory: 262\nlevel: 8\n\n"), Contains("no node with id 99"));
  CHECK_THAT(w.ask("set loglevel\nnode: 1\ncategory: WEATHER\nlevel: 8\n\n"), Contains("no category 'WEATHER'"));
  CHECK_THAT(w.ask("set loglevel\nnode: 1\ncategory: 300\nlevel: 8\n\n"), Contains("no category '300'"));
  CHECK_THAT(w.ask("set loglevel\nnode: 1\ncategory: 262\nlevel: 16\n\n"), Contains("'16' is no level"));
}

TEST_CASE("frame links of others are refused with both values") {
  ServerWorld w;
  const env::LinkId wrong = w.data_node(1, "other");
  CHECK(w.closed.count(wrong) == 1);
  CHECK_THAT(w.received[wrong], Contains("cluster 'other' at the peer"));
  const env::LinkId unknown = w.data_node(9);
  CHECK_THAT(w.received[unknown], Contains("node id 9 is not in the configuration (generation 1)"));
  const env::LinkId api = w.data_node(20);
  CHECK_THAT(w.received[api], Contains("node id 20 is an API client in the configuration, the peer is a data node"));
  CHECK(w.closed.count(w.data_node(1)) == 0);
}

TEST_CASE("a session that floods or breaks the protocol is closed, the others live") {
  ServerWorld w;
  const env::LinkId link = w.open();
  w.step(event(env::EventKind::text, link, std::string(600, 'x') + "\n"));
  CHECK(w.closed.count(link) == 1);
  CHECK(w.ask("check connection\n\n") == "check connection reply\nresult: Ok\n\n");
}
