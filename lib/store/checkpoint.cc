#include "store/checkpoint.h"

#include <algorithm>

#include "base/hash.h"

namespace ndb::store {
namespace {

constexpr Bytes kMagic{"NDBCKPT1", 8};
constexpr std::size_t kChunkHead = 16;
constexpr std::size_t kEndBytes = kChunkHead + 24;
constexpr std::size_t kWindow = std::size_t{1} << 20;
constexpr std::size_t kScanRows = 256;

std::uint64_t row_sum(Sequence sequence, Bytes image) { return block_hash(image) + sequence * 0x9e3779b97f4a7c15u; }

}  // namespace

// ---- CheckpointWriter

std::size_t CheckpointWriter::begin_chunk(ChunkKind kind) {
  const std::size_t at = out_.size();
  out_.u32(0);
  out_.u32(0);
  out_.u32(chunks_++);
  out_.u32(static_cast<std::uint32_t>(kind));
  return at;
}

void CheckpointWriter::end_chunk(std::size_t at) {
  const std::size_t n = out_.size() - at;
  NDB_CHECK(n <= limits::kCheckpointChunkBytesMax);
  out_.patch(at, static_cast<std::uint32_t>(n));
  out_.patch(at + 4, crc32c(out_.view().substr(at + 8)));
}

Bytes CheckpointWriter::step(std::size_t bytes_max) {
  out_.clear();
  if (chunks_ == 0) {
    out_.raw(kMagic);
    const std::size_t at = begin_chunk(ChunkKind::head);
    out_.u32(CheckpointHead::kVersion);
    out_.u16(head_.identity.node);
    out_.u8(head_.identity.worker);
    out_.u8(head_.identity.workers);
    out_.u64(head_.identity.cluster);
    out_.u64(head_.id);
    out_.u64(head_.from.position);
    out_.u64(head_.from.life);
    out_.u32(head_.from.previous);
    out_.u32(0);
    out_.u64(head_.complete);
    out_.u64(head_.definitions);
    end_chunk(at);
  }
  while (!scanned_ && out_.size() < bytes_max) {
    if (!open_) {
      next_fragment();
    } else if (rows_ == nullptr) {
      end_fragment();
    } else {
      scan_some();
    }
  }
  bytes_ += out_.size();
  return out_.view();
}

void CheckpointWriter::next_fragment() {
  CheckpointFragment f;
  state_.clear();
  Fragment* rows = source_.next(&f, state_);
  if (rows == nullptr) {
    scanned_ = true;
    return;
  }
  NDB_CHECK(f.redo_position >= head_.from.position);
  NDB_CHECK(total_.fragments < limits::kCheckpointFragmentsMax);
  total_.fragments++;
  ref_ = f.ref;
  rows_ = rows;
  open_ = true;
  cursor_ = 0;
  fragment_rows_ = fragment_sum_ = 0;
  const std::size_t at = begin_chunk(ChunkKind::fragment);
  out_.u32(f.ref.table);
  out_.u16(f.ref.fragment);
  out_.u16(0);
  out_.u64(f.sequence);
  out_.u64(f.redo_position);
  out_.bytes32(state_.view());
  end_chunk(at);
}

void CheckpointWriter::scan_some() {
  found_.clear();
  cursor_ = rows_->scan(cursor_, found_, kScanRows);
  std::size_t at = 0;
  bool open = false;
  for (RowRef ref : found_) {
    const Row* row = rows_->row(ref);
    if (!open) at = begin_chunk(ChunkKind::rows);
    open = true;
    out_.u64(row->sequence);
    out_.bytes16(row->view());
    fragment_rows_++;
    fragment_sum_ += row_sum(row->sequence, row->view());
    if (out_.size() - at >= limits::kCheckpointChunkBytes) {
      end_chunk(at);
      open = false;
    }
  }
  if (open) end_chunk(at);
  if (cursor_ == kScanEnd) end_fragment();
}

void CheckpointWriter::end_fragment() {
  const std::size_t at = begin_chunk(ChunkKind::fragment_end);
  out_.u64(fragment_rows_);
  out_.u64(fragment_sum_);
  end_chunk(at);
  total_.rows += fragment_rows_;
  rows_ = nullptr;
  open_ = false;
}

void CheckpointWriter::forget(const FragmentRef& ref) {
  if (rows_ != nullptr && ref_ == ref) rows_ = nullptr;
}

Bytes CheckpointWriter::end(Epoch newest) {
  NDB_CHECK(scanned_ && !open_);
  out_.clear();
  const std::size_t at = begin_chunk(ChunkKind::end);
  out_.u64(newest);
  out_.u64(total_.rows);
  out_.u32(total_.fragments);
  out_.u32(chunks_);
  end_chunk(at);
  NDB_CHECK(out_.size() == kEndBytes);
  bytes_ += out_.size();
  return out_.view();
}

// ---- CheckpointReader

Failure CheckpointReader::fail(std::string what) {
  failure_ = {Error::os_failed, disk_.checkpoint_place(id_, offset_) + ": the checkpoint is damaged (" + what + ")"};
  return failure_;
}

Bytes CheckpointReader::fetch(std::uint64_t offset, std::size_t n) {
  n = static_cast<std::size_t>(std::min<std::uint64_t>(n, size_ - offset));
  const bool inside = offset >= window_at_ && offset - window_at_ <= window_.size();
  if (!inside || window_.size() - (offset - window_at_) < n) {
    if (inside) {
      window_.erase(0, static_cast<std::size_t>(offset - window_at_));
    } else {
      window_.clear();
    }
    window_at_ = offset;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(n, kWindow), size_ - offset));
    while (window_.size() < wanted) {
      auto more = disk_.read_checkpoint(id_, offset + window_.size(), wanted - window_.size());
      if (!more || more->empty()) {
        failure_ =
            more ? Failure{Error::os_failed, "cannot read " + disk_.checkpoint_place(id_, offset)} : more.failure();
        break;
      }
      window_.append(*more);
    }
  }
  return Bytes(window_).substr(static_cast<std::size_t>(offset - window_at_)).substr(0, n);
}

