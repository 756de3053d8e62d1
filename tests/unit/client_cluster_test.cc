// The blocking API over a cluster in memory.
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "unit/fake_cluster.h"

using namespace ndb;
using client::Value;

namespace {

meta::Table accounts() {
  meta::Table t;
  t.name = "accounts";
  t.columns.push_back({"id", meta::Type::integer, 0, 0, 0, false, {}});
  t.columns.push_back({"amount", meta::Type::bigint, 0, 0, 0, false, {}});
  t.columns.push_back({"note", meta::Type::varchar, 20, 0, 0, true, {}});
  t.primary_key = {0};
  return t;
}

struct World {
  explicit World(Time deadline = limits::kClientDeadline) {
    fake.add_table(accounts());
    auto options = fake.options();
    options.deadline = deadline;
    auto c = client::Cluster::connect(options, fake.host());
    REQUIRE(c);
    cluster = *c;
    auto t = cluster->table("ACCOUNTS");
    REQUIRE(t);
    table = *t;
  }
  std::vector<Value> row(int id, int amount, Bytes note = "n") {
    return {Value::of_int(id), Value::of_int(amount), Value::of_bytes(note)};
  }
  tests::FakeCluster fake;
  std::shared_ptr<client::Cluster> cluster;
  client::Table table;
};

}  // namespace

TEST_CASE("a transaction of writes only is one message; reads see what was written") {
  World w;
  {
    auto t = w.cluster->begin();
    REQUIRE_FALSE(t.insert(w.table, w.row(1, 10)));
    REQUIRE_FALSE(t.insert(w.table, w.row(2, 20)));
    REQUIRE_FALSE(t.commit());
    CHECK(w.fake.one_shots == 1);
  }
  auto t = w.cluster->begin();
  std::string image;
  auto found = t.read(w.table, std::vector{Value::of_int(2)}, &image);
  REQUIRE(found);
  REQUIRE(*found);
  CHECK(w.table.shape().get(image, 1).i == 20);
  found = t.read(w.table, std::vector{Value::of_int(3)}, &image);
  REQUIRE(found);
  CHECK_FALSE(*found);
  const std::vector<std::pair<std::uint16_t, Value>> change{{1, Value::of_int(21)}};
  REQUIRE_FALSE(t.update(w.table, std::vector{Value::of_int(2)}, change));
  REQUIRE_FALSE(t.remove(w.table, std::vector{Value::of_int(1)}));
  REQUIRE_FALSE(t.commit());
  CHECK(w.fake.rows[w.table.id()].size() == 1);
  CHECK(t.commit().error == Error::txn_aborted);  // it is over
}

TEST_CASE("a failing operation rolls everything back") {
  World w;
  REQUIRE_FALSE(w.cluster->run([&](client::Transaction& t) { return t.insert(w.table, w.row(1, 1)); }));
  Failure f = w.cluster->run([&](client::Transaction& t) {
    if (Failure g = t.insert(w.table, w.row(2, 1))) return g;
    return t.insert(w.table, w.row(1, 2));
  });
  CHECK(f.error == Error::row_exists);
  CHECK(w.fake.rows[w.table.id()].size() == 1);
  auto t = w.cluster->begin();
  CHECK(t.insert(w.table, std::vector<Value>{Value::null(), Value::of_int(1), Value::null()}).error ==
        Error::null_in_not_null);
}

TEST_CASE("an open transaction that is dropped is rolled back") {
  World w;
  {
    auto t = w.cluster->begin();
    REQUIRE_FALSE(t.insert(w.table, w.row(1, 1)));
    REQUIRE_FALSE(t.execute());
    CHECK(w.fake.rows[w.table.id()].size() == 1);
  }
  CHECK(w.fake.rows[w.table.id()].empty());
}

