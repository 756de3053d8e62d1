#include "store/index.h"

#include <algorithm>
#include <cstring>

namespace ndb::store {

const HashIndex::Segment HashIndex::kEmpty{};

HashIndex::HashIndex(Slab& slab) : slab_(slab) { reset_directory(); }

HashIndex::~HashIndex() {
  std::vector<Entry> dropped;
  while (take_segment(dropped)) dropped.clear();
}

void HashIndex::reset_directory() {
  directory_ = std::make_unique<Segment*[]>(1);
  directory_[0] = const_cast<Segment*>(&kEmpty);  // never written: segments_ is 0
  depth_ = 0;
  shift_ = 32;
  taken_ = 0;
}

HashIndex::Segment* HashIndex::new_segment() {
  RowRef ref = slab_.allocate(sizeof(Segment));
  if (ref == 0) return nullptr;
  auto* s = reinterpret_cast<Segment*>(slab_.at(ref));
  NDB_CHECK(reinterpret_cast<std::uintptr_t>(s) % sizeof(Segment) == 0);
  std::memset(s, 0, sizeof *s);
  segments_++;
  return s;
}

void HashIndex::free_segment(Segment* s) {
  std::memset(s, 0, 16);  // no bytes that look like the mark of a free slot
  segments_--;
  slab_.free(slab_.ref_of(s));
}

void HashIndex::point(std::uint64_t first, std::uint64_t n, Segment* s) { std::fill_n(directory_.get() + first, n, s); }

bool HashIndex::place(Segment& s, std::uint32_t h, RowRef ref, unsigned reach) noexcept {
  Bucket& home = s.bucket[h % kBuckets];
  for (unsigned d = 0; d <= reach; d++) {
    Bucket& b = s.bucket[(h + d) % kBuckets];
    const unsigned free = ~b.used & kFull;
    if (free == 0) continue;
    if (d > 0 && home.gone == UINT8_MAX) return false;  // only reached by hundreds of equal hashes
    fill(b, free, h, ref);
    if (d > 0) {
      home.gone++;
      home.reach = std::max(home.reach, static_cast<std::uint8_t>(d));
      home.away |= away_bit(h);
    }
    return true;
  }
  return false;
}

bool HashIndex::insert_away(std::uint32_t h, RowRef ref) {
  NDB_CHECK(ref != 0);
  if (segments_ == 0) {
    Segment* s = new_segment();
    if (!s) return false;
    at_depth_[0]++;
    directory_[0] = s;
  }
  NDB_CHECK(taken_ == 0);
  while (!place(*segment_of(h), h, ref, kReach)) {
    if (split(h)) continue;
    // No memory, or too many equal hashes: the rest of the segment is the last resort.
    if (!place(*segment_of(h), h, ref, kBuckets - 1)) return false;
    break;
  }
  entries_++;
  return true;
}

bool HashIndex::split(std::uint32_t h) {
  Segment* old = segment_of(h);
  const unsigned depth = old->bucket[0].depth;
  if (depth == kDepthMax) return false;
  if (depth == depth_) {
    const std::uint64_t n = std::uint64_t{2} << depth_;
    if (n > kDirectoryBase && n > kDirectoryPerSegment * segments_) return false;
  }
  Segment* upper = new_segment();
  if (!upper) return false;
  if (depth == depth_) double_directory();
  const std::uint64_t n = std::uint64_t{1} << (depth_ - depth);  // directory entries of `old`
  const std::uint64_t first = (std::uint64_t{h} >> shift_) & ~(n - 1);
  point(first + n / 2, n / 2, upper);

  // First all that fit into their own buckets, so that no bucket has more entries elsewhere than before.
  const Segment before = *old;
  std::memset(old, 0, sizeof *old);
  const std::uint32_t bit = 1u << (31 - depth);
  Entry rest[kBuckets * kEntries];
  unsigned rest_count = 0;
  for (const Bucket& b : before.bucket) {
    for (unsigned m = b.used; m != 0; m &= m - 1) {
      const int i = std::countr_zero(m);
      Segment& s = b.hash[i] & bit ? *upper : *old;
      if (!place(s, b.hash[i], b.ref[i], 0)) rest[rest_count++] = {b.hash[i], b.ref[i]};
    }
  }
  for (unsigned i = 0; i < rest_count; i++) {
    Segment& s = rest[i].hash & bit ? *upper : *old;
    NDB_CHECK(place(s, rest[i].hash, rest[i].ref, kBuckets - 1));
  }
  old->bucket[0].depth = upper->bucket[0].depth = static_cast<std::uint8_t>(depth + 1);
  at_depth_[depth]--;
  at_depth_[depth + 1] += 2;
  return true;
}

void HashIndex::double_directory() {
  const std::uint64_t n = std::uint64_t{1} << depth_;
  auto d = std::make_unique_for_overwrite<Segment*[]>(2 * n);
  for (std::uint64_t i = 0; i < n; i++) d[2 * i] = d[2 * i + 1] = directory_[i];
  directory_ = std::move(d);
  depth_++;
  shift_--;
}

void HashIndex::halve_directory() {
  const std::uint64_t n = std::uint64_t{1} << (depth_ - 1);
  auto d = std::make_unique_for_overwrite<Segment*[]>(n);
  for (std::uint64_t i = 0; i < n; i++) d[i] = directory_[2 * i];
  directory_ = std::move(d);
  depth_--;
  shift_++;
}

unsigned HashIndex::count(const Segment& s) noexcept {
  unsigned n = 0;
  for (const Bucket& b : s.bucket) n += static_cast<unsigned>(std::popcount(b.used));
  return n;
}

// A place of bucket `home` has become free and some of its entries are elsewhere: brings one back.
void HashIndex::pull_back(Segment& s, unsigned home) noexcept {
  Bucket& to = s.bucket[home];
  for (unsigned d = to.reach; d >= 1; d--) {
    Bucket& from = s.bucket[(home + d) % kBuckets];
    for (unsigned m = from.used; m != 0; m &= m - 1) {
      const int i = std::countr_zero(m);
      if (from.hash[i] % kBuckets != home) continue;
      fill(to, ~to.used & kFull, from.hash[i], from.ref[i]);
      from.used = static_cast<std::uint8_t>(from.used & ~(1u << i));
      to.reach = static_cast<std::uint8_t>(d);
      if (--to.gone == 0) {
        to.reach = 0;
        to.away = 0;
      }
      return;
    }
  }
  NDB_CHECK(to.gone == 0);
}

bool HashIndex::erase(std::uint32_t h, RowRef ref) {
  Segment& s = *segment_of(h);
  const unsigned home_no = h % kBuckets;
  Bucket& home = s.bucket[home_no];
  for (unsigned d = 0; d <= home.reach; d++) {
    Bucket& b = s.bucket[(home_no + d) % kBuckets];
    for (unsigned m = match(b, h); m != 0; m &= m - 1) {
      const int i = std::countr_zero(m);
      if (b.ref[i] != ref) continue;
      b.used = static_cast<std::uint8_t>(b.used & ~(1u << i));
      entries_--;
      if (d > 0) {
        if (--home.gone == 0) {
          home.reach = 0;
          home.away = 0;
        }
      } else if (home.gone > 0) {
        pull_back(s, home_no);
      }
      // Looking whether the segment can be joined costs a walk over it: only one bucket in eight asks, when it
      // gets empty.
      if (b.used == 0 && home_no % 8 == 0) [[unlikely]]
        try_join(h);
      if (entries_ == 0) [[unlikely]] {
        std::vector<Entry> none;
        while (take_segment(none)) {
        }
      }
      return true;
    }
  }
  return false;
}

bool HashIndex::replace(std::uint32_t h, RowRef old_ref, RowRef new_ref) {
  NDB_CHECK(new_ref != 0);
  Segment& s = *segment_of(h);
  const unsigned reach = s.bucket[h % kBuckets].reach;
  for (unsigned d = 0; d <= reach; d++) {
    Bucket& b = s.bucket[(h + d) % kBuckets];
    for (unsigned m = match(b, h); m != 0; m &= m - 1) {
      const int i = std::countr_zero(m);
      if (b.ref[i] != old_ref) continue;
      b.ref[i] = new_ref;
      return true;
    }
  }
  return false;
}

// Joins the segment of h with its other half when both are of one depth and sparse, then goes on upwards.
void HashIndex::try_join(std::uint32_t h) {
  for (;;) {
    Segment* s = segment_of(h);
    const unsigned depth = s->bucket[0].depth;
    if (depth == 0) return;
    Segment* other = segment_of(h ^ 1u << (32 - depth));
    if (other->bucket[0].depth != depth) return;
    if (count(*s) + count(*other) > kJoinEntries) return;
    const std::uint64_t n = std::uint64_t{1} << (depth_ - depth + 1);
    const std::uint64_t first = (std::uint64_t{h} >> shift_) & ~(n - 1);
    for (const Bucket& b : other->bucket) {
      for (unsigned m = b.used; m != 0; m &= m - 1) {
        const int i = std::countr_zero(m);
        NDB_CHECK(place(*s, b.hash[i], b.ref[i], kBuckets - 1));
      }
    }
    point(first, n, s);
    s->bucket[0].depth = static_cast<std::uint8_t>(depth - 1);
    at_depth_[depth] -= 2;
    at_depth_[depth - 1]++;
    free_segment(other);
    // One level of slack, so that the directory is not doubled and halved in turns.
    while (depth_ >= 2 && at_depth_[depth_] == 0 && at_depth_[depth_ - 1] == 0) halve_directory();
  }
}

void HashIndex::collect(const Segment& s, std::uint64_t from, std::vector<Entry>& out) {
  for (const Bucket& b : s.bucket) {
    for (unsigned m = b.used; m != 0; m &= m - 1) {
      const int i = std::countr_zero(m);
      if (b.hash[i] >= from) out.push_back({b.hash[i], b.ref[i]});
    }
  }
}

std::uint64_t HashIndex::scan(std::uint64_t cursor, std::vector<Entry>& out, std::size_t entries_max) const {
  if (cursor >= kScanEnd || segments_ == 0) return kScanEnd;
  const Segment* s = segment_of(static_cast<std::uint32_t>(cursor));
  const unsigned depth = s->bucket[0].depth;
  const std::uint64_t width = std::uint64_t{1} << (32 - depth);
  const std::uint64_t next = (cursor & ~(width - 1)) + width;
  const std::size_t before = out.size();
  collect(*s, cursor, out);
  entries_max = std::max<std::size_t>(entries_max, 1);
  if (out.size() - before <= entries_max) return next;

  const auto first = out.begin() + static_cast<std::ptrdiff_t>(before);
  const auto last = first + static_cast<std::ptrdiff_t>(entries_max) - 1;
  std::nth_element(first, last, out.end(), [](const Entry& a, const Entry& b) { return a.hash < b.hash; });
  const std::uint32_t limit = last->hash;
  out.erase(std::partition(last + 1, out.end(), [&](const Entry& e) { return e.hash == limit; }), out.end());
  return std::uint64_t{limit} + 1;
}

bool HashIndex::take_segment(std::vector<Entry>& out) {
  if (segments_ == 0) return false;
  // Taken segments leave &kEmpty behind in the directory; the walk starts where the last one ended.
  const std::uint64_t size = std::uint64_t{1} << depth_;
  std::uint64_t& i = taken_;
  while (i < size && directory_[i] == &kEmpty) i++;
  NDB_CHECK(i < size);
  Segment* s = directory_[i];
  const unsigned depth = s->bucket[0].depth;
  const std::size_t before = out.size();
  collect(*s, 0, out);
  entries_ -= out.size() - before;
  point(i, std::uint64_t{1} << (depth_ - depth), const_cast<Segment*>(&kEmpty));
  at_depth_[depth]--;
  free_segment(s);
  if (segments_ == 0) reset_directory();
  return true;
}

std::uint64_t HashIndex::bytes() const noexcept { return segments_ * sizeof(Segment) + (sizeof(Segment*) << depth_); }

}  // namespace ndb::store
