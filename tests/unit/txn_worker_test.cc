#include <algorithm>
#include <catch2/catch.hpp>

#include "txn_world.h"

using namespace ndb;
using namespace ndb::txn_test;
using wire::Op;
using wire::TxnState;

namespace {
// Every replica of every fragment holds the same rows.
void check_replicas(World& w, std::vector<NodeId> nodes) {
  w.pass_time(50 * kMillisecond);
  std::map<FragmentRef, std::pair<std::uint64_t, std::uint64_t>> seen;
  for (NodeId n : nodes) {
    w.worker(n).each_replica([&](const txn::Replica& r) {
      auto v = std::make_pair(r.rows.rows(), r.rows.checksum());
      auto [i, fresh] = seen.emplace(r.ref, v);
      INFO("node " << n << " fragment " << r.ref.fragment);
      if (!fresh) CHECK(i->second == v);
      CHECK(r.rows.rows_uncommitted() == 0);
      CHECK(r.appended == r.committed);
    });
  }
}
}  // namespace

TEST_CASE("one row goes in, is read, changed and removed, on both replicas") {
  World w({1, 2});
  w.make_table();
  CHECK(w.read(5) == -1);
  CHECK(w.exec({{Op::insert, 5, 50}}).head.state == TxnState::committed);
  CHECK(w.read(5) == 50);
  Reply again = w.exec({{Op::insert, 5, 51}});
  CHECK(again.head.state == TxnState::aborted);
  CHECK(again.head.error == Error::row_exists);
  CHECK(w.exec({{Op::update, 5, 52}}).head.state == TxnState::committed);
  CHECK(w.read(5) == 52);
  CHECK(w.exec({{Op::update, 6, 1}}).head.error == Error::no_such_row);
  CHECK(w.exec({{Op::write, 6, 60}}).head.state == TxnState::committed);
  check_replicas(w, {1, 2});
  CHECK(w.exec({{Op::remove, 5}}).head.state == TxnState::committed);
  CHECK(w.exec({{Op::remove, 5}}).head.error == Error::no_such_row);
  CHECK(w.read(5) == -1);
  check_replicas(w, {1, 2});
  CHECK(w.worker(1).quiet());
  CHECK(w.worker(2).quiet());
}

TEST_CASE("who does not keep unique indexes cannot write to the table, nor to its index") {
  World w({1, 2});
  w.make_table(true);
  for (int i = 0; i < 2; i++) {
    for (Op op : {Op::insert, Op::update, Op::replace, Op::write, Op::remove}) {
      CHECK(w.exec({{op, 5, 50}}).head.error == Error::indexes_not_kept);
      CHECK(w.exec({{Op::read_exclusive, 4}, {op, 5, 50}}).head.error == Error::indexes_not_kept);
      const std::uint64_t number = w.new_number();
      CHECK(w.exec({{Op::read_exclusive, 5}}, wire::kBegin, number).head.state == TxnState::open);
      CHECK(w.exec({{op, 5, 50}}, wire::kCommit, number).head.error == Error::indexes_not_kept);
    }
    CHECK(w.read(5) == -1);
    if (i == 0) w.use_index();
  }
}

TEST_CASE("a key that exists in the table of a unique index is a value that is taken") {
  World w({1, 2});
  w.make_table(true);
  w.keeps_indexes = 1;
  CHECK(w.exec({{Op::insert, 5, 50}}).head.state == TxnState::committed);
  CHECK(w.exec({{Op::insert, 5, 51}}).head.error == Error::row_exists);
  w.use_index();
  CHECK(w.exec({{Op::insert, 50, 5}}).head.state == TxnState::committed);
  const Reply taken = w.exec({{Op::insert, 50, 6}});
  CHECK(taken.head.error == Error::unique_violation);
  CHECK(taken.head.state == TxnState::aborted);
  CHECK(w.exec({{Op::insert, 60, 6}, {Op::insert, 50, 6}}).head.error == Error::unique_violation);
  CHECK(w.read(60) == -1);
  check_replicas(w, {1, 2});
}

