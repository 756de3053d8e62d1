#include "sim/nemesis.h"

namespace ndb::sim {
namespace {
const char* const kNames[kFaults] = {"kill",      "power",  "pause",       "cut_pair", "cut_one_way",
                                     "isolate",   "halves", "break_links", "slow",     "spikes",
                                     "slow_disk", "crowd",  "lose_files"};
constexpr Time kMeanLeast = 300 * kMillisecond;
// A node that was silent for a while may have been declared dead without anybody knowing yet, for as long as that
// takes; and a death takes as long to be known.
constexpr Time kAftermath = 2 * kSecond;
}  // namespace

Nemesis::Nemesis(World& world, std::uint64_t seed, NemesisOptions options)
    : world_(world), options_(std::move(options)), prng_(seed ^ 0x6e656d65736973u), usual_(world.network().settings) {
  disturbed_.resize(world_.processes() + 64);
  guarded_.resize(world_.processes() + 64);
  double share = prng_.chance(0.1) ? 0.0 : prng_.chance(0.3) ? 0.8 : 0.35;
  for (std::size_t f = 0; f < kFaults; f++) {
    bool active = prng_.chance(share);
    Time mean = kMeanLeast << prng_.below(5);
    mean = static_cast<Time>(static_cast<double>(mean) / options_.intensity);
    const bool possible = (f != static_cast<std::size_t>(Fault::crowd) || options_.crowd) &&
                          (f != static_cast<std::size_t>(Fault::lose_files) || options_.lose_files);
    if (active && possible && (options_.allowed >> f & 1u) && !options_.victims.empty()) mean_[f] = mean;
  }
}

std::string Nemesis::profile() const {
  std::string s;
  for (std::size_t f = 0; f < kFaults; f++) {
    if (mean_[f] == 0) continue;
    if (!s.empty()) s += ", ";
    s += kNames[f];
    s += " every " + std::to_string(mean_[f] / kMillisecond) + " ms";
  }
  return s.empty() ? "no faults" : s;
}

void Nemesis::later(Time delay, std::function<void()> f) {
  world_.after(delay, [this, f = std::move(f)] {
    if (!calm_) f();
  });
}

void Nemesis::begin() {
  world_.remark("nemesis: " + profile());
  for (std::size_t f = 0; f < kFaults; f++) {
    if (mean_[f] != 0) plan(f);
  }
}

void Nemesis::plan(std::size_t fault) {
  Time wait = static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * mean_[fault]))) + kMillisecond;
  later(wait, [this, fault] {
    strike(static_cast<Fault>(fault));
    plan(fault);
  });
}

// Most things last short, some long.
Time Nemesis::lasts(Time least, Time most) {
  Time span = most - least;
  for (int i = 0; i < 3 && prng_.chance(0.5); i++) span /= 4;
  return least + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(span) + 1));
}

ProcessId Nemesis::pick_any() {
  std::size_t n = options_.victims.size() + options_.bystanders.size();
  std::size_t i = prng_.below(n);
  return i < options_.victims.size() ? options_.victims[i] : options_.bystanders[i - options_.victims.size()];
}

void Nemesis::disturb(ProcessId p, Time duration) {
  Time until = world_.now() + duration + kAftermath;
  if (disturbed_[p] < until) disturbed_[p] = until;
}

// When `p` may die only beside an undisturbed heir: is there one? It is left in peace for a while.
bool Nemesis::find_heir(ProcessId p) {
  if (!options_.heirs) return true;
  std::vector<ProcessId> heirs = options_.heirs(p);
  if (heirs.empty()) return true;
  for (ProcessId h : heirs) {
    if (disturbed_[h] > world_.now()) continue;
    guarded_[h] = world_.now() + kAftermath;
    return true;
  }
  return false;
}

void Nemesis::strike(Fault f) {
  ProcessId p = pick(options_.victims);
  switch (f) {
    case Fault::kill:
    case Fault::power: {
      Time down = lasts(kMillisecond, 4 * kSecond);
      if (!world_.running(p) || is_protected(p) || !may(f, p) || !find_heir(p)) return;
      disturb(p, down);
      world_.kill(p, f == Fault::power);
      start_after(p, down);
      break;
    }
    case Fault::lose_files: {
      Time down = lasts(kMillisecond, 4 * kSecond);
      if (!world_.running(p) || is_protected(p) || !options_.lose_files(p)) return;
      disturb(p, down);
      start_after(p, down);
      break;
    }
    case Fault::crowd:
      strike_crowd();
      return;
    case Fault::pause: {
      Time stop = lasts(kMillisecond, 3 * kSecond);
      if (!world_.running(p) || world_.paused(p) || is_protected(p) || !may(f, p)) return;
      disturb(p, stop);
      world_.pause(p);
      later(stop, [this, p] { world_.resume(p); });
      break;
    }
    case Fault::slow: {
      Time stop = lasts(100 * kMillisecond, 4 * kSecond);
      Time extra = lasts(100 * kMicrosecond, 30 * kMillisecond);
      if (is_protected(p)) return;
      disturb(p, stop);
      world_.remark(world_.name(p) + " is slow");
      world_.network().slow(p, extra);
      later(stop, [this, p] { world_.network().slow(p, 0); });
      break;
    }
    case Fault::slow_disk: {
      Time stop = lasts(100 * kMillisecond, 4 * kSecond);
      Time most = lasts(kMillisecond, 200 * kMillisecond);
      world_.spec(p).store_most = world_.spec(p).store_least + most;
      later(stop, [this, p] { world_.spec(p).store_most = world_.spec(p).store_least + 2 * kMillisecond; });
      break;
    }
    case Fault::spikes: {
      for (ProcessId v : options_.victims) {
        if (is_protected(v)) return;
      }
      world_.network().settings.spike_chance = prng_.chance(0.5) ? 0.01 : 0.2;
      world_.network().settings.spike_most = lasts(kMillisecond, 100 * kMillisecond);
      Time stop = lasts(50 * kMillisecond, 2 * kSecond);
      for (ProcessId v : options_.victims) disturb(v, stop);
      later(stop, [this] { world_.network().settings.spike_chance = 0; });
      break;
    }
    default:
      strike_network(f);
      return;
  }
  struck_++;
}

