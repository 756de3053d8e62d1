// The workloads `move`, `restart` and `ddl`: rows come, change and go, each client in ids of its own, so that it knows
// what each row must be. Meanwhile
//   move      node groups are made, tables are spread over them, jobs are cancelled   (I8)
//   restart   nodes are restarted by order and by force
//   drain     as move, and tables are taken off a group again
//   ddl       several tables are made and dropped, node groups come and go, configurations change         (I2)
// Law: every acknowledged row is there once, with its value, where the distribution says; nothing else is there.
#include <algorithm>
#include <map>
#include <set>

#include "cluster_run.h"

namespace ndb::simtest {
namespace {

constexpr std::uint64_t kAbsent = 0;  // as a value

struct Rows {
  ClusterRun& run;
  std::uint64_t next_value = 1;
  std::map<std::uint64_t, std::set<std::uint64_t>> may_be;  // id -> what it may be; no entry = absent
  std::uint64_t acked = 0, refused = 0, unknown = 0, reads = 0, scans = 0;
};

class Keeper : public sim::Actor {
 public:
  Keeper(Rows& rows, std::uint64_t seed, std::uint64_t first_id, std::uint64_t ids, std::size_t lanes, Time pause)
      : all_(rows), prng_(seed), first_(first_id), ids_(ids), lanes_(lanes), pause_(pause) {}

  Time act(Time now, client::ClientMachine& m) override {
    if (!m.catalog() || !m.catalog()->table(all_.run.table.id())) return now + 10 * kMillisecond;
    Time again = kNever;
    for (std::size_t i = 0; i < lanes_.size(); i++) {
      Lane& l = lanes_[i];
      if (l.busy || all_.run.quiet) continue;
      if (now >= l.next) begin(i, m);
      if (!l.busy && l.next < again) again = l.next;
    }
    return again;
  }
  void answered(Time now, const client::StepResult& r, client::ClientMachine& m) override {
    Lane& l = lanes_[r.tag];
    if (r.state == wire::TxnState::committed) {
      all_.acked++;
      for (const Change& c : l.changes) all_.may_be[c.id] = {c.value};
      if (l.reads && r.answered) check_read(l, r);
    } else if (r.state == wire::TxnState::unknown) {
      give_up(l);
    } else {
      all_.refused++;
      if (!l.reads) check_refusal(l, r);
    }
    m.release(r.handle);
    l.busy = false;
    l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
  }
  void lost() override {
    for (Lane& l : lanes_) {
      if (l.busy) give_up(l);
      l = Lane();
    }
  }
  bool is_idle() const {
    return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.busy; });
  }

 private:
  struct Change {
    std::uint64_t id, value;
    wire::Op op;
  };
  struct Lane {
    bool busy = false, reads = false;
    std::vector<Change> changes;
    std::uint64_t read_id = 0;
    Time next = 0;
  };
  bool taken(std::uint64_t id) const {
    for (const Lane& l : lanes_) {
      if (!l.busy) continue;
      if (l.reads && l.read_id == id) return true;
      for (const Change& c : l.changes) {
        if (c.id == id) return true;
      }
    }
    return false;
  }
  const std::set<std::uint64_t>& now_is(std::uint64_t id) {
    auto [i, fresh] = all_.may_be.try_emplace(id);
    if (fresh) i->second = {kAbsent};
    return i->second;
  }
  void begin(std::size_t i, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    client::Handle h = m.open(i);
    if (h == client::kNoHandle) return;
    l.changes.clear();
    l.reads = prng_.chance(0.3);
    std::uint64_t n = l.reads ? 1 : 1 + prng_.below(4);
    const TestTable& t = all_.run.table;
    for (std::uint64_t k = 0; k < n; k++) {
      std::uint64_t id = first_ + prng_.below(ids_);
      bool again = std::any_of(l.changes.begin(), l.changes.end(), [&](const Change& c) { return c.id == id; });
      if (taken(id) || again) continue;
      if (l.reads) {
        l.read_id = id;
        t.add(m, h, prng_.chance(0.7) ? wire::Op::read : wire::Op::read_shared, id);
        continue;
      }
      Change c = draw(id);
      l.changes.push_back(c);
      if (c.op == wire::Op::remove) {
        t.add(m, h, c.op, id);
      } else {
        t.put(m, h, c.op, id, c.value, std::string(prng_.below(40), 'x'));
      }
    }
    if (m.operations(h) == 0) {
      m.release(h);
      l.next += pause_;
      return;
    }
    l.busy = true;
    m.send(h, static_cast<std::uint8_t>(wire::kCommit | (l.reads ? wire::kKeepGoing : 0)));
  }
  // What must succeed, as far as is known.
  Change draw(std::uint64_t id) {
    const std::set<std::uint64_t>& is = now_is(id);
    std::uint64_t value = all_.next_value++;
    if (is.size() > 1) return {id, value, wire::Op::write};
    if (*is.begin() == kAbsent) return {id, value, prng_.chance(0.7) ? wire::Op::insert : wire::Op::write};
    if (prng_.chance(0.3)) return {id, kAbsent, wire::Op::remove};
    return {id, value, prng_.chance(0.6) ? wire::Op::replace : wire::Op::write};
  }
  void give_up(Lane& l) {
    all_.unknown++;
    for (const Change& c : l.changes) {
      now_is(c.id);
      all_.may_be[c.id].insert(c.value);
    }
  }
  void check_read(const Lane& l, const client::StepResult& r) {
    client::ResultReader reader(r);
    Error e = Error::ok;
    Bytes image;
    if (!reader.next(&e, &image) || (e != Error::ok && e != Error::no_such_row)) return;
    std::uint64_t value = e == Error::ok ? all_.run.table.value_of(image) : kAbsent;
    all_.reads++;
    if (now_is(l.read_id).contains(value)) {
      all_.may_be[l.read_id] = {value};  // nobody else changes it
      return;
    }
    all_.run.world.fail("row " + std::to_string(l.read_id) + " was read as " + std::to_string(value) + ", expected " +
                        words(l.read_id));
  }
  void check_refusal(const Lane& l, const client::StepResult& r) {
    if (r.error != Error::row_exists && r.error != Error::no_such_row) return;
    std::string s;
    for (const Change& c : l.changes) s += " " + std::to_string(c.id) + " (" + words(c.id) + ")";
    all_.run.world.fail("refused with " + std::string(error_info(r.error).sentence) + ":" + s);
  }
  std::string words(std::uint64_t id) {
    std::string s;
    for (std::uint64_t v : now_is(id)) s += (s.empty() ? "" : " or ") + std::to_string(v);
    return s;
  }

