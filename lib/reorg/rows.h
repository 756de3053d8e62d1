// What the mover may do with rows. The worker machine stands behind it (lib/node puts the two together): lib/reorg and
// lib/txn do not know each other. One virtual call for some hundred rows.
#pragma once
#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "meta/catalog.h"
#include "store/bucket_sums.h"

namespace ndb::reorg {

struct Taken {
  std::uint32_t hold = 0;  // the locks, to be released; 0 = no rows
  std::uint64_t next = 0;  // where to go on; store::kScanEnd = at the end
  std::uint32_t rows = 0;
  std::uint32_t waiting = 0;  // rows that a transaction holds: each will come with Mover::on_row_locked
  bool again = false;         // nothing was taken: try the same place later
};

class Rows {
 public:
  virtual ~Rows() = default;
  virtual bool leads(FragmentRef f) const = 0;
  // Share-locks committed rows of the next stretch of `from` whose bucket goes to `to`; appends their change bytes.
  // About `rows_max` rows are looked at.
  virtual Taken take(FragmentRef from, FragmentId to, std::uint64_t cursor, std::size_t rows_max, Writer& changes) = 0;
  virtual void release(std::uint32_t hold) = 0;
  virtual bool lock_again(FragmentRef from, Bytes key, std::uint64_t hash) = 0;
  // Appends rows to the stream of `to`; Mover::on_row_moved(to, tag, ok) when every replica holds them.
  virtual Error put(FragmentRef to, Bytes changes, std::uint64_t tag) = 0;
  // Outcomes of transactions that `from` remembers, a stretch of them: appended to `w`; the answer is where to go on,
  // UINT64_MAX at the end. put_history() adds them to what `to` remembers, like put().
  virtual std::uint64_t history(FragmentRef from, std::uint64_t cursor, Writer& w) const = 0;
  virtual Error put_history(FragmentRef to, Bytes outcomes, std::uint64_t tag) = 0;
  // Removes the rows of the next stretch that live elsewhere now; *busy = not possible at the moment.
  virtual std::uint64_t drop(FragmentRef from, std::uint64_t cursor, std::size_t rows_max, std::uint32_t* dropped,
                             bool* busy) = 0;
  // Writes to the buckets [lo, hi) wait until the next call (lo = hi: for none); true when none is under way.
  virtual bool freeze(FragmentRef f, std::uint16_t lo, std::uint16_t hi) = 0;
  virtual bool quiet(FragmentRef f, std::uint16_t lo, std::uint16_t hi) = 0;
  virtual store::BucketSum sum(FragmentRef f, std::uint16_t bucket) const = 0;
  // The last record of the stream, and whether everything up to a record is committed and shown.
  virtual Sequence appended(FragmentRef f) const = 0;
  virtual bool shown(FragmentRef f, Sequence upto) const = 0;
  // The epoch of this node: what it and those it heard from have written so far belongs to this one or an earlier one.
  virtual Epoch epoch() const = 0;
  virtual std::uint64_t served() const = 0;  // operations of clients so far
};

}  // namespace ndb::reorg
