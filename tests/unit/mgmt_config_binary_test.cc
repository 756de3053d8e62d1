#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/prng.h"
#include "mgmt/config_binary.h"
#include "mgmt/config_diff.h"
#include "mgmt/config_query.h"

using namespace ndb;
using namespace ndb::mgmt;

namespace {

std::string project_file(const std::string& name) { return NDB_PROJECT_DIR "/" + name; }

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

std::string from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, count = 0;
  for (char c : text) {
    const auto d = kDigits.find(c);
    if (d == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<unsigned>(d);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return out;
}

std::string fixture(const std::string& name) {
  const auto text = read_file(project_file("tests/fixtures/" + name));
  REQUIRE(text);
  return from_base64(*text);
}

// The recorded dialogues of NDB's own server, which are not part of the project. Empty where they
// are not there.
std::string recorded(const std::string& name) {
  const auto text = read_file(project_file("../shared/fixtures/mgm/" + name));
  if (!text) std::cout << "skipped: ../shared/fixtures/mgm/" << name << " is not there\n";
  return text.value_or("");
}

std::string recorded_config(const std::string& name) {
  const std::string text = recorded(name);
  const auto at = text.find("Transfer-Encoding: base64");
  if (at == std::string::npos) return {};
  const auto begin = text.find("\n\n", at) + 2;
  return from_base64(text.substr(begin, text.find("\n\n", begin) - begin));
}

const std::string kText =
    "[system]\nName=hall\nPrimaryMGMNode=49\nConfigGenerationNumber=7\n[mgm]\nNodeId=49\nHostName="
    "m\nLogDestination=CONSOLE\n"
    "[ndbd "
    "default]\nDataMemory=5G\nArbitration=Disabled\nNoOfReplicas=2\nLockExecuteThreadToCPU=0,2-5\n"
    "[ndbd]\nNodeId=1\nHostName=a\nDataDir=/x\n[ndbd]\nNodeId=2\nHostName=b\nServerPort=2000\n"
    "[ndbd]\nNodeId=3\nHostName=c\nFileSystemPath=\nNodeGroup=65536\n[api]\nNodeId=60\nHostName=z\n[api]\nNodeId="
    "61\n"
    "[tcp "
    "default]\nSendBufferMemory=4M\n[tcp]\nNodeId1=1\nNodeId2=2\nChecksum=1\n[shm]\nNodeId1="
    "60\nNodeId2=1\nShmKey=5\n";

// Whether a data node obeys another value than NDB's default where nobody has written one.
bool own_default(std::string_view parameter) {
  return parameter == "HeartbeatIntervalDbDb" || parameter.starts_with("LogLevel");
}

std::string shown(const std::vector<Change>& d) { return diff_text(d); }

}  // namespace

TEST_CASE("binary configurations written by hand are understood") {
  for (const char* name : {"config-v2.b64", "config-v1.b64"}) {
    INFO(name);
    const Result<Config> r = decode_config(fixture(name));
    INFO(r.failure().sentence());
    REQUIRE(r.ok());
    const Config& c = *r;
    CHECK(print_ini(c) ==
          "[system]\nConfigGenerationNumber=4\nName=town\nPrimaryMGMNode=9\n\n"
          "[ndb_mgmd]\nNodeId=9\nHostName=boss\nPortNumber=1199\n\n"
          "[ndbd]\nNodeId=1\nHostName=alpha\nDataDir=/"
          "d\nDataMemory=6G\nNoOfReplicas=1\nNodeGroup=0\n\n"
          "[ndbd]\nNodeId=2\nHostName=beta\nArbitration=Disabled\nDataDir=/"
          "d\nDataMemory=6G\nNoOfReplicas=1\n"
          "NodeGroup=65536\n\n"
          "[mysqld]\nNodeId=10\nHostName=app\n\n"
          "[tcp]\nNodeId1=1\nNodeId2=2\nSendBufferMemory=4M\n");
    CHECK(c.links.at(0).written.at("PortNumber") == "4294963296");
    CHECK(c.find(2)->group == kNoGroup);
  }
}

TEST_CASE("what is encoded decodes to the same, in both versions") {
  const ParseResult r = parse_ini(kText);
  for (const Problem& p : r.problems) UNSCOPED_INFO(problem_line(p));
  REQUIRE(r.ok());
  const std::string v2 = encode_config_v2(r.config, 0);
  const Result<std::string> v1 = encode_config_v1(r.config, 0);
  REQUIRE(v1.ok());
  for (const std::string& bytes : {v2, *v1}) {
    const Result<Config> back = decode_config(bytes);
    INFO(back.failure().sentence());
    REQUIRE(back.ok());
    for (const Node& n : r.config.nodes) {
      INFO(n.id);
      Values a = effective_values(r.config, n), b = effective_values(*back, *back->find(n.id));
      CHECK(a == b);
    }
    const auto a = all_links(r.config), b = all_links(*back);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); i++) CHECK(effective_values(r.config, a[i]) == effective_values(*back, b[i]));
    CHECK(effective_system(*back) == effective_system(r.config));
    CHECK(encode_config_v2(*back, 0) == v2);
    CHECK(*encode_config_v1(*back, 0) == *v1);
  }
  CHECK(v2.size() < v1->size() / 2);  // what nodes share is sent once
}

