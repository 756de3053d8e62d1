// CREATE TABLE as SQLite's own parser understands it, made into a table of the cluster.
//
// The statement is run in a scratch database in memory, and what SQLite then says about the table is read. Types have
// the meaning they have in NDB and MySQL: INT is 4 bytes, BIGINT 8, DECIMAL(p,s), CHAR(n), VARCHAR(n), DATETIME(f) and
// so on, with UNSIGNED. A primary key is required. UNIQUE makes a unique index, named after its columns. What the
// cluster would not keep is refused: CHECK, COLLATE, REFERENCES, generated columns, AUTOINCREMENT, ON CONFLICT,
// defaults that are no constants.
#pragma once
#include <string>

#include "base/errors.h"
#include "meta/table.h"

namespace ndb::sql {

struct CreateTable {
  meta::Table table;  // name, columns, primary_key
  bool if_not_exists = false;
};
Result<CreateTable> parse_create_table(const std::string& statement);

struct DropTable {
  std::string name;
  bool if_exists = false;
};
Result<DropTable> parse_drop_table(const std::string& statement);

// The statement that makes this table again.
std::string create_statement(const meta::Table& t);
// "decimal(10,2)", "int unsigned"
std::string declared_type(const meta::Column& c);
std::string quoted(std::string_view name);  // "name", quotes inside doubled

}  // namespace ndb::sql