TEST_CASE("a write is answered only when the backup holds it") {
  World w({1, 2});
  w.make_table();
  NodeId p = w.primary_of(1, true);
  NodeId b = p == 1 ? 2 : 1;
  w.hold(p, b);
  std::uint32_t r = w.send({{Op::insert, 1, 10}});
  CHECK(w.replies.count(r) == 0);
  CHECK(w.read(1) == -1);
  w.release(p, b);
  REQUIRE(w.replies.count(r) == 1);
  CHECK(w.replies[r].head.state == TxnState::committed);
  CHECK(w.read(1) == 10);
}

TEST_CASE("transactions over many fragments are all or nothing") {
  World w({1, 2});
  w.make_table();
  std::vector<World::Ask> all;
  for (int i = 0; i < 40; i++) all.push_back({Op::insert, i, i * 10});
  CHECK(w.exec(all).head.state == TxnState::committed);
  for (int i = 0; i < 40; i++) CHECK(w.read(i) == i * 10);
  std::vector<World::Ask> bad;
  for (int i = 40; i < 60; i++) bad.push_back({Op::insert, i, 1});
  bad.push_back({Op::insert, 7, 1});
  Reply r = w.exec(bad);
  CHECK(r.head.state == TxnState::aborted);
  CHECK(r.head.error == Error::row_exists);
  w.pass_time(20 * kMillisecond);
  for (int i = 40; i < 60; i++) CHECK(w.read(i) == -1);
  check_replicas(w, {1, 2});
  CHECK(w.worker(1).quiet());
  CHECK(w.worker(2).quiet());
}

TEST_CASE("an interactive transaction sees its own writes, others do not until it commits") {
  World w({1, 2});
  w.make_table();
  REQUIRE(w.exec({{Op::insert, 1, 10}}).head.state == TxnState::committed);
  REQUIRE(w.exec({{Op::insert, 2, 20}}).head.state == TxnState::committed);
  std::uint64_t t = w.new_number();
  NodeId at = w.primary_of(1, true);
  CHECK(w.exec({{Op::update, 1, 11}}, wire::kBegin, t, at).head.state == TxnState::open);
  CHECK(w.exec({{Op::update, 2, 21}, {Op::insert, 3, 30}}, 0, t, at).head.state == TxnState::open);
  CHECK(w.exec({{Op::update, 3, 31}}, 0, t, at).head.state == TxnState::open);
  Reply mine = w.exec({{Op::read, 1}, {Op::read_exclusive, 3}}, 0, t, at);
  REQUIRE(mine.results.size() == 2);
  CHECK(w.value(mine.results[0].second) == 11);
  CHECK(w.value(mine.results[1].second) == 31);
  CHECK(w.read(1) == 10);
  CHECK(w.read(3) == -1);
  SECTION("commit") {
    CHECK(w.exec({}, wire::kCommit, t, at).head.state == TxnState::committed);
    CHECK(w.read(1) == 11);
    CHECK(w.read(2) == 21);
    CHECK(w.read(3) == 31);
  }
  SECTION("abort") {
    CHECK(w.exec({}, wire::kAbort, t, at).head.state == TxnState::aborted);
    w.pass_time(20 * kMillisecond);
    CHECK(w.read(1) == 10);
    CHECK(w.read(3) == -1);
  }
  check_replicas(w, {1, 2});
  CHECK(w.worker(1).quiet());
  CHECK(w.worker(2).quiet());
  CHECK(w.worker(at).oldest_open() == w.catalog().view);
}

TEST_CASE("a row that the transaction has removed is gone for it, until it writes it again") {
  World w({1, 2});
  w.make_table();
  REQUIRE(w.exec({{Op::insert, 1, 10}}).head.state == TxnState::committed);
  for (const Op op : {Op::update, Op::replace, Op::remove}) {
    CHECK(w.exec({{Op::remove, 1}, {op, 1, 11}}).head.error == Error::no_such_row);
    CHECK(w.read(1) == 10);
  }
  std::int32_t value = 20;
  for (const Op op : {Op::insert, Op::write}) {
    value++;
    CHECK(w.exec({{Op::remove, 1}, {op, 1, value}}).head.state == TxnState::committed);
    CHECK(w.read(1) == value);
  }
  check_replicas(w, {1, 2});
}

