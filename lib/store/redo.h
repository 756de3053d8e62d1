// The redo log's bytes (docs/FORMATS.md): blocks, each with a checksum and its own position, that hold entries. One
// block is what a worker did in one step. RedoWriter makes blocks, RedoReader walks them again.
//
//   block head, 56 bytes   u32 magic · u32 crc32c of all that follows · u32 bytes in all · u32 flags · u64 position ·
//                          u64 life · u64 durable · u64 epoch · u32 crc of the block before · u32 0
//   entry, 28 bytes        u32 bytes in all · u8 kind · u8 0 · u16 fragment · u32 table · u64 sequence · u64 epoch,
//                          then the record
//
// What makes a block the log's next one: its crc is right, its position is where it lies (what the ring held a lap ago
// has another), and it is of the same life as the block before and names that one's crc, or begins a new life. A life
// is one run of the process, named by 64 random bits; what a crash left behind the log's end is of an older one and
// never taken for a continuation. (Nor is a block that begins a life: all before it was durable when it was written, so
// the log never ended before it again.) `durable` says how far the log was durable when the block was made: a block
// behind a damaged place tells a torn tail (cut, nobody was promised it) from damage to what was durable (refused).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "env/limits.h"
#include "store/disk.h"

namespace ndb::store {

enum class RedoKind : std::uint8_t {
  record = 1,    // a record of the fragment's stream took effect; the bytes are the stream's own
  complete = 2,  // `epoch` and those before are complete in this log: no later entry belongs to them
  created = 3,   // from here on the fragment exists, empty: what the log said of it before is void
  dropped = 4,   // ... does not exist any more
  cut = 5,       // records of the fragment with a greater sequence, before this entry, are void
  restart = 6,   // the node came back at the end of `epoch`: records of later epochs before this entry are void
  filled = 7,  // what it missed meanwhile came from its peers, written down as of `epoch`: the epochs between the last
               // complete one and this one are not in the log one by one
  state = 8,   // beside its rows, the fragment holds these bytes of txn from here on, as a checkpoint would have them
};

#pragma pack(push, 1)
struct RedoBlockHead {
  static constexpr std::uint32_t kMagic = 0x31425244;  // "DRB1"
  static constexpr std::uint32_t kFirstOfLife = 1;
  std::uint32_t magic;
  std::uint32_t crc;
  std::uint32_t bytes;
  std::uint32_t flags;
  std::uint64_t position;
  std::uint64_t life;
  std::uint64_t durable;
  Epoch epoch;             // of the worker when it made the block
  std::uint32_t previous;  // crc of the block before; 0 in the first of a life
  std::uint32_t reserved;
};
static_assert(sizeof(RedoBlockHead) == 56);
struct RedoEntryHead {
  std::uint32_t bytes;
  RedoKind kind;
  std::uint8_t reserved;
  FragmentId fragment;
  TableId table;
  Sequence sequence;
  Epoch epoch;
};
static_assert(sizeof(RedoEntryHead) == 28);
#pragma pack(pop)

// Where a reader begins, with what it needs to know the log's next block from one that an earlier life left there.
// All zeros: the beginning of a new log.
struct RedoPlace {
  std::uint64_t position = 0;  // between two blocks
  std::uint64_t life = 0;      // of the block before
  std::uint32_t previous = 0;  // its crc
};

struct RedoEntry {
  RedoKind kind = RedoKind::record;
  FragmentRef ref;
  Sequence sequence = 0;
  Epoch epoch = 0;
  Bytes record;
  std::uint64_t position = 0;  // of the entry itself
};
// The next entry of a block's entries; false at the end, or when the rest is damaged (then `rest` is not empty).
bool next_redo_entry(Bytes& rest, RedoEntry* e);

// Encodes entries into blocks; its memory is kept. Per step: entries, take(), Disk::append, clear().
// Costs: 20 ns for an entry of 100 bytes, checksum included; no allocation in steady state.
class RedoWriter {
 public:
  // Where the log ends (Recovery's report; 0 for an empty one), and the new life's name: random, never used before.
  RedoWriter(std::uint64_t position, std::uint64_t life) : position_(position), life_(life), durable_(position) {}

  void record(const FragmentRef& ref, Sequence sequence, Epoch epoch, Bytes record) {
    add(RedoKind::record, ref, sequence, epoch, record);
  }
  void state(const FragmentRef& ref, Epoch epoch, Bytes bytes) { add(RedoKind::state, ref, 0, epoch, bytes); }
  void complete(Epoch epoch) { add(RedoKind::complete, {}, 0, epoch, {}); }
  void created(const FragmentRef& ref, Epoch epoch) { add(RedoKind::created, ref, 0, epoch, {}); }
  void dropped(const FragmentRef& ref, Epoch epoch) { add(RedoKind::dropped, ref, 0, epoch, {}); }
  void cut(const FragmentRef& ref, Sequence sequence, Epoch epoch) { add(RedoKind::cut, ref, sequence, epoch, {}); }
  void restarted(Epoch recovered) { add(RedoKind::restart, {}, 0, recovered, {}); }
  void filled(Epoch upto) { add(RedoKind::filled, {}, 0, upto, {}); }

