// A worker's disk in memory, for tests and the simulator. What was ordered becomes durable when the simulator says so,
// in order, and is reported then. A crash keeps of the unreported redo writes nothing, everything, the first ones, or
// any of them, sector by sector; of unreported checkpoints and removals any; what lay in the ring a lap ago shows
// through where a write was lost. Faults: damage at a place, a disk that fails or is full.
#pragma once
#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/prng.h"
#include "store/disk.h"
#include "store/redo_file.h"

namespace ndb::sim {

class MemoryDisk : public store::Disk {
 public:
  struct Completion {
    std::uint64_t tag = 0;
    int status = 0;
  };
  static constexpr std::size_t kSector = 512;

  explicit MemoryDisk(store::RedoLayout layout) : layout_(layout), ring_(layout.capacity()), files_(layout.files) {
    NDB_CHECK(layout.file_bytes > store::RedoLayout::kHeaderBytes && layout.data_bytes() % kSector == 0);
  }

  // ---- reading
  Inventory list() override {
    NDB_CHECK(orders_.empty() && writes_.empty());
    Inventory i;
    store::find_redo_range(layout_, files_, &i.redo_begin, &i.redo_end);
    for (const auto& [id, bytes] : checkpoints_) i.checkpoints.push_back(id);
    return i;
  }
  Result<Bytes> read_redo(std::uint64_t position, std::size_t max) override {
    const std::uint64_t at = position % layout_.capacity();
    const std::uint64_t to_end = layout_.first_of(position) + layout_.data_bytes() - position;
    return Bytes(ring_.data() + at, static_cast<std::size_t>(std::min<std::uint64_t>(max, to_end)));
  }
  Result<Bytes> read_checkpoint(std::uint64_t id, std::uint64_t offset, std::size_t max) override {
    auto i = checkpoints_.find(id);
    if (i == checkpoints_.end()) return {Error::os_failed, "no checkpoint " + std::to_string(id)};
    if (offset >= i->second.size()) return Bytes();
    return Bytes(i->second).substr(static_cast<std::size_t>(offset), max);
  }
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t id) override {
    auto i = checkpoints_.find(id);
    if (i == checkpoints_.end()) return {Error::os_failed, "no checkpoint " + std::to_string(id)};
    return std::uint64_t{i->second.size()};
  }
  std::string redo_place(std::uint64_t position) const override {
    return "'redo." + std::to_string(layout_.file_of(position)) + "' at offset " +
           std::to_string(layout_.offset_of(position));
  }
  std::string checkpoint_place(std::uint64_t id, std::uint64_t offset) const override {
    return "'checkpoint." + std::to_string(id) + "' at offset " + std::to_string(offset);
  }
  void start(std::uint64_t keep, std::uint64_t end) override {
    NDB_CHECK(keep <= end && orders_.empty() && writes_.empty());
    trim_ = keep;
    position_ = durable_ = end;
    started_ = true;
  }

  // ---- redo
  const store::RedoLayout& layout() const override { return layout_; }
  std::uint64_t position() const override { return position_; }
  std::uint64_t durable() const override { return durable_; }
  std::uint64_t room() const override { return layout_.room(trim_, position_); }
  std::size_t backlog() const override { return 0; }
  bool append(Bytes blocks) override {
    NDB_CHECK(started_);
    if (blocks.size() > room()) return false;
    while (!blocks.empty()) {
      const std::uint32_t f = layout_.file_of(position_);
      const std::uint64_t first = layout_.first_of(position_);
      if (!entered_at(f, first)) {
        writes_.push_back({true, first, {}});
        entering_[f] = first;
      }
      const std::size_t n = std::min(blocks.size(), static_cast<std::size_t>(kSector - position_ % kSector));
      writes_.push_back({false, position_, std::string(blocks.substr(0, n))});
      position_ += n;
      spend(n);
      blocks.remove_prefix(n);
    }
    return true;
  }
  void flush(std::uint64_t tag) override { order({Kind::flush, tag, 0, position_, written_ + writes_.size(), {}}); }
  void trim(std::uint64_t position) override {
    NDB_CHECK(position <= position_);
    trim_ = std::max(trim_, position);
  }

  // ---- checkpoints
  void begin_checkpoint(std::uint64_t id) override {
    NDB_CHECK(started_ && writing_id_ == 0 && id != 0 && !checkpoints_.contains(id));
    writing_id_ = id;
    writing_.clear();
  }
  void write_checkpoint(std::uint64_t id, Bytes bytes) override {
    NDB_CHECK(id == writing_id_);
    writing_ += bytes;
    spend(bytes.size());
  }
  std::size_t checkpoint_backlog() const override { return 0; }
  void finish_checkpoint(std::uint64_t id, std::uint64_t tag) override {
    NDB_CHECK(id == writing_id_);
    order({Kind::finish, tag, id, 0, 0, std::move(writing_)});
    writing_id_ = 0;
  }
  void remove_checkpoint(std::uint64_t id) override {
    if (id == writing_id_) {
      writing_id_ = 0;
      return;
    }
    order({Kind::remove, 0, id, 0, 0, {}});
  }

  bool failed() const override { return broken_; }
  Failure failure() const override {
    return broken_ ? Failure{Error::os_failed, "cannot write 'redo': the disk is broken"} : Failure{};
  }

