// A filter that a scan carries to the rows: comparisons of a column with a constant, joined by AND, OR and NOT.
//
// Encoded in postfix order, each item a byte and what follows it:
//
//   0x01 AND · 0x02 OR     of the two before it
//   0x03 NOT               of the one before it
//   0x10 IS NULL           {u16 column}
//   0x20 =  0x21 <>  0x22 <  0x23 <=  0x24 >  0x25 >=     {u16 column, constant}
//   0x30 LIKE 'prefix%'    {u16 column, u32 length, bytes}
//   constant: {u8 1, i64} · {u8 2, u64} · {u8 3, f64} · {u8 4, u32 length, bytes}
//
// An empty filter is true for every row. A comparison with a null is unknown, and NOT of unknown is unknown, as in
// SQL; a row matches when the whole is true. Byte strings compare as unsigned bytes, char(n) without its blanks at
// the end; decimals compare with integers and with constants in stored form.
//
// parse() checks everything and compiles: NOT is pushed down to the comparisons (there unknown may be taken as
// false), comparisons of integers become one range check whatever the constant was, AND and OR become jumps.
// matches() takes about 3 ns for an integer comparison. FilterWriter makes the encoding.
#pragma once
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "store/row.h"

namespace ndb::store {

enum class Compare : std::uint8_t { eq = 0x20, ne, lt, le, gt, ge };

class FilterWriter {
 public:
  FilterWriter& compare(std::uint16_t column, Compare op, const Value& constant);  // not null
  FilterWriter& is_null(std::uint16_t column);
  FilterWriter& like_prefix(std::uint16_t column, Bytes prefix);
  FilterWriter& op_and();
  FilterWriter& op_or();
  FilterWriter& op_not();
  Bytes view() const { return w_.view(); }
  void clear() { w_.clear(); }

 private:
  Writer w_;
};

class Filter {
 public:
  Filter() = default;  // matches every row
  // bad_message when malformed or beyond limits::kFilter*; no_such_column; value_out_of_range when a constant
  // cannot be compared with its column. The filter keeps copies of the constants, not the encoding.
  static Result<Filter> parse(Bytes encoded, const RowShape& shape);

  // REQUIRES: an image of the shape given to parse().
  bool matches(Bytes image) const {
    std::uint16_t at = test_count_ == 0 ? kTrue : 0;
    while (at < test_count_) {
      const Test& t = tests_[at];
      at = passes(t, image) ? t.on_true : t.on_false;
    }
    return at == kTrue;
  }
  bool matches_all() const noexcept { return test_count_ == 0; }

 private:
  friend class FilterParser;
  static constexpr std::uint16_t kTrue = 0xffff;
  static constexpr std::uint16_t kFalse = 0xfffe;

  enum class Kind : std::uint8_t {
    null,  // is null
    i8,
    i16,
    i24,
    i32,
    u8,
    u16,
    u24,
    u32,
    w64,
    bits,  // range check on lo, span
    f32,
    f64,          // compare with d
    fixed_bytes,  // bytes, by `op`
    blank_bytes,  // char(n)
    var_bytes,
    never,     // no value passes
    not_null,  // every value but null passes
  };
  struct Test {
    Kind kind = Kind::never;
    Compare op = Compare::eq;
    bool inverted = false;
    bool prefix = false;
    std::uint16_t null_bit = ColumnShape::kNotNull;
    std::uint16_t slot = 0;   // offset in the image; variable: offset of its end
    std::uint16_t bytes = 0;  // fixed: length; first variable column: where it begins; else 0
    std::uint16_t on_true = kTrue;
    std::uint16_t on_false = kFalse;
    std::uint64_t lo = 0;  // integers: passes when value - lo <= span
    std::uint64_t span = 0;
    double d = 0;
    std::uint32_t text = 0;  // constant: offset and length in texts_
    std::uint32_t text_bytes = 0;
  };
  bool passes(const Test& t, Bytes image) const;
  bool passes_bytes(const Test& t, Bytes image) const;

  std::vector<Test> tests_;
  std::uint16_t test_count_ = 0;
  std::string texts_;
};

}  // namespace ndb::store
