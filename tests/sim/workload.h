// A workload: one seed in, one verdict out. It builds a world, does something in it while things go wrong, and says
// whether the law it stands for held. New ones are added to the table in workloads.cc.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "sim/world.h"

namespace ndb::simtest {

struct Verdict {
  bool ok = true;
  std::string reason;
  std::string note;  // what happened, for --verbose
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Time lasted = 0;                 // virtual
  std::vector<std::string> lines;  // the last of the trace, when not ok
};

struct Workload {
  const char* name;
  const char* law;
  Verdict (*run)(std::uint64_t seed);
};
const std::vector<Workload>& workloads();

// The world that a run works in at the moment, for the last words of a failed check.
void set_current_world(sim::World* world);
const sim::World* current_world();
void write_traces_to(const std::string& path);  // every event of every run, formatted

inline constexpr std::size_t kLinesShown = 200;
// Fills in what every verdict says about its world.
Verdict verdict_of(sim::World& world, std::string note);

}  // namespace ndb::simtest
