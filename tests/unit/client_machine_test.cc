// One-shots: where they go, how they are repeated, and what is known of their outcome.
#include "unit/client_machine_world.h"

using namespace ndb;
using namespace ndb::test;

TEST_CASE("a one-shot goes to the primary of its key and comes back with its results") {
  World w(with_catalog());
  // Fragment 0 is served by node 1, fragment 1 by node 2: buckets alternate.
  Handle a = w.insert(0), b = w.insert(1);
  auto first = w.expect(wire::Type::execute);
  auto second = w.expect(wire::Type::execute);
  CHECK(first.node == w.machine.routing().write(kTable, 0).node);
  CHECK(second.node == w.machine.routing().write(kTable, 1).node);
  CHECK(first.node != second.node);
  auto head = load<wire::Execute>(first.body.data());
  CHECK(+head.flags == (wire::kBegin | wire::kCommit));
  CHECK(+head.operations == 1);
  CHECK(+head.number == 1);
  auto op = load<wire::Operation>(first.body.data() + sizeof head);
  CHECK(op.kind == wire::Op::insert);
  CHECK(+op.key_bytes == 4);
  CHECK(first.body.substr(sizeof head + sizeof op) == "key.image");
  CHECK(w.machine.take() == nullptr);

  w.reply(second, Error::ok, wire::TxnState::committed);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == b);
  CHECK(r->tag == 1);
  CHECK(r->state == wire::TxnState::committed);
  w.machine.release(b);
  w.reply(first, Error::row_exists, wire::TxnState::aborted);
  r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == a);
  CHECK(r->error == Error::row_exists);  // not temporary: not repeated
  w.machine.release(a);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("what one step makes for one node leaves in one frame") {
  World w(with_catalog());
  w.insert(0);
  w.expect(wire::Type::execute);
  for (int i = 0; i < 3; i++) {
    Handle h = w.machine.open();
    w.machine.add(h, wire::Op::read, kTable, 0, "key.");
    w.machine.send(h, wire::kCommit);
  }
  w.machine.flush(w.now, w.out);
  CHECK(w.out.touched().size() == 1);
  w.carry_out();
  CHECK(w.sent.size() == 3);
}

TEST_CASE("temporary errors of a one-shot are repeated under a new number, after a pause") {
  World w(with_catalog());
  Handle h = w.insert(0);
  for (std::uint64_t attempt = 1; attempt <= 3; attempt++) {
    auto m = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(m.body.data()).number == attempt);
    w.reply(m, Error::lock_timeout, wire::TxnState::aborted);
    CHECK_FALSE(w.said(wire::Type::execute));
    CHECK(w.machine.take() == nullptr);
    w.run(60 * kMillisecond);
  }
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  REQUIRE(w.machine.take() != nullptr);
  CHECK(w.machine.counts().retries == 3);
  w.machine.release(h);
}

TEST_CASE("a reply of an earlier attempt is not taken for the present one") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.reply(m, Error::lock_timeout, wire::TxnState::aborted);
  w.run(60 * kMillisecond);
  w.expect(wire::Type::execute);
  w.reply(m, Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() == nullptr);
}

TEST_CASE("a durable commit whose answer is lost is not done before it is durable") {
  World w(with_catalog());
  w.insert(0, wire::kCommit | wire::kDurable);
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  auto asked = w.expect(wire::Type::outcome);
  auto durable_and_epoch = [](const auto& message) {
    const std::string body(message.body.substr(34));
    Reader r(body);  // behind request, transaction, table, fragment and hash
    const bool durable = r.u8() == 1;
    return std::pair(durable, r.u64());
  };
  CHECK(durable_and_epoch(asked) == std::pair(true, std::uint64_t{0}));
  w.tell_outcome(asked, 3, 77);  // committed, and durable when epoch 77 is
  CHECK(w.machine.take() == nullptr);
  w.run(60 * kMillisecond);
  auto again = w.expect(wire::Type::outcome);
  CHECK(durable_and_epoch(again) == std::pair(true, std::uint64_t{77}));
  w.tell_outcome(again, 1);
  auto res = w.machine.take();
  REQUIRE(res != nullptr);
  CHECK(res->state == wire::TxnState::committed);
}

