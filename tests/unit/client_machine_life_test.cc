// Open transactions, scans, slots, and silence.
#include <optional>

#include "unit/client_machine_world.h"

using namespace ndb;
using namespace ndb::test;

TEST_CASE("silence makes it look at the catalog; a node that is gone is given up") {
  World w(with_catalog());
  w.insert(1);  // both nodes are connected
  w.expect(wire::Type::execute);
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.run(300 * kMillisecond);
  auto newer = two_nodes(30);
  newer->nodes[m.node].state = meta::NodeState::down;
  w.give_catalog(w.expect(wire::Type::get_catalog), newer.get());
  w.run(60 * kMillisecond);
  auto asked = w.expect(wire::Type::outcome);
  CHECK(asked.node != m.node);
}

TEST_CASE("the one node that a client has a link with falls silent: the others are asked, and a management server") {
  auto options = with_catalog();
  options.management = {{"m", 1186}};
  World w(std::move(options));
  auto m = (w.insert(0), w.expect(wire::Type::execute));
  const NodeId other = m.node == 1 ? 2 : 1;
  REQUIRE(w.link_of.count(other) == 0);
  auto newer = two_nodes(30);
  newer->nodes[m.node].state = meta::NodeState::down;

  SECTION("a data node tells of the death") {
    w.run(kSecond);
    std::optional<World::Sent> asked;
    while (w.said(wire::Type::get_catalog)) {
      auto s = w.expect(wire::Type::get_catalog);
      if (s.node == other) asked = s;
    }
    REQUIRE(asked);
    w.give_catalog(*asked, newer.get());
  }
  SECTION("a management server does, when no data node answers a new link") {
    w.dead.insert(other);
    w.management_up = true;
    w.run(kSecond);
    REQUIRE(w.text_link != 0);
    CHECK(w.text_sent == "ndb get catalog\nhave: 10\n\n");
    return;
  }
  w.run(100 * kMillisecond);
  CHECK(w.expect(wire::Type::outcome).node == other);
}

TEST_CASE("a node is gone and the catalog does not say so yet: it is looked at again every few milliseconds") {
  World w(with_catalog());
  w.insert(1);  // both nodes are connected
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  w.insert(0);
  const NodeId gone = w.expect(wire::Type::execute).node;
  w.dead.insert(gone);
  w.lose(gone);
  int asked = 0;
  for (Time end = w.now + 500 * kMillisecond; w.now < end;) {
    w.run(kMillisecond);
    if (!w.said(wire::Type::get_catalog)) continue;
    asked++;
    w.give_catalog(w.expect(wire::Type::get_catalog), nullptr);
  }
  CHECK(asked >= 30);
  auto newer = two_nodes(30);
  newer->nodes[gone].state = meta::NodeState::down;
  w.run(20 * kMillisecond);
  w.give_catalog(w.expect(wire::Type::get_catalog), newer.get());
  w.run(kMillisecond);
  CHECK(w.expect(wire::Type::outcome).node != gone);  // at once
  w.run(kSecond / 10);
  CHECK_FALSE(w.said(wire::Type::get_catalog));
}

TEST_CASE("a node that was silent for a while is asked again") {
  World w(with_catalog());
  auto m = (w.insert(0), w.expect(wire::Type::execute));
  w.dead.insert(m.node == 1 ? 2 : 1);
  w.run(2 * kSecond);
  while (w.said(wire::Type::get_catalog)) w.expect(wire::Type::get_catalog);
  w.run(kSecond);
  CHECK(w.said(wire::Type::get_catalog));
}

TEST_CASE("an open transaction: steps, commit, and what a lost link does to it") {
  World w(with_catalog());
  Handle h = w.insert(0, 0);
  auto m = w.expect(wire::Type::execute);
  CHECK(+load<wire::Execute>(m.body.data()).flags == wire::kBegin);
  w.reply(m, Error::ok, wire::TxnState::open);
  REQUIRE(w.machine.take() != nullptr);

  SECTION("the next steps go to the same place under the same number") {
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, wire::kCommit);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto n = w.expect(wire::Type::execute);
    CHECK(n.node == m.node);
    CHECK(+load<wire::Execute>(n.body.data()).number == 1);
    CHECK(+load<wire::Execute>(n.body.data()).flags == wire::kCommit);
    w.lose(n.node);
    w.run(60 * kMillisecond);
    w.tell_outcome(w.expect(wire::Type::outcome), 1);
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->state == wire::TxnState::committed);
  }
  SECTION("a temporary error of a later step is the owner's") {
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, 0);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    w.reply(w.expect(wire::Type::execute), Error::lock_timeout, wire::TxnState::aborted);
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->error == Error::lock_timeout);
    CHECK(r->state == wire::TxnState::aborted);
  }
  SECTION("the link dies in between") {
    w.lose(m.node);
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, wire::kCommit);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->error == Error::node_failure);
    CHECK(is_temporary(r->error));
  }
  SECTION("given back while open: aborted") {
    w.machine.release(h);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto n = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(n.body.data()).flags == wire::kAbort);
    w.reply(n, Error::ok, wire::TxnState::aborted);
    CHECK(w.machine.take() == nullptr);
    CHECK(w.machine.in_use() == 0);
    return;
  }
  w.machine.release(h);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("slots are bounded and come back") {
  World w(with_catalog());
  std::vector<Handle> all;
  for (int i = 0; i < 8; i++) all.push_back(w.insert(0));
  CHECK(w.machine.open() == client::kNoHandle);
  for (Handle h : all) w.machine.release(h);  // on their way: nobody listens any more
  CHECK(w.machine.in_use() == 8);
  for (int i = 0; i < 8; i++) w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() == nullptr);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("without a catalog a management server is asked, each in turn") {
  client::ClientOptions o;
  o.session = 1;
  o.management = {{"m1", 1186}, {"m2", 1187}};
  World w(o);
  w.run(120 * kMillisecond);
  REQUIRE(w.connect_log.size() >= 2);
  CHECK(w.connect_log[0] == "m1");
  CHECK(w.connect_log[1] == "m2");
  CHECK_FALSE(w.machine.trouble().empty());
  w.management_up = true;
  w.run(60 * kMillisecond);
  CHECK(w.text_sent == "ndb get catalog\nhave: 0\n\n");
  env::Event e;
  e.kind = env::EventKind::text;
  e.link = w.text_link;
  std::string answer = "ndb get catalog reply\nresult: 9022-no leader\n\n";
  e.data = answer;
  w.machine.step(w.now, e, w.out);
  CHECK(w.machine.catalog() == nullptr);
  CHECK(w.machine.trouble().find("no leader") != std::string::npos);
}