TEST_CASE("a participant that only reads under locks logs nothing") {
  World w({1, 2});
  w.make_table();
  std::int32_t a = 0, b = 0;
  while (w.primary_of(a, true) != 1) a++;
  while (w.primary_of(b, true) != 2) b++;
  for (const std::int32_t k : {a, b}) REQUIRE(w.exec({{Op::insert, k, 1}}).head.state == TxnState::committed);
  auto appended = [&] {
    Sequence sum = 0;
    w.worker(2).each_replica([&](const txn::Replica& r) { sum += r.leads() ? r.appended : 0; });
    return sum;
  };
  const Sequence before = appended();
  for (const Op op : {Op::read_shared, Op::read_exclusive}) {
    CHECK(w.exec({{Op::update, a, 2}, {op, b}}).head.state == TxnState::committed);
    CHECK(appended() == before);
  }
  CHECK(w.exec({{Op::update, a, 2}, {Op::update, b, 2}}).head.state == TxnState::committed);
  CHECK(appended() > before);
}

TEST_CASE("in single user mode one API node is served, without it all are") {
  World w({1, 2});
  w.make_table();
  auto error_for = [&](NodeId api) {
    w.step(w.primary_of(1, true), [&](txn::Worker& x) { x.client_up(kClientLink, kSession, api); });
    return w.exec({{Op::write, 1, api}}).head.error;
  };
  for (const NodeId api : {NodeId{0}, kApi, NodeId{51}}) CHECK(error_for(api) == Error::ok);
  w.must(meta::SetSingleUser{kApi});
  CHECK(error_for(kApi) == Error::ok);
  for (const NodeId api : {NodeId{0}, NodeId{51}}) CHECK(error_for(api) == Error::single_user);
  w.must(meta::SetSingleUser{0});
  for (const NodeId api : {NodeId{0}, kApi, NodeId{51}}) CHECK(error_for(api) == Error::ok);
}

TEST_CASE("row locks are waited for, in order, and not for ever") {
  World w({1, 2});
  w.make_table();
  REQUIRE(w.exec({{Op::insert, 1, 10}}).head.state == TxnState::committed);
  std::uint64_t t = w.new_number();
  NodeId at = w.primary_of(1, true);
  REQUIRE(w.exec({{Op::update, 1, 11}}, wire::kBegin, t, at).head.state == TxnState::open);
  std::uint32_t second = w.send({{Op::update, 1, 12}});
  std::uint32_t third = w.send({{Op::update, 1, 13}});
  CHECK(w.replies.count(second) == 0);
  SECTION("released by commit") {
    REQUIRE(w.exec({}, wire::kCommit, t, at).head.state == TxnState::committed);
    REQUIRE(w.replies.count(second) == 1);
    REQUIRE(w.replies.count(third) == 1);
    CHECK(w.replies[third].head.state == TxnState::committed);
    CHECK(w.read(1) == 13);
  }
  SECTION("time-out") {
    w.pass_time(1300 * kMillisecond);
    REQUIRE(w.replies.count(second) == 1);
    CHECK(w.replies[second].head.error == Error::lock_timeout);
    CHECK(w.replies[third].head.error == Error::lock_timeout);
    REQUIRE(w.exec({}, wire::kCommit, t, at).head.state == TxnState::committed);
    CHECK(w.read(1) == 11);
  }
  SECTION("the row goes away") {
    REQUIRE(w.exec({{Op::remove, 1}}, wire::kCommit, t, at).head.state == TxnState::committed);
    CHECK(w.replies[second].head.error == Error::no_such_row);
    CHECK(w.read(1) == -1);
  }
  check_replicas(w, {1, 2});
  CHECK(w.worker(at).quiet());
}

