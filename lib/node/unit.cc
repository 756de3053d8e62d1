#include "node/unit.h"

#include <algorithm>
#include <tuple>

namespace ndb::node {

Unit::Unit(txn::WorkerOptions options)
    : options_(options), worker_(options), mover_(options.node, options.worker, *this, *this) {
  worker_.row_moved = [this](FragmentRef to, std::uint64_t tag, bool ok) { mover_.on_row_moved(to, tag, ok); };
  worker_.row_locked = [this](FragmentRef f, std::uint32_t hold, bool ok, Bytes image, Bytes key, std::uint64_t hash) {
    mover_.on_row_locked(f, hold, ok, image, key, hash);
  };
}

void Unit::begin(Time now, Epoch epoch, env::Outbox& out) {
  now_ = now;
  out_ = &out;
  worker_.begin(now, out, self_);
  set_epoch(epoch);
}

void Unit::set_epoch(Epoch epoch) {
  epoch_ = epoch;
  worker_.set_epoch(epoch);
}

// ---- in

void Unit::obey(const Word& w) {
  using Kind = Word::Kind;
  switch (w.kind) {
    case Kind::messages:
      break;  // step() has the bytes
    case Kind::client_up:
    case Kind::client_here:
      worker_.client_up(w.link, w.a, w.node);
      break;
    case Kind::client_down:
      worker_.client_down(w.link);
      break;
    case Kind::node_up:
      links_[w.node] = w.link;
      worker_.node_up(w.node, w.link);
      break;
    case Kind::node_down:
      links_[w.node] = 0;
      worker_.node_down(w.node);
      mover_.node_down(w.node);
      break;
    case Kind::catalog: {
      catalog_ = w.catalog;
      worker_.set_catalog(w.catalog);
      mover_.set_catalog(now_, w.catalog);
      const meta::Node* self = w.catalog->node(options_.node);
      joining_ = self != nullptr && self->state == meta::NodeState::joining;
      break;
    }
    case Kind::state:
      state_ = w.a;
      break;
    case Kind::lease:
      worker_.serve_until(static_cast<Time>(w.a));
      break;
    case Kind::memory:
      worker_.set_memory(w.a);
      break;
    case Kind::lock_wait:
      worker_.set_lock_wait(static_cast<Time>(w.a));
      break;
    case Kind::inactive:
      worker_.set_inactive(static_cast<Time>(w.a));
      break;
    case Kind::epoch_step:
      epoch_step_ = static_cast<wire::EpochStep>(w.a);
      epoch_closing_ = w.b;
      epoch_number_ = w.number;
      epoch_flushing_ = false;
      if (epoch_step_ == wire::EpochStep::show) worker_.mark_streams();
      break;
    case Kind::no_new:
      worker_.stop_accepting();
      break;
    case Kind::stored:
      worker_.on_disk(w.a, w.status);
      break;
    case Kind::report:
      reports_++;
      break;
  }
}

void Unit::take(const wire::Message* m, std::size_t n, env::LinkId link, NodeId from) {
  if (n > 1) {
    for (std::size_t i = 0; i < n; i++) worker_.prefetch(m[i]);
    for (std::size_t i = 0; i < n; i++) worker_.prefetch_row(m[i]);
  }
  for (std::size_t i = 0; i < n; i++) {
    if (m[i].type >= static_cast<std::uint16_t>(wire::Type::move_rows)) {
      if (from != 0) mover_.on_message(now_, m[i], from);
    } else {
      worker_.on_message(m[i], link, from);
    }
  }
}

void Unit::take_all(Bytes payload, env::LinkId link, NodeId from) {
  wire::Message run[kRun];
  std::size_t n = 0;
  bool damaged = false;
  while (wire::next_message(payload, &run[n], &damaged)) {
    if (++n < kRun) continue;
    take(run, n, link, from);
    n = 0;
  }
  NDB_CHECK(!damaged);  // the node has looked at each
  take(run, n, link, from);
}

// ---- the end of a step

void Unit::run() {
  if (now_ >= worker_.wake()) worker_.on_time();
  mover_.pump(now_);
  worker_.end();
  run_loopback();
  disk_progress();
  epoch_progress();
}

// What worker and mover say to themselves, until they have nothing more to say. The rest is for other units.
void Unit::run_loopback() {
  while (!self_.empty()) {
    std::swap(self_, self_swap_);
    self_.clear();
    Bytes payload = self_swap_.view();
    wire::Message run[kRun];
    std::size_t n = 0;
    bool damaged = false;
    while (wire::next_message(payload, &run[n], &damaged)) {
      if (run[n].to != options_.worker) {
        const char* begin = run[n].body.data() - wire::kMessageHeaderBytes;
        others_.raw(Bytes(begin, wire::kMessageHeaderBytes + run[n].body.size()));
        continue;
      }
      if (++n < kRun) continue;
      take(run, n, env::kSelf, options_.node);
      n = 0;
    }
    NDB_CHECK(!damaged);
    take(run, n, env::kSelf, options_.node);
    self_swap_.clear();
    mover_.pump(now_);
    worker_.end();
  }
}

void Unit::disk_progress() {
  if (!worker_.has_disk() || (state_ & kJoined) == 0 || worker_.disk_failed()) return;
  if (!worker_.recovered()) {
    if ((state_ & kDamaged) == 0) worker_.recover_some();
    return;
  }
  const bool idle = epoch_number_ != epoch_done_ && epoch_step_ == wire::EpochStep::flush;
  worker_.checkpoint_step((state_ & kInSync) != 0 && !idle);
}

void Unit::epoch_progress() {
  if (epoch_number_ == epoch_done_) return;
  bool ready = false;
  switch (epoch_step_) {
    case wire::EpochStep::enter:
      ready = worker_.filled_epoch() <= epoch_closing_ && worker_.decided_upto(epoch_closing_);
      break;
    case wire::EpochStep::show:
      ready = worker_.marks_shown();
      break;
    case wire::EpochStep::flush:
      if (!epoch_flushing_) {
        epoch_flushing_ = true;
        worker_.flush_epoch(epoch_closing_);
      }
      ready = worker_.flushed_epoch() >= epoch_closing_;
      break;
  }
  if (ready) epoch_done_ = epoch_number_;
}

Time Unit::wake() const {
  const bool recovers = worker_.has_disk() && !worker_.recovered() && !worker_.files_damaged() &&
                        !worker_.disk_failed() && (state_ & (kJoined | kDamaged)) == kJoined;
  return recovers ? now_ : std::min(worker_.wake(), mover_.wake());
}

// ---- out

void Unit::tell_status(Status* s) const {
  s->heard = heard_;
  s->version = catalog_ ? catalog_->version : 0;
  s->oldest_open = worker_.oldest_open();
  s->durable_wanted = worker_.durable_wanted();
  s->filled_epoch = worker_.filled_epoch();
  s->recovered = worker_.recovered();
  s->restored = s->recovered ? worker_.restored() : 0;
  s->epoch_done = epoch_done_;
  s->fetched_rows = worker_.counters().fetched_rows;
  s->filled = joining_ && s->recovered && worker_.filled();
  s->quiet = worker_.quiet();
  s->damaged = worker_.files_damaged();
  s->disk_failed = worker_.disk_failed();
  s->out_of_memory = worker_.out_of_memory();
  s->own_links = own_links_;
}

void Unit::tell_details(Details* d) const {
  d->memory_used = worker_.memory_used();
  d->memory_total = worker_.memory_total();
  d->rows = worker_.primary_rows();
  d->counters = worker_.counters();
  d->recovering = worker_.recovering(&d->recovered_percent);
  d->fills_from.clear();
  d->filled_percent = joining_ ? worker_.filled_percent(&d->fills_from) : 100;
}

// While a job runs: when something has changed, or the job is in another phase.
void Unit::tell_job(FromUnit* r) {
  r->has_job = false;
  if (!catalog_ || catalog_->running_job() == nullptr) return;
  const auto key = [](const reorg::JobReport& j) { return std::tuple(j.job, j.phase, j.view); };
  const auto before = key(job_);
  job_.fragments.clear();
  if (!mover_.report(&job_) && key(job_) == before) return;
  r->has_job = true;
  r->job = job_;
}

std::string Unit::fragments_text() const {
  std::string t;
  worker_.each_replica([&](const txn::Replica& r) {
    const char* roles[] = {"joining", "backup", "takeover", "primary"};
    t += "fragment." + std::to_string(r.ref.table) + "." + std::to_string(r.ref.fragment) + "=" +
         roles[static_cast<int>(r.role)] + " rows=" + std::to_string(r.rows.rows()) +
         " checksum=" + std::to_string(r.rows.checksum()) + " appended=" + std::to_string(r.appended) +
         " committed=" + std::to_string(r.committed) + " bytes=" + std::to_string(r.rows.bytes()) + "\n";
  });
  return t;
}

void Unit::tell(FromUnit* r, bool details) {
  tell_status(&r->status);
  tell_job(r);
  const bool asked = reports_ != reports_told_;
  r->has_details = asked || (details && now_ >= next_details_);
  if (r->has_details) {
    next_details_ = now_ + limits::kNodeHeartbeat;
    tell_details(&r->details);
  }
  if (asked) {
    reports_told_ = reports_;
    r->fragments = fragments_text();
  }
  r->reports = reports_told_;
}

}  // namespace ndb::node
