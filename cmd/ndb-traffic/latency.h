// What clients felt: latencies and the longest silence, by interval. An interval begins when somebody says its name
// ("before", "during"); intervals of one name are one.
//
// Latencies lie in buckets of about 6 % width: 16 linear steps in each power of two. A latency is counted for the
// interval in which the operation ended, retries included; it runs from the moment the operation was really begun. The
// longest silence is the longest time in which no operation at all was acknowledged: with many clients that is a stall
// of the service, not of one row.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/ids.h"

namespace ndb::traffic {

class Histogram {
 public:
  void add(Time latency) {
    const auto v = static_cast<std::uint64_t>(std::max<Time>(latency, 0));
    counts_[bucket(v)]++;
    total_++;
    max_ = std::max(max_, v);
  }
  std::uint64_t count() const { return total_; }
  double max_ms() const { return static_cast<double>(max_) / 1e6; }
  // What a share q of all stays at or below: the upper edge of its bucket.
  double quantile_ms(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); i++) {
      seen += counts_[i];
      if (seen > wanted) return static_cast<double>(std::min(upper(i), max_)) / 1e6;
    }
    return max_ms();
  }

 private:
  static std::size_t bucket(std::uint64_t v) {
    if (v < 16) return v;
    const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - 5;
    return (std::size_t{shift + 1} << 4) + ((v >> shift) & 15);
  }
  static std::uint64_t upper(std::size_t i) {
    if (i < 16) return i;
    return (((i & 15) | 16) + 1) << ((i >> 4) - 1);
  }
  std::array<std::uint64_t, 61 << 4> counts_{};
  std::uint64_t total_ = 0, max_ = 0;
};

struct Interval {
  std::string name;
  Time lasted = 0, max_silence = 0;
  std::uint64_t errors = 0;
  Histogram latencies;
};

// Any number of threads.
class Latencies {
 public:
  explicit Latencies(Time now) : last_ok_(now), began_(now) { intervals_.push_back({"start", 0, 0, 0, {}}); }

  void ok(Time began, Time now) {
    std::lock_guard lock(mutex_);
    Interval& i = intervals_[current_];
    i.latencies.add(now - began);
    silence(i, now);
    last_ok_ = std::max(last_ok_, now);
  }
  // The name of the interval in which it happened.
  std::string error() {
    std::lock_guard lock(mutex_);
    intervals_[current_].errors++;
    return intervals_[current_].name;
  }
  void mark(const std::string& name, Time now) {
    std::lock_guard lock(mutex_);
    end(now);
    auto i = std::find_if(intervals_.begin(), intervals_.end(), [&](const Interval& x) { return x.name == name; });
    current_ = static_cast<std::size_t>(i - intervals_.begin());
    if (i == intervals_.end()) intervals_.push_back({name, 0, 0, 0, {}});
  }
  std::vector<Interval> finish(Time now) {
    std::lock_guard lock(mutex_);
    end(now);
    return intervals_;
  }

 private:
  void end(Time now) {
    Interval& i = intervals_[current_];
    i.lasted += now - began_;
    silence(i, now);
    began_ = now;
  }
  // A silence that began in an earlier interval counts in full for the one in which it ends.
  void silence(Interval& i, Time now) { i.max_silence = std::max(i.max_silence, now - last_ok_); }

  std::mutex mutex_;
  std::vector<Interval> intervals_;
  std::size_t current_ = 0;
  Time last_ok_, began_;
};

}  // namespace ndb::traffic
