#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/prng.h"
#include "store/fragment.h"
#include "unit/store_tables.h"

using namespace ndb;
using namespace ndb::store;
using namespace ndb::store::testing;

namespace {

// A key that is a varchar, and text that makes rows of any size.
meta::Table text_table() {
  meta::Table t;
  t.columns = {column("name", Type::varchar, false, 30), column("n", Type::uinteger), column("txt", Type::text, true)};
  t.primary_key = {0};
  return t;
}

struct World {
  Memory memory;
  Slab slab{memory};
  RowShape shape;
  Fragment fragment;
  explicit World(const meta::Table& t, std::uint64_t budget = 256u << 20)
      : memory(budget), shape(shape_of(t)), fragment(slab, memory, shape) {}
};

struct Text {
  std::string key, image;
  std::uint64_t hash;
};

Text text_row(const RowShape& s, std::uint64_t id, std::uint32_t n, std::size_t bytes) {
  const std::string name = "row " + std::to_string(id), text(bytes, static_cast<char>('a' + n % 26));
  Writer w;
  REQUIRE(s.encode(std::vector<Value>{Value::of_bytes(name), Value::of_uint(n), Value::of_bytes(text)}, w) ==
          Error::ok);
  KeyBuffer buffer;
  const Bytes key = s.key_of(w.view(), buffer);
  return {std::string(key), std::string(w.view()), s.hash(key)};
}

struct Plain {
  char image[40] = {};
  explicit Plain(std::uint32_t a, std::uint32_t b = 0, std::uint32_t v = 0) {
    save(image, a);
    save(image + 4, b);
    save(image + 8, v);
  }
  Bytes view() const { return {image, 40}; }
  Bytes key() const { return {image, 8}; }
  std::uint64_t hash() const { return key_hash(key()); }
};

}  // namespace

TEST_CASE("a fragment agrees with a model") {
  World w(text_table());
  Fragment& f = w.fragment;
  struct Known {
    std::string image;
    Sequence sequence;
    bool committed;
  };
  std::map<std::string, Known> model;  // by key
  Prng random(21);
  std::vector<RowRef> out;
  std::size_t largest = 0;
  for (std::uint64_t round = 1; round <= 60000; round++) {
    const bool growing = round < 35000;
    const std::size_t bytes = random.chance(0.97) ? random.below(60) : random.below(9000);
    const Text t = text_row(w.shape, random.below(8000), static_cast<std::uint32_t>(round), bytes);
    auto known = model.find(t.key);
    const RowRef ref = f.find(t.key, t.hash);
    REQUIRE((ref != 0) == (known != model.end()));
    if (ref) {
      REQUIRE(f.image(ref) == known->second.image);
      REQUIRE(f.row(ref)->sequence == known->second.sequence);
      REQUIRE(f.row(ref)->committed() == known->second.committed);
      REQUIRE((f.find_committed(t.key, t.hash) != 0) == known->second.committed);
    }
    const double dice = static_cast<double>(random.below(1000)) / 1000;
    if (dice < (growing ? 0.6 : 0.2)) {
      RowRef now = 0;
      REQUIRE(f.put(t.key, t.hash, t.image, round, &now) == Error::ok);
      REQUIRE(now == f.find(t.key, t.hash));
      model[t.key] = {t.image, round, true};
    } else if (dice < 0.7 && growing) {
      RowRef now = 0;
      const Error e = f.insert_uncommitted(t.key, t.hash, t.image, round, &now);
      REQUIRE(e == (ref ? Error::row_exists : Error::ok));
      if (ref) REQUIRE(now == ref);
      if (!ref) model[t.key] = {t.image, round, false};
    } else if (ref && !known->second.committed && random.chance(0.7)) {
      random.chance(0.5) ? f.commit_insert(ref) : f.commit_insert(ref, t.hash);
      known->second.committed = true;
    } else if (ref && random.chance(0.3)) {
      RowRef now = ref;
      f.row(ref)->lock = 77;
      REQUIRE(f.update(&now, t.hash, t.image, round) == Error::ok);
      REQUIRE(f.row(now)->lock == 77);
      f.row(now)->lock = 0;
      known->second.image = t.image;
      known->second.sequence = round;
    } else if (ref) {
      switch (random.below(3)) {
        case 0:
          REQUIRE(f.remove(t.key, t.hash));
          break;
        case 1:
          f.remove_ref(ref);
          break;
        default:
          f.remove_ref(ref, t.hash);
      }
      REQUIRE_FALSE(f.remove(t.key, t.hash));
      model.erase(known);
    }
    if (round % 5000 != 0) continue;
    largest = std::max(largest, model.size());
    std::map<std::uint16_t, BucketSum> sums;
    std::uint64_t rows = 0, checksum = 0;
    for (const auto& [key, k] : model) {
      if (!k.committed) continue;
      rows++;
      checksum += block_hash(k.image);
      BucketSum& s = sums[meta::bucket_of(w.shape.hash(key))];
      s.rows++;
      s.sum += block_hash(k.image);
    }
    REQUIRE(f.rows() == rows);
    REQUIRE(f.rows_uncommitted() == model.size() - rows);
    REQUIRE(f.checksum() == checksum);
    for (std::uint16_t b = 0; b < limits::kBuckets; b++) {
      REQUIRE(f.bucket_sum(b) == (sums.count(b) ? sums[b] : BucketSum{}));
    }
    std::set<std::string> seen;
    for (std::uint64_t cursor = 0; cursor != kScanEnd;) {
      out.clear();
      cursor = f.scan(cursor, out, 100);
      for (RowRef r : out) {
        KeyBuffer buffer;
        const std::string key(w.shape.key_of(f.image(r), buffer));
        REQUIRE(seen.insert(key).second);
        REQUIRE(model.at(key).committed);
      }
    }
    REQUIRE(seen.size() == rows);
  }
  CHECK(largest > 5000);
  while (f.drop_some()) {
  }
  CHECK(f.rows() == 0);
  CHECK(f.checksum() == 0);
  CHECK(f.bytes() < 1000);
  CHECK(w.memory.used_bytes() == 0);
  const Text t = text_row(w.shape, 1, 1, 1);
  CHECK(f.put(t.key, t.hash, t.image, 1) == Error::ok);
  CHECK(f.rows() == 1);
}

