// Filter::parse: reads the postfix form into a tree and lays that out as tests with jumps.
#include <cmath>

#include "base/check.h"
#include "store/filter.h"

namespace ndb::store {
namespace {

using meta::Type;
__extension__ typedef __int128 Wide;  // every 64-bit integer and its neighbours

constexpr std::uint8_t kAnd = 1, kOr = 2, kNot = 3, kIsNull = 0x10, kLikePrefix = 0x30;
constexpr Wide kFar = Wide{1} << 100;

bool is_compare(std::uint8_t item) {
  return item >= static_cast<std::uint8_t>(Compare::eq) && item <= static_cast<std::uint8_t>(Compare::ge);
}

// x <op> c for an integer x is lo <= x <= hi.
struct Range {
  Wide lo = -kFar;
  Wide hi = kFar;
};

// below = the largest integer <= c, above = the smallest >= c.
Range range_of(Compare op, Wide below, Wide above) {
  switch (op) {
    case Compare::eq:
    case Compare::ne:
      return {above, below};  // empty when c is no integer
    case Compare::lt:
      return {-kFar, above - 1};
    case Compare::le:
      return {-kFar, below};
    case Compare::gt:
      return {below + 1, kFar};
    case Compare::ge:
      return {above, kFar};
  }
  return {};
}

Wide clamped(double d) {
  constexpr double far = 1e25;
  return static_cast<Wide>(d < -far ? -far : d > far ? far : d);
}

}  // namespace

class FilterParser {
 public:
  FilterParser(Bytes encoded, const RowShape& shape) : r_(encoded), shape_(shape) {}

  Error run(Filter* out) {
    while (r_.left() > 0) {
      if (Error e = item(r_.u8()); e != Error::ok) return e;
      if (r_.bad() || nodes_.size() > limits::kFilterItemsMax || stack_.size() > limits::kFilterDepthMax) {
        return Error::bad_message;
      }
    }
    if (stack_.size() != 1) return Error::bad_message;
    lay_out(stack_[0], false, Filter::kTrue, Filter::kFalse);
    f_.test_count_ = static_cast<std::uint16_t>(f_.tests_.size());
    *out = std::move(f_);
    return Error::ok;
  }

 private:
  using Kind = Filter::Kind;
  using Test = Filter::Test;
  struct Node {
    std::uint8_t item = 0;   // kAnd, kOr, kNot, or 0: a test
    std::uint16_t left = 0;  // a test: its number
    std::uint16_t right = 0;
    std::uint16_t first = 0;  // first test of the subtree; they are numbered from left to right
  };

  Error item(std::uint8_t item) {
    if (item == kAnd || item == kOr || item == kNot) {
      const std::size_t operands = item == kNot ? 1 : 2;
      if (stack_.size() < operands) return Error::bad_message;
      Node n{item, 0, 0, 0};
      if (operands == 2) {
        n.right = stack_.back();
        stack_.pop_back();
      }
      n.left = stack_.back();
      stack_.pop_back();
      n.first = nodes_[n.left].first;
      return push(n);
    }
    Test t;
    Error e = Error::bad_message;
    if (item == kIsNull) e = is_null(&t);
    if (item == kLikePrefix) e = like_prefix(&t);
    if (is_compare(item)) e = compare(static_cast<Compare>(item), &t);
    if (e != Error::ok) return e;
    const auto number = static_cast<std::uint16_t>(f_.tests_.size());
    f_.tests_.push_back(t);
    return push({0, number, 0, number});
  }

  Error push(Node n) {
    stack_.push_back(static_cast<std::uint16_t>(nodes_.size()));
    nodes_.push_back(n);
    return Error::ok;
  }

