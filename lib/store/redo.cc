#include "store/redo.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace ndb::store {
namespace {

constexpr std::size_t kCrcFrom = 8;  // magic and crc are not covered
constexpr std::size_t kWindow = std::size_t{1} << 20;

std::uint32_t block_crc(Bytes block) { return crc32c(block.substr(kCrcFrom)); }

}  // namespace

bool next_redo_entry(Bytes& rest, RedoEntry* e) {
  if (rest.size() < sizeof(RedoEntryHead)) return false;
  const auto h = load<RedoEntryHead>(rest.data());
  if (h.bytes < sizeof h || h.bytes > rest.size()) return false;
  if (h.kind < RedoKind::record || h.kind > RedoKind::state) return false;
  e->kind = h.kind;
  e->ref = {h.table, h.fragment};
  e->sequence = h.sequence;
  e->epoch = h.epoch;
  e->record = rest.substr(sizeof h, h.bytes - sizeof h);
  rest.remove_prefix(h.bytes);
  return true;
}

// ---- RedoWriter

void RedoWriter::open() {
  RedoBlockHead h{};
  h.magic = RedoBlockHead::kMagic;
  h.position = position_;
  h.life = life_;
  buffer_.put(h);
}

void RedoWriter::close() {
  const std::size_t n = buffer_.size() - begin_;
  if (n == 0) return;
  char* p = buffer_.data() + begin_;
  auto h = load<RedoBlockHead>(p);
  h.bytes = static_cast<std::uint32_t>(n);
  h.flags = first_of_life_ ? RedoBlockHead::kFirstOfLife : 0;
  h.durable = durable_;
  h.epoch = epoch_;
  h.previous = previous_;
  save(p, h);
  h.crc = block_crc({p, n});
  save(p, h);
  first_of_life_ = false;
  previous_ = h.crc;
  position_ += n;
  begin_ = buffer_.size();
}

Bytes RedoWriter::take(std::uint64_t durable, Epoch now) {
  NDB_CHECK(durable <= position_);
  durable_ = durable;
  epoch_ = now;
  close();
  return buffer_.view();
}

// ---- RedoReader

RedoReader::RedoReader(DiskReader& disk, const DiskReader::Inventory& inventory, std::uint64_t position)
    : disk_(disk), end_(inventory.redo_end), position_(position) {
  NDB_CHECK(position >= inventory.redo_begin && position <= end_);
}

RedoReader::RedoReader(DiskReader& disk, const DiskReader::Inventory& inventory, const RedoPlace& from)
    : RedoReader(disk, inventory, from.position) {
  life_ = from.life;
  previous_ = from.previous;
  chained_ = true;
}

Bytes RedoReader::fetch(std::uint64_t position, std::size_t n) {
  n = static_cast<std::size_t>(std::min<std::uint64_t>(n, end_ - position));
  const bool inside = position >= window_at_ && position - window_at_ <= window_.size();
  if (!inside || window_.size() - (position - window_at_) < n) {
    if (inside) {
      window_.erase(0, static_cast<std::size_t>(position - window_at_));
    } else {
      window_.clear();
    }
    window_at_ = position;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(n, kWindow), end_ - position));
    while (window_.size() < wanted) {
      auto more = disk_.read_redo(position + window_.size(), wanted - window_.size());
      if (!more || more->empty()) {
        failure_ = more ? Failure{Error::os_failed, "cannot read " + disk_.redo_place(position + window_.size())}
                        : more.failure();
        break;
      }
      window_.append(*more);
    }
  }
  return Bytes(window_).substr(static_cast<std::size_t>(position - window_at_)).substr(0, n);
}

