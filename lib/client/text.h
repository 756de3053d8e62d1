// Values as text, the way people, CSV files and SQL write them. Both directions agree: what to_text prints, from_text
// reads as the same value.
//
//   integers, year, bit    decimal digits, a sign
//   float, double          as C writes them, the shortest text that reads back as the same number
//   decimal(p, s)          digits with a point; more than s fractional digits are rounded
//   date                   YYYY-MM-DD
//   time                   [-]HH:MM[:SS[.ffffff]], hours up to 838
//   datetime, timestamp    YYYY-MM-DD HH:MM[:SS[.ffffff]], also with a T; a date alone is its midnight; timestamps are
//   UTC and may end with Z all others             the bytes
//
// Fractional seconds beyond the column's digits (Column::scale, at most 6) are rounded.
#pragma once
#include <string>

#include "base/bytes.h"
#include "base/errors.h"
#include "meta/table.h"
#include "store/value.h"

namespace ndb::client {

// value_out_of_range: the text is no value of this type. The value may be a view of `text` or of `scratch`.
Error value_from_text(const meta::Column& c, Bytes text, store::Value* v, std::string* scratch);
// Appends. REQUIRES: a value as RowShape::get gives it, not null.
void value_to_text(const meta::Column& c, const store::Value& v, std::string* out);

}  // namespace ndb::client
