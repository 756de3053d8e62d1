#include <catch2/catch.hpp>

#include <map>

#include "reorg/mover.h"
#include "store/fragment.h"
#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::reorg;

namespace {

// A fragment without rows that counts how often, and for how much, it is asked; a stretch after the other.
struct FakeRows : Rows {
  std::vector<std::size_t> takes, drops;
  std::uint64_t served_now = 0;
  bool leads(FragmentRef) const override { return true; }
  Taken take(FragmentRef, FragmentId, std::uint64_t cursor, std::size_t rows_max, Writer&) override {
    takes.push_back(rows_max);
    Taken t;
    t.hold = static_cast<std::uint32_t>(takes.size());
    t.next = cursor + 1;
    t.rows = 1;
    return t;
  }
  void release(std::uint32_t) override {}
  bool lock_again(FragmentRef, Bytes, std::uint64_t) override { return true; }
  std::vector<std::uint64_t> put_tags;
  Error put(FragmentRef, Bytes, std::uint64_t tag) override {
    put_tags.push_back(tag);
    return Error::ok;
  }
  std::uint64_t drop(FragmentRef, std::uint64_t cursor, std::size_t rows_max, std::uint32_t*, bool* busy) override {
    drops.push_back(rows_max);
    *busy = false;
    return cursor + 1;
  }
  bool freeze(FragmentRef, std::uint16_t, std::uint16_t) override { return true; }
  bool quiet(FragmentRef, std::uint16_t, std::uint16_t) override { return true; }
  store::BucketSum sum(FragmentRef, std::uint16_t) const override { return {}; }
  std::uint64_t history(FragmentRef, std::uint64_t, Writer&) const override { return UINT64_MAX; }
  Error put_history(FragmentRef, Bytes, std::uint64_t) override { return Error::ok; }
  Sequence appended(FragmentRef) const override { return 1; }
  bool shown(FragmentRef, Sequence) const override { return true; }
  Epoch epoch() const override { return 1; }
  std::uint64_t served() const override { return served_now; }
};

struct Links : Mover::Sender {
  Writer out;
  bool reachable(NodeId) const override { return true; }
  std::vector<NodeId> told;
  Writer& to(NodeId node) override {
    told.push_back(node);
    return out;
  }
};

// Node 1 leads fragment 0 of a table that is being spread from one group to two.
struct Moving {
  meta::test::Story s = meta::test::small_cluster(6);
  FakeRows rows;
  Links links;
  Mover mover{1, 0, rows, links};
  Time now = kSecond;

  Moving() {
    s.ok(s.create("t"));
    s.ok(meta::CreateGroups{{{3, 4}}});
    s.ok(s.reorganise("t"));
  }
  void enter(std::initializer_list<meta::Phase> phases) {
    for (const meta::Phase p : phases) s.ok(meta::AdvanceReorg{1, p, 0});
    mover.set_catalog(now, std::make_shared<meta::Catalog>(s.c));
  }
  // The new primaries hold what they were sent.
  void answer() {
    const std::string sent(links.out.view());
    links.out.clear();
    Bytes rest = sent;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      m.type = static_cast<std::uint16_t>(wire::Type::move_ack);
      mover.on_message(now, m, 3);
    }
  }
  void serve_and_pump() {
    rows.served_now++;
    mover.pump(now);
  }
};

}  // namespace

TEST_CASE("without clients a mover takes long bites, as many as may be under way") {
  Moving m;
  m.enter({meta::Phase::doubling, meta::Phase::copying});
  m.mover.pump(m.now);
  CHECK(m.rows.takes.size() == 4);
  CHECK(m.rows.takes.front() >= 512);
}

TEST_CASE("beside clients a mover takes one short bite, and the next when it has arrived and after a pause") {
  Moving m;
  m.enter({meta::Phase::doubling, meta::Phase::copying});
  m.serve_and_pump();
  REQUIRE(m.rows.takes.size() == 1);
  CHECK(m.rows.takes.front() <= 256);
  m.answer();
  m.serve_and_pump();
  CHECK(m.rows.takes.size() == 1);
  const Time due = m.mover.wake();
  CHECK(due > m.now);
  m.now = due - 1;
  m.serve_and_pump();
  CHECK(m.rows.takes.size() == 1);
  m.now = due;
  m.serve_and_pump();
  CHECK(m.rows.takes.size() == 2);
  m.now += 10 * kMillisecond;  // that one is on its way
  m.serve_and_pump();
  CHECK(m.rows.takes.size() == 2);
  // The clients have left: full speed again.
  m.now += kSecond;
  m.mover.pump(m.now);
  CHECK(m.rows.takes.size() == 5);
  CHECK(m.rows.takes.back() >= 512);
}

TEST_CASE("cleaning keeps the same pace beside clients") {
  Moving m;
  m.enter({meta::Phase::doubling, meta::Phase::copying, meta::Phase::deciding, meta::Phase::switched,
           meta::Phase::settling, meta::Phase::cleaning});
  for (int i = 0; i < 10 && m.rows.drops.empty(); i++) {
    m.serve_and_pump();
    m.answer();
  }
  REQUIRE(m.rows.drops.size() == 1);
  CHECK(m.rows.drops.front() <= 256);
  m.now = m.mover.wake();
  m.serve_and_pump();
  CHECK(m.rows.drops.size() == 2);
  m.now += kSecond;
  m.mover.pump(m.now);
  CHECK(m.rows.drops.size() == 6);
}

TEST_CASE("rows that have come are acknowledged when they are held, unless their sender is lost") {
  Moving m;
  m.enter({meta::Phase::doubling, meta::Phase::copying});
  for (const NodeId from : {NodeId{3}, NodeId{4}}) {
    Writer w;
    w.put(MoveWord{1, from, 1, 0, 2, Error::ok, 0, 0});
    wire::Message rows;
    rows.type = static_cast<std::uint16_t>(wire::Type::move_rows);
    rows.body = w.view();
    REQUIRE(m.mover.on_message(m.now, rows, from));
  }
  REQUIRE(m.rows.put_tags.size() == 2);
  CHECK(m.links.told.empty());
  m.mover.node_down(4);
  for (const std::uint64_t tag : m.rows.put_tags) m.mover.on_row_moved({1, 2}, tag, true);
  CHECK(m.links.told == std::vector<NodeId>{3});
}
