// The workload `restart` (I7): nodes, groups and the whole cluster lose power, processes, files. Each client writes ids
// of its own and notes of every transaction in which epochs it can have been decided: not before the newest epoch that
// the client had heard of when it sent it, not after the one that its answer came from.
//
// When the cluster has come back from its disks the clients fall silent, all rows are read and compared. With D, the
// epoch that it came back at, a transaction
//   must be there     when it was acknowledged as durable, or its answer came from an epoch up to D, or it was answered
//                     after the restart
//   must not be there when it was acknowledged before, and sent in an epoch after D; or refused
//   may be there      else; but with all its rows or with none, and after all that this client had acknowledged before
//                     for these rows.
// A client that was not told an outcome asks again, and leaves the rows alone until it knows: the request may still lie
// in a link that is cut. At the end, after calm, the same with everything acknowledged, and all replicas are equal.
#include <algorithm>
#include <map>
#include <set>

#include "cluster_run.h"
#include "scanner.h"

namespace ndb::simtest {
namespace {

constexpr std::uint64_t kAbsent = 0;   // as a value
constexpr Time kLateAnswer = kSecond;  // an answer of a node that is gone by now arrives within this time

enum class Fate : std::uint8_t { open, acknowledged, refused };

struct Write {
  std::uint64_t id, value;
};
struct Txn {
  std::vector<Write> writes;
  bool durable = false;
  Fate fate = Fate::open;
  Epoch from = 0, upto = 0;    // decided in one of these
  std::uint64_t restarts = 0;  // of the cluster, when it was answered
  Time answered = 0;
};

// What one row may be, and what was done to it since that was known.
struct Row {
  std::set<std::uint64_t> base = {kAbsent};
  std::vector<std::uint32_t> history;  // transactions, in order
};

class Model {
 public:
  explicit Model(ClusterRun& run) : run_(run) {}
  std::uint64_t acked = 0, durable = 0, refused = 0, unknown = 0, reads = 0, verified = 0, lost = 0;

  std::uint64_t draw_value() { return next_value_++; }
  std::uint32_t begin(Txn t) {
    for (const Write& w : t.writes) rows_[w.id].history.push_back(static_cast<std::uint32_t>(txns_.size()));
    txns_.push_back(std::move(t));
    return static_cast<std::uint32_t>(txns_.size() - 1);
  }
  void end(std::uint32_t number, Fate fate, Epoch upto) {
    Txn& t = txns_[number];
    t.fate = fate;
    t.upto = upto;
    t.restarts = run_.cluster.restarts();
    t.answered = run_.world.now();
    (fate == Fate::acknowledged ? acked : refused)++;
    durable += fate == Fate::acknowledged && t.durable;
  }
  // What the row can be now, the cluster not having been restarted since the last verification.
  std::set<std::uint64_t> now_is(std::uint64_t id) const {
    auto i = rows_.find(id);
    if (i == rows_.end()) return {kAbsent};
    std::set<std::uint64_t> v = i->second.base;
    for (std::uint32_t n : i->second.history) {
      const Txn& t = txns_[n];
      if (t.fate == Fate::acknowledged) v.clear();
      if (t.fate != Fate::refused) v.insert(value_of(t, id));
    }
    return v;
  }
  // No row was changed in a later epoch than this, by those that were answered.
  Epoch newest() const {
    Epoch e = 0;
    for (const Txn& t : txns_) e = std::max(e, t.upto);
    return e;
  }
  bool settled() const { return run_.cluster.restarts() == restarts_verified_; }
  void note_restart() {  // call often: remembers when it was, and its epoch
    if (run_.cluster.restarts() == restarts_.size()) return;
    restarts_.resize(run_.cluster.restarts(), {run_.world.now(), run_.cluster.restored_epoch()});
  }
  // REQUIRES: nothing is under way. `found`: all rows of the table.
  void verify(const std::map<std::uint64_t, std::string>& found, std::uint64_t restarts);