// Is there a block at this position, judged by itself alone? If not, *why.
bool RedoReader::look(std::uint64_t position, RedoBlock* b, std::string* why) {
  const Bytes head = fetch(position, sizeof(RedoBlockHead));
  if (head.size() < sizeof(RedoBlockHead)) {
    *why = "the log's files end here";
    return false;
  }
  const auto h = load<RedoBlockHead>(head.data());
  if (h.magic != RedoBlockHead::kMagic || h.position != position) {
    *why = h.magic == RedoBlockHead::kMagic ? "an older block" : "no block";
    return false;
  }
  if (h.bytes < sizeof h || h.bytes > limits::kRedoBlockBytesMax || h.bytes > end_ - position) {
    *why = "a block of an impossible length";
    return false;
  }
  const Bytes block = fetch(position, h.bytes);
  if (block.size() < h.bytes) {
    *why = "a block that cannot be read";
    return false;
  }
  if (block_crc(block) != h.crc) {
    *why = "a block with a wrong checksum";
    return false;
  }
  b->position = position;
  b->bytes = h.bytes;
  b->crc = h.crc;
  b->life = h.life;
  b->durable = h.durable;
  b->epoch = h.epoch;
  b->first_of_life = (h.flags & RedoBlockHead::kFirstOfLife) != 0;
  b->entries = block.substr(sizeof h);
  RedoEntry e;
  Bytes rest = b->entries;
  while (next_redo_entry(rest, &e)) {
  }
  if (!rest.empty()) {
    *why = "a block with entries that are not known";
    return false;
  }
  if (chained_ && !b->first_of_life && (b->life != life_ || h.previous != previous_)) {
    *why = "a block of an earlier life";
    return false;
  }
  return true;
}

RedoReader::State RedoReader::next(RedoBlock* b) {
  if (failure_) return State::damaged;
  std::string why;
  if (position_ == end_) return judge_end("");
  if (!look(position_, b, &why)) return judge_end(std::move(why));
  previous_ = b->crc;
  life_ = b->life;
  chained_ = true;
  position_ += b->bytes;
  return State::block;
}

// The first position at or after *position where a block lies, whatever the chain says.
bool RedoReader::find_block(std::uint64_t* position, RedoBlock* b) {
  const std::uint32_t magic = RedoBlockHead::kMagic;
  const bool chained = chained_;
  chained_ = false;
  std::string why;
  bool found = false;
  std::uint64_t at = *position;
  while (!found && !failure_ && end_ - at >= sizeof(RedoBlockHead)) {
    const Bytes bytes = fetch(at, kWindow);
    const void* hit = ::memmem(bytes.data(), bytes.size(), &magic, sizeof magic);
    if (hit == nullptr) {
      if (bytes.size() < kWindow) break;
      at += bytes.size() - (sizeof magic - 1);
      continue;
    }
    at += static_cast<std::uint64_t>(static_cast<const char*>(hit) - bytes.data());
    if (end_ - at < sizeof(RedoBlockHead)) break;
    found = look(at, b, &why);
    if (!found) at += sizeof magic;
  }
  chained_ = chained;
  *position = at;
  return found;
}

bool RedoReader::resync() {
  RedoBlock b;
  std::uint64_t at = position_;
  if (failure_ || !find_block(&at, &b)) return false;
  position_ = at;
  chained_ = false;
  return true;
}

// No block follows. A block further on that was made when this place was durable already shows damage; without one it
// is the tail of a log whose process died.
RedoReader::State RedoReader::judge_end(std::string why) {
  if (failure_) return State::damaged;
  reason_ = why;
  cut_bytes_ = 0;
  if (position_ == end_) return State::end;
  const Bytes here = fetch(position_, sizeof(RedoBlockHead));
  if (here.size() == sizeof(RedoBlockHead)) {
    const auto h = load<RedoBlockHead>(here.data());
    if (h.magic == RedoBlockHead::kMagic && h.position == position_) {
      cut_bytes_ = std::min<std::uint64_t>(h.bytes, end_ - position_);
    }
  }
  RedoBlock b;
  std::uint64_t at = position_ + 1;
  while (find_block(&at, &b)) {
    if (b.durable > position_) {
      failure_ = {Error::os_failed, disk_.redo_place(position_) + ": the redo log is damaged (" + why +
                                        ", and what follows at position " + std::to_string(at) +
                                        " was written after this place had been made durable)"};
      return State::damaged;
    }
    cut_bytes_ = std::max(cut_bytes_, at + b.bytes - position_);
    at += b.bytes;
  }
  return failure_ ? State::damaged : State::end;
}

// ---- for people

std::string_view redo_kind_name(RedoKind k) {
  switch (k) {
    case RedoKind::record:
      return "record";
    case RedoKind::complete:
      return "complete";
    case RedoKind::created:
      return "created";
    case RedoKind::dropped:
      return "dropped";
    case RedoKind::cut:
      return "cut";
    case RedoKind::restart:
      return "restart";
    case RedoKind::filled:
      return "filled";
    case RedoKind::state:
      return "state";
  }
  return "?";
}

}  // namespace ndb::store
