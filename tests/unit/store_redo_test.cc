// The redo log's bytes: blocks and entries, torn tails, damaged middles, and a log that crashes at random and is
// never read as anything but a prefix of what was written that holds everything flushed.
#include <catch2/catch.hpp>

#include "base/prng.h"
#include "sim/memory_disk.h"
#include "store/redo.h"

using namespace ndb;
using namespace ndb::store;
using sim::MemoryDisk;

namespace {

constexpr RedoLayout kSmall{4096 + 8192, 4};

struct Log {
  Prng noise{77};
  MemoryDisk disk{kSmall};
  std::unique_ptr<RedoWriter> writer;
  void begin(std::uint64_t keep, std::uint64_t at, std::uint64_t life) {
    disk.start(keep, at);
    writer = std::make_unique<RedoWriter>(at, life);
  }
  void write(Sequence s, std::size_t bytes = 100) {
    std::string content(bytes, '\0');  // never twice the same: a sector of one block completes no other one
    for (char& c : content) c = static_cast<char>(noise.next());
    writer->record({7, 3}, s, s / 10, content);
    step();
  }
  void step() {
    REQUIRE(disk.append(writer->take(disk.durable(), 1)));
    writer->clear();
    REQUIRE(writer->position() == disk.position());
  }
  void flush() {
    disk.flush(1);
    MemoryDisk::Completion c;
    REQUIRE(disk.complete(&c));
  }
};

// The sequences of all records from `from` on, and how the log ends.
struct Seen {
  std::vector<Sequence> records;
  std::uint64_t end = 0, cut = 0;
  bool damaged = false;
  std::string why;
};
Seen read(MemoryDisk& disk, RedoPlace from = {}) {
  Seen seen;
  RedoReader r(disk, disk.list(), from);
  RedoBlock b;
  RedoReader::State s;
  while ((s = r.next(&b)) == RedoReader::State::block) {
    RedoEntry e;
    while (next_redo_entry(b.entries, &e)) {
      if (e.kind == RedoKind::record) seen.records.push_back(e.sequence);
    }
  }
  seen.damaged = s == RedoReader::State::damaged;
  seen.why = seen.damaged ? r.failure().text : r.reason();
  seen.end = r.position();
  seen.cut = r.cut_bytes();
  return seen;
}
std::vector<Sequence> up_to(Sequence n) {
  std::vector<Sequence> v;
  for (Sequence s = 1; s <= n; s++) v.push_back(s);
  return v;
}

}  // namespace

TEST_CASE("redo: what was written is read, entry by entry") {
  Log log;
  log.begin(0, 0, 5);
  log.writer->created({7, 3}, 1);
  log.writer->record({7, 3}, 1, 2, "first");
  log.writer->cut({7, 3}, 1, 2);
  log.writer->complete(2);
  log.writer->dropped({7, 3}, 3);
  log.writer->restarted(2);
  log.step();
  log.writer->record({8, 0}, 9, 4, std::string(20000, 'x'));  // longer than a file
  log.step();
  log.flush();
  Prng prng(1);
  log.disk.crash(prng);

  RedoReader r(log.disk, log.disk.list(), RedoPlace{});
  RedoBlock b;
  REQUIRE(r.next(&b) == RedoReader::State::block);
  REQUIRE(b.first_of_life);
  REQUIRE(b.life == 5);
  RedoEntry e;
  REQUIRE(next_redo_entry(b.entries, &e));
  REQUIRE(e.kind == RedoKind::created);
  REQUIRE(next_redo_entry(b.entries, &e));
  REQUIRE(e.kind == RedoKind::record);
  REQUIRE(e.ref == FragmentRef{7, 3});
  REQUIRE(e.sequence == 1);
  REQUIRE(e.epoch == 2);
  REQUIRE(e.record == "first");
  for (RedoKind k : {RedoKind::cut, RedoKind::complete, RedoKind::dropped, RedoKind::restart}) {
    REQUIRE(next_redo_entry(b.entries, &e));
    REQUIRE(e.kind == k);
  }
  REQUIRE(!next_redo_entry(b.entries, &e));
  REQUIRE(b.entries.empty());
  REQUIRE(r.next(&b) == RedoReader::State::block);
  REQUIRE(next_redo_entry(b.entries, &e));
  REQUIRE(e.record == std::string(20000, 'x'));
  REQUIRE(r.next(&b) == RedoReader::State::end);
  REQUIRE(r.position() == log.disk.position());
  REQUIRE(r.cut_bytes() == 0);

  const std::string text = dump_redo(log.disk);
  REQUIRE(text.find("record table 7 fragment 3 sequence 1 epoch 2 bytes 5") != std::string::npos);
  REQUIRE(text.find("end at " + std::to_string(r.position())) != std::string::npos);
}

TEST_CASE("redo: large steps become several blocks, and positions count entries") {
  Log log;
  log.disk.~MemoryDisk();
  new (&log.disk) MemoryDisk(RedoLayout{4096 + (4u << 20), 3});
  log.begin(0, 0, 5);
  std::uint64_t before = log.writer->position();
  for (Sequence s = 1; s <= 5000; s++) {
    log.writer->record({1, 0}, s, 1, std::string(150, 'r'));
    REQUIRE(log.writer->position() > before);
    before = log.writer->position();
  }
  log.step();
  log.flush();
  Prng prng(1);
  log.disk.crash(prng);
  REQUIRE(read(log.disk).records == up_to(5000));
  RedoReader r(log.disk, log.disk.list(), std::uint64_t{1});
  REQUIRE(r.resync());
  REQUIRE(r.position() > limits::kRedoBlockBytes - 1000);
  REQUIRE(r.position() < limits::kRedoBlockBytes + 1000);
}

