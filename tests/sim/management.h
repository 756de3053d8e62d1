// Somebody who makes node groups, spreads tables and gives other orders while a workload runs.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cluster_run.h"

namespace ndb::simtest {

// Gives one order after the other, drawn from what the workload is about.
class Management {
 public:
  enum class Kind : std::uint8_t { move, ddl, drain };
  Management(ClusterRun& run, Kind kind, std::vector<std::string> tables = {"t"})
      : run_(run), kind_(kind), prng_(run.prng.next()), tables_(std::move(tables)) {}
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
      return order("ndb start reorg", {{"table", table()}, {"drain", std::to_string(last)}});
    }
    return order("ndb start reorg", {{"table", table()}, {"resume_on_failure", prng_.chance(0.5) ? "1" : "0"}});
  }
  const std::string& table() { return tables_[tables_.size() == 1 ? 0 : prng_.below(tables_.size())]; }
  sim::Order draw_schema() {
    std::string name = "u" + std::to_string(prng_.below(4));
    if (prng_.chance(0.6)) return order("ndb create table", {}, TestTable::definition(name));
    return order("ndb drop table", {{"name", name}});
  }

  ClusterRun& run_;
  Kind kind_;
  Prng prng_;
  std::vector<std::string> tables_;
  bool stopped_ = false, busy_ = false;
};

// One node group, and nodes for one or two more.
inline sim::ClusterSettings growing_cluster(std::uint64_t seed) {
  Prng prng(seed ^ 0x6d6f7665u);
  sim::ClusterSettings s = sim::ClusterSettings::draw(prng);
  s.groups = 1;
  s.spares = prng.chance(0.8) ? s.replicas : 2 * s.replicas;
  return s;
}

}  // namespace ndb::simtest
