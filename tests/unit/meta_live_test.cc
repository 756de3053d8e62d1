#include <catch2/catch.hpp>

#include "meta/live.h"

using namespace ndb::meta;

namespace {
std::string held(const LiveValues& v, const char* name) {
  const std::string* value = v.find(name);
  return value != nullptr ? *value : "as configured";
}
}  // namespace

TEST_CASE("what was told counts before what is kept, and each is taken back by itself") {
  using Told = std::pair<std::string, std::string>;
  LiveValues v;
  CHECK(held(v, "a") == "as configured");
  CHECK(v.take("a=1") == Told("a", "1"));
  CHECK(v.take("?a=2") == Told("a", "1"));  // the configuration changes beside it
  CHECK(held(v, "a") == "1");
  CHECK(v.take("?a=") == Told("a", "1"));
  CHECK(v.take("?b=3") == Told("b", "3"));
  CHECK(held(v, "b") == "3");
  CHECK(v.take("?b=") == Told("b", ""));
  CHECK(held(v, "b") == "as configured");
  v.take("?a=4");
  CHECK(v.take("a=") == Told("a", ""));  // as configured again, whatever was kept
  CHECK(held(v, "a") == "as configured");
  CHECK(v.take("no order") == Told());
}
