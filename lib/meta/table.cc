#include "meta/table.h"

#include <algorithm>

#include "meta/codec.h"
#include "meta/words.h"

namespace ndb::meta {

const char* name_of(Phase p) {
  switch (p) {
    case Phase::none:
      return "none";
    case Phase::prepare:
      return "prepare";
    case Phase::doubling:
      return "doubling";
    case Phase::copying:
      return "copying";
    case Phase::deciding:
      return "deciding";
    case Phase::switched:
      return "switched";
    case Phase::settling:
      return "settling";
    case Phase::cleaning:
      return "cleaning";
  }
  return "unknown";
}

const char* name_of(Type t) {
  static const char* const names[] = {"",
                                      "tinyint",
                                      "tinyint unsigned",
                                      "smallint",
                                      "smallint unsigned",
                                      "mediumint",
                                      "mediumint unsigned",
                                      "int",
                                      "int unsigned",
                                      "bigint",
                                      "bigint unsigned",
                                      "float",
                                      "double",
                                      "decimal",
                                      "char",
                                      "varchar",
                                      "binary",
                                      "varbinary",
                                      "date",
                                      "time",
                                      "datetime",
                                      "timestamp",
                                      "year",
                                      "bit",
                                      "text",
                                      "blob"};
  const auto i = static_cast<std::size_t>(t);
  return i < std::size(names) ? names[i] : "unknown";
}

// --- definition

std::uint32_t bytes_max(const Column& c) {
  switch (c.type) {
    case Type::tinyint:
    case Type::utinyint:
      return 1;
    case Type::smallint:
    case Type::usmallint:
    case Type::year:
      return 2;
    case Type::mediumint:
    case Type::umediumint:
    case Type::integer:
    case Type::uinteger:
    case Type::float32:
    case Type::date:
      return 4;
    case Type::bigint:
    case Type::ubigint:
    case Type::float64:
    case Type::time:
    case Type::datetime:
    case Type::timestamp:
      return 8;
    case Type::decimal:
      return c.precision / 2u + 2;
    case Type::character:
    case Type::binary:
      return c.length;
    case Type::varchar:
    case Type::varbinary:
      return c.length + 2;
    case Type::bit:
      return (c.length + 7) / 8;
    case Type::text:
    case Type::blob:
      return 4;
  }
  return 0;
}

namespace {

// Empty = fine, else what is wrong with it.
std::string wrong_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > limits::kNameBytesMax) return words("is longer than ", limits::kNameBytesMax, " bytes");
  for (const char ch : name) {
    const auto u = static_cast<unsigned char>(ch);
    if (u < 0x20 || u == 0x7f) return "contains a control character";
  }
  if (name.front() == ' ' || name.back() == ' ') return "begins or ends with a blank";
  return {};
}

// Empty = fine.
std::string wrong_column(const Column& c) {
  switch (c.type) {
    case Type::character:
    case Type::binary:
      if (c.length < 1 || c.length > 255) return "takes a length of 1 to 255 bytes";
      break;
    case Type::varchar:
    case Type::varbinary:
      if (c.length < 1 || c.length > limits::kRowBytesMax) {
        return words("takes a length of 1 to ", limits::kRowBytesMax, " bytes");
      }
      break;
    case Type::bit:
      if (c.length < 1 || c.length > 64) return "takes a length of 1 to 64 bits";
      break;
    case Type::decimal:
      if (c.precision < 1 || c.precision > 65) return "takes a precision of 1 to 65 digits";
      if (c.scale > 30 || c.scale > c.precision) return "takes a scale of at most 30 and of at most its precision";
      break;
    case Type::time:
    case Type::datetime:
    case Type::timestamp:
      if (c.scale > 6) return "takes at most 6 fractional digits";
      break;
    default:
      break;
  }
  if (c.default_value && c.default_value->size() > limits::kMetaTextBytesMax) return "has too long a default";
  return {};
}

Failure bad(std::string text) { return {Error::bad_definition, std::move(text)}; }

