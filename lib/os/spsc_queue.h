// A bounded queue between two threads: one puts, one takes, nobody waits and nobody locks. Each side writes one index,
// on a cache line of its own.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace ndb::os {

template <class T, std::size_t N>
class SpscQueue {
 public:
  // False: full, `v` is still the caller's. Sequentially consistent with empty(): a taker that says "I sleep", and then
  // finds it empty, is seen to sleep by whoever puts afterwards.
  bool put(T& v) {
    const std::size_t at = put_.load(std::memory_order_relaxed);
    if (at - taken_.load(std::memory_order_acquire) == N) return false;
    slots_[at % N] = std::move(v);
    put_.store(at + 1, std::memory_order_seq_cst);
    return true;
  }
  bool take(T* v) {
    const std::size_t at = taken_.load(std::memory_order_relaxed);
    if (put_.load(std::memory_order_seq_cst) == at) return false;
    *v = std::move(slots_[at % N]);
    taken_.store(at + 1, std::memory_order_release);
    return true;
  }
  // By the one who takes.
  bool empty() const { return put_.load(std::memory_order_seq_cst) == taken_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kLine = 64;
  alignas(kLine) std::atomic<std::size_t> put_{0};
  alignas(kLine) std::atomic<std::size_t> taken_{0};
  alignas(kLine) std::array<T, N> slots_{};
};

}  // namespace ndb::os
