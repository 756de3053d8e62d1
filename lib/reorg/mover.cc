#include "reorg/mover.h"

#include <algorithm>

#include "store/fragment.h"

namespace ndb::reorg {

namespace {
constexpr Time kRetryFull = 20 * kMillisecond;   // a checkpoint has to make room first
constexpr std::size_t kCopyBeside = 256;         // the same beside clients: a part of them moves
constexpr Time kBitePause = 350 * kMicrosecond;  // between two bites beside clients
constexpr std::size_t kBatchesBeside = 1;        // of all fragments here, under way beside clients
}  // namespace

void encode(Writer& w, const JobReport& r) {
  w.u64(r.job);
  w.u16(r.node);
  w.u32(r.incarnation);
  w.u8(static_cast<std::uint8_t>(r.phase));
  w.u64(r.view);
  w.u32(static_cast<std::uint32_t>(r.fragments.size()));
  for (const FragmentReport& f : r.fragments) {
    w.u16(f.fragment);
    w.u8(f.done ? 1 : 0);
    w.u64(f.epoch);
    w.put(f.error);
    w.u64(f.rows);
    w.u8(f.percent);
  }
}
bool decode(Reader& r, JobReport* j) {
  j->job = r.u64();
  j->node = r.u16();
  j->incarnation = r.u32();
  j->phase = static_cast<meta::Phase>(r.u8());
  j->view = r.u64();
  std::uint32_t n = r.u32();
  if (n > limits::kFragmentsMax) return false;
  for (std::uint32_t i = 0; i < n && !r.bad(); i++) {
    FragmentReport f;
    f.fragment = r.u16();
    f.done = r.u8() != 0;
    f.epoch = r.u64();
    f.error = r.get<Error>();
    f.rows = r.u64();
    f.percent = r.u8();
    j->fragments.push_back(f);
  }
  return r.done();
}

void Mover::set_catalog(Time now, std::shared_ptr<const meta::Catalog> catalog) {
  catalog_ = std::move(catalog);
  const meta::Job* job = catalog_->running_job();
  const meta::Table* t = job == nullptr ? nullptr : catalog_->table(job->table);
  if (t == nullptr) {
    stop_tasks();
    job_ = 0;
    phase_ = meta::Phase::none;
    return;
  }
  const bool same = job_ == job->id && view_ == t->distribution.view;
  if (!same) {
    stop_tasks();
    job_ = job->id;
    table_ = job->table;
    phase_ = t->distribution.phase;
    view_ = t->distribution.view;
  }
  start_tasks(now);  // also for fragments that became ours in the middle of a phase
}

void Mover::stop_tasks() {
  for (Task& t : tasks_) {
    if (t.frozen) rows_.freeze(t.from, 0, 0);
    for (auto& [number, b] : t.batches) rows_.release(b.hold);
  }
  tasks_.clear();
  changed_ = true;
}

void Mover::start_tasks(Time now) {
  using meta::Phase;
  if (phase_ != Phase::copying && phase_ != Phase::deciding && phase_ != Phase::cleaning) return;
  const meta::Table* t = table();
  const meta::Distribution& d = t->distribution;
  std::erase_if(tasks_, [&](Task& k) {
    NodeId n = 0;
    WorkerId w = 0;
    if (find_primary(table_, k.from.fragment, &n, &w) && n == node_ && w == worker_) return false;
    for (auto& [number, b] : k.batches) rows_.release(b.hold);
    return true;
  });
  const bool undoing = phase_ == Phase::cleaning && d.next == d.map;  // a job is rolled back: copies may be anywhere
  for (FragmentId f = 0; f < d.groups.size(); f++) {
    NodeId n = 0;
    WorkerId w = 0;
    if (!find_primary(table_, f, &n, &w) || n != node_ || w != worker_) continue;
    if (std::any_of(tasks_.begin(), tasks_.end(), [&](const Task& k) { return k.from.fragment == f; })) continue;
    std::set<FragmentId> targets;
    for (std::uint16_t b = 0; b < d.map.size(); b++) {
      if (d.map[b] == f && d.moves(b)) targets.insert(d.next[b]);
    }
    Task k;
    k.from = {table_, f};
    k.targets.assign(targets.begin(), targets.end());
    k.done = targets.empty() && !undoing;
    tasks_.push_back(std::move(k));
  }
  changed_ = true;
  wish(now);
}

bool Mover::find_primary(TableId table, FragmentId f, NodeId* node, WorkerId* worker) const {
  const meta::Table* t = catalog_->table(table);
  if (t == nullptr || f >= t->distribution.groups.size()) return false;
  *node = catalog_->primary(t->distribution.groups[f], f);
  const meta::Node* n = catalog_->node(*node);
  if (n == nullptr) return false;
  *worker = catalog_->worker(*n, f);
  return true;
}

Mover::Task* Mover::task_of(std::uint64_t job, FragmentId from) {
  if (job != job_) return nullptr;
  for (Task& t : tasks_) {
    if (t.from.fragment == from) return &t;
  }
  return nullptr;
}

// The next bite is not due yet: the task comes again then.
bool Mover::may_bite(Task& t) {
  if (!clients_wait()) return true;
  if (under_way() >= kBatchesBeside) return false;  // an answer wakes us
  if (now_ < next_bite_) {
    t.retry = next_bite_;
    wish(t.retry);
    return false;
  }
  next_bite_ = now_ + kBitePause;
  return true;
}

std::size_t Mover::under_way() const {
  std::size_t n = 0;
  for (const Task& t : tasks_) n += t.batches.size();
  return n;
}

void Mover::pump(Time now) {
  now_ = now;
  if (const std::uint64_t served = rows_.served(); served != served_) {
    served_ = served;
    traffic_at_ = now;
  }
  wake_ = kNever;
  for (Task& t : tasks_) {
    if (t.done || t.error != Error::ok) continue;
    if (t.retry > now) {
      wish(t.retry);
      continue;
    }
    if (!rows_.leads(t.from)) {
      t.retry = now + kRetry;
      wish(t.retry);
      continue;
    }
    switch (phase_) {
      case meta::Phase::copying:
        pump_copy(now, t);
        break;
      case meta::Phase::deciding:
        pump_verify(now, t);
        break;
      case meta::Phase::cleaning:
        pump_clean(now, t);
        break;
      default:
        break;
    }
  }
}

void Mover::finish(Task& t) {
  t.done = true;
  t.epoch = rows_.epoch();
  changed_ = true;
}

// ---- copying

void Mover::send_batch(Task& t, std::uint32_t hold, std::uint64_t start, FragmentId to, std::uint32_t rows,
                       Bytes changes) {
  NodeId node = 0;
  WorkerId worker = 0;
  const bool found = find_primary(table_, to, &node, &worker) && node != 0 && sender_.reachable(node);
  std::uint64_t number = next_batch_++;
  t.batches[number] = {to, node, hold, start, rows};
  if (!found) {  // nobody leads the new fragment, or it is out of reach: later
    fail_batch(t, number, now_ + kRetry);
    return;
  }
  Writer& w = sender_.to(node);
  std::size_t at = wire::begin_message(w, wire::Type::move_rows, worker, worker_);
  const std::uint8_t history = phase_ == meta::Phase::cleaning ? 1 : 0;
  w.put(MoveWord{job_, number, table_, t.from.fragment, to, Error::ok, history, 0});
  w.raw(changes);
  wire::end_message(w, at);
}

void Mover::fail_batch(Task& t, std::uint64_t number, Time retry) {
  auto i = t.batches.find(number);
  if (i == t.batches.end()) return;
  rows_.release(i->second.hold);
  // Go back to where it began; what was copied since is copied again, which does no harm.
  for (std::size_t k = 0; k < t.targets.size(); k++) {
    if (t.targets[k] != i->second.to || k > t.target) continue;
    if (k < t.target || i->second.start < t.cursor) t.cursor = i->second.start;
    t.target = k;
  }
  t.batches.erase(i);
  t.retry = retry;
  wish(retry);
}

void Mover::pump_copy(Time now, Task& t) {
  while (t.target < t.targets.size() && t.batches.size() < kBatchesMax) {
    if (t.cursor == store::kScanEnd) {
      t.target++;
      t.cursor = 0;
      continue;
    }
    if (!may_bite(t)) return;
    scratch_.clear();
    const FragmentId to = t.targets[t.target];
    const std::uint64_t start = t.cursor;
    Taken k = rows_.take(t.from, to, t.cursor, clients_wait() ? kCopyBeside : kBite, scratch_);
    if (k.again) {
      t.retry = now + kRetry;
      wish(t.retry);
      return;
    }
    t.waiting += k.waiting;
    t.cursor = k.next;
    if (k.rows > 0) send_batch(t, k.hold, start, to, k.rows, scratch_.view());
    if (t.retry > now) return;
  }
  if (t.target >= t.targets.size() && t.batches.empty() && t.waiting == 0) {
    finish(t);
  }
}

// A row that a transaction had held. It may have been changed, moved on, or be gone by now.
void Mover::on_row_locked(FragmentRef from, std::uint32_t hold, bool ok, Bytes image, Bytes key, std::uint64_t hash) {
  Task* t = from.table == table_ ? task_of(job_, from.fragment) : nullptr;
  if (t == nullptr || phase_ != meta::Phase::copying || t->waiting == 0) {
    if (ok) rows_.release(hold);
    return;
  }
  t->waiting--;
  wish(0);
  if (!ok) {  // time-out: it stands in line again
    if (rows_.leads(from) && rows_.lock_again(from, key, hash)) {
      t->waiting++;
    } else {
      t->cursor = 0;
      t->target = 0;
    }
    return;
  }
  if (image.empty()) {
    rows_.release(hold);
    return;
  }
  const meta::Distribution& d = table()->distribution;
  scratch_.clear();
  struct {
    std::uint8_t kind = 1, zero = 0;
    std::uint16_t key_bytes = 0;
    std::uint32_t image_bytes = 0;
    std::uint64_t hash = 0;
  } change;
  static_assert(sizeof change == 16);
  change.image_bytes = static_cast<std::uint32_t>(image.size());
  change.hash = hash;
  scratch_.put(change);
  scratch_.raw(image);
  send_batch(*t, hold, 0, d.next[meta::bucket_of(hash)], 1, scratch_.view());
}

void Mover::on_move_rows(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(MoveWord)) return;
  auto w = load<MoveWord>(m.body.data());
  Bytes changes = m.body.substr(sizeof w);
  const meta::Phase wanted = w.history != 0 ? meta::Phase::cleaning : meta::Phase::copying;
  Error e = w.job == job_ && phase_ == wanted ? Error::ok : Error::not_ready;
  const std::uint64_t tag = next_tag_++;
  if (e == Error::ok) {
    incoming_[tag] = {from, m.from, w};
    const FragmentRef to{w.table, w.to};
    e = w.history != 0 ? rows_.put_history(to, changes, tag) : rows_.put(to, changes, tag);
  }
  if (e == Error::ok) return;
  incoming_.erase(tag);
  w.error = e;
  if (!sender_.reachable(from)) return;
  Writer& out = sender_.to(from);
  std::size_t at = wire::begin_message(out, wire::Type::move_ack, m.from, worker_);
  out.put(w);
  wire::end_message(out, at);
}

