// Bytes as a checkpoint, with every chunk's checksum and number made right: what is read is bounded by what is there.
#include <cstdint>

#include "base/hash.h"
#include "store/checkpoint.h"

using namespace ndb;
using namespace ndb::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)dump_store_file(bytes);
  std::size_t at = 8;
  std::uint32_t number = 0;
  while (size > at && size - at >= 16) {
    const std::size_t n = load<std::uint32_t>(bytes.data() + at);
    if (n < 16 || n > size - at) break;
    save(bytes.data() + at + 8, number++);
    save(bytes.data() + at + 4, crc32c(Bytes(bytes).substr(at + 8, n - 8)));
    at += n;
  }
  if (size >= 8) bytes.replace(0, 8, "NDBCKPT1");
  (void)dump_checkpoint_file(bytes, true);
  return 0;
}
