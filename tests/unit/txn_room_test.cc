// A redo ring that runs full: whoever writes waits, nobody breaks.
#include <catch2/catch.hpp>
#include <algorithm>
#include <set>

#include "sim/memory_disk.h"
#include "unit/txn_world.h"

using namespace ndb;
using namespace ndb::txn_test;

namespace {

constexpr store::RedoLayout kSmall{4096 + (64 << 10), 3};
constexpr store::RedoLayout kLarge{4096 + (1 << 20), 8};

// A world whose nodes have disks; epochs and checkpoints come when the test says so.
struct Disks {
  World w;
  std::map<NodeId, std::unique_ptr<sim::MemoryDisk>> disks;
  Epoch epoch = 1;

  explicit Disks(std::vector<NodeId> nodes) : w(std::move(nodes)) { w.make_table(); }
  void give(NodeId n, store::RedoLayout layout) {
    disks[n] = std::make_unique<sim::MemoryDisk>(layout);
    start(n);
  }
  void start(NodeId n) {  // from what its disk holds
    w.step(n, [&](txn::Worker& x) {
      x.attach_disk(*disks[n], {1, n, 0, 1}, n);
      x.set_epoch(epoch);
      while (!x.recover_some()) {
      }
    });
    complete(n);
  }
  void complete(NodeId n) {
    sim::MemoryDisk::Completion c;
    while (disks[n]->complete(&c)) {
      w.step(n, [&](txn::Worker& x) { x.on_disk(c.tag, c.status); });
    }
  }
  void close_epoch(std::vector<NodeId> in_sync) {
    const Epoch e = epoch++;
    for (auto& [n, d] : disks) w.step(n, [&](txn::Worker& x) { x.set_epoch(epoch); });
    for (NodeId n : in_sync) w.step(n, [](txn::Worker& x) { x.mark_streams(); });
    w.pump();
    for (NodeId n : in_sync) w.step(n, [&](txn::Worker& x) { x.flush_epoch(e); });
    for (NodeId n : in_sync) complete(n);
    w.must(meta::EpochDurable{e});
  }
  void checkpoint(NodeId n, bool allowed = true) {
    for (int i = 0; i < 20; i++) {
      w.step(n, [&](txn::Worker& x) { x.checkpoint_step(allowed); });
      complete(n);
      w.pass_time(10 * kMillisecond);
    }
  }
  // A row whose primary is this node.
  std::int32_t row_at(NodeId n, std::int32_t after) const {
    do after++;
    while (w.primary_of(after, true) != n);
    return after;
  }
};

}  // namespace

TEST_CASE("primaries take no new writes while a backup's redo ring is nearly full") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.give(2, kSmall);
  Error e = Error::ok;
  std::int32_t row = 0, written = 0;
  for (; e == Error::ok && written < 10000; written++) {
    row = d.row_at(1, row);
    e = d.w.exec({{wire::Op::write, row, row}}).head.error;
  }
  CHECK(e == Error::redo_full);
  CHECK(written > 100);
  CHECK(d.disks[2]->room() > d.disks[2]->layout().capacity() / 8);
  CHECK_FALSE(d.w.worker(2).disk_failed());
  CHECK(d.w.read(d.row_at(1, 0)) != -1);  // reads go on
  CHECK(d.w.exec({{wire::Op::write, d.row_at(2, 0), 1}}).head.error == Error::redo_full);

  SECTION("until a checkpoint has made room") {
    d.checkpoint(2);
    CHECK(d.w.exec({{wire::Op::write, row, row}}).head.error ==
          Error::redo_full);  // it holds an epoch that is not durable
    CHECK(d.w.worker(2).durable_wanted() == d.epoch);
    d.close_epoch({1, 2});
    d.checkpoint(2);
    CHECK(d.w.exec({{wire::Op::write, row, row}}).head.error == Error::ok);
    CHECK(d.w.exec({{wire::Op::write, d.row_at(2, 0), 1}}).head.error == Error::ok);
  }
  SECTION("or that backup has gone") {
    d.w.kill(2);
    d.w.must(meta::NodeDown{2, d.w.catalog().node(2)->incarnation, "killed", false});
    CHECK(d.w.exec({{wire::Op::write, row, row}}).head.error == Error::ok);
  }
}

