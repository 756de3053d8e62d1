#include "store/filter.h"

#include <cstring>

#include "base/check.h"

namespace ndb::store {
namespace {

constexpr std::uint8_t kAnd = 1, kOr = 2, kNot = 3, kIsNull = 0x10, kLikePrefix = 0x30;
constexpr std::uint8_t kInt64 = 1, kUint64 = 2, kFloat64 = 3, kBytes = 4;

template <class T>
bool holds(Compare op, T a, T b) {
  switch (op) {
    case Compare::eq:
      return a == b;
    case Compare::ne:
      return a != b;
    case Compare::lt:
      return a < b;
    case Compare::le:
      return a <= b;
    case Compare::gt:
      return a > b;
    case Compare::ge:
      return a >= b;
  }
  return false;
}

template <class T>
std::uint64_t widened(const char* p) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(load<T>(p)));
}
std::uint32_t load24(const char* p) {
  return load<std::uint16_t>(p) | std::uint32_t{static_cast<unsigned char>(p[2])} << 16;
}

}  // namespace

// ---- writing

FilterWriter& FilterWriter::compare(std::uint16_t column, Compare op, const Value& constant) {
  NDB_CHECK(!constant.is_null());
  w_.u8(static_cast<std::uint8_t>(op));
  w_.u16(column);
  switch (constant.kind) {
    case Value::Kind::int64:
      w_.u8(kInt64);
      w_.put(constant.i);
      break;
    case Value::Kind::uint64:
      w_.u8(kUint64);
      w_.put(constant.u);
      break;
    case Value::Kind::float64:
      w_.u8(kFloat64);
      w_.put(constant.d);
      break;
    default:
      w_.u8(kBytes);
      w_.bytes32(constant.bytes);
  }
  return *this;
}

FilterWriter& FilterWriter::is_null(std::uint16_t column) {
  w_.u8(kIsNull);
  w_.u16(column);
  return *this;
}

FilterWriter& FilterWriter::like_prefix(std::uint16_t column, Bytes prefix) {
  w_.u8(kLikePrefix);
  w_.u16(column);
  w_.bytes32(prefix);
  return *this;
}

FilterWriter& FilterWriter::op_and() { return w_.u8(kAnd), *this; }
FilterWriter& FilterWriter::op_or() { return w_.u8(kOr), *this; }
FilterWriter& FilterWriter::op_not() { return w_.u8(kNot), *this; }

// ---- evaluating

bool Filter::passes(const Test& t, Bytes image) const {
  if (t.null_bit != ColumnShape::kNotNull) {
    const bool null = (image[t.null_bit / 8] >> (t.null_bit % 8) & 1) != 0;
    if (t.kind == Kind::null) return null;
    if (null) return false;
  }
  const char* p = image.data() + t.slot;
  std::uint64_t v = 0;
  switch (t.kind) {
    case Kind::i8:
      v = widened<std::int8_t>(p);
      break;
    case Kind::i16:
      v = widened<std::int16_t>(p);
      break;
    case Kind::i24:
      v = static_cast<std::uint64_t>(static_cast<std::int64_t>(std::uint64_t{load24(p)} << 40) >> 40);
      break;
    case Kind::i32:
      v = widened<std::int32_t>(p);
      break;
    case Kind::u8:
      v = load<std::uint8_t>(p);
      break;
    case Kind::u16:
      v = load<std::uint16_t>(p);
      break;
    case Kind::u24:
      v = load24(p);
      break;
    case Kind::u32:
      v = load<std::uint32_t>(p);
      break;
    case Kind::w64:
      v = load<std::uint64_t>(p);
      break;
    case Kind::bits:
      std::memcpy(&v, p, t.bytes);
      break;
    case Kind::f32:
      return holds(t.op, static_cast<double>(load<float>(p)), t.d) != t.inverted;
    case Kind::f64:
      return holds(t.op, load<double>(p), t.d) != t.inverted;
    case Kind::fixed_bytes:
    case Kind::blank_bytes:
    case Kind::var_bytes:
      return passes_bytes(t, image) != t.inverted;
    case Kind::null:
    case Kind::never:
      return false;
    case Kind::not_null:
      return true;
  }
  return (v - t.lo <= t.span) != t.inverted;
}

bool Filter::passes_bytes(const Test& t, Bytes image) const {
  Bytes b;
  if (t.kind == Kind::var_bytes) {
    const std::uint16_t start = t.bytes != 0 ? t.bytes : load<std::uint16_t>(image.data() + t.slot - 2);
    b = image.substr(start, static_cast<std::size_t>(load<std::uint16_t>(image.data() + t.slot) - start));
  } else {
    b = image.substr(t.slot, t.bytes);
    if (t.kind == Kind::blank_bytes) b = without_blanks(b);
  }
  const Bytes constant(texts_.data() + t.text, t.text_bytes);
  if (t.prefix) return b.starts_with(constant);
  return holds(t.op, b.compare(constant), 0);
}

}  // namespace ndb::store
