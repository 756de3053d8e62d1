#include <catch2/catch.hpp>
#include <cmath>

#include "base/prng.h"
#include "store/decimal.h"
#include "store/filter.h"
#include "unit/store_tables.h"

using namespace ndb;
using namespace ndb::store;
using namespace ndb::store::testing;

namespace {

const RowShape& shape() {
  static const RowShape s = shape_of(every_table());
  return s;
}

std::vector<Value> base_row() {
  std::vector<Value> v(shape().columns(), Value::null());
  v[0] = Value::of_bytes("key");
  v[1] = Value::of_int(10);
  v[2] = Value::of_bytes("cc");
  return v;
}

// The row with `v` in one column.
std::string row_with(std::uint16_t column, Value v) {
  auto values = base_row();
  values[column] = v;
  Writer w;
  REQUIRE(shape().encode(values, w) == Error::ok);
  return std::string(w.view());
}

bool matches(const FilterWriter& w, Bytes image) {
  auto f = Filter::parse(w.view(), shape());
  REQUIRE(f.ok());
  return f->matches(image);
}

constexpr Compare kAll[] = {Compare::eq, Compare::ne, Compare::lt, Compare::le, Compare::gt, Compare::ge};

bool expected(Compare op, long double a, long double b) {
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
    default:
      return a >= b;
  }
}

long double number(const Value& v) {
  switch (v.kind) {
    case Value::Kind::int64:
      return static_cast<long double>(v.i);
    case Value::Kind::uint64:
      return static_cast<long double>(v.u);
    default:
      return static_cast<long double>(v.d);
  }
}

}  // namespace

TEST_CASE("an empty filter matches every row") {
  auto f = Filter::parse("", shape());
  REQUIRE(f.ok());
  CHECK(f->matches_all());
  CHECK(f->matches(row_with(3, Value::null())));
}

TEST_CASE("integers of all widths compare with constants of all kinds") {
  const std::vector<Value> constants = {
      Value::of_int(0),           Value::of_int(-1),          Value::of_int(100),     Value::of_int(INT64_MIN),
      Value::of_int(INT64_MAX),   Value::of_uint(UINT64_MAX), Value::of_uint(100),    Value::of_double(99.5),
      Value::of_double(100),      Value::of_double(-1e30),    Value::of_double(1e30), Value::of_double(-0.5),
      Value::of_double(INFINITY), Value::of_double(-INFINITY)};
  for (std::uint16_t c = 3; c <= 12; c++) {
    const bool is_signed = c % 2 == 1;
    for (int v : {-100, -1, 0, 1, 99, 100, 101}) {
      if (!is_signed && v < 0) continue;
      const Value value = Value::of_int(v);
      const std::string image = row_with(c, value);
      const std::string null = row_with(c, Value::null());
      for (const Value& k : constants) {
        for (Compare op : kAll) {
          FilterWriter w;
          w.compare(c, op, k);
          INFO("column " << c << " value " << v << " op " << int(op) << " constant " << double(number(k)));
          CHECK(matches(w, image) == expected(op, v, number(k)));
          CHECK_FALSE(matches(w, null));
          w.op_not();
          CHECK(matches(w, image) == !expected(op, v, number(k)));
          CHECK_FALSE(matches(w, null));
        }
      }
    }
  }
}

TEST_CASE("the ends of the integer types compare right") {
  const std::pair<std::uint16_t, Value> ends[] = {{3, Value::of_int(-128)},
                                                  {7, Value::of_int(-8388608)},
                                                  {8, Value::of_uint(16777215)},
                                                  {9, Value::of_int(INT32_MIN)},
                                                  {10, Value::of_uint(UINT32_MAX)},
                                                  {11, Value::of_int(INT64_MIN)},
                                                  {11, Value::of_int(INT64_MAX)},
                                                  {12, Value::of_uint(UINT64_MAX)},
                                                  {25, Value::of_uint(0x1fff)},
                                                  {20, Value::of_int(-719528)},
                                                  {23, Value::of_int(0)}};
  for (const auto& [c, v] : ends) {
    const std::string image = row_with(c, v);
    for (const auto& [unused, k] : ends) {
      for (Compare op : kAll) {
        FilterWriter w;
        w.compare(c, op, k);
        CHECK(matches(w, image) == expected(op, number(v), number(k)));
      }
    }
  }
}