TEST_CASE("what was begun before the ring ran low is still decided") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.give(2, kSmall);
  const std::int32_t one = d.row_at(1, 0), two = d.row_at(2, 0);
  const std::uint64_t open = d.w.new_number();
  REQUIRE(d.w.exec({{wire::Op::write, one, 7}, {wire::Op::write, two, 7}}, wire::kBegin, open, 1).head.error ==
          Error::ok);
  std::int32_t row = one;
  Error e = Error::ok;
  for (int i = 0; e == Error::ok && i < 10000; i++) {
    row = d.row_at(1, row);
    e = d.w.exec({{wire::Op::write, row, row}}).head.error;
  }
  REQUIRE(e == Error::redo_full);
  // Nothing of it is in a log yet: it is refused as a whole, and nothing of it stays.
  const Reply r = d.w.exec({}, wire::kCommit, open, 1);
  CHECK(r.head.error == Error::redo_full);
  CHECK(r.head.state == wire::TxnState::aborted);
  CHECK(d.w.read(one) == -1);
  CHECK(d.w.read(two) == -1);
}

TEST_CASE("a transaction that a redo ring can never take is refused for good") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.give(2, kSmall);
  std::vector<World::Ask> asks;
  for (std::int32_t row = d.row_at(1, 0); asks.size() < 2000; row = d.row_at(1, row)) {
    if (asks.empty() || d.w.fragment_of(row) == d.w.fragment_of(asks[0].a)) asks.push_back({wire::Op::write, row, row});
  }
  REQUIRE(d.w.exec({asks[0]}).head.error == Error::ok);  // the backup's acknowledgement says what it takes
  CHECK(d.w.exec(asks).head.error == Error::txn_too_large);
  CHECK_FALSE(d.w.worker(2).disk_failed());
  CHECK(d.w.exec({asks[0]}).head.error == Error::ok);
}

TEST_CASE("so is one that another participant's ring can never take") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.give(2, kSmall);
  std::vector<World::Ask> asks{{wire::Op::write, d.row_at(1, 0), 1}};
  for (std::int32_t row = d.row_at(2, 0); asks.size() < 2000; row = d.row_at(2, row)) {
    if (asks.size() == 1 || d.w.fragment_of(row) == d.w.fragment_of(asks[1].a)) {
      asks.push_back({wire::Op::write, row, row});
    }
  }
  CHECK(d.w.exec(asks).head.error == Error::txn_too_large);
  CHECK_FALSE(d.w.worker(2).disk_failed());
  asks.resize(2);
  CHECK(d.w.exec(asks).head.error == Error::ok);
}

TEST_CASE("a joining node asks for no more replicas at a time than its redo ring takes") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.w.kill(2);
  d.w.must(meta::NodeDown{2, d.w.catalog().node(2)->incarnation, "killed", false});
  d.w.hold(1, 2);
  d.w.join(2);
  d.give(2, kSmall);
  d.w.pass_time(100 * kMillisecond);  // less than after which it asks again
  std::size_t under_way = 0, replicas = 0;
  d.w.worker(1).each_replica([&](const txn::Replica& r) {
    under_way += r.copies.size();
    replicas++;
  });
  REQUIRE(replicas > 1);
  CHECK(under_way == 1);
}

TEST_CASE("a checkpoint that a restart has used goes when a newer one can take its place") {
  Disks d({1, 2});
  d.give(1, kLarge);
  d.give(2, kSmall);
  std::int32_t row = 0;
  auto there = [&] {
    std::set<std::uint64_t> ids;
    for (std::uint64_t id = 1; id < 100; id++) {
      if (d.disks[2]->checkpoint_bytes(id).ok()) ids.insert(id);
    }
    return ids;
  };
  auto write_until = [&](auto enough) {
    for (int i = 0; i < 60 && !enough(); i++) {
      for (int k = 0; k < 200; k++) d.w.send({{wire::Op::write, row = d.row_at(1, row), 1}});
      d.checkpoint(2);
      d.close_epoch({1, 2});
    }
  };
  write_until([&] { return !there().empty(); });
  REQUIRE(there().size() == 1);
  const std::uint64_t first = *there().begin();
  d.w.kill(2);
  d.w.must(meta::NodeDown{2, d.w.catalog().node(2)->incarnation, "killed", false});
  Prng prng(1);
  d.disks[2]->crash(prng, false);
  d.w.join(2);
  d.start(2);
  REQUIRE(there().count(first) == 1);
  for (int i = 0; i < 100 && !d.w.worker(2).filled(); i++) d.w.pass_time(100 * kMillisecond);
  REQUIRE(d.w.worker(2).filled());
  d.w.must(meta::NodeInSync{2, d.w.catalog().node(2)->incarnation, d.w.catalog().group(0)->content_view()});
  write_until([&] { return there().count(first) == 0; });
  CHECK(there().count(first) == 0);
  CHECK_FALSE(there().empty());
}

