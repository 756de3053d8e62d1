// The rows of one replica of one fragment, in memory. One worker owns it and is the only one to touch it (I1).
//
// A row is inserted either by put() (committed at once: streams, copies, restarts) or by insert_uncommitted() and
// later commit_insert() or remove_ref() (a transaction at the primary). Uncommitted rows are found by find(),
// because a second insert has to see them, but are in no scan, count or checksum. Changes of committed rows are
// made at commit only.
//
// `hash` is RowShape::hash(key) everywhere. Keys and images come from inside: REQUIRES valid_key(), valid_image(),
// and that the key is the image's. A RowRef stays the same until its row is removed, or put() or update() say that
// it moved.
//
// Costs, 40-byte image, warm: find 15 ns, insert 60 ns, update in place 30 ns; no allocation per operation. A batch
// is best done in three passes over its operations: prefetch(), prefetch_row(), then the operation itself.
#pragma once
#include <cstdint>
#include <vector>

#include "base/errors.h"
#include "store/bucket_sums.h"
#include "store/index.h"
#include "store/row.h"
#include "store/slab.h"

namespace ndb::store {

class Fragment {
 public:
  // The slab lives on `memory`; all three must outlive the fragment.
  Fragment(Slab& slab, Memory& memory, const RowShape& shape);
  ~Fragment();  // drops all rows; for a large fragment call drop_some() before
  Fragment(const Fragment&) = delete;
  Fragment& operator=(const Fragment&) = delete;

  const RowShape& shape() const noexcept { return shape_; }
  Row* row(RowRef ref) const noexcept { return slab_.at(ref); }
  Bytes image(RowRef ref) const noexcept { return slab_.at(ref)->view(); }

  // ---- reading
  void prefetch(std::uint64_t hash) const noexcept { index_.prefetch(meta::index_hash(hash)); }
  // Once the index line is there: fetches the row that probably is the one.
  void prefetch_row(std::uint64_t hash) const noexcept {
    RowRef r = index_.candidate(meta::index_hash(hash));
    if (r) slab_.prefetch(r);
  }
  // Committed or not; 0 = none.
  RowRef find(Bytes key, std::uint64_t hash) const {
    return index_.find(meta::index_hash(hash), [&](RowRef r) { return shape_.key_equals(slab_.at(r)->view(), key); });
  }
  RowRef find_committed(Bytes key, std::uint64_t hash) const {
    RowRef r = find(key, hash);
    return r && slab_.at(r)->committed() ? r : 0;
  }
  // Appends committed rows of the next part of the fragment and returns where the next call goes on, or
  // kScanEnd; begins at 0. With a bound, about that many rows at most (HashIndex::scan); a call may give none and
  // not be the end. Rows that stay are seen exactly once, whatever else changes between the calls. 10 ns a row.
  std::uint64_t scan(std::uint64_t cursor, std::vector<RowRef>& out, std::size_t rows_max = SIZE_MAX);

  // ---- changing. memory_full: nothing was changed.
  // Inserts, or replaces and keeps the lock; the row is committed afterwards. `out`: where it is now.
  Error put(Bytes key, std::uint64_t hash, Bytes image, Sequence sequence, RowRef* out = nullptr);
  // row_exists: also when the other one is not committed; `out` names it then.
  Error insert_uncommitted(Bytes key, std::uint64_t hash, Bytes image, Sequence sequence, RowRef* out);
  void commit_insert(RowRef ref);
  void commit_insert(RowRef ref, std::uint64_t hash);
  // A new image for the row at *ref (committed or not: it stays so); keeps the lock. *ref changes when it had to
  // move.
  Error update(RowRef* ref, std::uint64_t hash, Bytes image, Sequence sequence);
  // false = there is none.
  bool remove(Bytes key, std::uint64_t hash);
  void remove_ref(RowRef ref);
  void remove_ref(RowRef ref, std::uint64_t hash);
  // Frees about 400 rows; false = nothing was left. Once begun, only drop_some() and the destructor may follow until
  // it says false.
  bool drop_some();

  // ---- counting
  std::uint64_t rows() const noexcept { return rows_; }  // committed
  std::uint64_t rows_uncommitted() const noexcept { return index_.entries() - rows_; }
  std::uint64_t checksum() const noexcept { return checksum_; }  // sum over all buckets
  BucketSum bucket_sum(std::uint16_t bucket) const { return sums_.get(bucket); }
  // Memory: slots of rows, index, sums. A part of a page that no row uses is counted nowhere.
  std::uint64_t bytes() const noexcept { return row_bytes_ + index_.bytes() + sums_.bytes(); }

 private:
  RowRef new_row(std::uint64_t hash, Bytes image, Sequence sequence, std::uint16_t flags);
  void count_in(const Row& row, std::uint64_t hash);
  void count_out(const Row& row, std::uint64_t hash);
  bool fits(RowRef ref, std::size_t image_bytes) const;

  Slab& slab_;
  const RowShape& shape_;
  HashIndex index_;
  BucketSums sums_;
  std::uint64_t rows_ = 0;
  std::uint64_t checksum_ = 0;
  std::uint64_t row_bytes_ = 0;
  std::vector<HashIndex::Entry> found_;  // scan's; its memory is kept
};

}  // namespace ndb::store