TEST_CASE("floats, bytes, decimals and prefixes compare") {
  const auto check = [](std::uint16_t c, Value v, Compare op, Value k) {
    FilterWriter w;
    w.compare(c, op, k);
    return matches(w, row_with(c, v));
  };
  CHECK(check(13, Value::of_double(1.5), Compare::lt, Value::of_int(2)));
  CHECK(check(14, Value::of_double(1.5), Compare::gt, Value::of_double(1.25)));
  CHECK_FALSE(check(14, Value::of_double(1.5), Compare::eq, Value::of_int(1)));
  CHECK(check(16, Value::of_bytes("ab"), Compare::eq, Value::of_bytes("ab  ")));
  CHECK(check(16, Value::of_bytes("ab"), Compare::lt, Value::of_bytes("abc")));
  CHECK(check(18, Value::of_bytes("ab"), Compare::ne, Value::of_bytes("ab ")));
  CHECK(check(18, Value::of_bytes("\xff"), Compare::gt, Value::of_bytes("a")));
  CHECK(check(26, Value::of_bytes("b"), Compare::ge, Value::of_bytes("abc")));
  CHECK(check(0, Value::of_bytes("zz"), Compare::gt, Value::of_bytes("key")));
  CHECK(check(17, Value::of_bytes("a"), Compare::eq, Value::of_bytes(Bytes("a\0\0\0\0", 5))));
  std::string d;
  REQUIRE(decimal_from_text("-1.250", 12, 3, &d) == Error::ok);
  CHECK(check(15, Value::of_bytes(d), Compare::lt, Value::of_int(-1)));
  CHECK(check(15, Value::of_bytes(d), Compare::gt, Value::of_int(-2)));
  CHECK(check(15, Value::of_bytes(d), Compare::eq, Value::of_bytes(d)));
  CHECK(check(15, Value::of_bytes(d), Compare::lt, Value::of_int(INT64_MAX)));
  CHECK(check(15, Value::of_bytes(d), Compare::ge, Value::of_int(INT64_MIN)));
  CHECK(check(15, Value::of_bytes(d), Compare::ne, Value::of_uint(UINT64_MAX)));
  FilterWriter w;
  w.like_prefix(18, "abc");
  CHECK(matches(w, row_with(18, Value::of_bytes("abcd"))));
  CHECK(matches(w, row_with(18, Value::of_bytes("abc"))));
  CHECK_FALSE(matches(w, row_with(18, Value::of_bytes("ab"))));
  CHECK_FALSE(matches(w, row_with(18, Value::null())));
}

// Against a direct evaluation in three values: 0 false, 1 unknown, 2 true.
TEST_CASE("random trees agree with three-valued logic") {
  Prng random(4);
  for (int round = 0; round < 3000; round++) {
    auto values = base_row();
    for (std::uint16_t c = 3; c <= 12; c++) {
      if (random.chance(0.7)) values[c] = Value::of_int(static_cast<std::int64_t>(random.below(3)));
    }
    Writer image;
    REQUIRE(shape().encode(values, image) == Error::ok);
    FilterWriter w;
    std::vector<int> stack;
    for (auto n = random.between(1, 30); n > 0 || stack.size() > 1;) {
      const auto what = random.below(4);
      if ((what == 0 || n == 0) && stack.size() >= 2) {
        const int b = stack.back();
        stack.pop_back();
        const bool is_and = random.chance(0.5);
        is_and ? w.op_and() : w.op_or();
        stack.back() = is_and ? std::min(stack.back(), b) : std::max(stack.back(), b);
      } else if (what == 1 && !stack.empty()) {
        w.op_not();
        stack.back() = 2 - stack.back();
      } else if (n > 0) {
        n--;
        const auto c = static_cast<std::uint16_t>(random.between(3, 12));
        if (random.chance(0.2)) {
          w.is_null(c);
          stack.push_back(values[c].is_null() ? 2 : 0);
        } else {
          const Compare op = kAll[random.below(6)];
          const auto k = static_cast<std::int64_t>(random.below(4)) - 1;
          w.compare(c, op, Value::of_int(k));
          stack.push_back(values[c].is_null() ? 1 : expected(op, static_cast<long double>(values[c].i), k) ? 2 : 0);
        }
      }
      if (stack.size() > 30) break;
    }
    while (stack.size() > 1) {
      const int b = stack.back();
      stack.pop_back();
      w.op_and();
      stack.back() = std::min(stack.back(), b);
    }
    auto f = Filter::parse(w.view(), shape());
    if (!f.ok()) {
      REQUIRE(f.error() == Error::bad_message);  // too many items
      continue;
    }
    REQUIRE(f->matches(image.view()) == (stack[0] == 2));
  }
}

