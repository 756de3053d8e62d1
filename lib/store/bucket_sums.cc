#include "store/bucket_sums.h"

#include <algorithm>

namespace ndb::store {

// At most 64 times a chunk: puts the bucket's place between those of its neighbours.
BucketSum& BucketSums::make_room(std::uint16_t bucket) {
  if (!chunks_) {
    chunks_ = std::make_unique<Chunk[]>(kChunks);
    bytes_ = kChunks * sizeof(Chunk);
  }
  Chunk& c = chunks_[bucket / 64];
  const unsigned at = index(c, bucket);
  const auto n = static_cast<unsigned>(std::popcount(c.present));
  if (n == c.capacity) {
    const std::uint32_t capacity = c.capacity == 0 ? 4 : c.capacity * 2;
    auto sums = std::make_unique<BucketSum[]>(capacity);
    std::copy_n(c.sums.get(), n, sums.get());
    bytes_ += (capacity - c.capacity) * sizeof(BucketSum);
    c.sums = std::move(sums);
    c.capacity = capacity;
  }
  std::copy_backward(c.sums.get() + at, c.sums.get() + n, c.sums.get() + n + 1);
  c.sums[at] = BucketSum{};
  c.present |= std::uint64_t{1} << (bucket % 64);
  return c.sums[at];
}

}  // namespace ndb::store
