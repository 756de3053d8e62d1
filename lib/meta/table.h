// A table as the catalog knows it: columns, keys and where its rows live.
//
// key -> 64-bit hash -> bucket (3840 a table) -> fragment (`map`) -> node group -> replicas = the group's members.
//
// Double writing during a reorganisation is an answer of the distribution and nothing else: asked for the write
// targets of a bucket it names one fragment, or two (docs/REORG.md).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "env/limits.h"

namespace ndb::meta {

enum class Type : std::uint8_t {
  tinyint = 1,
  utinyint,
  smallint,
  usmallint,
  mediumint,
  umediumint,
  integer,
  uinteger,
  bigint,
  ubigint,
  float32,
  float64,
  decimal,  // decimal(precision, scale)
  character,
  varchar,  // length in bytes; char is blank padded
  binary,
  varbinary,
  date,
  time,
  datetime,
  timestamp,
  year,
  bit,  // length in bits, 1..64
  text,
  blob,  // in the row, up to the row limit
};

struct Column {
  std::string name;
  Type type = Type::integer;
  std::uint32_t length = 0;    // char, varchar, binary, varbinary: bytes; bit: bits
  std::uint8_t precision = 0;  // decimal
  std::uint8_t scale = 0;      // decimal; fractional digits of time types
  bool nullable = true;
  std::optional<std::string> default_value;  // as text, as the user wrote it
  friend bool operator==(const Column&, const Column&) = default;
};

enum class Phase : std::uint8_t {  // of a reorganisation; DESIGN "Reorganisation"
  none = 0,
  prepare,   // new fragments exist, empty, invisible           reads old   writes old
  doubling,  // waiting for every node to have this view        reads old   writes old, then new
  copying,   // moved rows are copied, row-locked               reads old   writes old, then new
  deciding,  // count and checksum per bucket are compared      reads old   writes old, then new
  // ====== commit point: the log entry "switched" ======
  switched,  // until no older transaction is open              reads new   writes new, then old
  settling,  // until no transaction writes to the old ones     reads new   writes new
  cleaning,  // moved rows leave the old fragments              reads new   writes new
};
inline bool past_commit_point(Phase p) { return p >= Phase::switched; }
const char* name_of(Phase p);  // "copying"; none is "none"
const char* name_of(Type t);   // "varchar"

struct Targets {
  FragmentId first = 0;   // lock and check here
  FragmentId second = 0;  // then the result goes here too, when `two`
  bool two = false;
};

struct PhaseStep {
  View view = 0;
  Phase phase = Phase::none;
  friend bool operator==(const PhaseStep&, const PhaseStep&) = default;
};

struct Distribution {
  std::vector<GroupId> groups;   // fragment -> node group; kNoGroup = the fragment is gone. Contiguous by group.
  std::vector<FragmentId> map;   // bucket -> fragment, kBuckets entries
  std::vector<FragmentId> next;  // the same after the reorganisation under way; empty = none
  Phase phase = Phase::none;
  std::vector<PhaseStep> steps;  // phases of this reorganisation and the views they began with, ascending
  View view = 0;                 // of the last log entry that changed any of this

  // The phase as a transaction that began in view v has to see it.
  Phase phase_at(View v) const {
    for (auto i = steps.rbegin(); i != steps.rend(); ++i) {
      if (i->view <= v) return i->phase;
    }
    return steps.empty() ? Phase::none : Phase::prepare;
  }
  bool moves(std::uint16_t bucket) const { return !next.empty() && next[bucket] != map[bucket]; }
  FragmentId read_target(std::uint16_t bucket, Phase p) const {
    return past_commit_point(p) && !next.empty() ? next[bucket] : map[bucket];
  }
  Targets write_targets(std::uint16_t bucket, Phase p) const {
    if (!moves(bucket) || p <= Phase::prepare) return {map[bucket], 0, false};
    if (p >= Phase::settling) return {next[bucket], 0, false};
    if (past_commit_point(p)) return {next[bucket], map[bucket], true};
    return {map[bucket], next[bucket], true};
  }
  friend bool operator==(const Distribution&, const Distribution&) = default;
};

// A unique index: a hidden table keyed by the indexed columns. A row that has a value in all of them has one index row;
// a row with a null in one of them has none. The clients keep it (lib/client/indexes.h).
struct UniqueIndex {
  std::string name;
  std::vector<std::uint16_t> columns;  // in key order
  TableId table = 0;                   // the hidden one
  friend bool operator==(const UniqueIndex&, const UniqueIndex&) = default;
};

struct Table {
  TableId id = 0;
  std::string name;
  std::vector<Column> columns;
  std::vector<std::uint16_t> primary_key;       // column numbers, in key order
  std::vector<std::uint16_t> distribution_key;  // a subset of the primary key; empty = all of it
  Distribution distribution;
  Version created = 0;
  std::vector<UniqueIndex> unique;
  TableId index_of = 0;  // hidden: holds a unique index of that table
  // Its rows may be written only together with those of other tables.
  bool kept_by_clients() const { return !unique.empty() || index_of != 0; }
  friend bool operator==(const Table&, const Table&) = default;
};

inline std::uint16_t bucket_of(std::uint64_t hash) {
  return static_cast<std::uint16_t>(static_cast<std::uint32_t>(hash) % limits::kBuckets);
}
// The half of the hash that a fragment's index uses.
inline std::uint32_t index_hash(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

// How many numbers the fragments before a reorganisation take: each owns a bucket or is gone, and new ones were
// appended behind them.
std::uint32_t old_fragments(const Distribution& d);

// A fresh map over n fragments: bucket i -> i mod n.
std::vector<FragmentId> initial_map(std::uint32_t fragments);
// From `old` over old_n fragments to new_n > old_n: entry i becomes i mod new_n unless that is an old fragment, then it
// stays. Moves (new_n - old_n)/new_n of the buckets, none between old fragments.
std::vector<FragmentId> extended_map(const std::vector<FragmentId>& old, std::uint32_t old_n, std::uint32_t new_n);

// The same for any change: `from` and `to` are the fragments that own buckets before and after. A bucket moves only
// when its fragment leaves or owns more than its share; while none leaves, only the new ones receive.
std::vector<FragmentId> balanced_map(const std::vector<FragmentId>& old, const std::vector<FragmentId>& from,
                                     const std::vector<FragmentId>& to);

// Most bytes that a value of this column takes in a key or in the fixed part of a row, its length included; text and
// blob: their length only.
std::uint32_t bytes_max(const Column& c);
// Whether name, columns and keys make a table; the id and the distribution are not looked at.
Failure check_definition(const Table& t);

// "email", "first_last": an index that was given no name.
std::string default_index_name(const Table& t, const std::vector<std::uint16_t>& columns);
// The hidden table of one of its unique indexes, without id and distribution: named "table$index", keyed by the indexed
// columns; the other columns are those of the primary key that are not among them.
Table hidden_table(const Table& t, const UniqueIndex& index);

// Format 1; 2 when the table has to do with unique indexes: who does not know of them cannot read it, nor a catalog in
// which it is.
void encode(Writer& w, const Table& t);
bool decode(Reader& r, Table* t);  // false: malformed

}  // namespace ndb::meta
