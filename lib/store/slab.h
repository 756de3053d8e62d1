// Slots for rows in pages of one size class each; all fragments of a worker share it.
//
// A row is named by 32 bits: number of the page << 11 | number of the slot in it. The slot's address follows from
// the page's stride, which lies in a dense table (2 bytes a page, so it stays in the cache): slots need no
// alignment beyond 8, and a 40-byte image costs 56 bytes, not 64. Bookkeeping is outside the pages.
//
// Size classes: every multiple of 8 up to 1 KiB, above that 32 KiB / n for n = 31 .. 1; the waste is at most 7
// bytes a row below 1 KiB and 1/n above. Segments of the hash index (4 KiB) are slots too, so that they are
// charged to DataMemory; eight fill a page exactly, which aligns them.
//
// Costs: allocate and free about 3 ns, no memory of its own per row. A page whose last slot is freed goes back to
// Memory.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "store/memory.h"

namespace ndb::store {

using RowRef = std::uint32_t;  // 0 = none

inline constexpr std::uint16_t kRowUncommitted = 1;  // inserted, its transaction not committed

// What stands before every row image in memory. Not a format: never on the wire nor on disk.
struct Row {
  std::uint64_t sequence;  // of the stream record that last changed it
  std::uint32_t lock;      // 0 = unlocked; else owned by txn
  std::uint16_t bytes;     // of the image
  std::uint16_t flags;     // kRowUncommitted; the bits from 2 to 0x4000 are free for txn
  char* image() noexcept { return reinterpret_cast<char*>(this + 1); }
  const char* image() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  Bytes view() const noexcept { return {image(), bytes}; }
  bool committed() const noexcept { return (flags & kRowUncommitted) == 0; }
};
static_assert(sizeof(Row) == 16);

class Slab {
 public:
  static constexpr std::uint32_t kSlotBits = 11;
  static constexpr std::uint32_t kSlotMask = (1u << kSlotBits) - 1;

  explicit Slab(Memory& memory);
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // A slot of at least `bytes` (header included, 16 <= bytes <= 32 KiB); 0 = DataMemory is full. Its content
  // is not defined.
  RowRef allocate(std::size_t bytes) {
    const unsigned c = class_of(bytes);
    std::uint32_t page = partial_[c];
    if (page == 0) [[unlikely]] {
      page = open_page(c);
      if (page == 0) return 0;
    }
    PageInfo& p = info_[page];
    std::uint32_t slot = p.free_head;
    if (slot != kNoSlot) {
      char* s = address(page, slot);
      NDB_CHECK(load<std::uint16_t>(s + kMarkAt) == kFreeMark);
      p.free_head = load<std::uint16_t>(s);
    } else {
      slot = p.fresh++;
    }
    if (++p.used == p.capacity) [[unlikely]]
      unlink(c, page);
    return page << kSlotBits | slot;
  }
  void free(RowRef ref);

  Row* at(RowRef ref) const noexcept { return reinterpret_cast<Row*>(address(ref >> kSlotBits, ref & kSlotMask)); }
  void prefetch(RowRef ref) const noexcept {
    const char* p = address(ref >> kSlotBits, ref & kSlotMask);
    __builtin_prefetch(p);
    __builtin_prefetch(p + 63);
  }
  RowRef ref_of(const void* slot) const noexcept;
  // What the slot really takes.
  std::uint32_t slot_bytes(RowRef ref) const noexcept { return stride_[ref >> kSlotBits]; }
  // What a slot of this size would take.
  static std::uint32_t rounded(std::size_t bytes) noexcept { return stride_of(class_of(bytes)); }

  Memory& memory() const noexcept { return memory_; }
  // In pages in use; walks all pages: for status only.
  std::uint64_t free_slots_bytes() const noexcept;

 private:
  struct PageInfo {
    std::uint16_t used = 0;
    std::uint16_t capacity = 0;
    std::uint16_t free_head = 0;  // list through the first two bytes of the free slots
    std::uint16_t fresh = 0;      // slots from here on were never used
    std::uint32_t previous = 0;   // list of the pages of a class with a free slot
    std::uint32_t next = 0;
  };
  static constexpr unsigned kFineClasses = 129;  // 8 * class bytes
  static constexpr unsigned kClasses = kFineClasses + 31;
  static constexpr std::uint16_t kNoSlot = 0xffff;
  // A free slot carries a mark where a row has its flags: freeing twice is caught.
  static constexpr std::size_t kMarkAt = 14;
  static constexpr std::uint16_t kFreeMark = 0xffff;

  static unsigned class_of(std::size_t bytes) noexcept {
    std::size_t eighths = (bytes + 7) / 8;
    if (eighths < kFineClasses) return static_cast<unsigned>(eighths);
    return static_cast<unsigned>(kFineClasses + 31 - limits::kPageBytes / (eighths * 8));
  }
  static std::uint32_t stride_of(unsigned c) noexcept {
    if (c < kFineClasses) return c * 8;
    return static_cast<std::uint32_t>(limits::kPageBytes / (kFineClasses + 31 - c)) & ~7u;
  }
  char* address(std::uint32_t page, std::uint32_t slot) const noexcept {
    return base_ + (std::uint64_t{page} << Memory::kPageShift) + std::uint64_t{slot} * stride_[page];
  }
  std::uint32_t open_page(unsigned c);
  void unlink(unsigned c, std::uint32_t page);
  void link(unsigned c, std::uint32_t page);

  Memory& memory_;
  char* base_;
  std::vector<std::uint16_t> stride_;  // by page number; 0 = not ours
  std::vector<PageInfo> info_;
  std::array<std::uint32_t, kClasses> partial_{};  // head of each class's list; 0 = none
};

}  // namespace ndb::store
