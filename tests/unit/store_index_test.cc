#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/prng.h"
#include "store/index.h"

using namespace ndb;
using namespace ndb::store;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct World {
  Memory memory;
  Slab slab{memory};
  HashIndex index{slab};
  explicit World(std::uint64_t budget = 256 * kMiB) : memory(budget) {}
  bool has(std::uint32_t h, RowRef ref) const {
    return index.find(h, [&](RowRef r) { return r == ref; }) == ref;
  }
};

}  // namespace

TEST_CASE("memory: the next chunk is announced while this one is half used, once") {
  std::vector<char*> announced;
  Memory m(64 * kMiB, [&](char* at, std::size_t bytes) {
    REQUIRE(bytes == 2 * kMiB);
    announced.push_back(at);
  });
  std::vector<std::uint32_t> pages;
  std::uint32_t page = 0;
  auto chunk_of = [](std::uint32_t p) { return p / Memory::kChunkPages; };
  while (m.allocate(&page) != nullptr) {
    pages.push_back(page);
    if (page % Memory::kChunkPages != Memory::kChunkPages / 2 - 1) continue;
    // The first two chunks consist of small pages, and are not worth it.
    const std::uint32_t next = chunk_of(page) + 1;
    REQUIRE(announced.size() == (next < 2 ? 0 : next - 1));
    if (next >= 2) REQUIRE(announced.back() == m.page(next * Memory::kChunkPages));
  }
  REQUIRE(pages.size() == 64 * kMiB / limits::kPageBytes);
  // Up and down across the half: the empty chunk is there and known, nothing more is announced.
  for (int i = 0; i < 80; i++) {
    m.release(pages.back());
    pages.pop_back();
  }
  const std::size_t before = announced.size();
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 10; i++) {
      m.release(pages.back());
      pages.pop_back();
    }
    for (int i = 0; i < 10; i++) {
      REQUIRE(m.allocate(&page) != nullptr);
      pages.push_back(page);
    }
  }
  REQUIRE(announced.size() <= before + 1);
}

TEST_CASE("memory hands out pages up to its budget and takes them back") {
  Memory m(3 * limits::kPageBytes);
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  REQUIRE(m.allocate(&a));
  REQUIRE(m.allocate(&b));
  REQUIRE(m.allocate(&c));
  CHECK(a != 0);
  CHECK(m.allocate(&d) == nullptr);
  CHECK(m.used_bytes() == m.budget_bytes());
  m.page(b)[0] = 'x';
  m.page(b)[limits::kPageBytes - 1] = 'y';
  m.release(b);
  CHECK(m.used_bytes() == 2 * limits::kPageBytes);
  REQUIRE(m.allocate(&d) == m.page(b));
  m.set_budget(limits::kPageBytes);
  m.release(a);
  CHECK(m.allocate(&a) == nullptr);
  m.set_budget(4 * limits::kPageBytes);
  CHECK(m.allocate(&a) != nullptr);
}

TEST_CASE("memory goes through many chunks and gives empty ones back") {
  Memory m(64 * kMiB);
  std::vector<std::uint32_t> pages;
  std::uint32_t p = 0;
  while (char* at = m.allocate(&p)) {
    at[100] = static_cast<char>(pages.size());
    pages.push_back(p);
  }
  REQUIRE(pages.size() == 64 * kMiB / limits::kPageBytes);
  CHECK(std::set<std::uint32_t>(pages.begin(), pages.end()).size() == pages.size());
  for (std::size_t i = 0; i < pages.size(); i++) {
    REQUIRE(m.page(pages[i])[100] == static_cast<char>(i));
  }
  for (auto x : pages) m.release(x);
  CHECK(m.used_bytes() == 0);
  char* again = m.allocate(&p);
  REQUIRE(again);
  CHECK(p == pages[0]);
  // The upper chunks were given back: they read as zeros when they are used again.
  std::size_t zeros = 0, n = 1;
  while (char* at = m.allocate(&p)) {
    n++;
    zeros += at[100] == 0 ? 1u : 0u;
  }
  CHECK(n == pages.size());
  CHECK(zeros > n / 2);
}

