#include "store/row.h"

#include <cstring>
#include <string>

namespace ndb::store {
namespace {

using meta::Type;

bool needs_check(Type t) {
  switch (t) {
    case Type::float32:
    case Type::float64:
    case Type::decimal:
    case Type::date:
    case Type::time:
    case Type::datetime:
    case Type::timestamp:
    case Type::year:
    case Type::bit:
      return true;
    default:
      return false;
  }
}

bool all_zero(Bytes b) {
  for (char c : b) {
    if (c != 0) return false;
  }
  return true;
}

void set_bit(char* bits, std::uint16_t bit, bool value) {
  const auto mask = static_cast<unsigned char>(1u << (bit % 8));
  auto& b = reinterpret_cast<unsigned char&>(bits[bit / 8]);
  b = static_cast<unsigned char>(value ? b | mask : b & ~mask);
}

std::string quoted(const meta::Column& c) { return "column \"" + c.name + "\""; }

}  // namespace

// ---- the shape

Result<RowShape> RowShape::make(const meta::Table& table) {
  RowShape s;
  std::string why;
  if (Error e = s.check_columns(table, &why); e != Error::ok) return {e, why};
  s.place_columns(table);
  s.place_distribution(table);
  return s;
}

Error RowShape::check_columns(const meta::Table& table, std::string* why) {
  const auto refuse = [&](std::string text) {
    *why = std::move(text);
    return Error::bad_definition;
  };
  if (table.columns.empty() || table.columns.size() > limits::kColumnsMax) {
    return refuse("a table has 1 to " + std::to_string(limits::kColumnsMax) + " columns");
  }
  if (table.primary_key.empty() || table.primary_key.size() > limits::kKeyColumnsMax) {
    return refuse("a primary key has 1 to " + std::to_string(limits::kKeyColumnsMax) + " columns");
  }
  std::size_t image = (table.columns.size() + 7) / 8;
  for (const meta::Column& c : table.columns) {
    const std::uint32_t n = stored_bytes(c);
    if (n == 0) return refuse(quoted(c) + " has an impossible type or length");
    image += is_variable(c.type) ? 2 : n;
    columns_.push_back(
        {c, is_variable(c.type), false, ColumnShape::kNotNull, 0, static_cast<std::uint16_t>(n), needs_check(c.type)});
  }
  if (image > limits::kRowBytesMax) return refuse("a row would not fit into 30000 bytes");
  std::size_t key = 0;
  for (std::uint16_t c : table.primary_key) {
    if (c >= columns_.size()) return refuse("the primary key names a column that does not exist");
    if (columns_[c].in_key) return refuse(quoted(columns_[c].column) + " is in the primary key twice");
    columns_[c].in_key = true;
    key += columns_[c].bytes + (columns_[c].variable ? 2u : 0u);
  }
  if (key > limits::kKeyBytesMax) {
    return refuse("the primary key is longer than " + std::to_string(limits::kKeyBytesMax) + " bytes");
  }
  std::vector<bool> seen(columns_.size());
  for (std::uint16_t c : table.distribution_key) {
    if (c >= columns_.size() || !columns_[c].in_key || seen[c]) {
      return refuse("the distribution key is no subset of the primary key");
    }
    seen[c] = true;
  }
  return Error::ok;
}

void RowShape::place_columns(const meta::Table& table) {
  key_ = table.primary_key;
  for (ColumnShape& c : columns_) {
    if (c.column.nullable && !c.in_key) c.null_bit = null_bits_++;
  }
  null_bytes_ = static_cast<std::uint16_t>((null_bits_ + 7) / 8);
  std::uint16_t at = null_bytes_;
  const auto place = [&](std::uint16_t number) {
    ColumnShape& c = columns_[number];
    if (c.variable) {
      c.slot = static_cast<std::uint16_t>(variable_.size());
      variable_.push_back(number);
    } else {
      c.slot = at;
      at = static_cast<std::uint16_t>(at + c.bytes);
      if (c.checked) checked_.push_back(number);
      if (c.null_bit != ColumnShape::kNotNull) nullable_fixed_.push_back(number);
    }
  };
  key_in_place_ = true;
  for (std::uint16_t c : key_) {
    key_in_place_ = key_in_place_ && !columns_[c].variable;
    place(c);
  }
  key_offset_ = null_bytes_;
  key_bytes_ = static_cast<std::uint16_t>(at - null_bytes_);
  for (std::uint16_t c = 0; c < columns_.size(); c++) {
    if (!columns_[c].in_key) place(c);
  }
  variables_ = static_cast<std::uint16_t>(variable_.size());
  ends_ = at;
  heap_ = static_cast<std::uint16_t>(at + 2 * variables_);
}

void RowShape::place_distribution(const meta::Table& table) {
  distributes_.assign(key_.size(), table.distribution_key.empty());
  for (std::uint16_t c : table.distribution_key) {
    for (std::size_t i = 0; i < key_.size(); i++) {
      if (key_[i] == c) distributes_[i] = true;
    }
  }
  std::size_t prefix = 0;
  while (prefix < key_.size() && distributes_[prefix]) prefix++;
  distribution_is_key_ = prefix == key_.size();
  distribution_is_prefix_ = true;
  for (std::size_t i = 0; i < key_.size(); i++) {
    if (i >= prefix && distributes_[i]) distribution_is_prefix_ = false;
    if (i < prefix && columns_[key_[i]].variable) distribution_is_prefix_ = false;
    if (i < prefix && !columns_[key_[i]].variable) {
      distribution_bytes_ = static_cast<std::uint16_t>(distribution_bytes_ + columns_[key_[i]].bytes);
    }
  }
}

// ---- checks

bool RowShape::valid_image(Bytes image) const {
  if (image.size() < heap_ || image.size() > limits::kRowBytesMax) return false;
  if (null_bits_ % 8 != 0) {
    const auto last = static_cast<unsigned char>(image[null_bytes_ - 1u]);
    if (last >> (null_bits_ % 8) != 0) return false;
  }
  std::uint16_t start = heap_;
  for (std::uint16_t v = 0; v < variables_; v++) {
    const std::uint16_t end = end_of(image, v);
    if (end < start) return false;  // so none is beyond the last, which is the image's end
    const std::uint16_t length = static_cast<std::uint16_t>(end - start);
    if (length > columns_[variable_[v]].bytes) return false;
    if (length != 0 && is_null(image, variable_[v])) return false;
    start = end;
  }
  if (start != image.size()) return false;
  if (!all_zero(image.substr(0, null_bytes_))) {
    for (std::uint16_t c : nullable_fixed_) {
      if (is_null(image, c) && !all_zero(image.substr(columns_[c].slot, columns_[c].bytes))) return false;
    }
  }
  for (std::uint16_t c : checked_) {
    const ColumnShape& s = columns_[c];
    if (!is_null(image, c) && !valid_stored(s.column, image.substr(s.slot, s.bytes))) return false;
  }
  return true;
}

bool RowShape::valid_key(Bytes key) const {
  if (key_in_place_) return key.size() == key_bytes_;
  Reader r(key);
  for (std::uint16_t c : key_) {
    const ColumnShape& s = columns_[c];
    if (s.variable) {
      if (r.bytes16().size() > s.bytes) return false;
    } else {
      r.raw(s.bytes);
    }
  }
  return r.done();
}

// ---- keys

Bytes RowShape::gather_key(Bytes image, KeyBuffer& buffer) const {
  char* p = buffer.bytes;
  for (std::uint16_t c : key_) {
    const Bytes b = stored(image, c);
    if (columns_[c].variable) {
      save(p, static_cast<std::uint16_t>(b.size()));
      p += 2;
    }
    if (!b.empty()) std::memcpy(p, b.data(), b.size());
    p += b.size();
  }
  return {buffer.bytes, static_cast<std::size_t>(p - buffer.bytes)};
}

bool RowShape::key_equals_slow(Bytes image, Bytes key) const {
  const char* p = key.data();
  for (std::uint16_t c : key_) {
    const Bytes b = stored(image, c);
    if (columns_[c].variable) {
      if (load<std::uint16_t>(p) != b.size()) return false;
      p += 2;
    }
    if (!b.empty() && std::memcmp(p, b.data(), b.size()) != 0) return false;
    p += b.size();
  }
  return true;
}

Bytes RowShape::distribution_key(Bytes key, KeyBuffer& buffer) const {
  if (distribution_is_key_) return key;
  if (distribution_is_prefix_) return key.substr(0, distribution_bytes_);
  const char* from = key.data();
  char* to = buffer.bytes;
  for (std::size_t i = 0; i < key_.size(); i++) {
    const ColumnShape& s = columns_[key_[i]];
    const std::size_t n = s.variable ? 2u + load<std::uint16_t>(from) : s.bytes;
    if (distributes_[i]) {
      std::memcpy(to, from, n);
      to += n;
    }
    from += n;
  }
  return {buffer.bytes, static_cast<std::size_t>(to - buffer.bytes)};
}

std::uint32_t RowShape::distribution_hash(Bytes key) const {
  KeyBuffer buffer;
  return static_cast<std::uint32_t>(key_hash(distribution_key(key, buffer)));
}

// ---- columns

Bytes RowShape::stored(Bytes image, std::uint16_t column) const {
  const ColumnShape& s = columns_[column];
  if (s.variable) {
    const std::uint16_t start = start_of(image, s.slot);
    return image.substr(start, static_cast<std::size_t>(end_of(image, s.slot) - start));
  }
  if (is_null(image, column)) return {};
  return image.substr(s.slot, s.bytes);
}

Value RowShape::get(Bytes image, std::uint16_t column) const {
  if (is_null(image, column)) return Value::null();
  return from_stored(columns_[column].column, stored(image, column));
}

// ---- making

Error RowShape::encode(std::span<const Value> values, Writer& image) const {
  if (values.size() != columns_.size()) return Error::bad_row_image;
  std::size_t total = heap_;
  for (std::size_t i = 0; i < columns_.size(); i++) {
    const ColumnShape& s = columns_[i];
    const Value& v = values[i];
    if (v.is_null()) {
      if (s.null_bit == ColumnShape::kNotNull) return Error::null_in_not_null;
    } else if (s.variable) {
      if (v.kind != Value::Kind::bytes || v.bytes.size() > s.bytes) return Error::value_out_of_range;
      total += v.bytes.size();
    }
  }
  if (total > limits::kRowBytesMax) return Error::row_too_large;
  const std::size_t start = image.size();
  char* out = image.extend(total);
  std::memset(out, 0, ends_);
  std::uint16_t end = heap_;
  for (std::uint16_t v = 0; v < variables_; v++) {
    const Bytes b = values[variable_[v]].bytes;
    const bool null = values[variable_[v]].is_null();
    if (!null && !b.empty()) std::memcpy(out + end, b.data(), b.size());
    if (!null) end = static_cast<std::uint16_t>(end + b.size());
    save(out + ends_ + 2 * v, end);
  }
  for (std::size_t i = 0; i < columns_.size(); i++) {
    const ColumnShape& s = columns_[i];
    if (values[i].is_null()) {
      set_bit(out, s.null_bit, true);
    } else if (!s.variable) {
      if (Error e = to_stored(s.column, values[i], out + s.slot); e != Error::ok) {
        image.truncate(start);
        return e;
      }
    }
  }
  return Error::ok;
}

Error RowShape::encode_key(std::span<const Value> values, Writer& key) const {
  if (values.size() != key_.size()) return Error::bad_row_image;
  const std::size_t start = key.size();
  Error e = Error::ok;
  for (std::size_t i = 0; i < key_.size() && e == Error::ok; i++) {
    const ColumnShape& s = columns_[key_[i]];
    if (values[i].is_null()) {
      e = Error::null_in_not_null;
    } else if (!s.variable) {
      e = to_stored(s.column, values[i], key.extend(s.bytes));
    } else if (values[i].kind != Value::Kind::bytes || values[i].bytes.size() > s.bytes) {
      e = Error::value_out_of_range;
    } else {
      key.bytes16(values[i].bytes);
    }
  }
  if (e != Error::ok) key.truncate(start);
  return e;
}

Error RowShape::encode_patch(std::uint16_t column, const Value& value, Writer& patch) const {
  if (column >= columns_.size()) return Error::no_such_column;
  const ColumnShape& s = columns_[column];
  if (value.is_null() && s.null_bit == ColumnShape::kNotNull) return Error::null_in_not_null;
  const std::size_t start = patch.size();
  patch.u16(column);
  patch.u8(value.is_null() ? 1 : 0);
  Error e = Error::ok;
  if (value.is_null()) {
    patch.u32(0);
  } else if (!s.variable) {
    patch.u32(s.bytes);
    e = to_stored(s.column, value, patch.extend(s.bytes));
  } else if (value.kind != Value::Kind::bytes || value.bytes.size() > s.bytes) {
    e = Error::value_out_of_range;
  } else {
    patch.bytes32(value.bytes);
  }
  if (e != Error::ok) patch.truncate(start);
  return e;
}

}  // namespace ndb::store