TEST_CASE("the backup takes over with everything that was acknowledged") {
  World w({1, 2});
  w.make_table();
  for (int i = 0; i < 50; i++) REQUIRE(w.exec({{Op::insert, i, i}}).head.state == TxnState::committed);
  // One more reaches the backup, but the acknowledgement is lost with the primary.
  NodeId p = w.primary_of(3, true);
  NodeId b = p == 1 ? 2 : 1;
  w.hold(b, p);
  std::uint32_t r = w.send({{Op::update, 3, 333}});
  CHECK(w.replies.count(r) == 0);
  w.kill(p);
  w.drop_held(b, p);
  w.must(meta::NodeDown{p, w.catalog().node(p)->incarnation, "killed", false});
  CHECK(w.primary_of(3, true) == b);
  for (int i = 0; i < 50; i++) CHECK(w.read(i) == (i == 3 ? 333 : i));
  CHECK(w.exec({{Op::insert, 100, 1}}).head.state == TxnState::committed);
  // It comes back empty, is filled, and serves again.
  w.join(p);
  w.pass_time(300 * kMillisecond);
  CHECK(w.exec({{Op::update, 100, 2}}).head.state == TxnState::committed);
  CHECK(w.worker(p).filled());
  w.must(meta::NodeInSync{p, w.catalog().node(p)->incarnation, w.catalog().group(0)->content_view()});
  w.pass_time(50 * kMillisecond);
  CHECK(w.primary_of(3, true) == p);
  for (int i = 0; i < 50; i++) CHECK(w.read(i) == (i == 3 ? 333 : i));
  CHECK(w.read(100) == 2);
  check_replicas(w, {1, 2});
}

TEST_CASE("a node that comes when a reorganisation is over is filled with the fragments that it made") {
  World w({1, 2}, {3, 4});
  w.join(3);
  w.join(4);
  w.must(meta::NodeInSync{3, w.catalog().node(3)->incarnation, 0});
  w.make_table();
  w.must(meta::CreateGroups{
      {{3, 4}}});  // node 4 has never been in sync, so its comings and goings are no change of the group
  const std::uint64_t job = w.must(meta::StartReorg{"t", false, {}, 0, 0}).ids.at(0);
  using meta::Phase;
  for (const Phase p : {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched, Phase::settling,
                        Phase::cleaning, Phase::none}) {
    w.must(meta::AdvanceReorg{job, p, 0});
  }
  for (int i = 0; i < 60; i++) REQUIRE(w.exec({{Op::insert, i, 0}}).head.state == TxnState::committed);
  w.kill(4);
  w.must(meta::NodeDown{4, w.catalog().node(4)->incarnation, "killed", false});
  w.join(4);
  w.pass_time(kSecond);
  CHECK(w.worker(4).filled());
  w.must(meta::NodeInSync{4, w.catalog().node(4)->incarnation, w.catalog().group(1)->content_view()});
  CHECK(w.exec({{Op::update, 7, 1}}).head.state == TxnState::committed);
  check_replicas(w, {1, 2, 3, 4});
}

