// The disk under one worker of a data node: its redo log and its checkpoints. Files and a thread in lib/os, memory with
// faults in lib/sim. One per worker; only that worker calls it.
//
// The redo log is an endless run of bytes with positions that only grow, kept in a ring of files (RedoLayout). Orders
// return at once and are carried out in their sequence; those with a tag end with EventKind::stored(tag, status),
// status 0 = everything it covers is durable, in the order of the calls. A write or fsync that failed is final:
// failed() says so, every later tag ends with a status that is not 0, and nothing is tried again.
//
// Costs: append() copies into a buffer, 5 ns and 0.1 ns a byte; no order waits for the device.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"

namespace ndb::store {

// Where a position of the redo log lies. Every file begins with a header of kHeaderBytes that says the position of its
// first byte; a file is entered anew only when nothing in it is needed any more, and its header is durable before
// anything is written behind it: so the readable files are the newest one and those before it without a gap.
struct RedoLayout {
  static constexpr std::uint64_t kHeaderBytes = 4096;
  std::uint64_t file_bytes = std::uint64_t{16} << 20;  // FragmentLogFileSize
  std::uint32_t files = 16;                            // NoOfFragmentLogFiles

  std::uint64_t data_bytes() const { return file_bytes - kHeaderBytes; }
  std::uint64_t capacity() const { return data_bytes() * files; }
  std::uint32_t file_of(std::uint64_t position) const {
    return static_cast<std::uint32_t>(position / data_bytes() % files);
  }
  std::uint64_t first_of(std::uint64_t position) const { return position - position % data_bytes(); }
  std::uint64_t offset_of(std::uint64_t position) const { return kHeaderBytes + position % data_bytes(); }
  // Bytes that may follow `end` when everything from `keep` on is needed.
  std::uint64_t room(std::uint64_t keep, std::uint64_t end) const { return first_of(keep) + capacity() - end; }
};

// The half that reads: at a start, for --dump and --check-files.
class DiskReader {
 public:
  // What a start finds. Redo before `redo_begin` is gone; `redo_end` is where the log cannot reach beyond: RedoReader
  // finds its true end. Both 0: no redo.
  struct Inventory {
    std::uint64_t redo_begin = 0, redo_end = 0;
    std::vector<std::uint64_t> checkpoints;  // finished ones, ascending
    std::vector<std::string> notes;          // what looked wrong, one sentence each
  };

  virtual ~DiskReader() = default;

  // Synchronous. Views are valid until the next read.
  virtual Inventory list() = 0;
  // At most max bytes, at least one when position < redo_end; fewer do not mean the end.
  virtual Result<Bytes> read_redo(std::uint64_t position, std::size_t max) = 0;
  // The same; empty = at or behind the end.
  virtual Result<Bytes> read_checkpoint(std::uint64_t id, std::uint64_t offset, std::size_t max) = 0;
  virtual Result<std::uint64_t> checkpoint_bytes(std::uint64_t id) = 0;
  // For people: "'ndb_3_fs/w0/redo.0002' at offset 8192".
  virtual std::string redo_place(std::uint64_t position) const = 0;
  virtual std::string checkpoint_place(std::uint64_t id, std::uint64_t offset) const = 0;
};

class Disk : public DiskReader {
 public:
  // Ends reading. Redo from `keep` on is needed, the next byte appended has position `end`; all that lies before is
  // durable on return. REQUIRES keep <= end, as Recovery reported them (0, 0 on an empty disk); once, before any order.
  virtual void start(std::uint64_t keep, std::uint64_t end) = 0;

  // ---- redo, after start()
  virtual const RedoLayout& layout() const = 0;
  virtual std::uint64_t position() const = 0;  // behind the last byte appended
  virtual std::uint64_t durable() const = 0;   // every byte before it is durable; grows before `stored` is delivered
  // Bytes that append() takes now, the buffer's and the ring's bound considered. A worker refuses new writes with
  // Error::redo_full while this is less than it wants to keep free for what others have committed already.
  virtual std::uint64_t room() const = 0;
  virtual std::size_t backlog() const = 0;  // bytes appended and not written yet
  // Whole blocks (redo.h). False: no room, nothing was taken.
  [[nodiscard]] virtual bool append(Bytes blocks) = 0;
  virtual void flush(std::uint64_t tag) = 0;      // all that was appended before
  virtual void trim(std::uint64_t position) = 0;  // redo before it is not needed any more

  // ---- checkpoints, after start(); one at a time is being written
  virtual void begin_checkpoint(std::uint64_t id) = 0;
  virtual void write_checkpoint(std::uint64_t id, Bytes bytes) = 0;  // in order, copied
  virtual std::size_t checkpoint_backlog() const = 0;  // bytes not written yet: wait while this is more than the pace
  // Durable and in its place, or after a crash not there at all.
  virtual void finish_checkpoint(std::uint64_t id, std::uint64_t tag) = 0;
  virtual void remove_checkpoint(std::uint64_t id) = 0;  // a finished one, or the one being written

  virtual bool failed() const = 0;
  virtual Failure failure() const = 0;  // the first one, with the path
};

}  // namespace ndb::store