TEST_CASE("checksums do not depend on the order, and tell different rows") {
  World a(plain_table()), b(plain_table());
  for (std::uint32_t i = 0; i < 1000; i++) {
    const Plain x(i, 0, i), y(999 - i, 0, 999 - i);
    REQUIRE(a.fragment.put(x.key(), x.hash(), x.view(), i) == Error::ok);
    REQUIRE(b.fragment.put(y.key(), y.hash(), y.view(), 5) == Error::ok);
  }
  CHECK(a.fragment.checksum() == b.fragment.checksum());
  const Plain changed(17, 0, 18);
  REQUIRE(b.fragment.put(changed.key(), changed.hash(), changed.view(), 6) == Error::ok);
  CHECK(a.fragment.checksum() != b.fragment.checksum());
  const auto bucket = meta::bucket_of(changed.hash());
  CHECK(a.fragment.bucket_sum(bucket).rows == b.fragment.bucket_sum(bucket).rows);
  CHECK(a.fragment.bucket_sum(bucket).sum != b.fragment.bucket_sum(bucket).sum);
}

TEST_CASE("a row that keeps its size class stays, and keeps its lock wherever it goes") {
  World w(text_table());
  Fragment& f = w.fragment;
  Text t = text_row(w.shape, 1, 1, 10);
  RowRef ref = 0, now = 0;
  REQUIRE(f.put(t.key, t.hash, t.image, 1, &ref) == Error::ok);
  f.row(ref)->lock = 9;
  t = text_row(w.shape, 1, 2, 10);
  REQUIRE(f.put(t.key, t.hash, t.image, 2, &now) == Error::ok);
  CHECK(now == ref);
  t = text_row(w.shape, 1, 2, 5000);
  REQUIRE(f.put(t.key, t.hash, t.image, 3, &now) == Error::ok);
  CHECK(now != ref);
  CHECK(f.row(now)->lock == 9);
  CHECK(f.image(now) == t.image);
  t = text_row(w.shape, 1, 2, 10);  // shrinks: gives the memory back
  REQUIRE(f.put(t.key, t.hash, t.image, 4, &now) == Error::ok);
  CHECK(f.row(now)->lock == 9);
  CHECK(f.rows() == 1);
  CHECK(f.checksum() == block_hash(t.image));
}

