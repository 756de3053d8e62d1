#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "mgmt/config.h"

using namespace ndb;
using namespace ndb::mgmt;

namespace {

const std::string kSmall =
    "[ndb_mgmd]\nHostName=localhost\nNodeId=49\n"
    "[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n"
    "[mysqld]\n";

// All problems of a text, one a line, warnings included.
std::string problems(const std::string& text) {
  std::string out;
  for (const Problem& p : parse_ini(text).problems) out += problem_line(p) + "\n";
  return out;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

std::string project_file(const std::string& name) { return NDB_PROJECT_DIR "/" + name; }

bool says(const std::string& text, const std::string& part) { return problems(text).find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the table of parameters is consistent") {
  CHECK(parameters().size() == 277);
  for (const Parameter& p : parameters()) {
    INFO(p.name);
    CHECK(find_parameter(p.kind, p.name) == &p);
    if (p.key) CHECK(find_parameter_by_key(p.kind, p.key) == &p);
    CHECK(p.least <= p.most);
    CHECK(!p.meaning.empty());
    // A default is spelled canonically.
    if (!p.default_value.empty() && p.type != ValueType::text) {
      const Parameter wide{p.kind, p.name, p.type, {}, 0, ~std::uint64_t{0}, p.words, p.restart, 0, 0, {}};
      std::string why;
      CHECK(parse_value(wide, p.default_value, &why) == std::string(p.default_value));
    }
    if (p.unset() || p.mandatory()) CHECK(p.default_value.empty());
  }
  const Parameter* memory = find_parameter(Kind::ndbd, "datamemory");
  REQUIRE(memory);
  CHECK(memory->name == "DataMemory");
  CHECK(memory->used());
  CHECK(memory->restart == Restart::online);
  CHECK(find_parameter(Kind::ndbd, "Id") == find_parameter(Kind::ndbd, "NodeId"));
  CHECK(find_parameter(Kind::tcp, "Id") == nullptr);
  CHECK(find_kind("MGM") == Kind::ndb_mgmd);
  CHECK(find_kind("Db") == Kind::ndbd);
  CHECK(find_kind("api") == Kind::api);
  CHECK(!find_kind("ndb"));
}

TEST_CASE("values are read in every spelling and written in one") {
  const Parameter& size = *find_parameter(Kind::ndbd, "DataMemory");
  const Parameter& integer = *find_parameter(Kind::ndbd, "MaxNoOfConcurrentOperations");
  const Parameter& boolean = *find_parameter(Kind::ndbd, "ODirect");
  const Parameter& word = *find_parameter(Kind::ndbd, "Arbitration");
  const Parameter& cpus = *find_parameter(Kind::ndbd, "LockExecuteThreadToCPU");
  auto read = [](const Parameter& p, std::string_view t) {
    std::string why;
    auto v = parse_value(p, t, &why);
    return v ? *v : "? " + why;
  };
  CHECK(read(size, "512M") == "536870912");
  CHECK(read(size, "0x100000") == "1048576");
  CHECK(read(size, "1024k") == "1048576");
  CHECK(read(size, "1024K") == "1048576");
  CHECK(read(size, "16384G") == "17592186044416");
  CHECK(read(size, "16385G") == "? is out of the range 1M to 16384G");
  CHECK(read(size, "1023K") == "? is out of the range 1M to 16384G");
  CHECK(read(size, "99999999999999999999") == "? is out of the range 1M to 16384G");
  CHECK(read(size, "17179869184G") == "? is out of the range 1M to 16384G");
  for (auto bad : {"", "5m", "5g", "M", "-5", "1.5M", "5MB", "0x", "ten", "08", "5 M"}) {
    CAPTURE(bad);
    CHECK(read(size, bad) == "? is no number (digits, then at most one of k, M, G)");
  }
  CHECK(read(integer, "32k") == "32768");
  CHECK(read(integer, "0100") == "64");
  CHECK(read(boolean, "Y") == "1");
  CHECK(read(boolean, "FALSE") == "0");
  CHECK(read(boolean, "tRue") == "? is neither true nor false");
  CHECK(read(word, "waitexternal") == "WaitExternal");
  CHECK(read(word, "never") == "? is none of Disabled, Default, WaitExternal");
  CHECK(read(cpus, "0,2-5") == "0,2-5");
  CHECK(read(cpus, "5-2").front() == '?');
  CHECK(read(cpus, "1,,2").front() == '?');
  const Parameter& text = *find_parameter(Kind::ndbd, "DataDir");
  CHECK(read(text, "a\x01").front() == '?');
  CHECK(read(text, "\xc3\xa9") == "\xc3\xa9");
  CHECK(read(text, "\xc3").front() == '?');
  CHECK(read(text, "\xed\xa0\x80").front() == '?');
  CHECK(show_value(size, "536870912") == "512M");
  CHECK(show_value(size, "1073741824") == "1G");
  CHECK(show_value(size, "1048577") == "1048577");
  CHECK(show_value(size, "0") == "0");
  CHECK(show_value(boolean, "1") == "true");
}

TEST_CASE("a small configuration and what follows from it") {
  const ParseResult r = parse_ini(kSmall);
  CHECK(r.problems.empty());
  const Config& c = r.config;
  REQUIRE(c.nodes.size() == 4);
  CHECK(c.nodes[0].id == 1);
  CHECK(c.nodes[0].group == 0);
  CHECK(c.nodes[1].group == 0);
  CHECK(c.nodes[2].id == 49);
  CHECK(c.nodes[3].id == 50);
  CHECK(c.nodes[3].group == kNoGroup);
  const Values v = effective_values(c, *c.find(1));
  CHECK(v.at("NodeId") == "1");
  CHECK(v.at("DataMemory") == "102760448");
  CHECK(v.at("FileSystemPath") == ".");
  CHECK(v.at("BackupDataDir") == ".");
  CHECK(v.count("ServerPort") == 0);
  CHECK(effective(c, *c.find(49), "portnumber") == "1186");
  CHECK(effective(c, *c.find(49), "LogDestination") == "FILE:filename=ndb_49_cluster.log,maxsize=1000000,maxfiles=6");
  CHECK(replicas(c) == 2);
  CHECK(hosts(c) == std::vector<std::string>{"localhost"});
  std::string links;
  for (const Link& l : all_links(c)) links += std::to_string(l.node1) + "-" + std::to_string(l.node2) + " ";
  CHECK(links == "1-2 49-1 49-2 50-1 50-2 ");
  const Values w = effective_values(c, all_links(c)[1]);
  CHECK(w.at("NodeIdServer") == "49");
  CHECK(w.at("PortNumber") == "1186");
  CHECK(effective_values(c, all_links(c)[3]).at("NodeIdServer") == "1");
}

TEST_CASE("the example is a good configuration without warnings") {
  const ParseResult r = parse_ini(read_file(project_file("examples/config.ini")));
  for (const Problem& p : r.problems) UNSCOPED_INFO(problem_line(p));
  CHECK(r.problems.empty());
  CHECK(r.config.nodes.size() == 8);
  CHECK(effective(r.config, *r.config.find(2), "DataMemory") == "536870912");
}

TEST_CASE("syntax: sections, aliases, comments, separators, quotes") {
  const ParseResult r = parse_ini(
      "# all of it\r\n"
      "  [ MGM ]  # comment\r\n"
      "id : 49\n"
      "hostname = \"localhost\" # comment\n"
      "[DB DEFAULT]\n"
      "datamemory=1G\n"
      "[DB]\nnodeid:0x1\n[db]\n[API]\nHostName=\n"
      "LogLevelStartup=1\n");
  REQUIRE(r.problems.size() == 2);
  CHECK(problem_line(r.problems[0]) == "line 3: warning: 'Id' is deprecated; write 'NodeId'");
  CHECK(problem_line(r.problems[1]) ==
        "line 12: error: unknown parameter 'LogLevelStartup' in [mysqld]; it belongs to [ndbd]");
  CHECK(effective(r.config, *r.config.find(50), "DataMemory") == "1073741824");
  CHECK(r.config.find(51)->kind == Kind::api);
  CHECK(effective(r.config, *r.config.find(49), "HostName") == "localhost");
}

TEST_CASE("all mistakes of a text are reported at once, each with its line") {
  const std::string text =
      "NodeId=7\n"                // 1
      "[ndb_mgmd]\n"              // 2
      "HostName=localhost\n"      // 3
      "hostname=localhost\n"      // 4
      "nonsense\n"                // 5
      "[ndbd default]\n"          // 6
      "DataMemry=512M\n"          // 7
      "NoOfReplicas=9\n"          // 8
      "NodeId=3\n"                // 9
      "[ndbd default]\n"          // 10
      "[ndbd]\n"                  // 11
      "NodeId=1\n"                // 12
      "RestartOnErrorInsert=1\n"  // 13
      "ODirect=maybe\n"           // 14
      "[ndbd]\n"                  // 15
      "NodeId=1\n"                // 16
      "[wrong]\n"                 // 17
      "NodeId=1\n"                // 18
      "[tcp]\n"                   // 19
      "NodeId1=1\n"               // 20
      "[tcp]\n"                   // 21
      "NodeId1=1\nNodeId2=1\n"    // 22, 23
      "[tcp]\n"                   // 24
      "NodeId1=1\nNodeId2=99\n"   // 25, 26
      "PortNumber=5\n"            // 27
      "[ndbd\n"                   // 28
      "=5\n";                     // 29
  CHECK(problems(text) ==
        "error: there is no [mysqld] section; at least one is needed\n"
        "line 1: error: parameter 'NodeId' stands before the first section\n"
        "line 4: error: parameter 'HostName' stands twice in this section\n"
        "line 5: error: neither a section nor 'name=value': 'nonsense'\n"
        "line 7: error: unknown parameter 'DataMemry' in [ndbd]; did you mean 'DataMemory'?\n"
        "line 8: error: parameter 'NoOfReplicas' is out of the range 1 to 4: '9'\n"
        "line 9: error: 'NodeId' has no place in a default section\n"
        "line 10: error: a second [ndbd default] section\n"
        "line 13: error: parameter 'RestartOnErrorInsert' is set by the management server, not in "
        "a configuration\n"
        "line 14: error: parameter 'ODirect' is neither true nor false: 'maybe'\n"
        "line 15: error: node id 1 stands twice\n"
        "line 17: error: unknown section '[wrong]'; there are system, ndb_mgmd, ndbd, mysqld, tcp "
        "and shm\n"
        "line 19: error: [tcp] needs NodeId2\n"
        "line 21: error: a link from node 1 to itself\n"
        "line 24: error: a link to node 99, which is not in the configuration\n"
        "line 27: error: parameter 'PortNumber' is set by the management server, not in a "
        "configuration\n"
        "line 28: error: a section is '[name]' or '[name default]' on a line of its own: '[ndbd'\n"
        "line 29: error: a value without a name: '=5'\n");
}

TEST_CASE("warnings leave a configuration usable") {
  const ParseResult r = parse_ini(
      "[ndb_mgmd]\nHostName=a\nId=49\n[ndbd "
      "default]\nBackupMemory=10M\nODirect=1\n[ndbd]\nHostName=a\nODirect=0\n"
      "[ndbd]\nHostName=a\n[mysqld]\n");
  CHECK(r.ok());
  std::string lines;
  for (const Problem& p : r.problems) lines += problem_line(p) + "\n";
  CHECK(lines ==
        "line 1: warning: the arbitrator node 49 shares the host of data node 50: the loss of that "
        "host may stop the "
        "cluster\n"
        "line 3: warning: 'Id' is deprecated; write 'NodeId'\n"
        "line 5: warning: parameter 'BackupMemory' is deprecated: old sum of the backup buffers\n"
        "line 6: warning: parameter 'ODirect' is accepted but not used here\n"
        "line 10: warning: node 50 and node 51 are replicas of each other on one host 'a': its "
        "loss stops the "
        "cluster\n");
  CHECK(says("[ndb_mgmd]\nHostName=localhost\nArbitrationRank=0\n[ndbd]\n[ndbd]\n[mysqld]\n",
             "warning: there is no arbitrator"));
}

TEST_CASE("node ids") {
  // Last used + 1, skipping those that are written further down.
  const ParseResult r = parse_ini(
      "[ndbd]\n[ndbd]\nNodeId=5\n[ndb_mgmd]\nHostName=localhost\n[api]\n[ndbd]\n[api]\nNodeId=6\n"
      "[ndbd]\nNodeGroup=65536\n");
  std::string ids;
  for (const Node& n : r.config.nodes) ids += std::to_string(n.id) + std::string(kind_type_name(n.kind)) + " ";
  CHECK(ids == "1DB 5DB 6API 7MGM 8API 9DB 10DB ");
  CHECK(says("[ndbd]\nNodeId=145\n", "parameter 'NodeId' is out of the range 1 to 144: '145'"));
  CHECK(says("[api]\nNodeId=256\n", "parameter 'NodeId' is out of the range 1 to 255: '256'"));
  std::string many = "[ndb_mgmd]\nHostName=localhost\n[ndbd]\n[ndbd]\n";
  for (int i = 0; i < 252; i++) many += "[api]\n";
  CHECK(parse_ini(many).ok());
  CHECK(says(many + "[api]\n", "no node id up to 255 is left for this [mysqld]"));
}

TEST_CASE("node groups") {
  auto groups = [](const std::string& data_nodes) {
    const ParseResult r =
        parse_ini("[ndb_mgmd]\nHostName=localhost\nNodeId=49\n[api]\nNodeId=50\n[ndbd default]\n" + data_nodes);
    std::string out;
    for (const Node& n : r.config.nodes) {
      if (n.kind == Kind::ndbd) out += std::to_string(n.group) + " ";
    }
    for (const Problem& p : r.problems) out += problem_line(p) + " ";
    return out;
  };
  CHECK(groups("[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\n[ndbd]\nNodeId=4\n") == "0 0 1 1 ");
  CHECK(groups("[ndbd]\nNodeId=1\nNodeGroup=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\n[ndbd]\nNodeId="
               "4\n") == "1 0 0 1 ");
  CHECK(groups("[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\nNodeGroup=65536\n") == "0 0 65536 ");
  CHECK(groups("NoOfReplicas=1\n[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n") == "0 1 ");
  CHECK(groups("[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\n") ==
        "0 0 1 line 11: error: node group 1 has 1 member, NoOfReplicas is 2 ");
  CHECK(groups("NodeGroup=0\n[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\n") ==
        "0 0 0 line 12: error: node group 0 has 3 members, NoOfReplicas is 2 ");
  CHECK(groups("[ndbd]\nNodeId=1\nNodeGroup=72\n[ndbd]\nNodeId=2\nNodeGroup=72\n") ==
        "72 72 line 7: error: node 1: NodeGroup 72 is neither below 72 nor 65536 (no group yet) "
        "line 10: error: node 2: NodeGroup 72 is neither below 72 nor 65536 (no group yet) ");
  CHECK(groups("NodeGroup=65536\n[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n") ==
        "65536 65536 line 6: error: no data node is in a node group ");
  // In reserve: outside until enabled, and in a group only beside somebody who is there.
  CHECK(groups("[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\nDisabled=1\nNodeGroup=65536\n") == "0 0 65536 ");
  CHECK(groups("[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n[ndbd]\nNodeId=3\nNodeActive=0\n") ==
        "0 0 65536 line 11: warning: node 3 is in reserve and has no NodeGroup; write "
        "NodeGroup=65536 so that it can be "
        "enabled ");
  CHECK(groups("Disabled=1\nNodeGroup=0\n[ndbd]\nNodeId=1\n[ndbd]\nNodeId=2\n") ==
        "0 0 line 11: error: all members of node group 0 are in reserve ");
}

TEST_CASE("a default section speaks only for what follows it") {
  const ParseResult r = parse_ini(
      "[ndb_mgmd]\nHostName=localhost\n[ndbd]\nNodeId=5\n[ndbd default]\nDataMemory=200M\n"
      "[ndbd]\nNodeId=6\n[ndbd]\nNodeId=7\nDataMemory=300M\n[ndbd]\nNodeId=8\n[api]\n");
  REQUIRE(r.ok());
  CHECK(effective(r.config, *r.config.find(5), "DataMemory") == "102760448");
  CHECK(effective(r.config, *r.config.find(6), "DataMemory") == "209715200");
  CHECK(effective(r.config, *r.config.find(7), "DataMemory") == "314572800");
  CHECK(parse_ini(print_ini(r.config)).config == r.config);
}

TEST_CASE("rules over several values") {
  auto data = [](const std::string& lines) {
    return "[ndb_mgmd]\nHostName=localhost\n[api]\n[ndbd default]\n" + lines + "\n[ndbd]\n[ndbd]\n";
  };
  CHECK(says(data("MaxNoOfConcurrentOperations=100"),
             "MaxNoOfConcurrentOperations is below MaxNoOfConcurrentTransactions"));
  CHECK(says(data("MaxDMLOperationsPerTransaction=40000"),
             "MaxDMLOperationsPerTransaction 40000 is above MaxNoOfConcurrentOperations 32768"));
  CHECK(says(data("ReservedConcurrentScans=300"), "ReservedConcurrentScans 300 is above MaxNoOfConcurrentScans 256"));
  CHECK(says(data("NoOfFragmentLogParts=5"), "NoOfFragmentLogParts 5 is none of 4, 6, 8"));
  CHECK(says(data("TransactionMemory=1M\nMaxNoOfLocalScans=100"),
             "TransactionMemory and MaxNoOfLocalScans exclude each other"));
  auto server = [](const std::string& line) {
    return "[ndb_mgmd]\nHostName=localhost\n" + line + "\n[api]\n[ndbd]\n[ndbd]\n";
  };
  CHECK(says(server("LogDestination=PAPER"), "LogDestination: 'PAPER' is not known"));
  CHECK(says(server("LogDestination=FILE:maxsize=5"), "LogDestination: 'FILE without filename='"));
  CHECK_FALSE(says(server("LogDestination=CONSOLE;SYSLOG:facility=user;FILE:filename=/y/b.log"), "error"));
  CHECK(says(data("ThreadConfig=main={cpubind=0},worker={count=2}"),
             "ThreadConfig has no threads of type 'worker'; there are main, ldm"));
  CHECK_FALSE(says(data("ThreadConfig=main={cpubind=0,1}, LDM={count=2,cpubind=2,3},tc,io={thread_prio=3}"), "error"));
  CHECK(says(data("MaxStartFailRetries=5"), "MaxStartFailRetries needs StopOnError=0"));
  CHECK_FALSE(says(data("MaxStartFailRetries=5\nStopOnError=0"), "error"));
  CHECK(says(data("") + "[ndbd]\nNoOfReplicas=1\n", "NoOfReplicas differs between data nodes"));
  CHECK(says(data("HeartbeatOrder=5"), "another data node has the same HeartbeatOrder"));
  CHECK(says(data("") + "[ndbd]\nHeartbeatOrder=1\n[ndbd]\n", "HeartbeatOrder is 0 on some data nodes"));
  CHECK(says(data("") + "[api]\nHostName=far\n", "localhost cannot be mixed with other hosts"));
  CHECK_FALSE(says(data("") + "[api]\nHostName=127.0.0.1\n[api]\nHostName=\n", "error"));
  CHECK(says(data("ServerPort=2000"), "have the same host and port: 'localhost:2000'"));
  CHECK(says(data("") + "[mgm]\nHostName=localhost\n", "have the same host and port: 'localhost:1186'"));
  CHECK(says(data("") + "[mgm]\nPortNumber=1\n", "a management server listens and needs a HostName"));
  CHECK(problems("") ==
        "error: there is no [ndb_mgmd] section; at least one is needed\n"
        "error: there is no [ndbd] section; at least one is needed\n"
        "error: there is no [mysqld] section; at least one is needed\n");
}

TEST_CASE("links") {
  const std::string base = kSmall + "[api]\nNodeId=60\nHostName=localhost\n";
  auto link = [&](const std::string& lines) { return base + "[tcp]\n" + lines + "\n"; };
  CHECK(says(link("NodeId1=50\nNodeId2=60"), "a link between mysqld node 50 and mysqld node 60; API nodes"));
  CHECK(says(link("NodeId1=50\nNodeId2=49"), "API nodes have links to data nodes only"));
  CHECK(says(link("NodeId1=1\nNodeId2=2\n[shm]\nNodeId1=2\nNodeId2=1"), "a second link between node 1 and node 2"));
  CHECK(says(link("NodeId1=1\nNodeId2=2\nPreferIPVersion=6"), "PreferIPVersion differs between links"));
  CHECK(says(link("NodeId1=1\nNodeId2=50\nNodeIdServer=50"), "node 50 listens for this link and needs a HostName"));
  CHECK(says(link("NodeId1=1\nNodeId2=50\nNodeIdServer=2"), "NodeIdServer 2 is no end of the link"));
  const ParseResult r =
      parse_ini(link("NodeId1=1\nNodeId2=60\nHostName1=localhost\nHostName2=127.0.0.1\nSendBufferMemory=4M"));
  REQUIRE(r.ok());
  REQUIRE(r.config.links.size() == 1);
  CHECK(r.config.links[0].node1 == 60);
  CHECK(r.config.links[0].written.at("HostName1") == "127.0.0.1");
  CHECK(r.config.links[0].written.at("HostName2") == "localhost");
  CHECK(effective_values(r.config, r.config.links[0]).at("SendBufferMemory") == "4194304");
  // Far apart: larger buffers.
  const ParseResult far = parse_ini(
      "[ndb_mgmd]\nHostName=a\n[ndbd]\nHostName=b\nLocationDomainId=1\n"
      "[ndbd]\nHostName=c\nLocationDomainId=2\n[api]\nwan=1\n");
  REQUIRE(far.ok());
  const auto all = all_links(far.config);
  CHECK(effective_values(far.config, all[0]).at("TCP_MAXSEG_SIZE") == "0");         // 1-2: mgmd, data
  CHECK(effective_values(far.config, all[2]).at("TCP_MAXSEG_SIZE") == "61440");     // two sites
  CHECK(effective_values(far.config, all[3]).at("TCP_SND_BUF_SIZE") == "4194304");  // wan
}

TEST_CASE("[computer] sections still work") {
  const ParseResult r = parse_ini(
      "[computer]\nId=big\nHostName=one\n[ndb_mgmd]\nHostName=two\n"
      "[ndbd default]\nNoOfReplicas=1\n[ndbd]\nExecuteOnComputer=big\n[api]\n");
  CHECK(r.ok());
  CHECK(r.problems.size() == 2);
  CHECK(effective(r.config, *r.config.find(2), "HostName") == "one");
  CHECK(says("[ndbd]\nExecuteOnComputer=no\n", "names a [computer] that does not exist: 'no'"));
}

TEST_CASE("bounds of a text") {
  const std::string line = "DataDir=" + std::string(950, 'a');
  CHECK(parse_ini("[ndbd default]\n" + line + "\n" + kSmall).ok());
  CHECK(says("[ndbd]\n" + line + std::string(100, 'b') + "\n", "the line is longer than 1024 bytes"));
  CHECK(says("[ndbd]\nDataDir=" + std::string(970, 'a') + "\n", "parameter 'DataDir' is too long"));
  CHECK(says(std::string((1 << 20) + 1, '\n'), "the text is larger than 1048576 bytes"));
  std::string bad;
  for (int i = 0; i < 3000; i++) bad += "x\n";
  const auto p = parse_ini(bad).problems;
  CHECK(p.size() == 501);
  CHECK(p.back().text == "there are more problems than are shown");
}

TEST_CASE("setting one parameter of a configuration") {
  Config c = parse_ini(kSmall).config;
  CHECK(set_parameter(c, Kind::ndbd, {}, "datamemory", "1G").empty());
  CHECK(effective(c, *c.find(2), "DataMemory") == "1073741824");
  CHECK(set_parameter(c, Kind::ndbd, {2}, "DataMemory", "2G").empty());
  CHECK(effective(c, *c.find(1), "DataMemory") == "1073741824");
  CHECK(effective(c, *c.find(2), "DataMemory") == "2147483648");
  CHECK(set_parameter(c, Kind::ndbd, {2}, "DataMemory", std::nullopt).empty());
  CHECK(set_parameter(c, Kind::ndbd, {}, "DataMemory", std::nullopt).empty());
  CHECK(c == parse_ini(kSmall).config);
  const Config before = c;
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {3}, "DataMemory", "2G")));
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {49}, "DataMemory", "2G")));
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {1}, "DataMemory", "2")));
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {1}, "Data", "2")));
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {1}, "NodeId", "2")));
  CHECK(has_errors(set_parameter(c, Kind::ndbd, {1}, "NodeGroup", "5")));
  CHECK(c == before);
  CHECK(set_parameter(c, Kind::system, {}, "Name", "hall").empty());
  CHECK(effective_system(c).at("Name") == "hall");
}

TEST_CASE("what is printed as ini is accepted and equal") {
  const std::string text = "[system]\nName=hall\n" + kSmall +
                           "[tcp default]\nSendBufferMemory=3M\n[tcp]\nNodeId1=2\nNodeId2=1\nChecksum=y\n"
                           "[api]\nHostName=\"  x'\"\n[api]\nNodeId=99\nHostName='\n[api]\nHostName=\"\"a\"\"\n";
  const ParseResult r = parse_ini(text);
  const ParseResult again = parse_ini(print_ini(r.config));
  CHECK(again.config == r.config);
  CHECK(print_ini(again.config) == print_ini(r.config));
  CHECK(print_ini(parse_ini(kSmall).config) ==
        "[ndb_mgmd]\nNodeId=49\nHostName=localhost\n\n[ndbd]\nNodeId=1\n\n[ndbd]\nNodeId=2\n\n["
        "mysqld]\nNodeId=50\n");
}
