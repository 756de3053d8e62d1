// The few things one needs of SQLite: a file, statements with values bound in order, and failures as sentences. Not
// for several threads at a time.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/errors.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ndb::os {

class SqliteFile {
 public:
  SqliteFile() = default;
  ~SqliteFile();
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  Failure open(const std::string& path, int busy_ms);  // created when missing
  void close();
  // One or several statements without values and without results. False: error() says why.
  bool run(const char* sql);
  bool number(const char* sql, std::int64_t* value);  // first column of the first row
  bool text(const char* sql, std::string* value);
  std::string error() const;
  // Nothing can be read out of it: not a database, or one whose pages are damaged.
  bool is_damaged() const;
  ::sqlite3* handle() const { return db_; }
  const std::string& path() const { return path_; }

 private:
  ::sqlite3* db_ = nullptr;
  std::string path_;
};

// Values are bound from the left, columns are read by number. After an error every call answers false or nothing.
class SqliteStatement {
 public:
  SqliteStatement(SqliteFile& file, const char* sql);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& number(std::uint64_t v);  // kept as the signed number with the same bits
  SqliteStatement& text(Bytes v);
  SqliteStatement& blob(Bytes v);
  SqliteStatement& null();
  bool row();   // true: there is a row to be read
  bool done();  // runs to the end without a row and makes it ready for new values; false: it failed
  bool good() const { return good_; }
  std::uint64_t number_at(int column) const;
  std::string blob_at(int column) const;

 private:
  ::sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  bool good_ = false;
};

}  // namespace ndb::os