Failure check_columns(const Table& t) {
  if (t.columns.empty() || t.columns.size() > limits::kColumnsMax) {
    return bad(words("a table takes 1 to ", limits::kColumnsMax, " columns, \"", t.name, "\" has ", t.columns.size()));
  }
  std::vector<std::string> names;
  std::uint64_t row_bytes = (t.columns.size() + 7) / 8;
  for (const Column& c : t.columns) {
    if (auto wrong = wrong_name(c.name); !wrong.empty()) {
      return bad(words("the name of column ", names.size() + 1, " ", wrong));
    }
    if (auto wrong = wrong_column(c); !wrong.empty()) {
      return bad(words("column \"", c.name, "\": ", name_of(c.type), " ", wrong));
    }
    std::string name = c.name;
    std::transform(name.begin(), name.end(), name.begin(), lower);
    names.push_back(std::move(name));
    row_bytes += bytes_max(c);
  }
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return bad(words("two columns have the name \"", *twice, "\""));
  }
  if (row_bytes > limits::kRowBytesMax) {
    return bad(words("a row could take ", row_bytes, " bytes, more than ", limits::kRowBytesMax,
                     "; use text or blob for long values"));
  }
  return {};
}

Failure check_primary_key(const Table& t) {
  if (t.primary_key.empty()) return bad(words("table \"", t.name, "\" needs a primary key"));
  if (t.primary_key.size() > limits::kKeyColumnsMax) {
    return bad(words("a primary key takes at most ", limits::kKeyColumnsMax, " columns"));
  }
  std::uint64_t key_bytes = 0;
  for (std::size_t i = 0; i < t.primary_key.size(); i++) {
    const std::uint16_t number = t.primary_key[i];
    if (number >= t.columns.size()) return bad("the primary key names a column that does not exist");
    const Column& c = t.columns[number];
    if (std::find(t.primary_key.begin(), t.primary_key.begin() + static_cast<std::ptrdiff_t>(i), number) !=
        t.primary_key.begin() + static_cast<std::ptrdiff_t>(i)) {
      return bad(words("column \"", c.name, "\" is in the primary key twice"));
    }
    if (c.nullable) return bad(words("column \"", c.name, "\" is in the primary key and must be not null"));
    if (c.type == Type::float32 || c.type == Type::float64 || c.type == Type::text || c.type == Type::blob) {
      return bad(words("column \"", c.name, "\" of type ", name_of(c.type), " cannot be in the primary key"));
    }
    key_bytes += bytes_max(c);
  }
  if (key_bytes > limits::kKeyBytesMax) {
    return bad(words("a primary key could take ", key_bytes, " bytes, more than ", limits::kKeyBytesMax));
  }
  return {};
}

Failure check_distribution_key(const Table& t) {
  std::vector<std::uint16_t> seen;
  for (const std::uint16_t number : t.distribution_key) {
    if (std::find(t.primary_key.begin(), t.primary_key.end(), number) == t.primary_key.end()) {
      return bad("the distribution key must be a part of the primary key");
    }
    if (std::find(seen.begin(), seen.end(), number) != seen.end()) {
      return bad(words("column \"", t.columns[number].name, "\" is in the distribution key twice"));
    }
    seen.push_back(number);
  }
  return {};
}

// A unique index is as good as the hidden table that it makes.
Failure check_unique(const Table& t) {
  if (t.unique.size() > limits::kUniqueIndexesMax) {
    return bad(words("a table takes at most ", limits::kUniqueIndexesMax, " unique indexes"));
  }
  if (!t.unique.empty() && t.index_of != 0) return bad("an index has no indexes");
  std::vector<std::string> names;
  for (const UniqueIndex& i : t.unique) {
    if (auto wrong = wrong_name(i.name); !wrong.empty()) return bad("the name of a unique index " + wrong);
    std::string name = i.name;
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return bad(words("two unique indexes have the name \"", i.name, "\""));
    }
    names.push_back(std::move(name));
    for (const std::uint16_t c : i.columns) {
      if (c >= t.columns.size()) return bad("a unique index names a column that does not exist");
    }
    Failure f;
    const Table hidden = hidden_table(t, i);
    if (auto wrong = wrong_name(hidden.name); !wrong.empty()) f = bad("the name of its table " + wrong);
    if (!f) f = check_columns(hidden);
    if (!f) f = check_primary_key(hidden);
    if (f) return bad(words("unique index \"", i.name, "\": ", f.text));
  }
  return {};
}

}  // namespace

