// Every parameter there is: known as NDB's documentation has it, written and read in both languages, shown so that
// nothing changes when it is applied again, and warned about when nobody obeys it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "mgmt/config_diff.h"
#include "mgmt/config_query.h"
#include "mgmt/report.h"
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::mgmt;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

// What is needed beside a value so that it may stand in a configuration: lines of the same section.
const std::map<std::string_view, std::string> kBeside = {
    {"NodeId1", "NodeId2=2\n"},
    {"NodeId2", "NodeId1=1\n"},
    {"MaxStartFailRetries", "StopOnError=0\n"},
    {"StartFailRetryDelay", "StopOnError=0\n"},
    {"MaxNoOfConcurrentTransactions", "MaxNoOfConcurrentOperations=65536\n"},
    {"MaxDMLOperationsPerTransaction", "MaxNoOfConcurrentOperations=65536\n"},
    {"MaxNoOfLocalScans", "ReservedLocalScans=10\n"},
};
// A value other than the default, where not every value of the range will do.
const std::map<std::string_view, std::string> kOther = {
    {"NodeId", "30"},
    {"NodeId1", "1"},
    {"NodeId2", "2"},
    {"NodeIdServer", "2"},
    {"NodeGroup", "65536"},
    {"NoOfReplicas", "1"},
    {"NoOfFragmentLogParts", "8"},
    {"HeartbeatOrder", "7"},
    {"PreferIPVersion", "4"},
    {"MaxNoOfConcurrentTransactions", "5000"},
    {"MaxNoOfConcurrentOperations", "65536"},
    {"MaxDMLOperationsPerTransaction", "65536"},
    {"MaxNoOfConcurrentScans", "500"},
    {"MaxNoOfConcurrentIndexOperations", "9000"},
    {"MaxNoOfFiredTriggers", "5000"},
    {"MaxNoOfLocalScans", "64"},
    {"TransactionBufferMemory", "2097152"},
    {"HostName", "127.0.0.2"},
    {"HostName1", "127.0.0.1"},
    {"HostName2", "127.0.0.1"},
    {"ExecuteOnComputer", "big"},
    {"LogDestination", "CONSOLE"},
    {"ThreadConfig", "main,ldm={count=2}"},
};

// Another value than the default, in its one spelling.
std::string other_value(const Parameter& p) {
  if (const auto i = kOther.find(p.name); i != kOther.end()) return i->second;
  if (p.name.starts_with("Reserved")) return std::to_string(p.least + 1);
  switch (p.type) {
    case ValueType::boolean:
      return p.default_value == "1" ? "0" : "1";
    case ValueType::integer:
    case ValueType::size:
      return std::to_string(p.most) == p.default_value ? std::to_string(p.least) : std::to_string(p.most);
    case ValueType::cpus:
      return "0,2-3";
    case ValueType::word:
    case ValueType::text:
      break;
  }
  if (p.words.empty()) return "/a b";
  std::string last(p.words.substr(p.words.rfind('|') + 1));
  return last == p.default_value ? std::string(p.words.substr(0, p.words.find('|'))) : last;
}

// A good configuration with lines in one section of each kind; further sections of the kind get `again`.
std::string configuration(Kind kind, const std::string& lines, const std::string& again = {}) {
  auto in = [&](Kind k) { return k == kind ? lines : std::string(); };
  auto more = [&](Kind k) { return k == kind ? again : std::string(); };
  const bool named = lines.find("NodeId=") != std::string::npos;
  auto id = [&](Kind k, int n) { return k == kind && named ? std::string() : "NodeId=" + std::to_string(n) + "\n"; };
  auto host = [&](Kind k) {
    return k == kind && lines.find("HostName=") != std::string::npos ? std::string() : "HostName=127.0.0.1\n";
  };
  std::string text = "[computer]\nId=big\nHostName=127.0.0.1\n";
  if (kind == Kind::system) text += "[system]\n" + lines;
  text += "[ndb_mgmd]\n" + id(Kind::ndb_mgmd, 10) + host(Kind::ndb_mgmd) + in(Kind::ndb_mgmd);
  if (kind == Kind::ndb_mgmd) text += "[ndb_mgmd]\nNodeId=11\nHostName=127.0.0.9\n" + again;
  const bool one = lines.find("NoOfReplicas=1") != std::string::npos;
  const std::string replicas = one ? "NoOfReplicas=1\n" : "";
  text += "[ndbd]\n" + id(Kind::ndbd, 1) + host(Kind::ndbd) + in(Kind::ndbd);
  text += "[ndbd]\nNodeId=2\nHostName=127.0.0.1\n" + replicas + more(Kind::ndbd);
  if (!one && lines.find("NodeGroup=65536") != std::string::npos)
    text += "[ndbd]\nNodeId=3\nHostName=127.0.0.1\n" + more(Kind::ndbd);
  text += "[mysqld]\n" + id(Kind::api, 20) + host(Kind::api) + in(Kind::api);
  text += "[mysqld]\nNodeId=21\nHostName=127.0.0.1\n" + more(Kind::api);
  if (is_link(kind)) {
    const std::string ends = lines.find("NodeId1=") != std::string::npos ? "" : "NodeId1=1\nNodeId2=2\n";
    text += "[" + std::string(kind_name(kind)) + "]\n" + ends + lines;
    text += "[" + std::string(kind_name(kind)) + "]\nNodeId1=20\nNodeId2=1\n" + again;
  }
  return text;
}

