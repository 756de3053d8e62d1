#include <catch2/catch.hpp>

#include "unit/txn_world.h"

using namespace ndb;
using namespace ndb::txn_test;

namespace {

// A device that takes what it is given while the worker looks the other way: its backlog is never long and never empty.
struct BriskDisk : store::Disk {
  store::RedoLayout shape{std::uint64_t{64} << 10, 3};
  std::uint64_t end = 0;
  std::vector<std::size_t> pieces;
  Inventory list() override { return {}; }
  Result<Bytes> read_redo(std::uint64_t, std::size_t) override { return Failure{Error::os_failed, "empty"}; }
  Result<Bytes> read_checkpoint(std::uint64_t, std::uint64_t, std::size_t) override {
    return Failure{Error::os_failed, "empty"};
  }
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t) override { return std::uint64_t{0}; }
  std::string redo_place(std::uint64_t) const override { return "redo"; }
  std::string checkpoint_place(std::uint64_t, std::uint64_t) const override { return "checkpoint"; }
  void start(std::uint64_t, std::uint64_t at) override { end = at; }
  const store::RedoLayout& layout() const override { return shape; }
  std::uint64_t position() const override { return end; }
  std::uint64_t durable() const override { return end; }
  std::uint64_t room() const override { return std::uint64_t{1} << 30; }
  std::size_t backlog() const override { return 0; }
  bool append(Bytes blocks) override {
    end += blocks.size();
    return true;
  }
  void flush(std::uint64_t) override {}
  void trim(std::uint64_t) override {}
  void begin_checkpoint(std::uint64_t) override {}
  void write_checkpoint(std::uint64_t, Bytes bytes) override { pieces.push_back(bytes.size()); }
  std::size_t checkpoint_backlog() const override { return 1; }
  void finish_checkpoint(std::uint64_t, std::uint64_t) override {}
  void remove_checkpoint(std::uint64_t) override {}
  bool failed() const override { return false; }
  Failure failure() const override { return {}; }
};

}  // namespace

TEST_CASE("a checkpoint is written a piece at a time, however fast the device") {
  BriskDisk disk;
  World w({1, 2});
  w.make_table();
  w.step(1, [&](txn::Worker& x) {
    x.attach_disk(disk, {1, 1, 0, 1}, 7);
    while (!x.recover_some()) {
    }
  });
  constexpr std::int32_t kRows = 10000;
  for (std::int32_t i = 0; i < kRows; i++) w.send({{wire::Op::write, i, i}});
  w.pass_time(100 * kMillisecond);
  std::size_t most = 0, steps = 0;
  for (bool more = true; more && steps < 1000; steps++) {
    const std::size_t before = disk.pieces.size();
    w.step(1, [](txn::Worker& x) { x.checkpoint_step(true); });
    most = std::max(most, disk.pieces.size() - before);
    more = disk.pieces.size() != before;
    Time due = kNever;
    w.step(1, [&](txn::Worker& x) { due = x.wake(); });
    CHECK(due <= w.now() + 20 * kMillisecond);
    w.pass_time(10 * kMillisecond);
  }
  std::size_t bytes = 0;
  for (const std::size_t p : disk.pieces) bytes += p;
  CHECK(bytes > kRows / 2 * 16);  // one of two fragments has its primary elsewhere, but both have a replica here
  CHECK(disk.pieces.size() > 2);
  CHECK(most <= 2);  // the last piece is followed by the end
  for (const std::size_t p : disk.pieces) CHECK(p <= std::size_t{128} << 10);
}
