// The workload `unique`: clients put, change and remove rows whose values collide, in a table with a unique index on
// the value, while nodes die and the table and its index are spread over node groups. Laws:
//   * no two rows share a value; every index row points at a row with that value; every row with a value has one
//   * a value that nobody can have had is not refused; a client that alone writes its rows finds them as it was told
//   * in the end every free value can be had, and no other
#include <algorithm>
#include <map>
#include <set>

#include "management.h"

namespace ndb::simtest {
namespace {

struct Values {
  explicit Values(ClusterRun& r) : run(r) {}
  ClusterRun& run;
  Time now() const { return run.world.now(); }  // of nobody's clock: those of clients differ
  std::uint64_t values = 0;                     // 1 .. values; 0 = null
  bool shared = false;                          // all clients write the same rows: nobody knows what they must be
  bool durable = false;
  std::map<std::uint64_t, std::set<std::uint64_t>> may_be;  // row -> its values, kAbsent; no entry = absent
  std::map<std::uint64_t, Time> last_held;                  // value -> when somebody may have had it
  std::multiset<std::uint64_t> wanted;                      // by transactions under way
  std::uint64_t acked = 0, refused = 0, taken = 0, unknown = 0;
};
constexpr std::uint64_t kAbsent = UINT64_MAX;

class Chooser : public sim::Actor {
 public:
  Chooser(Values& all, std::uint64_t seed, std::uint64_t first_id, std::uint64_t ids, std::size_t lanes, Time pause)
      : all_(all), prng_(seed), first_(first_id), ids_(ids), lanes_(lanes), pause_(pause) {}

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
    if (r.state == wire::TxnState::open) return second_step(l, r.handle, m);
    if (r.state == wire::TxnState::committed) {
      all_.acked++;
      for (const Change& c : l.changes) hold(c.id, {c.value});
    } else if (r.state == wire::TxnState::unknown) {
      if (!l.in_doubt) give_up(l);
      l.in_doubt = true;  // no other change of its rows before it is known what became of this one
      m.ask_again(r.handle);
      return;
    } else if (l.in_doubt) {
      for (const Change& c : l.changes) hold(c.id, c.before);
    } else {
      all_.refused++;
      judge(l, r.error);
    }
    m.release(r.handle);
    leave(l);
    l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
  }
  void lost() override {
    for (Lane& l : lanes_) {
      if (!l.busy) continue;
      give_up(l);
      leave(l);
    }
  }
  bool is_idle() const {
    return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.busy; });
  }

 private:
  struct Change {
    std::uint64_t id, value;
    wire::Op op;
    std::set<std::uint64_t> before{};  // where the outcome is not known: what it may be without this change
  };
  struct Lane {
    bool busy = false, sure = true;  // sure: every operation must find its row as it needs it
    bool in_doubt = false;
    bool more = false, gives_up = false;
    std::vector<Change> changes;
    Time since = 0, next = 0;
  };

  void leave(Lane& l) {
    for (const Change& c : l.changes) {
      if (auto i = all_.wanted.find(c.value); i != all_.wanted.end()) all_.wanted.erase(i);
      all_.last_held[c.value] = all_.now();
    }
    l.busy = l.more = l.in_doubt = false;
    l.changes.clear();
  }
  void hold(std::uint64_t id, std::set<std::uint64_t> values) {
    for (std::uint64_t v : all_.may_be[id]) all_.last_held[v] = all_.now();
    all_.may_be[id] = std::move(values);
  }
  std::set<std::uint64_t>& now_is(std::uint64_t id) {
    auto [i, fresh] = all_.may_be.try_emplace(id);
    if (fresh) i->second = {kAbsent};
    return i->second;
  }
  void give_up(Lane& l) {
    all_.unknown++;
    for (Change& c : l.changes) {
      c.before = now_is(c.id);
      now_is(c.id).insert(c.value);
    }
  }

  void begin(std::size_t i, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    const client::Handle h = m.open(i);
    if (h == client::kNoHandle) return;
    l.changes.clear();
    l.sure = true;
    add_some(l, h, m);
    if (l.changes.empty()) {
      m.release(h);
      l.next += pause_;
      return;
    }
    l.busy = true;
    l.since = all_.now();
    l.more = prng_.chance(0.2);
    l.gives_up = l.more && prng_.chance(0.2);
    m.send(h, l.more ? std::uint8_t{0} : commit());
  }
  void second_step(Lane& l, client::Handle h, client::ClientMachine& m) {
    if (l.gives_up) {
      m.send(h, wire::kAbort);
      return;
    }
    add_some(l, h, m);
    m.send(h, commit());
  }
  std::uint8_t commit() const { return static_cast<std::uint8_t>(wire::kCommit | (all_.durable ? wire::kDurable : 0)); }

  void add_some(Lane& l, client::Handle h, client::ClientMachine& m) {
    for (std::uint64_t n = 1 + prng_.below(3); n > 0; n--) {
      const std::uint64_t id = first_ + prng_.below(ids_);
      const std::uint64_t value = prng_.chance(0.1) ? 0 : 1 + prng_.below(all_.values);
      if (mine(id) || std::any_of(l.changes.begin(), l.changes.end(),
                                  [&](const Change& c) { return c.id == id || (c.value == value && value != 0); })) {
        continue;
      }
      Change c = draw(l, id, value);
      l.changes.push_back(c);
      all_.wanted.insert(c.value);
      const TestTable& t = all_.run.table;
      if (c.op == wire::Op::remove) {
        t.add(m, h, c.op, id);
      } else if (c.op == wire::Op::update) {
        const std::string k = t.key(id);
        m.add(h, c.op, t.id(), t.hash(k), k, t.patch(value));
      } else {
        t.put(m, h, c.op, id, value, "data");
      }
    }
  }
  bool mine(std::uint64_t id) const {
    return std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& l) {
      return l.busy && std::any_of(l.changes.begin(), l.changes.end(), [&](const Change& c) { return c.id == id; });
    });
  }
  Change draw(Lane& l, std::uint64_t id, std::uint64_t value) {
    static constexpr wire::Op kAny[] = {wire::Op::insert, wire::Op::write, wire::Op::update, wire::Op::replace,
                                        wire::Op::remove};
    const std::set<std::uint64_t>& is = now_is(id);
    wire::Op op = kAny[prng_.below(5)];
    if (all_.shared || is.size() > 1) {
      l.sure = false;
    } else if (*is.begin() == kAbsent) {
      op = prng_.chance(0.7) ? wire::Op::insert : wire::Op::write;
    } else if (op == wire::Op::insert) {
      op = wire::Op::update;
    }
    return {id, op == wire::Op::remove ? kAbsent : value, op, {}};
  }

  void judge(const Lane& l, Error e) {
    if (e == Error::indexes_not_kept) return all_.run.world.fail("a write came without its index rows");
    if (e == Error::unique_violation) all_.taken++;
    if (all_.shared) return;
    if (l.sure && (e == Error::row_exists || e == Error::no_such_row)) {
      return all_.run.world.fail("refused with " + std::string(error_info(e).sentence) + ": " + words(l));
    }
    if (e == Error::unique_violation && std::none_of(l.changes.begin(), l.changes.end(), [&](const Change& c) {
          return c.value != 0 && c.value != kAbsent && held_since(c, l.since);
        })) {
      all_.run.world.fail("a value is said to be taken that nobody can have: " + words(l));
    }
  }
  // Whether another row may have had the value at some time since then.
  bool held_since(const Change& c, Time since) const {
    if (all_.wanted.count(c.value) > 1) return true;
    if (auto i = all_.last_held.find(c.value); i != all_.last_held.end() && i->second >= since) return true;
    return std::any_of(all_.may_be.begin(), all_.may_be.end(),
                       [&](const auto& row) { return row.first != c.id && row.second.contains(c.value); });
  }
  static std::string words(const Lane& l) {
    std::string s;
    for (const Change& c : l.changes) {
      s += " row " + std::to_string(c.id) + (c.value == kAbsent ? " away" : " to value " + std::to_string(c.value));
    }
    return s;
  }

  Values& all_;
  Prng prng_;
  std::uint64_t first_, ids_;
  std::vector<Lane> lanes_;
  Time pause_;
};

