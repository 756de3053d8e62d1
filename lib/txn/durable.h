// What a worker keeps on its disk: redo of every record that took effect, checkpoints in the background, and the way
// back at a start. The worker tells it what happens; it never waits for the device.
//
//   record takes effect -> RedoWriter -> Disk::append at the end of the step
//   epoch to be flushed -> "complete" entry, Disk::flush -> stored
//   now and then        -> CheckpointWriter, a bounded piece at a time; when all its epochs are durable, older ones and
//                          the redo before it are given back
#pragma once
#include <memory>
#include <vector>

#include "store/checkpoint.h"
#include "store/disk.h"
#include "store/recover.h"
#include "store/redo.h"

namespace ndb::txn {

// Tags of orders to a worker's disk: bit 63 set (the metadata log's have it clear), the worker in bits 48..55.
inline constexpr std::uint64_t kDiskTag = std::uint64_t{1} << 63;
inline WorkerId worker_of_tag(std::uint64_t tag) { return static_cast<WorkerId>(tag >> 48 & 0xff); }

struct Durable {
  Durable(store::Disk& d, store::DiskIdentity i, std::uint64_t l) : disk(d), identity(i), life(l) {}

  store::Disk& disk;
  store::DiskIdentity identity;
  std::uint64_t life;
  std::unique_ptr<store::Recovery> recovery;  // while it runs
  std::unique_ptr<store::RedoWriter> redo;    // from its end on
  Epoch upto = 0;                             // durable when the recovery began
  Epoch restored = 0;                         // 1 + the epoch that came back exactly; 0 = nothing did
  Epoch filled = 0;                           // peers have filled it up to here, and the log does not say so yet
  std::uint64_t next_tag = 1;
  struct Flush {
    std::uint64_t tag;
    Epoch epoch;
  };
  std::vector<Flush> flushes;
  // checkpoints
  std::unique_ptr<store::CheckpointWriter> writer;
  std::uint64_t id = 1;  // of the next one, or the one being written
  std::uint64_t finish_tag = 0;
  struct Finished {
    std::uint64_t id;
    std::uint64_t from;  // redo position
    Epoch newest;
    bool on_disk;
  };
  std::vector<Finished> finished;  // ascending
  std::uint64_t redo_at_last = 0;  // position when the last one began
  std::uint64_t kept = 0;          // redo from here on is still needed
  FragmentRef next_replica;        // Source's place: tables may come and go meanwhile
  Time next_piece = 0;             // not before
  bool failed = false;
  bool damaged = false;  // what was read at the start cannot be used

  bool running() const { return redo != nullptr; }
};

}  // namespace ndb::txn