// With the parameter in every section of its kind, or in the first alone.
std::string with(const Parameter& p, const std::string& value) {
  std::string line = std::string(p.name) + "=" + value + "\n";
  if (const auto i = kBeside.find(p.name); i != kBeside.end()) line += i->second;
  if (p.kind == Kind::ndbd && (p.name == "Disabled" || p.name == "NodeActive")) line += "NodeGroup=65536\n";
  static const std::set<std::string_view> kOnce{"NodeId",    "NodeId1",   "NodeId2",      "HostName",
                                                "HostName1", "HostName2", "NodeIdServer", "ServerPort",
                                                "NodeGroup", "Disabled",  "NodeActive"};
  std::string again = kOnce.count(p.name) ? std::string() : line;
  if (p.name == "NoOfReplicas") again.clear();
  if (p.name == "HeartbeatOrder") again = "HeartbeatOrder=8\n";
  return configuration(p.kind, line, again);
}

std::string all_problems(const ParseResult& r) {
  std::string out;
  for (const Problem& p : r.problems) out += problem_line(p) + "\n";
  return out;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::vector<const Parameter*> writable() {
  std::vector<const Parameter*> out;
  for (const Parameter& p : parameters()) {
    if (!p.internal()) out.push_back(&p);
  }
  return out;
}

}  // namespace

TEST_CASE("every parameter: what is written in one language is printed in both, and read as the same") {
  for (const Parameter* p : writable()) {
    const std::string text = with(*p, other_value(*p));
    const ParseResult r = parse_ini(text);
    INFO(kind_name(p->kind) << " " << p->name << "\n" << text << all_problems(r));
    REQUIRE(r.ok());
    const std::string ini = print_ini(r.config), toml = print_toml(r.config);
    if (p->name != "ExecuteOnComputer") CHECK_THAT(ini, Contains(std::string(p->name) + "="));
    CHECK(parse_ini(ini).config == r.config);
    CHECK(parse_toml(toml).config == r.config);
    CHECK(print_ini(parse_toml(toml).config) == ini);  // each prints as the other
    CHECK(print_toml(parse_ini(ini).config) == toml);
    CHECK(diff(r.config, parse_any(effective_text(r.config, {})).config).empty());  // what is shown changes nothing
  }
}

TEST_CASE("every parameter without effect is warned about once, the others are not") {
  for (const Parameter* p : writable()) {
    const std::string said = all_problems(parse_ini(with(*p, other_value(*p))));
    const std::string sentence = "warning: parameter '" + std::string(p->name) + "' is accepted but not used here";
    INFO(kind_name(p->kind) << " " << p->name << "\n" << said);
    CHECK(count_of(said, sentence) == (p->used() || p->deprecated() ? 0 : 1));
    CHECK((count_of(said, "parameter '" + std::string(p->name) + "' is deprecated") != 0) == p->deprecated());
    const std::string described = describe_parameter(*p);
    CHECK((described.find("not used") == std::string::npos) == p->used());
  }
}

TEST_CASE("every parameter keeps to its range, and its kind of value") {
  for (const Parameter* p : writable()) {
    const std::string name = "parameter '" + std::string(p->name) + "' ";
    auto refused = [&](const std::string& value, const std::string& why) {
      const ParseResult r = parse_ini(with(*p, value));
      INFO(kind_name(p->kind) << " " << p->name << "=" << value << "\n" << all_problems(r));
      CHECK_FALSE(r.ok());
      CHECK_THAT(all_problems(r), Contains(name + why));
    };
    if (p->type == ValueType::integer || p->type == ValueType::size) {
      if (p->least > 0) refused(std::to_string(p->least - 1), "is out of the range");
      refused(std::to_string(p->most + 1), "is out of the range");
      refused("many", "is no number");
    }
    if (p->type == ValueType::boolean) refused("2", "is neither true nor false");
    if (!p->words.empty()) refused("none-of-these", "is none of");
    if (p->type == ValueType::cpus) refused("3-1", "is no list of processors");
    if (p->type == ValueType::text && p->words.empty()) refused("\x01", "holds a character");
  }
  for (const Parameter& p : parameters()) {
    if (!p.internal()) continue;
    INFO(p.name);
    CHECK_THAT(all_problems(parse_ini(with(p, other_value(p)))), Contains("is set by the management server"));
  }
}

