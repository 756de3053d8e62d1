#include "store/decimal.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace ndb::store {
namespace {

constexpr unsigned kBytesMax = 28;

// The magnitude, little-endian.
struct Magnitude {
  std::array<std::uint32_t, kBytesMax / 4> limb{};
  void multiply_add(std::uint32_t factor, std::uint32_t addend) {
    std::uint64_t carry = addend;
    for (auto& l : limb) {
      carry += std::uint64_t{l} * factor;
      l = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  std::uint32_t divide(std::uint32_t divisor) {  // the remainder
    std::uint64_t rest = 0;
    for (std::size_t i = limb.size(); i-- > 0;) {
      rest = rest << 32 | limb[i];
      limb[i] = static_cast<std::uint32_t>(rest / divisor);
      rest %= divisor;
    }
    return static_cast<std::uint32_t>(rest);
  }
  bool zero() const {
    return std::all_of(limb.begin(), limb.end(), [](std::uint32_t l) { return l == 0; });
  }
  void negate() {  // two's complement
    std::uint64_t carry = 1;
    for (auto& l : limb) {
      carry += static_cast<std::uint32_t>(~l);
      l = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
};

std::string pack(Magnitude m, bool negative, unsigned bytes) {
  if (negative) m.negate();
  std::string s(bytes, '\0');
  for (unsigned i = 0; i < bytes; i++) {
    s[bytes - 1 - i] = static_cast<char>(m.limb[i / 4] >> (i % 4 * 8) & 0xff);
  }
  s[0] = static_cast<char>(s[0] ^ '\x80');
  return s;
}

// The largest and the smallest number of every precision, stored.
struct Bounds {
  std::array<std::string, kDecimalDigitsMax + 1> max, min;
  Bounds() {
    Magnitude m;
    for (unsigned p = 1; p <= kDecimalDigitsMax; p++) {
      m.multiply_add(10, 9);
      max[p] = pack(m, false, decimal_bytes(p));
      min[p] = pack(m, true, decimal_bytes(p));
    }
  }
};

}  // namespace

std::uint32_t decimal_bytes(unsigned precision) {
  if (precision < 1 || precision > kDecimalDigitsMax) return 0;
  const unsigned bits = precision * 3'321'929 / 1'000'000 + 2;  // log2(10), a sign
  return (bits + 7) / 8;
}

bool decimal_in_range(Bytes stored, unsigned precision) {
  static const Bounds bounds;
  return stored >= Bytes(bounds.min[precision]) && stored <= Bytes(bounds.max[precision]);
}

Error decimal_from_text(Bytes text, unsigned precision, unsigned scale, std::string* stored) {
  NDB_CHECK(decimal_bytes(precision) != 0 && scale <= precision);
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  Magnitude m;
  unsigned digits = 0;    // in m, without zeros at the front
  unsigned fraction = 0;  // of them behind the point
  bool point = false, any = false, beyond = false, round_up = false;
  for (char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return Error::value_out_of_range;
    any = true;
    if (point && fraction == scale) {
      if (!beyond) round_up = c >= '5';  // the first digit beyond decides
      beyond = true;
      continue;
    }
    if (digits > 0 || c != '0') digits++;
    if (digits > precision) return Error::value_out_of_range;
    m.multiply_add(10, static_cast<std::uint32_t>(c - '0'));
    if (point) fraction++;
  }
  if (!any) return Error::value_out_of_range;
  for (; fraction < scale; fraction++) {
    if (digits > 0) digits++;
    if (digits > precision) return Error::value_out_of_range;
    m.multiply_add(10, 0);
  }
  if (round_up) m.multiply_add(1, 1);
  if (m.zero()) negative = false;
  *stored = pack(m, negative, decimal_bytes(precision));
  return decimal_in_range(*stored, precision) ? Error::ok : Error::value_out_of_range;
}

std::string decimal_to_text(Bytes stored, unsigned scale) {
  NDB_CHECK(!stored.empty() && stored.size() <= kBytesMax);
  const bool negative = (stored[0] & '\x80') == 0;
  Magnitude m;
  if (negative) m.limb.fill(0xffffffff);
  for (std::size_t i = 0; i < stored.size(); i++) {
    auto b = static_cast<unsigned char>(stored[stored.size() - 1 - i]);
    if (i + 1 == stored.size()) b ^= 0x80;
    const unsigned shift = static_cast<unsigned>(i % 4 * 8);
    m.limb[i / 4] = (m.limb[i / 4] & ~(0xffu << shift)) | std::uint32_t{b} << shift;
  }
  if (negative) m.negate();
  std::string s;
  for (unsigned i = 0; i <= scale || !m.zero(); i++) {
    if (i == scale && scale > 0) s.push_back('.');
    s.push_back(static_cast<char>('0' + m.divide(10)));
  }
  if (negative) s.push_back('-');
  std::reverse(s.begin(), s.end());
  return s;
}

}  // namespace ndb::store