  Rows& all_;
  Prng prng_;
  std::uint64_t first_, ids_;
  std::vector<Lane> lanes_;
  Time pause_;
};

// Gives one order after the other, drawn from what the workload is about.
class Management {
 public:
  enum class Kind : std::uint8_t { move, restart, ddl, drain };
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
  std::string some_node() { return std::to_string(1 + prng_.below(run_.cluster.data_nodes())); }
  sim::Order draw() {
    switch (kind_) {
      case Kind::restart: {
        sim::Order o = order("ndb restart node", {{"nodes", some_node()}});
        o.changes = false;  // it takes no request id
        return o;
      }
      case Kind::move: case Kind::drain: return draw_move();
      case Kind::ddl: return prng_.chance(0.3) ? draw_move() : draw_schema();
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

sim::ClusterSettings settings_for(std::uint64_t seed, Management::Kind kind) {
  Prng prng(seed ^ 0x6d6f7665u);
  sim::ClusterSettings s = sim::ClusterSettings::draw(prng);
  if (kind != Management::Kind::restart) {
    s.groups = 1;
    s.spares = prng.chance(0.8) ? s.replicas : 2 * s.replicas;
  }
  return s;
}

void check_end(ClusterRun& run, Rows& rows) {
  if (run.world.failed()) return;
  std::uint64_t stored = run.cluster.check_rows("t");
  auto found = run.scan_all();
  if (run.world.failed()) return;
  std::uint64_t expected = 0;
  for (const auto& [id, values] : rows.may_be) {
    auto i = found.find(id);
    std::uint64_t value = i == found.end() ? kAbsent : run.table.value_of(i->second);
    expected += value != kAbsent;
    if (values.contains(value)) continue;
    return run.world.fail("at the end row " + std::to_string(id) + " is " + std::to_string(value) + ", expected " +
                          std::to_string(*values.rbegin()) + " (0 = absent)");
  }
  if (found.size() != expected) return run.world.fail("rows that nobody wrote");
  if (stored != found.size()) {
    run.world.fail("the nodes hold " + std::to_string(stored) + " rows, a scan finds " + std::to_string(found.size()));
  }
}

Verdict run_rows(std::uint64_t seed, Management::Kind kind) {
  ClusterRun run(seed, settings_for(seed, kind));
  Rows rows{run, 1, {}, 0, 0, 0, 0, 0};
  Management management(run, kind);
  std::vector<std::unique_ptr<Keeper>> keepers;
  if (run.begin()) {
    std::uint64_t n = run.prng.between(1, 4);
    std::uint64_t ids = run.prng.between(5, 400);
    Time pause = static_cast<Time>(run.prng.between(2, 40)) * kMillisecond;
    for (std::uint64_t i = 0; i < n; i++) {
      keepers.push_back(std::make_unique<Keeper>(rows, run.prng.next(), 1 + i * 1000, ids, run.prng.between(1, 4), pause));
      run.world.start(run.cluster.add_client(*keepers.back(), kClientLimit));
    }
    run.world.run_for(static_cast<Time>(run.prng.below(1000)) * kMillisecond);
    management.begin();
    sim::NemesisOptions options = run.cluster.nemesis_options();
    // A node that restarts by order leaves its rows with one peer only: that one is not to be shut out meanwhile.
    auto bit = [](sim::Fault f) { return 1u << static_cast<unsigned>(f); };
    if (kind == Management::Kind::restart) {
      options.allowed = bit(sim::Fault::break_links) | bit(sim::Fault::slow_disk);
    }
    run.faults(draw_length(run.prng), options);
    management.end();
    auto idle = [&] {
      return !management.busy() && !run.cluster.newest()->running_job() &&
             std::all_of(keepers.begin(), keepers.end(), [](auto& k) { return k->is_idle(); });
    };
    run.calm(idle);
    check_end(run, rows);
  }
  return run.verdict(std::to_string(rows.acked) + " acknowledged, " + std::to_string(rows.refused) + " refused, " +
                     std::to_string(rows.unknown) + " unknown, " + std::to_string(rows.reads) + " read; " +
                     std::to_string(management.accepted) + " orders accepted, " + std::to_string(management.refused) +
                     " refused, " + std::to_string(run.cluster.newest()->groups.size()) + " groups");
}

}  // namespace

Verdict run_move(std::uint64_t seed) { return run_rows(seed, Management::Kind::move); }
Verdict run_restart(std::uint64_t seed) { return run_rows(seed, Management::Kind::restart); }
Verdict run_ddl(std::uint64_t seed) { return run_rows(seed, Management::Kind::ddl); }
Verdict run_drain(std::uint64_t seed) { return run_rows(seed, Management::Kind::drain); }

}  // namespace ndb::simtest
