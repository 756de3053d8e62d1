// Unique indexes, kept by the client: what a step of a transaction has to do beside what its owner asked for.
//
// A unique index is a hidden table keyed by the indexed columns (meta/table.h). Its rows change in the same
// transaction as the rows they stand for, so two-phase commit makes both true or none, and a value that is there
// already is a key that exists: error 893, and nothing has changed.
//
//   1. read     the rows whose old values matter are read under exclusive locks; none are when rows are only
//               inserted, or no indexed column changes
//   2. write    the owner's operations, in order; then, for each row, the difference between what it was before the
//               step and what it is behind it: old index rows are removed, then new ones inserted
//
// So the values of a step are compared behind it: two rows may exchange theirs. A row that is not there cannot be
// locked: what has to find it (update, replace, remove) ends the transaction with no_such_row here, and a write
// becomes an insert; should somebody else make the row meanwhile, that fails (`raced`) and all is done again.
//
// Costs: copies of the operations and of the rows read; memory is allocated. Tables without unique indexes never come
// here. REQUIRES: one step at a time; begin(), then write_reads() and take_images() when reads() > 0, then
// write_step().
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "meta/catalog.h"
#include "store/row.h"
#include "wire/messages.h"

namespace ndb::client {

// A table with unique indexes, made ready.
class IndexedTable {
 public:
  // Null: no such table, or it has no unique index.
  static std::shared_ptr<const IndexedTable> make(const meta::Catalog& c, TableId table);

  const store::RowShape& shape() const { return shape_; }
  std::size_t indexes() const { return indexes_.size(); }
  // Whether a patch changes an indexed column; also when it cannot be read.
  bool touches(Bytes patch) const;
  // Appends the image of the index row that stands for this row; false: a value is null, there is none.
  bool index_row(std::size_t index, Bytes image, Writer& row) const;
  struct Index {
    TableId table = 0;
    store::RowShape shape;
    std::vector<std::uint16_t> columns;  // of the indexed table, for each column of the hidden one
  };
  const Index& index(std::size_t i) const { return indexes_[i]; }

 private:
  store::RowShape shape_;
  std::vector<Index> indexes_;
  std::vector<bool> indexed_;  // by column
};

class Upkeep {
 public:
  using Find = std::function<std::shared_ptr<const IndexedTable>(TableId)>;  // null: a table without unique indexes

  // `operations`: `count` of them as in a request. ok, or why the transaction cannot be.
  Error begin(Bytes operations, std::uint16_t count, const Find& find);
  bool writes_indexed() const { return !rows_.empty(); }
  std::uint16_t count() const { return count_; }
  Bytes operations() const { return operations_.view(); }

  std::size_t reads() const { return reads_; }
  void write_reads(Writer& request) const;
  void take_images(Bytes results);  // the OpResults of these reads
  // Appends the step and says how many operations it has. The owner's come first.
  Error write_step(Writer& request, std::uint16_t* operations);
  // An insert of the step stands for a write whose row was not there.
  bool raced() const { return raced_; }

 private:
  struct Row {
    std::shared_ptr<const IndexedTable> table;
    bool known = false;  // what it is at the beginning: absent, for an insert comes first; or it is read
    bool read = false;
    std::optional<std::string> before, now;
  };
  using RowName = std::pair<TableId, std::string>;  // and its key
  Error follow(wire::Operation& op, Row& row, Bytes payload);
  void write_index_rows(Writer& request, bool inserts, std::uint32_t* operations) const;

  Writer operations_;
  std::uint16_t count_ = 0;
  std::map<RowName, Row> rows_;
  std::size_t reads_ = 0;
  bool raced_ = false;
};

}  // namespace ndb::client
