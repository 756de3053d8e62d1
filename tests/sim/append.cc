// The workload `append`: transactions that read and extend several lists. Law: no lost or doubled element, nothing of
// aborted or half of a transaction is seen, no cycle of dependencies (reads are locked: nothing weaker is expected).
#include <algorithm>
#include <map>

#include "cluster_run.h"
#include "sim/append_check.h"

namespace ndb::simtest {
namespace {

using sim::ListTxn;

struct Lists {
  ClusterRun& run;
  std::uint64_t keys;
  std::uint64_t next_element = 1;
  std::vector<ListTxn> history;
  std::size_t committed = 0, unknown = 0;
};

sim::List decode(Bytes data) {
  sim::List l(data.size() / 8);
  if (!l.empty()) std::memcpy(l.data(), data.data(), l.size() * 8);
  return l;
}
std::string encode(const sim::List& l) { return std::string(reinterpret_cast<const char*>(l.data()), l.size() * 8); }
constexpr std::size_t kListMost = 900;  // elements; the row ends at 8000 bytes

class Appender : public sim::Actor {
 public:
  Appender(Lists& l, std::uint64_t seed, std::string name, std::size_t lanes, Time pause)
      : all_(l), prng_(seed), name_(std::move(name)), lanes_(lanes), pause_(pause) {}

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
    if (l.state == State::reading) {
      bool good = read_lists(l, r);
      if (good && r.state == wire::TxnState::open) return append(l, m);
      if (good && r.state == wire::TxnState::committed) record(l, ListTxn::Outcome::committed);
    } else {
      l.txn.who =
          " (number " + std::to_string(r.id.number) + ", error " + std::to_string(static_cast<int>(r.error)) + ")";
      record(l, r.state == wire::TxnState::committed ? ListTxn::Outcome::committed
                : r.state == wire::TxnState::unknown ? ListTxn::Outcome::unknown
                                                     : ListTxn::Outcome::aborted);
    }
    m.release(r.handle);
    l.state = State::idle;
    l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
  }
  void lost() override {
    for (Lane& l : lanes_) {
      if (l.state == State::writing) record(l, ListTxn::Outcome::unknown);
      l = Lane();
    }
  }
  bool is_idle() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.state == State::idle; });
  }

 private:
  enum class State : std::uint8_t { idle, reading, writing };
  struct Lane {
    State state = State::idle;
    client::Handle handle = client::kNoHandle;
    ListTxn txn;
    std::vector<std::uint64_t> to_append;
    Time next = 0;
  };
  void begin(std::size_t i, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    l.handle = m.open(i);
    if (l.handle == client::kNoHandle) return;
    l.txn = ListTxn();
    l.to_append.clear();
    bool only_reads = prng_.chance(0.3);
    std::vector<std::uint64_t> keys;
    std::uint64_t wanted = std::min<std::uint64_t>(all_.keys, 1 + prng_.below(4));
    while (keys.size() < wanted) {
      std::uint64_t k = 1 + prng_.below(all_.keys);
      if (std::find(keys.begin(), keys.end(), k) == keys.end()) keys.push_back(k);
    }
    if (prng_.chance(0.8)) std::sort(keys.begin(), keys.end());  // else there may be deadlocks
    for (std::uint64_t k : keys) {
      bool appends = !only_reads && prng_.chance(0.6);
      if (appends) l.to_append.push_back(k);
      l.txn.reads.push_back({k, {}, true});
      all_.run.table.add(m, l.handle, appends ? wire::Op::read_exclusive : wire::Op::read_shared, k);
    }
    l.state = State::reading;
    m.send(l.handle, static_cast<std::uint8_t>(l.to_append.empty() ? wire::kCommit : 0));
  }
  bool read_lists(Lane& l, const client::StepResult& r) {
    if (!r.answered || r.error != Error::ok) return false;
    client::ResultReader reader(r);
    for (ListTxn::Read& read : l.txn.reads) {
      Error e = Error::ok;
      Bytes image;
      if (!reader.next(&e, &image) || e != Error::ok) return false;
      read.list = decode(all_.run.table.data_of(image));
    }
    return true;
  }
  void append(Lane& l, client::ClientMachine& m) {
    for (const ListTxn::Read& r : l.txn.reads) {
      if (std::find(l.to_append.begin(), l.to_append.end(), r.key) == l.to_append.end()) continue;
      sim::List next = r.list;
      std::uint64_t n = 1 + prng_.below(2);
      for (std::uint64_t i = 0; i < n && next.size() < kListMost; i++) {
        next.push_back(all_.next_element);
        l.txn.appends.emplace_back(r.key, all_.next_element++);
      }
      all_.run.table.put(m, l.handle, wire::Op::replace, r.key, next.size(), encode(next));
    }
    l.state = State::writing;
    m.send(l.handle, prng_.chance(0.05) ? wire::kAbort : wire::kCommit);
  }
  void record(Lane& l, ListTxn::Outcome o) {
    l.txn.outcome = o;
    l.txn.who = "txn " + std::to_string(all_.history.size()) + " of " + name_ + l.txn.who;
    all_.run.world.remark(l.txn.who + (o == ListTxn::Outcome::committed ? " committed"
                                       : o == ListTxn::Outcome::aborted ? " aborted"
                                                                        : " unknown"));
    all_.history.push_back(l.txn);
    all_.committed += o == ListTxn::Outcome::committed;
    all_.unknown += o == ListTxn::Outcome::unknown;
  }

  Lists& all_;
  Prng prng_;
  std::string name_;
  std::vector<Lane> lanes_;
  Time pause_;
};

