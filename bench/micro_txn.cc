// A worker alone, without sockets, backups or a disk: what a request costs between the frame that brought it and the
// one that takes the answer, and what the lock table costs. One million rows of 40 bytes, 64 requests in a step.
#include <benchmark/benchmark.h>

#include <memory>

#include "base/prng.h"
#include "meta/command.h"
#include "txn/worker.h"

namespace {

using namespace ndb;

constexpr std::uint32_t kRows = 1'000'000;
constexpr std::uint32_t kBatch = 64;
constexpr env::LinkId kClient = 1;

class World {
 public:
  World() : worker_(options()) {
    meta::ConfigImage image;
    image.name = "bench";
    image.replicas = 1;
    meta::ConfigNode m, d;
    m.id = 49;
    m.type = meta::NodeType::mgm;
    d.id = 1;
    d.type = meta::NodeType::data;
    image.nodes = {d, m};
    meta::ChangeConfig config;
    config.cluster_id = 1;
    config.generation.image = std::make_shared<meta::ConfigImage>(image);
    must(config);
    meta::NodeJoins join;
    join.node = 1;
    join.raft_id = 1;
    join.address = "127.0.0.1";
    join.port = 1;
    join.workers = 1;
    join.initial = true;
    must(join);
    must(meta::StartCluster{{1}});
    meta::CreateTable table;
    table.table.name = "t";
    for (int i = 0; i < 10; i++) {
      meta::Column c;
      c.name = "c" + std::to_string(i);
      c.type = meta::Type::uinteger;
      c.nullable = false;
      table.table.columns.push_back(c);
    }
    table.table.primary_key = {0, 1};
    table_ = static_cast<TableId>(must(table).ids.at(0));
    shape_ = *store::RowShape::make(*catalog_.table(table_));
    step([&] {
      worker_.set_catalog(std::make_shared<meta::Catalog>(catalog_));
      worker_.client_up(kClient, 7, 0);
    });
    for (std::uint32_t i = 0; i < kRows; i += kBatch) {
      step([&] {
        for (std::uint32_t k = 0; k < kBatch; k++) ask(wire::Op::insert, i + k);
      });
    }
  }

  template <class F>
  void step(F f) {
    worker_.begin(now_ += 1000, out_, self_);
    worker_.serve_until(kNever);
    f();
    worker_.end();
    for (const env::LinkId id : out_.touched()) {
      out_.slot(id).bytes.clear();
      out_.slot(id).touched = false;
    }
    out_.touched().clear();
  }
  // One request as it lies in a frame; prepared before the clock runs.
  void put(Writer& w, wire::Op kind, std::uint32_t n) {
    char image[40] = {};
    save(image, n);
    save(image + 4, n * 3);
    save(image + 8, static_cast<std::uint32_t>(number_));
    const bool whole = kind == wire::Op::insert || kind == wire::Op::replace;
    const std::uint64_t hash = shape_.hash({image, 8});
    const std::size_t at = wire::begin_message(w, wire::Type::execute, 0, 0);
    w.put(wire::Execute{static_cast<std::uint32_t>(number_), wire::kBegin | wire::kCommit, 0, 1, ++number_});
    w.put(wire::Operation{kind, 0, 8, whole ? 40u : 0u, table_, hash});
    w.raw({image, 8});
    if (whole) w.raw({image, sizeof image});
    wire::end_message(w, at);
  }
  void ask(wire::Op kind, std::uint32_t n) {
    one_.clear();
    put(one_, kind, n);
    deliver(one_.view());
  }
  void deliver(Bytes payload) {
    wire::Message m[kBatch];
    std::size_t n = 0;
    bool damaged = false;
    while (n < kBatch && wire::next_message(payload, &m[n], &damaged)) n++;
    for (std::size_t i = 0; i < n; i++) worker_.prefetch(m[i]);
    for (std::size_t i = 0; i < n; i++) worker_.prefetch_row(m[i]);
    for (std::size_t i = 0; i < n; i++) worker_.on_message(m[i], kClient, 0);
  }
  void lock(std::uint32_t n) {
    char key[8];
    save(key, n);
    save(key + 4, n * 3);
    const std::uint64_t hash = shape_.hash({key, 8});
    const auto& map = catalog_.table(table_)->distribution.map;
    worker_.lock_row({table_, map[meta::bucket_of(hash)]}, {key, 8}, hash);
  }
  txn::Worker& worker() { return worker_; }
  const txn::WorkerCounters& counters() const { return worker_.counters(); }

 private:
  static txn::WorkerOptions options() {
    txn::WorkerOptions o;
    o.node = 1;
    o.memory_bytes = std::uint64_t{1} << 30;
    return o;
  }
  meta::Outcome must(meta::CommandBody body) {
    meta::Command c;
    c.body = std::move(body);
    meta::Outcome o = meta::apply(&catalog_, catalog_.version + 1, c);
    if (o.error != Error::ok) std::abort();
    return o;
  }
  meta::Catalog catalog_;
  txn::Worker worker_;
  env::Outbox out_;
  Writer self_, one_;
  store::RowShape shape_;
  TableId table_ = 0;
  Time now_ = 0;
  std::uint64_t number_ = 1;
};

World& world() {
  static World w;
  return w;
}

void requests(benchmark::State& state, wire::Op kind) {
  World& w = world();
  Prng random(3);
  constexpr std::size_t kFrames = 256;
  std::vector<Writer> frames(kFrames);
  const std::uint64_t committed = w.counters().commits + w.counters().reads;
  std::uint64_t asked = 0;
  for (auto _ : state) {
    if (asked / kBatch % kFrames == 0) {
      state.PauseTiming();
      for (Writer& f : frames) {
        f.clear();
        for (std::uint32_t k = 0; k < kBatch; k++) w.put(f, kind, static_cast<std::uint32_t>(random.below(kRows)));
      }
      state.ResumeTiming();
    }
    const Writer& f = frames[asked / kBatch % kFrames];
    w.step([&] { w.deliver(f.view()); });
    asked += kBatch;
  }
  if (w.counters().commits + w.counters().reads - committed != asked)
    state.SkipWithError("not every request was carried out");
  state.SetItemsProcessed(static_cast<std::int64_t>(asked));
}
void worker_read(benchmark::State& state) { requests(state, wire::Op::read); }
void worker_replace(benchmark::State& state) { requests(state, wire::Op::replace); }
BENCHMARK(worker_read);
BENCHMARK(worker_replace);

// 64 rows share-locked, then let go of, as for a row that is on the move: a lock taken and given back, with the part
// that holds it and the look-up of the row.
void lock_table(benchmark::State& state) {
  World& w = world();
  Prng random(4);
  std::vector<std::uint32_t> held;
  w.worker().row_locked = [&](FragmentRef, std::uint32_t part, bool ok, Bytes, Bytes, std::uint64_t) {
    if (!ok) std::abort();
    held.push_back(part);
  };
  for (auto _ : state) {
    w.step([&] {
      for (std::uint32_t k = 0; k < kBatch; k++) w.lock(static_cast<std::uint32_t>(random.below(kRows)));
      for (const std::uint32_t part : held) w.worker().release_rows(part);
    });
    if (held.size() != kBatch) state.SkipWithError("not every row was locked");
    held.clear();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(lock_table);

}  // namespace

BENCHMARK_MAIN();
