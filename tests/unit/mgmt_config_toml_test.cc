#include <catch2/catch.hpp>

#include "base/prng.h"
#include "mgmt/config.h"
#include "mgmt/config_image.h"

using namespace ndb;
using namespace ndb::mgmt;

namespace {

const std::string kToml =
    "[default.ndbd]\nNoOfReplicas = 2\nDataMemory = \"512M\"\nODirect = true\n"
    "[[ndb_mgmd]]\nnodeid = 49\nHostName = \"localhost\"\n"
    "[[ndbd]]\nNodeId = 1\n[[ndbd]]\n"
    "[[mysqld]]\n[[api]]\nHostName = \"\"\n";

std::string problems(const std::string& text) {
  std::string out;
  for (const Problem& p : parse_toml(text).problems) {
    if (p.severity == Severity::error) out += problem_line(p) + "\n";
  }
  return out;
}

// A random value that the parameter accepts.
std::string any_value(Prng& random, const Parameter& p) {
  switch (p.type) {
    case ValueType::boolean:
      return random.below(2) ? "1" : "0";
    case ValueType::integer:
    case ValueType::size: {
      const std::uint64_t span = std::min<std::uint64_t>(p.most - p.least, std::uint64_t{1} << (random.below(45)));
      return std::to_string(p.least + random.below(span + 1));
    }
    case ValueType::cpus:
      return "0,2-5";
    case ValueType::word:
    case ValueType::text:
      break;
  }
  if (!p.words.empty()) return std::string(p.words.substr(0, p.words.find('|')));
  const std::string parts[] = {"a", " ", "\"", "'", "\\", "=", ":", "[", "]", "\xc3\xa9", ";", "//", "%s", "x = 1"};
  std::string out;
  for (std::uint64_t n = random.below(6); n > 0; n--) out += parts[random.below(std::size(parts))];
  return out;
}

// Parameters whose values hang together with others.
bool free_parameter(const Parameter& p) {
  for (std::string_view name : {"NodeId",
                                "NodeId1",
                                "NodeId2",
                                "NodeIdServer",
                                "HostName",
                                "NoOfReplicas",
                                "NodeGroup",
                                "ServerPort",
                                "PortNumber",
                                "Disabled",
                                "NodeActive",
                                "NoOfFragmentLogParts",
                                "HeartbeatOrder",
                                "TransactionMemory",
                                "MaxStartFailRetries",
                                "StartFailRetryDelay",
                                "PreferIPVersion",
                                "MaxDMLOperationsPerTransaction",
                                "ExecuteOnComputer",
                                "LogDestination",
                                "ThreadConfig",
                                "HostName1",
                                "HostName2"}) {
    if (p.name == name) return false;
  }
  return p.name.substr(0, 8) != "Reserved" && p.name.substr(0, 8) != "MaxNoOfC" && p.name != "MaxNoOfFiredTriggers" &&
         p.name != "TransactionBufferMemory" && p.name != "MaxNoOfLocalScans" && !p.internal();
}

Values some_values(Prng& random, Kind kind) {
  Values out;
  for (const Parameter& p : parameters()) {
    if (p.kind == kind && free_parameter(p) && random.below(20) == 0) {
      std::string why;
      const auto v = parse_value(p, any_value(random, p), &why);
      REQUIRE(v);
      out.emplace(p.name, *v);
    }
  }
  return out;
}

Config any_config(Prng& random) {
  Config c;
  c.system = some_values(random, Kind::system);
  for (Kind k : {Kind::ndbd, Kind::ndb_mgmd, Kind::api, Kind::tcp, Kind::shm}) {
    Values v = some_values(random, k);
    if (!v.empty()) c.defaults[k] = v;
  }
  const auto replicas = 1 + random.below(4);
  c.defaults[Kind::ndbd]["NoOfReplicas"] = std::to_string(replicas);
  const auto data = replicas * (1 + random.below(3));
  const auto others = 2 + random.below(5);
  for (std::uint64_t i = 0; i < data + others; i++) {
    Node n;
    n.id = static_cast<NodeId>(c.nodes.empty() ? 1 : c.nodes.back().id + 1 + random.below(3));
    n.kind = i < data ? Kind::ndbd : i == data ? Kind::ndb_mgmd : Kind::api;
    n.written = some_values(random, n.kind);
    if (n.kind == Kind::ndb_mgmd) n.written["HostName"] = "localhost";
    c.nodes.push_back(n);
  }
  for (const Link& l : all_links(c)) {
    if (random.below(8) == 0)
      c.links.push_back({random.below(2) ? Kind::tcp : Kind::shm, l.node1, l.node2, some_values(random, Kind::shm)});
    if (!c.links.empty() && c.links.back().kind == Kind::tcp) {
      std::erase_if(c.links.back().written, [](const auto& v) { return !find_parameter(Kind::tcp, v.first); });
    }
  }
  for (const Problem& p : finish(c)) {
    INFO(problem_line(p));
    CHECK(p.severity == Severity::warning);
  }
  return c;
}

}  // namespace

TEST_CASE("TOML says what ini says") {
  const ParseResult r = parse_toml(kToml);
  REQUIRE(r.ok());
  const ParseResult i = parse_ini(
      "[ndbd "
      "default]\nNoOfReplicas=2\nDataMemory=512M\nODirect=1\n[mgm]\nNodeId=49\nHostName=localhost\n"
      "[ndbd]\nNodeId=1\n[ndbd]\nNodeId=50\n[api]\n[api]\nHostName=\n");
  CHECK(r.config == i.config);
  CHECK(parse_any(kToml).config == r.config);
  CHECK(parse_any(print_ini(i.config)).config == r.config);
}

