// Who gets which node id from a management server: a row of the rules each (docs/PROTOCOL.md).
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

// API nodes of every sort, those for everybody first.
const std::string kApis = kConfig.substr(0, kConfig.find("[api]")) +
                          "[api]\nNodeId=20\n[api]\nNodeId=21\nHostName=127.0.0.1\n"
                          "[api]\nNodeId=22\nHostName=127.0.0.1\nDedicated=1\n[api]\nNodeId=23\nHostName=localhost\n";

std::string request(int type, int id, const std::string& more = {}) {
  return "get nodeid\nversion: 525320\nnodetype: " + std::to_string(type) + "\nnodeid: " + std::to_string(id) +
         "\nuser: u\npassword: p\npublic key: k\nendian: little\nlog_event: 1\n" + more + "\n";
}
std::string given(int id) { return "get nodeid reply\nnodeid: " + std::to_string(id) + "\nresult: Ok\n\n"; }

}  // namespace

TEST_CASE("node ids for any: those of the caller's host first, then those for everybody, dedicated ones never") {
  ServerWorld w(kApis);
  CHECK(w.say(w.open(), request(1, 0)) == given(21));
  CHECK(w.say(w.open(), request(1, 0)) == given(23));  // a loopback caller is at home at every loopback host
  CHECK(w.say(w.open(), request(1, 0)) == given(20));
  CHECK(w.say(w.open(), request(1, 0)) ==
        "get nodeid reply\nresult: no free node id found for a API node from host '127.0.0.1'\nerror_code: 1101\n\n");
  CHECK(w.say(w.open(), request(1, 22)) == given(22));
  CHECK(w.catalog()->generation == 1);
}

TEST_CASE("a node id that is asked for is granted, or refused with why and whether asking again may help") {
  ServerWorld w(kApis);
  const env::LinkId holder = w.open();
  CHECK(w.say(holder, request(1, 20)) == given(20));
  CHECK(w.say(holder, request(1, 20)) == given(20));  // the same caller keeps it
  const Version version = w.catalog()->version;
  struct Case {
    int type, id;
    std::string said;
  };
  for (const Case& c : {Case{1, 20, "id 20 is already allocated by another node\nerror_code: 1101\n"},
                        Case{1, 99, "no node with id 99 in the configuration\nerror_code: 1102\n"},
                        Case{0, 21, "id 21 is configured as API node, asked for as data node\nerror_code: 1102\n"},
                        Case{1, 1, "id 1 is configured as data node, asked for as API node\nerror_code: 1102\n"},
                        Case{2, 10, "id 10 belongs to a management server\nerror_code: 1102\n"}}) {
    CHECK(w.ask(request(c.type, c.id)) == "get nodeid reply\nresult: " + c.said + "\n");
    CHECK(w.catalog()->version == version);
  }
  // Without log_event a caller does not know error numbers.
  CHECK_THAT(w.ask("get nodeid\nversion: 525320\nnodetype: 1\nnodeid: 99\nuser: u\npassword: p\npublic key: k\n\n"),
             !Contains("error_code"));
}

TEST_CASE("a node id is free again when its holder goes, or when stale sessions are purged") {
  ServerWorld w(kApis);
  const env::LinkId gone = w.open(), stale = w.open();
  CHECK(w.say(gone, request(1, 20)) == given(20));
  CHECK(w.say(stale, request(1, 21)) == given(21));
  w.step(event(env::EventKind::link_down, gone));
  CHECK(w.ask(request(1, 20)) == given(20));
  CHECK_THAT(w.ask(request(1, 21)), Contains("already allocated"));
  CHECK(w.ask("purge stale sessions\n\n") == "purge stale sessions reply\nresult: Ok\n\n");
  CHECK(w.ask(request(1, 21)) == given(21));
}

TEST_CASE("ids of data nodes: one that is connected is taken, one in reserve is not given") {
  Started w;
  CHECK_THAT(w.ask(request(0, 1)), Contains("already allocated") && Contains("error_code: 1101"));
  CHECK_THAT(w.ask(request(0, 0)), Contains("no free node id found for a data node"));
  ServerWorld fresh;
  CHECK_THAT(fresh.ask("ndb disable node\nnode: 4\n\n"), Contains("changed: 1"));
  CHECK(fresh.ask(request(0, 0)) == given(1));
  CHECK_THAT(fresh.ask(request(0, 4)), Contains("id 4 is disabled") && Contains("error_code: 1102"));
}

TEST_CASE("without checks of hosts any caller gets any id") {
  std::string config = kApis;
  for (std::size_t at; (at = config.find("127.0.0.1")) != std::string::npos;) config.replace(at, 9, "10.0.0.1");
  config.replace(config.find("localhost"), 9, "10.0.0.2");
  ServerWorld w(config);
  CHECK_THAT(w.ask(request(1, 21)), Contains("10.0.0.1") && Contains("127.0.0.1") && Contains("error_code: 1103"));
  CHECK(w.ask(request(1, 0)) == given(20));  // it has no host
  w.options.node_id_checks = false;
  w.restart();
  w.run(3 * kSecond);
  CHECK(w.ask(request(1, 21)) == given(21));
}
