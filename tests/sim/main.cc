// ndb-sim: runs workloads on seeds.
//
//   ndb-sim --workload bank --first-seed 1 --seeds 200     so many seeds of each workload
//   ndb-sim --workload all --first-seed 1 --minutes 10     as many as fit the time, one seed of each in turn
//   --check-hash   runs each seed twice and compares the traces     --verbose   a line a seed
//   --keep-going   counts failures instead of ending with the first one
//   --trace FILE   writes every event, formatted: two files of one seed show where they part
//   --probes       counts how often rare paths (NDB_PROBE) were taken, and names those that no run has reached
//
// Exit status: 0 everything held, 1 a law was broken (seed, reason, trace and the command to replay it are printed), 2
// usage.
#include <malloc.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/probe.h"
#include "workload.h"

namespace {
using namespace ndb;
using namespace ndb::simtest;

struct Arguments {
  std::string workload = "all";
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 0;
  double minutes = 0;
  bool verbose = false, check_hash = false, keep_going = false, probes = false;
};

const char* running_workload = "";
std::uint64_t running_seed = 0;

int usage() {
  std::fprintf(stderr,
               "usage: ndb-sim [--workload W|all] [--first-seed S] [--seeds N | --minutes M] [--verbose]\n"
               "               [--check-hash] [--keep-going] [--probes] [--trace FILE]\nworkloads:\n");
  for (const Workload& w : workloads()) std::fprintf(stderr, "  %-10s %s\n", w.name, w.law);
  return 2;
}

bool parse(int argc, char** argv, Arguments* a) {
  for (int i = 1; i < argc; i++) {
    std::string arg = argv[i];
    std::string value;
    if (auto eq = arg.find('='); eq != std::string::npos) {
      value = arg.substr(eq + 1);
      arg.resize(eq);
    } else if (arg == "--workload" || arg == "--first-seed" || arg == "--seeds" || arg == "--minutes" ||
               arg == "--trace") {
      if (++i == argc) return false;
      value = argv[i];
    }
    char* end = value.data();
    if (arg == "--workload")
      a->workload = value, end = value.data() + value.size();
    else if (arg == "--first-seed")
      a->first_seed = std::strtoull(value.c_str(), &end, 10);
    else if (arg == "--seeds")
      a->seeds = std::strtoull(value.c_str(), &end, 10);
    else if (arg == "--minutes")
      a->minutes = std::strtod(value.c_str(), &end);
    else if (arg == "--trace")
      write_traces_to(value), end = value.data() + value.size();
    else if (arg == "--verbose")
      a->verbose = true;
    else if (arg == "--check-hash")
      a->check_hash = true;
    else if (arg == "--keep-going")
      a->keep_going = true;
    else if (arg == "--probes")
      a->probes = true;
    else
      return false;
    if (*end != '\0') return false;
  }
  if (a->seeds == 0 && a->minutes == 0) a->seeds = 20;
  return true;
}

void print_replay() {
  std::printf("replay: ndb-sim --workload %s --first-seed %llu --seeds 1 --verbose\n", running_workload,
              static_cast<unsigned long long>(running_seed));
}

// A failed check or a crash: say which seed it was, then die of it.
void last_words(int signal) {
  std::signal(signal, SIG_DFL);
  if (const sim::World* w = current_world()) {
    for (const std::string& line : w->trace().last(kLinesShown, w->names())) std::printf("  %s\n", line.c_str());
  }
  std::printf("FAILED %s seed %llu: the process died of signal %d\n", running_workload,
              static_cast<unsigned long long>(running_seed), signal);
  print_replay();
  std::fflush(stdout);
  std::raise(signal);
}

bool run_one(const Workload& w, std::uint64_t seed, const Arguments& a, std::uint64_t* events) {
  running_workload = w.name;
  running_seed = seed;
  Verdict v = w.run(seed);
  *events += v.events;
  if (v.ok && a.check_hash) {
    Verdict again = w.run(seed);
    if (again.hash != v.hash || again.events != v.events) {
      v.ok = false;
      v.reason = "the same seed gave two different traces";
    }
  }
  if (a.verbose || !v.ok) {
    std::printf("%s %s seed %llu: %s%s[%llu events, %.1f s, hash %016llx] %s\n", v.ok ? "ok" : "FAILED", w.name,
                static_cast<unsigned long long>(seed), v.reason.c_str(), v.ok ? "" : " ",
                static_cast<unsigned long long>(v.events), static_cast<double>(v.lasted) / 1e9,
                static_cast<unsigned long long>(v.hash), v.note.c_str());
  }
  if (!v.ok) {
    for (const std::string& line : v.lines) std::printf("  %s\n", line.c_str());
    std::printf("FAILED %s seed %llu: %s\n", w.name, static_cast<unsigned long long>(seed), v.reason.c_str());
    print_replay();
  }
  std::fflush(stdout);
  return v.ok;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  if (!parse(argc, argv, &a)) return usage();
  // Worlds come and go: what one gives back the next one takes, without the kernel.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::vector<Workload> chosen;
  for (const Workload& w : workloads()) {
    if (a.workload == "all" || a.workload == w.name) chosen.push_back(w);
  }
  if (chosen.empty()) return usage();
  for (int s : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(s, last_words);
  auto begin = std::chrono::steady_clock::now();
  auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  std::uint64_t runs = 0, failures = 0, events = 0;
  auto more = [&](std::uint64_t n) { return a.minutes > 0 ? seconds() < a.minutes * 60 : n < a.seeds; };
  for (std::uint64_t n = 0; more(n) && (failures == 0 || a.keep_going); n++) {
    for (const Workload& w : chosen) {
      runs++;
      if (!run_one(w, a.first_seed + n, a, &events)) failures++;
      if (failures != 0 && !a.keep_going) break;
    }
  }
  std::printf("%llu runs, %llu failed, %llu events, %.1f s, %.1f runs/s\n", static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(failures), static_cast<unsigned long long>(events), seconds(),
              static_cast<double>(runs) / seconds());
  if (a.probes) {
    std::uint64_t reached = 0, all = 0;
    for (const Probe* p = Probe::first(); p; p = p->next()) {
      all++;
      reached += p->hits() != 0;
      if (p->hits() != 0)
        std::printf("probe %s %llu\n", p->name(), static_cast<unsigned long long>(p->hits()));
      else
        std::printf("probe %s never reached (%s:%d)\n", p->name(), p->file(), p->line());
    }
    std::printf("%llu of %llu probes reached\n", static_cast<unsigned long long>(reached),
                static_cast<unsigned long long>(all));
  }
  return failures == 0 ? 0 : 1;
}
