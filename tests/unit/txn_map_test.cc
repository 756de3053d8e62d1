// txn/txn_map.h against std::map.
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "base/prng.h"
#include "txn/txn_map.h"

using namespace ndb;

namespace {
struct Value {
  std::string text;
  void reset() { text.clear(); }
};
}  // namespace

TEST_CASE("a map of transactions does what std::map does") {
  txn::TxnMap<Value> map;
  std::map<TxnId, std::string> model;
  Prng random(7);
  const std::uint64_t numbers = GENERATE(as<std::uint64_t>{}, 8, 300, 100000);
  for (int i = 0; i < 20000; i++) {
    const TxnId t{1 + random.below(3), random.below(numbers)};
    const std::uint64_t what = random.below(10);
    if (what < 4) {
      Value& v = map.make(t);
      REQUIRE(v.text == model[t]);  // as it was, or empty
      v.text = model[t] = std::to_string(i);
    } else if (what < 8) {
      REQUIRE(map.erase(t) == (model.erase(t) == 1));
    } else {
      const Value* v = map.find(t);
      REQUIRE((v != nullptr) == (model.count(t) == 1));
      if (v != nullptr) REQUIRE(v->text == model[t]);
    }
    REQUIRE(map.size() == model.size());
  }
  auto expected = model.begin();
  map.each([&](const TxnId& t, const Value& v) {
    REQUIRE(expected != model.end());
    CHECK(t == expected->first);
    CHECK(v.text == expected->second);
    ++expected;
  });
  CHECK(expected == model.end());
  CHECK(map.any([](const Value&) { return true; }) == !model.empty());
  CHECK_FALSE(map.any([](const Value& v) { return v.text.empty(); }));
  map.clear();
  CHECK(map.empty());
  CHECK(map.find({1, 1}) == nullptr);
  CHECK_FALSE(map.erase({1, 1}));
}

TEST_CASE("what was erased comes back as new, at an address that stays") {
  txn::TxnMap<Value> map;
  Value* first = &map.make({1, 1});
  first->text = "kept";
  for (std::uint64_t n = 2; n < 1000; n++) map.make({1, n}).text = "other";
  CHECK(map.find({1, 1}) == first);
  CHECK(first->text == "kept");
  CHECK(map.erase({1, 1}));
  CHECK(map.make({2, 1}).text.empty());
}
