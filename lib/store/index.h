// The hash index of a fragment: extendible hashing (Fagin and others, 1979) over segments of 4 KiB.
//
//   directory (the high bits of the hash) -> segment -> bucket (the low 6 bits) -> 7 entries in one cache line
//
// A bucket that is full puts its next entry into one of the following buckets of the segment; it remembers how far
// away the farthest is and, in 32 bits, which hashes are away, so that most misses touch one line. A segment is
// full when there is no room within kReach buckets, at about 90 % load; it is then split in two by one more bit of
// its hashes (2 us). Never more than one segment is split at a time; the directory (8 bytes a segment) is doubled
// by a copy of itself. Two neighbouring segments that have become nearly empty are joined again.
//
// Only 32 bits of the hash are stored and used: equal ones are told apart by the caller's comparison. More than about
// 260 rows with the same 32 bits cannot be held: insert() says no. (Expected at random: never.)
//
// Scan: in the order of the hash's high bits, resumable by a position in 0 .. 2^32; see scan().
//
// Memory: 9.1 bytes an entry in a full segment, 10 to 20 in life. Segments are slots of the Slab, so they are
// charged to DataMemory; the directory is not. Costs: hit or miss 5 ns when its line is in the cache. One thread.
#pragma once
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "store/slab.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ndb::store {

inline constexpr std::uint64_t kScanEnd = std::uint64_t{1} << 32;

class HashIndex {
 public:
  struct Entry {
    std::uint32_t hash;
    RowRef ref;
  };
  static constexpr unsigned kBuckets = 64;  // a segment
  static constexpr unsigned kEntries = 7;   // a bucket

  explicit HashIndex(Slab& slab);
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  void prefetch(std::uint32_t h) const noexcept { __builtin_prefetch(&home_of(h)); }
  // The first entry with this hash (a wrong one at most once in 2^32 / entries), without comparing keys.
  RowRef candidate(std::uint32_t h) const noexcept {
    return find(h, [](RowRef) { return true; });
  }

  // The entry with hash h for which eq(ref) is true; 0 = none.
  template <class Eq>
  RowRef find(std::uint32_t h, Eq eq) const {
    const Bucket& home = home_of(h);
    for (unsigned m = match(home, h); m != 0; m &= m - 1) {
      RowRef r = home.ref[std::countr_zero(m)];
      if (eq(r)) return r;
    }
    if ((home.away & away_bit(h)) == 0) [[likely]]
      return 0;
    const Bucket* first = segment_start(home);
    for (unsigned d = 1; d <= home.reach; d++) {
      const Bucket& b = first[(h + d) % kBuckets];
      for (unsigned m = match(b, h); m != 0; m &= m - 1) {
        RowRef r = b.ref[std::countr_zero(m)];
        if (eq(r)) return r;
      }
    }
    return 0;
  }

  // false = memory full, nothing changed. REQUIRES: the pair is not in the index; ref is not 0.
  bool insert(std::uint32_t h, RowRef ref) {
    Bucket& home = home_of(h);
    const unsigned free = ~home.used & kFull;
    if (free == 0 || segments_ == 0) [[unlikely]]
      return insert_away(h, ref);
    fill(home, free, h, ref);
    entries_++;
    return true;
  }
  // false = there is no such entry.
  bool erase(std::uint32_t h, RowRef ref);
  bool replace(std::uint32_t h, RowRef old_ref, RowRef new_ref);

  // Appends to `out` the entries with hash >= cursor of the segment that covers `cursor`, and returns the position
  // at which the next call goes on, or kScanEnd. Entries that are there during the whole scan are seen exactly
  // once, whatever is split or joined between the calls; others at most once. With a bound: the entries with the
  // smallest hashes, at least one, and all those with an equal hash.
  std::uint64_t scan(std::uint64_t cursor, std::vector<Entry>& out, std::size_t entries_max = SIZE_MAX) const;

  // Removes the first segment and appends its entries to `out`; false = the index was empty. To drop a fragment in
  // bounded steps: once begun, nothing may be inserted before it has returned false.
  bool take_segment(std::vector<Entry>& out);