// In the quiet: asks for every value, each with a row of its own.
class Asker : public sim::Actor {
 public:
  Asker(Values& all, std::set<std::uint64_t> held) : all_(all), held_(std::move(held)) {}
  bool done = false;

  Time act(Time now, client::ClientMachine& m) override {
    if (!m.catalog() || !m.catalog()->table(all_.run.table.id())) return now + 10 * kMillisecond;
    if (busy_ || done) return kNever;
    if (next_ > all_.values) {
      done = true;
      return kNever;
    }
    const client::Handle h = m.open();
    all_.run.table.put(m, h, wire::Op::insert, 1'000'000 + next_, next_);
    m.send(h, wire::kCommit);
    busy_ = true;
    return kNever;
  }
  void answered(Time, const client::StepResult& r, client::ClientMachine& m) override {
    m.release(r.handle);
    busy_ = false;
    const bool had = r.state == wire::TxnState::committed;
    const bool free = !held_.contains(next_);
    if (had != free || (!had && r.error != Error::unique_violation)) {
      all_.run.world.fail("in the end value " + std::to_string(next_) + (free ? ", which is free," : "") +
                          (had ? " can be had twice" : " is refused: " + std::string(error_info(r.error).sentence)));
    }
    next_++;
  }
  void lost() override {}

 private:
  Values& all_;
  std::set<std::uint64_t> held_;
  std::uint64_t next_ = 1;
  bool busy_ = false;
};

using Found = std::map<std::uint64_t, std::string>;