  // Closes the open block. The finished blocks, valid until the next call of anything; durable: Disk::durable().
  Bytes take(std::uint64_t durable, Epoch now);
  void clear() {
    NDB_CHECK(begin_ == buffer_.size());
    buffer_.clear();
    begin_ = 0;
  }

  bool empty() const { return buffer_.empty(); }
  std::size_t bytes() const { return buffer_.size(); }
  // No entry so far has this position or a greater one; every later one has.
  std::uint64_t position() const { return position_ + (buffer_.size() - begin_); }
  // Where a reader begins to see all entries from position() on.
  RedoPlace place() const { return {position_, life_, previous_}; }

 private:
  void add(RedoKind kind, const FragmentRef& ref, Sequence sequence, Epoch epoch, Bytes record) {
    if (buffer_.size() == begin_) open();
    const std::size_t n = sizeof(RedoEntryHead) + record.size();
    NDB_CHECK(n <= limits::kFrameBytesMax);
    char* p = buffer_.extend(n);
    save(p, RedoEntryHead{static_cast<std::uint32_t>(n), kind, 0, ref.fragment, ref.table, sequence, epoch});
    if (!record.empty()) std::memcpy(p + sizeof(RedoEntryHead), record.data(), record.size());
    if (buffer_.size() - begin_ >= limits::kRedoBlockBytes) close();
  }
  void open();
  void close();

  Writer buffer_;
  std::size_t begin_ = 0;   // of the open block in the buffer
  std::uint64_t position_;  // of the open block in the log
  std::uint32_t previous_ = 0;
  std::uint64_t life_;
  bool first_of_life_ = true;
  std::uint64_t durable_;  // as of the last take()
  Epoch epoch_ = 0;
};

struct RedoBlock {
  std::uint64_t position = 0;
  std::uint32_t bytes = 0;
  std::uint32_t crc = 0;
  std::uint64_t life = 0;
  std::uint64_t durable = 0;
  Epoch epoch = 0;
  bool first_of_life = false;
  Bytes entries;
};

// Walks the blocks of a disk's redo log from a block's position on. Checks each one before it is shown, entries
// included.
class RedoReader {
 public:
  enum class State : std::uint8_t { block, end, damaged };

  // REQUIRES inventory.redo_begin <= position <= inventory.redo_end.
  RedoReader(DiskReader& disk, const DiskReader::Inventory& inventory, const RedoPlace& from);
  // To look for blocks with resync().
  RedoReader(DiskReader& disk, const DiskReader::Inventory& inventory, std::uint64_t position);
  // block: *b is the next one, valid until the next call. end: the log's end, end_position() and cut() say more.
  // damaged: failure() names file and offset; nothing more can be read.
  State next(RedoBlock* b);
  // Goes to the first block at or after the present position, judged by itself alone (the chain cannot be checked).
  // False: there is none.
  bool resync();

  std::uint64_t position() const { return position_; }  // of the next block; at the end: where the log ends
  RedoPlace place() const { return {position_, life_, previous_}; }
  // At the end: why the next bytes are no block, and how many bytes behind the end belong to blocks that were begun but
  // not made durable, and are given up: 0 = the log ends cleanly.
  const std::string& reason() const { return reason_; }
  std::uint64_t cut_bytes() const { return cut_bytes_; }
  const Failure& failure() const { return failure_; }

 private:
  // The bytes at a position; fewer than n only at redo_end or after a failure.
  Bytes fetch(std::uint64_t position, std::size_t n);
  bool look(std::uint64_t position, RedoBlock* b, std::string* why);
  State judge_end(std::string why);
  bool find_block(std::uint64_t* position, RedoBlock* b);

  DiskReader& disk_;
  const std::uint64_t end_;
  std::uint64_t position_;
  std::uint32_t previous_ = 0;
  std::uint64_t life_ = 0;
  bool chained_ = false;  // previous_ and life_ are known
  std::string window_;    // bytes of the log from window_at_ on
  std::uint64_t window_at_ = 0;
  std::string reason_;
  std::uint64_t cut_bytes_ = 0;
  Failure failure_;
};

// For people: one line for each block and entry, from the first block at or after `from` on.
std::string dump_redo(DiskReader& disk, std::uint64_t from = 0);
// The same for one file's bytes; a block that goes on in the next file is named only.
std::string dump_redo_file(Bytes file);
std::string_view redo_kind_name(RedoKind k);

}  // namespace ndb::store