void Mover::on_row_moved(FragmentRef, std::uint64_t tag, bool ok) {
  auto i = incoming_.find(tag);
  if (i == incoming_.end()) return;
  Incoming in = i->second;
  incoming_.erase(i);
  if (!sender_.reachable(in.node)) return;
  in.word.error = ok ? Error::ok : Error::node_failure;
  Writer& out = sender_.to(in.node);
  std::size_t at = wire::begin_message(out, wire::Type::move_ack, in.worker, worker_);
  out.put(in.word);
  wire::end_message(out, at);
}

void Mover::on_move_ack(Time now, const wire::Message& m) {
  if (m.body.size() < sizeof(MoveWord)) return;
  auto w = load<MoveWord>(m.body.data());
  Task* t = task_of(w.job, w.from);
  if (t == nullptr) return;
  auto i = t->batches.find(w.batch);
  if (i == t->batches.end()) return;
  if (w.error == Error::ok) {
    rows_.release(i->second.hold);
    t->rows += i->second.rows;
    t->batches.erase(i);
    changed_ = true;
    wish(now);
    return;
  }
  if (!is_temporary(w.error)) t->error = w.error;
  fail_batch(*t, w.batch, now + (w.error == Error::redo_full ? kRetryFull : kRetry));
  changed_ = true;
}