 private:
  struct Restart {
    Time when;
    Epoch epoch;
  };
  enum class Verdict : std::uint8_t { in, out, either };
  struct Place {                   // of a transaction at one row, as found
    bool in = false, out = false;  // for sure
  };
  static std::uint64_t value_of(const Txn& t, std::uint64_t id) {
    for (const Write& w : t.writes) {
      if (w.id == id) return w.value;
    }
    return kAbsent;
  }
  Verdict judge(const Txn& t) const;
  // Both changed one row, in this order, and the same restarts came after them: when the second is in, so is the first.
  static bool precedes(const Txn& first, const Txn& second) {
    return first.fate == Fate::acknowledged && second.fate == Fate::acknowledged && first.restarts == second.restarts;
  }
  void verify_row(std::uint64_t id, Row& row, std::uint64_t value, std::vector<Place>& places);
  void fail(std::uint64_t id, const std::string& what) {
    run_.world.fail((restarts_.size() == restarts_verified_
                         ? std::string("at the end")
                         : "after the restart at epoch " + std::to_string(restarts_.back().epoch)) +
                    " row " + std::to_string(id) + " " + what);
  }
  std::string words(const Txn& t) const;

  ClusterRun& run_;
  std::uint64_t next_value_ = 1;
  std::map<std::uint64_t, Row> rows_;
  std::vector<Txn> txns_;  // since the last verification
  std::vector<Restart> restarts_;
  std::uint64_t restarts_verified_ = 0;
};

// With respect to the restarts since the last verification.
Model::Verdict Model::judge(const Txn& t) const {
  if (t.fate == Fate::refused) return Verdict::out;
  if (t.fate != Fate::acknowledged) return Verdict::either;
  if (t.durable) return Verdict::in;
  Verdict v = Verdict::in;
  for (std::size_t i = restarts_verified_; i < restarts_.size(); i++) {
    const Restart& r = restarts_[i];
    if (t.upto <= r.epoch) continue;
    if (t.restarts > i) {  // answered after it
      if (t.answered < r.when + kLateAnswer) v = Verdict::either;
    } else if (t.from > r.epoch) {
      return Verdict::out;
    } else {
      v = Verdict::either;
    }
  }
  return v;
}

std::string Model::words(const Txn& t) const {
  static const char* const kFates[] = {"open", "acknowledged", "refused"};
  return std::string(t.durable ? "durable " : "") + kFates[static_cast<int>(t.fate)] + " in epochs " +
         std::to_string(t.from) + ".." + std::to_string(t.upto) + " at " + sim::time_text(t.answered);
}

// Finds the last transaction whose value the row can have: all acknowledged ones before it are in, those behind it out.
void Model::verify_row(std::uint64_t id, Row& row, std::uint64_t value, std::vector<Place>& places) {
  const std::size_t n = row.history.size();
  std::vector<std::size_t> lengths;  // how many of the history may be in, ascending
  for (std::size_t k = 0; k <= n; k++) {
    const bool fits = k == 0 ? row.base.contains(value) : value_of(txns_[row.history[k - 1]], id) == value;
    if (!fits || (k > 0 && judge(txns_[row.history[k - 1]]) == Verdict::out)) continue;
    const bool keeps = std::all_of(row.history.begin() + static_cast<std::ptrdiff_t>(k), row.history.end(),
                                   [&](std::uint32_t t) { return judge(txns_[t]) != Verdict::in; });
    const bool follows =
        std::none_of(row.history.begin(), row.history.begin() + static_cast<std::ptrdiff_t>(k), [&](std::uint32_t t) {
          return precedes(txns_[t], txns_[row.history[k - 1]]) && judge(txns_[t]) == Verdict::out;
        });
    if (!keeps || !follows) continue;
    lengths.push_back(k);
  }
  if (lengths.empty()) {
    std::string s = "is " + std::to_string(value) + " (0 = absent); it was";
    for (std::uint64_t b : row.base) s += " " + std::to_string(b);
    for (std::uint32_t t : row.history) s += ", then " + std::to_string(value_of(txns_[t], id)) + " " + words(txns_[t]);
    return fail(id, s);
  }
  for (std::size_t k = 0; k < n; k++) {
    const Txn& t = txns_[row.history[k]];
    Place& p = places[row.history[k]];
    // A transaction is in for sure when it is so whichever of them the value is from.
    p.in |= std::all_of(lengths.begin(), lengths.end(), [&](std::size_t length) {
      return k + 1 == length || (k < length && precedes(t, txns_[row.history[length - 1]]));
    });
    p.out |= k >= lengths.back();
  }
}

void Model::verify(const std::map<std::uint64_t, std::string>& found, std::uint64_t restarts) {
  if (run_.world.failed()) return;
  NDB_CHECK(restarts == restarts_.size());
  std::vector<Place> places(txns_.size());
  std::size_t expected = 0;
  for (auto& [id, row] : rows_) {
    auto i = found.find(id);
    const std::uint64_t value = i == found.end() ? kAbsent : run_.table.value_of(i->second);
    expected += value != kAbsent;
    verify_row(id, row, value, places);
    if (run_.world.failed()) return;
  }
  if (found.size() != expected) return run_.world.fail("rows that nobody wrote");
  for (std::size_t n = 0; n < txns_.size(); n++) {
    if (places[n].in && places[n].out)
      return fail(txns_[n].writes[0].id, "was written by half a transaction, " + words(txns_[n]));
    lost += txns_[n].fate == Fate::acknowledged && places[n].out;
  }
  for (auto& [id, row] : rows_) {
    auto i = found.find(id);
    row.base = {i == found.end() ? kAbsent : run_.table.value_of(i->second)};
    row.history.clear();
  }
  txns_.clear();
  restarts_verified_ = restarts;
  verified++;
}

class Writer : public sim::Actor {
 public:
  Writer(ClusterRun& run, Model& model, std::uint64_t seed, std::uint64_t first_id, std::uint64_t ids,
         std::size_t lanes, Time pause)
      : run_(run), model_(model), prng_(seed), first_(first_id), ids_(ids), lanes_(lanes), pause_(pause) {}

