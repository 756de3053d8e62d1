// The header of one file of the redo ring (docs/FORMATS.md): whose file it is, and the position of its first byte.
// It is written anew each time the file is entered; its fields lie in the file's first sector.
#pragma once
#include <string>

#include "base/hash.h"
#include "base/ids.h"
#include "store/disk.h"

namespace ndb::store {

// Whose files these are. What differs here needs --initial.
struct DiskIdentity {
  std::uint64_t cluster = 0;
  NodeId node = 0;
  WorkerId worker = 0;
  std::uint8_t workers = 1;  // of the node: which fragment lies with which worker depends on it
};

struct RedoFileHeader {
  DiskIdentity identity;
  RedoLayout layout;
  std::uint32_t number = 0;  // of the file in the ring
  std::uint64_t first = 0;   // position of the byte behind the header
  bool entered = false;      // false: a file of the ring that holds nothing yet

  static constexpr std::uint32_t kVersion = 1;
  static constexpr Bytes kMagic{"NDBREDO1", 8};
  static constexpr std::size_t kBytes = 64;

  // kBytes bytes; what follows up to RedoLayout::kHeaderBytes is zeros.
  std::string encode() const {
    Writer w;
    w.raw(kMagic);
    w.u32(0);  // crc
    w.u32(kVersion);
    w.u64(identity.cluster);
    w.u16(identity.node);
    w.u8(identity.worker);
    w.u8(identity.workers);
    w.u32(number);
    w.u64(layout.file_bytes);
    w.u32(layout.files);
    w.u32(entered ? 1 : 0);
    w.u64(first);
    w.u64(0);
    NDB_CHECK(w.size() == kBytes);
    w.patch(8, crc32c(w.view().substr(12)));
    return std::string(w.view());
  }
  // Empty = fine, else what is wrong with it.
  static std::string decode(Bytes bytes, RedoFileHeader* h) {
    if (bytes.size() < kBytes) return "the file is shorter than its header";
    Reader r(bytes.substr(0, kBytes));
    if (r.raw(8) != kMagic) return "the file does not begin as a redo file does";
    if (r.u32() != crc32c(bytes.substr(12, kBytes - 12))) return "the checksum of the file's header is wrong";
    if (std::uint32_t v = r.u32(); v != kVersion) return "version " + std::to_string(v) + " of the format is not known";
    h->identity.cluster = r.u64();
    h->identity.node = r.u16();
    h->identity.worker = r.u8();
    h->identity.workers = r.u8();
    h->number = r.u32();
    h->layout.file_bytes = r.u64();
    h->layout.files = r.u32();
    h->entered = r.u32() != 0;
    h->first = r.u64();
    if (h->layout.file_bytes <= RedoLayout::kHeaderBytes || h->layout.files == 0 || h->number >= h->layout.files ||
        (h->entered && h->first % h->layout.data_bytes() != 0) ||
        (h->entered && h->layout.file_of(h->first) != h->number)) {
      return "the file's header contradicts itself";
    }
    return {};
  }
};

// What is readable of a ring: the newest file and those before it without a gap. `files` by number.
inline void find_redo_range(const RedoLayout& layout, const std::vector<RedoFileHeader>& files, std::uint64_t* begin,
                            std::uint64_t* end) {
  *begin = *end = 0;
  bool any = false;
  for (const RedoFileHeader& f : files) {
    if (!f.entered || (any && f.first < *begin)) continue;
    *begin = f.first;
    any = true;
  }
  if (!any) return;
  *end = *begin + layout.data_bytes();
  while (*begin != 0) {
    const std::uint64_t before = *begin - layout.data_bytes();
    const RedoFileHeader& f = files[layout.file_of(before)];
    if (!f.entered || f.first != before) return;
    *begin = before;
  }
}

}  // namespace ndb::store