TEST_CASE("slots of every size keep their bytes apart and empty pages go back") {
  Memory m(64 * kMiB);
  Slab slab(m);
  Prng random(7);
  struct Slot {
    RowRef ref;
    std::uint32_t bytes;
    char fill;
  };
  std::vector<Slot> slots;
  const auto check = [&](const Slot& s) {
    const char* p = reinterpret_cast<const char*>(slab.at(s.ref));
    for (std::uint32_t i = 0; i < s.bytes; i++) {
      if (p[i] != s.fill) return false;
    }
    return true;
  };
  for (int round = 0; round < 20000; round++) {
    if (slots.empty() || random.chance(0.55)) {
      const auto bytes = static_cast<std::uint32_t>(random.chance(0.9) ? random.between(16, 400)
                                                                       : random.between(16, limits::kPageBytes));
      RowRef ref = slab.allocate(bytes);
      if (ref == 0) continue;
      REQUIRE(slab.slot_bytes(ref) >= bytes);
      REQUIRE(slab.slot_bytes(ref) == Slab::rounded(bytes));
      REQUIRE(slab.ref_of(slab.at(ref)) == ref);
      const auto fill = static_cast<char>(random.below(100));
      std::memset(static_cast<void*>(slab.at(ref)), fill, bytes);
      slots.push_back({ref, bytes, fill});
    } else {
      std::size_t i = random.below(slots.size());
      REQUIRE(check(slots[i]));
      slab.free(slots[i].ref);
      slots[i] = slots.back();
      slots.pop_back();
    }
  }
  for (const Slot& s : slots) {
    REQUIRE(check(s));
    slab.free(s.ref);
  }
  CHECK(m.used_bytes() == 0);
  CHECK(slab.allocate(sizeof(Row) + limits::kRowBytesMax) != 0);
}

TEST_CASE("the largest reference names the last byte of 64 GiB") {
  CHECK(std::uint64_t{Memory::kPagesMax} * limits::kPageBytes == std::uint64_t{64} << 30);
  CHECK((std::uint64_t{Memory::kPagesMax} << Slab::kSlotBits) - 1 == UINT32_MAX);
}

TEST_CASE("an index agrees with a model through inserts, erases, replacements and scans") {
  // hash_bits < 32 makes equal hashes frequent.
  const unsigned hash_bits = GENERATE(32u, 13u);
  World w;
  Prng random(hash_bits);
  std::multimap<std::uint32_t, RowRef> model;
  RowRef next_ref = 1;
  const auto some_hash = [&] {
    auto h = static_cast<std::uint32_t>(random.next());
    return hash_bits == 32 ? h : h & 0xfff8003f;  // the high and the low ones
  };
  double insert_share = 0.8;
  for (int round = 0; round < 60000; round++) {
    if (round == 30000) insert_share = 0.2;
    if (model.empty() || random.chance(insert_share)) {
      const std::uint32_t h = some_hash();
      REQUIRE(w.index.insert(h, next_ref));
      model.emplace(h, next_ref++);
    } else {
      auto i = model.lower_bound(some_hash());
      if (i == model.end()) i = model.begin();
      REQUIRE(w.has(i->first, i->second));
      if (random.chance(0.2)) {
        REQUIRE(w.index.replace(i->first, i->second, next_ref));
        i->second = next_ref++;
      } else {
        REQUIRE(w.index.erase(i->first, i->second));
        REQUIRE_FALSE(w.index.erase(i->first, i->second));
        REQUIRE_FALSE(w.has(i->first, i->second));
        model.erase(i);
      }
    }
    REQUIRE(w.index.entries() == model.size());
    if (round % 10000 == 9999) {
      for (const auto& [h, ref] : model) REQUIRE(w.has(h, ref));
    }
  }
  while (!model.empty()) {
    REQUIRE(w.index.erase(model.begin()->first, model.begin()->second));
    model.erase(model.begin());
  }
  CHECK(w.index.segments() == 0);
  CHECK(w.memory.used_bytes() == 0);
}

TEST_CASE("a scan sees what stays exactly once whatever is split and joined meanwhile") {
  World w;
  Prng random(3);
  std::map<RowRef, std::uint32_t> stays, moves;
  RowRef ref = 1;
  const bool growing = GENERATE(true, false);
  const std::size_t bound = GENERATE(std::size_t{7}, std::size_t{100}, SIZE_MAX);
  const auto add = [&](std::map<RowRef, std::uint32_t>& m) {
    const auto h = static_cast<std::uint32_t>(random.next());
    REQUIRE(w.index.insert(h, ref));
    m[ref++] = h;
  };
  for (int i = 0; i < 2000; i++) add(stays);
  if (!growing) {
    for (int i = 0; i < 30000; i++) add(moves);
  }
  const auto segments = w.index.segments();
  std::map<RowRef, int> seen;
  std::vector<HashIndex::Entry> out;
  std::uint64_t cursor = 0, last = 0;
  while (cursor != kScanEnd) {
    out.clear();
    const std::uint64_t next = w.index.scan(cursor, out, bound);
    REQUIRE(next > cursor);
    for (const auto& e : out) {
      seen[e.ref]++;
      REQUIRE((e.hash >= last && e.hash < next));
    }
    last = cursor = next;
    for (int i = 0; i < 300; i++) {
      if (growing) {
        if (moves.size() < 30000) add(moves);
      } else if (!moves.empty()) {
        auto m = moves.lower_bound(static_cast<RowRef>(random.below(ref)));
        if (m == moves.end()) m = moves.begin();
        REQUIRE(w.index.erase(m->second, m->first));
        moves.erase(m);
      }
    }
  }
  for (const auto& [r, h] : stays) REQUIRE(seen[r] == 1);
  for (const auto& [r, n] : seen) REQUIRE(n <= 1);
  CHECK((growing ? w.index.segments() > segments : w.index.segments() < segments));
}

