#include <catch2/catch.hpp>

#include "base/prng.h"
#include "store/decimal.h"
#include "store/row.h"
#include "unit/store_tables.h"

using namespace ndb;
using namespace ndb::store;
using namespace ndb::store::testing;

namespace {

bool same(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Value::Kind::null:
      return true;
    case Value::Kind::int64:
      return a.i == b.i;
    case Value::Kind::uint64:
      return a.u == b.u;
    case Value::Kind::float64:
      return a.d == b.d;
    case Value::Kind::bytes:
      return a.bytes == b.bytes;
  }
  return false;
}

std::string decimal(Bytes text, unsigned p, unsigned s) {
  std::string stored;
  REQUIRE(decimal_from_text(text, p, s, &stored) == Error::ok);
  REQUIRE(stored.size() == decimal_bytes(p));
  return stored;
}

const std::string kDecimal = [] {
  std::string s;
  decimal_from_text("-123456.789", 12, 3, &s);
  return s;
}();

std::vector<Value> every_value() {
  return {Value::of_bytes("name"),
          Value::of_int(-7),
          Value::of_bytes("ab"),
          Value::of_int(-128),
          Value::of_uint(255),
          Value::of_int(-32768),
          Value::of_uint(65535),
          Value::of_int(-8388608),
          Value::of_uint(16777215),
          Value::of_int(INT32_MIN),
          Value::of_uint(UINT32_MAX),
          Value::of_int(INT64_MIN),
          Value::of_uint(UINT64_MAX),
          Value::of_double(1.5),
          Value::of_double(-2.25e300),
          Value::of_bytes(kDecimal),
          Value::of_bytes("chr"),
          Value::of_bytes(Bytes("b\0in\1", 5)),
          Value::of_bytes("variable"),
          Value::of_bytes(Bytes("\0\1\2", 3)),
          Value::of_int(20000),
          Value::of_int(-1),
          Value::of_int(1'700'000'000'000'000),
          Value::of_int(5),
          Value::of_uint(1969),
          Value::of_uint(0x1fff),
          Value::of_bytes("some text"),
          Value::of_bytes("")};
}

std::string encoded(const RowShape& s, const std::vector<Value>& v) {
  Writer w;
  REQUIRE(s.encode(v, w) == Error::ok);
  return std::string(w.view());
}

}  // namespace

TEST_CASE("a row of every type comes back as it was") {
  const RowShape s = shape_of(every_table());
  const auto values = every_value();
  const std::string image = encoded(s, values);
  CHECK(s.valid_image(image));
  for (std::uint16_t c = 0; c < values.size(); c++) {
    INFO("column " << c);
    CHECK(same(s.get(image, c), values[c]));
  }
}

TEST_CASE("a row of nulls is small and comes back as nulls") {
  const RowShape s = shape_of(every_table());
  auto values = every_value();
  for (std::size_t c = 3; c < values.size(); c++) values[c] = Value::null();
  const std::string image = encoded(s, values);
  CHECK(s.valid_image(image));
  for (std::uint16_t c = 0; c < values.size(); c++) {
    CHECK(s.get(image, c).is_null() == (c >= 3));
    CHECK(s.is_null(image, c) == (c >= 3));
    if (c >= 3) CHECK(s.stored(image, c).empty());
  }
}

TEST_CASE("the image's layout is what the header says") {
  meta::Table t;
  t.columns = {column("a", Type::utinyint, true), column("v", Type::varchar, true, 9), column("k2", Type::usmallint),
               column("kv", Type::varchar, false, 9), column("k1", Type::uinteger)};
  t.primary_key = {4, 3, 2};
  const RowShape s = shape_of(t);
  const std::string image = encoded(s, {Value::of_uint(0x11), Value::of_bytes("xyz"), Value::of_uint(0x2233),
                                        Value::of_bytes("ab"), Value::of_uint(0x44556677)});
  CHECK(image == std::string("\0\x77\x66\x55\x44\x33\x22\x11\x0e\0\x11\0abxyz", 17));
  KeyBuffer buffer;
  CHECK(s.key_of(image, buffer) == Bytes("\x77\x66\x55\x44\2\0ab\x33\x22", 10));
  CHECK_FALSE(s.key_in_place());
}