TEST_CASE("a node gets its own links, a management server all") {
  const ParseResult r = parse_ini(kText);
  auto links = [&](NodeId id) {
    const std::string b = encode_config_v2(r.config, id);
    std::uint32_t n = 0;
    for (std::size_t i = 32; i < 36; i++) n = n << 8 | static_cast<unsigned char>(b[i]);
    return n;
  };
  CHECK(links(0) == 12);
  CHECK(links(49) == 12);
  CHECK(links(61) == 3);
  CHECK(links(1) == 5);
}

TEST_CASE("a configuration that NDB's server sent") {
  const std::string ini = recorded("config-after.ini");
  for (const char* name : {"show.txt", "config-query.txt"}) {
    INFO(name);
    const std::string bytes = recorded_config(name);
    if (bytes.empty() || ini.empty()) continue;
    const Result<Config> r = decode_config(bytes);
    INFO(r.failure().sentence());
    REQUIRE(r.ok());
    ParseResult file = parse_ini(ini);
    REQUIRE(file.ok());
    for (const Change& c : diff(file.config, *r)) {
      INFO(c.parameter);
      CHECK(own_default(c.parameter));
    }
    // NDB's server writes a value for every parameter. Of those with another default here the file gets NDB's.
    for (const Parameter& p : parameters()) {
      if (p.kind == Kind::ndbd && own_default(p.name))
        file.config.defaults[Kind::ndbd].insert_or_assign(std::string(p.name), p.default_value);
    }
    CHECK(shown(diff(file.config, *r)) == "");
    CHECK(effective_system(*r).at("Name") == "MC_20261120192039");
    // Nothing of the table is missing or has another default than NDB's server thinks.
    for (const Node& n : file.config.nodes) {
      Values ours = effective_values(file.config, n), theirs = effective_values(*r, *r->find(n.id));
      CHECK(ours == theirs);
    }
    for (const Link& l : all_links(*r)) {
      Values ours = effective_values(file.config, Link{l.kind, l.node1, l.node2, {}}), theirs = effective_values(*r, l);
      ours.erase("PortNumber");
      theirs.erase("PortNumber");
      CHECK(ours == theirs);
    }
    // Encoded again by us it says the same; sharing may be chosen differently.
    const Result<Config> again = decode_config(encode_config_v2(*r, 0));
    REQUIRE(again.ok());
    CHECK(*again == *r);
    CHECK(parse_ini(print_ini(*r)).ok());
  }
}

