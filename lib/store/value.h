// A value of a column as programs see it, and its stored form as rows, keys and patches carry it.
//
//   type                      value              stored form (little-endian unless said otherwise)
//   tinyint .. bigint         int64, or uint64   1, 2, 3, 4 or 8 bytes
//                             when unsigned
//   float32, float64          float64            IEEE 754, 4 or 8 bytes; never a NaN or an infinity
//   decimal(p, s)             bytes              see decimal.h; bytes compare as the numbers do
//   char(n)                   bytes, without     n bytes, padded with blanks
//                             the blanks at the end
//   binary(n)                 bytes              n bytes, padded with zeros
//   varchar, varbinary,       bytes              as they are
//   text, blob
//   date                      int64              days since 1970-01-01, 4 bytes; years 0 to 9999 (Gregorian)
//   time                      int64              microseconds, 8 bytes; up to 838:59:59.999999 either way
//   datetime                  int64              microseconds since 1970-01-01 00:00, no time zone, 8 bytes
//   timestamp                 int64              the same in UTC, not negative, 8 bytes
//   year                      uint64             2 bytes; 0, or 1901 to 2155
//   bit(n)                    uint64             (n + 7) / 8 bytes
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/errors.h"
#include "meta/table.h"

namespace ndb::store {

struct Value {
  enum class Kind : std::uint8_t { null, int64, uint64, float64, bytes };
  Kind kind = Kind::null;
  union {
    std::int64_t i;
    std::uint64_t u = 0;
    double d;
  };
  Bytes bytes;  // a view: of the row, or of what the caller has

  static Value null() { return {}; }
  static Value of_int(std::int64_t v) {
    Value x;
    x.kind = Kind::int64;
    x.i = v;
    return x;
  }
  static Value of_uint(std::uint64_t v) {
    Value x;
    x.kind = Kind::uint64;
    x.u = v;
    return x;
  }
  static Value of_double(double v) {
    Value x;
    x.kind = Kind::float64;
    x.d = v;
    return x;
  }
  static Value of_bytes(Bytes v) {
    Value x;
    x.kind = Kind::bytes;
    x.bytes = v;
    return x;
  }
  bool is_null() const { return kind == Kind::null; }
};

bool is_variable(meta::Type type);
// Bytes of the stored form: of a fixed type exactly, of a variable one at most. 0 = not a possible column
// (a char without length, a decimal of 66 digits).
std::uint32_t stored_bytes(const meta::Column& column);

// Writes stored_bytes(column) bytes to `out`. Takes any kind that holds the number exactly (an integer into a
// double, and into a decimal, too). value_out_of_range when the value or its kind does not fit. REQUIRES: fixed,
// not null.
Error to_stored(const meta::Column& column, const Value& value, char* out);
// REQUIRES: fixed; `stored` has stored_bytes(column) bytes. Any bytes give some value.
Value from_stored(const meta::Column& column, Bytes stored);
// Is this what to_stored can have written? (Ranges, spare bits, NaNs.) Any bytes may be asked about.
bool valid_stored(const meta::Column& column, Bytes stored);

inline Bytes without_blanks(Bytes b) {
  std::size_t n = b.size();
  while (n > 0 && b[n - 1] == ' ') n--;
  return b.substr(0, n);
}

}  // namespace ndb::store
