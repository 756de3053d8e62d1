// ndb-bench: the cluster benchmark. Rows of a key of two 4-byte integers and eight 4-byte columns; phases of inserts,
// reads, updates, deletes, transactions over several fragments and scans; T clients with P transactions in flight each.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <sstream>
#include <thread>

#include "driver.h"
#include "options.h"
#include "processes.h"
#include "threads.h"

namespace {

using namespace ndb;
using namespace bench;

struct PhaseFigures {
  std::string name;
  double seconds = 0;
  Report report;
  std::vector<std::pair<std::string, double>> cpu;                      // process, seconds per million operations
  std::vector<std::pair<std::string, std::vector<ThreadUse>>> threads;  // of data nodes, with --by-thread
  double per_second() const { return seconds > 0 ? static_cast<double>(report.operations) / seconds : 0; }
};

struct Run {
  std::vector<PhaseFigures> phases;
  double bytes_per_row = 0;
  double fsync_ms = 0;  // when a phase was durable
  // The median of the phases of this name, in operations a second.
  double figure(const std::string& name) const {
    std::vector<double> all;
    for (const auto& p : phases) {
      if (p.name == name) all.push_back(p.per_second());
    }
    if (all.empty()) return 0;
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
  }
};

constexpr std::uint64_t kDurableCommits = 50;

class Bench {
 public:
  Bench(const Options& o, OwnCluster* own) : o_(o), own_(own) {
    auto c = cli::find_connectstring(own ? own->connectstring() : o.connectstring);
    if (!c) fail(c.failure().sentence(), 5);
    servers_ = *c;
    management_ = std::make_unique<cli::Management>(servers_);
  }

  Run run() {
    Run all;
    if (Failure f = drop_table(*management_, o_.table)) {
      fail("cannot drop table '" + o_.table + "': " + f.sentence(), error_info(f.error).exit_status);
    }
    if (Failure f = create_table(*management_, o_.table))
      fail("cannot create table '" + o_.table + "': " + f.sentence());
    for (std::uint32_t i = 0; i < o_.threads; i++) {
      auto options = cli::client_options(servers_);
      options.slots = std::max(o_.inflight, kOpenInflight);
      drivers_.push_back(std::make_unique<Driver>(options));
      const std::string why = drivers_.back()->connect(o_.table, 20 * kSecond);
      if (!why.empty()) fail(why, 5);
      drivers_.back()->warm_up();
    }
    const std::uint64_t before = memory_used();
    std::istringstream names(o_.phases);
    for (std::string name; std::getline(names, name, ',');) {
      if (name == "durable") all.fsync_ms = fsync_ms();
      if (name == "half") half_rate_ = all.figure("read") / 2;
      all.phases.push_back(name == "import" ? import_phase() : phase(name));
      print(all.phases.back());
      if (name == "insert") {
        all.bytes_per_row = (static_cast<double>(memory_used()) - static_cast<double>(before)) /
                            static_cast<double>(o_.rows * replicas_);
        if (!o_.json) std::printf("%-8s %.1f bytes a row and replica\n", "memory", all.bytes_per_row);
      }
    }
    drivers_.clear();
    if (!o_.keep_table) drop_table(*management_, o_.table);
    return all;
  }

 private:
  std::uint64_t memory_used() {
    // Heartbeats tell it: believed when two in a row say the same. A node that tells nothing is taken for an average
    // one.
    std::uint64_t last = 0;
    for (int i = 0;; i++) {
      auto s = cluster_status(*management_);
      if (!s || s->telling == 0) return 0;
      replicas_ = s->replicas;
      const std::uint64_t used = s->memory_used * s->nodes / s->telling;
      if ((s->telling == s->nodes && used == last) || i == 40) return used;
      last = used;
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
    }
  }

  std::vector<std::pair<std::string, double>> cpu() const {
    std::vector<std::pair<std::string, double>> all{{"client", own_cpu_seconds()}};
    if (own_ != nullptr) {
      for (const auto& p : own_->processes()) all.emplace_back(p.name, cpu_seconds(p.pid()));
    }
    for (pid_t p : o_.pids) all.emplace_back("pid" + std::to_string(p), cpu_seconds(p));
    return all;
  }

