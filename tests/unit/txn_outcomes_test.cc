#include "txn/outcomes.h"

#include <catch2/catch.hpp>

using namespace ndb;
using namespace ndb::txn;

namespace {
constexpr std::uint64_t kEnd = UINT64_MAX;

// Everything, chunk by chunk; the number of chunks.
int carry(const Outcomes& from, Outcomes& to, std::size_t bytes_max) {
  int chunks = 0;
  for (std::uint64_t at = 0; at != kEnd; chunks++) {
    Writer w;
    at = from.encode_after(at, bytes_max, w);
    Reader in(w.view());
    REQUIRE(to.merge(in));
    REQUIRE(in.done());
    REQUIRE(chunks < 10000);
  }
  return chunks;
}
}  // namespace

TEST_CASE("outcomes go to another fragment in chunks, and of two that share a place the newer one stays") {
  Outcomes old_place, new_place;
  for (std::uint64_t session = 100; session > 0; session--) {
    for (std::uint64_t n = 1; n <= 20; n++) old_place.put({session, n}, n % 3 == 0 ? Fate::aborted : Fate::committed);
  }
  new_place.put({7, 5 + Outcomes::kWindow}, Fate::committed);  // newer than number 5 of the same session
  new_place.put({7, 600}, Fate::aborted);
  new_place.put({101, 1}, Fate::committed);
  old_place.put({8, 1 + Outcomes::kWindow}, Fate::aborted);  // and the other way round
  new_place.put({8, 1}, Fate::committed);
  CHECK(carry(old_place, new_place, 1000) > 10);

  for (std::uint64_t session = 1; session <= 100; session++) {
    for (std::uint64_t n = 1; n <= 20; n++) {
      if ((session == 7 && n == 5) || (session == 8 && n == 1)) continue;
      REQUIRE(new_place.get({session, n}) == (n % 3 == 0 ? Fate::aborted : Fate::committed));
    }
  }
  CHECK(new_place.get({7, 5}) == Fate::unknown);
  CHECK(new_place.get({7, 5 + Outcomes::kWindow}) == Fate::committed);
  CHECK(new_place.get({7, 600}) == Fate::aborted);
  CHECK(new_place.get({8, 1 + Outcomes::kWindow}) == Fate::aborted);
  CHECK(new_place.get({101, 1}) == Fate::committed);
}

TEST_CASE("a damaged chunk of outcomes is refused") {
  Outcomes some, none;
  some.put({1, 1}, Fate::committed);
  Writer w;
  CHECK(some.encode_after(0, 1 << 16, w) == kEnd);
  for (std::size_t cut = 0; cut < w.size(); cut++) {
    Reader in(w.view().substr(0, cut));
    CHECK_FALSE((none.merge(in) && in.done()));
  }
  Writer empty;
  CHECK(some.encode_after(1, 1 << 16, empty) == kEnd);
  Reader in(empty.view());
  CHECK((none.merge(in) && in.done()));
}

TEST_CASE("outcomes of as many sessions as are kept can be carried, of more are refused") {
  Outcomes full, other;
  for (std::uint64_t s = 1; s <= Outcomes::kSessionsMax; s++) full.put({s, 1}, Fate::committed);
  Writer w;
  full.encode(w);
  Reader in(w.view());
  REQUIRE(other.decode(in));
  CHECK(in.done());
  CHECK(other.get({1, 1}) == Fate::committed);
  CHECK(other.get({Outcomes::kSessionsMax, 1}) == Fate::committed);
  w.patch(0, static_cast<std::uint32_t>(Outcomes::kSessionsMax + 1));
  Reader more(w.view());
  CHECK_FALSE(other.decode(more));
}