  Time act(Time now, client::ClientMachine& m) override {
    if (!m.catalog() || !m.catalog()->table(run_.table.id())) return now + 10 * kMillisecond;
    model_.note_restart();
    Time again = kNever;
    for (std::size_t i = 0; i < lanes_.size(); i++) {
      Lane& l = lanes_[i];
      if (l.busy || run_.quiet) continue;
      if (!model_.settled()) {
        l.next = now + 20 * kMillisecond;
      } else if (now >= l.next) {
        begin(i, now, m);
      }
      if (!l.busy && l.next < again) again = l.next;
    }
    return again;
  }
  void answered(Time now, const client::StepResult& r, client::ClientMachine& m) override {
    model_.note_restart();
    Lane& l = lanes_[r.tag];
    const bool undisturbed = model_.settled() && l.restarts == run_.cluster.restarts();
    if (l.reads) {
      if (r.state == wire::TxnState::committed && r.answered && undisturbed) check_read(l, r);
    } else if (r.state == wire::TxnState::unknown) {
      model_.unknown += !l.in_doubt;
      l.in_doubt = true;  // no other change of its rows before it is known what became of this one
      return m.ask_again(r.handle);
    } else {
      const bool refused = r.state == wire::TxnState::aborted;
      if (refused && undisturbed && !l.in_doubt) check_refusal(l, r);
      model_.end(l.txn, refused ? Fate::refused : Fate::acknowledged, m.epoch());
    }
    m.release(r.handle);
    l.busy = l.in_doubt = false;
    l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
  }
  void lost() override { NDB_CHECK(false); }  // nothing kills clients here
  bool is_idle() const {
    return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.busy; });
  }

