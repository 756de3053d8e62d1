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
      for (env::LinkId link : parcel->links) {
        NDB_CHECK(p.links[link].used && p.links[link].part == 0);
        p.links[link].part = static_cast<std::uint32_t>(i) + 1;
        p.links[link].moving = true;
        p.parts[i].outbox.slot(link).unsent = 0;
      }
      auto& in = p.parts[i].in;
      Time at = now_ + draw_part_delay();
      if (!in.empty() && in.back().at > at) at = in.back().at;
      in.push_back({at, std::move(parcel)});
      plan_part(id, i, at);
    }
  }
}

env::Outbox& World::outbox_of(ProcessId id, env::LinkId link) {
  Process& p = *processes_[id];
  return p.links[link].part == 0 ? p.outbox : p.parts[p.links[link].part - 1].outbox;
}

void World::link_event(ProcessId id, const env::Event& e) {
  Process& p = *processes_[id];
  if (p.links[e.link].part == 0) return step_process(id, e);
  const std::size_t i = p.links[e.link].part - 1;
  auto& arrivals = p.parts[i].arrivals;
  Time at = now_ + draw_part_delay();
  if (!arrivals.empty() && arrivals.back().at > at) at = arrivals.back().at;
  arrivals.push_back({at, e, std::string(e.data)});
  plan_part(id, i, at);
}

// Something of this part may be due: a parcel for it, what its links bring, a parcel that it sent, its timer.
void World::part_due(ProcessId id, std::uint32_t life, std::size_t i) {
  Process& p = *processes_[id];
  auto alive = [&] { return p.machine && p.life == life && !p.paused && !failed_; };
  for (bool more = true; more && alive();) {
    more = false;
    if (!give_next(id, i, &more)) return;
  }
  if (!alive() || local_time(p, now_) < p.parts[i].wake) return;
  p.parts[i].wake = kNever;
  env::Event e;
  e.tag = i;
  step_part(id, i, e);
}

// The next thing that is due. False: the process has died of it.
bool World::give_next(ProcessId id, std::size_t i, bool* more) {
  Process& p = *processes_[id];
  PartState& s = p.parts[i];
  const std::uint32_t life = p.life;
  env::Event e;
  if (!p.holds_in && !s.in.empty() && s.in.front().at <= now_) {
    std::unique_ptr<env::Parcel> parcel = std::move(s.in.front().parcel);
    s.in.pop_front();
    for (env::LinkId link : parcel->links) p.links[link].moving = false;
    e.kind = env::EventKind::parcel;
    e.tag = i;
    e.status = 1;  // for the trace: to a part
    e.parcel = &parcel;
    *more = true;
    return step_part(id, i, e);
  }
  if (!s.arrivals.empty() && s.arrivals.front().at <= now_ && !p.links[s.arrivals.front().event.link].moving) {
    PartState::Arrival a = std::move(s.arrivals.front());
    s.arrivals.pop_front();
    a.event.data = a.data;
    *more = true;
    if (a.event.kind == env::EventKind::frame && p.links[a.event.link].closed) return true;
    if (!step_part(id, i, a.event)) return false;
    if (a.event.kind == env::EventKind::link_down) free_link(id, a.event.link);
    return true;
  }
  if (p.holds_out || s.out.empty() || s.out.front().at > now_) return true;
  std::unique_ptr<env::Parcel> parcel = std::move(s.out.front().parcel);
  s.out.pop_front();
  e.kind = env::EventKind::parcel;
  e.tag = i;
  e.parcel = &parcel;
  step_process(id, e);
  *more = true;
  return p.machine != nullptr && p.life == life;
}

// False: the process has died of it.
bool World::step_part(ProcessId id, std::size_t i, const env::Event& e) {
  Process& p = *processes_[id];
  const std::uint32_t life = p.life;
  trace_.event(now_, id, e);
  env::Part& part = *p.machine->part(i);
  env::Outbox& outbox = p.parts[i].outbox;
  p.stepping = true;
  stepping_ = id;
  outbox.begin_step();
  part.step(local_time(p, now_), e, outbox);
  std::unique_ptr<env::Parcel> out = part.parcel();
  stepping_ = kNobody;
  for (env::LinkId link : outbox.closes) p.links[link].closed = true;
  if (!p.kill_wanted) carry_out(id, outbox);
  p.stepping = false;
  if (out != nullptr && !p.kill_wanted) {
    auto& sent = p.parts[i].out;
    Time at = now_ + draw_part_delay();
    if (!sent.empty() && sent.back().at > at) at = sent.back().at;
    sent.push_back({at, std::move(out)});
    plan_part(id, i, at);
  }
  if (outbox.wake != p.parts[i].wake) {
    p.parts[i].wake = outbox.wake;
    if (outbox.wake != kNever) {
      plan_part(id, i, world_time(p, outbox.wake) + static_cast<Time>(prng_.below(50 * kMicrosecond)));
    }
  }
  after_effects(id);
  return p.machine != nullptr && p.life == life;
}

}  // namespace ndb::sim
