// Checkpoints: all rows of a worker's fragments in one file, written in the background while transactions go on
// (docs/FORMATS.md). Fuzzy: a row is as it was when the scan met it; redo from `from` on makes the rest true.
//
//   file    "NDBCKPT1", then chunks: head · for each fragment (fragment · rows .. · fragment_end) · end
//   chunk   u32 bytes in all · u32 crc32c of all that follows · u32 number, from 0 · u8 kind · u8[3] 0, then its body
//   rows    for each row: u64 sequence · u16 bytes · image
//
// Two promises make it usable. 1. The state of a fragment holds everything the log says of it before its
// `redo_position`, entry by entry, and its rows show at least that; so of this fragment a recovery replays entries from
// there on only, and replaying one that a row shows already does no harm, because an entry puts whole images and all
// later entries follow. 2. `newest` is not less than the epoch of anything in it: usable only when that is durable.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "store/disk.h"
#include "store/fragment.h"
#include "store/redo.h"
#include "store/redo_file.h"

namespace ndb::store {

enum class ChunkKind : std::uint8_t { head = 1, fragment = 2, rows = 3, fragment_end = 4, end = 5 };

struct CheckpointHead {
  static constexpr std::uint32_t kVersion = 1;
  DiskIdentity identity;
  std::uint64_t id = 0;
  RedoPlace from;                 // replay begins here: not behind any fragment's redo_position
  Epoch complete = 0;             // the newest epoch that was complete in the log at `from`
  std::uint64_t definitions = 0;  // fingerprint of the tables' definitions, for the caller to compare
};
struct CheckpointFragment {
  FragmentRef ref;
  Sequence sequence = 0;            // of the stream, shown by the state and at least by the rows
  std::uint64_t redo_position = 0;  // RedoWriter::position() when the state was taken
};
struct CheckpointEnd {
  Epoch newest = 0;
  std::uint64_t rows = 0;
  std::uint32_t fragments = 0;
};

// Makes a checkpoint's bytes, a bounded part in each call. Costs: 60 ns a row of 40 bytes.
class CheckpointWriter {
 public:
  // The worker's side.
  class Source {
   public:
    virtual ~Source() = default;
    // The next fragment, in any order, as it is now: *f, its other state appended to `state` (prepared transactions,
    // decisions, outcomes: bytes of txn), and its rows. Null: there are no more.
    virtual Fragment* next(CheckpointFragment* f, Writer& state) = 0;
  };

  CheckpointWriter(const CheckpointHead& head, Source& source) : head_(head), source_(source) {}

  // The next part of the file, about bytes_max of it (a fragment's state is never split); valid until the next call.
  // Empty only when scanned().
  Bytes step(std::size_t bytes_max);
  // The fragment is dropped, or begins anew: the writer does not look at it any more. (What follows in the log says
  // so.)
  void forget(const FragmentRef& ref);
  bool scanned() const { return scanned_; }
  // The end of the file, once scanned(). newest: at least the epoch of every record that took effect so far.
  Bytes end(Epoch newest);

  std::uint64_t rows() const { return total_.rows; }
  std::uint64_t bytes() const { return bytes_; }
  const CheckpointHead& head() const { return head_; }

 private:
  void next_fragment();
  void scan_some();
  void end_fragment();
  std::size_t begin_chunk(ChunkKind kind);
  void end_chunk(std::size_t at);

  const CheckpointHead head_;
  Source& source_;
  Writer out_;
  Writer state_;
  std::vector<RowRef> found_;
  std::uint32_t chunks_ = 0;
  std::uint64_t bytes_ = 0;
  CheckpointEnd total_;
  bool open_ = false;         // a fragment is
  Fragment* rows_ = nullptr;  // its rows; null: forgotten
  FragmentRef ref_;
  std::uint64_t cursor_ = 0;
  std::uint64_t fragment_rows_ = 0, fragment_sum_ = 0;
  bool scanned_ = false;
};

// Reads one; everything is checked before it is shown. Any failure names file and offset and is final.
class CheckpointReader {
 public:
  enum class Item : std::uint8_t { fragment, rows, fragment_end, end, failed };
  CheckpointReader(DiskReader& disk, std::uint64_t id) : disk_(disk), id_(id) {}

  // The head, and the end: two reads. First, once.
  Failure open();
  const CheckpointHead& head() const { return head_; }
  const CheckpointEnd& end() const { return end_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t offset() const { return offset_; }

  Item next();
  const CheckpointFragment& fragment() const { return fragment_; }
  Bytes state() const { return state_; }  // of a fragment; until the next call
  // After Item::rows, until next(): the rows one by one; false = that were all.
  bool row(Sequence* sequence, Bytes* image);
  const Failure& failure() const { return failure_; }

 private:
  Failure fail(std::string what);
  Bytes fetch(std::uint64_t offset, std::size_t n);
  bool read_chunk(ChunkKind* kind, Bytes* body);
  bool parse_head(Bytes body);
  bool parse_end(Bytes body, CheckpointEnd* e);
  Item next_in_fragment(ChunkKind kind, Reader& r, Bytes body);

  DiskReader& disk_;
  const std::uint64_t id_;
  CheckpointHead head_;
  CheckpointEnd end_, counted_;
  CheckpointFragment fragment_;
  Bytes state_, rest_;
  std::uint64_t size_ = 0, offset_ = 0;
  std::uint32_t chunks_ = 0;
  bool inside_ = false;  // of a fragment
  std::uint64_t fragment_rows_ = 0, fragment_sum_ = 0;
  std::string window_;
  std::uint64_t window_at_ = 0;
  Failure failure_;
};

// For people; `rows` also lists each row's sequence and size.
std::string dump_checkpoint(DiskReader& disk, std::uint64_t id, bool rows = false);
std::string dump_checkpoint_file(Bytes file, bool rows = false);
// A redo or checkpoint file, told by its first bytes. Empty: it is neither.
std::string dump_store_file(Bytes file);
// Everything a worker's disk holds, checked from end to end: one line for each thing found. False: something is
// damaged.
bool check_disk(DiskReader& disk, std::vector<std::string>* lines);

}  // namespace ndb::store
