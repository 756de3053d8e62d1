// The workload `register`: clients read, write and swap single rows. Law: each row is linearizable, with outcomes that
// are unknown free to have happened or not; also when two rows are written by one transaction. In every third seed
// leases get longer and shorter all the while.
#include <algorithm>
#include <map>

#include "cluster_run.h"
#include "client/linearizable.h"

namespace ndb::simtest {
namespace {

using client::RegisterOp;
using Kind = RegisterOp::Kind;

struct Registers {
  ClusterRun& run;
  std::uint64_t keys;
  std::uint64_t next_value = 1;
  std::map<std::uint64_t, std::vector<RegisterOp>> history;
  std::uint64_t done = 0, unknown = 0;
};

class User : public sim::Actor {
 public:
  User(Registers& r, std::uint64_t seed, std::string name, std::size_t lanes, Time pause)
      : all_(r), prng_(seed), name_(std::move(name)), lanes_(lanes), pause_(pause) {}

  Time act(Time now, client::ClientMachine& m) override {
    if (!m.catalog() || !m.catalog()->table(all_.run.table.id())) return now + 10 * kMillisecond;
    Time again = kNever;
    for (std::size_t i = 0; i < lanes_.size(); i++) {
      Lane& l = lanes_[i];
      if (l.state != State::idle || all_.run.quiet) continue;
      if (now >= l.next) begin(i, m);
      if (l.state == State::idle && l.next < again) again = l.next;
    }
    return again;
  }

  void answered(Time now, const client::StepResult& r, client::ClientMachine& m) override {
    Lane& l = lanes_[r.tag];
    if (l.state == State::locking && r.state == wire::TxnState::open) return swap(l, r, m);
    switch (r.state) {
      case wire::TxnState::committed:
        committed(l, r);
        break;
      case wire::TxnState::unknown:
        give_up(l);
        break;
      default:
        break;  // it has not happened
    }
    m.release(r.handle);
    l.ops.clear();
    l.state = State::idle;
    l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
  }

  void lost() override {
    for (Lane& l : lanes_) {
      if (l.state == State::sent) give_up(l);
      l = Lane();
    }
  }
  bool is_idle() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.state == State::idle; });
  }

 private:
  enum class State : std::uint8_t { idle, locking, sent };
  struct Pending {
    std::uint64_t key;
    RegisterOp op;
  };
  struct Lane {
    State state = State::idle;
    client::Handle handle = client::kNoHandle;
    std::vector<Pending> ops;
    Time next = 0;
  };
  Time now() const { return all_.run.world.now(); }
  void add(Lane& l, std::uint64_t key, Kind kind) {
    RegisterOp o;
    o.kind = kind;
    o.called = now();
    o.who = name_;
    if (kind != Kind::read) o.value = all_.next_value++;
    l.ops.push_back({key, o});
  }
  void begin(std::size_t i, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    l.handle = m.open(i);
    if (l.handle == client::kNoHandle) return;
    const TestTable& t = all_.run.table;
    std::uint64_t key = 1 + prng_.below(all_.keys);
    std::uint64_t what = prng_.below(10);
    l.state = State::sent;
    if (what < 4) {
      add(l, key, Kind::read);
      t.add(m, l.handle, prng_.chance(0.7) ? wire::Op::read : wire::Op::read_shared, key);
      m.send(l.handle, wire::kCommit | wire::kKeepGoing);
    } else if (what < 7) {
      add(l, key, Kind::write);
      t.put(m, l.handle, wire::Op::write, key, l.ops[0].op.value);
      m.send(l.handle, wire::kCommit);
    } else if (what < 8 && all_.keys > 1) {  // two rows, one transaction
      add(l, key, Kind::write);
      std::uint64_t other = key % all_.keys + 1;
      add(l, other, Kind::write);
      t.put(m, l.handle, wire::Op::write, key, l.ops[0].op.value);
      t.put(m, l.handle, wire::Op::write, other, l.ops[1].op.value);
      m.send(l.handle, wire::kCommit);
    } else {
      add(l, key, Kind::swap);
      l.state = State::locking;
      t.add(m, l.handle, wire::Op::read_exclusive, key);
      m.send(l.handle, wire::kKeepGoing);
    }
  }
  std::uint64_t first_value(const client::StepResult& r, bool* ok) const {
    client::ResultReader reader(r);
    Error e = Error::ok;
    Bytes image;
    *ok = reader.next(&e, &image) && (e == Error::ok || e == Error::no_such_row);
    return *ok && e == Error::ok ? all_.run.table.value_of(image) : 0;
  }
  void swap(Lane& l, const client::StepResult& r, client::ClientMachine& m) {
    bool ok = false;
    RegisterOp& o = l.ops[0].op;
    o.seen = first_value(r, &ok);
    l.state = State::sent;
    if (!ok || o.seen == 0) {  // no row, no lock: somebody else may insert it meanwhile
      l.ops.clear();
      m.send(l.handle, wire::kAbort);
      return;
    }
    all_.run.table.put(m, l.handle, wire::Op::replace, l.ops[0].key, o.value);
    m.send(l.handle, wire::kCommit);
  }
  void committed(Lane& l, const client::StepResult& r) {
    for (Pending& p : l.ops) {
      if (p.op.kind == Kind::read) {
        bool ok = false;
        p.op.seen = r.answered ? first_value(r, &ok) : 0;
        if (!ok) continue;  // the answer was lost
      }
      p.op.returned = now();
      all_.history[p.key].push_back(p.op);
      all_.done++;
    }
  }
  void give_up(Lane& l) {
    for (Pending& p : l.ops) {
      if (p.op.kind == Kind::read) continue;
      all_.history[p.key].push_back(p.op);
      all_.unknown++;
    }
  }

  Registers& all_;
  Prng prng_;
  std::string name_;
  std::vector<Lane> lanes_;
  Time pause_;
};

}  // namespace

Verdict run_register(std::uint64_t seed) {
  ClusterRun run(seed);
  Registers all{run, run.prng.between(1, 4), 1, {}, 0, 0};
  std::vector<std::unique_ptr<User>> users;
  if (run.begin()) {
    std::uint64_t n = run.prng.between(2, 5);
    Time pause = static_cast<Time>(run.prng.between(5, 60)) * kMillisecond;
    for (std::uint64_t i = 0; i < n; i++) {
      std::string name = "client " + std::to_string(i + 1);
      users.push_back(std::make_unique<User>(all, run.prng.next(), name, run.prng.between(1, 2), pause));
      run.world.start(run.cluster.add_client(*users.back(), kClientLimit));
    }
    if (seed % 3 == 0) run.change_leases(seed);
    run.faults(draw_length(run.prng));
    run.calm([&] { return std::all_of(users.begin(), users.end(), [](auto& u) { return u->is_idle(); }); });
    // What is there at the end was read by somebody, after everything.
    for (const auto& [id, image] : run.scan_all()) {
      RegisterOp o;
      o.seen = run.table.value_of(image);
      o.called = o.returned = run.world.now();
      o.who = "the end";
      all.history[id].push_back(o);
    }
    for (const auto& [key, ops] : all.history) {
      if (run.world.failed()) break;
      std::string s = client::not_linearizable(ops);
      if (!s.empty()) run.world.fail("row " + std::to_string(key) + " is not linearizable: " + s);
    }
    if (!run.world.failed()) run.cluster.check_rows("t");
  }
  return run.verdict(std::to_string(all.keys) + " rows, " + std::to_string(all.done) + " operations, " +
                     std::to_string(all.unknown) + " unknown");
}

}  // namespace ndb::simtest