  // ---- the simulator's side
  std::size_t pending() const { return orders_.size(); }
  // Makes the next orders durable up to and including one that has a completion; false: there was none.
  bool complete(Completion* c) {
    while (!orders_.empty()) {
      Order o = std::move(orders_.front());
      orders_.pop_front();
      if (!broken_) carry_out(o);
      if (o.tag == 0) continue;
      *c = {o.tag, broken_ ? 1 : 0};
      return true;
    }
    return false;
  }
  // The process dies, and the power with it when `power`: else everything written is kept.
  void crash(Prng& prng, bool power = true) {
    keep_some(prng, power);
    writes_.clear();
    for (Order& o : orders_) {
      if (o.kind == Kind::flush || (power && prng.chance(0.5))) continue;
      if (!broken_) carry_out(o);
    }
    orders_.clear();
    entering_.clear();
    written_ = 0;
    writing_id_ = 0;
    writing_.clear();
    started_ = false;
    broken_ = false;
    space_ = UINT64_MAX;
  }
  void break_disk() { broken_ = true; }                     // nothing is durable from here on
  void fill_after(std::uint64_t bytes) { space_ = bytes; }  // so much more fits, then it is broken
  void damage_redo(std::uint64_t position, char bits = 0x40) { flip(&ring_[position % layout_.capacity()], bits); }
  void damage_checkpoint(std::uint64_t id, std::uint64_t offset, char bits = 0x40) {
    flip(&checkpoints_.at(id).at(static_cast<std::size_t>(offset)), bits);
  }
  void cut_checkpoint(std::uint64_t id, std::uint64_t bytes) {
    checkpoints_.at(id).resize(static_cast<std::size_t>(bytes));
  }
  void wipe() {  // the files are gone
    Prng none;
    crash(none);
    checkpoints_.clear();
    std::fill(ring_.begin(), ring_.end(), char{0});
    std::fill(files_.begin(), files_.end(), store::RedoFileHeader{});
    position_ = durable_ = trim_ = 0;
  }

 private:
  enum class Kind : std::uint8_t { flush, finish, remove };
  struct Order {
    Kind kind;
    std::uint64_t tag;
    std::uint64_t id;        // of a checkpoint
    std::uint64_t position;  // flush: durable then
    std::uint64_t writes;    // flush: so many, counted from the start
    std::string content;
  };
  struct Write {
    bool enters;  // the header of a file; position = its first
    std::uint64_t position;
    std::string bytes;
  };

  static void flip(char* c, char bits) { *c = static_cast<char>(*c ^ bits); }
  void order(Order o) {
    NDB_CHECK(started_);
    orders_.push_back(std::move(o));
  }
  void spend(std::uint64_t n) {
    if (space_ < n) broken_ = true;
    if (space_ != UINT64_MAX) space_ -= std::min(space_, n);
  }
  bool entered_at(std::uint32_t f, std::uint64_t first) const {
    auto i = entering_.find(f);
    if (i != entering_.end()) return i->second == first;
    return files_[f].entered && files_[f].first == first;
  }
  void apply(const Write& w) {
    if (w.enters) {
      files_[layout_.file_of(w.position)].entered = true;
      files_[layout_.file_of(w.position)].first = w.position;
    } else {
      std::copy(w.bytes.begin(), w.bytes.end(),
                ring_.begin() + static_cast<std::ptrdiff_t>(w.position % layout_.capacity()));
    }
  }
  void carry_out(Order& o) {
    switch (o.kind) {
      case Kind::flush:
        for (; written_ < o.writes; written_++) {
          apply(writes_.front());
          writes_.pop_front();
        }
        durable_ = o.position;
        return;
      case Kind::finish:
        checkpoints_[o.id] = std::move(o.content);
        return;
      case Kind::remove:
        checkpoints_.erase(o.id);
        return;
    }
  }
  // A sector is written as a whole: of several writes to one, the first ones survive. A file is entered durably before
  // anything is written to it, or to those behind it.
  void keep_some(Prng& prng, bool power) {
    const std::uint64_t mode = power ? prng.below(4) : 1;
    const double chance = mode == 0 ? 0 : mode == 3 ? 0.2 + 0.2 * static_cast<double>(prng.below(5)) : 1;
    const std::uint64_t first = mode == 2 ? prng.below(writes_.size() + 1) : writes_.size();
    std::map<std::uint64_t, bool> lost;
    std::uint64_t n = 0;
    for (const Write& w : writes_) {
      bool& gone = lost[w.enters ? UINT64_MAX - w.position : w.position / kSector];
      if (n++ >= first || !prng.chance(chance)) gone = true;
      if (w.enters && gone) return;
      if (!gone) apply(w);
    }
  }

  const store::RedoLayout layout_;
  std::vector<char> ring_;  // durable, without the files' headers
  std::vector<store::RedoFileHeader> files_;
  std::map<std::uint64_t, std::string> checkpoints_;

  bool started_ = false;
  std::uint64_t trim_ = 0, position_ = 0, durable_ = 0;
  std::deque<Write> writes_;  // not durable
  std::uint64_t written_ = 0;
  std::map<std::uint32_t, std::uint64_t> entering_;  // headers since start()
  std::deque<Order> orders_;
  std::uint64_t writing_id_ = 0;
  std::string writing_;
  bool broken_ = false;
  std::uint64_t space_ = UINT64_MAX;
};

}  // namespace ndb::sim
