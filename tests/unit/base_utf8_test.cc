#include <catch2/catch.hpp>

#include "base/utf8.h"

using namespace ndb;

TEST_CASE("code points are as long as they say, and what is none is 0 bytes") {
  CHECK(code_point_bytes("a\xff") == 1);
  CHECK(code_point_bytes("\xc3\xa9") == 2);
  CHECK(code_point_bytes("\xe2\x82\xac...") == 3);
  CHECK(code_point_bytes("\xf0\x9f\x98\x80") == 4);
  CHECK(code_point_bytes("\xf4\x8f\xbf\xbf") == 4);  // U+10FFFF
  for (const char* none :
       {"\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3x", "\xe2\x82", "\xe2\x82x", "\xe0\x9f\x80",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    INFO(static_cast<int>(static_cast<unsigned char>(none[0])));
    CHECK(code_point_bytes(none) == 0);
  }
}

TEST_CASE("a text is UTF-8 when all of it is") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("na\xc3\xafve"));
  CHECK_FALSE(is_utf8("na\xefve"));
  CHECK_FALSE(is_utf8("cut \xc3"));
}