TEST_CASE("values that do not fit are refused") {
  const RowShape s = shape_of(every_table());
  const auto good = every_value();
  const auto error = [&](std::size_t c, Value v) {
    auto values = good;
    values[c] = v;
    Writer w;
    w.u8(9);
    Error e = s.encode(values, w);
    CHECK((e == Error::ok || w.size() == 1));
    return e;
  };
  CHECK(error(0, Value::null()) == Error::null_in_not_null);
  CHECK(error(0, Value::of_bytes(std::string(21, 'x'))) == Error::value_out_of_range);
  CHECK(error(0, Value::of_int(1)) == Error::value_out_of_range);
  CHECK(error(2, Value::of_bytes("abcde")) == Error::value_out_of_range);
  CHECK(error(2, Value::of_bytes("abcd  ")) == Error::ok);
  CHECK(error(3, Value::of_int(128)) == Error::value_out_of_range);
  CHECK(error(3, Value::of_uint(127)) == Error::ok);
  CHECK(error(4, Value::of_int(-1)) == Error::value_out_of_range);
  CHECK(error(7, Value::of_int(8388608)) == Error::value_out_of_range);
  CHECK(error(8, Value::of_uint(16777216)) == Error::value_out_of_range);
  CHECK(error(11, Value::of_uint(UINT64_MAX)) == Error::value_out_of_range);
  CHECK(error(13, Value::of_double(1e300)) == Error::value_out_of_range);
  CHECK(error(14, Value::of_double(std::nan(""))) == Error::value_out_of_range);
  CHECK(error(14, Value::of_int(3)) == Error::ok);
  CHECK(error(15, Value::of_int(999999999)) == Error::ok);
  CHECK(error(15, Value::of_int(1000000000)) == Error::value_out_of_range);
  CHECK(error(15, Value::of_bytes("1.5")) == Error::value_out_of_range);
  CHECK(error(17, Value::of_bytes("123456")) == Error::value_out_of_range);
  CHECK(error(20, Value::of_int(2932897)) == Error::value_out_of_range);
  CHECK(error(21, Value::of_int(3020400000000)) == Error::value_out_of_range);
  CHECK(error(23, Value::of_int(-1)) == Error::value_out_of_range);
  CHECK(error(24, Value::of_uint(1900)) == Error::value_out_of_range);
  CHECK(error(24, Value::of_uint(0)) == Error::ok);
  CHECK(error(25, Value::of_uint(0x2000)) == Error::value_out_of_range);
  const std::string large(29900, 'x');
  CHECK(error(26, Value::of_bytes(large)) == Error::row_too_large);
}

TEST_CASE("definitions that cannot be stored are refused") {
  const auto error = [](auto change) {
    meta::Table t = every_table();
    change(t);
    return RowShape::make(t).error();
  };
  CHECK(error([](meta::Table&) {}) == Error::ok);
  CHECK(error([](meta::Table& t) { t.primary_key.clear(); }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.primary_key = {1, 1}; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.primary_key = {99}; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.primary_key = {26}; }) == Error::bad_definition);  // text
  CHECK(error([](meta::Table& t) { t.distribution_key = {5}; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.distribution_key = {1}; }) == Error::ok);
  CHECK(error([](meta::Table& t) { t.columns[2].length = 0; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.columns[16].length = 30000; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.columns[15].precision = 66; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.columns[15].scale = 13; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.columns[25].length = 65; }) == Error::bad_definition);
  CHECK(error([](meta::Table& t) { t.columns.clear(); }) == Error::bad_definition);
}

