// Values as text, both ways.
#include <catch2/catch.hpp>

#include "client/text.h"

using namespace ndb;
using client::value_from_text;
using client::value_to_text;
using meta::Type;

namespace {
meta::Column column(Type t, std::uint32_t length = 0, unsigned precision = 0, unsigned scale = 0) {
  return {"c", t, length, static_cast<std::uint8_t>(precision), static_cast<std::uint8_t>(scale), true, {}};
}
// What the text becomes when it is read and written again; "!" = refused.
std::string there_and_back(const meta::Column& c, Bytes text) {
  store::Value v;
  std::string scratch, out;
  if (value_from_text(c, text, &v, &scratch) != Error::ok) return "!";
  char stored[64];
  if (!store::is_variable(c.type)) {
    if (store::to_stored(c, v, stored) != Error::ok) return "!";
    v = store::from_stored(c, Bytes(stored, store::stored_bytes(c)));
  }
  value_to_text(c, v, &out);
  return out;
}
}  // namespace

TEST_CASE("numbers") {
  CHECK(there_and_back(column(Type::integer), "-17") == "-17");
  CHECK(there_and_back(column(Type::integer), " +17 ") == "17");
  CHECK(there_and_back(column(Type::integer), "2147483648") == "!");
  CHECK(there_and_back(column(Type::integer), "1x") == "!");
  CHECK(there_and_back(column(Type::integer), "") == "!");
  CHECK(there_and_back(column(Type::ubigint), "18446744073709551615") == "18446744073709551615");
  CHECK(there_and_back(column(Type::utinyint), "-1") == "!");
  CHECK(there_and_back(column(Type::bit, 3), "7") == "7");
  CHECK(there_and_back(column(Type::bit, 3), "8") == "!");
  CHECK(there_and_back(column(Type::float64), "0.1") == "0.1");
  CHECK(there_and_back(column(Type::float32), "0.1") == "0.1");
  CHECK(there_and_back(column(Type::float64), "1e400") == "!");
  CHECK(there_and_back(column(Type::decimal, 0, 10, 2), "-12.345") == "-12.35");
  CHECK(there_and_back(column(Type::decimal, 0, 4, 2), "123") == "!");
}

TEST_CASE("dates and times") {
  CHECK(there_and_back(column(Type::date), "1970-01-01") == "1970-01-01");
  CHECK(there_and_back(column(Type::date), "2024-02-29") == "2024-02-29");
  CHECK(there_and_back(column(Type::date), "2023-02-29") == "!");
  CHECK(there_and_back(column(Type::date), "0000-01-01") == "0000-01-01");
  CHECK(there_and_back(column(Type::date), "9999-12-31") == "9999-12-31");
  CHECK(there_and_back(column(Type::time), "-838:59:59") == "-838:59:59");
  CHECK(there_and_back(column(Type::time), "839:00:00") == "!");
  CHECK(there_and_back(column(Type::time, 0, 0, 3), "01:02:03.4567") == "01:02:03.457");
  CHECK(there_and_back(column(Type::datetime), "1969-12-31 23:59:59") == "1969-12-31 23:59:59");
  CHECK(there_and_back(column(Type::datetime, 0, 0, 6), "2026-11-20T20:30:00.000001") == "2026-11-20 20:30:00.000001");
  CHECK(there_and_back(column(Type::datetime), "2026-11-20") == "2026-11-20 00:00:00");
  CHECK(there_and_back(column(Type::datetime), "2026-11-20 24:00:00") == "!");
  CHECK(there_and_back(column(Type::timestamp), "2026-11-20 20:30:00Z") == "2026-11-20 20:30:00");
  CHECK(there_and_back(column(Type::timestamp), "1969-01-01 00:00:00") == "!");
  CHECK(there_and_back(column(Type::year), "1900") == "!");
  // Every day survives: two Gregorian cycles around the leap rules.
  store::Value v;
  std::string scratch;
  for (std::int64_t d = -719'528; d <= 2'932'896; d += 1) {
    std::string text;
    value_to_text(column(Type::date), store::Value::of_int(d), &text);
    if (value_from_text(column(Type::date), text, &v, &scratch) != Error::ok || v.i != d) FAIL(text);
  }
}

TEST_CASE("bytes") {
  CHECK(there_and_back(column(Type::varchar, 10), " a b ") == " a b ");
  CHECK(there_and_back(column(Type::character, 4), "ab") == "ab");
}
