// The workloads `move`, `drain` and `ddl`: rows come, change and go, each client in ids of its own, so that it knows
// what each row must be. Meanwhile
//   move      node groups are made, tables are spread over them, jobs are cancelled   (I8)
//   drain     as move, and tables are taken off a group again
//   ddl       several tables are made and dropped, node groups come and go, configurations change         (I2)
// Law: every acknowledged row is there once, with its value, where the distribution says; nothing else is there.
#include <algorithm>

#include "keeper.h"

namespace ndb::simtest {
namespace {

// Gives one order after the other, drawn from what the workload is about.
class Management {
 public:
  enum class Kind : std::uint8_t { move, ddl, drain };
  Management(ClusterRun& run, Kind kind) : run_(run), kind_(kind), prng_(run.prng.next()) {}
  std::uint64_t accepted = 0, refused = 0;

  void begin() { later(static_cast<Time>(prng_.below(1500)) * kMillisecond); }
  void end() { stopped_ = true; }
  bool busy() const { return busy_; }

 private:
  void later(Time t) {
    run_.world.after(t, [this] { next(); });
  }
  void next() {
    if (stopped_) return;
    sim::Order o = draw();
    busy_ = true;
    o.done = [this](const sim::Reply& r) {
      busy_ = false;
      (r.ok() ? accepted : refused)++;
      run_.world.remark("answer: " + r.text("result") + " " + r.text("text"));
      later(static_cast<Time>(prng_.below(kind_ == Kind::ddl ? 400 : 800)) * kMillisecond + 10 * kMillisecond);
    };
    run_.world.remark("order: " + o.command + (o.keys.empty() ? "" : " " + o.keys[0].first + "=" + o.keys[0].second));
    run_.cluster.op().order(std::move(o));
  }
  sim::Order order(std::string command, std::vector<std::pair<std::string, std::string>> keys, std::string bulk = {}) {
    sim::Order o;
    o.command = std::move(command);
    o.keys = std::move(keys);
    o.bulk = std::move(bulk);
    return o;
  }
  sim::Order draw() {
    switch (kind_) {
      case Kind::move:
      case Kind::drain:
        return draw_move();
      case Kind::ddl:
        return prng_.chance(0.3) ? draw_move() : draw_schema();
    }
    return {};
  }
  sim::Order draw_move() {
    auto c = run_.cluster.newest();
    std::string free;
    std::uint32_t n = 0;
    for (const auto& [id, node] : c->nodes) {
      bool takes = node.type == meta::NodeType::data && node.group == kNoGroup &&
                   node.state == meta::NodeState::in_sync && n < c->replicas;
      if (!takes) continue;
      free += (n++ ? " " : "") + std::to_string(id);
    }
    if (n == c->replicas && prng_.chance(0.7)) return order("ndb create nodegroup", {{"nodes", free}});
    if (c->running_job() && prng_.chance(0.15)) return order("ndb cancel reorg", {{"job", "0"}});
    GroupId last = c->groups.empty() ? 0 : c->groups.rbegin()->first;
    if (kind_ == Kind::drain && c->groups.size() > 1 && prng_.chance(0.5)) {
      if (prng_.chance(0.4)) return order("ndb drop nodegroup", {{"group", std::to_string(last)}});
      return order("ndb start reorg", {{"table", "t"}, {"drain", std::to_string(last)}});
    }
    return order("ndb start reorg", {{"table", "t"}, {"resume_on_failure", prng_.chance(0.5) ? "1" : "0"}});
  }
  sim::Order draw_schema() {
    std::string name = "u" + std::to_string(prng_.below(4));
    if (prng_.chance(0.6)) return order("ndb create table", {}, TestTable::definition(name));
    return order("ndb drop table", {{"name", name}});
  }

  ClusterRun& run_;
  Kind kind_;
  Prng prng_;
  bool stopped_ = false, busy_ = false;
};

sim::ClusterSettings settings_for(std::uint64_t seed) {
  Prng prng(seed ^ 0x6d6f7665u);
  sim::ClusterSettings s = sim::ClusterSettings::draw(prng);
  s.groups = 1;
  s.spares = prng.chance(0.8) ? s.replicas : 2 * s.replicas;
  return s;
}

Verdict run_rows(std::uint64_t seed, Management::Kind kind) {
  ClusterRun run(seed, settings_for(seed));
  Rows rows(run);
  Management management(run, kind);
  std::vector<std::unique_ptr<Keeper>> keepers;
  if (run.begin()) {
    std::uint64_t n = run.prng.between(1, 4);
    std::uint64_t ids = run.prng.between(5, 400);
    Time pause = static_cast<Time>(run.prng.between(2, 40)) * kMillisecond;
    // In half of the runs everything may be lost: then every change waits until it is durable.
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