TEST_CASE("malformed images are refused without reading outside") {
  const RowShape s = shape_of(every_table());
  const std::string good = encoded(s, every_value());
  // Each on the heap at its exact length, so that the address sanitizer sees a read beyond it.
  const auto valid = [&](const std::string& image) {
    std::vector<char> exact(image.begin(), image.end());
    return s.valid_image(Bytes(exact.data(), exact.size()));
  };
  REQUIRE(valid(good));
  for (std::size_t n = 0; n < good.size(); n++) CHECK_FALSE(valid(good.substr(0, n)));
  CHECK_FALSE(valid(good + "x"));
  CHECK_FALSE(valid(std::string(40000, '\0')));
  auto no_value = every_value();
  no_value[12] = Value::null();
  std::string bad = encoded(s, no_value);
  bad[s.column(12).slot] = 1;  // a null that is not zero
  CHECK_FALSE(valid(bad));
  REQUIRE_FALSE(s.is_null(good, 18));
  bad = good;
  bad[s.column(18).null_bit / 8u] = static_cast<char>(1 << s.column(18).null_bit % 8);  // a null that has bytes
  CHECK_FALSE(valid(bad));
  bad = good;
  bad[3] = '\x80';  // 25 null bits: the last byte has seven spare ones
  CHECK_FALSE(valid(bad));
  bad = good;
  bad[s.column(25).slot + 1] = '\x3f';  // more bits than 13
  CHECK_FALSE(valid(bad));

  Prng random(1);
  for (int round = 0; round < 100000; round++) {
    bad = good;
    for (auto n = random.between(1, 4); n > 0; n--) {
      bad[random.below(bad.size())] = static_cast<char>(random.next());
    }
    if (random.chance(0.2)) bad.resize(random.below(bad.size() + 1));
    if (!valid(bad)) continue;
    KeyBuffer buffer;
    REQUIRE(s.valid_key(s.key_of(bad, buffer)));
    for (std::uint16_t c = 0; c < s.columns(); c++) s.get(bad, c);
  }
}

TEST_CASE("keys of fixed columns are part of the image, others are gathered") {
  const RowShape plain = shape_of(plain_table());
  CHECK(plain.key_in_place());
  std::vector<Value> v(10, Value::of_uint(5));
  v[0] = Value::of_uint(1);
  v[1] = Value::of_uint(2);
  const std::string image = encoded(plain, v);
  CHECK(image.size() == 40);
  KeyBuffer buffer;
  const Bytes key = plain.key_of(image, buffer);
  CHECK(key.data() == image.data());
  CHECK(key == Bytes("\1\0\0\0\2\0\0\0", 8));
  CHECK(plain.key_equals(image, key));
  CHECK_FALSE(plain.key_equals(image, Bytes("\1\0\0\0\3\0\0\0", 8)));
  CHECK(plain.hash(key) == key_hash(key));

  const RowShape s = shape_of(every_table());
  const std::string other = encoded(s, every_value());
  Writer w;
  REQUIRE(s.encode_key(std::vector<Value>{Value::of_bytes("name"), Value::of_int(-7), Value::of_bytes("ab")}, w) ==
          Error::ok);
  CHECK(s.key_of(other, buffer) == w.view());
  CHECK(s.key_equals(other, w.view()));
  CHECK(s.valid_key(w.view()));
  for (std::size_t n = 0; n < w.size(); n++) CHECK_FALSE(s.valid_key(w.view().substr(0, n)));
  w.clear();
  REQUIRE(s.encode_key(std::vector<Value>{Value::of_bytes("nam"), Value::of_int(-7), Value::of_bytes("ab")}, w) ==
          Error::ok);
  CHECK_FALSE(s.key_equals(other, w.view()));
  CHECK(s.encode_key(std::vector<Value>{Value::of_bytes("nam"), Value::null(), Value::of_bytes("ab")}, w) ==
        Error::null_in_not_null);
  CHECK_FALSE(s.valid_key(std::string(200, '\xff')));
}

