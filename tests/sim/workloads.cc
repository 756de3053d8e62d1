#include "workload.h"

#include <cstdio>

namespace ndb::simtest {
namespace {
const sim::World* current = nullptr;
std::FILE* trace_file = nullptr;
}

Verdict run_log(std::uint64_t seed);
Verdict run_bank(std::uint64_t seed);
Verdict run_register(std::uint64_t seed);
Verdict run_append(std::uint64_t seed);
Verdict run_move(std::uint64_t seed);
Verdict run_restart(std::uint64_t seed);
Verdict run_ddl(std::uint64_t seed);
Verdict run_drain(std::uint64_t seed);

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"log", "one order of commands, identical catalogs (I2, I4)", run_log},
      {"bank", "the sum of all accounts is constant", run_bank},
      {"register", "each row is linearizable", run_register},
      {"append", "no lost update, no cycle of dependencies", run_append},
      {"move", "a reorganisation neither loses nor doubles a row (I8)", run_move},
      {"restart", "no acknowledged row is lost by restarts", run_restart},
      {"ddl", "catalogs stay identical and rows whole while the schema changes (I2)", run_ddl},
      Workload{"drain", "a reorganisation off a node group, rolled back, leaves no copies behind", run_drain, false},
  };
  return all;
}

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
