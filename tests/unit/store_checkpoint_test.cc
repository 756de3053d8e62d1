// Checkpoints: written while rows change, read back whole, and refused wherever a byte is wrong.
#include <catch2/catch.hpp>
#include <map>

#include "base/prng.h"
#include "sim/memory_disk.h"
#include "store/checkpoint.h"
#include "unit/store_tables.h"

using namespace ndb;
using namespace ndb::store;
using namespace ndb::store::testing;
using sim::MemoryDisk;

namespace {

struct Plain {
  char image[40] = {};
  explicit Plain(std::uint32_t n, std::uint32_t v = 0) {
    save(image, n);
    save(image + 8, v);
  }
  Bytes view() const { return {image, 40}; }
  Bytes key() const { return {image, 8}; }
  std::uint64_t hash() const { return key_hash(key()); }
};

struct World : CheckpointWriter::Source {
  Memory memory{256u << 20};
  Slab slab{memory};
  RowShape shape{shape_of(plain_table())};
  std::vector<std::unique_ptr<Fragment>> fragments;
  std::size_t at = 0;
  MemoryDisk disk{RedoLayout{4096 + 8192, 4}};

  explicit World(int n) {
    for (int i = 0; i < n; i++) fragments.push_back(std::make_unique<Fragment>(slab, memory, shape));
    disk.start(0, 0);
  }
  Fragment* next(CheckpointFragment* f, Writer& state) override {
    if (at == fragments.size()) return nullptr;
    *f = {{9, static_cast<FragmentId>(at)}, 100 + at, 50 + at};
    state.raw("state of " + std::to_string(at));
    return fragments[at++].get();
  }
  void put(std::size_t f, std::uint32_t n, std::uint32_t v = 0) {
    const Plain p(n, v);
    REQUIRE(fragments[f]->put(p.key(), p.hash(), p.view(), n + v) == Error::ok);
  }
  CheckpointHead head() const {
    CheckpointHead h;
    h.identity = {77, 3, 1, 2};
    h.id = 4;
    h.from = {50, 6, 7};
    h.complete = 8;
    h.definitions = 9;
    return h;
  }
  void finish() {
    disk.finish_checkpoint(4, 1);
    MemoryDisk::Completion c;
    REQUIRE(disk.complete(&c));
    Prng prng(1);
    disk.crash(prng);
  }
};

// All rows, by fragment and key; nothing = the reader refused.
struct Read {
  std::map<std::pair<int, std::uint32_t>, std::pair<Sequence, std::uint32_t>> rows;
  std::vector<std::string> states;
  Failure failure;
};
Read read(DiskReader& disk) {
  Read out;
  CheckpointReader r(disk, 4);
  out.failure = r.open();
  while (!out.failure) {
    const auto item = r.next();
    if (item == CheckpointReader::Item::end) break;
    if (item == CheckpointReader::Item::failed) out.failure = r.failure();
    if (item == CheckpointReader::Item::fragment) out.states.emplace_back(r.state());
    if (item != CheckpointReader::Item::rows) continue;
    Sequence s;
    Bytes image;
    while (r.row(&s, &image)) {
      REQUIRE(image.size() == 40);
      const auto key = std::pair(int{r.fragment().ref.fragment}, load<std::uint32_t>(image.data()));
      REQUIRE(out.rows.emplace(key, std::pair(s, load<std::uint32_t>(image.data() + 8))).second);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("checkpoint: everything is read back, and each step is bounded") {
  World w(3);
  for (std::uint32_t n = 0; n < 20000; n++) w.put(n % 2, n, 5);
  CheckpointWriter writer(w.head(), w);
  w.disk.begin_checkpoint(4);
  int steps = 0;
  while (!writer.scanned()) {
    const Bytes part = writer.step(32 << 10);
    REQUIRE(part.size() < (64 << 10));
    w.disk.write_checkpoint(4, part);
    steps++;
  }
  REQUIRE(steps > 20);
  w.disk.write_checkpoint(4, writer.end(12));
  REQUIRE(writer.rows() == 20000);
  w.finish();

  CheckpointReader r(w.disk, 4);
  REQUIRE(!r.open());
  REQUIRE(r.head().identity.cluster == 77);
  REQUIRE(r.head().identity.workers == 2);
  REQUIRE(r.head().from.position == 50);
  REQUIRE(r.head().from.life == 6);
  REQUIRE(r.head().from.previous == 7);
  REQUIRE(r.head().complete == 8);
  REQUIRE(r.head().definitions == 9);
  REQUIRE(r.end().newest == 12);
  const Read all = read(w.disk);
  REQUIRE(!all.failure);
  REQUIRE(all.states == std::vector<std::string>{"state of 0", "state of 1", "state of 2"});
  REQUIRE(all.rows.size() == 20000);
  for (std::uint32_t n = 0; n < 20000; n++) {
    REQUIRE(all.rows.at({static_cast<int>(n % 2), n}) == std::pair(Sequence{n + 5}, 5u));
  }
  REQUIRE(dump_checkpoint(w.disk, 4).find("end: fragments 3 rows 20000") != std::string::npos);
}

TEST_CASE("checkpoint: rows that stay are in it once, whatever changes meanwhile") {
  World w(2);
  for (std::uint32_t n = 0; n < 8000; n++) w.put(n % 2, n);
  CheckpointWriter writer(w.head(), w);
  w.disk.begin_checkpoint(4);
  Prng prng(3);
  std::uint32_t fresh = 100000;
  while (!writer.scanned()) {
    w.disk.write_checkpoint(4, writer.step(8 << 10));
    for (int i = 0; i < 100; i++) {
      const auto n = static_cast<std::uint32_t>(prng.below(4000));  // the lower half changes, or goes
      if (prng.below(2) != 0) {
        w.put(n % 2, n, 1);
      } else {
        const Plain p(n);
        w.fragments[n % 2]->remove(p.key(), p.hash());
      }
      w.put(fresh % 2, fresh);
      fresh++;
    }
  }
  w.disk.write_checkpoint(4, writer.end(12));
  w.finish();
  const Read all = read(w.disk);
  REQUIRE(!all.failure);
  for (std::uint32_t n = 4000; n < 8000; n++) REQUIRE(all.rows.contains({static_cast<int>(n % 2), n}));
}

TEST_CASE("checkpoint: a fragment that goes away while it is scanned") {
  World w(2);
  for (std::uint32_t n = 0; n < 8000; n++) w.put(n % 2, n);
  CheckpointWriter writer(w.head(), w);
  w.disk.begin_checkpoint(4);
  w.disk.write_checkpoint(4, writer.step(8 << 10));
  writer.forget({9, 1});  // not the one being scanned: nothing happens
  writer.forget({9, 0});
  w.fragments[0].reset();
  while (!writer.scanned()) w.disk.write_checkpoint(4, writer.step(8 << 10));
  w.disk.write_checkpoint(4, writer.end(12));
  w.finish();
  const Read all = read(w.disk);
  REQUIRE(!all.failure);
  REQUIRE(all.rows.size() > 4000);
  REQUIRE(all.rows.size() < 5000);
}

TEST_CASE("checkpoint: one wrong byte anywhere is found, and so is a missing end") {
  World w(2);
  for (std::uint32_t n = 0; n < 20; n++) w.put(n % 2, n);
  CheckpointWriter writer(w.head(), w);
  w.disk.begin_checkpoint(4);
  while (!writer.scanned()) w.disk.write_checkpoint(4, writer.step(100));
  w.disk.write_checkpoint(4, writer.end(12));
  w.finish();
  const std::uint64_t size = *w.disk.checkpoint_bytes(4);
  REQUIRE(size == writer.bytes());
  for (std::uint64_t at = 0; at < size; at++) {
    w.disk.damage_checkpoint(4, at, 1);
    const Read r = read(w.disk);
    INFO("offset " << at);
    REQUIRE(r.failure);
    // Its end, the last 40 bytes, is looked at first: it says whether the rest is of use.
    if (at + 40 >= size) REQUIRE(CheckpointReader(w.disk, 4).open());
    REQUIRE(r.failure.text.find("'checkpoint.4' at offset ") == 0);
    w.disk.damage_checkpoint(4, at, 1);
  }
  REQUIRE(!read(w.disk).failure);
  std::vector<std::string> lines;
  REQUIRE(check_disk(w.disk, &lines));
  for (std::uint64_t n = size; n-- > 0;) {
    w.disk.cut_checkpoint(4, n);
    REQUIRE(read(w.disk).failure);
  }
  REQUIRE(!check_disk(w.disk, &lines));
}

TEST_CASE("checkpoint: one that is called another number is refused") {
  World w(1);
  w.put(0, 1);
  auto head = w.head();
  head.id = 5;
  CheckpointWriter writer(head, w);
  w.disk.begin_checkpoint(4);
  while (!writer.scanned()) w.disk.write_checkpoint(4, writer.step(100));
  w.disk.write_checkpoint(4, writer.end(12));
  w.finish();
  const Failure f = read(w.disk).failure;
  REQUIRE(f);
  CHECK(f.text.find("it is another one, number 5") != std::string::npos);
}