TEST_CASE("a lost link: the outcome is asked for before anything is repeated") {
  World w(with_catalog());
  Handle h = w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  CHECK_FALSE(w.said(wire::Type::execute));
  auto asked = w.expect(wire::Type::outcome);
  Reader r(asked.body);
  r.u32();
  CHECK(r.u64() == 0x5e55);
  CHECK(r.u64() == 1);
  CHECK(r.u32() == kTable);

  SECTION("committed") {
    w.tell_outcome(asked, 1);
    auto res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::committed);
    CHECK_FALSE(res->answered);
  }
  SECTION("not known yet: asked again, nothing is repeated") {
    w.tell_outcome(asked, 0);
    w.run(60 * kMillisecond);
    CHECK_FALSE(w.said(wire::Type::execute));
    w.tell_outcome(w.expect(wire::Type::outcome), 2);
    w.run(60 * kMillisecond);
    auto again = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(again.body.data()).number == 2);
    CHECK(again.body.substr(16) == m.body.substr(16));
  }
  SECTION("aborted: another transaction") {
    w.tell_outcome(asked, 2);
    w.run(60 * kMillisecond);
    CHECK(+load<wire::Execute>(w.expect(wire::Type::execute).body.data()).number == 2);
  }
  SECTION("nobody can tell") {
    w.dead = {1, 2};
    w.lose(asked.node);
    w.run(31 * kSecond);
    auto res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->error == Error::outcome_unknown);
    CHECK(res->state == wire::TxnState::unknown);
  }
  w.machine.release(h);
}

TEST_CASE("an outcome that nobody could tell is asked for again, by the same id") {
  World w(with_catalog());
  Handle h = w.insert(0);
  w.expect(wire::Type::execute);
  w.dead = {1, 2};
  w.run(31 * kSecond);
  auto res = w.machine.take();
  REQUIRE(res != nullptr);
  REQUIRE(res->state == wire::TxnState::unknown);
  const TxnId id = res->id;
  w.sent.clear();
  w.machine.ask_again(h);
  w.dead.clear();
  w.run(200 * kMillisecond);
  auto once_more = w.expect(wire::Type::outcome);
  CHECK(load<std::uint64_t>(once_more.body.data() + 4) == id.session);
  CHECK(load<std::uint64_t>(once_more.body.data() + 12) == id.number);
  SECTION("asked again: it was committed") {
    w.tell_outcome(once_more, 1);
    res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::committed);
    CHECK_FALSE(res->answered);
  }
  SECTION("asked again: it is aborted for good, and is not repeated") {
    w.tell_outcome(once_more, 0);
    CHECK(w.machine.take() == nullptr);
    w.run(100 * kMillisecond);
    w.tell_outcome(w.expect(wire::Type::outcome), 2);
    res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::aborted);
    CHECK(res->error == Error::node_failure);
    w.run(100 * kMillisecond);
    CHECK_FALSE(w.said(wire::Type::execute));
  }
  SECTION("asked again: still nobody can tell, and again") {
    w.dead = {1, 2};
    w.lose(once_more.node);
    w.run(31 * kSecond);
    res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::unknown);
    CHECK(res->id.number == id.number);
    w.machine.ask_again(h);
    w.dead.clear();
    w.run(200 * kMillisecond);
    w.tell_outcome(w.expect(wire::Type::outcome), 1);
    res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::committed);
  }
  w.machine.release(h);
}

TEST_CASE("a lost link under a read: repeated without asking") {
  World w(with_catalog());
  Handle h = w.machine.open();
  w.machine.add(h, wire::Op::read, kTable, 0, "key.");
  w.machine.send(h, wire::kCommit);
  w.machine.flush(w.now, w.out);
  w.carry_out();
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  CHECK_FALSE(w.said(wire::Type::outcome));
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed, 10, "the row");
  auto r = w.machine.take();
  REQUIRE(r != nullptr);
  client::ResultReader rows(*r);
  Error e;
  Bytes image;
  REQUIRE(rows.next(&e, &image));
  CHECK(image == "the row");
  CHECK_FALSE(rows.next(&e, &image));
}

TEST_CASE("a stale view fetches the catalog and follows it") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.reply(m, Error::stale_view, wire::TxnState::aborted, 20);
  auto asked = w.expect(wire::Type::get_catalog);
  auto newer = two_nodes(20);
  newer->nodes[m.node].state = meta::NodeState::down;
  w.give_catalog(asked, newer.get());
  CHECK(w.machine.catalog()->view == 20);
  w.run(60 * kMillisecond);
  auto again = w.expect(wire::Type::execute);
  CHECK(again.node != m.node);
}
