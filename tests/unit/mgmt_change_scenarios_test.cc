// How a management server comes to a configuration and changes it: those of the scenarios of docs/TESTING.md that need
// one server and what is said to it. The others run real servers (tests/cli/config_change.bats).
#include "mgmt/config_binary.h"
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

const std::string kGet = "get config_v2\nversion: 525320\n\n";

std::string packed_present(ServerWorld& w) {
  std::string bytes;
  REQUIRE(mgmt::base64_bytes(bulk_of(w.ask(kGet)), &bytes));
  return bytes;
}

mgmt::Config present(ServerWorld& w) {
  auto config = mgmt::decode_config(packed_present(w));
  REQUIRE(config.ok());
  return *config;
}

std::string set_config(const std::string& bulk, const std::string& type = "ndbconfig/octet-stream",
                       const std::string& encoding = "base64", const std::string& length = {}) {
  return "set config_v2\nContent-Length: " + (length.empty() ? std::to_string(bulk.size()) : length) +
         "\nContent-Type: " + type + "\nContent-Transfer-Encoding: " + encoding + "\n\n" + bulk + "\n";
}
std::string set_config(const mgmt::Config& config) {
  return set_config(mgmt::base64_text(mgmt::encode_config_v2(config, 0)));
}

void unchanged(ServerWorld& w, std::uint64_t generation = 1) {
  CHECK(w.catalog()->generation == generation);
  CHECK(w.ask("check connection\n\n") == "check connection reply\nresult: Ok\n\n");
}

}  // namespace

TEST_CASE("scenario 13: a restart of all nodes without a data node is done at once") {
  ServerWorld w;
  CHECK(w.ask("restart all\nabort: 0\nnostart: 0\ninitialstart: 0\n\n") ==
        "restart reply\nresult: Ok\nrestarted: 0\n\n");
}

TEST_CASE("scenario 14: a node that is starting is stopped by force only") {
  Started w;
  w.links[4] = w.data_node(4);
  meta::NodeDown down;
  down.node = 2;
  down.incarnation = w.catalog()->node(2)->incarnation;
  down.reason = "test";
  w.beating.erase(2);
  w.apply(down);
  meta::NodeJoins joins;
  joins.node = 2;
  joins.raft_id = 102;
  joins.address = "127.0.0.1";
  joins.port = 5002;
  w.apply(joins);
  REQUIRE(w.catalog()->node(2)->state == meta::NodeState::joining);
  CHECK_THAT(w.ask("stop v2\nnode: 2\nabort: 0\nforce: 0\n\n"), StartsWith("stop reply\nresult: 5063-"));
  CHECK_THAT(w.ask("ndb stop node\nnodes: 2\n\n"), Contains("result: 5063-"));
  w.received[w.links[2]].clear();
  CHECK(w.ask("stop v2\nnode: 2\nabort: 1\nforce: 0\n\n") == "stop reply\nresult: Ok\nstopped: 1\ndisconnect: 0\n\n");
  CHECK_FALSE(w.received[w.links[2]].empty());
}

TEST_CASE("scenario 18: a configuration that is set whole") {
  ServerWorld w;
  CHECK(w.ask(set_config(present(w))) == "set config reply\nresult: Ok\n\n");  // no change
  unchanged(w);
  mgmt::Config more = present(w);
  mgmt::Node api = *more.find(21);
  api.id = 22;
  more.nodes.push_back(api);
  CHECK(w.ask(set_config(more)) == "set config reply\nresult: Ok\n\n");
  CHECK(w.catalog()->node(22) != nullptr);
  unchanged(w, 2);
  CHECK_THAT(w.ask(set_config(more)), Contains("Invalid generation in configuration: 1, the present one is 2"));
  unchanged(w, 2);
}

