// What was acknowledged, on disk: written by `ndb-traffic run`, read by `ndb-traffic verify`.
//
//   head, 16 bytes      "ndbtraf1", u64 first id of the traffic's own rows
//   record, 24 bytes    u8 kind, 7 bytes 0, u64 a, u64 b
//
//   present       a = key_hash(key), b = block_hash(image): a row that was there before the traffic began
//   put, removed  a = key_hash(key), b = block_hash(image) or 0: acknowledged
//   maybe_put, maybe_removed    the same, but the outcome is unknown: both are allowed
//   bank          a = number of accounts, b = the sum of their balances (as int64)
//   end           a = number of records before it
//
// Records of one key stand in the order in which they were acknowledged: a key belongs to one thread. The file appears
// under its name when the traffic begins. One without `end` is of a run that was killed: what it had under way is not
// known.
#pragma once
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/errors.h"

namespace ndb::traffic {

enum class Kind : std::uint8_t { present = 1, put, removed, maybe_put, maybe_removed, bank, end };

class JournalWriter {
 public:
  ~JournalWriter();
  Failure open(const std::string& path, std::int64_t first_id);
  void add(Kind kind, std::uint64_t a, std::uint64_t b);  // any thread
  Failure begin();                                        // gives the file its name
  Failure finish();                                       // `end`, and everything on disk

 private:
  std::mutex mutex_;
  std::string path_;
  std::FILE* file_ = nullptr;
  std::uint64_t records_ = 0;
};

// What may be found for a key.
struct Expected {
  std::uint64_t image = 0, other = 0;
  bool absent = false, one = false, two = false;  // allowed: no row, `image`, `other`
  bool allows(std::uint64_t hash) const { return (one && hash == image) || (two && hash == other); }
};

struct Journal {
  std::unordered_map<std::uint64_t, Expected> rows;  // by key hash; keys that never existed are not here
  std::uint64_t accounts = 0, unknown = 0;
  std::int64_t bank_sum = 0, first_id = 0;
  bool complete = false;
};
Result<Journal> read_journal(const std::string& path);

}  // namespace ndb::traffic