void check_known(const Values& all, const Found& found) {
  ClusterRun& run = all.run;
  for (const auto& [id, values] : all.may_be) {
    const auto i = found.find(id);
    const std::uint64_t value = i == found.end() ? kAbsent : run.table.value_of(i->second);
    if (values.contains(value)) continue;
    return run.world.fail("in the end row " + std::to_string(id) +
                          (value == kAbsent ? " is not there" : " has value " + std::to_string(value)) +
                          ", which is not what was acknowledged");
  }
}

// The rows against the rows of their index. Says which values are held.
std::set<std::uint64_t> check_index(Values& all, const Found& found) {
  ClusterRun& run = all.run;
  TestTable hidden;  // its key is the value, its second column the row's id
  if (!hidden.find(*run.cluster.newest(), "t$value")) run.world.fail("the index is gone");
  std::map<std::uint64_t, std::uint64_t> owner;
  std::set<std::uint64_t> held;
  for (const auto& [id, image] : found) {
    const std::uint64_t value = run.table.value_of(image);
    if (value == 0) continue;
    held.insert(value);
    if (auto [i, fresh] = owner.emplace(value, id); !fresh) {
      run.world.fail("rows " + std::to_string(i->second) + " and " + std::to_string(id) + " share value " +
                     std::to_string(value));
    }
  }
  if (run.world.failed()) return held;
  const Found index = run.scan_all(hidden);
  for (const auto& [value, image] : index) {
    const auto i = owner.find(value);
    if (i == owner.end() || i->second != hidden.value_of(image)) {
      run.world.fail("the index says that row " + std::to_string(hidden.value_of(image)) + " has value " +
                     std::to_string(value) + ", but " +
                     (i == owner.end() ? "no row" : "row " + std::to_string(i->second)) + " has it");
    }
  }
  for (const auto& [value, id] : owner) {
    if (!index.contains(value)) {
      run.world.fail("row " + std::to_string(id) + " has no index row for its value " + std::to_string(value));
    }
  }
  if (!run.world.failed() && run.cluster.check_rows("t$value") != index.size()) {
    run.world.fail("the nodes hold another number of index rows than a scan finds");
  }
  if (!run.world.failed() && run.cluster.check_rows("t") != found.size()) {
    run.world.fail("the nodes hold another number of rows than a scan finds");
  }
  return held;
}

void check_all(Values& all) {
  ClusterRun& run = all.run;
  Found found = run.scan_all();
  if (run.world.failed()) return;
  if (!all.shared) check_known(all, found);
  Asker asker(all, check_index(all, found));
  if (run.world.failed()) return;
  const sim::ProcessId p = run.cluster.add_client(asker, kClientLimit);
  run.world.start(p);
  if (!run.world.run_until([&] { return asker.done; }, kSettleLimit)) run.world.fail("values are not to be had");
  run.world.kill(p, false);
  if (run.world.failed()) return;
  run.world.run_for(kSecond);  // the last commit points travel
  found = run.scan_all();
  if (!run.world.failed()) check_index(all, found);
}

}  // namespace

Verdict run_unique(std::uint64_t seed) {
  ClusterRun run(seed, growing_cluster(seed));
  Values all(run);
  Management management(run, Management::Kind::drain, {"t", "t$value"});
  std::vector<std::unique_ptr<Chooser>> choosers;
  if (run.begin(true)) {
    const std::uint64_t n = run.prng.between(1, 4);
    const std::uint64_t ids = run.prng.between(2, 30);
    all.values = run.prng.between(2, n * ids);
    all.shared = run.prng.chance(0.5);
    const Time pause = static_cast<Time>(run.prng.between(2, 40)) * kMillisecond;
    // In half of the runs everything may be lost: what is known must then be durable.
    const bool ruthless = !run.cluster.settings().diskless && run.prng.chance(0.5);
    all.durable = ruthless && !all.shared;
    for (std::uint64_t i = 0; i < n; i++) {
      const std::uint64_t first = all.shared ? 1 : 1 + i * 1000;
      choosers.push_back(std::make_unique<Chooser>(all, run.prng.next(), first, ids, run.prng.between(1, 4), pause));
      run.world.start(run.cluster.add_client(*choosers.back(), kClientLimit));
    }
    management.begin();
    run.faults(draw_length(run.prng) / 3, ruthless ? run.cluster.ruthless_options() : run.cluster.nemesis_options());
    management.end();
    run.calm([&] {
      return !management.busy() && !run.cluster.newest()->running_job() &&
             std::all_of(choosers.begin(), choosers.end(), [](auto& c) { return c->is_idle(); });
    });
    if (!run.world.failed()) check_all(all);
  }
  return run.verdict(std::to_string(all.acked) + " acknowledged, " + std::to_string(all.refused) + " refused, " +
                     std::to_string(all.taken) + " of them for a value, " + std::to_string(all.unknown) + " unknown; " +
                     (all.shared ? "the same rows" : "rows of one's own") + "; " + std::to_string(management.accepted) +
                     " orders accepted");
}

}  // namespace ndb::simtest
