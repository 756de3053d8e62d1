// The rows that one cursor of a virtual table walks over: one row by its key, a count without columns, or a scan.
#pragma once
#include "sql/state.h"

namespace ndb::sql {

class Rows {
 public:
  // `written`: this transaction changes the table. Rows that such a statement reads are locked.
  Rows(Session::State& s, const client::Table& t, const bool& written) : state_(s), table_(t), written_(written) {}

  // Each positions on the first row; then next() until at_end().
  void nothing();
  Failure by_key(Bytes key);
  // By the values of a unique index; what this transaction itself has changed is not looked at.
  Failure by_unique(std::size_t index, client::Values values);
  Failure count_only();
  Failure scan(std::string filter);
  Failure next();
  bool locks() const { return written_ && !state_.reading_only; }
  bool at_end() const { return at_end_; }
  Bytes image() const { return image_; }

 private:
  Failure more();  // the next piece of the scan, into pending_
  Failure start_scan();
  Failure lock_pending();  // replaces what the scan saw by what is locked now
  void add_own();          // the transaction's own new rows

  Session::State& state_;
  const client::Table& table_;
  const bool& written_;
  std::string filter_;
  std::optional<client::Scan> scan_;
  std::string pending_;  // rows that are ready: u32 bytes, image
  std::size_t at_ = 0;
  bool scan_over_ = true, own_over_ = true, delivered_ = false;
  std::uint64_t counted_ = 0;  // rows left of a count
  bool counting_ = false;
  bool at_end_ = true;
  std::string one_;
  Bytes image_;
};

}  // namespace ndb::sql