TEST_CASE("an outcome that nobody could tell is asked for again, by the same transaction") {
  World w(30 * kMillisecond);
  auto t = w.cluster->begin();
  REQUIRE_FALSE(t.insert(w.table, w.row(1, 1)));
  CHECK(t.outcome().failure().error == Error::txn_aborted);  // it has none yet
  w.fake.fail_next = {Error::outcome_unknown};
  REQUIRE(t.commit().error == Error::outcome_unknown);
  CHECK_FALSE(t.open());
  const TxnId id = t.id();
  CHECK(t.outcome().failure().error == Error::outcome_unknown);
  SECTION("committed") {
    w.fake.outcome = 1;
    CHECK(*t.outcome());
    CHECK(t.outcome().failure().error == Error::txn_aborted);
  }
  SECTION("aborted: nothing is repeated") {
    w.fake.outcome = 2;
    const auto executes = w.fake.executes;
    CHECK_FALSE(*t.outcome());
    CHECK(w.fake.executes == executes);
  }
  SECTION("given up") { t.abort(); }
  CHECK(t.id().number == id.number);
  CHECK(t.insert(w.table, w.row(2, 1)).error == Error::txn_aborted);
}

TEST_CASE("run() begins anew on temporary errors, and only on these") {
  World w;
  int runs = 0;
  auto body = [&](client::Transaction& t) {
    runs++;
    std::string image;
    auto found = t.read(w.table, std::vector{Value::of_int(1)}, &image, client::Lock::exclusive);
    if (!found) return found.failure();
    return t.write(w.table, w.row(1, runs));
  };
  w.fake.fail_next = {Error::ok, Error::lock_timeout, Error::ok, Error::node_failure};
  REQUIRE_FALSE(w.cluster->run(body));
  CHECK(runs == 3);
  w.fake.fail_next = {Error::memory_full};
  runs = 0;
  CHECK(w.cluster->run(body).error == Error::memory_full);
  CHECK(runs == 1);
}

TEST_CASE("a batch is many transactions; the failed ones are told") {
  World w;
  REQUIRE_FALSE(w.cluster->run([&](client::Transaction& t) { return t.insert(w.table, w.row(500, 1)); }));
  auto b = w.cluster->batch();
  for (int i = 0; i < 1000; i++) b.insert(w.table, w.row(i, i), static_cast<std::uint64_t>(i));
  auto failed = b.finish();
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].number == 500);
  CHECK(failed[0].error == Error::row_exists);
  CHECK(b.committed() == 999);
}

TEST_CASE("a scan gives each row once; a count is repeated when it fails on the way") {
  World w;
  auto b = w.cluster->batch();
  for (int i = 0; i < 1000; i++) b.insert(w.table, w.row(i, i));
  REQUIRE(b.finish().empty());
  auto s = w.cluster->scan(w.table);
  REQUIRE(s);
  std::map<std::int64_t, int> seen;
  Bytes image;
  while (true) {
    auto more = s->next(&image);
    REQUIRE(more);
    if (!*more) break;
    seen[w.table.shape().get(image, 0).i]++;
  }
  CHECK(seen.size() == 1000);
  store::FilterWriter f;
  f.compare(1, store::Compare::lt, Value::of_int(10));
  auto n = w.cluster->count(w.table, std::string(f.view()));
  REQUIRE(n);
  CHECK(*n == 10);
}

TEST_CASE("tables that appear later are found; others are not") {
  World w;
  auto t = accounts();
  t.name = "later";
  w.fake.add_table(t);
  CHECK(w.cluster->table("later"));
  CHECK(w.cluster->table("never").error() == Error::no_such_table);
  CHECK_FALSE(w.cluster->wait_for(w.fake.catalog.version));
  CHECK(w.cluster->wait_for(1000, 50 * kMillisecond).error == Error::timed_out);
}

TEST_CASE("many threads share a cluster") {
  World w;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int n = 0; n < 4; n++) {
    threads.emplace_back([&, n] {
      for (int i = 0; i < 200; i++) {
        auto t = w.cluster->begin();
        if (t.insert(w.table, w.row(n * 1000 + i, i)) || t.execute() || t.commit()) failures++;
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(failures == 0);
  CHECK(w.fake.rows[w.table.id()].size() == 800);
}
