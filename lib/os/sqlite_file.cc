#include "os/sqlite_file.h"

#include <sqlite3.h>

namespace ndb::os {

SqliteFile::~SqliteFile() { close(); }

void SqliteFile::close() {
  if (db_ != nullptr) sqlite3_close_v2(db_);
  db_ = nullptr;
}

Failure SqliteFile::open(const std::string& path, int busy_ms) {
  path_ = path;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
    Failure f{Error::os_failed, "cannot open '" + path + "': " + error()};
    close();
    return f;
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_ms);
  return {};
}

std::string SqliteFile::error() const { return db_ == nullptr ? "not open" : sqlite3_errmsg(db_); }

bool SqliteFile::is_damaged() const {
  int code = db_ == nullptr ? SQLITE_OK : sqlite3_errcode(db_);
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

bool SqliteFile::run(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

bool SqliteFile::number(const char* sql, std::int64_t* value) {
  SqliteStatement s(*this, sql);
  if (!s.row()) return false;
  *value = static_cast<std::int64_t>(s.number_at(0));
  return true;
}

bool SqliteFile::text(const char* sql, std::string* value) {
  SqliteStatement s(*this, sql);
  if (!s.row()) return false;
  *value = s.blob_at(0);
  return true;
}

SqliteStatement::SqliteStatement(SqliteFile& file, const char* sql) {
  good_ = sqlite3_prepare_v2(file.handle(), sql, -1, &statement_, nullptr) == SQLITE_OK;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::number(std::uint64_t v) {
  good_ = good_ && sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(v)) == SQLITE_OK;
  return *this;
}

SqliteStatement& SqliteStatement::text(Bytes v) {
  good_ = good_ && sqlite3_bind_text64(statement_, ++bound_, v.data() != nullptr ? v.data() : "", v.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK;
  return *this;
}

SqliteStatement& SqliteStatement::blob(Bytes v) {
  good_ = good_ && sqlite3_bind_blob64(statement_, ++bound_, v.data() != nullptr ? v.data() : "", v.size(),
                                       SQLITE_TRANSIENT) == SQLITE_OK;
  return *this;
}

SqliteStatement& SqliteStatement::null() {
  good_ = good_ && sqlite3_bind_null(statement_, ++bound_) == SQLITE_OK;
  return *this;
}

bool SqliteStatement::row() {
  if (!good_) return false;
  int rc = sqlite3_step(statement_);
  good_ = rc == SQLITE_ROW || rc == SQLITE_DONE;
  return rc == SQLITE_ROW;
}

bool SqliteStatement::done() {
  good_ = good_ && sqlite3_step(statement_) == SQLITE_DONE;
  if (statement_ != nullptr) sqlite3_reset(statement_);
  bound_ = 0;
  return good_;
}

std::uint64_t SqliteStatement::number_at(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string SqliteStatement::blob_at(int column) const {
  const void* p = sqlite3_column_blob(statement_, column);
  int n = sqlite3_column_bytes(statement_, column);
  return p == nullptr ? std::string() : std::string(static_cast<const char*>(p), static_cast<std::size_t>(n));
}

}  // namespace ndb::os
