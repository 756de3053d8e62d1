#include "store/value.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "env/limits.h"
#include "store/decimal.h"

namespace ndb::store {
namespace {

using meta::Type;

constexpr std::int64_t kDayMicroseconds = 86'400'000'000;
constexpr std::int64_t kFirstDay = -719'528;          // 0000-01-01
constexpr std::int64_t kLastDay = 2'932'896;          // 9999-12-31
constexpr std::int64_t kTimeMax = 3'020'399'999'999;  // 838:59:59.999999

// How an integer type is stored and what it may hold. bytes = 0: no integer.
struct IntegerForm {
  unsigned bytes = 0;
  bool is_signed = false;
  std::int64_t min = 0;
  std::uint64_t max = 0;
};

constexpr IntegerForm signed_form(unsigned bytes, std::int64_t min, std::int64_t max) {
  return {bytes, true, min, static_cast<std::uint64_t>(max)};
}

IntegerForm integer_form(const meta::Column& c) {
  switch (c.type) {
    case Type::tinyint:
      return signed_form(1, INT8_MIN, INT8_MAX);
    case Type::utinyint:
      return {1, false, 0, UINT8_MAX};
    case Type::smallint:
      return signed_form(2, INT16_MIN, INT16_MAX);
    case Type::usmallint:
      return {2, false, 0, UINT16_MAX};
    case Type::mediumint:
      return signed_form(3, -8'388'608, 8'388'607);
    case Type::umediumint:
      return {3, false, 0, 16'777'215};
    case Type::integer:
      return signed_form(4, INT32_MIN, INT32_MAX);
    case Type::uinteger:
      return {4, false, 0, UINT32_MAX};
    case Type::bigint:
      return signed_form(8, INT64_MIN, INT64_MAX);
    case Type::ubigint:
      return {8, false, 0, UINT64_MAX};
    case Type::date:
      return signed_form(4, kFirstDay, kLastDay);
    case Type::time:
      return signed_form(8, -kTimeMax, kTimeMax);
    case Type::datetime:
      return signed_form(8, kFirstDay * kDayMicroseconds, (kLastDay + 1) * kDayMicroseconds - 1);
    case Type::timestamp:
      return signed_form(8, 0, (kLastDay + 1) * kDayMicroseconds - 1);
    case Type::year:
      return {2, false, 0, 2155};
    case Type::bit:
      return {(c.length + 7) / 8, false, 0, c.length >= 64 ? UINT64_MAX : (std::uint64_t{1} << c.length) - 1};
    default:
      return {};
  }
}

bool holds(const meta::Column& c, const IntegerForm& f, std::uint64_t bits) {
  if (f.is_signed) {
    auto v = static_cast<std::int64_t>(bits);
    return v >= f.min && v <= static_cast<std::int64_t>(f.max);
  }
  if (c.type == Type::year && bits != 0 && bits < 1901) return false;
  return bits <= f.max;
}

std::uint64_t load_integer(const IntegerForm& f, const char* p) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, f.bytes);
  if (f.is_signed && f.bytes < 8) {
    const unsigned shift = 64 - 8 * f.bytes;
    v = static_cast<std::uint64_t>(static_cast<std::int64_t>(v << shift) >> shift);
  }
  return v;
}

Error integer_to_stored(const meta::Column& c, const IntegerForm& f, const Value& v, char* out) {
  std::uint64_t bits = v.u;
  if (v.kind == Value::Kind::int64) {
    if (!f.is_signed && v.i < 0) return Error::value_out_of_range;
    bits = static_cast<std::uint64_t>(v.i);
  } else if (v.kind == Value::Kind::uint64) {
    if (f.is_signed && v.u > INT64_MAX) return Error::value_out_of_range;
  } else {
    return Error::value_out_of_range;
  }
  if (!holds(c, f, bits)) return Error::value_out_of_range;
  std::memcpy(out, &bits, f.bytes);
  return Error::ok;
}

Error float_to_stored(const meta::Column& c, const Value& v, char* out) {
  double d = v.d;
  if (v.kind == Value::Kind::int64) d = static_cast<double>(v.i);
  if (v.kind == Value::Kind::uint64) d = static_cast<double>(v.u);
  if (v.kind == Value::Kind::bytes || v.kind == Value::Kind::null) return Error::value_out_of_range;
  if (!std::isfinite(d)) return Error::value_out_of_range;
  d += 0.0;  // no negative zero: equal rows are equal bytes
  if (c.type == Type::float64) {
    save(out, d);
    return Error::ok;
  }
  if (std::fabs(d) > std::numeric_limits<float>::max()) return Error::value_out_of_range;
  save(out, static_cast<float>(d) + 0.0f);
  return Error::ok;
}

