// RowShape::apply_update: an image, changed by a patch.
#include <cstring>

#include "store/row.h"

namespace ndb::store {
namespace {

struct Entry {
  std::uint16_t column;
  bool null;
  Bytes stored;
};

// false: malformed.
bool read_entry(Reader& r, Entry* e) {
  e->column = r.u16();
  const std::uint8_t null = r.u8();
  e->stored = r.bytes32();
  e->null = null != 0;
  return !r.bad() && null <= 1 && (!e->null || e->stored.empty());
}

Error check_entry(const RowShape& shape, const Entry& e) {
  if (e.column >= shape.columns()) return Error::bad_row_image;
  const ColumnShape& s = shape.column(e.column);
  if (s.in_key) return Error::bad_row_image;
  if (e.null) return s.null_bit == ColumnShape::kNotNull ? Error::null_in_not_null : Error::ok;
  if (s.variable ? e.stored.size() > s.bytes : e.stored.size() != s.bytes) return Error::bad_row_image;
  if (s.checked && !valid_stored(s.column, e.stored)) return Error::bad_row_image;
  return Error::ok;
}

// The part that a fixed column and every column's null bit take in an image.
void write_fixed(const ColumnShape& s, const Entry& e, char* image) {
  if (s.null_bit != ColumnShape::kNotNull) {
    const unsigned mask = 1u << (s.null_bit % 8);
    const auto b = static_cast<unsigned char>(image[s.null_bit / 8]);
    image[s.null_bit / 8] = static_cast<char>(e.null ? b | mask : b & ~mask);
  }
  if (s.variable) return;
  if (e.null) {
    std::memset(image + s.slot, 0, s.bytes);
  } else {
    std::memcpy(image + s.slot, e.stored.data(), s.bytes);
  }
}

struct Piece {  // no constructor: 512 of them stand on the stack
  const char* data;
  std::uint32_t bytes;
};

}  // namespace

Error RowShape::apply_update(Bytes old_image, Bytes patch, Writer& new_image) const {
  const std::size_t start = new_image.size();
  char* out = new_image.extend(old_image.size());
  std::memcpy(out, old_image.data(), old_image.size());
  Reader r(patch);
  while (r.left() > 0) {
    Entry e{};
    if (!read_entry(r, &e)) {
      new_image.truncate(start);
      return Error::bad_row_image;
    }
    if (Error error = check_entry(*this, e); error != Error::ok) {
      new_image.truncate(start);
      return error;
    }
    const ColumnShape& s = columns_[e.column];
    if (s.variable) {
      new_image.truncate(start);
      return apply_variable(old_image, patch, new_image);
    }
    write_fixed(s, e, out);
  }
  return Error::ok;
}

// The general case: lengths change. First where each variable column comes from, then the image anew.
Error RowShape::apply_variable(Bytes old_image, Bytes patch, Writer& new_image) const {
  Piece pieces[limits::kColumnsMax];
  std::size_t total = heap_;
  for (std::uint16_t v = 0; v < variables_; v++) {
    const Bytes b = stored(old_image, variable_[v]);
    pieces[v] = {b.data(), static_cast<std::uint32_t>(b.size())};
    total += b.size();
  }
  Reader check(patch);
  while (check.left() > 0) {
    Entry e{};
    if (!read_entry(check, &e)) return Error::bad_row_image;
    if (Error error = check_entry(*this, e); error != Error::ok) return error;
    const ColumnShape& s = columns_[e.column];
    if (!s.variable) continue;
    total = total - pieces[s.slot].bytes + e.stored.size();
    pieces[s.slot] = {e.stored.data(), static_cast<std::uint32_t>(e.stored.size())};
  }
  if (total > limits::kRowBytesMax) return Error::row_too_large;
  char* out = new_image.extend(total);
  std::memcpy(out, old_image.data(), ends_);
  Reader r(patch);
  while (r.left() > 0) {
    Entry e{};
    read_entry(r, &e);
    write_fixed(columns_[e.column], e, out);
  }
  std::uint16_t end = heap_;
  for (std::uint16_t v = 0; v < variables_; v++) {
    if (pieces[v].bytes != 0) std::memcpy(out + end, pieces[v].data, pieces[v].bytes);
    end = static_cast<std::uint16_t>(end + pieces[v].bytes);
    save(out + ends_ + 2 * v, end);
  }
  return Error::ok;
}

}  // namespace ndb::store
