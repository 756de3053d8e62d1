// The records of a stream that are not committed everywhere: bytes from `begin()` to `end()`, absolute positions that
// only grow. Contiguous in memory, so that a run of records can be copied into a frame at once.
#pragma once
#include <vector>

#include "base/bytes.h"

namespace ndb::txn {

class Ring {
 public:
  std::uint64_t begin() const { return base_; }
  std::uint64_t end() const { return base_ + (buffer_.size() - start_); }
  std::size_t size() const { return buffer_.size() - start_; }
  Bytes view(std::uint64_t from) const {
    NDB_CHECK(from >= base_ && from <= end());
    return buffer_.view().substr(start_ + static_cast<std::size_t>(from - base_));
  }
  Writer& tail() { return buffer_; }  // append here
  // Forgets what lies before `to`.
  void release(std::uint64_t to) {
    NDB_CHECK(to >= base_ && to <= end());
    start_ += static_cast<std::size_t>(to - base_);
    base_ = to;
    if (start_ == buffer_.size()) {
      buffer_.clear();
      start_ = 0;
    } else if (start_ > (std::size_t{1} << 20) && start_ > buffer_.size() / 2) {
      std::size_t n = buffer_.size() - start_;
      std::memmove(buffer_.data(), buffer_.data() + start_, n);
      buffer_.truncate(n);
      start_ = 0;
    }
  }
  // Forgets what lies behind `to`.
  void cut(std::uint64_t to) {
    NDB_CHECK(to >= base_ && to <= end());
    buffer_.truncate(start_ + static_cast<std::size_t>(to - base_));
  }
  void reset() {
    base_ = end();
    buffer_.clear();
    start_ = 0;
  }

 private:
  Writer buffer_;
  std::size_t start_ = 0;
  std::uint64_t base_ = 0;
};

}  // namespace ndb::txn