  Error column(Test* t, const ColumnShape** shape) {
    const std::uint16_t c = r_.u16();
    if (r_.bad()) return Error::bad_message;
    if (c >= shape_.columns()) return Error::no_such_column;
    const ColumnShape& s = shape_.column(c);
    *shape = &s;
    t->null_bit = s.null_bit;
    if (s.variable) {
      t->kind = Kind::var_bytes;
      t->slot = static_cast<std::uint16_t>(shape_.ends_offset() + 2 * s.slot);
      t->bytes = s.slot == 0 ? shape_.heap_offset() : std::uint16_t{0};
    } else {
      t->slot = s.slot;
      t->bytes = s.bytes;
      t->kind = fixed_kind(s.column.type);
    }
    return Error::ok;
  }

  static Kind fixed_kind(Type type) {
    switch (type) {
      case Type::tinyint:
        return Kind::i8;
      case Type::utinyint:
        return Kind::u8;
      case Type::smallint:
        return Kind::i16;
      case Type::usmallint:
      case Type::year:
        return Kind::u16;
      case Type::mediumint:
        return Kind::i24;
      case Type::umediumint:
        return Kind::u24;
      case Type::integer:
      case Type::date:
        return Kind::i32;
      case Type::uinteger:
        return Kind::u32;
      case Type::bit:
        return Kind::bits;
      case Type::float32:
        return Kind::f32;
      case Type::float64:
        return Kind::f64;
      case Type::character:
        return Kind::blank_bytes;
      case Type::decimal:
      case Type::binary:
        return Kind::fixed_bytes;
      default:
        return Kind::w64;
    }
  }

  Error is_null(Test* t) {
    const ColumnShape* s = nullptr;
    if (Error e = column(t, &s); e != Error::ok) return e;
    t->kind = s->null_bit == ColumnShape::kNotNull ? Kind::never : Kind::null;
    return Error::ok;
  }

  Error like_prefix(Test* t) {
    const ColumnShape* s = nullptr;
    if (Error e = column(t, &s); e != Error::ok) return e;
    t->prefix = true;
    const Bytes text = r_.bytes32();
    if (r_.bad()) return Error::bad_message;
    const bool bytes = t->kind == Kind::blank_bytes || t->kind == Kind::var_bytes || t->kind == Kind::fixed_bytes;
    if (!bytes || s->column.type == Type::decimal) return Error::value_out_of_range;
    return keep(text, t);
  }

  Error keep(Bytes text, Test* t) {
    t->text = static_cast<std::uint32_t>(f_.texts_.size());
    t->text_bytes = static_cast<std::uint32_t>(text.size());
    f_.texts_.append(text);
    return Error::ok;
  }

  bool constant(Value* v) {
    switch (r_.u8()) {
      case 1:
        *v = Value::of_int(r_.get<std::int64_t>());
        break;
      case 2:
        *v = Value::of_uint(r_.u64());
        break;
      case 3:
        *v = Value::of_double(r_.get<double>());
        break;
      case 4:
        *v = Value::of_bytes(r_.bytes32());
        break;
      default:
        return false;
    }
    return !r_.bad();
  }

  Error compare(Compare op, Test* t) {
    const ColumnShape* s = nullptr;
    if (Error e = column(t, &s); e != Error::ok) return e;
    Value v;
    if (!constant(&v)) return Error::bad_message;
    if (v.kind == Value::Kind::float64 && std::isnan(v.d)) return Error::value_out_of_range;
    t->op = op;
    switch (t->kind) {
      case Kind::f32:
      case Kind::f64:
        return compare_float(v, t);
      case Kind::fixed_bytes:
        if (s->column.type == Type::decimal) return compare_decimal(*s, v, t);
        [[fallthrough]];
      case Kind::blank_bytes:
      case Kind::var_bytes:
        if (v.kind != Value::Kind::bytes) return Error::value_out_of_range;
        return keep(t->kind == Kind::blank_bytes ? without_blanks(v.bytes) : v.bytes, t);
      default:
        return compare_integer(*s, v, t);
    }
  }

  static Error compare_float(const Value& v, Test* t) {
    switch (v.kind) {
      case Value::Kind::int64:
        t->d = static_cast<double>(v.i);
        return Error::ok;
      case Value::Kind::uint64:
        t->d = static_cast<double>(v.u);
        return Error::ok;
      case Value::Kind::float64:
        t->d = v.d;
        return Error::ok;
      default:
        return Error::value_out_of_range;
    }
  }

