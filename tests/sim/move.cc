// The workloads `move`, `drain` and `ddl`: rows come, change and go, each client in ids of its own, so that it knows
// what each row must be. Meanwhile
//   move      node groups are made, tables are spread over them, jobs are cancelled   (I8)
//   drain     as move, and tables are taken off a group again
//   ddl       several tables are made and dropped, node groups come and go, configurations change         (I2)
// Law: every acknowledged row is there once, with its value, where the distribution says; nothing else is there.
#include <algorithm>

#include "keeper.h"
#include "management.h"

namespace ndb::simtest {
namespace {

Verdict run_rows(std::uint64_t seed, Management::Kind kind) {
  sim::ClusterSettings settings = growing_cluster(seed);
  const bool crowded = Prng(seed ^ 0x72696e67u).chance(kind == Management::Kind::drain ? 0.1 : 0.05);
  if (crowded) {  // rows that are more than the smallest redo ring holds: replicas are filled a piece at a time
    settings.diskless = false;
    settings.workers = 1;
    settings.redo_files = 3;
    settings.redo_file_kib = 64;
  }
  ClusterRun run(seed, settings);
  Rows rows(run);
  if (crowded) rows.data_bytes = 1200;
  Management management(run, kind);
  std::vector<std::unique_ptr<Keeper>> keepers;
  if (run.begin()) {
    std::uint64_t n = run.prng.between(1, 4);
    std::uint64_t ids = run.prng.between(5, 400);
    Time pause = static_cast<Time>(run.prng.between(2, 40)) * kMillisecond;
    // In half of the runs everything may be lost: then every change waits until it is durable.
    if (crowded) {
      n = 4;
      ids = 400;
      pause = 2 * kMillisecond;
    }
    rows.durable = !run.cluster.settings().diskless && run.prng.chance(0.5);
    for (std::uint64_t i = 0; i < n; i++) {
      keepers.push_back(
          std::make_unique<Keeper>(rows, run.prng.next(), 1 + i * 1000, ids, run.prng.between(1, 4), pause));
      run.world.start(run.cluster.add_client(*keepers.back(), kClientLimit));
    }
    run.world.run_for(static_cast<Time>(run.prng.below(1000)) * kMillisecond);
    management.begin();
    run.faults(draw_length(run.prng), rows.durable ? run.cluster.ruthless_options() : run.cluster.nemesis_options());
    management.end();
    auto idle = [&] {
      return !management.busy() && !run.cluster.newest()->running_job() &&
             std::all_of(keepers.begin(), keepers.end(), [](auto& k) { return k->is_idle(); });
    };
    run.calm(idle);
    check_rows(run, rows);
  }
  return run.verdict(std::to_string(rows.acked) + " acknowledged, " + std::to_string(rows.refused) + " refused, " +
                     std::to_string(rows.unknown) + " unknown, " + std::to_string(rows.reads) + " read; " +
                     std::to_string(management.accepted) + " orders accepted, " + std::to_string(management.refused) +
                     " refused, " + std::to_string(run.cluster.newest()->groups.size()) + " groups");
}

}  // namespace

Verdict run_move(std::uint64_t seed) { return run_rows(seed, Management::Kind::move); }
Verdict run_ddl(std::uint64_t seed) { return run_rows(seed, Management::Kind::ddl); }
Verdict run_drain(std::uint64_t seed) { return run_rows(seed, Management::Kind::drain); }

}  // namespace ndb::simtest
