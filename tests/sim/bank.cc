// The workload `bank`: transfers between accounts, two rows a transaction, mostly in different fragments. Law: the sum
// is constant, whenever it is read under locks, and at the end.
#include "cluster_run.h"

namespace ndb::simtest {
namespace {

constexpr std::uint64_t kStartBalance = 100;

struct Bank {
  ClusterRun& run;
  std::uint64_t accounts;
  std::uint64_t transfers = 0, aborted = 0, unknown = 0, sums = 0;
  std::uint64_t total() const { return accounts * kStartBalance; }
};

class Teller : public sim::Actor {
 public:
  Teller(Bank& bank, std::uint64_t seed, std::size_t lanes) : bank_(bank), prng_(seed), lanes_(lanes) {}

  Time act(Time now, client::ClientMachine& m) override {
    if (!m.catalog() || !m.catalog()->table(bank_.run.table.id())) return now + 10 * kMillisecond;
    Time again = kNever;
    for (std::size_t i = 0; i < lanes_.size(); i++) {
      Lane& l = lanes_[i];
      if (l.state != State::idle || bank_.run.quiet) continue;
      if (now >= l.next) begin(i, m);
      if (l.state == State::idle && l.next < again) again = l.next;
    }
    return again;
  }

  void answered(Time now, const client::StepResult& r, client::ClientMachine& m) override {
    Lane& l = lanes_[r.tag];
    NDB_CHECK(l.handle == r.handle);
    if (l.state == State::locking && r.state == wire::TxnState::open) return move(l, r, m);
    if (l.state == State::committing || l.state == State::blind) {
      if (r.state == wire::TxnState::committed) bank_.transfers++;
      if (r.state == wire::TxnState::aborted) bank_.aborted++;
      if (r.state == wire::TxnState::unknown) bank_.unknown++;
    }
    if (l.state == State::summing && r.state == wire::TxnState::committed && r.answered) sum(r);
    m.release(r.handle);
    idle(l, now);
  }

  void lost() override {
    for (Lane& l : lanes_) l = Lane();
  }
  bool is_idle() const {
    for (const Lane& l : lanes_) {
      if (l.state != State::idle) return false;
    }
    return true;
  }

 private:
  enum class State : std::uint8_t { idle, locking, committing, blind, summing };
  struct Lane {
    State state = State::idle;
    client::Handle handle = client::kNoHandle;
    std::uint64_t from = 0, to = 0;
    Time next = 0;
  };
  void idle(Lane& l, Time now) {
    l.state = State::idle;
    l.handle = client::kNoHandle;
    l.next = now + static_cast<Time>(prng_.below(20)) * kMillisecond;
  }
  void begin(std::size_t i, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    l.handle = m.open(i);
    if (l.handle == client::kNoHandle) return;
    const TestTable& t = bank_.run.table;
    if (prng_.chance(0.1)) {
      l.state = State::summing;
      for (std::uint64_t a = 1; a <= bank_.accounts; a++) t.add(m, l.handle, wire::Op::read_shared, a);
      m.send(l.handle, wire::kCommit);
      return;
    }
    l.from = 1 + prng_.below(bank_.accounts);
    l.to = 1 + prng_.below(bank_.accounts - 1);
    if (l.to >= l.from) l.to++;
    l.state = State::locking;
    t.add(m, l.handle, wire::Op::read_exclusive, l.from);
    t.add(m, l.handle, wire::Op::read_exclusive, l.to);
    m.send(l.handle, 0);
  }
  void move(Lane& l, const client::StepResult& r, client::ClientMachine& m) {
    const TestTable& t = bank_.run.table;
    client::ResultReader reader(r);
    std::uint64_t balance[2] = {0, 0};
    for (std::uint64_t& b : balance) {
      Error e = Error::ok;
      Bytes image;
      if (!reader.next(&e, &image) || e != Error::ok) {
        return bank_.run.world.fail("an account cannot be read under lock: error " +
                                    std::to_string(static_cast<int>(e)));
      }
      b = t.value_of(image);
    }
    std::uint64_t amount = balance[0] == 0 ? 0 : 1 + prng_.below(balance[0]);
    l.state = State::committing;
    t.put(m, l.handle, wire::Op::replace, l.from, balance[0] - amount);
    t.put(m, l.handle, wire::Op::write, l.to, balance[1] + amount);
    m.send(l.handle, prng_.chance(0.05) ? wire::kAbort : wire::kCommit);
  }
  void sum(const client::StepResult& r) {
    client::ResultReader reader(r);
    std::uint64_t total = 0, rows = 0;
    Error e = Error::ok;
    Bytes image;
    while (reader.next(&e, &image)) {
      if (e != Error::ok) return bank_.run.world.fail("an account is missing");
      total += bank_.run.table.value_of(image);
      rows++;
    }
    bank_.sums++;
    if (rows != bank_.accounts || total != bank_.total()) {
      bank_.run.world.fail("the sum of " + std::to_string(rows) + " accounts is " + std::to_string(total) + ", not " +
                           std::to_string(bank_.total()));
    }
  }

