// The judges themselves: histories that are right, and histories that are wrong in one way each.
#include <catch2/catch.hpp>

#include "base/prng.h"
#include "sim/append_check.h"
#include "client/linearizable.h"

using namespace ndb;
using client::RegisterOp;
using sim::ListTxn;
using Kind = RegisterOp::Kind;
using Outcome = ListTxn::Outcome;

namespace {
RegisterOp read(std::uint64_t seen, Time from, Time to) { return {Kind::read, seen, 0, from, to, "a reader"}; }
RegisterOp write(std::uint64_t v, Time from, Time to = kNever) { return {Kind::write, 0, v, from, to, "a writer"}; }
RegisterOp swap(std::uint64_t seen, std::uint64_t v, Time from, Time to = kNever) {
  return {Kind::swap, seen, v, from, to, "a swapper"};
}
bool fine(std::vector<RegisterOp> h) { return client::not_linearizable(std::move(h)).empty(); }
}  // namespace

TEST_CASE("histories of a register that are linearizable") {
  CHECK(fine({}));
  CHECK(fine({read(0, 1, 2), write(1, 3, 4), read(1, 5, 6)}));
  CHECK(fine({write(1, 1, 10), read(0, 2, 3), read(1, 4, 5)}));  // overlapping: before it, then after it
  CHECK(fine({write(1, 1, 10), write(2, 1, 10), read(2, 11, 12)}));
  CHECK(fine({write(1, 1, 2), write(2, 3), read(1, 4, 5), read(2, 6, 7)}));   // unknown, took effect late
  CHECK(fine({write(1, 1, 2), write(2, 3), read(1, 4, 5), read(1, 9, 10)}));  // unknown, never happened
  CHECK(fine({swap(0, 1, 1, 2), swap(1, 2, 2, 3), swap(2, 3, 4), read(3, 5, 6)}));
}

TEST_CASE("histories of a register that are not") {
  CHECK_FALSE(fine({write(1, 1, 2), read(0, 3, 4)}));                              // lost write
  CHECK_FALSE(fine({write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)}));              // stale read
  CHECK_FALSE(fine({write(1, 1, 10), read(1, 2, 3), read(0, 4, 5)}));              // back in time
  CHECK_FALSE(fine({write(1, 1, 2), write(2, 3), read(2, 4, 5), read(1, 6, 7)}));  // unknown, seen, then unseen
  CHECK_FALSE(fine({swap(0, 1, 1, 2), swap(0, 2, 3, 4)}));                         // lost update
  CHECK_FALSE(fine({read(7, 1, 2)}));                                              // out of thin air
  CHECK_FALSE(fine({write(1, 5, 6), read(1, 1, 2)}));                              // before it was written
}

TEST_CASE("random histories of a real register are accepted, with one stale read they are refused") {
  for (std::uint64_t seed = 1; seed <= 50; seed++) {
    Prng prng(seed);
    std::vector<RegisterOp> h;
    std::uint64_t value = 0, next = 1;
    Time now = 0;
    for (int i = 0; i < 200; i++) {
      now += 10;
      Time from = now - static_cast<Time>(prng.below(30)), to = now + static_cast<Time>(prng.below(30));
      switch (prng.below(4)) {
        case 0:
          h.push_back(write(value = next++, from, prng.chance(0.1) ? kNever : to));
          break;
        case 1:
          h.push_back(swap(value, next, from, to)), value = next++;
          break;
        case 2:
          h.push_back(write(next++, from));
          break;  // unknown, never happened
        default:
          h.push_back(read(value, from, to));
          break;
      }
    }
    CHECK(fine(h));
    h.push_back(read(h.back().kind == Kind::read ? value + 100000 : 999999, now + 100, now + 101));
    CHECK_FALSE(fine(h));
  }
}

TEST_CASE("lists: what is right and what is wrong") {
  auto t = [](Outcome o, std::vector<ListTxn::Read> reads, std::vector<std::pair<std::uint64_t, std::uint64_t>> appends,
              std::string who) {
    return ListTxn{o, std::move(reads), std::move(appends), std::move(who)};
  };
  using C = Outcome;
  auto ok = [](const std::vector<ListTxn>& h, const std::map<std::uint64_t, sim::List>& l) {
    return sim::broken_history(h, l).empty();
  };
  ListTxn a = t(C::committed, {{1, {}, true}}, {{1, 10}}, "a");
  ListTxn b = t(C::committed, {{1, {10}, true}}, {{1, 11}}, "b");
  CHECK(ok({a, b}, {{1, {10, 11}}}));
  CHECK_FALSE(ok({a, b}, {{1, {11, 10}}}));      // b's read is no beginning
  CHECK_FALSE(ok({a, b}, {{1, {10}}}));          // lost
  CHECK_FALSE(ok({a, b}, {{1, {10, 11, 11}}}));  // doubled
  CHECK_FALSE(ok({a}, {{1, {10, 12}}}));         // out of thin air
  ListTxn u = t(C::unknown, {}, {{1, 20}, {2, 21}}, "u");
  CHECK(ok({u}, {}));
  CHECK(ok({u}, {{1, {20}}, {2, {21}}}));
  CHECK_FALSE(ok({u}, {{1, {20}}}));  // in part
  ListTxn x = t(C::aborted, {}, {{1, 30}}, "x");
  CHECK(ok({x}, {}));
  CHECK_FALSE(ok({x}, {{1, {30}}}));  // G1a
  ListTxn half = t(C::committed, {}, {{1, 40}, {1, 41}}, "half");
  ListTxn seer = t(C::committed, {{1, {40}, false}}, {}, "seer");
  CHECK_FALSE(ok({half, seer}, {{1, {40, 41}}}));  // G1b
  // Two transactions that both saw the other's list without the other: write skew, only wrong when reads are locked.
  for (bool locked : {false, true}) {
    ListTxn p = t(C::committed, {{1, {}, locked}}, {{2, 50}}, "p");
    ListTxn q = t(C::committed, {{2, {}, locked}}, {{1, 51}}, "q");
    CHECK(ok({p, q}, {{1, {51}}, {2, {50}}}) == !locked);
  }
  // G0: the lists disagree about the order of two transactions.
  ListTxn m = t(C::committed, {}, {{1, 60}, {2, 61}}, "m");
  ListTxn n = t(C::committed, {}, {{1, 62}, {2, 63}}, "n");
  CHECK(ok({m, n}, {{1, {60, 62}}, {2, {61, 63}}}));
  CHECK_FALSE(ok({m, n}, {{1, {60, 62}}, {2, {63, 61}}}));
}
