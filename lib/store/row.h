// The row image: what a row looks like in memory, in streams, in redo, in checkpoints and in messages. `RowShape` is
// a table's definition made ready for it.
//
//   [null bits, one for each nullable column in definition order; (n + 7) / 8 bytes]
//   [fixed columns: those of the primary key in key order, then the others in definition order; a null is zeros]
//   [u16 end for each variable column: those of the key in key order, then the others; offset from the image's start]
//   [the bytes of the variable columns in that order; a null has none]
//
// An image has one form only: equal rows are equal bytes (checksums compare them). Stored forms: value.h.
//
// Key (on the wire, for locks, for the hash): the primary key's columns in key order; fixed: its bytes; variable:
// u16 length, then its bytes. When all are fixed, the key is a piece of the image and is found without copying.
//
// Patch (a partial update): any number of {u16 column, u8 is_null, u32 length, bytes in stored form}.
//
// Promises: nothing here reads outside the bytes it is given once valid_image() or valid_key() has said yes; those
// two never do. No allocation but in make() and in a growing Writer.
#pragma once
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/hash.h"
#include "env/limits.h"
#include "meta/table.h"
#include "store/value.h"

namespace ndb::store {

struct KeyBuffer {
  char bytes[limits::kKeyBytesMax];
};

struct ColumnShape {
  meta::Column column;
  bool variable = false;
  bool in_key = false;
  std::uint16_t null_bit = 0;  // kNotNull = cannot be null
  std::uint16_t slot = 0;      // fixed: offset in the image; variable: number of its end
  std::uint16_t bytes = 0;     // fixed: exactly; variable: at most
  bool checked = false;        // not every stored form of its length is a value
  static constexpr std::uint16_t kNotNull = 0xffff;
};

class RowShape {
 public:
  RowShape() = default;
  // bad_definition with a sentence when the definition cannot be stored.
  static Result<RowShape> make(const meta::Table& table);

  std::size_t columns() const noexcept { return columns_.size(); }
  const ColumnShape& column(std::uint16_t c) const { return columns_[c]; }
  const std::vector<std::uint16_t>& key_columns() const noexcept { return key_; }
  bool all_fixed() const noexcept { return variables_ == 0; }
  std::uint32_t image_bytes_min() const noexcept { return heap_; }
  std::uint16_t ends_offset() const noexcept { return ends_; }  // of the ends of variable columns
  std::uint16_t heap_offset() const noexcept { return heap_; }  // of their bytes

  // ---- checks of what comes from outside
  bool valid_image(Bytes image) const;
  bool valid_key(Bytes key) const;

  // ---- keys. REQUIRES everywhere below: valid images and keys
  bool key_in_place() const noexcept { return key_in_place_; }
  // A view of the image, or of the buffer.
  Bytes key_of(Bytes image, KeyBuffer& buffer) const {
    if (key_in_place_) return image.substr(key_offset_, key_bytes_);
    return gather_key(image, buffer);
  }
  bool key_equals(Bytes image, Bytes key) const {
    if (key_in_place_) {
      const char* p = image.data() + key_offset_;
      if (key_bytes_ == 8) return load<std::uint64_t>(p) == load<std::uint64_t>(key.data());
      if (key_bytes_ == 4) return load<std::uint32_t>(p) == load<std::uint32_t>(key.data());
      return std::memcmp(p, key.data(), key_bytes_) == 0;
    }
    return key_equals_slow(image, key);
  }
  // What decides where the row lives; the whole key unless the table says otherwise.
  Bytes distribution_key(Bytes key, KeyBuffer& buffer) const;
  // low half: of key_hash(distribution key), gives the bucket (meta::bucket_of); high half: of key_hash(key), for
  // the fragment's index (meta::index_hash). So rows that share a distribution key share a bucket, not a place in
  // the index.
  std::uint64_t hash(Bytes key) const {
    const std::uint64_t h = key_hash(key);
    if (distribution_is_key_) return h;
    return (h & ~std::uint64_t{0xffffffff}) | distribution_hash(key);
  }
  std::uint64_t hash_of_image(Bytes image) const {
    KeyBuffer buffer;
    return hash(key_of(image, buffer));
  }

  // ---- columns
  bool is_null(Bytes image, std::uint16_t column) const {
    const std::uint16_t bit = columns_[column].null_bit;
    return bit != ColumnShape::kNotNull && (image[bit / 8] >> (bit % 8) & 1) != 0;
  }
  // The stored form; empty when null.
  Bytes stored(Bytes image, std::uint16_t column) const;
  Value get(Bytes image, std::uint16_t column) const;

  // ---- making. All append to the Writer; on an error it is as it was before.
  // One value a column, in definition order. null_in_not_null, value_out_of_range, row_too_large.
  Error encode(std::span<const Value> values, Writer& image) const;
  // One value a key column, in key order.
  Error encode_key(std::span<const Value> values, Writer& key) const;
  // One column of a patch.
  Error encode_patch(std::uint16_t column, const Value& value, Writer& patch) const;
  // The old image with the patch applied. bad_row_image: malformed, a column of the key, a wrong length;
  // null_in_not_null; row_too_large. The last of several entries for one column counts. About 10 ns for fixed
  // columns.
  Error apply_update(Bytes old_image, Bytes patch, Writer& new_image) const;

 private:
  Error check_columns(const meta::Table& table, std::string* why);
  void place_columns(const meta::Table& table);
  void place_distribution(const meta::Table& table);
  Bytes gather_key(Bytes image, KeyBuffer& buffer) const;
  bool key_equals_slow(Bytes image, Bytes key) const;
  std::uint32_t distribution_hash(Bytes key) const;
  std::uint16_t end_of(Bytes image, unsigned variable) const {
    return load<std::uint16_t>(image.data() + ends_ + 2 * variable);
  }
  std::uint16_t start_of(Bytes image, unsigned variable) const {
    return variable == 0 ? heap_ : end_of(image, variable - 1);
  }
  Error apply_variable(Bytes old_image, Bytes patch, Writer& new_image) const;

  std::vector<ColumnShape> columns_;     // in definition order
  std::vector<std::uint16_t> key_;       // column numbers in key order
  std::vector<std::uint16_t> variable_;  // column numbers in the order of their ends
  std::vector<std::uint16_t> checked_;   // fixed columns whose stored form has impossible values
  std::vector<std::uint16_t> nullable_fixed_;
  std::vector<bool> distributes_;  // by position in the key
  std::uint16_t null_bits_ = 0;
  std::uint16_t null_bytes_ = 0;
  std::uint16_t key_offset_ = 0;
  std::uint16_t key_bytes_ = 0;  // when in place
  std::uint16_t ends_ = 0;       // where the ends begin
  std::uint16_t heap_ = 0;       // where the bytes of variable columns begin
  std::uint16_t variables_ = 0;
  std::uint16_t distribution_bytes_ = 0;  // when it is the first bytes of the key
  bool key_in_place_ = false;
  bool distribution_is_key_ = true;
  bool distribution_is_prefix_ = false;
};

}  // namespace ndb::store
