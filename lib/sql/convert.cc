#include "sql/convert.h"

#include <cmath>

#include "client/text.h"

namespace ndb::sql {

using meta::Type;
using store::Value;

namespace {

Bytes text_of(sqlite3_value* v) {
  const auto* t = reinterpret_cast<const char*>(sqlite3_value_text(v));
  return {t, static_cast<std::size_t>(sqlite3_value_bytes(v))};
}
Bytes blob_of(sqlite3_value* v) {
  const auto* t = static_cast<const char*>(sqlite3_value_blob(v));
  return {t, static_cast<std::size_t>(sqlite3_value_bytes(v))};
}

bool is_bytes(Type t) {
  return t == Type::character || t == Type::varchar || t == Type::text || t == Type::binary || t == Type::varbinary ||
         t == Type::blob;
}
bool is_binary(Type t) { return t == Type::binary || t == Type::varbinary || t == Type::blob; }
bool is_time(Type t) { return t == Type::date || t == Type::time || t == Type::datetime || t == Type::timestamp; }

}  // namespace

Error from_sqlite(const meta::Column& c, sqlite3_value* v, Value* out, std::string* scratch) {
  const int kind = sqlite3_value_type(v);
  if (kind == SQLITE_NULL) {
    *out = Value::null();
    return Error::ok;
  }
  if (is_bytes(c.type)) {
    *out = Value::of_bytes(kind == SQLITE_BLOB ? blob_of(v) : text_of(v));
    return Error::ok;
  }
  if (kind == SQLITE_TEXT || kind == SQLITE_BLOB) return client::value_from_text(c, text_of(v), out, scratch);
  if (is_time(c.type)) return Error::value_out_of_range;
  if (c.type == Type::decimal) {  // a REAL has the digits that 15 places can show
    if (kind == SQLITE_INTEGER) {
      *out = Value::of_int(sqlite3_value_int64(v));
      return Error::ok;
    }
    char digits[400];
    const int n = std::snprintf(digits, sizeof digits, "%.*f", c.scale, sqlite3_value_double(v));
    return client::value_from_text(c, Bytes(digits, static_cast<std::size_t>(n)), out, scratch);
  }
  if (kind == SQLITE_INTEGER) {
    *out = Value::of_int(sqlite3_value_int64(v));
    return Error::ok;
  }
  const double d = sqlite3_value_double(v);
  if (c.type == Type::float32 || c.type == Type::float64) {
    *out = Value::of_double(d);
    return Error::ok;
  }
  if (d != std::floor(d) || std::fabs(d) > 9e15) return Error::value_out_of_range;  // 1.5 is no integer
  *out = Value::of_int(static_cast<std::int64_t>(d));
  return Error::ok;
}

void to_sqlite(const meta::Column& c, const Value& v, sqlite3_context* ctx) {
  switch (v.kind) {
    case Value::Kind::null:
      sqlite3_result_null(ctx);
      return;
    case Value::Kind::float64:
      sqlite3_result_double(ctx, v.d);
      return;
    case Value::Kind::int64:
      if (!is_time(c.type)) {
        sqlite3_result_int64(ctx, v.i);
        return;
      }
      break;
    case Value::Kind::uint64:
      if (v.u <= INT64_MAX) {
        sqlite3_result_int64(ctx, static_cast<std::int64_t>(v.u));
        return;
      }
      break;
    case Value::Kind::bytes:
      if (c.type == Type::decimal) break;
      if (is_binary(c.type))
        sqlite3_result_blob(ctx, v.bytes.data(), static_cast<int>(v.bytes.size()), SQLITE_TRANSIENT);
      else
        sqlite3_result_text(ctx, v.bytes.data(), static_cast<int>(v.bytes.size()), SQLITE_TRANSIENT);
      return;
  }
  std::string text;
  client::value_to_text(c, v, &text);
  if (c.type == Type::decimal && c.precision <= 15) {
    if (c.scale == 0)
      sqlite3_result_int64(ctx, std::stoll(text));
    else
      sqlite3_result_double(ctx, std::stod(text));
    return;
  }
  sqlite3_result_text(ctx, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

bool filter_constant(const meta::Column& c, sqlite3_value* v, Value* out, std::string* scratch) {
  const int kind = sqlite3_value_type(v);
  if (is_time(c.type)) {  // only in the one form that compares as the time does
    if (kind != SQLITE_TEXT || c.type == Type::time) return false;
    if (client::value_from_text(c, text_of(v), out, scratch) != Error::ok) return false;
    std::string back;
    client::value_to_text(c, *out, &back);
    return back == text_of(v);
  }
  if (is_bytes(c.type)) {
    if (is_binary(c.type) || kind != SQLITE_TEXT) return false;
    *out = Value::of_bytes(text_of(v));
    return out->bytes.empty() || out->bytes.back() != ' ';
  }
  if (c.type == Type::decimal || c.type == Type::bit) return false;
  if (kind == SQLITE_INTEGER) {
    *out = Value::of_int(sqlite3_value_int64(v));
    return true;
  }
  if (kind != SQLITE_FLOAT) return false;
  *out = Value::of_double(sqlite3_value_double(v));
  return std::isfinite(out->d);
}

}  // namespace ndb::sql