Failure check_definition(const Table& t) {
  if (auto wrong = wrong_name(t.name); !wrong.empty()) return bad("the name of the table " + wrong);
  if (auto f = check_columns(t)) return f;
  if (auto f = check_primary_key(t)) return f;
  if (auto f = check_distribution_key(t)) return f;
  return check_unique(t);
}

std::string default_index_name(const Table& t, const std::vector<std::uint16_t>& columns) {
  std::string name;
  for (const std::uint16_t c : columns) name += (name.empty() ? "" : "_") + t.columns[c].name;
  return name;
}

Table hidden_table(const Table& t, const UniqueIndex& index) {
  Table hidden;
  hidden.name = words(t.name, "$", index.name);
  for (const std::uint16_t c : index.columns) {
    hidden.primary_key.push_back(static_cast<std::uint16_t>(hidden.columns.size()));
    hidden.columns.push_back(t.columns[c]);
  }
  for (const std::uint16_t c : t.primary_key) {
    if (std::find(index.columns.begin(), index.columns.end(), c) == index.columns.end()) {
      hidden.columns.push_back(t.columns[c]);
    }
  }
  for (Column& c : hidden.columns) {
    c.nullable = false;
    c.default_value.reset();
  }
  hidden.index_of = t.id;
  return hidden;
}

// --- bytes

namespace {

enum class MapForm : std::uint8_t { empty = 0, regular, listed };  // regular: bucket i -> i mod n

void encode_map(Writer& w, const std::vector<FragmentId>& map) {
  if (map.empty()) return w.u8(static_cast<std::uint8_t>(MapForm::empty));
  NDB_CHECK(map.size() == limits::kBuckets);
  const std::uint32_t n = *std::max_element(map.begin(), map.end()) + 1u;
  bool regular = true;
  std::uint32_t due = 0;  // i mod n: a division for each bucket would take most of the time
  for (std::uint32_t i = 0; i < limits::kBuckets && regular; i++) {
    regular = map[i] == due;
    if (++due == n) due = 0;
  }
  if (regular) {
    w.u8(static_cast<std::uint8_t>(MapForm::regular));
    w.u16(static_cast<std::uint16_t>(n));
    return;
  }
  w.u8(static_cast<std::uint8_t>(MapForm::listed));
  w.raw(Bytes(reinterpret_cast<const char*>(map.data()), map.size() * sizeof(FragmentId)));
}

std::vector<FragmentId> decode_map(Reader& r, std::size_t fragments) {
  const auto form = codec::number(r, MapForm::listed);
  if (form == MapForm::empty) return {};
  if (form == MapForm::regular) {
    const std::uint16_t n = r.u16();
    if (n == 0 || n > fragments) {
      r.fail();
      return {};
    }
    return initial_map(n);
  }
  const Bytes b = r.raw(limits::kBuckets * sizeof(FragmentId));
  if (r.bad()) return {};
  std::vector<FragmentId> map(limits::kBuckets);
  std::memcpy(map.data(), b.data(), b.size());
  for (const FragmentId f : map) {
    if (f >= fragments) {
      r.fail();
      return {};
    }
  }
  return map;
}

void encode(Writer& w, const Distribution& d) {
  codec::count(w, d.groups.size());
  for (const GroupId g : d.groups) w.u32(g);
  encode_map(w, d.map);
  encode_map(w, d.next);
  w.u8(static_cast<std::uint8_t>(d.phase));
  codec::count(w, d.steps.size());
  for (const PhaseStep& s : d.steps) {
    w.u64(s.view);
    w.u8(static_cast<std::uint8_t>(s.phase));
  }
  w.u64(d.view);
}

void decode(Reader& r, Distribution* d) {
  d->groups.resize(codec::count(r, limits::kFragmentsMax, sizeof(GroupId)));
  for (GroupId& g : d->groups) {
    g = r.u32();
    if (g >= limits::kGroupsMax && g != kNoGroup) r.fail();
  }
  d->map = decode_map(r, d->groups.size());
  d->next = decode_map(r, d->groups.size());
  d->phase = codec::number(r, Phase::cleaning);
  if (d->map.empty() && (!d->next.empty() || !d->groups.empty())) r.fail();
  if (d->next.empty() != (d->phase == Phase::none)) r.fail();
  d->steps.resize(codec::count(r, static_cast<std::size_t>(Phase::cleaning), sizeof(View) + 1));
  for (PhaseStep& s : d->steps) {
    s.view = r.u64();
    s.phase = codec::number(r, Phase::cleaning, Phase::prepare);
  }
  d->view = r.u64();
}

constexpr std::uint8_t kFormatOfIndexes = 2;

void encode(Writer& w, const Column& c) {
  w.bytes32(c.name);
  w.u8(static_cast<std::uint8_t>(c.type));
  w.u32(c.length);
  w.u8(c.precision);
  w.u8(c.scale);
  codec::flag(w, c.nullable);
  codec::flag(w, c.default_value.has_value());
  if (c.default_value) w.bytes32(*c.default_value);
}

void decode(Reader& r, Column* c) {
  // Longer than allowed is for check_definition to say; here only the memory is bounded.
  c->name = codec::text(r, limits::kMetaTextBytesMax);
  c->type = codec::number(r, Type::blob, Type::tinyint);
  c->length = r.u32();
  c->precision = r.u8();
  c->scale = r.u8();
  c->nullable = codec::flag(r);
  if (codec::flag(r)) c->default_value = codec::text(r, limits::kMetaTextBytesMax);
}

void encode(Writer& w, const std::vector<std::uint16_t>& numbers) {
  codec::count(w, numbers.size());
  for (const std::uint16_t n : numbers) w.u16(n);
}

std::vector<std::uint16_t> decode_numbers(Reader& r) {
  std::vector<std::uint16_t> numbers(codec::count(r, UINT16_MAX, sizeof(std::uint16_t)));
  for (std::uint16_t& n : numbers) n = r.u16();
  return numbers;
}

}  // namespace

