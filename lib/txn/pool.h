// Objects with small numbers, reused with the memory they own: nothing is allocated in steady state. Number 0 is never
// given out. Addresses stay valid. A pool that is full says so.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"

namespace ndb::txn {

template <class T>
class Pool {
 public:
  explicit Pool(std::uint32_t limit) : limit_(limit) {}
  std::uint32_t take() {  // 0 = full
    if (free_.empty()) {
      if (made_ >= limit_) return 0;
      if (made_ % kChunk == 0) chunks_.push_back(std::make_unique<T[]>(kChunk));
      used_.push_back(true);
      in_use_++;
      return ++made_;
    }
    std::uint32_t i = free_.back();
    free_.pop_back();
    used_[i - 1] = true;
    in_use_++;
    return i;
  }
  void give(std::uint32_t i) {
    NDB_CHECK(used(i));
    used_[i - 1] = false;
    in_use_--;
    free_.push_back(i);
  }
  T& operator[](std::uint32_t i) {
    NDB_CHECK(i != 0 && i <= made_);
    return chunks_[(i - 1) / kChunk][(i - 1) % kChunk];
  }
  bool used(std::uint32_t i) const { return i != 0 && i <= made_ && used_[i - 1]; }
  std::uint32_t in_use() const { return in_use_; }
  std::uint32_t made() const { return made_; }  // numbers 1..made() exist

 private:
  static constexpr std::uint32_t kChunk = 256;
  std::uint32_t limit_;
  std::uint32_t made_ = 0;
  std::uint32_t in_use_ = 0;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::vector<bool> used_;
};

}  // namespace ndb::txn
