#include <catch2/catch.hpp>
#include <map>

#include "base/prng.h"
#include "meta/table.h"

using namespace ndb;
using namespace ndb::meta;

namespace {

Table good() {
  Table t;
  t.name = "ips";
  t.columns = {{"id", Type::ubigint, 0, 0, 0, false, {}},
               {"country", Type::character, 2, 0, 0, false, "XX"},
               {"note", Type::varchar, 200, 0, 0, true, {}},
               {"price", Type::decimal, 0, 10, 2, true, {}}};
  t.primary_key = {0, 1};
  t.distribution_key = {0};
  return t;
}

std::string refused(const Table& t) {
  const Failure f = check_definition(t);
  CHECK(f.error == Error::bad_definition);
  return f.text;
}

std::map<FragmentId, std::uint32_t> loads(const std::vector<FragmentId>& map) {
  std::map<FragmentId, std::uint32_t> m;
  for (const FragmentId f : map) m[f]++;
  return m;
}

std::uint32_t moved(const std::vector<FragmentId>& a, const std::vector<FragmentId>& b) {
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < a.size(); i++) n += a[i] != b[i] ? 1 : 0;
  return n;
}

std::vector<FragmentId> first(std::uint32_t n) {
  std::vector<FragmentId> v(n);
  for (std::uint32_t i = 0; i < n; i++) v[i] = static_cast<FragmentId>(i);
  return v;
}

}  // namespace

TEST_CASE("a table is checked before it exists") {
  CHECK_FALSE(check_definition(good()));
  Table t = good();

  t.name.clear();
  CHECK(refused(t) == "the name of the table is empty");
  t.name = std::string(129, 'x');
  CHECK(refused(t) == "the name of the table is longer than 128 bytes");
  t.name = "a\nb";
  CHECK(refused(t) == "the name of the table contains a control character");
  t.name = " a";
  refused(t);

  t = good();
  t.columns[2].name = "COUNTRY";
  CHECK(refused(t) == "two columns have the name \"country\"");
  t = good();
  t.columns[1].name.clear();
  CHECK(refused(t) == "the name of column 2 is empty");

  t = good();
  t.columns.clear();
  refused(t);
  t = good();
  for (int i = 0; i < 508; i++) t.columns.push_back({"c" + std::to_string(i), Type::tinyint, 0, 0, 0, true, {}});
  CHECK(t.columns.size() == 512);
  CHECK_FALSE(check_definition(t));
  t.columns.push_back({"one_more", Type::tinyint, 0, 0, 0, true, {}});
  CHECK(refused(t) == "a table takes 1 to 512 columns, \"ips\" has 513");
}

TEST_CASE("types take their lengths") {
  struct Case {
    Column column;
    bool fine;
  };
  const std::vector<Case> cases = {
      {{"c", Type::character, 0, 0, 0, true, {}}, false},
      {{"c", Type::character, 255, 0, 0, true, {}}, true},
      {{"c", Type::character, 256, 0, 0, true, {}}, false},
      {{"c", Type::varchar, 0, 0, 0, true, {}}, false},
      {{"c", Type::varbinary, 1, 0, 0, true, {}}, true},
      {{"c", Type::bit, 0, 0, 0, true, {}}, false},
      {{"c", Type::bit, 64, 0, 0, true, {}}, true},
      {{"c", Type::bit, 65, 0, 0, true, {}}, false},
      {{"c", Type::decimal, 0, 0, 0, true, {}}, false},
      {{"c", Type::decimal, 0, 65, 30, true, {}}, true},
      {{"c", Type::decimal, 0, 66, 0, true, {}}, false},
      {{"c", Type::decimal, 0, 5, 6, true, {}}, false},
      {{"c", Type::decimal, 0, 65, 31, true, {}}, false},
      {{"c", Type::time, 0, 0, 6, true, {}}, true},
      {{"c", Type::timestamp, 0, 0, 7, true, {}}, false},
      {{"c", Type::text, 0, 0, 0, true, {}}, true},
      {{"c", Type::varchar, UINT32_MAX, 0, 0, true, {}}, false},
  };
  for (const Case& c : cases) {
    Table t = good();
    t.columns.push_back(c.column);
    INFO(name_of(c.column.type) << " " << c.column.length << " " << int{c.column.precision});
    CHECK(!check_definition(t) == c.fine);
  }
  Table t = good();
  t.columns.push_back({"wide", Type::varchar, 29000, 0, 0, true, {}});
  CHECK_FALSE(check_definition(t));
  t.columns.push_back({"wide2", Type::varbinary, 1000, 0, 0, true, {}});
  CHECK(refused(t).find("more than 30000; use text or blob") != std::string::npos);
}

