// Records of comma separated values (RFC 4180): fields between delimiters, records between line ends (LF or CR LF),
// fields in quotes may hold both, a quote inside is doubled. Reads from bytes that arrive in pieces; a field without
// quotes is not copied. A byte order mark at the very beginning, as spreadsheets write it, is passed over.
#pragma once
#include <string>
#include <vector>

#include "base/bytes.h"

namespace ndb::client {

struct CsvOptions {
  char delimiter = ',';
  char quote = '"';  // 0 = none
  char comment = 0;  // a record whose first byte it is, is skipped; 0 = none
};

struct CsvField {
  Bytes text;           // without quotes
  bool quoted = false;  // tells an empty text from a missing value
};

struct CsvRecord {
  std::vector<CsvField> fields;
  Bytes raw;               // as it stands, without its line end
  std::uint64_t line = 0;  // number of its first line, from 1
};

class CsvReader {
 public:
  explicit CsvReader(CsvOptions options = {}) : options_(options) {}

  enum class State { record, more, damaged };
  // Looks for a record at the start of `input`; `last`: nothing follows it. record: *r is set, its views are valid as
  // long as input and until the next call; *consumed bytes belong to it. more: `input` ends within a record (or holds
  // only comments and empty lines, *consumed of them). damaged: a quote at a wrong place; *r has the raw line, and
  // reading goes on behind it.
  State next(Bytes input, bool last, CsvRecord* r, std::size_t* consumed);
  const std::string& problem() const { return problem_; }  // why it is damaged
  std::uint64_t line() const { return line_; }

 private:
  State read_record(Bytes input, bool last, CsvRecord* r, std::size_t* consumed);
  State damaged(Bytes input, bool last, std::size_t at, const char* why, CsvRecord* r, std::size_t* consumed);
  CsvOptions options_;
  bool begun_ = false;      // the place where a byte order mark may stand is behind us
  std::uint64_t line_ = 0;  // lines that are behind us
  std::string problem_;
  std::string unescaped_;  // fields whose quotes were doubled
};

}  // namespace ndb::client
