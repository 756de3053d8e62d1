#include "store/fragment.h"

#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace ndb::store {

Fragment::Fragment(Slab& slab, Memory& memory, const RowShape& shape) : slab_(slab), shape_(shape), index_(slab) {
  NDB_CHECK(&slab.memory() == &memory);
}

Fragment::~Fragment() {
  while (drop_some()) {
  }
}

bool Fragment::drop_some() {
  found_.clear();
  if (!index_.take_segment(found_)) {
    rows_ = 0;
    checksum_ = 0;
    sums_.clear();
    NDB_CHECK(row_bytes_ == 0);
    return false;
  }
  for (const auto& e : found_) slab_.prefetch(e.ref);
  for (const auto& e : found_) {
    if (slab_.at(e.ref)->committed()) rows_--;
    row_bytes_ -= slab_.slot_bytes(e.ref);
    slab_.free(e.ref);
  }
  return true;
}

std::uint64_t Fragment::scan(std::uint64_t cursor, std::vector<RowRef>& out, std::size_t rows_max) {
  found_.clear();
  const std::uint64_t next = index_.scan(cursor, found_, rows_max);
  for (const auto& e : found_) slab_.prefetch(e.ref);
  for (const auto& e : found_) {
    if (slab_.at(e.ref)->committed()) out.push_back(e.ref);
  }
  return next;
}

void Fragment::count_in(const Row& row, std::uint64_t hash) {
  const std::uint64_t sum = block_hash(row.view());
  rows_++;
  checksum_ += sum;
  sums_.add(meta::bucket_of(hash), sum);
}

void Fragment::count_out(const Row& row, std::uint64_t hash) {
  const std::uint64_t sum = block_hash(row.view());
  rows_--;
  checksum_ -= sum;
  sums_.subtract(meta::bucket_of(hash), sum);
}

RowRef Fragment::new_row(std::uint64_t hash, Bytes image, Sequence sequence, std::uint16_t flags) {
  NDB_CHECK(image.size() <= limits::kRowBytesMax);
  RowRef ref = slab_.allocate(sizeof(Row) + image.size());
  if (ref == 0) return 0;
  Row* r = slab_.at(ref);
  *r = Row{sequence, 0, static_cast<std::uint16_t>(image.size()), flags};
  std::memcpy(r->image(), image.data(), image.size());
  if (!index_.insert(meta::index_hash(hash), ref)) [[unlikely]] {
    slab_.free(ref);
    return 0;
  }
  row_bytes_ += slab_.slot_bytes(ref);
  return ref;
}

Error Fragment::put(Bytes key, std::uint64_t hash, Bytes image, Sequence sequence, RowRef* out) {
  RowRef ref = find(key, hash);
  if (ref == 0) {
    ref = new_row(hash, image, sequence, 0);
    if (ref == 0) return Error::memory_full;
    count_in(*slab_.at(ref), hash);
  } else {
    if (Error e = update(&ref, hash, image, sequence); e != Error::ok) return e;
    if (!slab_.at(ref)->committed()) commit_insert(ref, hash);
  }
  if (out) *out = ref;
  return Error::ok;
}

Error Fragment::insert_uncommitted(Bytes key, std::uint64_t hash, Bytes image, Sequence sequence, RowRef* out) {
  *out = find(key, hash);
  if (*out != 0) return Error::row_exists;
  *out = new_row(hash, image, sequence, kRowUncommitted);
  return *out == 0 ? Error::memory_full : Error::ok;
}

void Fragment::commit_insert(RowRef ref) { commit_insert(ref, shape_.hash_of_image(image(ref))); }

void Fragment::commit_insert(RowRef ref, std::uint64_t hash) {
  Row* r = slab_.at(ref);
  NDB_CHECK(!r->committed());
  r->flags = static_cast<std::uint16_t>(r->flags & ~kRowUncommitted);
  count_in(*r, hash);
}

// A row stays where it is while it fills at least three quarters of its slot.
bool Fragment::fits(RowRef ref, std::size_t image_bytes) const {
  const std::size_t slot = slab_.slot_bytes(ref);
  const std::size_t need = sizeof(Row) + image_bytes;
  return need <= slot && (slot - need <= slot / 4 || Slab::rounded(need) == slot);
}

Error Fragment::update(RowRef* ref, std::uint64_t hash, Bytes new_image, Sequence sequence) {
  NDB_CHECK(new_image.size() <= limits::kRowBytesMax);
  Row* r = slab_.at(*ref);
  const bool committed = r->committed();
  const std::uint64_t old_sum = committed ? block_hash(r->view()) : 0;
  if (!fits(*ref, new_image.size())) [[unlikely]] {
    RowRef moved = slab_.allocate(sizeof(Row) + new_image.size());
    if (moved == 0 && sizeof(Row) + new_image.size() > slab_.slot_bytes(*ref)) {
      return Error::memory_full;
    }
    if (moved != 0) {
      Row* m = slab_.at(moved);
      *m = *r;
      NDB_CHECK(index_.replace(meta::index_hash(hash), *ref, moved));
      row_bytes_ += slab_.slot_bytes(moved);
      row_bytes_ -= slab_.slot_bytes(*ref);
      // The image may be a view of the old row: it is copied before that is freed.
      std::memcpy(m->image(), new_image.data(), new_image.size());
      new_image = Bytes(m->image(), new_image.size());
      slab_.free(*ref);
      *ref = moved;
      r = m;
    }
  }
  r->sequence = sequence;
  r->bytes = static_cast<std::uint16_t>(new_image.size());
  std::memmove(r->image(), new_image.data(), new_image.size());
  if (committed) {
    const std::uint64_t new_sum = block_hash(r->view());
    checksum_ += new_sum - old_sum;
    sums_.change(meta::bucket_of(hash), old_sum, new_sum);
  }
  return Error::ok;
}

bool Fragment::remove(Bytes key, std::uint64_t hash) {
  RowRef ref = find(key, hash);
  if (ref == 0) return false;
  remove_ref(ref, hash);
  return true;
}

void Fragment::remove_ref(RowRef ref) { remove_ref(ref, shape_.hash_of_image(image(ref))); }

void Fragment::remove_ref(RowRef ref, std::uint64_t hash) {
  const Row* r = slab_.at(ref);
  if (r->committed()) count_out(*r, hash);
  NDB_CHECK(index_.erase(meta::index_hash(hash), ref));
  row_bytes_ -= slab_.slot_bytes(ref);
  slab_.free(ref);
}

}  // namespace ndb::store
