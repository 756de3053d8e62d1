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

namespace {

// What a resolver knows. A name that is not here is being looked up, for ever.
struct Names : mgmt::HostNames {
  std::map<std::string, std::vector<std::string>> known;
  std::set<std::string> asked;
  std::optional<std::vector<std::string>> addresses(const std::string& host) override {
    asked.insert(host);
    auto i = known.find(host);
    if (i == known.end()) return std::nullopt;
    return i->second;
  }
};

// Two API nodes on hosts that have names.
struct NamedHosts : ServerWorld {
  NamedHosts() : ServerWorld(config()) {
    options.host_names = &names;
    restart();
    run(3 * kSecond);
  }
  static std::string config() {
    std::string c = kConfig.substr(0, kConfig.find("[api]"));
    for (std::size_t at; (at = c.find("127.0.0.1")) != std::string::npos;) c.replace(at, 9, "10.0.0.1");
    return c + "[api]\nNodeId=20\nHostName=ann.example\n[api]\nNodeId=21\nHostName=bob.example\n";
  }
  env::LinkId from(const std::string& address) {
    env::Event e = event(env::EventKind::link_up, next_link, address);
    e.text = true;
    step(e);
    return next_link++;
  }
  Names names;
};

}  // namespace

TEST_CASE("the host of a node id is known by all addresses of its name") {
  NamedHosts w;
  w.names.known["ann.example"] = {"10.0.0.7", "fd00::7"};
  w.names.known["bob.example"] = {"10.0.0.8", "127.0.0.1", "::1"};  // this computer
  CHECK(w.say(w.from("10.0.0.7:1000"), request(1, 20)) == given(20));
  w.step(event(env::EventKind::link_down, w.next_link - 1));
  CHECK(w.say(w.from("[fd00::7]:1000"), request(1, 20)) == given(20));
  CHECK(w.say(w.from("10.0.0.8:1000"), request(1, 0)) == given(21));
  w.step(event(env::EventKind::link_down, w.next_link - 1));
  CHECK(w.say(w.from("127.0.0.1:1000"), request(1, 21)) == given(21));
  CHECK(w.say(w.from("10.0.0.9:1000"), request(1, 21)) ==
        "get nodeid reply\nresult: id 21 is configured for host 'bob.example', the caller is '10.0.0.9'\n"
        "error_code: 1103\n\n");
  w.names.known["ann.example"] = {};
  CHECK(w.say(w.from("10.0.0.7:1000"), request(1, 20)) ==
        "get nodeid reply\nresult: id 20 is configured for host 'ann.example', whose address cannot be found now, "
        "the caller is '10.0.0.7'\nerror_code: 1103\n\n");
}

TEST_CASE("nobody waits for a name that somebody else asked for, and the asker not for ever") {
  NamedHosts w;
  w.names.known["bob.example"] = {"10.0.0.8"};
  const env::LinkId patient = w.from("10.0.0.7:1000");
  w.received[patient].clear();
  w.step(event(env::EventKind::text, patient, request(1, 20)));
  w.run(100 * kMillisecond);
  CHECK(w.received[patient].empty());
  CHECK(w.names.asked == std::set<std::string>{"ann.example"});
  CHECK(w.say(w.from("10.0.0.8:1000"), request(1, 21)) == given(21));  // the name of another node is not asked for
  w.names.known["ann.example"] = {"10.0.0.7"};
  w.run(10 * kMillisecond);
  CHECK(w.received[patient] == given(20));
  w.names.known.clear();
  const Time began = w.now;
  const env::LinkId any = w.from("10.0.0.7:1001");
  w.received[any].clear();
  w.step(event(env::EventKind::text, any, request(1, 0)));
  while (w.received[any].empty() && w.now < began + 10 * kSecond) w.run(10 * kMillisecond);
  CHECK_THAT(w.received[any], Contains("no free node id found for a API node from host '10.0.0.7'"));
  CHECK(w.now - began < 4 * kSecond);
}

TEST_CASE("a node id that was given and is not used is free again when the caller's timeout is over") {
  ServerWorld w(kApis);
  const env::LinkId holder = w.open(), other = w.open();
  CHECK(w.say(holder, request(1, 20, "timeout: 5\n")) == given(20));
  w.run(4 * kSecond);
  CHECK_THAT(w.say(other, request(1, 20)), Contains("already allocated"));
  CHECK_THAT(w.ask("get status\ntypes: API\n\n"), Contains("node.20.status: CONNECTED"));
  w.run(1100 * kMillisecond);
  CHECK_THAT(w.ask("get status\ntypes: API\n\n"), Contains("node.20.status: NO_CONTACT"));
  CHECK(w.say(other, request(1, 20)) == given(20));  // 20 s, since it does not say how long
  w.run(19 * kSecond);
  CHECK_THAT(w.say(holder, request(1, 20)), Contains("already allocated"));
  w.run(1100 * kMillisecond);
  CHECK(w.say(holder, request(1, 20, "timeout: 0\n")) == given(20));  // who does not wait gets the usual time
  w.run(19 * kSecond);
  CHECK_THAT(w.say(other, request(1, 20)), Contains("already allocated"));
}

TEST_CASE("a node id is used by the node that connects, and is free when it goes, whoever asked for it") {
  ServerWorld w;
  const env::LinkId asker = w.open();
  CHECK(w.say(asker, request(0, 1)) == given(1));
  const env::LinkId node = w.data_node(1, w.catalog()->name);
  CHECK_THAT(w.ask(request(0, 1)), Contains("already allocated"));
  w.step(event(env::EventKind::link_down, node));
  CHECK(w.ask(request(0, 1)) == given(1));
}