  Bank& bank_;
  Prng prng_;
  std::vector<Lane> lanes_;
};

// Opens the accounts, once.
class Opener : public sim::Actor {
 public:
  explicit Opener(Bank& b) : bank_(b) {}
  bool done = false;
  Time act(Time now, client::ClientMachine& m) override {
    if (done || handle_ != client::kNoHandle) return kNever;
    if (!m.catalog() || !m.catalog()->table(bank_.run.table.id())) return now + 10 * kMillisecond;
    handle_ = m.open();
    for (std::uint64_t a = 1; a <= bank_.accounts; a++) {
      bank_.run.table.put(m, handle_, wire::Op::insert, a, kStartBalance);
    }
    m.send(handle_, wire::kCommit);
    return kNever;
  }
  void answered(Time, const client::StepResult& r, client::ClientMachine& m) override {
    if (r.state != wire::TxnState::committed) {
      bank_.run.world.fail("the accounts cannot be opened: error " + std::to_string(static_cast<int>(r.error)));
    }
    m.release(r.handle);
    done = true;
  }
  void lost() override {}

 private:
  Bank& bank_;
  client::Handle handle_ = client::kNoHandle;
};

}  // namespace

Verdict run_bank(std::uint64_t seed) {
  ClusterRun run(seed);
  Bank bank{run, run.prng.between(2, 40)};
  Opener opener(bank);
  std::vector<std::unique_ptr<Teller>> tellers;
  if (run.begin()) {
    sim::ProcessId p = run.cluster.add_client(opener, kClientLimit);
    run.world.start(p);
    if (!run.world.run_until([&] { return opener.done; }, kStartLimit)) run.world.fail("the accounts are not opened");
    std::uint64_t n = run.prng.between(1, 5);
    for (std::uint64_t i = 0; i < n; i++) {
      tellers.push_back(std::make_unique<Teller>(bank, run.prng.next(), run.prng.between(1, 4)));
      run.world.start(run.cluster.add_client(*tellers.back(), kClientLimit));
    }
    run.faults(draw_length(run.prng));
    run.calm([&] { return std::all_of(tellers.begin(), tellers.end(), [](auto& t) { return t->is_idle(); }); });
    std::uint64_t total = 0;
    auto rows = run.scan_all();
    for (const auto& [id, image] : rows) total += run.table.value_of(image);
    if (!run.world.failed() && total != bank.total()) {
      run.world.fail("at the end the sum is " + std::to_string(total) + ", not " + std::to_string(bank.total()));
    }
    if (!run.world.failed() && run.cluster.check_rows("t") != bank.accounts) run.world.fail("accounts come or go");
  }
  return run.verdict(std::to_string(bank.transfers) + " transfers, " + std::to_string(bank.aborted) + " aborted, " +
                     std::to_string(bank.unknown) + " unknown, " + std::to_string(bank.sums) + " sums");
}

}  // namespace ndb::simtest