TEST_CASE("a full memory refuses and changes nothing") {
  World w(text_table(), 40 * limits::kPageBytes);
  Fragment& f = w.fragment;
  std::vector<Text> rows;
  for (std::uint64_t i = 0;; i++) {
    const Text t = text_row(w.shape, i, 1, 100);
    const Error e = f.put(t.key, t.hash, t.image, i);
    if (e != Error::ok) {
      CHECK(e == Error::memory_full);
      RowRef ref = 0;
      CHECK(f.insert_uncommitted(t.key, t.hash, t.image, i, &ref) == Error::memory_full);
      CHECK(f.find(t.key, t.hash) == 0);
      break;
    }
    rows.push_back(t);
    REQUIRE(i < 100000);
  }
  REQUIRE(rows.size() > 5000);
  CHECK(f.rows() == rows.size());
  const auto checksum = f.checksum();
  const Text large = text_row(w.shape, 5, 2, 20000);
  CHECK(f.put(large.key, large.hash, large.image, 9) == Error::memory_full);
  CHECK(f.checksum() == checksum);
  CHECK(f.image(f.find(rows[5].key, rows[5].hash)) == rows[5].image);
  // In place is always possible; deleting makes room.
  const Text same = text_row(w.shape, 5, 2, 100);
  CHECK(f.put(same.key, same.hash, same.image, 9) == Error::ok);
  for (const Text& t : rows) REQUIRE(f.remove(t.key, t.hash));
  CHECK(f.rows() == 0);
  CHECK(f.checksum() == 0);
  CHECK(w.memory.used_bytes() == 0);
  CHECK(f.put(large.key, large.hash, large.image, 9) == Error::ok);
}

TEST_CASE("an index that cannot grow refuses a row and keeps nothing of it") {
  World w(plain_table());
  // Room for 4600 rows, of which 8 are taken by others, and one page for eight segments.
  std::vector<RowRef> slots, kept;
  for (std::size_t i = 0; i < 8 * (limits::kPageBytes / 56); i++) {
    slots.push_back(w.slab.allocate(56));
    w.slab.at(slots.back())->flags = 0;
  }
  for (std::size_t i = 0; i < slots.size(); i++) {
    i % (limits::kPageBytes / 56) == 0 ? kept.push_back(slots[i]) : w.slab.free(slots[i]);
  }
  w.memory.set_budget(w.memory.used_bytes() + limits::kPageBytes);
  std::set<std::uint32_t> in;
  std::uint32_t refused = 0;
  for (std::uint32_t i = 0; i < 20000; i++) {
    const Plain p(i);
    const Error e = w.fragment.put(p.key(), p.hash(), p.view(), i);
    if (e == Error::ok) in.insert(i);
    if (e == Error::memory_full) refused++;
  }
  CHECK(in.size() + refused == 20000);
  CHECK(in.size() > 3000);
  CHECK(in.size() <= 8 * 448);
  CHECK(w.fragment.rows() == in.size());
  for (std::uint32_t i = 0; i < 20000; i++) {
    const Plain p(i);
    REQUIRE(w.fragment.remove(p.key(), p.hash()) == (in.count(i) == 1));
  }
  CHECK(w.fragment.rows() == 0);
  CHECK(w.memory.used_bytes() == 8 * limits::kPageBytes);
  for (RowRef r : kept) w.slab.free(r);
  CHECK(w.memory.used_bytes() == 0);
}

TEST_CASE("a million small rows take at most 80 bytes each, and give them back") {
  World w(plain_table());
  Fragment& f = w.fragment;
  constexpr std::uint32_t n = 1'000'000;
  for (std::uint32_t i = 0; i < n; i++) {
    const Plain p(i, i * 7, 3);
    REQUIRE(f.put(p.key(), p.hash(), p.view(), i) == Error::ok);
  }
  CHECK(f.rows() == n);
  CHECK(w.memory.used_bytes() / n <= 80);
  CHECK(f.bytes() / n <= 80);
  CHECK(f.bytes() >= std::uint64_t{n} * 56);
  for (std::uint32_t i = 0; i < n; i++) {
    const Plain p(i, i * 7);
    if (i % 10 != 0) REQUIRE(f.remove(p.key(), p.hash()));
  }
  CHECK(f.rows() == n / 10);
  const auto index_and_rows = f.bytes();
  CHECK(index_and_rows < std::uint64_t{n} / 10 * 90);
  for (std::uint32_t i = 0; i < n; i += 10) {
    const Plain p(i, i * 7);
    REQUIRE(f.remove(p.key(), p.hash()));
  }
  CHECK(w.memory.used_bytes() == 0);
}

TEST_CASE("many small fragments share pages") {
  Memory memory(64u << 20);
  Slab slab(memory);
  const RowShape shape = shape_of(plain_table());
  std::vector<std::unique_ptr<Fragment>> fragments;
  for (std::uint32_t i = 0; i < 64; i++) {
    fragments.push_back(std::make_unique<Fragment>(slab, memory, shape));
    const Plain p(i);
    REQUIRE(fragments.back()->put(p.key(), p.hash(), p.view(), 1) == Error::ok);
  }
  CHECK(memory.used_bytes() <= 9 * limits::kPageBytes);
  fragments.clear();
  CHECK(memory.used_bytes() == 0);
}
