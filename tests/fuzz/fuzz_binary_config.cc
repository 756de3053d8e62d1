// Any bytes as a binary configuration, with the checksum made right so that the fuzzer gets behind it: no crash, and
// what is accepted is encoded and decoded to the same.
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "mgmt/config_binary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ndb;
  using namespace ndb::mgmt;
  if (size > 64u << 10) return 0;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)decode_config(bytes);
  bytes.resize(size / 4 * 4);
  if (bytes.size() < 8) return 0;
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at + 4 < bytes.size(); at += 4) sum ^= ndb::load<std::uint32_t>(bytes.data() + at);
  std::memcpy(bytes.data() + bytes.size() - 4, &sum, 4);
  const Result<Config> r = decode_config(bytes);
  if (!r || r->nodes.size() > 20) return 0;
  const Result<Config> again = decode_config(encode_config_v2(*r, 0));
  NDB_CHECK(again.ok() && *again == *r);
  print_ini(*r);
  return 0;
}