TEST_CASE("the distribution key decides the bucket, the whole key the place in the index") {
  const auto key_with = [](std::vector<std::uint16_t> distribution, std::uint32_t a, std::uint32_t b) {
    meta::Table t = plain_table();
    t.distribution_key = std::move(distribution);
    const RowShape s = shape_of(t);
    char key[8];
    save(key, a);
    save(key + 4, b);
    return s.hash(Bytes(key, 8));
  };
  CHECK(key_with({}, 1, 2) == key_with({0, 1}, 1, 2));
  CHECK(meta::bucket_of(key_with({0}, 1, 2)) == meta::bucket_of(key_with({0}, 1, 3)));
  CHECK(meta::index_hash(key_with({0}, 1, 2)) != meta::index_hash(key_with({0}, 1, 3)));
  CHECK(meta::bucket_of(key_with({1}, 1, 2)) == meta::bucket_of(key_with({1}, 7, 2)));
  CHECK(meta::index_hash(key_with({1}, 1, 2)) == meta::index_hash(key_with({}, 1, 2)));
  char one[4] = {1, 0, 0, 0};
  CHECK(meta::bucket_of(key_with({0}, 1, 2)) == meta::bucket_of(key_hash(Bytes(one, 4))));

  meta::Table t = every_table();
  t.distribution_key = {0, 2};  // name and char of name, number, char
  const RowShape s = shape_of(t);
  KeyBuffer b1, b2;
  const std::string image = encoded(s, every_value());
  CHECK(s.distribution_key(s.key_of(image, b1), b2) == Bytes("\4\0nameab  ", 10));
}

TEST_CASE("a patch changes what it names and nothing else") {
  const RowShape s = shape_of(every_table());
  const auto values = every_value();
  const std::string image = encoded(s, values);
  Prng random(2);
  for (int round = 0; round < 2000; round++) {
    auto expected = values;
    Writer patch, out;
    for (auto n = random.between(0, 5); n > 0; n--) {
      const auto c = static_cast<std::uint16_t>(random.between(3, values.size() - 1));
      Value v = Value::null();
      if (random.chance(0.7)) {
        switch (values[c].kind) {
          case Value::Kind::int64:
            v = Value::of_int(static_cast<std::int64_t>(random.below(100)));
            break;
          case Value::Kind::uint64:
            v = Value::of_uint(c == 24 ? 2000 : random.below(100));
            break;
          case Value::Kind::float64:
            v = Value::of_double(static_cast<double>(random.below(100)));
            break;
          default:
            v = Value::of_bytes(c == 15   ? Bytes(kDecimal)
                                : c == 17 ? Bytes("12345")
                                          : Bytes("some more text").substr(0, random.below(6)));
            if (c == 16) v.bytes = without_blanks(v.bytes);
        }
      }
      REQUIRE(s.encode_patch(c, v, patch) == Error::ok);
      expected[c] = v;
    }
    REQUIRE(s.apply_update(image, patch.view(), out) == Error::ok);
    REQUIRE(s.valid_image(out.view()));
    REQUIRE(out.view() == encoded(s, expected));
  }
}

