// Count and checksum of the committed rows of a fragment, by bucket. A reorganisation compares them between the old
// fragment and the new one; a restart compares them between replicas.
//
// The checksum is the wrapping sum of block_hash(image): the order of changes does not matter, and a row is
// taken out by subtraction. Memory: 16 bytes for a bucket that ever had a row here, in chunks of 64 buckets that
// are packed (a fragment holds every n-th bucket), 1.4 KiB for a fragment that is not empty. Not charged to
// DataMemory. 3 ns an update.
#pragma once
#include <bit>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "env/limits.h"

namespace ndb::store {

struct BucketSum {
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;
  friend bool operator==(const BucketSum&, const BucketSum&) = default;
};

class BucketSums {
 public:
  void add(std::uint16_t bucket, std::uint64_t hash) {
    BucketSum& s = at(bucket);
    s.rows++;
    s.sum += hash;
  }
  void change(std::uint16_t bucket, std::uint64_t old_hash, std::uint64_t new_hash) {
    at(bucket).sum += new_hash - old_hash;
  }
  void subtract(std::uint16_t bucket, std::uint64_t hash) {
    BucketSum& s = at(bucket);
    NDB_CHECK(s.rows > 0);
    s.rows--;
    s.sum -= hash;
  }
  BucketSum get(std::uint16_t bucket) const {
    if (!chunks_ || bucket >= limits::kBuckets) return {};
    const Chunk& c = chunks_[bucket / 64];
    const std::uint64_t bit = std::uint64_t{1} << (bucket % 64);
    return c.present & bit ? c.sums[index(c, bucket)] : BucketSum{};
  }
  void clear() {
    chunks_.reset();
    bytes_ = 0;
  }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Chunk {
    std::uint64_t present = 0;  // one bit a bucket; sums holds those, packed
    std::unique_ptr<BucketSum[]> sums;
    std::uint32_t capacity = 0;
  };
  static constexpr unsigned kChunks = limits::kBuckets / 64;
  static_assert(limits::kBuckets % 64 == 0);

  static unsigned index(const Chunk& c, std::uint16_t bucket) {
    if (c.present == ~std::uint64_t{0}) return bucket % 64;
    const std::uint64_t below = (std::uint64_t{1} << (bucket % 64)) - 1;
    return static_cast<unsigned>(std::popcount(c.present & below));
  }
  BucketSum& at(std::uint16_t bucket) {
    NDB_CHECK(bucket < limits::kBuckets);
    if (chunks_) [[likely]] {
      Chunk& c = chunks_[bucket / 64];
      if (c.present >> (bucket % 64) & 1) [[likely]]
        return c.sums[index(c, bucket)];
    }
    return make_room(bucket);
  }
  BucketSum& make_room(std::uint16_t bucket);

  std::unique_ptr<Chunk[]> chunks_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ndb::store
