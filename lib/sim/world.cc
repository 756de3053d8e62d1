#include "sim/world.h"

#include <utility>

namespace ndb::sim {
namespace {
constexpr Time kTimerLate = 50 * kMicrosecond;
}

World::World(std::uint64_t seed) : seed_(seed), prng_(seed ^ 0x776f726c64u), network_(*this, seed ^ 0x6e657477u) {}

ProcessId World::add(ProcessSpec spec) {
  processes_.push_back(std::make_unique<Process>());
  processes_.back()->spec = std::move(spec);
  processes_.back()->links.resize(1);
  return static_cast<ProcessId>(processes_.size() - 1);
}

std::vector<std::string> World::names() const {
  std::vector<std::string> n;
  for (const auto& p : processes_) n.push_back(p->spec.name);
  return n;
}

ProcessId World::find_host(const std::string& host, std::uint16_t port) const {
  for (ProcessId i = 0; i < processes_.size(); i++) {
    if (processes_[i]->spec.host != host) continue;
    if (port == 0) return i;
    for (const auto& l : processes_[i]->spec.ports) {
      if (l.port == port) return i;
    }
  }
  return kNobody;
}

void World::start(ProcessId id) {
  Process& p = *processes_[id];
  if (p.machine || failed_) return;
  p.life++;
  if (p.no_power) {  // the computer's clock starts anew
    p.spec.clock_offset = static_cast<Time>(prng_.below(1000)) * kMillisecond - now_;
    p.no_power = false;
  }
  remark(p.spec.name + " starts (life " + std::to_string(p.life) + ")");
  p.machine = p.spec.make({id, p.life, prng_.next()});
  NDB_CHECK(p.machine != nullptr);
  p.parts.resize(p.machine->parts());
  network_.process_back(id);
  env::Event e;
  e.kind = env::EventKind::start;
  step_process(id, e);
}

void World::kill(ProcessId id, bool power_lost) {
  Process& p = *processes_[id];
  if (!p.machine) return;
  if (p.stepping) {
    p.kill_wanted = true;
    p.kill_power_lost = p.kill_power_lost || power_lost;
    return;
  }
  remark(p.spec.name + (power_lost ? " loses power" : " is killed"));
  end_process(id, power_lost, false, 0);
}

void World::end_process(ProcessId id, bool power_lost, bool exited, int status) {
  Process& p = *processes_[id];
  p.machine.reset();
  p.outbox = env::Outbox();
  p.links.assign(1, {});
  p.free_links = {};
  p.inbox.clear();
  p.parts.clear();
  p.paused = false;
  p.kill_wanted = p.kill_power_lost = false;
  p.no_power = power_lost;
  p.wake = kNever;
  p.timer_number++;
  network_.process_gone(id, power_lost);
  if (exited) {
    if (p.spec.exited) p.spec.exited(status);
  } else if (p.spec.lost) {
    p.spec.lost(power_lost);
  }
}

void World::pause(ProcessId id) {
  Process& p = *processes_[id];
  if (!p.machine || p.paused) return;
  remark(p.spec.name + " is paused");
  p.paused = true;
}

void World::resume(ProcessId id) {
  Process& p = *processes_[id];
  if (!p.paused) return;
  remark(p.spec.name + " goes on");
  p.paused = false;
  std::uint32_t life = p.life;
  while (!p.inbox.empty() && p.machine && p.life == life && !p.paused) {
    env::Event e = p.inbox.front();
    p.inbox.pop_front();
    step_process(id, e);
  }
  for (std::size_t i = 0; i < p.parts.size(); i++) plan_part(id, i, now_);
  if (p.machine && p.life == life) network_.process_resumed(id);
}

void World::stop(ProcessId id) {
  env::Event e;
  e.kind = env::EventKind::stop;
  deliver_plain(id, e);
}

void World::stored(ProcessId id, std::uint32_t life, std::uint64_t tag, int status) {
  Process& p = *processes_[id];
  if (p.life != life || !p.machine) return;
  Time at = now_ + draw_store_delay(id);
  if (at < p.store_last) at = p.store_last;
  p.store_last = at;
  push(at, Kind::stored, id, life, tag, status);
}

Time World::draw_store_delay(ProcessId id) {
  const ProcessSpec& s = processes_[id]->spec;
  return s.store_least + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(s.store_most - s.store_least) + 1));
}

void World::stored_now(ProcessId id, std::uint32_t life, std::uint64_t tag, int status) {
  if (!processes_[id]->machine || processes_[id]->life != life) return;
  env::Event e;
  e.kind = env::EventKind::stored;
  e.tag = tag;
  e.status = status;
  deliver_plain(id, e);
}

void World::after(Time delay, std::function<void()> f) {
  std::uint32_t slot;
  if (free_calls_.empty()) {
    slot = static_cast<std::uint32_t>(calls_.size());
    calls_.emplace_back();
  } else {
    slot = free_calls_.back();
    free_calls_.pop_back();
  }
  calls_[slot] = std::move(f);
  push(now_ + delay, Kind::call, slot, 0, 0);
}

void World::push(Time at, Kind kind, std::uint32_t a, std::uint32_t b, std::uint64_t c, int d) {
  NDB_CHECK(at >= now_);
  queue_.push({at, order_++, kind, a, b, c, d});
}