TEST_CASE("a transaction whose coordinator dies after the decision is committed by the heirs") {
  World w({1, 2}, {3, 4});
  w.join(3);
  w.join(4);
  w.must(meta::NodeInSync{3, w.catalog().node(3)->incarnation, 0});
  w.must(meta::NodeInSync{4, w.catalog().node(4)->incarnation, 0});
  w.must(meta::CreateGroups{{{3, 4}}});
  w.make_table();
  for (int i = 0; i < 60; i++) REQUIRE(w.exec({{Op::insert, i, 0}}).head.state == TxnState::committed);
  // Two keys in different groups.
  int a = 0, b = 1;
  auto group = [&](int k) { return w.catalog().table(w.table_id)->distribution.groups[w.fragment_of(k)]; };
  while (group(b) == group(a)) b++;
  NodeId p = w.primary_of(a, true), q = w.primary_of(b, true);
  SECTION("commit message lost") {
    // The backup of the anchor has the decision; the other primary does not hear of it.
    w.hold(p, q);
    std::uint32_t r = w.send({{Op::update, a, 1}, {Op::update, b, 1}});
    w.release(p, q);  // the execute: it prepares; then hold again before the decision arrives
    CHECK(w.replies.count(r) == 1);
  }
  SECTION("before the decision") {
    w.hold(q, p);
    std::uint32_t r = w.send({{Op::update, a, 1}, {Op::update, b, 1}});
    CHECK(w.replies.count(r) == 0);
    w.drop_held(q, p);
    w.kill(p);
    w.must(meta::NodeDown{p, w.catalog().node(p)->incarnation, "killed", false});
    w.pass_time(500 * kMillisecond);
    CHECK(w.read(a) == 0);
    CHECK(w.read(b) == 0);
    CHECK(w.exec({{Op::update, b, 5}}).head.state == TxnState::committed);
  }
  SECTION("after the decision") {
    std::uint64_t t = w.new_number();
    REQUIRE(w.exec({{Op::update, a, 1}, {Op::update, b, 1}}, wire::kBegin, t, p).head.state == TxnState::open);
    NodeId backup = p == 1 ? 2 : p == 2 ? 1 : p == 3 ? 4 : 3;
    w.hold(backup, p);  // the decide record arrives, its acknowledgement does not
    std::uint32_t r = w.send({}, wire::kCommit, t, p);
    CHECK(w.replies.count(r) == 0);
    w.drop_held(backup, p);
    w.kill(p);
    w.must(meta::NodeDown{p, w.catalog().node(p)->incarnation, "killed", false});
    w.pass_time(500 * kMillisecond);
    CHECK(w.read(a) == 1);
    CHECK(w.read(b) == 1);
    CHECK(w.exec({{Op::update, b, 5}}).head.state == TxnState::committed);
  }
  std::vector<NodeId> alive;
  for (NodeId n : {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}}) {
    if (w.up(n)) alive.push_back(n);
  }
  check_replicas(w, alive);
  for (NodeId n : alive) CHECK(w.worker(n).quiet());
}

TEST_CASE("out of DataMemory: refused, nothing changed, reads go on") {
  World w({1, 2});
  w.make_table();
  for (NodeId n : {NodeId{1}, NodeId{2}}) w.worker(n).set_memory(std::uint64_t{2} << 20);
  int i = 0;
  Reply r;
  do {
    r = w.exec({{Op::insert, i, i}});
    i++;
  } while (r.head.state == TxnState::committed && i < 200000);
  CHECK(r.head.error == Error::memory_full);
  CHECK(i > 10000);
  CHECK(w.read(0) == 0);
  CHECK(w.exec({{Op::remove, 0}}).head.state == TxnState::committed);
  check_replicas(w, {1, 2});
}

TEST_CASE("a client waits for a row's second place as soon as that is compared, not before") {
  World w({1, 2}, {3, 4});
  w.make_table();
  for (int i = 0; i < 60; i++) REQUIRE(w.exec({{Op::insert, i, 0}}).head.state == TxnState::committed);
  for (const NodeId n : {NodeId{3}, NodeId{4}}) {
    w.join(n);
    w.must(meta::NodeInSync{n, w.catalog().node(n)->incarnation, 0});
  }
  w.must(meta::CreateGroups{{{3, 4}}});
  using meta::Phase;
  const std::uint64_t job = w.must(meta::StartReorg{"t", false, {}, 0, 0}).ids.at(0);
  for (const Phase p : {Phase::doubling, Phase::copying}) w.must(meta::AdvanceReorg{job, p, 0});
  auto distribution = [&]() -> const meta::Distribution& { return w.catalog().table(w.table_id)->distribution; };
  auto bucket = [&](int k) { return meta::bucket_of(w.shape.hash(w.key(k))); };
  int k = 0, other = 0;
  while (!distribution().moves(bucket(k))) k++;
  const NodeId p = w.primary_of(k, true), backup = p == 1 ? 2 : 1;
  while (other == k || w.primary_of(other, true) != p || distribution().moves(bucket(other))) other++;
  const FragmentId second = distribution().next[bucket(k)];
  const NodeId q = w.catalog().primary(distribution().groups[second], second);

  const std::uint64_t t = w.new_number();
  bool waits = false;
  SECTION("copying") { REQUIRE(w.exec({{Op::update, k, 1}}, wire::kBegin, t, p).head.state == TxnState::open); }
  SECTION("begun while copying, writes while comparing") {
    REQUIRE(w.exec({{Op::update, other, 1}}, wire::kBegin, t, p).head.state == TxnState::open);
    w.must(meta::AdvanceReorg{job, Phase::deciding, 0});
    REQUIRE(w.exec({{Op::update, k, 1}}, 0, t, p).head.state == TxnState::open);
    waits = true;
  }
  w.hold(backup, p);  // the decision is not known to be held yet
  const std::uint32_t r = w.send({}, wire::kCommit, t, p);
  REQUIRE(w.replies.count(r) == 0);
  w.hold(p, q);  // it will not hear of it
  w.release(backup, p);
  CHECK(w.replies.count(r) == (waits ? 0 : 1));
  CHECK(w.read(k) == 1);
  CHECK_FALSE(w.worker(p).quiet());
  w.release(p, q);
  REQUIRE(w.replies.count(r) == 1);
  CHECK(w.replies[r].head.state == TxnState::committed);
  CHECK(w.worker(p).quiet());
  for (const Phase next : {Phase::deciding, Phase::switched}) {
    if (distribution().phase < next) w.must(meta::AdvanceReorg{job, next, 0});
  }
  CHECK(w.primary_of(k, false) == q);
  CHECK(w.read(k) == 1);
}

