#include "rows.h"

#include "base/hash.h"
#include "base/prng.h"

namespace ndb::traffic {

using client::Value;
using meta::Type;

std::string RowMaker::refusal() const {
  const meta::Table& t = table_.definition();
  const bool number = t.primary_key.size() == 1 && t.columns[t.primary_key[0]].type >= Type::integer &&
                      t.columns[t.primary_key[0]].type <= Type::ubigint;
  if (!number) return "the primary key of table '" + t.name + "' is not one column of type int or bigint";
  for (const meta::Column& c : t.columns) {
    if (c.type == Type::decimal && !c.nullable) return "column '" + c.name + "' of type decimal is not nullable";
  }
  return {};
}

Value RowMaker::value(const meta::Column& c, std::uint64_t mixed, std::string* text) const {
  const auto small = static_cast<std::int64_t>(mixed % 100);
  switch (c.type) {
    case Type::decimal:
      return Value::null();
    case Type::float32:
    case Type::float64:
      return Value::of_double(static_cast<double>(small));
    case Type::year:
      return Value::of_uint(2000 + mixed % 50);
    case Type::bit:
      return Value::of_uint(mixed & 1);
    case Type::character:
    case Type::varchar:
    case Type::binary:
    case Type::varbinary:
    case Type::text:
    case Type::blob: {
      static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
      const bool fixed = c.type == Type::character || c.type == Type::binary;
      const std::size_t most = c.length == 0 ? 12 : c.length;
      const std::size_t n = fixed ? most : std::min<std::size_t>(most, 1 + mixed % 12);
      text->clear();
      for (std::size_t i = 0; i < n; i++) *text += kLetters[(mixed >> (5 * (i % 12))) & 31];
      return Value::of_bytes(*text);
    }
    default:
      return Value::of_int(small);
  }
}

const std::vector<Value>& RowMaker::make(std::int64_t id, std::uint64_t version) {
  const meta::Table& t = table_.definition();
  values_.assign(t.columns.size(), {});
  texts_.resize(t.columns.size());
  Prng prng(static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15u + version);
  for (std::size_t i = 0; i < t.columns.size(); i++) values_[i] = value(t.columns[i], prng.next(), &texts_[i]);
  values_[key_column()] = Value::of_int(id);
  return values_;
}

std::string RowMaker::image(std::int64_t id, std::uint64_t version) {
  Writer w;
  const Error e = table_.shape().encode(make(id, version), w);
  return e == Error::ok ? std::string(w.view()) : std::string();
}

std::uint64_t key_name(const client::Table& table, Bytes image) {
  store::KeyBuffer buffer;
  return key_hash(table.shape().key_of(image, buffer));
}

}  // namespace ndb::traffic
