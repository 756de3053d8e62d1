#include <catch2/catch.hpp>

#include "meta/requests.h"

using namespace ndb;
using namespace ndb::meta;

TEST_CASE("remembered requests: in order, found by id, copies are their own") {
  constexpr std::uint64_t kMany = 3 * Requests::kChunk + 5;
  Requests all;
  for (std::uint64_t i = 1; i <= kMany; i++) all.push({0, i}, {Error::ok, "text " + std::to_string(i), {i}, true});
  const Requests copy = all;
  CHECK(copy == all);
  for (std::size_t i = 0; i < Requests::kChunk + 10; i++) all.pop_front();
  REQUIRE(all.size() == kMany - Requests::kChunk - 10);
  CHECK_FALSE(copy == all);
  for (std::size_t i = 0; i < all.size(); i++) CHECK(all[i].first.low == i + Requests::kChunk + 11);
  CHECK(all.find({0, Requests::kChunk + 10}) == nullptr);
  CHECK(all.find({0, Requests::kChunk + 11})->text == "text 75");
  CHECK(all.find({0, kMany})->ids == std::vector<std::uint64_t>{kMany});
  CHECK(all.find({1, kMany}) == nullptr);
  all.push({7, 7}, {});
  CHECK(all[all.size() - 1].first.high == 7);
  CHECK(copy.size() == kMany);
  CHECK(copy[0].second.text == "text 1");

  // The same entries are the same, however they lie in chunks.
  Requests again;
  for (std::size_t i = 0; i < all.size(); i++) again.push(all[i].first, all[i].second);
  CHECK(again == all);
  again.clear();
  CHECK(again.size() == 0);
  CHECK(again.find({7, 7}) == nullptr);
}