  std::vector<std::pair<std::string, std::vector<ThreadUse>>> threads() const {
    std::vector<std::pair<std::string, std::vector<ThreadUse>>> all;
    if (own_ == nullptr || !o_.by_thread) return all;
    for (const auto& p : own_->processes()) {
      if (p.name != "mgmd") all.emplace_back(p.name, thread_use(p.pid()));
    }
    return all;
  }

  Work work_of(const std::string& name) {
    static const std::map<std::string, Kind> kinds{
        {"insert", Kind::insert}, {"read", Kind::read}, {"update", Kind::update},
        {"delete", Kind::remove}, {"mix", Kind::mix},   {"multi", Kind::multi},
        {"scan", Kind::scan},     {"half", Kind::read}, {"durable", Kind::update}};
    auto k = kinds.find(name);
    if (k == kinds.end()) {
      fail("unknown phase '" + name +
               "'; there are insert, read, update, delete, mix, multi, scan, half, durable, import",
           2);
    }
    Work w;
    w.kind = k->second;
    w.rows = o_.rows;
    w.operations = o_.operations != 0 && w.kind != Kind::insert && w.kind != Kind::remove ? o_.operations : o_.rows;
    w.per_transaction = w.kind == Kind::multi ? std::max(2u, o_.per_transaction) : o_.per_transaction;
    if (w.kind == Kind::scan) w.operations = o_.threads * 4;
    w.inflight = o_.inflight;
    w.read_percent = o_.read_percent;
    w.rate = o_.rate / o_.threads;
    if (name == "half") {
      if (half_rate_ <= 0) fail("the phase 'half' is half as fast as a phase 'read' before it", 2);
      w.rate = half_rate_ / o_.threads / w.per_transaction;
    }
    // By the clock: what is late waits in the cluster, not here, or --inflight would draw out the end of every pause.
    if (w.rate > 0) w.inflight = kOpenInflight;
    if (name == "durable") {
      w.durable = true;
      w.operations = kDurableCommits;
      w.inflight = w.per_transaction = 1;
    }
    w.generation = generation_;
    w.new_generation = generation_;
    if (name == "update") w.new_generation = generation_ += 0x5a5a5a;
    return w;
  }

  PhaseFigures import_phase() {
    PhaseFigures f;
    f.name = "import";
    const std::string table = o_.table + "_import";
    if (Failure e = drop_table(*management_, table)) fail("cannot drop table '" + table + "': " + e.sentence());
    if (Failure e = create_table(*management_, table)) fail("cannot create table '" + table + "': " + e.sentence());
    auto seconds = run_import(own_ ? own_->connectstring() : o_.connectstring, table, o_.rows);
    if (!seconds) fail(seconds.failure().sentence());
    f.seconds = *seconds;
    f.report.operations = f.report.transactions = o_.rows;
    drop_table(*management_, table);
    return f;
  }

  PhaseFigures phase(const std::string& name) {
    PhaseFigures f;
    f.name = name;
    const Work whole = work_of(name);
    const auto cpu_before = cpu();
    const auto threads_before = this->threads();
    std::vector<std::thread> threads;
    std::vector<Report> reports(drivers_.size());
    const Time start = os::Loop::now();
    const std::uint64_t transactions = whole.operations / whole.per_transaction;
    const std::size_t share = whole.durable ? 1 : drivers_.size();  // low load: one after the other
    for (std::size_t i = 0; i < share; i++) {
      Work w = whole;
      w.first = transactions * i / share;
      w.operations = (transactions * (i + 1) / share - w.first) * whole.per_transaction;
      threads.emplace_back([this, i, w, &reports] { reports[i] = drivers_[i]->run(w); });
    }
    for (auto& t : threads) t.join();
    f.seconds = static_cast<double>(os::Loop::now() - start) / 1e9;
    for (auto& r : reports) {
      f.report.operations += r.operations;
      f.report.transactions += r.transactions;
      f.report.rows_scanned += r.rows_scanned;
      f.report.wrong += r.wrong;
      if (f.report.errors == 0) f.report.first_error = r.first_error;
      f.report.errors += r.errors;
      f.report.latency.merge(r.latency);
    }
    const auto cpu_after = cpu();
    f.threads = this->threads();
    for (std::size_t i = 0; i < f.threads.size(); i++) {
      f.threads[i].second = used_between(threads_before[i].second, std::move(f.threads[i].second));
    }
    for (std::size_t i = 0; i < cpu_after.size(); i++) {
      f.cpu.emplace_back(cpu_after[i].first, (cpu_after[i].second - cpu_before[i].second) * 1e6 /
                                                 static_cast<double>(std::max<std::uint64_t>(f.report.operations, 1)));
    }
    failed_ = failed_ || f.report.errors != 0 || f.report.wrong != 0;
    return f;
  }