TEST_CASE("a commit that was cut from a stream is appended again by who leads next") {
  World w({1, 2}, {3, 4});
  for (const NodeId n : {NodeId{3}, NodeId{4}}) {
    w.join(n);
    w.must(meta::NodeInSync{n, w.catalog().node(n)->incarnation, 0});
  }
  w.must(meta::CreateGroups{{{3, 4}}});
  w.make_table();
  for (int i = 0; i < 60; i++) REQUIRE(w.exec({{Op::insert, i, 0}}).head.state == TxnState::committed);
  // `b` lives where node n leads when it is there; its peer q leads alone while n is away, and still when n is filled.
  int a = 0, b = 1;
  auto group = [&](int k) { return w.catalog().table(w.table_id)->distribution.groups[w.fragment_of(k)]; };
  while (group(b) == group(a)) b++;
  const NodeId p = w.primary_of(a, true), p_backup = p == 1 ? 2 : p == 2 ? 1 : p == 3 ? 4 : 3;
  const NodeId n = w.primary_of(b, true), q = n == 1 ? 2 : n == 2 ? 1 : n == 3 ? 4 : 3;
  w.kill(n);
  w.must(meta::NodeDown{n, w.catalog().node(n)->incarnation, "killed", false});
  w.join(n);
  w.pass_time(kSecond);
  REQUIRE(w.worker(n).filled());
  REQUIRE(w.primary_of(b, true) == q);
  const std::uint64_t t = w.new_number();
  REQUIRE(w.exec({{Op::update, a, 1}, {Op::update, b, 1}}, wire::kBegin, t, p).head.state == TxnState::open);
  w.hold(p_backup, p);
  const std::uint32_t r = w.send({}, wire::kCommit, t, p);  // prepared at q, held by n, too
  w.hold(q, n);
  w.release(p_backup, p);  // decided; it shows at q, whose commit record does not reach n
  REQUIRE(w.replies.count(r) == 1);
  for (const NodeId other : {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}}) {
    if (other == n || other == q) continue;
    w.hold(other, n);  // n shall not hear of the decision
    w.hold(n, other);
  }
  w.must(meta::NodeInSync{n, w.catalog().node(n)->incarnation, w.catalog().group(group(b))->content_view()});
  REQUIRE(w.primary_of(b, true) == n);
  w.release(q, n);  // n says from where on the stream is its own: the commit is cut off at q
  auto held_by_q = [&] {
    Sequence s = 0;
    w.worker(q).each_replica([&](const txn::Replica& x) {
      if (x.ref.fragment == w.fragment_of(b)) s = x.appended;
    });
    return s;
  };
  const Sequence after_cut = held_by_q();
  w.kill(n);
  w.must(meta::NodeDown{n, w.catalog().node(n)->incarnation, "killed", false});
  w.pass_time(500 * kMillisecond);
  CHECK(w.replies[r].head.state == TxnState::committed);
  CHECK(held_by_q() > after_cut);
  CHECK(w.read(b) == 1);
  for (const NodeId alive : {p, p_backup, q}) CHECK(w.worker(alive).quiet());
}
