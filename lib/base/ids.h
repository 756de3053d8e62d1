// The identifiers that everything else speaks in. Plain integers with names; zero means "none" unless said otherwise.
#pragma once
#include <compare>
#include <cstdint>

namespace ndb {

using NodeId = std::uint16_t;      // 1..255; 0 = none. Data nodes 1..144, as in NDB.
using GroupId = std::uint32_t;     // 0..71; kNoGroup = in the cluster, no data
using TableId = std::uint32_t;     // 1.. ; never reused
using FragmentId = std::uint16_t;  // 0.. within a table
using WorkerId = std::uint8_t;     // 0..W-1 within a node; kControl = the control machine
using Version = std::uint64_t;     // index of the last applied entry of the metadata log
using View = std::uint64_t;        // index of the last log entry that changed topology or distribution
using Sequence = std::uint64_t;    // position in the stream of one fragment, from 1
using Epoch = std::uint64_t;
using Time = std::int64_t;  // nanoseconds on a monotonic clock (virtual in lib/sim)

inline constexpr GroupId kNoGroup = 65536;
inline constexpr WorkerId kControl = 255;
inline constexpr Time kMicrosecond = 1000;
inline constexpr Time kMillisecond = 1000 * kMicrosecond;
inline constexpr Time kSecond = 1000 * kMillisecond;
inline constexpr Time kNever = INT64_MAX;

// A transaction's name, unique for the life of the cluster: `session` is 64 random bits that a client draws when it
// connects, `number` counts that session's transactions from 1. Repeating a request under the same id asks
// for the outcome of the first one.
struct TxnId {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  friend bool operator==(const TxnId&, const TxnId&) = default;
  friend auto operator<=>(const TxnId&, const TxnId&) = default;
};

// Where a message goes: a worker of a node, or its control machine.
struct Address {
  NodeId node = 0;
  WorkerId worker = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

// One fragment of one table.
struct FragmentRef {
  TableId table = 0;
  FragmentId fragment = 0;
  friend bool operator==(const FragmentRef&, const FragmentRef&) = default;
  friend auto operator<=>(const FragmentRef&, const FragmentRef&) = default;
};

}  // namespace ndb
