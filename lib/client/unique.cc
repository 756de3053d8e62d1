// Rows by the values of a unique index.
#include <algorithm>

#include "client/cluster.h"

namespace ndb::client {

namespace {

// The primary key that an index row names.
Error key_in(const Table& t, std::size_t index, Bytes row, Writer* key) {
  const auto& columns = t.definition().unique[index].columns;
  auto others = static_cast<std::uint16_t>(columns.size());  // columns of the hidden table behind the indexed ones
  std::vector<Value> values;
  for (const std::uint16_t c : t.definition().primary_key) {
    const auto i = std::find(columns.begin(), columns.end(), c);
    const auto at = i == columns.end() ? others++ : static_cast<std::uint16_t>(i - columns.begin());
    values.push_back(t.unique()[index].shape().get(row, at));
  }
  return t.shape().encode_key(values, *key);
}

// Whether the row has these values, which are the key of its index row.
bool has(const Table& t, std::size_t index, Bytes image, Bytes index_key) {
  std::vector<Value> values;
  for (const std::uint16_t c : t.definition().unique[index].columns) {
    if (t.shape().is_null(image, c)) return false;
    values.push_back(t.shape().get(image, c));
  }
  Writer key;
  return t.unique()[index].shape().encode_key(values, key) == Error::ok && key.view() == index_key;
}

}  // namespace

Result<bool> Transaction::read_unique(const Table& t, std::size_t index, Values values, std::string* image, Lock lock) {
  std::string row;
  auto found = read(t.unique()[index], values, &row, lock);
  if (!found || !*found) return found;
  Writer key;
  if (Error e = key_in(t, index, row, &key); e != Error::ok) return Failure{e, {}};
  return read_key(t, key.view(), image, lock);
}

Result<bool> Cluster::read_unique(const Table& t, std::size_t index, Values values, std::string* image) {
  const Table& hidden = t.unique()[index];
  Writer index_key, key;
  if (Error e = hidden.shape().encode_key(values, index_key); e != Error::ok) return Failure{e, {}};
  std::string row;
  auto found = read(hidden, index_key.view(), &row);
  if (!found || !*found) return found;
  if (Error e = key_in(t, index, row, &key); e != Error::ok) return Failure{e, {}};
  found = read(t, key.view(), image);
  if (!found || (*found && has(t, index, *image, index_key.view()))) return found;
  // Somebody changes it just now.
  Failure failed = run([&](Transaction& x) -> Failure {
    found = x.read_unique(t, index, values, image, Lock::shared);
    return found ? Failure{} : found.failure();
  });
  if (failed) return failed;
  return found;
}

}  // namespace ndb::client
