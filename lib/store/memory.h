// DataMemory of one worker: pages of 32 KiB (limits::kPageBytes) within a budget.
//
// Pages lie in one reserved range of addresses, so a page's address is base + number * 32 KiB and a row can be named
// by 32 bits (slab.h). Only what is used is backed by memory: the range is reserved without access and opened in
// chunks of 2 MiB (64 pages, huge pages where the system offers them); a chunk whose last page is released is
// given back to the system, but for one that is kept against opening and closing the same chunk again and again.
// The lowest free page is handed out first, so that a shrinking store empties its upper chunks.
//
// The first touch of 2 MiB costs 0.1 to 4 ms (the system clears it, and on a virtual machine finds it first). So that
// no transaction waits for that, `ahead` is told of a chunk while the one before is half used.
//
// Promises: allocate() and release() cost about 5 ns, 1 us when a chunk is opened. Page 0 is never handed out.
// The content of a fresh page is not defined. One thread.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "env/limits.h"

namespace ndb::store {

class Memory {
 public:
  static constexpr std::uint32_t kPageShift = 15;
  static constexpr std::uint32_t kChunkPages = 64;
  static constexpr std::uint32_t kPagesMax = 1u << 21;  // 64 GiB a worker
  static_assert(std::size_t{1} << kPageShift == limits::kPageBytes);

  // Makes an opened chunk present, at its leisure, on a thread of its own, without a change of what it holds; must be
  // harmless for addresses that are not mapped any more.
  using Ahead = std::function<void(char* chunk, std::size_t bytes)>;

  explicit Memory(std::uint64_t budget_bytes, Ahead ahead = {});
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // nullptr when the budget is used up, or the system has no memory to give.
  char* allocate(std::uint32_t* page_no);
  void release(std::uint32_t page_no);

  char* page(std::uint32_t page_no) const noexcept { return base_ + (std::uint64_t{page_no} << kPageShift); }
  char* base() const noexcept { return base_; }

  std::uint64_t used_bytes() const noexcept { return used_pages_ * limits::kPageBytes; }
  std::uint64_t budget_bytes() const noexcept { return budget_bytes_; }
  // A budget below what is used refuses new pages until enough are released.
  void set_budget(std::uint64_t bytes) noexcept;

 private:
  bool open_chunk(std::uint32_t chunk);
  void close_chunk(std::uint32_t chunk);
  std::uint32_t chunk_from(std::uint32_t chunk);
  void look_ahead(std::uint32_t chunk);

  static constexpr std::uint32_t kNoChunk = UINT32_MAX;
  char* base_ = nullptr;
  char* mapping_ = nullptr;  // base_ lies in it at the first multiple of 2 MiB
  std::uint64_t mapping_bytes_ = 0;
  std::uint32_t chunks_max_ = 0;  // what the reservation holds
  std::uint64_t budget_bytes_ = 0;
  std::uint64_t budget_pages_ = 0;
  std::uint64_t used_pages_ = 0;
  std::vector<std::uint64_t> free_;   // a chunk each: one bit a free page
  std::vector<std::uint8_t> opened_;  // a chunk each: readable and writable
  std::uint32_t first_free_ = 0;      // no chunk below has a free page
  std::uint32_t idle_ = kNoChunk;     // the empty chunk that is kept
  Ahead ahead_;
};

}  // namespace ndb::store