TEST_CASE("keys are checked") {
  Table t = good();
  t.primary_key.clear();
  CHECK(refused(t) == "table \"ips\" needs a primary key");
  t.primary_key = {0, 0};
  CHECK(refused(t) == "column \"id\" is in the primary key twice");
  t.primary_key = {4};
  CHECK(refused(t) == "the primary key names a column that does not exist");
  t.primary_key = {2};
  CHECK(refused(t) == "column \"note\" is in the primary key and must be not null");
  for (const Type type : {Type::float32, Type::float64, Type::text, Type::blob}) {
    t = good();
    t.columns[0].type = type;
    CHECK(refused(t) == std::string("column \"id\" of type ") + name_of(type) + " cannot be in the primary key");
  }
  t = good();
  t.columns[1] = {"long", Type::varchar, limits::kKeyBytesMax - 8 - 2, 0, 0, false, {}};
  CHECK_FALSE(check_definition(t));
  t.columns[1].length++;
  CHECK(refused(t) == "a primary key could take 1025 bytes, more than 1024");

  t = good();
  for (std::uint16_t i = 0; i < 31; i++) {
    t.columns.push_back({"k" + std::to_string(i), Type::tinyint, 0, 0, 0, false, {}});
    t.primary_key.push_back(static_cast<std::uint16_t>(4 + i));
  }
  CHECK(refused(t) == "a primary key takes at most 32 columns");

  t = good();
  t.distribution_key = {2};
  CHECK(refused(t) == "the distribution key must be a part of the primary key");
  t.distribution_key = {1, 1};
  CHECK(refused(t) == "column \"country\" is in the distribution key twice");
  t.distribution_key = {};
  CHECK_FALSE(check_definition(t));
}

TEST_CASE("a map that grows moves what must move, none between old fragments") {
  for (const auto& [old_n, new_n] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {1, 2}, {2, 4}, {4, 8}, {2, 3}, {3, 4}, {4, 6}, {8, 12}, {5, 7}, {16, 24}, {1, 1536}}) {
    INFO(old_n << " to " << new_n);
    const auto old = initial_map(old_n);
    const auto next = extended_map(old, old_n, new_n);
    std::uint32_t expected = 0;
    for (std::uint32_t i = 0; i < limits::kBuckets; i++) {
      if (next[i] != old[i] && next[i] < old_n) FAIL("a bucket moved between old fragments");
      if (next[i] >= new_n) FAIL("no such fragment");
      expected += i % new_n >= old_n ? 1 : 0;
    }
    CHECK(moved(old, next) == expected);
    if (limits::kBuckets % new_n == 0) CHECK(expected == limits::kBuckets / new_n * (new_n - old_n));
  }
}

