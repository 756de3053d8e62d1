// What a worker does first: the newest usable checkpoint, then redo up to the end of an epoch (I7).
//
// A checkpoint is usable when it is whole, all its epochs are at or before the one recovered to, the redo it needs is
// there, and no restart at an earlier epoch came after it; else the one before it is tried; without any, an unbroken
// log from position 0 will do. The log is walked twice: first to find its end, its complete epochs and what later
// entries make void, then to replay.
//
// An entry is replayed when it lies at or behind its fragment's position in the checkpoint, its epoch is not later than
// the one recovered to, and no later entry voids it: a restart at an earlier epoch, or a cut of its fragment before it.
// A node that was filled by its peers has no complete epoch between the one it had come back at and the one it was
// filled in: such a log is recovered to the former, and to none in between.
//
// Replayed entries may be shown by the rows already: they carry whole images, and everything later follows.
// The records of a fragment come in the order of their sequences, but with gaps where later epochs were left out.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/checkpoint.h"
#include "store/redo.h"

namespace ndb::store {

// What is recovered goes here, in order. A Failure ends the recovery and is its failure.
class RecoverySink {
 public:
  virtual ~RecoverySink() = default;
  virtual void reset() = 0;  // forget everything: a checkpoint turned out to be damaged, another one is tried
  virtual Failure fragment(const CheckpointFragment& f, Bytes state) = 0;
  virtual Failure row(const FragmentRef& ref, Sequence sequence, Bytes image) = 0;
  virtual Failure fragment_end(const FragmentRef& ref) = 0;
  // From the log. created: exists, empty, whatever was there before. A record of a fragment that was neither in the
  // checkpoint nor created is a fragment of a table the caller may not know any more: it is handed over all the same.
  virtual Failure created(const FragmentRef& ref) = 0;
  virtual Failure dropped(const FragmentRef& ref) = 0;
  virtual Failure state(const FragmentRef& ref, Bytes state) = 0;
  virtual Failure apply(const FragmentRef& ref, Sequence sequence, Epoch epoch, Bytes record) = 0;
};

struct RecoveryOptions {
  Epoch upto = 0;       // the last durable epoch, as the metadata log says; everything later is left out
  bool exactly = true;  // the log must hold all of `upto`. False (peers have the rest): as much of it as is complete
};

class Recovery {
 public:
  enum class State : std::uint8_t { working, done, failed };
  Recovery(DiskReader& disk, RecoverySink& sink, RecoveryOptions options);
  ~Recovery();

  // A bounded part of the work: about so many bytes are read.
  State step(std::size_t bytes_max);
  State run() {  // all of it
    State s;
    while ((s = step(std::size_t{16} << 20)) == State::working) {
    }
    return s;
  }
  int percent() const;        // of the bytes to be read, as far as they are known
  const char* doing() const;  // "reading checkpoint", for people

  // What was done, when State::done.
  struct Report {
    bool empty = false;            // there was nothing: neither a checkpoint nor redo
    std::uint64_t checkpoint = 0;  // the one used; 0 = none
    std::uint64_t definitions = 0;
    Epoch epoch = 0;                         // recovered to the end of it
    RedoPlace keep;                          // for Disk::start, until the next checkpoint
    std::uint64_t end = 0;                   // of the log: for Disk::start and RedoWriter
    std::uint64_t checkpoint_next = 1;       // an id that no checkpoint has, usable or not
    std::vector<std::uint64_t> checkpoints;  // all that are there; those that are not used can be removed
    std::uint64_t rows = 0, fragments = 0;   // from the checkpoint
    std::uint64_t applied = 0, contained = 0, later = 0, voided = 0;  // records of the log: replayed; not, and why
    std::uint64_t cut_bytes = 0;
    std::vector<std::string> notes;  // sentences for the log: what was skipped, cut, found wrong
  };
  const Report& report() const { return report_; }
  const Failure& failure() const { return failure_; }

 private:
  enum class Phase : std::uint8_t { choose, scan, load, replay, ended };
  State fail(Failure f);
  void begin();
  State choose();
  State scan(std::size_t bytes_max);
  State load(std::size_t bytes_max);
  State judge_scan();
  State replay(std::size_t bytes_max);
  Failure replay_entry(const RedoEntry& e, std::uint64_t position);
  void note_entry(const RedoEntry& e, std::uint64_t position);
  void give_up_checkpoint(std::string why);
  Epoch complete_upto(Epoch e) const;  // the last epoch up to e whose end the log holds exactly
  bool is_void(const RedoEntry& e, std::uint64_t position) const;

  struct Restart {
    std::uint64_t position;
    Epoch epoch;
  };
  struct Cut {
    std::uint64_t position;
    Sequence sequence;
  };

  struct Gap {
    Epoch from, to;  // epochs between these are not complete
  };

  DiskReader& disk_;
  RecoverySink& sink_;
  const RecoveryOptions options_;
  Phase phase_ = Phase::choose;
  bool begun_ = false;
  DiskReader::Inventory inventory_;
  std::vector<std::uint64_t> candidates_;  // the newest last
  std::vector<std::string> reasons_;       // why those before were of no use
  std::unique_ptr<CheckpointReader> checkpoint_;
  std::unique_ptr<RedoReader> redo_;
  RedoPlace from_;
  Epoch complete_ = 0;
  std::vector<Restart> restarts_;                   // ascending positions; made so that epochs ascend too
  std::vector<Gap> gaps_;                           // ascending
  std::map<FragmentRef, std::vector<Cut>> cuts_;    // the same with sequences
  std::map<FragmentRef, std::uint64_t> contained_;  // by fragment: entries before this position are in the checkpoint
  std::uint64_t work_done_ = 0, work_all_ = 0;
  Report report_;
  Failure failure_;
};

}  // namespace ndb::store