TEST_CASE("more rows than the redo ring holds fill a joining replica") {
  Disks d({1, 2});
  d.give(1, store::RedoLayout{4096 + (4 << 20), 8});
  constexpr std::int32_t kRows = 8000;
  for (std::int32_t i = 0; i < kRows; i++) d.w.send({{wire::Op::write, i, i}});
  d.w.kill(2);
  d.w.must(meta::NodeDown{2, d.w.catalog().node(2)->incarnation, "killed", false});
  d.w.join(2);
  d.give(2, kSmall);
  std::set<NodeId> from;
  int rounds = 0;
  for (; !d.w.worker(2).filled() && rounds < 100; rounds++) {
    d.w.pass_time(100 * kMillisecond);
    d.checkpoint(2, false);  // a joining node makes checkpoints when its ring is tight, and only then
    d.close_epoch({1});
    REQUIRE_FALSE(d.w.worker(2).disk_failed());
    // Meanwhile clients write; they may be told to wait.
    const Error e = d.w.exec({{wire::Op::write, rounds, rounds}}).head.error;
    CHECK((e == Error::ok || e == Error::redo_full));
  }
  CHECK(d.w.worker(2).filled());
  CHECK(rounds > 1);
  CHECK(d.disks[2]->position() > d.disks[2]->layout().capacity());
  std::uint64_t rows = 0;
  d.w.worker(2).each_replica([&](const txn::Replica& r) { rows += r.rows.rows(); });
  CHECK(rows == kRows);
}

TEST_CASE("a joining replica that begins anew while its ring is tight is not waited for") {
  Disks d({1, 2});
  d.give(1, store::RedoLayout{4096 + (4 << 20), 8});
  for (std::int32_t i = 0; i < 2000; i++) d.w.send({{wire::Op::write, i, i}});
  d.w.kill(2);
  d.w.must(meta::NodeDown{2, d.w.catalog().node(2)->incarnation, "killed", false});
  d.w.hold(2, 1);
  d.w.join(2);
  d.give(2, kSmall);
  // All rows of one replica have been sent, and have arrived; that they have is not known yet.
  const txn::Replica* sent = nullptr;
  for (int i = 0; i < 1000 && sent == nullptr; i++) {
    d.w.pass_time(10 * kMillisecond);
    d.w.worker(1).each_replica([&](const txn::Replica& r) {
      if (!r.copies.empty() && r.copies[0].done) sent = &r;
    });
    if (sent == nullptr) d.w.release_once(2, 1);
  }
  REQUIRE(sent != nullptr);
  // Then so much is written that the ring of the joining node cannot take it.
  bool anew = false;
  std::int32_t row = 0;
  for (int i = 0; i < 20000 && !anew; i++) {
    do row++;
    while (d.w.fragment_of(row) != sent->ref.fragment);
    d.w.send({{wire::Op::write, row, row}});
    d.w.worker(2).each_replica([&](const txn::Replica& r) { anew |= r.ref == sent->ref && !r.resumed; });
  }
  REQUIRE(anew);
  d.w.release_once(2, 1);
  d.w.pass_time(kSecond);  // no checkpoint makes room
  d.w.release_once(2, 1);
  CHECK(std::none_of(sent->peers.begin(), sent->peers.end(), [](const txn::Peer& p) { return p.counts; }));
  CHECK(d.w.exec({{wire::Op::write, row, -1}}).head.error == Error::ok);
}