TEST_CASE("malformed patches are refused") {
  const RowShape s = shape_of(every_table());
  const std::string image = encoded(s, every_value());
  Writer out;
  out.u8(1);
  const auto apply = [&](auto make) {
    Writer w;
    make(w);
    Error e = s.apply_update(image, w.view(), out);
    CHECK((e == Error::ok || out.size() == 1));
    return e;
  };
  const auto entry = [](Writer& w, std::uint16_t c, std::uint8_t null, Bytes b) {
    w.u16(c);
    w.u8(null);
    w.bytes32(b);
  };
  CHECK(apply([&](Writer& w) { entry(w, 1, 0, "1234"); }) == Error::bad_row_image);   // key
  CHECK(apply([&](Writer& w) { entry(w, 0, 0, "1234"); }) == Error::bad_row_image);   // key
  CHECK(apply([&](Writer& w) { entry(w, 99, 0, "1234"); }) == Error::bad_row_image);  // no column
  CHECK(apply([&](Writer& w) { entry(w, 9, 0, "123"); }) == Error::bad_row_image);    // length
  CHECK(apply([&](Writer& w) { entry(w, 9, 2, ""); }) == Error::bad_row_image);       // null = 2
  CHECK(apply([&](Writer& w) { entry(w, 9, 1, "1234"); }) == Error::bad_row_image);   // null with bytes
  CHECK(apply([&](Writer& w) { entry(w, 18, 0, std::string(41, 'x')); }) == Error::bad_row_image);
  CHECK(apply([&](Writer& w) { entry(w, 25, 0, "\xff\xff"); }) == Error::bad_row_image);  // 13 bits
  CHECK(apply([&](Writer& w) { entry(w, 26, 0, std::string(29990, 'x')); }) == Error::row_too_large);
  CHECK(apply([&](Writer& w) { w.u8(1); }) == Error::bad_row_image);
  CHECK(apply([&](Writer& w) {
          entry(w, 18, 0, "ok");
          w.u16(9);
        }) == Error::bad_row_image);
  meta::Table t = every_table();
  t.columns[9].nullable = false;
  const RowShape not_null = shape_of(t);
  Writer w, to;
  entry(w, 9, 1, "");
  CHECK(not_null.apply_update(encoded(not_null, every_value()), w.view(), to) == Error::null_in_not_null);
  CHECK(not_null.encode_patch(9, Value::null(), w) == Error::null_in_not_null);
}

TEST_CASE("decimals are exact, ordered, and rounded away from zero") {
  const auto round_trip = [](Bytes text, unsigned p, unsigned s) { return decimal_to_text(decimal(text, p, s), s); };
  CHECK(round_trip("0", 1, 0) == "0");
  CHECK(round_trip("-0.00", 5, 2) == "0.00");
  CHECK(round_trip("1.5", 5, 2) == "1.50");
  CHECK(round_trip("-.05", 5, 2) == "-0.05");
  CHECK(round_trip("+12.345", 5, 2) == "12.35");
  CHECK(round_trip("-12.345", 5, 2) == "-12.35");
  CHECK(round_trip("12.34499999", 5, 2) == "12.34");
  const std::string nines(65, '9');
  CHECK(round_trip(nines, 65, 0) == nines);
  CHECK(round_trip("-" + nines, 65, 0) == "-" + nines);
  CHECK(round_trip("0." + nines.substr(0, 30), 30, 30) == "0." + nines.substr(0, 30));
  std::string out;
  CHECK(decimal_from_text("0.99", 1, 1, &out) == Error::value_out_of_range);
  CHECK(decimal_from_text("9.99", 2, 1, &out) == Error::value_out_of_range);
  CHECK(decimal_from_text("1000", 5, 2, &out) == Error::value_out_of_range);
  CHECK(decimal_from_text("1" + nines, 65, 0, &out) == Error::value_out_of_range);
  for (Bytes bad : {"", ".", "-", "1e5", "1.2.3", " 1", "--1"}) {
    CHECK(decimal_from_text(bad, 10, 2, &out) == Error::value_out_of_range);
  }
  CHECK(decimal("-2", 9, 0) < decimal("-1", 9, 0));
  CHECK(decimal("-1", 9, 0) < decimal("0", 9, 0));
  CHECK(decimal("0", 9, 0) < decimal("1", 9, 0));
  CHECK(decimal("255", 9, 0) < decimal("256", 9, 0));
  CHECK(decimal_in_range(decimal("999", 3, 0), 3));
  CHECK_FALSE(decimal_in_range(decimal("1000", 4, 0), 3));
  CHECK(decimal_bytes(65) == 28);
  CHECK(decimal_bytes(0) == 0);
}