void encode(Writer& w, const Table& t) {
  w.u8(t.kept_by_clients() ? kFormatOfIndexes : codec::kFormat);
  w.u32(t.id);
  w.bytes32(t.name);
  codec::count(w, t.columns.size());
  for (const Column& c : t.columns) encode(w, c);
  encode(w, t.primary_key);
  encode(w, t.distribution_key);
  encode(w, t.distribution);
  w.u64(t.created);
  if (!t.kept_by_clients()) return;
  codec::count(w, t.unique.size());
  for (const UniqueIndex& i : t.unique) {
    w.bytes32(i.name);
    encode(w, i.columns);
    w.u32(i.table);
  }
  w.u32(t.index_of);
}

bool decode(Reader& r, Table* t) {
  Table v;
  const std::uint8_t format = r.u8();
  if (format != codec::kFormat && format != kFormatOfIndexes) r.fail();
  v.id = r.u32();
  v.name = codec::text(r, limits::kMetaTextBytesMax);
  v.columns.resize(codec::count(r, UINT16_MAX, 13));
  for (Column& c : v.columns) {
    if (r.bad()) return false;
    decode(r, &c);
  }
  v.primary_key = decode_numbers(r);
  v.distribution_key = decode_numbers(r);
  decode(r, &v.distribution);
  v.created = r.u64();
  if (format == kFormatOfIndexes) {
    v.unique.resize(codec::count(r, limits::kUniqueIndexesMax, 12));
    for (UniqueIndex& i : v.unique) {
      i.name = codec::text(r, limits::kMetaTextBytesMax);
      i.columns = decode_numbers(r);
      i.table = r.u32();
    }
    v.index_of = r.u32();
    if (!v.kept_by_clients()) r.fail();  // one form only
  }
  if (r.bad()) return false;
  *t = std::move(v);
  return true;
}

}  // namespace ndb::meta