  void print(const PhaseFigures& f) const {
    if (o_.json) return;
    if (f.report.latency.count() == 0) {
      std::printf("%-8s %9.0f rows/s\n", f.name.c_str(), f.per_second());
      return;
    }
    std::printf("%-8s %9.0f ops/s  p50 %.3f  p99 %.3f  p999 %.3f  max %.1f ms  cpu s/Mop", f.name.c_str(),
                f.per_second(), f.report.latency.quantile_ms(0.5), f.report.latency.quantile_ms(0.99),
                f.report.latency.quantile_ms(0.999), f.report.latency.max_ms());
    for (const auto& [name, seconds] : f.cpu) std::printf(" %s %.2f", name.c_str(), seconds);
    if (f.report.rows_scanned != 0) {
      std::printf("  %.0f rows/s", static_cast<double>(f.report.rows_scanned) / f.seconds);
    }
    if (f.report.errors != 0) {
      std::printf("  %" PRIu64 " ERRORS, the first: %s", f.report.errors, f.report.first_error.c_str());
    }
    if (f.report.wrong != 0) std::printf("  %" PRIu64 " WRONG ROWS", f.report.wrong);
    std::printf("\n");
    for (const auto& [process, threads] : f.threads) print_threads(process, threads, f.report.operations);
    std::fflush(stdout);
    if (o_.histogram) {
      f.report.latency.each([](std::uint64_t ns, std::uint64_t n) {
        std::printf("  %10.1f us %10" PRIu64 "\n", static_cast<double>(ns) / 1e3, n);
      });
    }
  }

  static void print_threads(const std::string& process, const std::vector<ThreadUse>& threads, std::uint64_t n) {
    const double operations = static_cast<double>(std::max<std::uint64_t>(n, 1));
    for (const ThreadUse& t : threads) {
      std::printf("  %-8s %-12s %.3f s, %.3f us an operation, %" PRIu64 " waits, preempted %" PRIu64 " times\n",
                  process.c_str(), t.name.c_str(), t.seconds, t.seconds * 1e6 / operations, t.waits, t.preempted);
    }
  }

  const Options& o_;
  OwnCluster* own_;
  cli::ConnectString servers_;
  std::unique_ptr<cli::Management> management_;
  std::vector<std::unique_ptr<Driver>> drivers_;
  std::uint32_t replicas_ = 2;
  std::int32_t generation_ = 0;
  double half_rate_ = 0;

