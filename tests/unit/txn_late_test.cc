// Words that come too late, twice, or about something that is over.
#include <catch2/catch.hpp>

#include "txn_world.h"

using namespace ndb;
using namespace ndb::txn_test;
using wire::Op;
using wire::TxnState;

namespace {

std::int32_t row_at(const World& w, NodeId n, std::int32_t after) {
  do after++;
  while (w.primary_of(after, true) != n);
  return after;
}

}  // namespace

TEST_CASE("a participant's answer to a transaction that is over is not taken for one to the next") {
  World w({1, 2});
  w.make_table();
  const std::int32_t a = row_at(w, 1, 0), b = row_at(w, 2, 0), c = row_at(w, 2, b);
  for (const std::int32_t k : {a, b, c}) REQUIRE(w.exec({{Op::insert, k, 10 * k}}).head.state == TxnState::committed);
  const std::uint64_t number = w.new_number();
  std::uint64_t session = kSession, next_number = number;
  SECTION("of the same client") { next_number = w.new_number(); }
  SECTION("of another client, with the same number") { session = kSession + 1; }
  w.hold(2, 1);
  const std::uint32_t lost = w.send({{Op::read_exclusive, a}, {Op::read_exclusive, b}}, wire::kBegin, number, 1);
  w.step(1, [](txn::Worker& x) { x.client_down(kClientLink); });
  w.step(1, [&](txn::Worker& x) { x.client_up(kClientLink, session, 0); });
  const std::uint32_t next = w.send({{Op::read_exclusive, a}, {Op::read_exclusive, c}}, wire::kBegin, next_number, 1);
  CHECK(w.replies.count(next) == 0);
  w.release(2, 1);
  CHECK(w.replies.count(lost) == 0);
  REQUIRE(w.replies.count(next) == 1);
  REQUIRE(w.replies[next].results.size() == 2);
  CHECK(w.value(w.replies[next].results[0].second) == 10 * a);
  CHECK(w.value(w.replies[next].results[1].second) == 10 * c);
}

TEST_CASE("a participant that says twice that it is done says it about one transaction") {
  World w({1, 2});
  w.make_table();
  const std::int32_t a = row_at(w, 1, 0), b = row_at(w, 2, 0);
  const std::uint64_t before = w.new_number();
  REQUIRE(w.exec({{Op::insert, a, 1}, {Op::insert, b, 1}}, wire::kBegin | wire::kCommit, before, 1).head.state ==
          TxnState::committed);
  txn::PartWord done{};
  done.coordinator = 1;  // the first place, which the next transaction has now
  done.session = kSession;
  done.number = before;
  done.slot = 1;
  w.hold(2, 1);
  const std::uint32_t r = w.send({{Op::update, a, 2}, {Op::update, b, 2}}, wire::kBegin | wire::kCommit, 0, 1);
  for (int i = 0; i < 20 && w.replies.count(r) == 0; i++) {
    w.inject(2, 1, wire::Type::part_done, done);
    CHECK(w.replies.count(r) == 0);
    w.release_once(2, 1);
  }
  w.release(2, 1);
  REQUIRE(w.replies.count(r) == 1);
  CHECK(w.replies[r].head.state == TxnState::committed);
  CHECK(w.read(b) == 2);
}

TEST_CASE("a client is answered when its changes show everywhere, before the backups of participants know") {
  World w({1, 2}, {3, 4});
  for (const NodeId n : {NodeId{3}, NodeId{4}}) {
    w.join(n);
    w.must(meta::NodeInSync{n, w.catalog().node(n)->incarnation, 0});
  }
  w.must(meta::CreateGroups{{{3, 4}}});
  w.make_table();
  for (int i = 0; i < 60; i++) REQUIRE(w.exec({{Op::insert, i, 0}}).head.state == TxnState::committed);
  auto group = [&](int k) { return w.catalog().table(w.table_id)->distribution.groups[w.fragment_of(k)]; };
  auto peer = [](NodeId n) { return static_cast<NodeId>(((n - 1) ^ 1) + 1); };
  int a = 0, b = 1;
  while (group(b) == group(a)) b++;
  const NodeId p = w.primary_of(a, true), q = w.primary_of(b, true);
  w.hold(peer(p), p);  // the decision is not known to be held
  const std::uint32_t r = w.send({{Op::update, a, 1}, {Op::update, b, 1}}, wire::kBegin | wire::kCommit, 0, p);
  REQUIRE(w.replies.count(r) == 0);
  w.hold(p, q);
  w.release(peer(p), p);
  CHECK(w.replies.count(r) == 0);  // it does not show at q
  w.hold(peer(q), q);
  w.release(p, q);
  REQUIRE(w.replies.count(r) == 1);
  CHECK(w.replies[r].head.state == TxnState::committed);
  CHECK(w.read(b) == 1);
  CHECK_FALSE(w.worker(p).quiet());  // should q be lost, its peer will ask
  SECTION("they come to know it") { w.release(peer(q), q); }
  SECTION("they do not, and take over") {
    w.kill(q);
    w.must(meta::NodeDown{q, w.catalog().node(q)->incarnation, "killed", false});
    w.pass_time(500 * kMillisecond);
    REQUIRE(w.primary_of(b, true) == peer(q));
  }
  CHECK(w.read(b) == 1);
  CHECK(w.worker(p).quiet());
}

TEST_CASE("a durable answer whose epoch has become durable meanwhile is not held back") {
  World w({1, 2});
  w.make_table();
  const std::int32_t a = row_at(w, 1, 0);
  for (const NodeId n : {NodeId{1}, NodeId{2}}) w.step(n, [](txn::Worker& x) { x.set_epoch(5); });
  const auto flags = static_cast<std::uint8_t>(wire::kBegin | wire::kCommit | wire::kDurable);
  w.hold(2, 1);
  const std::uint32_t late = w.send({{Op::insert, a, 1}}, flags);
  w.must(meta::EpochDurable{5, 0});
  CHECK(w.replies.count(late) == 0);
  w.release(2, 1);
  REQUIRE(w.replies.count(late) == 1);
  CHECK(w.replies[late].head.state == TxnState::committed);
  // And one of a later epoch waits for it.
  for (const NodeId n : {NodeId{1}, NodeId{2}}) w.step(n, [](txn::Worker& x) { x.set_epoch(6); });
  const std::uint32_t r = w.send({{Op::update, a, 2}}, flags);
  CHECK(w.replies.count(r) == 0);
  w.must(meta::EpochDurable{6, 0});
  CHECK(w.replies.count(r) == 1);
}