TEST_CASE("a scan opens every cursor before it gives a row") {
  World w(with_catalog());
  auto s = w.machine.scan_open(kTable, {});
  w.machine.flush(w.now, w.out);
  w.carry_out();
  w.run(10 * kMillisecond);
  auto a = w.expect(wire::Type::scan_open), b = w.expect(wire::Type::scan_open);
  CHECK(+load<wire::ScanOpen>(a.body.data()).view == 10);
  w.scan_reply(a, Error::ok, false, 0);
  CHECK_FALSE(w.said(wire::Type::scan_next));

  SECTION("rows of all fragments") {
    w.scan_reply(b, Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, true, 2);
    auto n = w.expect(wire::Type::scan_next);
    w.scan_reply(n, Error::ok, false, 3);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, true, 0);
    CHECK(w.machine.scan_state(s) == client::ScanState::finished);
    Bytes rows;
    std::uint32_t n_rows = 0, total = 0;
    while (w.machine.scan_batch(s, &rows, &n_rows)) {
      total += n_rows;
      CHECK(rows.size() == n_rows * 7);
      w.machine.scan_drop(s);
    }
    CHECK(total == 5);
    CHECK(w.machine.scan_rows(s) == 5);
  }
  SECTION("a refusal reopens all") {
    w.scan_reply(b, Error::stale_view, false, 0);
    CHECK(w.expect(wire::Type::scan_close).node == a.node);
    w.run(60 * kMillisecond);
    w.scan_reply(w.expect(wire::Type::scan_open), Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_open), Error::ok, false, 0);
    CHECK(w.machine.scan_state(s) == client::ScanState::running);
  }
  SECTION("a lost link after the first row is an error") {
    w.scan_reply(b, Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, false, 2);
    Bytes rows;
    std::uint32_t n_rows = 0;
    REQUIRE(w.machine.scan_batch(s, &rows, &n_rows));
    w.lose(b.node);
    CHECK(w.machine.scan_state(s) == client::ScanState::failed);
    CHECK(is_temporary(w.machine.scan_error(s)));
  }
  w.machine.scan_close(s);
}

TEST_CASE("malformed and foreign messages are survived") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  Prng prng(3);
  for (int i = 0; i < 2000; i++) {
    Writer p;
    auto type = static_cast<wire::Type>(prng.below(130));
    if (type == wire::Type::refused || type == wire::Type::hello) continue;
    auto at = wire::begin_message(p, type, 0, 0);
    for (auto n = prng.below(60); n > 0; n--) p.u8(static_cast<std::uint8_t>(prng.next()));
    wire::end_message(p, at);
    w.frame(m.node, p.view());
  }
  w.carry_out();
  w.reply(m, Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() != nullptr);
}

TEST_CASE("numbers whose outcome is open keep their place among those that nodes remember") {
  auto o = with_catalog();
  o.slots = limits::kClientWritesMax + 8;
  World w(o);
  w.insert(0, 0);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::open);
  REQUIRE(w.machine.take() != nullptr);  // number 1 stays open
  for (std::uint32_t i = 0; i < 2 * limits::kClientWritesMax; i++) {
    Handle h = w.insert(0);
    auto m = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(m.body.data()).number % limits::kClientWritesMax != 1);
    w.reply(m, Error::ok, wire::TxnState::committed);
    REQUIRE(w.machine.take() != nullptr);
    w.machine.release(h);
  }
  // As many as there are places may be on their way; one more waits until one is answered.
  for (std::uint32_t i = 1; i < limits::kClientWritesMax; i++) w.insert(0);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
  w.insert(0);
  w.run(60 * kMillisecond);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  w.run(60 * kMillisecond);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
}

TEST_CASE("a number whose outcome nobody could tell keeps its place until its slot is given back") {
  World w(with_catalog());
  const Handle h = w.insert(0);
  w.expect(wire::Type::execute);
  w.dead = {1, 2};
  w.run(31 * kSecond);
  auto unknown = w.machine.take();
  REQUIRE(unknown != nullptr);
  REQUIRE(unknown->state == wire::TxnState::unknown);
  const std::uint64_t place = unknown->id.number % limits::kClientWritesMax;
  w.dead.clear();
  w.sent.clear();
  bool taken = false;
  for (std::uint32_t i = 0; i < 2 * limits::kClientWritesMax; i++) {
    if (i == limits::kClientWritesMax) {
      CHECK_FALSE(taken);
      w.machine.release(h);
    }
    const Handle other = w.insert(0);
    w.run(kMillisecond);
    auto m = w.expect(wire::Type::execute);
    taken = taken || +load<wire::Execute>(m.body.data()).number % limits::kClientWritesMax == place;
    w.reply(m, Error::ok, wire::TxnState::committed);
    REQUIRE(w.machine.take() != nullptr);
    w.machine.release(other);
  }
  CHECK(taken);
}
