// Where a client sends an operation: the catalog turned inside out, once for each catalog, so that the hot path is
// three array look-ups: table -> bucket -> fragment -> (node, worker).
//
// A read goes to the read target of its bucket under the table's present phase; a write or a locking read to the first
// write target (the data node does the double writing). A client's idea of the phase may be old: the node checks it
// and refuses with stale_view.
#pragma once
#include <memory>
#include <vector>

#include "base/ids.h"
#include "meta/catalog.h"

namespace ndb::client {

struct Route {
  NodeId node = 0;  // 0 = nobody serves it at the moment
  WorkerId worker = 0;
  FragmentId fragment = 0;
};

class Routing {
 public:
  explicit Routing(const meta::Catalog& c);

  bool knows(TableId table) const { return table < tables_.size() && !tables_[table].read.empty(); }
  // Writes to it have to change rows of unique indexes, too; or it is not known.
  bool indexed(TableId table) const { return table >= tables_.size() || tables_[table].indexed; }
  // REQUIRES: knows(table).
  Route read(TableId table, std::uint64_t hash) const {
    const OneTable& t = tables_[table];
    return t.primaries[t.read[meta::bucket_of(hash)]];
  }
  Route write(TableId table, std::uint64_t hash) const {
    const OneTable& t = tables_[table];
    return t.primaries[t.write[meta::bucket_of(hash)]];
  }
  // The primary of one fragment; node 0 when there is no such fragment.
  Route fragment(TableId table, FragmentId f) const {
    const OneTable& t = tables_[table];
    return f < t.primaries.size() ? t.primaries[f] : Route{};
  }
  std::size_t fragments(TableId table) const { return tables_[table].primaries.size(); }
  // The fragments that a scan has to visit: all that some bucket reads from.
  const std::vector<FragmentId>& scanned(TableId table) const { return tables_[table].scanned; }
  View view(TableId table) const { return tables_[table].view; }

 private:
  struct OneTable {
    std::vector<FragmentId> read, write;  // by bucket
    std::vector<Route> primaries;         // by fragment
    std::vector<FragmentId> scanned;
    View view = 0;
    bool indexed = true;
  };
  std::vector<OneTable> tables_;  // by id; dropped ones are empty
};

}  // namespace ndb::client
