// Tables for the tests of lib/store.
#pragma once
#include "store/row.h"

namespace ndb::store::testing {

using meta::Type;

inline meta::Column column(std::string name, Type type, bool nullable = false, std::uint32_t length = 0,
                           std::uint8_t precision = 0, std::uint8_t scale = 0) {
  meta::Column c;
  c.name = std::move(name);
  c.type = type;
  c.length = length;
  c.precision = precision;
  c.scale = scale;
  c.nullable = nullable;
  return c;
}

// Two integers as the key and eight more: images of 40 bytes.
inline meta::Table plain_table() {
  meta::Table t;
  t.name = "plain";
  for (int i = 0; i < 10; i++) t.columns.push_back(column("c" + std::to_string(i), Type::uinteger));
  t.primary_key = {0, 1};
  return t;
}

// Every type once; the key is a varchar, an integer and a char.
inline meta::Table every_table() {
  meta::Table t;
  t.name = "every";
  t.columns = {
      column("k_name", Type::varchar, false, 20),
      column("k_number", Type::integer),
      column("k_char", Type::character, false, 4),
      column("i8", Type::tinyint, true),
      column("u8", Type::utinyint, true),
      column("i16", Type::smallint, true),
      column("u16", Type::usmallint, true),
      column("i24", Type::mediumint, true),
      column("u24", Type::umediumint, true),
      column("i32", Type::integer, true),
      column("u32", Type::uinteger, true),
      column("i64", Type::bigint, true),
      column("u64", Type::ubigint, true),
      column("f32", Type::float32, true),
      column("f64", Type::float64, true),
      column("dec", Type::decimal, true, 0, 12, 3),
      column("chr", Type::character, true, 6),
      column("bin", Type::binary, true, 5),
      column("vch", Type::varchar, true, 40),
      column("vbn", Type::varbinary, true, 300),
      column("day", Type::date, true),
      column("tim", Type::time, true),
      column("dtm", Type::datetime, true),
      column("tsp", Type::timestamp, true),
      column("yea", Type::year, true),
      column("bit", Type::bit, true, 13),
      column("txt", Type::text, true),
      column("blb", Type::blob, true),
  };
  t.primary_key = {0, 1, 2};
  return t;
}

inline RowShape shape_of(const meta::Table& t) {
  auto s = RowShape::make(t);
  NDB_CHECK(s.ok());
  return *s;
}

}  // namespace ndb::store::testing