// Batches to a node whose link is gone: whatever of them arrived lies before anything that is sent from now on.
void Mover::node_down(NodeId node) {
  for (Task& t : tasks_) {
    std::vector<std::uint64_t> lost;
    for (auto& [number, b] : t.batches) {
      if (b.node == node) lost.push_back(number);
    }
    for (std::uint64_t n : lost) fail_batch(t, n, 0);
    if (t.asked > 0) {
      t.asked = 0;  // deciding: ask again
      wish(0);
    }
  }
  std::erase_if(incoming_, [&](const auto& i) { return i.second.node == node; });
}

// ---- messages and reports

bool Mover::on_message(Time now, const wire::Message& m, NodeId from) {
  switch (static_cast<wire::Type>(m.type)) {
    case wire::Type::move_rows:
      on_move_rows(m, from);
      return true;
    case wire::Type::move_ack:
      on_move_ack(now, m);
      return true;
    case wire::Type::sums_request:
      on_sums_request(m, from);
      return true;
    case wire::Type::sums_reply:
      on_sums_reply(now, m);
      return true;
    default:
      return false;
  }
}

bool Mover::report(JobReport* r) {
  r->job = job_;
  r->phase = phase_;
  r->view = view_;
  for (const Task& t : tasks_) {
    FragmentReport f;
    f.fragment = t.from.fragment;
    f.done = t.done;
    f.epoch = t.epoch;
    f.error = t.error;
    f.rows = t.rows;
    if (t.done) {
      f.percent = 100;
    } else if (phase_ == meta::Phase::deciding) {
      f.percent = static_cast<std::uint8_t>(t.lo * 100u / limits::kBuckets);
    } else {
      const std::uint64_t parts = t.targets.empty() ? 1 : t.targets.size();
      const std::uint64_t done = (phase_ == meta::Phase::copying ? t.target : 0) * store::kScanEnd + t.cursor;
      f.percent = static_cast<std::uint8_t>(
          std::min<std::uint64_t>(99, done * 100 / ((phase_ == meta::Phase::copying ? parts : 1) * store::kScanEnd)));
    }
    r->fragments.push_back(f);
  }
  bool c = changed_;
  changed_ = false;
  return c;
}

}  // namespace ndb::reorg
