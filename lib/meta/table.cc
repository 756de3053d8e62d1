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

}  // namespace

Failure check_definition(const Table& t) {
  if (auto wrong = wrong_name(t.name); !wrong.empty()) return bad("the name of the table " + wrong);
  if (auto f = check_columns(t)) return f;
  if (auto f = check_primary_key(t)) return f;
  return check_distribution_key(t);
}

// --- maps

std::vector<FragmentId> initial_map(std::uint32_t fragments) {
  NDB_CHECK(fragments > 0 && fragments <= limits::kFragmentsMax);
  std::vector<FragmentId> map(limits::kBuckets);
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) map[i] = static_cast<FragmentId>(i % fragments);
  return map;
}

std::vector<FragmentId> extended_map(const std::vector<FragmentId>& old, std::uint32_t old_n, std::uint32_t new_n) {
  NDB_CHECK(old.size() == limits::kBuckets);
  NDB_CHECK(old_n > 0 && new_n > old_n && new_n <= limits::kFragmentsMax);
  std::vector<FragmentId> map = old;
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) {
    if (i % new_n >= old_n) map[i] = static_cast<FragmentId>(i % new_n);
  }
  return map;
}

namespace {

struct Share {
  std::uint32_t owned = 0;  // buckets now
  std::uint32_t quota = 0;  // buckets afterwards
  bool stays = false;       // it owned buckets before
};

// Even quotas; the odd buckets go to those that own most. While no fragment leaves (`growing`), one
// that stays gets none from another, so what it lacks goes to the new ones.
void set_quotas(std::vector<Share>& shares, const std::vector<FragmentId>& to, bool growing) {
  std::vector<FragmentId> order = to;
  std::stable_sort(order.begin(), order.end(),
                   [&](FragmentId a, FragmentId b) { return shares[a].owned > shares[b].owned; });
  const auto n = static_cast<std::uint32_t>(order.size());
  std::uint32_t missing = 0;
  std::vector<FragmentId> fresh;
  for (std::uint32_t i = 0; i < n; i++) {
    Share& s = shares[order[i]];
    s.quota = limits::kBuckets / n + (i < limits::kBuckets % n ? 1 : 0);
    if (!s.stays) fresh.push_back(order[i]);
    if (growing && s.stays && s.owned < s.quota) {
      missing += s.quota - s.owned;
      s.quota = s.owned;
    }
  }
  NDB_CHECK(missing == 0 || !fresh.empty());
  for (std::uint32_t i = 0; i < missing; i++) shares[fresh[i % fresh.size()]].quota++;
}

}  // namespace

std::vector<FragmentId> balanced_map(const std::vector<FragmentId>& old, const std::vector<FragmentId>& from,
                                     const std::vector<FragmentId>& to) {
  NDB_CHECK(old.size() == limits::kBuckets);
  NDB_CHECK(!to.empty() && to.size() <= limits::kBuckets);
  const std::size_t ids = std::max(std::size_t{*std::max_element(to.begin(), to.end())},
                                   std::size_t{*std::max_element(old.begin(), old.end())}) +
                          1;
  std::vector<Share> shares(ids);
  for (const FragmentId f : old) shares[f].owned++;
  bool growing = true;
  for (const FragmentId f : from) {
    const bool stays = std::find(to.begin(), to.end(), f) != to.end();
    shares[f].stays = stays;
    growing = growing && stays;
  }
  set_quotas(shares, to, growing);

  std::vector<FragmentId> map = old;
  std::vector<std::uint32_t> homeless;
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) {
    Share& s = shares[old[i]];
    if (s.owned <= s.quota) continue;
    s.owned--;
    homeless.push_back(i);
  }
  std::size_t turn = 0;
  for (const std::uint32_t i : homeless) {
    while (shares[to[turn % to.size()]].owned >= shares[to[turn % to.size()]].quota) turn++;
    const FragmentId f = to[turn++ % to.size()];
    shares[f].owned++;
    map[i] = f;
  }
  return map;
}

// --- bytes

namespace {

enum class MapForm : std::uint8_t { empty = 0, regular, listed };  // regular: bucket i -> i mod n

void encode_map(Writer& w, const std::vector<FragmentId>& map) {
  if (map.empty()) return w.u8(static_cast<std::uint8_t>(MapForm::empty));
  NDB_CHECK(map.size() == limits::kBuckets);
  const std::uint32_t n = *std::max_element(map.begin(), map.end()) + 1u;
  bool regular = true;
  for (std::uint32_t i = 0; i < limits::kBuckets && regular; i++) regular = map[i] == i % n;
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
  w.u8(codec::kFormat);
  w.u32(t.id);
  w.bytes32(t.name);
  codec::count(w, t.columns.size());
  for (const Column& c : t.columns) encode(w, c);
  encode(w, t.primary_key);
  encode(w, t.distribution_key);
  encode(w, t.distribution);
  w.u64(t.created);
}

bool decode(Reader& r, Table* t) {
  Table v;
  codec::format(r);
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
  if (r.bad()) return false;
  *t = std::move(v);
  return true;
}

}  // namespace ndb::meta