 public:
  bool failed_ = false;
};

// One object for each thread of a data node.
void write_threads(std::ostream& j, const PhaseFigures& p) {
  j << ",\"threads\":[";
  const char* comma = "";
  for (const auto& [process, threads] : p.threads) {
    for (const ThreadUse& t : threads) {
      j << comma << "{\"process\":\"" << process << "\",\"thread\":\"" << t.name << "\",\"seconds\":" << t.seconds
        << ",\"waits\":" << t.waits << ",\"preempted\":" << t.preempted << "}";
      comma = ",";
    }
  }
  j << "]";
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

void print_json(const Options& o, const std::vector<Run>& runs, const std::vector<RedisFigures>& redis) {
  std::ostringstream j;
  j.precision(6);
  j << "{\"format_version\":1,\"rows\":" << o.rows << ",\"threads\":" << o.threads << ",\"inflight\":" << o.inflight
    << ",\"ops_per_txn\":" << o.per_transaction << ",\"phases\":[";
  bool first = true;
  for (const auto& p : runs.back().phases) {
    j << (first ? "" : ",") << "{\"phase\":\"" << p.name << "\",\"ops_per_second\":" << p.per_second()
      << ",\"transactions_per_second\":" << static_cast<double>(p.report.transactions) / std::max(p.seconds, 1e-9)
      << ",\"seconds\":" << p.seconds << ",\"p50_ms\":" << p.report.latency.quantile_ms(0.5)
      << ",\"p99_ms\":" << p.report.latency.quantile_ms(0.99) << ",\"p999_ms\":" << p.report.latency.quantile_ms(0.999)
      << ",\"max_ms\":" << p.report.latency.max_ms() << ",\"errors\":" << p.report.errors
      << ",\"wrong\":" << p.report.wrong;
    if (p.report.rows_scanned != 0) {
      j << ",\"rows_per_second\":" << static_cast<double>(p.report.rows_scanned) / p.seconds;
    }
    j << ",\"cpu_seconds_per_million\":{";
    for (std::size_t i = 0; i < p.cpu.size(); i++) {
      j << (i ? "," : "") << "\"" << p.cpu[i].first << "\":" << p.cpu[i].second;
    }
    j << "}";
    if (o.by_thread) write_threads(j, p);
    if (o.histogram) {  // upper edge in microseconds, count
      j << ",\"histogram\":[";
      const char* comma = "";
      p.report.latency.each([&](std::uint64_t ns, std::uint64_t n) {
        j << comma << "[" << static_cast<double>(ns) / 1e3 << "," << n << "]";
        comma = ",";
      });
      j << "]";
    }
    j << "}";
    first = false;
  }
  j << "],\"bytes_per_row\":" << runs.back().bytes_per_row;
  const double update = runs.back().figure("update"), multi = runs.back().figure("multi");
  if (runs.back().fsync_ms > 0) j << ",\"fsync_ms\":" << runs.back().fsync_ms;
  if (update > 0 && multi > 0) j << ",\"multi_per_update\":" << multi / update;  // operations, both
  if (!redis.empty()) {
    std::vector<double> set, get;
    for (const auto& r : redis) set.push_back(r.set), get.push_back(r.get);
    j << ",\"redis\":{\"set\":" << median(set) << ",\"get\":" << median(get) << "},\"ratios\":{";
    first = true;
    for (const char* name : {"read", "insert", "update", "delete"}) {
      std::vector<double> rounds;  // each against its own neighbour: the machine's speed drifts
      for (std::size_t i = 0; i < runs.size(); i++) {
        rounds.push_back(runs[i].figure(name) / (std::string(name) == "read" ? get[i] : set[i]));
      }
      if (median(rounds) <= 0) continue;
      j << (first ? "" : ",") << "\"" << name << "\":" << median(rounds);
      first = false;
    }
    j << "}";
  }
  j << "}";
  std::printf("%s\n", j.str().c_str());
}

int run(int argc, char** argv) {
  const Options o = parse(argc, argv);
  std::unique_ptr<OwnCluster> own;
  if (o.start) {
    auto c = OwnCluster::start({o.nodes, o.workers, o.memory_mb, o.keep, o.diskless, o.worker_threads, o.parameters});
    if (!c) fail(c.failure().sentence(), error_info(c.failure().error).exit_status);
    own = std::move(*c);
  }
  std::vector<Run> runs;
  std::vector<RedisFigures> redis;
  bool failed = false;
  for (int i = 0; i < (o.vs_redis ? 3 : 1); i++) {
    Bench b(o, own.get());
    runs.push_back(b.run());
    failed = failed || b.failed_;
    if (!o.vs_redis) continue;
    auto r = measure_redis(o.rows);
    if (!r) fail(r.failure().sentence());
    redis.push_back(*r);
    if (o.json) continue;
    std::printf("redis    SET %.0f  GET %.0f\n", r->set, r->get);
    for (const char* name : {"read", "insert", "update", "delete"}) {
      const double figure = runs.back().figure(name);
      if (figure > 0) std::printf("%-8s ratio %.2f\n", name, figure / (std::string(name) == "read" ? r->get : r->set));
    }
  }
  if (o.json) print_json(o, runs, redis);
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Exit& e) {
    std::fprintf(stderr, "ndb-bench: %s\n", e.sentence.c_str());
    return e.status;
  }
}