TEST_CASE("malformed filters are refused") {
  const auto error = [](auto make) {
    FilterWriter w;
    make(w);
    return Filter::parse(w.view(), shape()).error();
  };
  using W = FilterWriter&;
  const Value one = Value::of_int(1);
  CHECK(error([&](W w) { w.op_and(); }) == Error::bad_message);
  CHECK(error([&](W w) { w.op_not(); }) == Error::bad_message);
  CHECK(error([&](W w) { w.is_null(3).op_or(); }) == Error::bad_message);
  CHECK(error([&](W w) { w.is_null(3).is_null(3); }) == Error::bad_message);
  CHECK(error([&](W w) { w.is_null(99); }) == Error::no_such_column);
  CHECK(error([&](W w) { w.compare(99, Compare::eq, one); }) == Error::no_such_column);
  CHECK(error([&](W w) { w.compare(3, Compare::eq, Value::of_bytes("1")); }) == Error::value_out_of_range);
  CHECK(error([&](W w) { w.compare(18, Compare::eq, one); }) == Error::value_out_of_range);
  CHECK(error([&](W w) { w.compare(15, Compare::eq, Value::of_double(1)); }) == Error::value_out_of_range);
  CHECK(error([&](W w) { w.compare(15, Compare::eq, Value::of_bytes("1")); }) == Error::value_out_of_range);
  CHECK(error([&](W w) { w.compare(3, Compare::eq, Value::of_double(NAN)); }) == Error::value_out_of_range);
  CHECK(error([&](W w) { w.like_prefix(9, "1"); }) == Error::value_out_of_range);
  CHECK(error([&](W w) {
          for (int i = 0; i < 300; i++) w.is_null(3);
        }) == Error::bad_message);
  CHECK(error([&](W w) {
          w.is_null(3);
          for (int i = 0; i < 400; i++) w.op_not();
        }) == Error::bad_message);
  CHECK(error([&](W w) { w.like_prefix(18, std::string(20000, 'x')); }) == Error::bad_message);

  FilterWriter good;
  good.compare(9, Compare::lt, one).like_prefix(18, "abc").op_or().is_null(14).op_not().op_and();
  const std::string bytes(good.view());
  CHECK(Filter::parse(bytes, shape()).ok());
  int whole = 0;  // the first comparison alone is a filter, and what ends in OR
  for (std::size_t n = 1; n < bytes.size(); n++) {
    std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    whole += Filter::parse(Bytes(exact.data(), n), shape()).ok() ? 1 : 0;
  }
  CHECK(whole == 2);
  Prng random(6);
  const std::string image = row_with(9, one);
  for (int round = 0; round < 100000; round++) {
    std::vector<char> bad(bytes.begin(), bytes.end());
    for (auto n = random.between(1, 3); n > 0; n--) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(random.chance(0.5) ? 64 : 256));
    }
    auto f = Filter::parse(Bytes(bad.data(), bad.size()), shape());
    if (f.ok()) f->matches(image);
  }
}
