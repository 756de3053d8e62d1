// Hashes. `key_hash` is frozen: it decides where every row lives, on disk and between versions (test vectors in
// tests/unit/base_hash_test.cc). It is XXH3 with 64 bits and seed 0. `crc32c` is the Castagnoli polynomial, by the
// processor's instruction where there is one; frames, redo records and small blocks carry it.
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace ndb {

std::uint64_t key_hash(Bytes distribution_key) noexcept;  // about 4 ns for 8 bytes
std::uint64_t block_hash(Bytes block) noexcept;           // XXH3 too; checksums of large blocks
std::uint32_t crc32c(Bytes data, std::uint32_t seed = 0) noexcept;
std::uint32_t crc32c_portable(Bytes data, std::uint32_t seed = 0) noexcept;  // the fallback, for tests

}  // namespace ndb
