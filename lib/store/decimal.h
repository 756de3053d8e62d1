// Exact decimal numbers of up to 65 digits in their stored form: the number times 10^scale as an integer in two's
// complement with its sign bit turned over, big-endian, in the fewest bytes that hold `precision` digits. So they
// compare as bytes. Not on the hot path but for decimal_in_range() (two memcmp).
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/errors.h"

namespace ndb::store {

inline constexpr unsigned kDecimalDigitsMax = 65;

// 0 when the precision is not 1 .. 65.
std::uint32_t decimal_bytes(unsigned precision);
// REQUIRES: decimal_bytes(precision) bytes. Has it at most `precision` digits?
bool decimal_in_range(Bytes stored, unsigned precision);

// Text: [+-]digits[.digits], at least one digit. Digits beyond the scale are rounded, half away from zero.
// value_out_of_range: too many digits before the point, or no number.
Error decimal_from_text(Bytes text, unsigned precision, unsigned scale, std::string* stored);
// All digits of the scale are written: 1.50. REQUIRES: 1 to 28 bytes.
std::string decimal_to_text(Bytes stored, unsigned scale);

}  // namespace ndb::store