void Nemesis::start_after(ProcessId p, Time down) {
  later(down, [this, p] {
    if (world_.running(p)) return;
    options_.start ? options_.start(p) : world_.start(p);
  });
}

// All at once, or nearly: the last ones see the first ones go. They come back in any order.
void Nemesis::strike_crowd() {
  const bool power = prng_.chance(0.7);
  const Time spread = prng_.chance(0.5) ? 0 : lasts(kMillisecond, 300 * kMillisecond);
  const Time down = lasts(kMillisecond, 3 * kSecond);
  for (ProcessId p : options_.crowd(prng_)) {
    const Time after = static_cast<Time>(prng_.below(static_cast<std::uint64_t>(spread) + 1));
    later(after, [this, p, power] { world_.kill(p, power); });
    disturb(p, after + down);
    start_after(p, after + down + static_cast<Time>(prng_.below(500)) * kMillisecond);
  }
  struck_++;
}

void Nemesis::strike_network(Fault f) {
  std::vector<ProcessId> all = options_.victims;
  all.insert(all.end(), options_.bystanders.begin(), options_.bystanders.end());
  std::vector<std::pair<ProcessId, ProcessId>> pairs;
  ProcessId a = pick(options_.victims), b = pick_any();
  Time duration = lasts(5 * kMillisecond, 5 * kSecond);
  switch (f) {
    case Fault::cut_one_way:
      pairs = prng_.chance(0.5) ? std::vector{std::pair{a, b}} : std::vector{std::pair{b, a}};
      break;
    case Fault::cut_pair:
      pairs = {{a, b}, {b, a}};
      break;
    case Fault::isolate: {
      if (!may(f, a)) return;
      std::uint64_t ways = 1 + prng_.below(3);
      for (ProcessId other : all) {
        if (ways & 1u) pairs.push_back({a, other});
        if (ways & 2u) pairs.push_back({other, a});
      }
      break;
    }
    case Fault::halves: {
      std::vector<bool> left(all.size());
      for (std::size_t i = 0; i < all.size(); i++) left[i] = prng_.chance(0.5);
      for (std::size_t i = 0; i < all.size(); i++) {
        for (std::size_t k = 0; k < all.size(); k++) {
          if (left[i] != left[k]) pairs.push_back({all[i], all[k]});
        }
      }
      if (!may(f, a)) return;
      break;
    }
    case Fault::break_links: {
      double chance = prng_.chance(0.5) ? 1.0 : 0.3;
      std::size_t n = world_.network().break_links(a, b, chance);
      world_.remark("breaks " + std::to_string(n) + " links between " + world_.name(a) + " and " + world_.name(b));
      struck_++;
      return;
    }
    default:
      return;
  }
  for (auto [x, y] : pairs) {
    if (is_protected(x) || is_protected(y)) return;
  }
  struck_++;
  cut_for(duration, std::move(pairs));
}

void Nemesis::cut_for(Time duration, std::vector<std::pair<ProcessId, ProcessId>> pairs) {
  std::string s = "cuts for " + time_text(duration) + " s:";
  for (auto [a, b] : pairs) {
    s += " " + world_.name(a) + " -> " + world_.name(b);
    world_.network().cut(a, b);
    disturb(a, duration);
    disturb(b, duration);
  }
  world_.remark(s);
  later(duration, [this, pairs = std::move(pairs)] {
    for (auto [a, b] : pairs) world_.network().heal(a, b);
  });
}

void Nemesis::calm() {
  calm_ = true;
  world_.remark("nemesis: calm from here on, after " + std::to_string(struck_) + " faults");
  world_.network().settings = usual_;
  world_.network().heal_all();
  for (ProcessId p : options_.victims) {
    world_.spec(p).store_most = world_.spec(p).store_least + 2 * kMillisecond;
    if (world_.paused(p)) world_.resume(p);
    if (!world_.running(p)) options_.start ? options_.start(p) : world_.start(p);
  }
}

}  // namespace ndb::sim
