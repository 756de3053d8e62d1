// A swarm of faults. For each seed the nemesis draws which kinds of faults are active and how often each strikes, so
// that some runs see nothing but slow links and others everything at once. Phase one: faults, while the workload
// checks safety. Phase two, after calm(): everything is healed and restarted, and what is pending must finish.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "sim/world.h"

namespace ndb::sim {

enum class Fault : std::uint8_t {
  kill,         // kill -9, later started again
  power,        // the host loses power: nobody says good-bye
  pause,        // SIGSTOP, later SIGCONT
  cut_pair,     // two processes cannot reach each other
  cut_one_way,  // one direction of a pair
  isolate,      // one process reaches nobody
  halves,       // the processes fall into two sets
  break_links,  // connections end in the midst of their work
  slow,         // a process whose messages take milliseconds
  spikes,       // some frames take much longer
  slow_disk,    // orders to the stores of a process take long
  crowd,        // several processes lose power at the same moment
  lose_files,   // a process dies, and its files are gone
};
inline constexpr std::size_t kFaults = 13;

struct NemesisOptions {
  std::vector<ProcessId> victims;     // of everything
  std::vector<ProcessId> bystanders;  // of network faults only: clients
  // Asked before `p` is killed, loses power, is paused or cut off; null = always.
  std::function<bool(Fault, ProcessId)> may;
  // Of whom one at least must be undisturbed when `p` dies, and stay so until its death is known: the other replicas of
  // its rows. Empty = nobody. null = nobody, ever.
  std::function<std::vector<ProcessId>(ProcessId)> heirs;
  // Who may lose power together: a whole node group, everybody. Drawn for each strike; null = that never happens.
  std::function<std::vector<ProcessId>(Prng&)> crowd;
  // Kills a process and removes its files, when its rows are safe elsewhere; false: nothing happened. null = never.
  std::function<bool(ProcessId)> lose_files;
  // Starts a killed process again; null = World::start.
  std::function<void(ProcessId)> start;
  std::uint32_t allowed = (1u << kFaults) - 1;  // faults that may be drawn, by bit
  double intensity = 1.0;                       // how often, as a factor
};

class Nemesis {
 public:
  Nemesis(World& world, std::uint64_t seed, NemesisOptions options);
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  void begin();
  void calm();                  // heals and restarts everything; no fault after it
  std::string profile() const;  // "kill every 1.2 s, spikes every 0.3 s"
  std::uint64_t struck() const { return struck_; }

 private:
  void plan(std::size_t fault);
  void strike(Fault f);
  void strike_network(Fault f);
  ProcessId pick(const std::vector<ProcessId>& from) { return from[prng_.below(from.size())]; }
  ProcessId pick_any();
  Time lasts(Time least, Time most);
  bool may(Fault f, ProcessId p) const { return !options_.may || options_.may(f, p); }
  bool find_heir(ProcessId p);
  void strike_crowd();
  void start_after(ProcessId p, Time down);
  bool is_protected(ProcessId p) const { return guarded_[p] > world_.now(); }
  void disturb(ProcessId p, Time duration);
  void cut_for(Time duration, std::vector<std::pair<ProcessId, ProcessId>> pairs);
  void later(Time delay, std::function<void()> f);  // dropped when calm has come

  World& world_;
  NemesisOptions options_;
  Prng prng_;
  Time mean_[kFaults] = {};  // between two strikes; 0 = not active
  NetworkSettings usual_;
  std::vector<Time> disturbed_, guarded_;  // by process: until then
  bool calm_ = false;
  std::uint64_t struck_ = 0;
};

}  // namespace ndb::sim
