// Parts of machines (env::Part): threads in the product, here machines of their own whose parcels take a while to come
// and to go, so that a part and the machine it belongs to see the world's events at different times.
#include "sim/world.h"

namespace ndb::sim {
namespace {
constexpr Time kUsual = 20 * kMicrosecond;
constexpr Time kSlow = 500 * kMicrosecond;  // the processor was given to somebody else
constexpr Time kVerySlow = 15 * kMillisecond;
}  // namespace

Time World::draw_part_delay() {
  const std::uint64_t kind = prng_.below(1000);
  const bool crowded = seed_ % 4 == 1;  // a computer with too few processors
  const std::uint64_t usual = crowded ? 500 : 950, slow = crowded ? 900 : 997;
  const Time most = kind < usual ? kUsual : kind < slow ? kSlow : kVerySlow;
  return static_cast<Time>(prng_.below(static_cast<std::uint64_t>(most)));
}

void World::plan_part(ProcessId id, std::size_t part, Time at) {
  push(at < now_ ? now_ : at, Kind::part, id, processes_[id]->life, part);
}

void World::hold_parcels(ProcessId id, bool to_parts, bool from_parts) {
  Process& p = *processes_[id];
  p.holds_in = to_parts;
  p.holds_out = from_parts;
  for (std::size_t i = 0; i < p.parts.size(); i++) plan_part(id, i, now_);
}

// What a step of the machine has left for its parts.
void World::give_parcels(ProcessId id) {
  Process& p = *processes_[id];
  for (std::size_t i = 0; i < p.parts.size(); i++) {
    while (std::unique_ptr<env::Parcel> parcel = p.machine->parcel_for(i)) {
      auto& in = p.parts[i].in;
      Time at = now_ + draw_part_delay();
      if (!in.empty() && in.back().at > at) at = in.back().at;
      in.push_back({at, std::move(parcel)});
      plan_part(id, i, at);
    }
  }
}

// Something of this part may be due: a parcel for it, one that it sent, its timer.
void World::part_due(ProcessId id, std::uint32_t life, std::size_t i) {
  Process& p = *processes_[id];
  auto alive = [&] { return p.machine && p.life == life && !p.paused && !failed_; };
  if (!alive()) return;
  for (bool more = true; more && alive();) {
    more = false;
    if (!p.holds_in && !p.parts[i].in.empty() && p.parts[i].in.front().at <= now_) {
      std::unique_ptr<env::Parcel> parcel = std::move(p.parts[i].in.front().parcel);
      p.parts[i].in.pop_front();
      more = step_part(id, i, std::move(parcel));
    } else if (!p.holds_out && !p.parts[i].out.empty() && p.parts[i].out.front().at <= now_) {
      std::unique_ptr<env::Parcel> parcel = std::move(p.parts[i].out.front().parcel);
      p.parts[i].out.pop_front();
      env::Event e;
      e.kind = env::EventKind::parcel;
      e.tag = i;
      e.parcel = &parcel;
      step_process(id, e);
      more = true;
    }
  }
  if (!alive() || local_time(p, now_) < p.parts[i].wake) return;
  p.parts[i].wake = kNever;
  step_part(id, i, nullptr);
}

// False: the process has died of it.
bool World::step_part(ProcessId id, std::size_t i, std::unique_ptr<env::Parcel> in) {
  Process& p = *processes_[id];
  const std::uint32_t life = p.life;
  env::Event e;
  e.kind = env::EventKind::parcel;
  e.tag = i;
  e.status = in != nullptr ? 1 : 2;  // for the trace: to a part
  trace_.event(now_, id, e);
  env::Part& part = *p.machine->part(i);
  p.stepping = true;
  stepping_ = id;
  std::unique_ptr<env::Parcel> out = part.step(local_time(p, now_), std::move(in));
  stepping_ = kNobody;
  p.stepping = false;
  if (out != nullptr && !p.kill_wanted) {
    auto& sent = p.parts[i].out;
    Time at = now_ + draw_part_delay();
    if (!sent.empty() && sent.back().at > at) at = sent.back().at;
    sent.push_back({at, std::move(out)});
    plan_part(id, i, at);
  }
  const Time wake = part.wake();
  if (wake != p.parts[i].wake) {
    p.parts[i].wake = wake;
    if (wake != kNever) plan_part(id, i, world_time(p, wake) + static_cast<Time>(prng_.below(50 * kMicrosecond)));
  }
  after_effects(id);
  return p.machine != nullptr && p.life == life;
}

}  // namespace ndb::sim
