// Mover: deciding by counts and checksums of buckets, and cleaning what has moved away.
#include <algorithm>

#include "reorg/mover.h"
#include "store/fragment.h"

namespace ndb::reorg {

namespace {
constexpr std::uint16_t kBucketsAtOnce = 192;  // compared together: writes to them wait about a round trip
constexpr Time kFreezeMax = 20 * kMillisecond;
constexpr std::size_t kCleanBeside = 128;
}  // namespace

// ---- deciding

void Mover::pump_verify(Time now, Task& t) {
  if (t.asked > 0) return;
  if (t.lo >= limits::kBuckets) {
    rows_.freeze(t.from, 0, 0);
    t.frozen = false;
    finish(t);
    return;
  }
  t.hi = static_cast<std::uint16_t>(std::min<std::uint32_t>(limits::kBuckets, t.lo + kBucketsAtOnce));
  if (!t.frozen) t.frozen_since = now;
  t.frozen = true;
  if (!rows_.freeze(t.from, t.lo, t.hi)) {
    t.retry = now + kRetry / 4;
    if (now - t.frozen_since > kFreezeMax) {
      // A transaction that we wait for may itself wait for buckets that are held back elsewhere: let go for a while.
      rows_.freeze(t.from, 0, 0);
      t.frozen = false;
      t.retry = now + kRetry * (2 + t.from.fragment % 5);
    }
    wish(t.retry);
    return;
  }
  for (FragmentId to : t.targets) {
    NodeId node = 0;
    WorkerId worker = 0;
    if (!find_primary(table_, to, &node, &worker) || node == 0 || !sender_.reachable(node)) {
      t.asked = 0;
      t.retry = now + kRetry;
      wish(t.retry);
      return;
    }
    Writer& w = sender_.to(node);
    std::size_t at = wire::begin_message(w, wire::Type::sums_request, worker, worker_);
    w.put(SumsWord{job_, table_, t.from.fragment, to, t.lo, t.hi, Error::ok, 0});
    wire::end_message(w, at);
    t.asked++;
  }
}

void Mover::on_sums_request(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(SumsWord) || !sender_.reachable(from)) return;
  auto s = load<SumsWord>(m.body.data());
  const FragmentRef to{s.table, s.to};
  const meta::Table* t = table();
  const bool ready = s.job == job_ && t != nullptr && s.table == table_ && phase_ == meta::Phase::deciding &&
                     rows_.leads(to) && rows_.quiet(to, s.lo, s.hi) && s.hi <= limits::kBuckets;
  s.error = ready ? Error::ok : Error::not_ready;
  Writer& w = sender_.to(from);
  std::size_t at = wire::begin_message(w, wire::Type::sums_reply, m.from, worker_);
  std::size_t head = w.size();
  w.put(s);
  if (ready) {
    for (std::uint16_t b = s.lo; b < s.hi; b++) {
      if (t->distribution.map[b] != s.from || t->distribution.next[b] != s.to || s.from == s.to) continue;
      store::BucketSum sum = rows_.sum(to, b);
      w.u16(b);
      w.u64(sum.rows);
      w.u64(sum.sum);
      s.count++;
    }
    w.patch(head, s);
  }
  wire::end_message(w, at);
}

void Mover::on_sums_reply(Time now, const wire::Message& m) {
  if (m.body.size() < sizeof(SumsWord)) return;
  auto s = load<SumsWord>(m.body.data());
  Task* t = task_of(s.job, s.from);
  if (t == nullptr || phase_ != meta::Phase::deciding || t->asked == 0 || s.lo != t->lo || s.hi != t->hi) return;
  if (s.error != Error::ok || !rows_.freeze(t->from, t->lo, t->hi)) {
    t->asked = 0;
    t->retry = now + kRetry / 4;
    wish(t->retry);
    return;
  }
  Reader in(m.body.substr(sizeof s));
  for (std::uint16_t i = 0; i < s.count && !in.bad(); i++) {
    std::uint16_t b = in.u16();
    std::uint64_t rows = in.u64();
    std::uint64_t sum = in.u64();
    if (in.bad() || b >= limits::kBuckets) break;
    store::BucketSum mine = rows_.sum(t->from, b);
    if (mine.rows != rows || mine.sum != sum) {
      t->error = Error::verify_failed;
      rows_.freeze(t->from, 0, 0);
      t->frozen = false;
      changed_ = true;
      return;
    }
    t->rows += rows;
  }
  if (--t->asked > 0) return;
  t->lo = t->hi;
  t->frozen = false;
  wish(now);
  pump_verify(now, *t);
}

// ---- cleaning

// A client that asks for the outcome of a transaction asks where the rows live now. True: everybody knows.
bool Mover::tell_history(Task& t) {
  while (t.target < t.targets.size() && t.batches.size() < kBatchesMax && t.retry <= now_) {
    if (t.cursor == UINT64_MAX) {
      t.target++;
      t.cursor = 0;
      continue;
    }
    scratch_.clear();
    const std::uint64_t start = t.cursor;
    t.cursor = rows_.history(t.from, start, scratch_);
    send_batch(t, 0, start, t.targets[t.target], 0, scratch_.view());
  }
  return t.target >= t.targets.size() && t.batches.empty();
}

void Mover::pump_clean(Time now, Task& t) {
  if (!t.told) {
    if (!tell_history(t)) return;
    t.told = true;
    t.cursor = 0;
  }
  // Rows that are in the stream but not in the index yet would be missed (copies of a job that is rolled back).
  if (t.cursor == 0 && t.mark == 0) t.mark = rows_.appended(t.from);
  if (!rows_.shown(t.from, t.mark)) {
    t.retry = now + kRetry / 4;
    wish(t.retry);
    return;
  }
  for (int i = 0; i < 4 && t.cursor != store::kScanEnd; i++) {
    if (!may_bite(t)) return;
    std::uint32_t dropped = 0;
    bool busy = false;
    t.cursor = rows_.drop(t.from, t.cursor, clients_wait() ? kCleanBeside : kBite, &dropped, &busy);
    t.rows += dropped;
    if (busy) {
      t.retry = now + kRetry / 4;
      wish(t.retry);
      return;
    }
  }
  if (t.cursor != store::kScanEnd) {
    t.retry = now + kMillisecond / 4;
    wish(t.retry);
    return;
  }
  if (!t.cleaned) t.mark = rows_.appended(t.from);
  t.cleaned = true;
  if (!rows_.shown(t.from, t.mark)) {
    t.retry = now + kRetry / 4;
    wish(t.retry);
    return;
  }
  finish(t);
}

}  // namespace ndb::reorg
