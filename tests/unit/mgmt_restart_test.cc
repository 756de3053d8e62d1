// A management server that comes back: what it has stored counts when a leader says that it is committed.
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

const std::string kTable =
    R"({"name":"t","columns":[{"name":"id","type":"bigint","nullable":false}],"primary_key":["id"]})";

struct Restarted : Started {
  Restarted() {
    REQUIRE_THAT(ask(with_bulk("ndb create table", kTable)), Contains("result: Ok"));
    were = beating;
    restart();
  }
  void come_back(NodeId id) {
    links[id] = data_node(id);
    beating[id] = were.at(id);
  }
  std::map<NodeId, std::uint32_t> were;  // node -> incarnation
};

}  // namespace

TEST_CASE("a server that comes back answers about the catalog when it has caught up, and at once about the rest") {
  Restarted w;
  const env::LinkId at_once = w.open();
  for (const char* question : {"check connection\n\n", "get version\n\n", "ndb check connection\n\n",
                               "ndb get config\n\n", "ndb list events\n\n"}) {
    w.received[at_once].clear();
    w.step(event(env::EventKind::text, at_once, question));
    INFO(question);
    CHECK(!w.received[at_once].empty());
  }
  CHECK_THAT(w.received[at_once], Contains("events"));
  for (const char* question : {"ndb status\n\n", "get status\n\n", "ndb get catalog\n\n", "ndb list tables\n\n",
                               "ndb config history\n\n", "get config_v2\nversion: 1\n\n"}) {
    w.restart();
    const env::LinkId link = w.open();
    w.step(event(env::EventKind::text, link, question));
    INFO(question);
    CHECK(w.received[link].empty());
    w.run(500 * kMillisecond);
    CHECK(w.received[link].empty());  // the data nodes that serve have not said anything yet
    w.run(kSecond);
    CHECK(w.catalog()->table("t") != nullptr);
    CHECK_THAT(w.received[link], !Contains("not confirmed") && !Contains("nodes: 0") && !Contains("no committed"));
    CHECK(w.received[link].size() > 60);
  }
}

TEST_CASE("what is asked behind a question that waits is answered behind it") {
  Restarted w;
  const env::LinkId link = w.open();
  w.step(event(env::EventKind::text, link, "ndb list tables\n\ncheck connection\n\n"));
  w.run(10 * kMillisecond);
  CHECK(w.received[link].empty());
  w.run(4 * kSecond);
  CHECK_THAT(w.received[link], StartsWith("ndb list tables reply\n") && Contains("\"name\":\"t\"") &&
                                   Contains("check connection reply\nresult: Ok\n\n"));
}

TEST_CASE("a change that comes before the catalog is known keeps its bulk") {
  Restarted w;
  const std::string other = std::string(kTable).replace(kTable.find("\"t\""), 3, "\"u\"");
  for (NodeId id : {NodeId{1}, NodeId{2}}) w.come_back(id);
  CHECK_THAT(w.ask(with_bulk("ndb create table", other)), Contains("result: Ok") && Contains("changed: 1"));
  CHECK(w.catalog()->table("u") != nullptr);
}

TEST_CASE("a server that lost its files has not caught up before it has a configuration") {
  ServerWorld w;
  w.store = sim::MemoryLogStore();
  w.restart();
  // A data node of the cluster, which leads the log; its entries are still on their way.
  const env::LinkId link = w.open();
  w.step(event(env::EventKind::text, link, "transporter connect\n\n"));
  wire::Hello h;
  h.kind = wire::PeerKind::data;
  h.node = 2;
  h.raft_id = 102;
  h.cluster_id = 77;
  w.message(link, wire::Type::hello, h);
  w.run(20 * kMillisecond);
  const env::LinkId asker = w.open();
  w.step(event(env::EventKind::text, asker, "ndb status\n\n"));
  for (int i = 0; i < 20; i++) {
    Writer m;
    const std::size_t at = wire::begin_message(m, wire::Type::member, kControl, kControl);
    m.u8(0);  // of the metadata log
    m.u8(1);  // its format
    m.u8(1);  // append entries: none, behind the 30th
    for (std::uint64_t n : {2u, 30u, 2u, 30u}) m.u64(n);
    m.u32(0);
    wire::end_message(m, at);
    w.step(event(env::EventKind::frame, link, m.view()));
    w.run(100 * kMillisecond);
  }
  CHECK(w.server->member().leader_raft_id() == 102);
  CHECK(w.received[asker].empty());
  w.run(9 * kSecond);  // but not for ever
  CHECK_THAT(w.received[asker], Contains("generation: 0"));
}
