// A unit that is a part: clients on links of its own, beside what the node tells it.
#include <catch2/catch.hpp>

#include "node/unit.h"

using namespace ndb;
using namespace ndb::node;

namespace {

constexpr env::LinkId kOwn = 3, kOther = 4;
constexpr NodeId kApi = 20;

struct World {
  Unit unit{[] {
    txn::WorkerOptions o;
    o.node = 1;
    o.worker = 1;
    return o;
  }()};
  env::Outbox out;
  Time now = kSecond;
  std::uint64_t mark = 0;

  World() {
    tell({.kind = Word::Kind::client_here, .node = kApi, .link = kOwn, .a = 77});
    REQUIRE(take()->status.own_links == 1);
  }
  void step(const env::Event& e) {
    out.begin_step();
    unit.step(now += kMillisecond, e, out);
  }
  void tell(Word w, Epoch epoch = 1, Bytes bytes = {}) {
    auto words = std::make_unique<ToUnit>();
    words->mark = ++mark;
    words->epoch = epoch;
    words->words.push_back(std::move(w));
    words->bytes.raw(bytes);
    std::unique_ptr<env::Parcel> parcel = std::move(words);
    env::Event e;
    e.kind = env::EventKind::parcel;
    e.parcel = &parcel;
    step(e);
  }
  void frame(env::LinkId link, Bytes payload, Epoch epoch = 1) {
    env::Event e;
    e.kind = env::EventKind::frame;
    e.link = link;
    e.data = payload;
    e.epoch = epoch;
    step(e);
  }
  void down(env::LinkId link) {
    env::Event e;
    e.kind = env::EventKind::link_down;
    e.link = link;
    step(e);
  }
  std::unique_ptr<FromUnit> take() {
    return std::unique_ptr<FromUnit>(static_cast<FromUnit*>(unit.parcel().release()));
  }
  // What the shell would send now.
  std::size_t sent(env::LinkId link) {
    const std::size_t n = out.slot(link).bytes.size();
    out.slot(link).bytes.clear();
    out.slot(link).touched = false;
    std::erase(out.touched(), link);
    return n;
  }
  // Of a table that does not exist: it is refused, which is an answer.
  static std::string request(WorkerId to = 1) {
    Writer w;
    const std::size_t at = wire::begin_message(w, wire::Type::execute, to, 0);
    w.put(wire::Execute{5, wire::kBegin | wire::kCommit, 0, 1, 9});
    w.put(wire::Operation{wire::Op::insert, 0, 4, 5, 1, 0});
    w.raw("key.image");
    wire::end_message(w, at);
    return std::string(w.view());
  }
};

}  // namespace

TEST_CASE("what a unit says on its own links stays in its outbox; the rest goes into its parcel, once") {
  World w;
  w.frame(kOwn, World::request());
  CHECK(w.sent(kOwn) > 0);
  CHECK(w.take() == nullptr);  // nothing of it is the node's

  w.tell({.kind = Word::Kind::client_up, .node = 0, .link = kOther, .a = 78});
  const std::string bytes = World::request();
  w.tell({.node = 0, .link = kOther, .a = 0, .b = bytes.size()}, 1, bytes);
  w.frame(kOwn, World::request());
  CHECK(w.out.slot(kOther).bytes.empty());
  auto parcel = w.take();
  REQUIRE(parcel != nullptr);
  CHECK(parcel->answers == 2);
  CHECK(parcel->empties.size() == 2);
  REQUIRE(parcel->pieces.size() == 1);
  CHECK(parcel->pieces[0].link == kOther);
  CHECK(w.sent(kOwn) > 0);
  w.frame(kOwn, World::request());
  CHECK(w.take() == nullptr);
}

TEST_CASE("what was said on a link of the node is forgotten with the word that it went") {
  World w;
  w.tell({.kind = Word::Kind::client_up, .node = 0, .link = kOther, .a = 78});
  const std::string bytes = World::request();
  w.tell({.node = 0, .link = kOther, .a = 0, .b = bytes.size()}, 1, bytes);
  w.tell({.kind = Word::Kind::client_down, .link = kOther});  // before a parcel was taken
  auto parcel = w.take();
  REQUIRE(parcel != nullptr);
  CHECK(parcel->pieces.empty());
}

TEST_CASE("a unit moves to the epoch that a client brings, and tells its node") {
  World w;
  w.frame(kOwn, World::request(), 9);
  CHECK(w.out.epoch == 9);
  w.tell({.kind = Word::Kind::no_new}, 4);
  auto parcel = w.take();
  REQUIRE(parcel != nullptr);
  CHECK(parcel->epoch == 9);
  w.frame(kOwn, World::request(), Epoch{9} + 2 * limits::kEpochLeapMax);
  CHECK(w.out.epoch == 9);
}

TEST_CASE("a client that speaks to another worker, or of other things, is turned away") {
  World w;
  std::string payload = World::request();
  SECTION("another worker") { payload = World::request() + World::request(0); }
  SECTION("a stream") {
    Writer m;
    wire::end_message(m, wire::begin_message(m, wire::Type::stream, 1, 0));
    payload = World::request() + std::string(m.view());
  }
  SECTION("half a message") { payload = World::request() + World::request().substr(0, 12); }
  w.frame(kOwn, payload);
  CHECK(w.out.closes == std::vector<env::LinkId>{kOwn});
  CHECK(w.sent(kOwn) > 0);  // the first message was good
  auto parcel = w.take();
  REQUIRE(parcel != nullptr);
  CHECK(parcel->logs.size() == 1);
}

TEST_CASE("a client that is not in the configuration any more is turned away") {
  World w;
  auto c = std::make_shared<meta::Catalog>();
  c->generation = 1;
  c->version = 1;
  meta::Node api;
  api.id = kApi;
  api.type = meta::NodeType::api;
  c->nodes[kApi] = api;
  w.tell({.kind = Word::Kind::catalog, .catalog = c});
  CHECK(w.out.closes.empty());
  auto next = std::make_shared<meta::Catalog>(*c);
  next->version = 2;
  SECTION("removed") { next->nodes.clear(); }
  SECTION("disabled") { next->nodes[kApi].disabled = true; }
  w.tell({.kind = Word::Kind::catalog, .catalog = next});
  CHECK(w.out.closes == std::vector<env::LinkId>{kOwn});
}

TEST_CASE("after its end nothing is heard of a link") {
  World w;
  SECTION("it broke") { w.down(kOwn); }
  SECTION("it went before it came here") { w.tell({.kind = Word::Kind::client_down, .link = kOwn}); }
  w.frame(kOwn, World::request());
  CHECK(w.sent(kOwn) == 0);
  CHECK(w.out.closes.empty());
  auto parcel = w.take();
  REQUIRE(parcel != nullptr);
  CHECK(parcel->status.own_links == 0);
}