 private:
  struct Lane {
    bool busy = false, reads = false, in_doubt = false;
    std::uint32_t txn = 0;
    std::vector<std::uint64_t> ids;
    std::uint64_t restarts = 0;
    Time next = 0;
  };
  bool taken(std::uint64_t id) const {
    return std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& l) {
      return l.busy && std::find(l.ids.begin(), l.ids.end(), id) != l.ids.end();
    });
  }
  void begin(std::size_t i, Time now, client::ClientMachine& m) {
    Lane& l = lanes_[i];
    l.ids.clear();
    l.reads = prng_.chance(0.2);
    const std::uint64_t n = l.reads ? 1 : 1 + prng_.below(5);
    for (std::uint64_t k = 0; k < n; k++) {
      const std::uint64_t id = first_ + prng_.below(ids_);
      if (!taken(id) && std::find(l.ids.begin(), l.ids.end(), id) == l.ids.end()) l.ids.push_back(id);
    }
    const client::Handle h = l.ids.empty() ? client::kNoHandle : m.open(i);
    if (h == client::kNoHandle) {
      l.next = now + pause_;
      return;
    }
    Txn t;
    for (std::uint64_t id : l.ids) {
      if (l.reads) {
        run_.table.add(m, h, wire::Op::read, id);
      } else {
        t.writes.push_back(add_write(m, h, id));
      }
    }
    t.from = m.epoch();
    t.durable = prng_.chance(0.3);
    l.busy = true;
    l.restarts = run_.cluster.restarts();
    const int flags = wire::kCommit | (l.reads ? wire::kKeepGoing : t.durable ? wire::kDurable : 0);
    if (!l.reads) l.txn = model_.begin(std::move(t));
    m.send(h, static_cast<std::uint8_t>(flags));
  }
  // What must succeed, as far as is known.
  Write add_write(client::ClientMachine& m, client::Handle h, std::uint64_t id) {
    const std::set<std::uint64_t> is = model_.now_is(id);
    const std::uint64_t value = model_.draw_value();
    const bool sure = is.size() == 1, absent = sure && *is.begin() == kAbsent;
    if (sure && !absent && prng_.chance(0.3)) {
      run_.table.add(m, h, wire::Op::remove, id);
      return {id, kAbsent};
    }
    const wire::Op op = !sure || prng_.chance(0.4) ? wire::Op::write : absent ? wire::Op::insert : wire::Op::replace;
    run_.table.put(m, h, op, id, value, std::string(prng_.below(200), 'x'));
    return {id, value};
  }
  void check_read(const Lane& l, const client::StepResult& r) {
    client::ResultReader reader(r);
    Error e = Error::ok;
    Bytes image;
    if (!reader.next(&e, &image) || (e != Error::ok && e != Error::no_such_row)) return;
    const std::uint64_t value = e == Error::ok ? run_.table.value_of(image) : kAbsent;
    model_.reads++;
    if (!model_.now_is(l.ids[0]).contains(value)) {
      run_.world.fail("row " + std::to_string(l.ids[0]) + " was read as " + std::to_string(value) + ", expected " +
                      words(l.ids[0]));
    }
  }
  void check_refusal(const Lane& l, const client::StepResult& r) {
    if (r.error != Error::row_exists && r.error != Error::no_such_row) return;
    std::string s;
    for (std::uint64_t id : l.ids) s += " " + std::to_string(id) + " (" + words(id) + ")";
    run_.world.fail("refused with " + std::string(error_info(r.error).sentence) + ":" + s);
  }
  std::string words(std::uint64_t id) const {
    std::string s;
    for (std::uint64_t v : model_.now_is(id)) s += (s.empty() ? "" : " or ") + std::to_string(v);
    return s;
  }

  ClusterRun& run_;
  Model& model_;
  Prng prng_;
  std::uint64_t first_, ids_;
  std::vector<Lane> lanes_;
  Time pause_;
};

struct Restarts {
  ClusterRun& run;
  Model model;
  Prng prng;
  std::vector<std::unique_ptr<Writer>> writers;
  std::unique_ptr<Scanner> scanner;
  sim::ProcessId scanning = sim::kNobody;
  std::uint64_t scan_restarts = 0;
  std::uint64_t orders = 0;
  bool ordering = false, stopped = false;

