// Rows made of a number and a version, for any table whose primary key is one whole number: the same pair gives the
// same row, so that whoever knows the pair knows the image.
#pragma once
#include <string>
#include <vector>

#include "client/cluster.h"

namespace ndb::traffic {

class RowMaker {
 public:
  explicit RowMaker(const client::Table& table) : table_(table) {}
  // A sentence when rows of this table cannot be made; else empty.
  std::string refusal() const;

  // One value a column. Views of this object: valid until the next call.
  const std::vector<client::Value>& make(std::int64_t id, std::uint64_t version);
  std::string image(std::int64_t id, std::uint64_t version);  // encoded
  std::uint16_t key_column() const { return table_.definition().primary_key.front(); }

 private:
  client::Value value(const meta::Column& column, std::uint64_t mixed, std::string* text) const;

  client::Table table_;
  std::vector<client::Value> values_;
  std::vector<std::string> texts_;
};

// What names a row in the journal.
std::uint64_t key_name(const client::Table& table, Bytes image);

}  // namespace ndb::traffic
