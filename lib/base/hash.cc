#include "base/hash.h"

#include <xxhash.h>

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace ndb {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> t{};
  for (std::uint32_t i = 0; i < 256; i++) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; k++) c = (c & 1u) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    t[i] = c;
  }
  return t;
}
constexpr auto kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(Bytes data, std::uint32_t seed) {
  std::uint64_t c = ~seed;
  const char* p = data.data();
  std::size_t n = data.size();
  for (; n >= 8; n -= 8, p += 8) c = _mm_crc32_u64(c, load<std::uint64_t>(p));
  auto c32 = static_cast<std::uint32_t>(c);
  for (; n > 0; n--, p++) c32 = _mm_crc32_u8(c32, static_cast<std::uint8_t>(*p));
  return ~c32;
}
const bool kHasSse42 = __builtin_cpu_supports("sse4.2") != 0;
#endif

}  // namespace

std::uint64_t key_hash(Bytes key) noexcept { return XXH3_64bits(key.data(), key.size()); }
std::uint64_t block_hash(Bytes block) noexcept { return XXH3_64bits(block.data(), block.size()); }

std::uint32_t crc32c_portable(Bytes data, std::uint32_t seed) noexcept {
  std::uint32_t c = ~seed;
  for (char b : data) c = kTable[(c ^ static_cast<std::uint8_t>(b)) & 0xffu] ^ (c >> 8);
  return ~c;
}

std::uint32_t crc32c(Bytes data, std::uint32_t seed) noexcept {
#if defined(__x86_64__)
  if (kHasSse42) return crc32c_sse42(data, seed);
#endif
  return crc32c_portable(data, seed);
}

}  // namespace ndb
