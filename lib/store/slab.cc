#include "store/slab.h"

#include <algorithm>

namespace ndb::store {

Slab::Slab(Memory& memory) : memory_(memory), base_(memory.base()) {}

void Slab::free(RowRef ref) {
  const std::uint32_t page = ref >> kSlotBits;
  const std::uint32_t slot = ref & kSlotMask;
  NDB_CHECK(page != 0 && page < info_.size());
  PageInfo& p = info_[page];
  NDB_CHECK(slot < p.fresh);
  char* s = address(page, slot);
  NDB_CHECK(load<std::uint16_t>(s + kMarkAt) != kFreeMark);
  const unsigned c = class_of(stride_[page]);
  if (p.used == p.capacity) link(c, page);
  save<std::uint16_t>(s, p.free_head);
  save<std::uint16_t>(s + kMarkAt, kFreeMark);
  p.free_head = static_cast<std::uint16_t>(slot);
  if (--p.used == 0) {
    unlink(c, page);
    stride_[page] = 0;
    p = PageInfo{};
    memory_.release(page);
  }
}

RowRef Slab::ref_of(const void* slot) const noexcept {
  auto offset = static_cast<std::uint64_t>(static_cast<const char*>(slot) - base_);
  auto page = static_cast<std::uint32_t>(offset >> Memory::kPageShift);
  auto in_page = static_cast<std::uint32_t>(offset & (limits::kPageBytes - 1));
  return page << kSlotBits | in_page / stride_[page];
}

std::uint64_t Slab::free_slots_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < info_.size(); i++) {
    sum += std::uint64_t{stride_[i]} * static_cast<std::uint64_t>(info_[i].capacity - info_[i].used);
  }
  return sum;
}

std::uint32_t Slab::open_page(unsigned c) {
  NDB_CHECK(c >= 2 && c < kClasses);
  std::uint32_t page = 0;
  if (!memory_.allocate(&page)) return 0;
  if (page >= info_.size()) {
    std::size_t n = std::max<std::size_t>(page + 1, info_.size() + info_.size() / 2);
    info_.resize(n);
    stride_.resize(n);
  }
  const std::uint32_t stride = stride_of(c);
  NDB_CHECK(class_of(stride) == c);
  stride_[page] = static_cast<std::uint16_t>(stride);
  info_[page] = PageInfo{};
  info_[page].capacity = static_cast<std::uint16_t>(limits::kPageBytes / stride);
  info_[page].free_head = kNoSlot;
  link(c, page);
  return page;
}

void Slab::link(unsigned c, std::uint32_t page) {
  PageInfo& p = info_[page];
  p.previous = 0;
  p.next = partial_[c];
  if (p.next) info_[p.next].previous = page;
  partial_[c] = page;
}

void Slab::unlink(unsigned c, std::uint32_t page) {
  PageInfo& p = info_[page];
  if (p.next) info_[p.next].previous = p.previous;
  if (p.previous) {
    info_[p.previous].next = p.next;
  } else {
    NDB_CHECK(partial_[c] == page);
    partial_[c] = p.next;
  }
  p.previous = p.next = 0;
}

}  // namespace ndb::store
