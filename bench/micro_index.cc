// The hash index alone, without rows: what a look-up, an insert and the growth of a segment cost. The argument is the
// number of entries; a million does not fit the processor's caches.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "store/index.h"

namespace {

using namespace ndb;
using namespace ndb::store;

struct World {
  Memory memory{std::uint64_t{1} << 30};
  Slab slab{memory};
  HashIndex index{slab};
  std::vector<std::uint32_t> hashes;
  explicit World(std::size_t n) {
    Prng random(1);
    for (std::size_t i = 0; i < n; i++) hashes.push_back(static_cast<std::uint32_t>(random.next()));
  }
  void fill() {
    for (std::size_t i = 0; i < hashes.size(); i++) {
      if (!index.insert(hashes[i], static_cast<RowRef>(i + 1))) std::abort();
    }
  }
};

void index_hit(benchmark::State& state) {
  World w(static_cast<std::size_t>(state.range(0)));
  w.fill();
  std::size_t i = 0;
  for (auto _ : state) {
    const std::uint32_t h = w.hashes[i++ % w.hashes.size()];
    benchmark::DoNotOptimize(w.index.find(h, [](RowRef) { return true; }));
  }
}
BENCHMARK(index_hit)->Arg(1000)->Arg(1000000);

// As a worker does: the lines of sixteen are fetched before the first is touched.
void index_hit_prefetched(benchmark::State& state) {
  World w(static_cast<std::size_t>(state.range(0)));
  w.fill();
  std::size_t i = 0;
  for (auto _ : state) {
    for (std::size_t k = 0; k < 16; k++) w.index.prefetch(w.hashes[(i + k) % w.hashes.size()]);
    for (std::size_t k = 0; k < 16; k++) {
      benchmark::DoNotOptimize(w.index.find(w.hashes[(i + k) % w.hashes.size()], [](RowRef) { return true; }));
    }
    i += 16;
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(index_hit_prefetched)->Arg(1000)->Arg(1000000);

void index_miss(benchmark::State& state) {
  World w(static_cast<std::size_t>(state.range(0)));
  w.fill();
  Prng random(2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        w.index.find(static_cast<std::uint32_t>(random.next()), [](RowRef r) { return r == UINT32_MAX; }));
  }
}
BENCHMARK(index_miss)->Arg(1000)->Arg(1000000);

// Growth included: from nothing to so many. `longest_us` is the slowest insert, a split of a segment or a doubling of
// the directory: there is no stop to hash everything anew.
void index_insert_and_grow(benchmark::State& state) {
  double longest = 0, bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    World w(static_cast<std::size_t>(state.range(0)));
    state.ResumeTiming();
    w.fill();
    bytes = static_cast<double>(w.index.bytes()) / static_cast<double>(w.hashes.size());
  }
  World w(static_cast<std::size_t>(state.range(0)));
  for (std::size_t i = 0; i < w.hashes.size(); i++) {
    const auto begin = std::chrono::steady_clock::now();
    if (!w.index.insert(w.hashes[i], static_cast<RowRef>(i + 1))) std::abort();
    longest =
        std::max(longest, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes_per_entry"] = bytes;
  state.counters["longest_us"] = longest;
}
BENCHMARK(index_insert_and_grow)->Arg(10000)->Arg(1000000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