TEST_CASE("a bounded scan skips no neighbouring hash and keeps equal ones together") {
  World w;
  RowRef ref = 1;
  for (std::uint32_t h = 1000; h < 1050; h++) {
    for (std::uint32_t n = 0; n < 1 + h % 3; n++) REQUIRE(w.index.insert(h, ref++));
  }
  REQUIRE(w.index.insert(UINT32_MAX, ref++));
  const std::size_t bound = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{50});
  std::set<RowRef> seen;
  std::vector<HashIndex::Entry> out;
  for (std::uint64_t cursor = 0; cursor != kScanEnd;) {
    out.clear();
    cursor = w.index.scan(cursor, out, bound);
    REQUIRE(out.size() <= bound + 3);
    for (const auto& e : out) REQUIRE(seen.insert(e.ref).second);
  }
  CHECK(seen.size() == ref - 1);
}

TEST_CASE("a full memory refuses an insert and changes nothing") {
  World w(2 * limits::kPageBytes);  // 16 segments
  Prng random(5);
  std::map<std::uint32_t, RowRef> model;
  for (RowRef ref = 1;; ref++) {
    const auto h = static_cast<std::uint32_t>(random.next());
    if (model.count(h)) continue;
    if (!w.index.insert(h, ref)) break;
    model[h] = ref;
    REQUIRE(ref < 16 * 448);
  }
  CHECK(w.memory.used_bytes() == w.memory.budget_bytes());
  CHECK(model.size() > 16 * 448 * 6 / 10);
  CHECK(w.index.entries() == model.size());
  for (const auto& [h, ref] : model) REQUIRE(w.has(h, ref));
  // It goes on when there is memory again.
  w.memory.set_budget(kMiB);
  for (RowRef ref = 100000; ref < 104000; ref++) {
    const auto h = static_cast<std::uint32_t>(random.next());
    REQUIRE(w.index.insert(h, ref));
    model[h] = ref;
  }
  for (const auto& [h, ref] : model) REQUIRE(w.has(h, ref));
}

TEST_CASE("hundreds of equal hashes are refused in the end and harm no others") {
  World w;
  REQUIRE(w.index.insert(17, 1));
  RowRef n = 2;
  while (w.index.insert(0xabcdef01, n)) n++;
  CHECK(n > 200);
  CHECK(w.index.bytes() < 2 * kMiB);
  for (RowRef r = 2; r < n; r++) REQUIRE(w.has(0xabcdef01, r));
  CHECK(w.has(17, 1));
  REQUIRE(w.index.insert(18, 1000));
  for (RowRef r = 2; r < n; r++) REQUIRE(w.index.erase(0xabcdef01, r));
  CHECK(w.has(17, 1));
  CHECK(w.index.entries() == 2);
}

TEST_CASE("an index is well filled") {
  World w;
  Prng random(11);
  double fullest = 0;
  for (RowRef ref = 1; ref <= 200000; ref++) {
    REQUIRE(w.index.insert(static_cast<std::uint32_t>(random.next()), ref));
    if (ref % 1000 == 0 && ref > 20000) {
      const double per_entry = static_cast<double>(w.index.bytes()) / ref;
      CHECK(per_entry < 22);
      fullest = std::max(fullest, 9.143 / per_entry);
    }
  }
  CHECK(fullest > 0.75);
}

TEST_CASE("an index is taken apart segment by segment") {
  World w;
  Prng random(13);
  for (RowRef ref = 1; ref <= 50000; ref++) {
    REQUIRE(w.index.insert(static_cast<std::uint32_t>(random.next()), ref));
  }
  std::set<RowRef> taken;
  std::vector<HashIndex::Entry> out;
  while (w.index.take_segment(out)) {
    REQUIRE(out.size() <= 448);
    for (const auto& e : out) REQUIRE(taken.insert(e.ref).second);
    out.clear();
  }
  CHECK(taken.size() == 50000);
  CHECK(w.memory.used_bytes() == 0);
  CHECK(w.index.insert(1, 1));
}
