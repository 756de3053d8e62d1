#include "worker.h"

#include <chrono>
#include <thread>

#include "base/hash.h"
#include "os/daemon.h"
#include "os/loop.h"

namespace ndb::traffic {

using client::Lock;
using client::Transaction;
using client::Value;

namespace {

constexpr std::size_t kLiveMax = 20'000;  // rows of its own that a worker keeps at most
constexpr std::size_t kSentencesMax = 10;

Bytes key_bytes(const client::Table& t, Bytes image, store::KeyBuffer& buffer) {
  return t.shape().key_of(image, buffer);
}

}  // namespace

Failure run_patiently(Shared& shared, const std::function<Failure(Transaction&)>& f) {
  return shared.cluster.run(
      [&](Transaction& x) {
        Failure failure = f(x);
        return failure ? failure : x.commit(shared.durable);
      },
      shared.patience);
}

Worker::Worker(Shared& shared, std::int64_t first_id, std::uint64_t seed)
    : shared_(shared), rows_(shared.table), prng_(seed), next_id_(first_id) {
  if (shared_.bank) balance_column_ = shared_.bank.definition().primary_key.front() == 0 ? 1 : 0;
}

void Worker::run() {
  const Time pause = shared_.rate > 0 ? static_cast<Time>(1e9 / shared_.rate) : 0;
  Time next = os::Loop::now();
  while (!shared_.stop.load(std::memory_order_relaxed)) {
    if (pause != 0) {
      const Time now = os::Loop::now();
      if (now < next) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(next - now));
      } else if (now - next > 100 * kMillisecond) {
        next = now;  // what a stall kept back is not made up for
      }
      next += pause;
    }
    operation();
  }
}

void Worker::operation() {
  const std::uint64_t dice = prng_.below(100);
  if (dice < 15 && shared_.accounts >= 2) return transfer();
  if (dice < 35 || live_.size() < 100) return live_.size() < kLiveMax ? insert() : remove();
  if (dice < 50) return update();
  if (dice < 60) return remove();
  if (dice < 80 || shared_.samples.empty()) return read_own();
  read_sample();
}

bool Worker::ended(const Failure& failure, const char* what, std::int64_t id, Time began) {
  if (!failure) {
    shared_.latencies.ok(began, os::Loop::now());
    return true;
  }
  const std::string interval = shared_.latencies.error();
  shared_.errors++;
  if (failure.error == Error::outcome_unknown || failure.error == Error::timed_out) shared_.unknown++;
  std::lock_guard lock(shared_.mutex);
  if (shared_.sentences.size() < kSentencesMax) {
    shared_.sentences.push_back(interval + ": " + what + " of " + std::to_string(id) + ": " + failure.sentence());
  }
  return false;
}

void Worker::wrong(const std::string& sentence) {
  shared_.wrong_reads++;
  std::lock_guard lock(shared_.mutex);
  if (shared_.sentences.size() < kSentencesMax) shared_.sentences.push_back(sentence);
}

void Worker::insert() {
  const std::int64_t id = next_id_++;
  const std::uint64_t version = ++versions_;
  const std::string image = rows_.image(id, version);
  const Time began = os::Loop::now();
  const Failure f =
      run_patiently(shared_, [&](Transaction& x) { return x.insert(shared_.table, rows_.make(id, version)); });
  const bool ok = ended(f, "insert", id, began);
  // An insert that failed for certain leaves an id that is never used again: nothing to record.
  const Kind kind = ok ? Kind::put : Kind::maybe_put;
  if (ok || f.error == Error::outcome_unknown || f.error == Error::timed_out) {
    shared_.journal.add(kind, key_name(shared_.table, image), block_hash(image));
  }
  if (!ok) return;
  shared_.writes++;
  live_.push_back({id, version});
}