TEST_CASE("mistakes in TOML have lines too") {
  CHECK(problems(kToml + "[[ndbd]]\nNodeId = 1.5\n") ==
        "line 14: error: node group 1 has 1 member, NoOfReplicas is 2\n"
        "line 15: error: parameter 'NodeId' is neither a number, a string, true nor false\n");
  CHECK(problems(kToml + "\n[[nodes]]\n[default.x]\n") ==
        "line 15: error: unknown section '[nodes]'; there are system, ndb_mgmd, ndbd, mysqld, tcp "
        "and shm\n"
        "line 16: error: unknown section '[x]'; there are system, ndb_mgmd, ndbd, mysqld, tcp and "
        "shm\n");
  CHECK(problems("ndbd = 5\n" + kToml).substr(0, 20) == "line 9: error: no TO");
  CHECK(problems("x = 5\n" + kToml) ==
        "line 1: error: 'x' is neither [system] nor a list of tables such as [[ndbd]]\n");
  CHECK(problems("default = 5\n") ==
        "error: there is no [ndb_mgmd] section; at least one is needed\n"
        "error: there is no [ndbd] section; at least one is needed\n"
        "error: there is no [mysqld] section; at least one is needed\n"
        "line 1: error: 'default' holds tables such as [default.ndbd]\n");
  CHECK(problems("[[ndbd]]\nDataDir = \"a\\nb\"\n").find("line 2: error: parameter 'DataDir' holds a character") !=
        std::string::npos);
  CHECK(problems(kToml + "[[\x01ndbd]]\n") == "line 14: error: a control character\n");
  CHECK(problems("[[ndbd]]\n [$default.ndbd]\n") == "line 2: error: no TOML: malformed section header\n");
  CHECK(problems("[[ndbd]\n").substr(0, 22) == "line 1: error: no TOML");
}

TEST_CASE("ini and TOML print each other's input: a thousand configurations") {
  Prng random(7);
  for (int i = 0; i < 1000; i++) {
    const Config c = any_config(random);
    const std::string ini = print_ini(c), toml = print_toml(c);
    const ParseResult from_ini = parse_ini(ini), from_toml = parse_toml(toml);
    INFO(ini << "-----\n" << toml);
    for (const Problem& p : from_ini.problems) {
      if (p.severity == Severity::error) UNSCOPED_INFO(problem_line(p));
    }
    for (const Problem& p : from_toml.problems) {
      if (p.severity == Severity::error) UNSCOPED_INFO(problem_line(p));
    }
    REQUIRE(from_ini.ok());
    REQUIRE(from_toml.ok());
    REQUIRE(from_ini.config == c);
    REQUIRE(from_toml.config == c);
    REQUIRE(parse_any(toml).config == c);
  }
}

TEST_CASE("a configuration becomes an image for the metadata log and comes back") {
  const std::string text =
      "[ndbd "
      "default]\nDataMemory=512M\nODirect=1\n[mgm]\nNodeId=49\nHostName=a\n[ndbd]\nHostName="
      "b\nNodeId=1\n"
      "[ndbd]\nHostName=c\nNodeId=2\nNodeGroup=0\n[ndbd]\nNodeId=3\nHostName=d\nNodeGroup=65536\n"
      "[ndbd]\nNodeId=4\nHostName=d\nDisabled=1\n[api]\n";
  const ParseResult r = parse_ini(text);
  REQUIRE(r.ok());
  const meta::ConfigImage image = to_image(r.config, text, default_cluster_name(1795202439));
  CHECK(image.name == "MC_20261120192039");
  CHECK(image.system.at("Name") == image.name);
  CHECK(image.replicas == 2);
  REQUIRE(image.nodes.size() == 6);
  CHECK(image.nodes[0].values.at("DataMemory") == "536870912");
  CHECK(image.nodes[0].values.at("ODirect") == "1");
  CHECK(image.nodes[0].values.at("StartNoNodegroupTimeout") == "15000");
  CHECK(image.nodes[0].values.count("Numa") == 0);
  CHECK(!image.nodes[0].has_group_wish);
  CHECK((image.nodes[1].has_group_wish && image.nodes[1].wished_group == 0));
  CHECK((image.nodes[2].has_group_wish && image.nodes[2].wished_group == kNoGroup));
  CHECK((image.nodes[3].has_group_wish && image.nodes[3].wished_group == kNoGroup && image.nodes[3].disabled));
  CHECK(image.nodes[4].type == meta::NodeType::mgm);
  CHECK(image.nodes[4].host == "a");
  CHECK(image.nodes[5].type == meta::NodeType::api);
  Config same = r.config;
  same.system["Name"] = image.name;
  CHECK(from_image(image).config == same);
}

TEST_CASE("the name of a cluster is the time of its first configuration") {
  CHECK(default_cluster_name(0) == "MC_19700101000000");
  CHECK(default_cluster_name(951782399) == "MC_20000228235959");
  CHECK(default_cluster_name(951782400) == "MC_20000229000000");
  CHECK(default_cluster_name(1709251199) == "MC_20240229235959");
  CHECK(default_cluster_name(-1) == "MC_19691231235959");
}
