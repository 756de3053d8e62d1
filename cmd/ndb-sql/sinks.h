// How results of SQL statements are printed: a table for people, CSV (RFC 4180), or JSON, an object on a line for each
// statement.
#pragma once
#include <memory>
#include <string>

#include "sql/session.h"

namespace ndb::tool {

class Printer : public sql::Sink {
 public:
  // Behind each statement, whether it gave rows or not.
  virtual void statement_done(std::int64_t changes) = 0;
  virtual void statement_failed() {}
};

// "table", "csv" or "json"; null: another word.
std::unique_ptr<Printer> make_printer(const std::string& format);

}  // namespace ndb::tool