TEST_CASE("a balanced map moves little and ends even, in any direction") {
  SECTION("growth that the simple rule would leave lopsided: 2, 3, 4 fragments") {
    auto map = extended_map(initial_map(2), 2, 3);
    const auto next = balanced_map(map, first(3), first(4));
    for (const auto& [f, n] : loads(next)) CHECK(n == 960);
    CHECK(moved(map, next) == 960);
    for (std::size_t i = 0; i < map.size(); i++) CHECK((next[i] == map[i] || next[i] == 3));
  }
  SECTION("shrinking: 8 fragments, four leave") {
    const auto map = initial_map(8);
    const auto next = balanced_map(map, first(8), first(4));
    CHECK(moved(map, next) == 1920);
    for (const auto& [f, n] : loads(next)) CHECK((f < 4 && n == 960));
  }
  SECTION("exchange: two leave, two come") {
    const auto map = initial_map(4);
    const auto next = balanced_map(map, first(4), {0, 1, 4, 5});
    CHECK(moved(map, next) == 1920);
    for (const auto& [f, n] : loads(next)) CHECK((f != 2 && f != 3 && n == 960));
  }
  SECTION("at random") {
    Prng random(7);
    for (int round = 0; round < 300; round++) {
      const auto old_n = static_cast<std::uint32_t>(random.between(1, round % 10 == 0 ? 700 : 20));
      auto map = initial_map(old_n);
      for (std::uint64_t i = random.below(3) * 50; i > 0; i--) {  // somewhat lopsided
        map[random.below(map.size())] = static_cast<FragmentId>(random.below(old_n));
      }
      auto to = first(old_n);
      const bool growing = random.chance(0.5);
      if (!growing && old_n > 1) to.resize(random.between(1, old_n - 1));
      for (std::uint32_t i = 0, n = static_cast<std::uint32_t>(random.between(growing ? 1 : 0, 20)); i < n; i++) {
        to.push_back(static_cast<FragmentId>(old_n + i));
      }
      const auto next = balanced_map(map, first(old_n), to);
      const auto before = loads(map), after = loads(next);
      CHECK(after.size() == to.size());
      std::uint32_t total = 0, least = UINT32_MAX, most = 0;
      for (const FragmentId f : to) {
        const auto n = after.count(f) ? after.at(f) : 0;
        total += n;
        least = std::min(least, n);
        most = std::max(most, n);
      }
      CHECK(total == limits::kBuckets);
      if (!growing && old_n > 1) CHECK(most - least <= 1);
      if (growing) {
        for (std::size_t i = 0; i < map.size(); i++) {
          if (next[i] != map[i] && next[i] < old_n) FAIL("a bucket moved between old fragments");
        }
        for (const auto& [f, n] : before) REQUIRE(after.at(f) <= n);
      }
    }
  }
}

TEST_CASE("the distribution answers reads and writes phase by phase") {
  Distribution d;
  d.groups = {0, 0, 1, 1};
  d.map = initial_map(2);
  CHECK(d.read_target(3, Phase::none) == 1);
  d.next = extended_map(d.map, 2, 4);
  REQUIRE(d.moves(2));
  REQUIRE_FALSE(d.moves(1));
  CHECK_FALSE(d.write_targets(2, Phase::prepare).two);
  for (const Phase p : {Phase::doubling, Phase::copying, Phase::deciding}) {
    const Targets t = d.write_targets(2, p);
    CHECK((t.two && t.first == 0 && t.second == 2));
    CHECK_FALSE(d.write_targets(1, p).two);
    CHECK(d.read_target(2, p) == 0);
  }
  // Transactions of neighbouring phases run at the same time: they have to meet at a lock. Those of `settling` lock the
  // new place only, so those of `switched` begin there.
  const Targets switched = d.write_targets(2, Phase::switched);
  CHECK((switched.two && switched.first == 2 && switched.second == 0));
  CHECK_FALSE(d.write_targets(1, Phase::switched).two);
  CHECK(d.read_target(2, Phase::switched) == 2);
  for (const Phase p : {Phase::settling, Phase::cleaning}) {
    CHECK(d.write_targets(2, p).first == 2);
    CHECK_FALSE(d.write_targets(2, p).two);
    CHECK(d.read_target(2, p) == 2);
  }
  d.steps = {{10, Phase::prepare}, {12, Phase::doubling}, {15, Phase::copying}};
  CHECK(d.phase_at(9) == Phase::prepare);
  CHECK(d.phase_at(11) == Phase::prepare);
  CHECK(d.phase_at(12) == Phase::doubling);
  CHECK(d.phase_at(99) == Phase::copying);
}

TEST_CASE("a table survives its encoding; cut or garbled bytes are refused") {
  Table t = good();
  t.id = 7;
  t.created = 12;
  t.distribution.groups = {0, 0, 5, 5};
  t.distribution.map = initial_map(2);
  t.distribution.next = extended_map(t.distribution.map, 2, 3);
  t.distribution.phase = Phase::copying;
  t.distribution.steps = {{3, Phase::prepare}, {4, Phase::doubling}};
  t.distribution.view = 4;
  Writer w;
  encode(w, t);
  Reader r(w.view());
  Table back;
  REQUIRE(decode(r, &back));
  CHECK(r.done());
  CHECK(back == t);

  for (std::size_t n = 0; n < w.size(); n++) {
    Reader cut(w.view().substr(0, n));
    Table none;
    REQUIRE_FALSE(decode(cut, &none));
  }
  std::string bytes(w.view());
  bytes[0] = 9;  // another format
  Reader other(bytes);
  CHECK_FALSE(decode(other, &back));
}