bool CheckpointReader::read_chunk(ChunkKind* kind, Bytes* body) {
  const Bytes head = fetch(offset_, kChunkHead);
  if (failure_) return false;
  if (head.size() < kChunkHead) {
    fail("it ends too early");
    return false;
  }
  Reader r(head);
  const std::uint32_t n = r.u32(), crc = r.u32(), number = r.u32(), k = r.u32();
  if (n < kChunkHead || n > limits::kCheckpointChunkBytesMax || n > size_ - offset_) {
    fail("a chunk of an impossible length");
    return false;
  }
  const Bytes chunk = fetch(offset_, n);
  if (failure_) return false;
  if (crc32c(chunk.substr(8)) != crc) {
    fail("a wrong checksum");
    return false;
  }
  if (number != chunks_ || k < 1 || k > static_cast<std::uint32_t>(ChunkKind::end)) {
    fail("a chunk in the wrong place");
    return false;
  }
  *kind = static_cast<ChunkKind>(k);
  *body = chunk.substr(kChunkHead);
  return true;
}

bool CheckpointReader::parse_head(Bytes body) {
  Reader r(body);
  if (std::uint32_t v = r.u32(); !r.bad() && v != CheckpointHead::kVersion) {
    fail("version " + std::to_string(v) + " of the format is not known");
    return false;
  }
  head_.identity.node = r.u16();
  head_.identity.worker = r.u8();
  head_.identity.workers = r.u8();
  head_.identity.cluster = r.u64();
  head_.id = r.u64();
  head_.from.position = r.u64();
  head_.from.life = r.u64();
  head_.from.previous = r.u32();
  r.u32();
  head_.complete = r.u64();
  head_.definitions = r.u64();
  if (!r.done() || head_.id != id_) {
    fail(r.done() ? "it is another one, number " + std::to_string(head_.id) : "its head");
    return false;
  }
  return true;
}