  explicit Restarts(ClusterRun& r) : run(r), model(r), prng(r.prng.next()) {}

  bool idle() const {
    return std::all_of(writers.begin(), writers.end(), [](const auto& w) { return w->is_idle(); });
  }
  // Every so often: is there something to verify?
  void watch() {
    model.note_restart();
    if (scanner && (scanner->done || run.cluster.restarts() != scan_restarts)) {
      run.world.kill(scanning, false);
      if (scanner->done && run.cluster.restarts() == scan_restarts) {
        if (!scanner->doubled.empty()) run.world.fail(scanner->doubled);
        model.verify(scanner->rows, scan_restarts);
      }
      old_scanners.push_back(std::move(scanner));
    }
    // What is read is what must be there after the next restart, too: it has to be durable.
    if (!scanner && !model.settled() && idle() && run.cluster.newest()->durable_epoch >= model.newest()) {
      scan_restarts = run.cluster.restarts();
      scanner = std::make_unique<Scanner>(run.table);
      scanning = run.cluster.add_client(*scanner, kClientLimit);
      run.world.start(scanning);
    }
    run.world.after(20 * kMillisecond, [this] { watch(); });
  }
  void order_restarts() {
    if (stopped) return;
    sim::Order o;
    o.command = "ndb restart node";
    o.keys = {{"nodes", std::to_string(1 + prng.below(run.cluster.data_nodes()))}};
    o.changes = false;  // it takes no request id
    ordering = true;
    o.done = [this](const sim::Reply& r) {
      ordering = false;
      orders += r.ok();
      run.world.after(static_cast<Time>(prng.below(2000)) * kMillisecond + 10 * kMillisecond,
                      [this] { order_restarts(); });
    };
    run.cluster.op().order(std::move(o));
  }
  std::vector<std::unique_ptr<Scanner>> old_scanners;  // their processes refer to them
};

}  // namespace

Verdict run_restart(std::uint64_t seed) {
  ClusterRun run(seed);
  Restarts all(run);
  if (run.begin()) {
    const std::uint64_t n = run.prng.between(1, 4), ids = run.prng.between(5, 300);
    const Time pause = static_cast<Time>(run.prng.between(2, 40)) * kMillisecond;
    for (std::uint64_t i = 0; i < n; i++) {
      all.writers.push_back(
          std::make_unique<Writer>(run, all.model, run.prng.next(), 1 + i * 1000, ids, run.prng.between(1, 5), pause));
      run.world.start(run.cluster.add_client(*all.writers.back(), kClientLimit));
    }
    all.watch();
    run.world.run_for(static_cast<Time>(run.prng.below(1000)) * kMillisecond);
    const bool diskless = run.cluster.settings().diskless;
    if (diskless || run.prng.chance(0.5)) all.order_restarts();
    sim::NemesisOptions options = run.cluster.ruthless_options();
    // Without disks a node that restarts by order leaves its rows with one peer only: that one is not to be shut out.
    auto bit = [](sim::Fault f) { return 1u << static_cast<unsigned>(f); };
    if (diskless) options.allowed = bit(sim::Fault::break_links) | bit(sim::Fault::slow_disk);
    run.faults(draw_length(run.prng), options);
    all.stopped = true;
    run.calm([&] { return !all.ordering && all.model.settled() && all.idle(); });
    if (!run.world.failed()) run.cluster.check_rows("t");
    all.model.verify(run.scan_all(), run.cluster.restarts());
  }
  const Model& m = all.model;
  return run.verdict(std::to_string(m.acked) + " acknowledged (" + std::to_string(m.durable) + " durable), " +
                     std::to_string(m.refused) + " refused, " + std::to_string(m.unknown) + " unknown, " +
                     std::to_string(m.reads) + " read; " + std::to_string(run.cluster.restarts()) + " restarts, " +
                     std::to_string(m.lost) + " lost by them, " + std::to_string(all.orders) + " orders");
}

}  // namespace ndb::simtest
