// Bytes as a redo log (with right checksums where the input asks for it), and as one file of a ring.
#include <cstdint>

#include "base/hash.h"
#include "store/redo.h"
#include "store/redo_file.h"

using namespace ndb;
using namespace ndb::store;

namespace {

class OneLog : public DiskReader {
 public:
  explicit OneLog(Bytes b) : bytes_(b) {}
  Inventory list() override { return {0, bytes_.size(), {}, {}}; }
  Result<Bytes> read_redo(std::uint64_t position, std::size_t max) override {
    return bytes_.substr(static_cast<std::size_t>(position), max);
  }
  Result<Bytes> read_checkpoint(std::uint64_t, std::uint64_t, std::size_t) override { return Bytes(); }
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t) override { return std::uint64_t{0}; }
  std::string redo_place(std::uint64_t p) const override { return std::to_string(p); }
  std::string checkpoint_place(std::uint64_t, std::uint64_t) const override { return {}; }

 private:
  Bytes bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)dump_redo_file(bytes);
  // The first block is made right, so that what lies in it is looked at.
  if (size > sizeof(RedoBlockHead)) {
    auto h = load<RedoBlockHead>(bytes.data());
    h.magic = RedoBlockHead::kMagic;
    h.position = 0;
    h.flags |= RedoBlockHead::kFirstOfLife;
    if (h.bytes >= sizeof h && h.bytes <= size) {
      save(bytes.data(), h);
      h.crc = crc32c(Bytes(bytes).substr(8, h.bytes - 8));
      save(bytes.data(), h);
    }
  }
  OneLog log(bytes);
  RedoReader r(log, log.list(), RedoPlace{});
  RedoBlock b;
  std::uint64_t end = 0;
  while (r.next(&b) == RedoReader::State::block) {
    RedoEntry e;
    while (next_redo_entry(b.entries, &e)) {
    }
    NDB_CHECK(b.entries.empty() && b.position == end);
    end += b.bytes;
  }
  NDB_CHECK(r.position() == end && end <= size);
  (void)dump_redo(log, size / 2);
  return 0;
}