  std::uint64_t entries() const noexcept { return entries_; }
  std::uint64_t segments() const noexcept { return segments_; }
  std::uint64_t bytes() const noexcept;  // segments and directory

 private:
  struct alignas(64) Bucket {
    std::uint32_t hash[kEntries];
    std::uint8_t used;   // one bit an entry
    std::uint8_t gone;   // entries that belong here and are elsewhere
    std::uint8_t reach;  // distance of the farthest of those (or of one that has left since)
    std::uint8_t depth;  // in bucket 0: how many bits of the hash all entries of the segment share
    RowRef ref[kEntries];
    std::uint32_t away;  // away_bit() of all entries that are elsewhere
  };
  static_assert(sizeof(Bucket) == 64);
  struct Segment {
    Bucket bucket[kBuckets];
  };
  static_assert(sizeof(Segment) == 4096);
  static constexpr unsigned kFull = (1u << kEntries) - 1;
  static constexpr unsigned kReach = 12;
  static constexpr unsigned kDepthMax = 26;  // the low 6 bits name the bucket
  // A directory of the first size is always allowed, a larger one by the number of segments.
  static constexpr std::uint64_t kDirectoryBase = 4096;
  static constexpr std::uint64_t kDirectoryPerSegment = 16;
  static constexpr unsigned kJoinEntries = kBuckets * kEntries / 2;  // both together

  static const Segment kEmpty;  // stands for all of an empty index; never written

  static std::uint32_t away_bit(std::uint32_t h) noexcept { return 1u << (h >> 6 & 31); }
  static unsigned match(const Bucket& b, std::uint32_t h) noexcept {
#if defined(__SSE2__)
    const auto* p = reinterpret_cast<const __m128i*>(b.hash);
    const __m128i v = _mm_set1_epi32(static_cast<int>(h));
    // The eighth lane is used, gone, reach and depth: cut off by `used`, which has seven bits.
    __m128i low = _mm_cmpeq_epi32(_mm_load_si128(p), v);
    __m128i high = _mm_cmpeq_epi32(_mm_load_si128(p + 1), v);
    auto m = static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128())));
    return m & b.used;
#else
    unsigned m = 0;
    for (unsigned i = 0; i < kEntries; i++) m |= (b.hash[i] == h ? 1u : 0u) << i;
    return m & b.used;
#endif
  }
  static void fill(Bucket& b, unsigned free, std::uint32_t h, RowRef ref) noexcept {
    const int i = std::countr_zero(free);
    b.hash[i] = h;
    b.ref[i] = ref;
    b.used = static_cast<std::uint8_t>(b.used | 1u << i);
  }
  static const Bucket* segment_start(const Bucket& b) noexcept {
    return reinterpret_cast<const Bucket*>(reinterpret_cast<std::uintptr_t>(&b) & ~std::uintptr_t{4095});
  }
  Segment* segment_of(std::uint32_t h) const noexcept { return directory_[std::uint64_t{h} >> shift_]; }
  Bucket& home_of(std::uint32_t h) const noexcept { return segment_of(h)->bucket[h % kBuckets]; }
  static bool place(Segment& s, std::uint32_t h, RowRef ref, unsigned reach) noexcept;
  static unsigned count(const Segment& s) noexcept;
  static void collect(const Segment& s, std::uint64_t from, std::vector<Entry>& out);
  static void pull_back(Segment& s, unsigned home) noexcept;

  bool insert_away(std::uint32_t h, RowRef ref);
  Segment* new_segment();
  void free_segment(Segment* s);
  void reset_directory();
  void double_directory();
  void halve_directory();
  bool split(std::uint32_t h);
  void try_join(std::uint32_t h);
  void point(std::uint64_t first, std::uint64_t n, Segment* s);

  Slab& slab_;
  std::unique_ptr<Segment*[]> directory_;  // 2^depth_ of them
  unsigned depth_ = 0;
  unsigned shift_ = 32;  // 32 - depth_
  std::uint64_t entries_ = 0;
  std::uint64_t segments_ = 0;
  std::uint64_t taken_ = 0;                     // take_segment() has emptied the directory up to here
  std::uint64_t at_depth_[kDepthMax + 1] = {};  // segments by depth
};

}  // namespace ndb::store