TEST_CASE("the stock queries give what NDB's ndb_config printed") {
  const std::string bytes = recorded_config("config-query.txt");
  if (bytes.empty()) return;
  const Config c = *decode_config(bytes);
  auto first_line = [](const std::string& s) { return s.substr(0, s.find("\nexit") + 1); };
  Query q;
  q.fields = {"nodeid", "type", "host", "nodegroup", "datamemory", "noofreplicas"};
  q.type = Kind::ndbd;
  CHECK(run_query(c, q).text == first_line(recorded("config-query.out")));
  Query nodes;
  nodes.fields = {"nodeid", "host"};
  CHECK(run_query(c, nodes).text == first_line(recorded("config-nodes.out")));
  Query system;
  system.of = Query::Of::system;
  system.fields = {"Name", "ConfigGenerationNumber", "PrimaryMGMNode"};
  CHECK(run_query(c, system).text == first_line(recorded("config-system.out")));
  const std::string links = recorded_config("config-connections.txt");
  Query connections;
  connections.of = Query::Of::connections;
  connections.fields = {"nodeid1", "nodeid2", "portnumber"};
  CHECK(run_query(*decode_config(links), connections).text == first_line(recorded("config-connections.out")));
}

TEST_CASE("damaged binary configurations are refused") {
  const ParseResult r = parse_ini(kText);
  const std::string v2 = encode_config_v2(r.config, 0), v1 = *encode_config_v1(r.config, 0);
  CHECK(decode_config("").failure().text == "binary configuration: cut off");
  CHECK(decode_config(std::string(16, 'x')).failure().text ==
        "binary configuration: does not begin with NDBCONF2 or NDBCONFV");
  CHECK(decode_config(std::string((1u << 20) + 4, 'x')).failure().text == "binary configuration: too large");
  // Every single changed byte is found by the checksum; with a corrected checksum nothing worse
  // than an error happens.
  Prng random(1);
  for (const std::string& good : {v2, v1}) {
    for (std::size_t i = 0; i < good.size(); i++) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
      CHECK(!decode_config(bad).ok());
    }
    for (std::size_t n = 0; n < good.size(); n += 4) CHECK(!decode_config(good.substr(0, n)).ok());
    int accepted = 0;
    for (int i = 0; i < 3000; i++) {
      std::string bad = good;
      for (std::uint64_t n = 1 + random.below(3); n > 0; n--) {
        const std::size_t at = 8 + random.below(bad.size() - 12);
        bad[at] = static_cast<char>(random.below(256));
      }
      std::uint32_t sum = 0;
      for (std::size_t at = 0; at + 4 < bad.size(); at += 4) sum ^= ndb::load<std::uint32_t>(bad.data() + at);
      std::memcpy(bad.data() + bad.size() - 4, &sum, 4);
      const Result<Config> result = decode_config(bad);
      accepted += result.ok();
      if (result) encode_config_v2(*result, 0);
    }
    CHECK(accepted < 3000);
  }
}

TEST_CASE("a configuration without replicas does not fill the memory") {
  // NoOfReplicas=1 stands in the defaults of the fixture: type 1, key 101.
  std::string bytes = fixture("config-v2.b64");
  const auto at = bytes.find(std::string("\x10\0\0\x65\0\0\0\x01", 8));
  REQUIRE(at != std::string::npos);
  bytes[at + 7] = 0;
  bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
  const Result<Config> r = decode_config(bytes);
  REQUIRE(r.ok());
  CHECK(replicas(*r) == 1);
}

TEST_CASE("version 1 has an end") {
  std::string text = "[mgm]\nNodeId=255\nHostName=localhost\n";
  for (int i = 0; i < 140; i++) text += "[ndbd]\n";
  for (int i = 0; i < 60; i++) text += "[api]\n";
  const ParseResult r = parse_ini(text);
  REQUIRE(r.ok());
  CHECK(encode_config_v1(r.config, 0).error() == Error::bad_definition);
  CHECK(encode_config_v1(r.config, 1).ok());
  CHECK(decode_config(encode_config_v2(r.config, 1)).ok());
}