TEST_CASE("scenario 18: a configuration that is set badly is refused with what is wrong, and nothing changes") {
  ServerWorld w;
  const std::string good = mgmt::base64_text(packed_present(w));
  CHECK_THAT(w.ask(set_config(good, "text/plain")), Contains("result: Unhandled content type 'text/plain'"));
  CHECK_THAT(w.ask(set_config(good, "ndbconfig/octet-stream", "8bit")),
             Contains("result: Unhandled content encoding '8bit'"));
  for (const char* length : {"0", "1048577", "-4", "99999999999"}) {
    CHECK_THAT(w.ask(set_config(good, "ndbconfig/octet-stream", "base64", length)),
               Contains("result: Illegal config length size " + std::string(length)));
  }
  CHECK_THAT(w.ask(set_config("!!!!")), Contains("result: Failed to decode config"));
  CHECK_THAT(w.ask(set_config(mgmt::base64_text("NDBCONF2 and nothing of it"))),
             Contains("result: Failed to unpack config: "));
  std::string bytes = packed_present(w);
  for (std::size_t keep : {std::size_t{8}, bytes.size() / 2, bytes.size() - 4}) {
    CHECK_THAT(w.ask(set_config(mgmt::base64_text(bytes.substr(0, keep)))),
               Contains("result: Failed to unpack config: "));
  }
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  CHECK_THAT(w.ask(set_config(mgmt::base64_text(bytes))), Contains("result: Failed to unpack config: "));
  mgmt::Config config = present(w);
  config.system["ConfigGenerationNumber"] = "7";
  CHECK_THAT(w.ask(set_config(config)), Contains("Invalid generation in configuration: 7, the present one is 1"));
  config = present(w);
  config.system["Name"] = "other";
  CHECK_THAT(w.ask(set_config(config)), Contains("Invalid configuration name, 'other' is not 'MC_2026"));
  config = present(w);
  config.system["PrimaryMGMNode"] = "10";
  CHECK_THAT(w.ask(set_config(config)), Contains("Invalid primary management server 10"));
  config = present(w);
  config.defaults[mgmt::Kind::ndbd]["NoOfReplicas"] = "1";
  for (mgmt::Node& n : config.nodes) n.written.erase("NoOfReplicas");
  CHECK_THAT(w.ask(set_config(config)), Contains("node group 0 has 2 members, NoOfReplicas is 1"));
  unchanged(w);
}

TEST_CASE("scenario 18: of two that are set at once one wins, and the other is told") {
  ServerWorld w;
  mgmt::Config a = present(w);
  mgmt::Config b = a;
  mgmt::Node api = *a.find(21);
  api.id = 22;
  a.nodes.push_back(api);
  api.id = 23;
  b.nodes.push_back(api);
  const env::LinkId first = w.open();
  const env::LinkId second = w.open();
  w.step(event(env::EventKind::text, first, set_config(a)));
  w.step(event(env::EventKind::text, second, set_config(b)));
  w.run(200 * kMillisecond);
  CHECK(w.received[first] == "set config reply\nresult: Ok\n\n");
  CHECK_THAT(w.received[second], StartsWith("set config reply\nresult: 9021-"));
  CHECK(w.catalog()->node(22) != nullptr);
  CHECK(w.catalog()->node(23) == nullptr);
  unchanged(w, 2);
}

TEST_CASE("scenario 19: a reload names a file, or the file of the start, or is refused") {
  ServerWorld w;
  CHECK_THAT(w.ask("reload config\nmycnf: 1\nconfig_filename: a.ini\n\n"), Contains("both mycnf and a file name"));
  CHECK_THAT(w.ask("reload config\nmycnf: 1\n\n"), Contains("does not read my.cnf"));
  CHECK_THAT(w.ask("reload config\nconfig_filename: a.ini\n\n"), Contains("cannot open 'a.ini'"));
  CHECK_THAT(w.ask("reload config\n\n"), Contains("cannot open 'config.ini'"));
  w.files.files["a.ini"] = kConfig + "[api]\nNodeId=22\nNoSuch=1\n";
  CHECK_THAT(w.ask("reload config\nconfig_filename: a.ini\n\n"), Contains("error: ") && Contains("NoSuch"));
  unchanged(w);
  w.files.files["config.ini"] = kConfig + "[api]\nNodeId=22\n";
  CHECK(w.ask("reload config\n\n") == "reload config reply\nresult: Ok\n\n");
  unchanged(w, 2);
}

