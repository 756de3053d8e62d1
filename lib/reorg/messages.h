// What the workers of a reorganisation say to each other and to the leader (docs/PROTOCOL.md).
#pragma once
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "meta/table.h"

namespace ndb::reorg {

#pragma pack(push, 1)
// move_rows: old primary -> new primary. What is behind it: while copying, changes (txn/record.h) of rows that stay
// share-locked at the sender until move_ack; while cleaning, outcomes of transactions (txn/outcomes.h).
// move_ack: they are in every replica of the new fragment, or why not.
struct MoveWord {
  std::uint64_t job;
  std::uint64_t batch;  // the sender's number
  std::uint32_t table;
  std::uint16_t from;
  std::uint16_t to;
  Error error;           // move_ack
  std::uint8_t history;  // 1 = outcomes
  std::uint8_t reserved;
};
// sums_request and, followed by {u16 bucket, u64 rows, u64 sum} each, sums_reply: of the moving buckets in [lo, hi).
struct SumsWord {
  std::uint64_t job;
  std::uint32_t table;
  std::uint16_t from;
  std::uint16_t to;
  std::uint16_t lo;
  std::uint16_t hi;
  Error error;  // not_ready: a write is under way there, ask again
  std::uint16_t count;
};
#pragma pack(pop)

// job_report: node -> leader, while a job runs. `view` is the distribution's: what was done in an earlier phase does
// not count for a later one.
struct FragmentReport {
  FragmentId fragment = 0;
  bool done = false;
  Epoch epoch = 0;          // done: what was written for it belongs to this epoch or an earlier one
  Error error = Error::ok;  // it cannot be done
  std::uint64_t rows = 0;   // moved, compared or dropped so far
  std::uint8_t percent = 0;
};
struct JobReport {
  std::uint64_t job = 0;
  NodeId node = 0;
  std::uint32_t incarnation = 0;
  meta::Phase phase = meta::Phase::none;
  View view = 0;
  std::vector<FragmentReport> fragments;  // those whose primary it is
};
void encode(Writer& w, const JobReport& r);
bool decode(Reader& r, JobReport* j);

}  // namespace ndb::reorg
