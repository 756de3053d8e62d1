// Every command that a stock client sends (SHOW, STATUS, START .., ndb_config, ndb_waiter, a node that starts), as it
// sends it: the header, the keys and the result that it expects.
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::StartsWith;

namespace {

struct Said {
  const char* request;
  const char* reply;  // up to a '*', when there is one
};

void check(Started& w, const Said& s) {
  INFO(s.request);
  const std::string reply = w.ask(std::string(s.request) + "\n\n");
  std::string expected = s.reply;
  if (expected.ends_with('*')) {
    expected.pop_back();
    CHECK_THAT(reply, StartsWith(expected));
    CHECK_THAT(reply, Catch::Matchers::EndsWith("\n"));
  } else {
    CHECK(reply == expected);
  }
  CHECK(w.ask("check connection\n\n") == "check connection reply\nresult: Ok\n\n");
}

// Questions, and what leaves the cluster as it is; asked of one server.
constexpr Said kAsked[] = {
    {"get version",
     "version\nid: 525320\nmajor: 8\nminor: 4\nbuild: 8\nstring: mysql-8.4.8 ndb-8.4.8\nmysql_major: 8\n"
     "mysql_minor: 4\nmysql_build: 8\n\n"},
    {"set clientversion\nbuild: 8\nmajor: 8\nminor: 4", "set clientversion reply\nresult: Ok\n\n"},
    {"check connection", "check connection reply\nresult: Ok\n\n"},
    {"get mgmd nodeid", "get mgmd nodeid reply\nnodeid:10\n\n"},
    {"get status\ntypes:\"NDB MGM API\"",
     "node status\nnodes: 7\nnode.1.type: NDB\nnode.1.status: STARTED\nnode.1.version: 525320\n"
     "node.1.mysql_version: 525320\nnode.1.startphase: 0\nnode.1.dynamic_id: 1\n"
     "node.1.node_group: 0\nnode.1.connect_count: 0\nnode.1.address: 127.0.0.1\nnode.2.type: NDB\n*"},
    {"get status\ntypes:\"MGM\"", "node status\nnodes: 1\nnode.10.type: MGM\nnode.10.status: CONNECTED\n*"},
    {"get config_v2\nversion: 525320\nnodetype: -1\nnode: 0", "get config reply\nresult: Ok\nContent-Length: *"},
    {"get config\nversion: 525320\nnodetype: -1", "get config reply\nresult: Ok\nContent-Length: *"},
    {"get config_v2\nversion: 525320\nfrom_node: 1", "get config reply\nresult: Ok\nContent-Length: *"},
    {"get info clusterlog",
     "clusterlog\nenabled: 1\ndebug: 0\ninfo: 1\nwarning: 1\nerror: 1\ncritical: 1\nalert: 1\n\n"},
    {"get cluster loglevel",
     "get cluster loglevel\nstartup: 7\nshutdown: 7\nstatistics: 7\ncheckpoint: 7\nnoderestart: 7\n"
     "connection: 7\ninfo: 7\nwarning: 7\nerror: 7\ncongestion: 7\ndebug: 7\nbackup: 7\nschema: 7\n\n"},
    {"set cluster loglevel\nnode: 1\ncategory: 250\nlevel: 9", "set cluster loglevel reply\nresult: Ok\n\n"},
    {"set loglevel\nnode: 1\ncategory: STARTUP\nlevel: 9", "set loglevel reply\nresult: Ok\n\n"},
    {"set cluster loglevel\nnode: 1\ncategory: 249\nlevel: 9",
     "set cluster loglevel reply\nresult: no category '249'\n\n"},
    {"set cluster loglevel\nnode: 99\ncategory: 250\nlevel: 9",
     "set cluster loglevel reply\nresult: no node with id 99\n\n"},
    {"set logfilter\nlevel: 1\nenable: -1", "set logfilter reply\nresult: 1\n\n"},
    {"set logfilter\nlevel: 1\nenable: 4294967295", "set logfilter reply\nresult: 0\n\n"},
    {"set logfilter\nlevel: 2\nenable: 0", "set logfilter reply\nresult: 0\n\n"},
    {"get info clusterlog",
     "clusterlog\nenabled: 1\ndebug: 0\ninfo: 0\nwarning: 1\nerror: 1\ncritical: 1\nalert: 1\n\n"},
    {"set logfilter\nlevel: 7\nenable: 1", "set logfilter reply\nresult: 1\n\n"},
    {"get info clusterlog",
     "clusterlog\nenabled: 1\ndebug: 1\ninfo: 1\nwarning: 1\nerror: 1\ncritical: 1\nalert: 1\n\n"},
    {"set logfilter\nlevel: 0\nenable: 0", "set logfilter reply\nresult: 0\n\n"},
    {"set logfilter\nlevel: 0\nenable: -1", "set logfilter reply\nresult: 1\n\n"},
    {"set logfilter\nlevel: 9\nenable: 1",
     "set logfilter reply\nresult: no such severity, or neither on, off nor toggle\n\n"},
    {"set logfilter\nlevel: 1\nenable: 2",
     "set logfilter reply\nresult: no such severity, or neither on, off nor toggle\n\n"},
    {"listen event\nparsable: 1\nfilter:\"NOSUCH=15\"", "listen event\nresult: -1\nmsg: *"},
    {"listen event\nparsable: 1\nfilter:\"250=15 251=15\"", "listen event\nresult: 0\n\n"},
    {"dump events\ntype: 50\nnodes:\"1\"",
     "dump events reply\nresult: Ok\nevents: 2\n\nlog event reply\ntype=50\ntime=0\nsource_nodeid=1\n*"},
    {"dump events\ntype: 50\nnodes:\"2,3-4\"", "dump events reply\nresult: Ok\nevents: 6\n\nlog event reply\n*"},
    {"dump events\ntype: 50\nnodes:\"4-3\"", "dump events reply\nresult: invalid nodes: '4-3'\n\n"},
    {"dump events\ntype: 51", "dump events reply\nresult: ndb_logevent_type 51 not supported\n\n"},
    {"dump events\ntype: 62\nnodes:\"2\"",
     "dump events reply\nresult: Ok\nevents: 1\n\nlog event reply\ntype=62\ntime=0\nsource_nodeid=2\n"
     "starting_node=0\nbackup_id=0\nn_bytes_lo=0\nn_bytes_hi=0\nn_records_lo=0\nn_records_hi=0\nn_log_bytes_lo=0\n"
     "n_log_bytes_hi=0\nn_log_records_lo=0\nn_log_records_hi=0\n\n"},
    {"dump events\ntype: 81\nnodes:\"200\"", "dump events reply\nresult: Ok\nevents: 0\n\n"},
    {"dump state\nnode: 1\nargs:\"1000\"", "dump state reply\nresult: Ok\n\n"},
    {"dump state\nnode: 10\nargs:\"1000\"", "dump state reply\nresult: no data node with id 10\n\n"},
    {"dump state\nnode: 1\nargs:\"103001\"", "dump state reply\nresult: 5001-*"},
    {"start backup\ncompleted: 2", "start backup reply\nresult: 3001-this cluster makes no backups\n\n"},
    {"start backup\ncompleted: 2\nencryption_password:\"abc\"\npassword_length: 6\n+encryption_password:\"def\"",
     "start backup reply\nresult: 3001-this cluster makes no backups\n\n"},
    {"abort backup\nid: 1", "abort backup reply\nresult: 3001-this cluster makes no backups\n\n"},
    {"purge stale sessions", "purge stale sessions reply\nresult: Ok\n\n"},
    {"start\nnode: 1", "start reply\nresult: Ok\n\n"},
    {"start all", "start reply\nresult: Ok\nstarted: 0\n\n"},
    {"stop v2\nnode:\"77\"\nabort: 0\nforce: 0", "stop reply\nresult: 9026-*"},
    {"stop v2\nnode:\"1 2\"\nabort: 1\nforce: 0", "stop reply\nresult: 5028-*"},
    {"stop\nnode:\"1 2\"\nabort: 1", "stop reply\nresult: 5028-*"},
    {"stop v2\nnode:\"1 2\"\nabort: 0\nforce: 0", "stop reply\nresult: 5031-*"},
    {"stop v2\nnode:\"3 4\"\nabort: 0\nforce: 0", "stop reply\nresult: 5031-*"},
    {"restart node v2\nnode:\"1 2\"\nabort: 1\ninitialstart: 0\nnostart: 0\nforce: 0", "restart reply\nresult: 5028-*"},
    {"restart node\nnode:\"1 2\"\nabort: 1\ninitialstart: 0\nnostart: 0", "restart reply\nresult: 5028-*"},
    {"restart node v2\nnode:\"20\"\nabort: 0\ninitialstart: 0\nnostart: 0\nforce: 0", "restart reply\nresult: 5002-*"},
    {"create nodegroup\nnodes:\"1 2\"", "create nodegroup reply\nng: -1\nerror_code: 322\nresult: 322-*"},
    {"drop nodegroup\nng: 9", "drop nodegroup reply\nresult: 9010-*"},
    {"enter single user\nnodeId: 1", "enter single user reply\nresult: 5062-*"},
    {"exit single user", "exit single user reply\nresult: Ok\n\n"},
    {"get nodeid\nversion: 525320\nnodetype: 1\nnodeid: 0\nuser: mysqld\npassword: mysqld\npublic key: a public key\n"
     "endian: little\nname: x\ntimeout: 20\nlog_event: 0",
     "get nodeid reply\nnodeid: 20\nresult: Ok\n\n"},
    {"set ports\nnode: 1\nnum_ports: 1\n\n2=-4000", "set ports reply\nresult: Ok\n\n"},
};

// Orders; each to a cluster of its own.
constexpr Said kOrdered[] = {
    {"create nodegroup\nnodes:\"3 4\"", "create nodegroup reply\nng: 1\nresult: Ok\n\n"},
    {"enter single user\nnodeId: 20", "enter single user reply\nresult: Ok\n\n"},
    {"stop v2\nnode:\"2\"\nabort: 0\nforce: 0", "stop reply\nresult: Ok\nstopped: 1\ndisconnect: 0\n\n"},
    {"stop\nnode:\"2\"\nabort: 0", "stop reply\nresult: Ok\nstopped: 1\n\n"},
    {"stop v2\nnode:\"3 4\"\nabort: 1\nforce: 0", "stop reply\nresult: Ok\nstopped: 2\ndisconnect: 0\n\n"},
    {"stop v2\nnode:\"3 4\"\nabort: 0\nforce: 1", "stop reply\nresult: Ok\nstopped: 2\ndisconnect: 0\n\n"},
    {"stop v2\nnode:\"1 2\"\nabort: 0\nforce: 1", "stop reply\nresult: Ok\nstopped: 4\ndisconnect: 0\n\n"},
    {"restart node v2\nnode:\"1 2\"\nabort: 0\ninitialstart: 0\nnostart: 0\nforce: 1",
     "restart reply\nresult: Ok\nrestarted: 4\ndisconnect: 0\n\n"},
    {"stop all\nabort: 0\nstop:\"db\"", "stop reply\nresult: Ok\nstopped: 4\ndisconnect: 0\n\n"},
    {"stop all\nabort: 0", "stop reply\nresult: Ok\nstopped: 4\n\n"},
    {"restart node v2\nnode:\"2\"\nabort: 0\ninitialstart: 1\nnostart: 1\nforce: 0",
     "restart reply\nresult: Ok\nrestarted: 1\ndisconnect: 0\n\n"},
    {"restart node\nnode:\"2\"\nabort: 0\ninitialstart: 0\nnostart: 0", "restart reply\nresult: Ok\nrestarted: 1\n\n"},
    {"restart all\nabort: 0\ninitialstart: 0\nnostart: 0", "restart reply\nresult: Ok\nrestarted: 4\n\n"},
};

}  // namespace

