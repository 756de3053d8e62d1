#include <catch2/catch.hpp>

#include "base/hash.h"

using namespace ndb;

// The placement of every row hangs on these. They are XXH3's own, seed 0.
TEST_CASE("key_hash is frozen") {
  CHECK(key_hash("") == 0x2d06800538d394c2u);
  const char one[8] = {1, 0, 0, 0, 0, 0, 0, 0};
  const char four[4] = {1, 0, 0, 0};
  CHECK(key_hash(Bytes(one, 8)) == 0x2fbc593564db792eu);
  CHECK(key_hash(Bytes(four, 4)) == 0xdb02334e96d65708u);
}

TEST_CASE("crc32c agrees with the check value of the Castagnoli polynomial, both ways") {
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c_portable("123456789") == 0xe3069283u);
  std::string s;
  for (int i = 0; i < 300; i++) {
    s.push_back(static_cast<char>(i * 7));
    REQUIRE(crc32c(s) == crc32c_portable(s));
  }
}