bool World::run_one() {
  if (queue_.empty()) return false;
  Queued q = queue_.top();
  queue_.pop();
  now_ = q.at;
  switch (q.kind) {
    case Kind::timer:
      timer_due(q.a, q.c);
      break;
    case Kind::pipe:
      network_.pipe_due(q.a, q.b, static_cast<unsigned>(q.c));
      break;
    case Kind::dial:
      network_.dial_due(q.a);
      break;
    case Kind::stored:
      stored_now(q.a, q.b, q.c, q.d);
      break;
    case Kind::part:
      part_due(q.a, q.b, q.c);
      break;
    case Kind::call: {
      std::function<void()> f = std::move(calls_[q.a]);
      calls_[q.a] = nullptr;
      free_calls_.push_back(q.a);
      f();
      break;
    }
  }
  return true;
}

void World::run_for(Time duration) {
  run_until([] { return false; }, duration);
}

bool World::run_until(const std::function<bool()>& done, Time limit) {
  Time end = now_ + limit;
  if (done()) return true;
  while (!failed_ && !queue_.empty() && queue_.top().at <= end) {
    run_one();
    if (done()) return true;
  }
  if (!failed_) now_ = end;
  return false;
}

void World::fail(std::string reason) {
  if (failed_) return;
  failed_ = true;
  remark("FAILED: " + reason);
  failure_ = std::move(reason);
}

// --- one step

void World::deliver_plain(ProcessId id, const env::Event& e) {
  Process& p = *processes_[id];
  if (!p.machine) return;
  if (p.paused) {
    p.inbox.push_back(e);
  } else {
    step_process(id, e);
  }
}

void World::step_process(ProcessId id, const env::Event& e) {
  Process& p = *processes_[id];
  NDB_CHECK(p.machine != nullptr && !p.paused);
  NDB_CHECK(!p.stepping);
  if (failed_) return;
  trace_.event(now_, id, e);
  p.stepping = true;
  p.outbox.begin_step();
  stepping_ = id;
  p.machine->step(local_time(p, now_), e, p.outbox);
  stepping_ = kNobody;
  if (!p.kill_wanted) carry_out(id, p.outbox);  // else it died in the midst of the step
  p.stepping = false;
  if (p.outbox.exit_wanted && !p.kill_wanted) {
    int status = p.outbox.exit_status;
    remark(p.spec.name + " exits with " + std::to_string(status));
    end_process(id, false, true, status);
    return;
  }
  if (!p.kill_wanted) {
    plan_timer(id);
    give_parcels(id);
  }
  after_effects(id);
}

// The machine or a part of it was stepped: who watches has his look, and may have wanted its death.
void World::after_effects(ProcessId id) {
  Process& p = *processes_[id];
  if (!p.kill_wanted) {
    if (p.spec.stepped) p.spec.stepped();
    if (after_step) after_step(id);
  }
  if (p.kill_wanted) {
    bool power = p.kill_power_lost;
    p.kill_wanted = p.kill_power_lost = false;
    kill(id, power);
  }
}

void World::carry_out(ProcessId id, env::Outbox& out) {
  for (auto& [severity, text] : out.logs) {
    if (on_log) on_log(id, severity, text);
    trace_.line(now_, id, std::move(text));
  }
  out.logs.clear();
  for (std::size_t i = 0; i < out.touched().size(); i++) {
    env::LinkId link = out.touched()[i];
    env::Outbox::Out& slot = out.slot(link);
    if (!slot.bytes.empty()) network_.send(id, link, slot.bytes.view(), out.epoch);
    slot.bytes.clear();
    slot.touched = false;
  }
  out.touched().clear();
  for (const auto& u : out.upgrades) network_.upgrade(id, u.link, u.consumed);
  out.upgrades.clear();
  for (env::LinkId link : out.closes) network_.close(id, link);
  out.closes.clear();
  for (const auto& c : out.connects) network_.dial(id, c);
  out.connects.clear();
}

// --- timers

Time World::world_time(const Process& p, Time local) {
  Time t = local - p.spec.clock_offset;
  t -= t / 1000000 * p.spec.clock_drift_ppm;
  while (local_time(p, t) < local) t += local - local_time(p, t);
  return t;
}

void World::plan_timer(ProcessId id) {
  Process& p = *processes_[id];
  if (p.outbox.wake == p.wake) return;
  p.wake = p.outbox.wake;
  p.timer_number++;
  if (p.wake == kNever) return;
  Time at = world_time(p, p.wake);
  if (at < now_) at = now_;
  push(at + static_cast<Time>(prng_.below(kTimerLate)), Kind::timer, id, 0, p.timer_number);
}

void World::timer_due(ProcessId id, std::uint64_t number) {
  Process& p = *processes_[id];
  if (!p.machine || p.timer_number != number) return;
  p.wake = kNever;
  env::Event e;
  e.kind = env::EventKind::timer;
  deliver_plain(id, e);
}

// --- link numbers

env::LinkId World::take_link(ProcessId id, std::uint32_t connection, unsigned end) {
  Process& p = *processes_[id];
  env::LinkId link;
  if (p.free_links.empty()) {
    link = static_cast<env::LinkId>(p.links.size());
    p.links.emplace_back();
  } else {
    link = p.free_links.top();
    p.free_links.pop();
  }
  p.links[link] = {connection, end, true};
  p.outbox.slot(link).unsent = 0;
  return link;
}

void World::free_link(ProcessId id, env::LinkId link) {
  Process& p = *processes_[id];
  NDB_CHECK(link < p.links.size() && p.links[link].used);
  p.links[link].used = false;
  p.free_links.push(link);
}

}  // namespace ndb::sim
