// Recorded dialogues between stock clients and a stock server, replayed to ours: every reply must have the recorded
// header, the recorded keys in the recorded order, and the recorded kind of result. The recordings are not part of the
// sources: NDB_MGM_DIALOGUES, else ../shared/fixtures/mgm, says where they are.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;

namespace {

namespace fs = std::filesystem;

fs::path recordings() {
  const char* told = std::getenv("NDB_MGM_DIALOGUES");
  return told != nullptr ? fs::path(told) : fs::path(NDB_PROJECT_DIR "/../shared/fixtures/mgm");
}

std::string read(const fs::path& p) {
  std::ifstream in(p);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

struct Turn {
  std::string client, server;
};
std::vector<Turn> turns_of(const std::string& text) {
  std::vector<Turn> turns;
  const std::string client = "\n=== client\n";
  const std::string server = "\n=== server\n";
  std::string all = "\n" + text;
  std::size_t at = all.find(client);
  while (at != std::string::npos) {
    const std::size_t mid = all.find(server, at);
    if (mid == std::string::npos) break;
    const std::size_t next = all.find(client, mid);
    Turn t;
    t.client = all.substr(at + client.size(), mid - at - client.size());
    t.server =
        all.substr(mid + server.size(), next == std::string::npos ? std::string::npos : next - mid - server.size());
    turns.push_back(std::move(t));
    at = next;
  }
  return turns;
}

// The header, then the keys; of results also Ok or the number. Up to the first empty line.
std::vector<std::string> shape(const std::string& reply) {
  std::vector<std::string> lines;
  std::istringstream in(reply);
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    std::string key = line.substr(0, colon);
    if (key == "result" && colon != std::string::npos) {
      std::string value = line.substr(colon + 1);
      key += ":" + value.substr(0, value.find('-'));
    }
    lines.push_back(key);
  }
  return lines;
}

// Dialogues that cannot be compared, and why.
const std::map<std::string, std::string> kDifferent = {
    {"start-backup", "this server makes no backups"},
    {"drop-nodegroup-used", "bare negative numbers are answered with numbers and sentences"},
    {"drop-nodegroup-missing", "bare negative numbers are answered with numbers and sentences"},
};

}  // namespace

TEST_CASE("recorded dialogues with stock clients get replies of the recorded shape") {
  const fs::path folder = recordings();
  if (!fs::is_directory(folder)) {
    WARN("no recorded dialogues at '" << folder.string() << "': nothing is compared");
    return;
  }
  std::size_t compared = 0;
  const std::string config = read(folder / "config-after.ini");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string name = file.stem().string();
    if (kDifferent.count(name) != 0) continue;
    INFO(name);
    ServerWorld w(config);
    for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}}) w.let_in(id);
    w.run(500 * kMillisecond);
    REQUIRE(w.catalog()->started);
    if (name == "drop-nodegroup-ok" || name == "stop-4" || name == "restart-2") {
      w.ask("create nodegroup\nnodes:\"3 4\"\n\n");
    }
    if (name == "single-user-exit") w.ask("enter single user\nnodeId: 20\n\n");
    const env::LinkId link = w.open();
    for (const Turn& t : turns_of(read(file))) {
      INFO(t.client);
      CHECK(shape(w.say(link, t.client)) == shape(t.server));
      ++compared;
    }
  }
  CHECK(compared > 50);
}