TEST_CASE("every parameter: what a server shows can be applied, and changes nothing") {
  std::string lines;
  for (const Parameter* p : writable()) {  // all that data nodes may say at once
    static const std::set<std::string_view> kAlone{
        "NodeId",   "HostName",   "NodeGroup",         "NoOfReplicas",      "HeartbeatOrder", "ServerPort",
        "Disabled", "NodeActive", "ExecuteOnComputer", "TransactionMemory", "DataMemory"};
    if (p->kind != Kind::ndbd || kAlone.count(p->name)) continue;
    lines += std::string(p->name) + "=" + other_value(*p) + "\n";
  }
  ServerWorld w("[tcp default]\nSendBufferMemory=3M\n[ndbd default]\n" + lines +
                kConfig.substr(kConfig.find("[ndb_mgmd]")));
  REQUIRE(w.catalog()->generation == 1);
  for (const char* keys : {"", "effective: 1\n"}) {
    const std::string shown = bulk_of(w.ask("ndb get config\n" + std::string(keys) + "\n"));
    REQUIRE(shown.size() > 1000);
    const std::string as_toml = print_toml(parse_any(shown).config);
    for (const std::string& text : {shown, print_ini(parse_any(shown).config), as_toml}) {
      INFO(text);
      const std::string reply = w.ask(with_bulk("ndb apply config", text, "dry_run: 1\n"));
      CHECK_THAT(reply, StartsWith("ndb apply config reply\nresult: Ok\nchanged: 0\n"));
      CHECK_THAT(w.ask(with_bulk("ndb apply config", text)),
                 StartsWith("ndb apply config reply\nresult: Ok\nchanged: 0\n"));
      CHECK(w.catalog()->generation == 1);
    }
  }
}

// Where the documentation's table of parameters is at hand (NDB_PARAMETER_FACTS, else ../shared/facts).
TEST_CASE("every parameter of NDB's documentation is known, with type, default, range and restart type") {
  namespace fs = std::filesystem;
  const char* told = std::getenv("NDB_PARAMETER_FACTS");
  const fs::path path =
      told != nullptr ? fs::path(told) : fs::path(NDB_PROJECT_DIR) / "../shared/facts/config-parameters.tsv";
  std::ifstream in(path);
  if (!in) {
    WARN("no table of parameters at " << path << ": nothing is compared");
    return;
  }
  // Differs on purpose.
  const std::set<std::string> kOurs = {
      "ndbd HostName restart",
      "ndbd ServerPort restart",  // whoever moves restarts, nobody else
      "ndbd MaxNoOfExecutionThreads restart",
      "ndbd ThreadConfig restart",  // another number of workers: the files of the node are laid out anew
      "tcp NodeId1 type",
      "tcp NodeId2 type",
      "shm NodeId1 type",
      "shm NodeId2 type",  // numbers, where NDB has names
      "tcp NodeIdServer range",
      "shm NodeIdServer range",  // node ids end at 255
  };
  const std::map<std::string, std::vector<ValueType>> kTypes = {
      {"int", {ValueType::integer}},  {"size", {ValueType::size}},
      {"bool", {ValueType::boolean}}, {"string", {ValueType::text, ValueType::word}},
      {"enum", {ValueType::word}},    {"bitmask", {ValueType::cpus}}};
  std::string line;
  std::getline(in, line);
  std::size_t compared = 0;
  while (std::getline(in, line)) {
    std::vector<std::string> f;
    std::stringstream words(line);
    for (std::string word; std::getline(words, word, '\t');) f.push_back(word);
    REQUIRE(f.size() >= 7);
    std::stringstream sections(f[0]);
    for (std::string section; std::getline(sections, section, ',');) {
      INFO(section << " " << f[1]);
      const auto kind = find_kind(section);
      REQUIRE(kind);
      const Parameter* p = find_parameter(*kind, f[1]);
      REQUIRE(p != nullptr);
      ++compared;
      auto ours = [&](const char* what) { return kOurs.count(section + " " + f[1] + " " + what) != 0; };
      const auto& types = kTypes.at(f[2]);
      const bool same_type = std::find(types.begin(), types.end(), p->type) != types.end();
      CHECK(same_type != ours("type"));
      Parameter wide = *p;
      wide.least = 0;
      wide.most = ~std::uint64_t{0};
      std::string why;
      const std::string given = f[3] == "(unset)" || f[3] == "(empty)" || f[3] == "(mandatory)" ? "" : f[3];
      CHECK((f[3] == "(mandatory)") == p->mandatory());
      CHECK((given.empty() ? std::string() : parse_value(wide, given, &why).value_or("?")) == p->default_value);
      if (p->type == ValueType::integer || p->type == ValueType::size) {
        const bool range = (f[4].empty() || parse_value(wide, f[4], &why) == std::to_string(p->least)) &&
                           (f[5].empty() || parse_value(wide, f[5], &why) == std::to_string(p->most));
        CHECK(range != ours("range"));
      }
      const bool same_restart = p->restart == Restart::online || restart_name(p->restart) == f[6];
      CHECK(same_restart != ours("restart"));
    }
  }
  CHECK(compared > 250);
}