  // The outcome is the same for every value but null.
  static Error always(bool passes, Test* t) {
    t->kind = passes ? Kind::not_null : Kind::never;
    t->inverted = false;
    return Error::ok;
  }

  static Error compare_integer(const ColumnShape& s, const Value& v, Test* t) {
    Range range;
    switch (v.kind) {
      case Value::Kind::int64:
        range = range_of(t->op, v.i, v.i);
        break;
      case Value::Kind::uint64:
        range = range_of(t->op, v.u, v.u);
        break;
      case Value::Kind::float64:
        range = range_of(t->op, clamped(std::floor(v.d)), clamped(std::ceil(v.d)));
        break;
      default:
        return Error::value_out_of_range;
    }
    static constexpr char zeros[8] = {};
    const bool is_unsigned =
        from_stored(s.column, Bytes(zeros, sizeof zeros).substr(0, s.bytes)).kind == Value::Kind::uint64;
    const Wide least = is_unsigned ? Wide{0} : Wide{INT64_MIN};
    const Wide most = is_unsigned ? Wide{UINT64_MAX} : Wide{INT64_MAX};
    if (range.lo < least) range.lo = least;
    if (range.hi > most) range.hi = most;
    const bool not_equal = t->op == Compare::ne;
    if (range.lo > range.hi) return always(not_equal, t);
    t->lo = static_cast<std::uint64_t>(range.lo);
    t->span = static_cast<std::uint64_t>(range.hi - range.lo);
    t->inverted = not_equal;
    return Error::ok;
  }

  Error compare_decimal(const ColumnShape& s, const Value& v, Test* t) {
    char stored[32];
    if (v.kind == Value::Kind::float64) return Error::value_out_of_range;
    if (to_stored(s.column, v, stored) == Error::ok) return keep(Bytes(stored, s.bytes), t);
    if (v.kind == Value::Kind::bytes) return Error::value_out_of_range;
    // An integer beyond all values of the column.
    const bool negative = v.kind == Value::Kind::int64 && v.i < 0;
    switch (t->op) {
      case Compare::eq:
        return always(false, t);
      case Compare::ne:
        return always(true, t);
      case Compare::lt:
      case Compare::le:
        return always(!negative, t);
      default:
        return always(negative, t);
    }
  }

  // Gives every test under `node` the places to go on at. A NOT is carried down to the tests: below AND and OR of
  // tests that are not negated, unknown and false lead to the same.
  void lay_out(std::uint16_t node, bool negated, std::uint16_t on_true, std::uint16_t on_false) {
    const Node& n = nodes_[node];
    if (n.item == kNot) return lay_out(n.left, !negated, on_true, on_false);
    if (n.item == 0) {
      Test& t = f_.tests_[n.left];
      if (negated) negate(&t);
      t.on_true = on_true;
      t.on_false = on_false;
      return;
    }
    const std::uint16_t right = nodes_[n.right].first;
    if ((n.item == kAnd) != negated) {
      lay_out(n.left, negated, right, on_false);
    } else {
      lay_out(n.left, negated, on_true, right);
    }
    lay_out(n.right, negated, on_true, on_false);
  }

  static void negate(Test* t) {
    switch (t->kind) {
      case Kind::null:
      case Kind::never:
        t->kind = Kind::not_null;
        break;
      case Kind::not_null:
        t->kind = Kind::never;
        break;
      default:
        t->inverted = !t->inverted;
    }
  }

  Reader r_;
  const RowShape& shape_;
  Filter f_;
  std::vector<Node> nodes_;
  std::vector<std::uint16_t> stack_;
};

Result<Filter> Filter::parse(Bytes encoded, const RowShape& shape) {
  Filter f;
  if (encoded.empty()) return f;
  if (encoded.size() > limits::kFilterBytesMax) return Error::bad_message;
  if (Error e = FilterParser(encoded, shape).run(&f); e != Error::ok) return e;
  return f;
}

}  // namespace ndb::store