// Makes the empty lists.
class Maker : public sim::Actor {
 public:
  explicit Maker(Lists& l) : all_(l) {}
  bool done = false;
  Time act(Time now, client::ClientMachine& m) override {
    if (done || begun_) return kNever;
    if (!m.catalog() || !m.catalog()->table(all_.run.table.id())) return now + 10 * kMillisecond;
    begun_ = true;
    client::Handle h = m.open();
    for (std::uint64_t k = 1; k <= all_.keys; k++) all_.run.table.put(m, h, wire::Op::insert, k, 0);
    m.send(h, wire::kCommit);
    return kNever;
  }
  void answered(Time, const client::StepResult& r, client::ClientMachine& m) override {
    if (r.state != wire::TxnState::committed) all_.run.world.fail("the lists cannot be made");
    m.release(r.handle);
    done = true;
  }
  void lost() override {}

 private:
  Lists& all_;
  bool begun_ = false;
};

}  // namespace

Verdict run_append(std::uint64_t seed) {
  ClusterRun run(seed);
  Lists all{run, run.prng.between(2, 8), 1, {}, 0, 0};
  Maker maker(all);
  std::vector<std::unique_ptr<Appender>> users;
  if (run.begin()) {
    run.world.start(run.cluster.add_client(maker, kClientLimit));
    if (!run.world.run_until([&] { return maker.done; }, kStartLimit)) run.world.fail("the lists are not made");
    std::uint64_t n = run.prng.between(2, 5);
    Time pause = static_cast<Time>(run.prng.between(5, 80)) * kMillisecond;
    for (std::uint64_t i = 0; i < n; i++) {
      std::string name = "client " + std::to_string(i + 2);
      users.push_back(std::make_unique<Appender>(all, run.prng.next(), name, run.prng.between(1, 3), pause));
      run.world.start(run.cluster.add_client(*users.back(), kClientLimit));
    }
    run.faults(draw_length(run.prng));
    run.calm([&] { return std::all_of(users.begin(), users.end(), [](auto& u) { return u->is_idle(); }); });
    std::map<std::uint64_t, sim::List> lists;
    for (const auto& [id, image] : run.scan_all()) lists[id] = decode(run.table.data_of(image));
    if (!run.world.failed()) {
      std::string s = sim::broken_history(all.history, lists);
      if (!s.empty()) run.world.fail(s);
    }
    if (!run.world.failed()) run.cluster.check_rows("t");
  }
  return run.verdict(std::to_string(all.keys) + " lists, " + std::to_string(all.history.size()) + " transactions, " +
                     std::to_string(all.committed) + " committed, " + std::to_string(all.unknown) + " unknown");
}

}  // namespace ndb::simtest
