// Values between SQLite and the cluster. Every value of a column survives the way to SQLite and back.
//
//   integers, year, bit     INTEGER; beyond 2^63 TEXT
//   float, double           REAL
//   decimal                 up to 15 digits a number (INTEGER or REAL), with more TEXT
//   dates and times         TEXT (client/text.h)
//   char, varchar, text     TEXT
//   binary, varbinary, blob BLOB
#pragma once
#include <sqlite3.h>
#include <string>

#include "store/row.h"

namespace ndb::sql {

// The value may view the sqlite3_value or `scratch`.
Error from_sqlite(const meta::Column& c, sqlite3_value* v, store::Value* out, std::string* scratch);
void to_sqlite(const meta::Column& c, const store::Value& v, sqlite3_context* ctx);
// A constant that a scan may be filtered by; false: SQLite's rules and the store's may differ for it, SQLite has to
// look.
bool filter_constant(const meta::Column& c, sqlite3_value* v, store::Value* out, std::string* scratch);

}  // namespace ndb::sql
