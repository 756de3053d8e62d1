#include "client/indexes.h"

#include <algorithm>

namespace ndb::client {

using wire::Op;
using wire::Operation;

namespace {

void write_operation(Writer& w, Op kind, TableId table, std::uint64_t hash, Bytes key, Bytes payload) {
  w.put(Operation{kind, 1, static_cast<std::uint16_t>(key.size()), static_cast<std::uint32_t>(payload.size()), table,
                  hash});
  w.raw(key);
  w.raw(payload);
}

// REQUIRES: what the machine itself has written.
Operation next_operation(Bytes& rest, Bytes* key, Bytes* payload) {
  const auto op = load<Operation>(rest.data());
  *key = rest.substr(sizeof op, op.key_bytes);
  *payload = rest.substr(sizeof op + op.key_bytes, op.payload_bytes);
  rest.remove_prefix(sizeof op + op.key_bytes + op.payload_bytes);
  return op;
}

bool brings_image(Op op) { return op == Op::insert || op == Op::replace || op == Op::write; }

}  // namespace

std::shared_ptr<const IndexedTable> IndexedTable::make(const meta::Catalog& c, TableId table) {
  const meta::Table* t = c.table(table);
  if (t == nullptr || t->unique.empty()) return nullptr;
  auto made = std::make_shared<IndexedTable>();
  auto shape = store::RowShape::make(*t);
  if (!shape) return nullptr;
  made->shape_ = std::move(*shape);
  made->indexed_.resize(t->columns.size());
  for (const meta::UniqueIndex& u : t->unique) {
    const meta::Table* hidden = c.table(u.table);
    auto hidden_shape =
        hidden == nullptr ? Result<store::RowShape>(Failure{Error::no_such_table, {}}) : store::RowShape::make(*hidden);
    if (!hidden_shape) return nullptr;
    Index i{u.table, std::move(*hidden_shape), u.columns};
    for (const std::uint16_t column : u.columns) made->indexed_[column] = true;
    for (const std::uint16_t column : t->primary_key) {
      if (std::find(u.columns.begin(), u.columns.end(), column) == u.columns.end()) i.columns.push_back(column);
    }
    made->indexes_.push_back(std::move(i));
  }
  return made;
}

bool IndexedTable::touches(Bytes patch) const {
  Reader r(patch);
  while (r.left() > 0) {
    const std::uint16_t column = r.u16();
    r.u8();
    r.bytes32();
    if (r.bad() || column >= indexed_.size() || indexed_[column]) return true;
  }
  return false;
}

bool IndexedTable::index_row(std::size_t index, Bytes image, Writer& row) const {
  const Index& i = indexes_[index];
  std::vector<store::Value> values;
  for (const std::uint16_t column : i.columns) {
    if (shape_.is_null(image, column)) return false;
    values.push_back(shape_.get(image, column));
  }
  return i.shape.encode(values, row) == Error::ok;
}

Error Upkeep::begin(Bytes operations, std::uint16_t count, const Find& find) {
  operations_.clear();
  operations_.raw(operations);
  count_ = count;
  rows_.clear();
  reads_ = 0;
  raced_ = false;
  Bytes rest = operations_.view();
  Bytes key, payload;
  for (std::uint16_t n = 0; n < count; n++) {
    const Operation op = next_operation(rest, &key, &payload);
    if (op.kind < Op::insert) continue;
    auto table = find(op.table);
    if (table == nullptr) continue;
    if (!table->shape().valid_key(key)) return Error::bad_row_image;
    if (brings_image(op.kind) && (!table->shape().valid_image(payload) || !table->shape().key_equals(payload, key))) {
      return Error::bad_row_image;
    }
    auto [i, fresh] = rows_.try_emplace(RowName(TableId{op.table}, key));
    Row& row = i->second;
    if (fresh) {
      row.table = table;
      row.known = op.kind == Op::insert;
    }
    if (row.known || (op.kind == Op::update && !table->touches(payload))) continue;
    row.known = row.read = true;
    reads_++;
  }
  return Error::ok;
}

void Upkeep::write_reads(Writer& request) const {
  for (const auto& [name, row] : rows_) {
    if (!row.read) continue;
    const std::uint64_t hash = row.table->shape().hash(name.second);
    write_operation(request, Op::read_exclusive, name.first, hash, name.second, {});
  }
}

void Upkeep::take_images(Bytes results) {
  for (auto& [name, row] : rows_) {
    if (!row.read || results.size() < sizeof(wire::OpResult)) continue;
    const auto head = load<wire::OpResult>(results.data());
    results.remove_prefix(sizeof head);
    const Bytes image = results.substr(0, head.bytes);
    results.remove_prefix(image.size());
    row.before.reset();
    if (head.error == Error::ok && row.table->shape().valid_image(image)) row.before = std::string(image);
  }
}

// What an operation makes of its row, and of itself: a write of a row that is not there becomes an insert.
Error Upkeep::follow(Operation& op, Row& row, Bytes payload) {
  op.keeps_indexes = 1;
  if (!row.known) return Error::ok;
  if (op.kind == Op::write && !row.now) {
    op.kind = Op::insert;
    raced_ = raced_ || !row.before;
  }
  if (op.kind != Op::insert && !row.now) return Error::no_such_row;
  if (brings_image(op.kind)) {
    row.now = std::string(payload);
  } else if (op.kind == Op::remove) {
    row.now.reset();
  } else {
    Writer changed;
    if (Error e = row.table->shape().apply_update(*row.now, payload, changed); e != Error::ok) return e;
    row.now = std::string(changed.view());
  }
  return Error::ok;
}

Error Upkeep::write_step(Writer& request, std::uint16_t* operations) {
  for (auto& [name, row] : rows_) row.now = row.before;
  raced_ = false;
  Bytes rest = operations_.view();
  Bytes key, payload;
  for (std::uint16_t n = 0; n < count_; n++) {
    Operation op = next_operation(rest, &key, &payload);
    auto i = op.kind < Op::insert ? rows_.end() : rows_.find(RowName(TableId{op.table}, key));
    if (i != rows_.end()) {
      if (Error e = follow(op, i->second, payload); e != Error::ok) return e;
    }
    request.put(op);
    request.raw(key);
    request.raw(payload);
  }
  std::uint32_t all = count_;
  write_index_rows(request, false, &all);
  write_index_rows(request, true, &all);
  if (all > UINT16_MAX) return Error::txn_too_large;
  *operations = static_cast<std::uint16_t>(all);
  return Error::ok;
}

void Upkeep::write_index_rows(Writer& request, bool inserts, std::uint32_t* operations) const {
  Writer old_row, new_row;
  store::KeyBuffer buffer;
  for (const auto& [name, row] : rows_) {
    for (std::size_t i = 0; row.known && i < row.table->indexes(); i++) {
      old_row.clear();
      new_row.clear();
      if (row.before) row.table->index_row(i, *row.before, old_row);
      if (row.now) row.table->index_row(i, *row.now, new_row);
      const Bytes image = inserts ? new_row.view() : old_row.view();
      if (old_row.view() == new_row.view() || image.empty()) continue;
      const IndexedTable::Index& index = row.table->index(i);
      const Bytes key = index.shape.key_of(image, buffer);
      write_operation(request, inserts ? Op::insert : Op::remove, index.table, index.shape.hash(key), key,
                      inserts ? image : Bytes());
      ++*operations;
    }
  }
}

}  // namespace ndb::client