TEST_CASE("redo: the ring refuses when full, and goes on where it was trimmed") {
  Log log;
  log.begin(0, 0, 5);
  Sequence s = 0;
  std::vector<RedoPlace> at;
  while (log.disk.room() > 300) {
    at.push_back(log.writer->place());
    log.write(++s);
  }
  REQUIRE(log.disk.position() > kSmall.capacity() - 300);
  log.writer->record({7, 3}, 999, 1, std::string(400, 'z'));
  REQUIRE(!log.disk.append(log.writer->take(0, 1)));
  log.writer = std::make_unique<RedoWriter>(log.disk.position(), 6);
  const Sequence kept = s * 2 / 3;
  log.disk.trim(at[kept - 1].position);
  REQUIRE(log.disk.room() > 2 * kSmall.data_bytes() - 300);
  REQUIRE(log.disk.room() < 3 * kSmall.data_bytes());
  for (int i = 0; i < 40; i++) log.write(++s);
  log.flush();
  Prng prng(1);
  log.disk.crash(prng);
  REQUIRE(log.disk.list().redo_begin > 0);
  REQUIRE(log.disk.list().redo_begin <= at[kept - 1].position);
  const Seen seen = read(log.disk, at[kept - 1]);
  REQUIRE(seen.records.front() == kept);
  REQUIRE(seen.records.size() == s - kept + 1);
}

TEST_CASE("redo: a torn tail is cut, a damaged middle is refused with its place") {
  Log log;
  log.begin(0, 0, 5);
  for (Sequence s = 1; s <= 10; s++) log.write(s);
  const std::uint64_t ten = log.disk.position();
  log.flush();
  for (Sequence s = 11; s <= 20; s++) log.write(s);
  const std::uint64_t all = log.disk.position();
  Prng prng(1);
  log.disk.crash(prng, false);
  REQUIRE(read(log.disk).records == up_to(20));

  SECTION("in the last block") {
    log.disk.damage_redo(all - 5);
    const Seen seen = read(log.disk);
    REQUIRE(seen.records == up_to(19));
    REQUIRE(!seen.damaged);
    REQUIRE(seen.cut == all - seen.end);
    REQUIRE(seen.why == "a block with a wrong checksum");
  }
  SECTION("in the middle of what was never flushed") {
    log.disk.damage_redo(ten + 5);
    const Seen seen = read(log.disk);
    REQUIRE(seen.records == up_to(10));
    REQUIRE(!seen.damaged);
    REQUIRE(seen.end == ten);
    REQUIRE(seen.cut == all - ten);
  }
  SECTION("in what was flushed") {
    log.disk.damage_redo(ten - 300);
    const Seen seen = read(log.disk);
    REQUIRE(seen.damaged);
    REQUIRE(seen.records == up_to(8));
    REQUIRE(seen.why.find("'redo.0' at offset " + std::to_string(4096 + seen.end)) != std::string::npos);
  }
}

TEST_CASE("redo: what an earlier life left behind the end is no continuation") {
  Log log;
  log.begin(0, 0, 5);
  for (Sequence s = 1; s <= 4; s++) log.write(s);
  const std::uint64_t four = log.disk.position();
  Prng prng(1);
  log.disk.crash(prng, false);
  log.disk.damage_redo(four / 2 + 3);  // the third block: lost, the fourth survives
  Seen seen = read(log.disk);
  REQUIRE(seen.records == up_to(2));
  log.begin(0, seen.end, 6);
  log.write(3);  // takes the lost block's place exactly
  REQUIRE(log.disk.position() == four / 4 * 3);
  log.flush();
  log.disk.crash(prng, false);
  seen = read(log.disk);
  REQUIRE(seen.records == up_to(3));
  REQUIRE(seen.end == four / 4 * 3);
}

TEST_CASE("redo: crashes at random leave a prefix that holds everything flushed") {
  std::uint64_t torn = 0, crashes = 0;
  for (std::uint64_t seed = 1; seed <= 400; seed++) {
    Prng prng(seed);
    Log log;
    std::vector<RedoPlace> at{{}};  // before record s + 1
    RedoPlace keep;
    Sequence kept = 0;  // records up to this lie before keep
    log.begin(0, 0, prng.next());
    for (int life = 0; life < 8; life++) {
      Sequence flushed = at.size() - 1;
      for (std::uint64_t n = prng.below(60); n > 0; n--) {
        const std::size_t bytes = prng.below(8) == 0 ? prng.below(3000) : prng.below(300);
        if (log.disk.room() < bytes + 200) break;
        log.write(at.size(), bytes);
        at.push_back(log.writer->place());
        if (prng.below(6) == 0) log.disk.flush(at.size() - 1);
        MemoryDisk::Completion c;
        while (prng.below(3) == 0 && log.disk.complete(&c)) flushed = std::max<Sequence>(flushed, c.tag);
        if (prng.below(20) == 0 && flushed > kept) {
          kept = prng.between(kept, flushed);
          keep = at[kept];
          log.disk.trim(keep.position);
        }
      }
      log.disk.crash(prng, prng.below(4) != 0);
      crashes++;
      INFO("seed " << seed << " life " << life);
      const Seen seen = read(log.disk, keep);
      REQUIRE(!seen.damaged);
      REQUIRE(seen.records.size() + kept >= flushed);
      for (std::size_t i = 0; i < seen.records.size(); i++) REQUIRE(seen.records[i] == kept + 1 + i);
      REQUIRE(seen.end == at[kept + seen.records.size()].position);
      torn += seen.cut != 0;
      at.resize(kept + seen.records.size() + 1);
      log.begin(keep.position, seen.end, prng.next());
    }
  }
  REQUIRE(crashes == 3200);
  REQUIRE(torn > 300);  // the test does meet torn tails
}
