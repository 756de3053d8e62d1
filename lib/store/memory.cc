#include "store/memory.h"

#include <sys/mman.h>

#include <bit>

#include "base/check.h"

namespace ndb::store {
namespace {

constexpr std::uint64_t kChunkBytes = Memory::kChunkPages * limits::kPageBytes;
constexpr std::uint64_t kReserveBytes = Memory::kPagesMax * limits::kPageBytes;
constexpr std::uint64_t kAllFree = ~std::uint64_t{0};
// The first chunks use ordinary pages: a node with little data should not hold 2 MiB for each of its workers.
constexpr std::uint32_t kSmallPageChunks = 2;

}  // namespace

Memory::Memory(std::uint64_t budget_bytes, Ahead ahead) : ahead_(std::move(ahead)) {
  // A limit on addresses (ulimit -v) may forbid the whole range; then a smaller one serves.
  for (std::uint64_t bytes = kReserveBytes; bytes >= 2 * kChunkBytes; bytes /= 2) {
    void* p = ::mmap(nullptr, bytes + kChunkBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    mapping_ = static_cast<char*>(p);
    mapping_bytes_ = bytes + kChunkBytes;
    auto at = reinterpret_cast<std::uintptr_t>(p);
    base_ = mapping_ + ((kChunkBytes - at % kChunkBytes) % kChunkBytes);
    chunks_max_ = static_cast<std::uint32_t>(bytes / kChunkBytes);
    break;
  }
  set_budget(budget_bytes);
}

Memory::~Memory() {
  if (mapping_) ::munmap(mapping_, mapping_bytes_);
}

void Memory::set_budget(std::uint64_t bytes) noexcept {
  budget_bytes_ = bytes;
  budget_pages_ = bytes / limits::kPageBytes;
}

char* Memory::allocate(std::uint32_t* page_no) {
  if (used_pages_ >= budget_pages_) return nullptr;
  const std::uint32_t c = chunk_from(first_free_);
  if (c == kNoChunk) return nullptr;
  first_free_ = c;
  if (!opened_[c] && !open_chunk(c)) return nullptr;
  if (c == idle_) idle_ = kNoChunk;
  auto bit = static_cast<std::uint32_t>(std::countr_zero(free_[c]));
  free_[c] &= free_[c] - 1;
  used_pages_++;
  if (ahead_ && std::popcount(free_[c]) == kChunkPages / 2) look_ahead(c + 1);
  *page_no = c * kChunkPages + bit;
  return page(*page_no);
}

// The lowest one, not below `chunk`, that has a free page.
std::uint32_t Memory::chunk_from(std::uint32_t chunk) {
  while (chunk < free_.size() && free_[chunk] == 0) chunk++;
  if (chunk < free_.size()) return chunk;
  if (chunk >= chunks_max_) return kNoChunk;
  free_.push_back(chunk == 0 ? kAllFree & ~std::uint64_t{1} : kAllFree);
  opened_.push_back(0);
  return chunk;
}

// An empty chunk is there already when it is the idle one: the one made present becomes that.
void Memory::look_ahead(std::uint32_t chunk) {
  if (idle_ != kNoChunk || used_pages_ + kChunkPages / 2 >= budget_pages_) return;
  const std::uint32_t c = chunk_from(chunk);
  if (c == kNoChunk || c < kSmallPageChunks || free_[c] != kAllFree) return;
  if (!opened_[c] && !open_chunk(c)) return;
  idle_ = c;
  ahead_(base_ + c * kChunkBytes, kChunkBytes);
}

void Memory::release(std::uint32_t page_no) {
  std::uint32_t c = page_no / kChunkPages;
  std::uint64_t bit = std::uint64_t{1} << (page_no % kChunkPages);
  NDB_CHECK(page_no != 0 && c < free_.size());
  NDB_CHECK((free_[c] & bit) == 0);
  free_[c] |= bit;
  used_pages_--;
  if (c < first_free_) first_free_ = c;
  if (free_[c] == (c == 0 ? kAllFree & ~std::uint64_t{1} : kAllFree)) {
    if (idle_ != kNoChunk) close_chunk(idle_);
    idle_ = c;
  }
}

bool Memory::open_chunk(std::uint32_t chunk) {
  char* p = base_ + chunk * kChunkBytes;
  if (::mprotect(p, kChunkBytes, PROT_READ | PROT_WRITE) != 0) return false;
  if (chunk >= kSmallPageChunks) ::madvise(p, kChunkBytes, MADV_HUGEPAGE);
  opened_[chunk] = 1;
  return true;
}

void Memory::close_chunk(std::uint32_t chunk) {
  // It stays accessible (and counted by strict overcommit), but nothing backs it.
  ::madvise(base_ + chunk * kChunkBytes, kChunkBytes, MADV_DONTNEED);
}

}  // namespace ndb::store