void Worker::update() {
  const std::size_t at = prng_.below(live_.size());
  const std::int64_t id = live_[at].id;
  const std::uint64_t version = ++versions_;
  const std::string image = rows_.image(id, version);
  const Time began = os::Loop::now();
  const Failure f = run_patiently(shared_, [&](Transaction& x) {
    const auto& values = rows_.make(id, version);
    std::vector<std::pair<std::uint16_t, Value>> changes;
    for (std::uint16_t c = 0; c < values.size(); c++) {
      if (c != rows_.key_column()) changes.emplace_back(c, values[c]);
    }
    const Value key[] = {Value::of_int(id)};
    return x.update(shared_.table, key, changes);
  });
  const bool ok = ended(f, "update", id, began);
  if (ok) {
    shared_.journal.add(Kind::put, key_name(shared_.table, image), block_hash(image));
    shared_.writes++;
    live_[at].version = version;
    return;
  }
  if (f.error == Error::outcome_unknown || f.error == Error::timed_out) {
    shared_.journal.add(Kind::maybe_put, key_name(shared_.table, image), block_hash(image));
    live_[at] = live_.back();  // left alone from now on: two rows are possible
    live_.pop_back();
  }
}

void Worker::remove() {
  const std::size_t at = prng_.below(live_.size());
  const Live row = live_[at];
  const std::string image = rows_.image(row.id, row.version);
  const Time began = os::Loop::now();
  const Failure f = run_patiently(shared_, [&](Transaction& x) {
    const Value key[] = {Value::of_int(row.id)};
    return x.remove(shared_.table, key);
  });
  const bool ok = ended(f, "delete", row.id, began);
  const bool unknown = f.error == Error::outcome_unknown || f.error == Error::timed_out;
  if (!ok && !unknown) return;
  shared_.journal.add(ok ? Kind::removed : Kind::maybe_removed, key_name(shared_.table, image), 0);
  if (ok) shared_.writes++;
  live_[at] = live_.back();
  live_.pop_back();
}

void Worker::read_own() {
  if (live_.empty()) return;
  const Live row = live_[prng_.below(live_.size())];
  const std::string image = rows_.image(row.id, row.version);
  store::KeyBuffer buffer;
  std::string found;
  const Time began = os::Loop::now();
  auto r = shared_.cluster.read(shared_.table, key_bytes(shared_.table, image, buffer), &found);
  if (!ended(r ? Failure{} : r.failure(), "read", row.id, began)) return;
  shared_.reads++;
  if (!*r)
    wrong("read of " + std::to_string(row.id) + ": an acknowledged row is not there");
  else if (found != image)
    wrong("read of " + std::to_string(row.id) + ": an older row, or another one");
}

void Worker::read_sample() {
  const std::string& image = shared_.samples[prng_.below(shared_.samples.size())];
  store::KeyBuffer buffer;
  std::string found;
  const Time began = os::Loop::now();
  auto r = shared_.cluster.read(shared_.table, key_bytes(shared_.table, image, buffer), &found);
  if (!ended(r ? Failure{} : r.failure(), "read", 0, began)) return;
  shared_.reads++;
  if (!*r || found != image) wrong("a row that nobody changes is not what it was");
}

std::int64_t Worker::balance(Bytes image) const {
  return shared_.bank.shape().get(image, static_cast<std::uint16_t>(balance_column_)).i;
}

void Worker::transfer() {
  auto low = static_cast<std::int64_t>(prng_.below(shared_.accounts));
  auto high = static_cast<std::int64_t>(prng_.below(shared_.accounts - 1));
  if (high >= low) high++;
  if (high < low) std::swap(low, high);  // always locked in this order
  const auto amount = static_cast<std::int64_t>(prng_.between(1, 20)) - 10;
  const auto column = static_cast<std::uint16_t>(balance_column_);
  const Time began = os::Loop::now();
  const Failure f = run_patiently(shared_, [&](Transaction& x) -> Failure {
    std::int64_t balances[2] = {};
    const std::int64_t ids[2] = {low, high};
    for (int i = 0; i < 2; i++) {
      std::string image;
      const Value key[] = {Value::of_int(ids[i])};
      auto found = x.read(shared_.bank, key, &image, Lock::exclusive);
      if (!found) return found.failure();
      if (!*found) return {Error::no_such_row, "account " + std::to_string(ids[i]) + " is gone"};
      balances[i] = balance(image);
    }
    for (int i = 0; i < 2; i++) {
      const Value key[] = {Value::of_int(ids[i])};
      const std::pair<std::uint16_t, Value> change[] = {
          {column, Value::of_int(i == 0 ? balances[0] - amount : balances[1] + amount)}};
      if (Failure bad = x.update(shared_.bank, key, change)) return bad;
    }
    return {};
  });
  if (ended(f, "transfer", low, began)) shared_.transfers++;
}

}  // namespace ndb::traffic