bool CheckpointReader::parse_end(Bytes body, CheckpointEnd* e) {
  Reader r(body);
  e->newest = r.u64();
  e->rows = r.u64();
  e->fragments = r.u32();
  r.u32();
  return r.done();
}

Failure CheckpointReader::open() {
  auto size = disk_.checkpoint_bytes(id_);
  if (!size) return failure_ = size.failure();
  size_ = *size;
  if (size_ < kMagic.size() + kEndBytes) return fail("it ends too early");
  if (fetch(0, kMagic.size()) != kMagic) return failure_ ? failure_ : fail("it does not begin as a checkpoint does");
  ChunkKind kind;
  Bytes body;
  offset_ = size_ - kEndBytes;
  const Bytes last = fetch(offset_, kEndBytes);
  if (failure_) return failure_;
  Reader r(last);
  const std::uint32_t n = r.u32(), crc = r.u32(), number = r.u32(), k = r.u32();
  if (n != kEndBytes || crc != crc32c(last.substr(8)) || k != static_cast<std::uint32_t>(ChunkKind::end) ||
      !parse_end(last.substr(kChunkHead), &end_) || load<std::uint32_t>(last.data() + kEndBytes - 4) != number + 1) {
    return fail("its end is missing");
  }
  offset_ = kMagic.size();
  if (!read_chunk(&kind, &body)) return failure_;
  if (kind != ChunkKind::head) return fail("its head is missing");
  if (!parse_head(body)) return failure_;
  offset_ += body.size() + kChunkHead;
  chunks_ = 1;
  return {};
}

CheckpointReader::Item CheckpointReader::next() {
  if (failure_) return Item::failed;
  ChunkKind kind;
  Bytes body;
  if (!read_chunk(&kind, &body)) return Item::failed;
  Reader r(body);
  Item item = Item::failed;
  if (inside_) {
    item = next_in_fragment(kind, r, body);
  } else if (kind == ChunkKind::fragment) {
    fragment_.ref.table = r.u32();
    fragment_.ref.fragment = r.u16();
    r.u16();
    fragment_.sequence = r.u64();
    fragment_.redo_position = r.u64();
    state_ = r.bytes32();
    if (r.done() && fragment_.redo_position >= head_.from.position) item = Item::fragment;
    inside_ = true;
    fragment_rows_ = fragment_sum_ = 0;
    counted_.fragments++;
  } else if (kind == ChunkKind::end) {
    CheckpointEnd e;
    const bool good = parse_end(body, &e) && e.rows == counted_.rows && e.fragments == counted_.fragments &&
                      offset_ + kChunkHead + body.size() == size_;
    if (good) item = Item::end;
  }
  if (item == Item::failed) {
    if (!failure_) fail("a chunk contradicts those before it");
    return item;
  }
  chunks_++;
  offset_ += kChunkHead + body.size();
  return item;
}

CheckpointReader::Item CheckpointReader::next_in_fragment(ChunkKind kind, Reader& r, Bytes body) {
  if (kind == ChunkKind::rows) {
    std::uint64_t rows = 0, sum = 0;
    while (!r.done() && !r.bad()) {
      const Sequence sequence = r.u64();
      sum += row_sum(sequence, r.bytes16());
      rows++;
    }
    if (r.bad()) return Item::failed;
    fragment_rows_ += rows;
    fragment_sum_ += sum;
    rest_ = body;
    return Item::rows;
  }
  if (kind != ChunkKind::fragment_end) return Item::failed;
  const std::uint64_t rows = r.u64(), sum = r.u64();
  if (!r.done() || rows != fragment_rows_ || sum != fragment_sum_) return Item::failed;
  counted_.rows += rows;
  inside_ = false;
  return Item::fragment_end;
}

bool CheckpointReader::row(Sequence* sequence, Bytes* image) {
  if (rest_.empty()) return false;
  Reader r(rest_);
  *sequence = r.u64();
  *image = r.bytes16();
  NDB_CHECK(!r.bad());  // next() has walked them
  rest_.remove_prefix(rest_.size() - r.left());
  return true;
}

}  // namespace ndb::store
