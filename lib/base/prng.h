// Random numbers that a seed repeats: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
// OOPSLA 2014). Not for secrets.
#pragma once
#include <cstdint>

namespace ndb {

class Prng {
 public:
  explicit Prng(std::uint64_t seed = 0) : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 <= result < n; n > 0. The bias is below 2^-32 for the n we use.
  std::uint64_t below(std::uint64_t n) noexcept {
    __extension__ typedef unsigned __int128 Wide;  // -Wpedantic does not know the type
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * n) >> 64);
  }
  std::uint64_t between(std::uint64_t lo, std::uint64_t hi) noexcept { return lo + below(hi - lo + 1); }
  bool chance(double p) noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53 < p; }

 private:
  std::uint64_t state_;
};

}  // namespace ndb