TEST_CASE("what a stock client asks is answered as it expects") {
  Started w;
  for (const Said& s : kAsked) check(w, s);
  for (NodeId id : {NodeId{1}, NodeId{2}}) CHECK(w.catalog()->node(id)->state == meta::NodeState::in_sync);
  CHECK(w.catalog()->groups.size() == 1);
}

TEST_CASE("what a stock client orders is done and answered as it expects") {
  for (const Said& s : kOrdered) {
    Started w;
    check(w, s);
  }
  Started w;
  w.ask("create nodegroup\nnodes:\"3 4\"\n\n");
  check(w, {"drop nodegroup\nng: 1", "drop nodegroup reply\nresult: Ok\n\n"});
  CHECK(w.catalog()->groups.size() == 1);
  check(w, {"enter single user\nnodeId: 20", "enter single user reply\nresult: Ok\n\n"});
  check(w,
        {"get status\ntypes:\"NDB\"", "node status\nnodes: 4\nnode.1.type: NDB\nnode.1.status: SINGLE USER MODE\n*"});
  check(w, {"exit single user", "exit single user reply\nresult: Ok\n\n"});
  CHECK(w.catalog()->single_user == 0);
}

TEST_CASE("a stock client that shuts the cluster down is answered before its server ends") {
  Started w;
  CHECK(w.ask("stop all\nabort: 0\nstop:\"mgm,db\"\n\n") == "stop reply\nresult: Ok\nstopped: 5\ndisconnect: 1\n\n");
}

