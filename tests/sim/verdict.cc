#include <cstdio>

#include "workload.h"

namespace ndb::simtest {
namespace {
const sim::World* current = nullptr;
std::FILE* trace_file = nullptr;
}  // namespace

void set_current_world(sim::World* world) {
  current = world;
  if (!world || !trace_file) return;
  std::fprintf(trace_file, "=== a new world\n");
  world->trace().sink = [](const std::string& line) {
    std::fprintf(trace_file, "%s\n", line.c_str());
    std::fflush(trace_file);
  };
}
void write_traces_to(const std::string& path) { trace_file = std::fopen(path.c_str(), "w"); }
const sim::World* current_world() { return current; }

Verdict verdict_of(sim::World& world, std::string note) {
  Verdict v;
  v.ok = !world.failed();
  v.reason = world.failure();
  v.note = std::move(note);
  v.hash = world.trace().hash();
  v.events = world.trace().events();
  v.lasted = world.now();
  if (!v.ok) v.lines = world.trace().last(kLinesShown, world.names());
  set_current_world(nullptr);
  return v;
}

}  // namespace ndb::simtest