Error decimal_to_stored(const meta::Column& c, const Value& v, char* out) {
  char digits[24];
  std::to_chars_result r{};
  switch (v.kind) {
    case Value::Kind::int64:
      r = std::to_chars(digits, digits + sizeof digits, v.i);
      break;
    case Value::Kind::uint64:
      r = std::to_chars(digits, digits + sizeof digits, v.u);
      break;
    case Value::Kind::bytes:
      if (!valid_stored(c, v.bytes)) return Error::value_out_of_range;
      std::memcpy(out, v.bytes.data(), v.bytes.size());
      return Error::ok;
    default:
      return Error::value_out_of_range;
  }
  std::string stored;
  Bytes text(digits, static_cast<std::size_t>(r.ptr - digits));
  if (Error e = decimal_from_text(text, c.precision, c.scale, &stored); e != Error::ok) return e;
  std::memcpy(out, stored.data(), stored.size());
  return Error::ok;
}

}  // namespace

bool is_variable(meta::Type type) {
  return type == Type::varchar || type == Type::varbinary || type == Type::text || type == Type::blob;
}

std::uint32_t stored_bytes(const meta::Column& c) {
  switch (c.type) {
    case Type::float32:
      return 4;
    case Type::float64:
      return 8;
    case Type::decimal:
      if (c.scale > c.precision) return 0;
      return decimal_bytes(c.precision);
    case Type::character:
    case Type::varchar:
    case Type::binary:
    case Type::varbinary:
      return c.length <= limits::kRowBytesMax ? c.length : 0;
    case Type::text:
    case Type::blob:
      return limits::kRowBytesMax;
    case Type::bit:
      return c.length >= 1 && c.length <= 64 ? (c.length + 7) / 8 : 0;
    default:
      return integer_form(c).bytes;
  }
}

Error to_stored(const meta::Column& c, const Value& v, char* out) {
  switch (c.type) {
    case Type::float32:
    case Type::float64:
      return float_to_stored(c, v, out);
    case Type::decimal:
      return decimal_to_stored(c, v, out);
    case Type::character:
    case Type::binary: {
      if (v.kind != Value::Kind::bytes) return Error::value_out_of_range;
      Bytes b = v.bytes;
      if (c.type == Type::character) b = without_blanks(b);
      if (b.size() > c.length) return Error::value_out_of_range;
      if (!b.empty()) std::memcpy(out, b.data(), b.size());
      std::memset(out + b.size(), c.type == Type::character ? ' ' : 0, c.length - b.size());
      return Error::ok;
    }
    default:
      return integer_to_stored(c, integer_form(c), v, out);
  }
}

Value from_stored(const meta::Column& c, Bytes s) {
  switch (c.type) {
    case Type::float32:
      return Value::of_double(static_cast<double>(load<float>(s.data())));
    case Type::float64:
      return Value::of_double(load<double>(s.data()));
    case Type::character:
      return Value::of_bytes(without_blanks(s));
    case Type::decimal:
    case Type::binary:
    case Type::varchar:
    case Type::varbinary:
    case Type::text:
    case Type::blob:
      return Value::of_bytes(s);
    default:
      break;
  }
  const IntegerForm f = integer_form(c);
  const std::uint64_t bits = load_integer(f, s.data());
  return f.is_signed ? Value::of_int(static_cast<std::int64_t>(bits)) : Value::of_uint(bits);
}

bool valid_stored(const meta::Column& c, Bytes s) {
  if (is_variable(c.type)) return s.size() <= stored_bytes(c);
  if (s.size() != stored_bytes(c)) return false;
  switch (c.type) {
    case Type::float32: {
      const auto f = load<float>(s.data());
      return std::isfinite(f) && !(f == 0 && std::signbit(f));
    }
    case Type::float64: {
      const auto d = load<double>(s.data());
      return std::isfinite(d) && !(d == 0 && std::signbit(d));
    }
    case Type::decimal:
      return decimal_in_range(s, c.precision);
    case Type::character:
    case Type::binary:
      return true;
    default:
      break;
  }
  const IntegerForm f = integer_form(c);
  return holds(c, f, load_integer(f, s.data()));
}

}  // namespace ndb::store