TEST_CASE("scenario 20: requests for node ids that cannot be met") {
  ServerWorld w;
  struct Case {
    const char* keys;
    const char* said;
  };
  for (const Case& c :
       {Case{"version: 525320\nnodetype: 1\nnodeid: 20\nendian: big\n", "byte order"},
        Case{"version: 4\nnodetype: 1\nnodeid: 20\nendian: little\n", "incompatible version 4"},
        Case{"version: 525320\nnodetype: 7\nnodeid: 20\nendian: little\n", "unknown node type 7"},
        Case{"version: 525320\nnodetype: 1\nnodeid: 256\nendian: little\n", "no node with id 256"},
        Case{"version: 525320\nnodetype: 1\nnodeid: -1\nendian: little\n", "no node with id -1"},
        Case{"version: 525320\nnodetype: 1\nnodeid: 99\nendian: little\n", "no node with id 99"},
        Case{"version: 525320\nnodetype: 0\nnodeid: 20\nendian: little\n", "configured as API node"},
        Case{"version: 525320\nnodetype: 2\nnodeid: 10\nendian: little\n", "belongs to a management server"}}) {
    const std::string reply =
        w.ask("get nodeid\nuser: u\npassword: p\npublic key: k\nlog_event: 1\n" + std::string(c.keys) + "\n");
    INFO(c.keys);
    CHECK_THAT(reply, StartsWith("get nodeid reply\nresult: ") && Contains(c.said) && Contains("error_code: 1102"));
  }
  unchanged(w);
}

TEST_CASE("scenario 21: ports that the system chose are told and asked for") {
  ServerWorld w;
  const std::string ask = "get connection parameter\nnode1: 1\nnode2: 20\nparam: 406\n\n";
  CHECK(w.ask(ask) == "get connection parameter reply\nvalue: 0\nresult: Ok\n\n");
  CHECK(w.ask("set ports\nnode: 1\nnum_ports: 2\n\n20=-34567\n21=34568\n\n") == "set ports reply\nresult: Ok\n\n");
  CHECK(w.ask(ask) == "get connection parameter reply\nvalue: -34567\nresult: Ok\n\n");
  CHECK(w.ask("set connection parameter\nnode1: 20\nnode2: 1\nparam: 406\nvalue: 4000\n\n") ==
        "set connection parameter reply\nmessage: \nresult: Ok\n\n");
  CHECK(w.ask(ask) == "get connection parameter reply\nvalue: 4000\nresult: Ok\n\n");
  CHECK_THAT(w.ask("set ports\nnode: 1\nnum_ports: 3\n\n20=1\n21=2\n\n"), Contains("expected 3 ports, got 2"));
  CHECK_THAT(w.ask("set ports\nnode: 1\nnum_ports: 1\n\n20:1\n\n"), Contains("'20:1' is no <node>=<port>"));
  CHECK_THAT(w.ask("set ports\nnode: 1\nnum_ports: 1\n\n99=1\n\n"), Contains("'99=1' is no <node>=<port>"));
  CHECK_THAT(w.ask("set ports\nnode: 99\nnum_ports: 1\n\n20=1\n\n"), Contains("no node with id 99"));
  CHECK_THAT(w.ask("get connection parameter\nnode1: 1\nnode2: 99\nparam: 406\n\n"), Contains("no such connection"));
  CHECK_THAT(w.ask("set connection parameter\nnode1: 1\nnode2: 20\nparam: 407\nvalue: 1\n\n"),
             Contains("no such connection"));
  CHECK(w.ask(ask) == "get connection parameter reply\nvalue: 4000\nresult: Ok\n\n");
}