TEST_CASE("a node id is refused to a caller from another host, with both hosts") {
  std::string config = kConfig;
  for (std::size_t at; (at = config.find("127.0.0.1")) != std::string::npos;) config.replace(at, 9, "10.0.0.1");
  ServerWorld w(config);
  const std::string head =
      "get nodeid\nversion: 525320\nnodetype: 1\nuser: u\npassword: p\npublic key: k\nendian: little\nlog_event: 1\n";
  CHECK(w.ask(head + "nodeid: 20\n\n") ==
        "get nodeid reply\nresult: id 20 is configured for host '10.0.0.1', the caller is '127.0.0.1'\nerror_code: "
        "1103\n\n");
  CHECK(w.ask(head + "nodeid: 0\n\n") == "get nodeid reply\nnodeid: 21\nresult: Ok\n\n");  // it has no host
}

TEST_CASE("a session ends with its answer, and a node's becomes a link without one") {
  Started w;
  const env::LinkId ends = w.open();
  CHECK(w.say(ends, "end session\n\n") == "end session reply\n\n");
  CHECK(w.closed.count(ends) == 1);
  const env::LinkId link = w.open();
  w.step(event(env::EventKind::text, link, "transporter connect\n\n"));
  CHECK(w.upgraded.count(link) == 1);
}
