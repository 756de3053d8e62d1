// Every row of tests/fixtures/config-rows.txt, said to a server with a cluster: what is refused is refused with the
// sentence, and then nothing has changed.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

const std::string kWithout4 =
    "[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\n"
    "[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[ndbd]\nNodeId=2\nHostName=127.0.0.1\n"
    "[ndbd]\nNodeId=3\nHostName=127.0.0.1\nNodeGroup=65536\n"
    "[mysqld]\nNodeId=20\nHostName=127.0.0.1\n[mysqld]\nNodeId=21\n";
const std::string kCluster = kWithout4 + "[ndbd]\nNodeId=4\nHostName=127.0.0.1\nNodeGroup=65536\n";

struct Row {
  std::string name, text;
  std::vector<std::pair<std::string, std::string>> says;  // kind, sentence
  bool has(const std::string& kind) const {
    return std::any_of(says.begin(), says.end(), [&](const auto& s) { return s.first == kind; });
  }
};

std::vector<Row> rows() {
  std::vector<Row> out;
  std::ifstream in(NDB_PROJECT_DIR "/tests/fixtures/config-rows.txt");
  REQUIRE(in);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("=== ")) {
      out.emplace_back().name = line.substr(4);
    } else if (out.empty()) {
      continue;  // the explanation
    } else if (line.starts_with("> ")) {
      const std::size_t blank = line.find(' ', 2);
      out.back().says.emplace_back(line.substr(2, blank - 2), blank == std::string::npos ? "" : line.substr(blank + 1));
    } else {
      out.back().text += line == "{cluster}" ? kCluster : line == "{cluster-without-4}" ? kWithout4 : line + "\n";
    }
  }
  return out;
}

std::string apply(ServerWorld& w, const std::string& text, const std::string& keys) {
  return w.ask(with_bulk("ndb apply config", text, keys));
}

// "line 7: error: .." each, as the tools print them.
std::string problems_of(const std::string& reply) {
  std::string out;
  const auto report = nlohmann::json::parse(bulk_of(reply));
  for (const auto& p : report["problems"]) {
    out += mgmt::problem_line(
               {p["line"], p["severity"] == "error" ? mgmt::Severity::error : mgmt::Severity::warning, p["text"]}) +
           "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("every rule of configurations: the stated sentence, and nothing has changed") {
  ServerWorld w("[system]\nName=tests\n" + kCluster);
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}}) w.let_in(id);
  w.run(500 * kMillisecond);
  REQUIRE(w.catalog()->started);
  const std::string before = w.ask("ndb get config\n\n");
  const Version version = w.catalog()->version;
  const std::vector<Row> all = rows();
  CHECK(all.size() >= 100);
  for (const Row& row : all) {
    INFO(row.name << "\n" << row.text);
    REQUIRE(!row.says.empty());
    const bool never = row.has("error") || row.has("illegal");
    const bool refused = never || row.has("hurts");
    // What may be taken is asked for as a dry run, so that every row meets the same cluster.
    const std::string reply = apply(w, row.text, refused ? "" : "dry_run: 1\n");
    for (const auto& [kind, sentence] : row.says) CHECK_THAT(problems_of(reply), Contains(sentence));
    if (refused) {
      CHECK_THAT(reply, StartsWith("ndb apply config reply\nresult: 9024-"));
      CHECK_THAT(reply, Contains("changed: 0\n"));
      const std::string accepted =
          apply(w, row.text, never ? "accept_warnings: 1\n" : "accept_warnings: 1\ndry_run: 1\n");
      if (never) {
        CHECK_THAT(accepted, StartsWith("ndb apply config reply\nresult: 9024-"));
      } else {
        CHECK_THAT(reply, Contains("accept the warnings to go on"));
        CHECK_THAT(accepted, !Contains("accept the warnings to go on"));
      }
    } else {
      CHECK_THAT(reply, StartsWith("ndb apply config reply\nresult: Ok\n"));
    }
    CHECK(w.catalog()->version == version);
    CHECK(w.catalog()->generation == 1);
    CHECK(w.ask("check connection\n\n") == "check connection reply\nresult: Ok\n\n");
  }
  CHECK(w.ask("ndb get config\n\n") == before);
}

// NDB's own ways of changing: a file that is read again, and a whole packed configuration.
TEST_CASE("every rule of configurations holds for a file that is reloaded, too") {
  ServerWorld w("[system]\nName=tests\n" + kCluster);
  for (const Row& row : rows()) {
    if (!row.has("error") && !row.has("illegal")) continue;
    INFO(row.name);
    w.files.files["row.ini"] = row.text;
    const std::string reply = w.ask("reload config\nconfig_filename: row.ini\n\n");
    CHECK_THAT(reply, StartsWith("reload config reply\nresult: ") && !Contains("result: Ok"));
    CHECK(w.catalog()->generation == 1);
  }
}
