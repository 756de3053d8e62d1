// Room in the redo ring, and who may still write.
//
// Some things have to be logged whatever the ring holds: records that a primary has sent, commits of what is prepared,
// ends of epochs. So room is kept for them. Each worker that leads fragments of ours is a *source* (this one too), and
// may have its share of `under_way` in streams; a worker that runs low tells its sources to take no new writes
// (Error::redo_full), until a checkpoint has made room.
//
//   room     ample   sources write again, a joining replica asks for rows again
//     |      tight   a joining replica asks for no more rows; a checkpoint begins early
//     |      low     sources are told: no new writes
//     |      ------- under_way: what they may have sent by then
//     v      ------- reserve: commits, aborts, ends of epochs
//
// In quiet a checkpoint leaves two files of three free: more than `ample`, which is half of the ring at most.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "env/limits.h"
#include "store/disk.h"

namespace ndb::txn {

struct RedoMarks {
  RedoMarks() = default;
  explicit RedoMarks(const store::RedoLayout& l)
      : under_way(std::min(l.capacity() / 8, limits::kRedoUnderWayMax)),
        reserve(std::min(l.capacity() / 8, limits::kRedoReserveMax)),
        low(under_way + reserve),
        ample(std::min(l.capacity() / 2, limits::kRedoAmpleMax)),
        tight((low + ample) / 2),
        fill(tight - low),
        early(l.capacity() / 16) {}
  std::uint64_t under_way = 0;
  std::uint64_t reserve = 0;
  std::uint64_t low = 0;
  std::uint64_t ample = 0;
  std::uint64_t tight = 0;
  std::uint64_t fill = 0;   // rows that may be on their way to joining replicas
  std::uint64_t early = 0;  // so much redo since the last checkpoint is worth one when the ring is tight
};

struct RedoRoom {
  static constexpr std::uint64_t kAny = UINT64_MAX;  // no bound: there is no log
  // Of the log, at most, beside a record's bytes: the head of its entry and of a block.
  static constexpr std::uint64_t kEntryBytes = 84;
  // The record that ends what is open: a commit, an abort, a forget.
  static constexpr std::uint64_t kEndBytes = 256;

  RedoMarks marks;
  std::uint64_t led = 0;       // log bytes of what lies in the streams of fragments led here
  std::uint64_t followed = 0;  // and in those of others
  std::uint32_t sources = 1;
  bool low = false;
  bool tight = false;
  Time told = 0;  // people, that it is low
  std::vector<std::uint64_t> shares =
      std::vector<std::uint64_t>((limits::kDataNodeIdMax + 1) * limits::kWorkersMax, kAny);

  std::uint64_t& share_at(NodeId n, WorkerId w) {
    return shares[std::size_t{n} * limits::kWorkersMax + w % limits::kWorkersMax];
  }
  std::uint64_t share_at(NodeId n, WorkerId w) const {
    return shares[std::size_t{n} * limits::kWorkersMax + w % limits::kWorkersMax];
  }
};

// A share on the wire (StreamAck): KiB.
inline constexpr std::uint16_t kAnyShare = 0xffff;
inline std::uint16_t share_to_wire(std::uint64_t bytes) {
  return bytes == RedoRoom::kAny ? kAnyShare
                                 : static_cast<std::uint16_t>(std::min<std::uint64_t>(bytes >> 10, kAnyShare - 1));
}
inline std::uint64_t share_from_wire(std::uint16_t kib) {
  return kib == kAnyShare ? RedoRoom::kAny : std::uint64_t{kib} << 10;
}

}  // namespace ndb::txn
