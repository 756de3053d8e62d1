// Latencies in buckets of about 6 % width: 16 linear steps in each power of two, from 1 ns up. Adding costs 1 ns and
// allocates nothing; histograms of several threads are added up.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/ids.h"

namespace bench {

class Histogram {
 public:
  void add(ndb::Time latency) {
    const auto v = static_cast<std::uint64_t>(latency < 0 ? 0 : latency);
    counts_[bucket(v)]++;
    total_++;
    if (v > max_) max_ = v;
  }
  void merge(const Histogram& o) {
    for (std::size_t i = 0; i < counts_.size(); i++) counts_[i] += o.counts_[i];
    total_ += o.total_;
    if (o.max_ > max_) max_ = o.max_;
  }
  std::uint64_t count() const { return total_; }
  double max_ms() const { return static_cast<double>(max_) / 1e6; }
  // The latency that a share q of all stays at or below, as the upper edge of its bucket.
  double quantile_ms(double q) const {
    const auto want = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); i++) {
      seen += counts_[i];
      if (seen > want) return static_cast<double>(std::min(upper(i), max_)) / 1e6;
    }
    return max_ms();
  }
  // The buckets that hold something: upper edge in ns, count.
  template <class F>
  void each(F f) const {
    for (std::size_t i = 0; i < counts_.size(); i++) {
      if (counts_[i] != 0) f(upper(i), counts_[i]);
    }
  }

 private:
  static constexpr unsigned kStep = 4;  // bits
  static std::size_t bucket(std::uint64_t v) {
    if (v < 1u << kStep) return v;
    const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - kStep - 1;
    return (std::size_t{shift + 1} << kStep) + ((v >> shift) & ((1u << kStep) - 1));
  }
  static std::uint64_t upper(std::size_t i) {
    if (i < 1u << kStep) return i;
    const std::size_t shift = (i >> kStep) - 1;
    return (((i & ((1u << kStep) - 1)) | 1u << kStep) + 1) << shift;
  }
  std::array<std::uint64_t, 61 << kStep> counts_{};
  std::uint64_t total_ = 0, max_ = 0;
};

}  // namespace bench
