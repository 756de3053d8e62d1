// The row store alone: one worker's fragment with rows of 40 bytes (a key of two integers, eight more columns).
// The argument is the number of rows. `bytes_per_row` is all of DataMemory in use, `own_bytes_per_row` what the
// fragment counts.
#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>

#include "base/prng.h"
#include "store/filter.h"
#include "store/fragment.h"

namespace {

using namespace ndb;
using namespace ndb::store;

constexpr std::size_t kImage = 40;

const RowShape& shape() {
  static const RowShape s = [] {
    meta::Table t;
    for (int i = 0; i < 10; i++) {
      meta::Column c;
      c.name = "c" + std::to_string(i);
      c.type = meta::Type::uinteger;
      c.nullable = false;
      t.columns.push_back(c);
    }
    t.primary_key = {0, 1};
    return *RowShape::make(t);
  }();
  return s;
}

struct Image {
  char bytes[kImage] = {};
  explicit Image(std::uint32_t n, std::uint32_t v = 7) {
    save(bytes, n);
    save(bytes + 4, n * 3);
    for (std::size_t i = 8; i < kImage; i += 4) save(bytes + i, v + static_cast<std::uint32_t>(i));
  }
  Bytes view() const { return {bytes, kImage}; }
  Bytes key() const { return {bytes, 8}; }
};

struct World {
  Memory memory{std::uint64_t{8} << 30};
  Slab slab{memory};
  Fragment fragment{slab, memory, shape()};
  void put(std::uint32_t n, std::uint32_t v = 7) {
    const Image i(n, v);
    if (fragment.put(i.key(), shape().hash(i.key()), i.view(), n) != Error::ok) std::abort();
  }
};

std::unique_ptr<World> filled(std::uint32_t rows) {
  auto w = std::make_unique<World>();
  for (std::uint32_t i = 0; i < rows; i++) w->put(i);
  return w;
}

std::vector<std::uint32_t> shuffled(std::uint32_t rows) {
  std::vector<std::uint32_t> v(rows);
  std::iota(v.begin(), v.end(), 0u);
  Prng random(1);
  for (std::size_t i = v.size(); i > 1; i--) std::swap(v[i - 1], v[random.below(i)]);
  return v;
}

void per_row(benchmark::State& state, const World& w) {
  const double n = static_cast<double>(w.fragment.rows());
  state.counters["bytes_per_row"] = static_cast<double>(w.memory.used_bytes()) / n;
  state.counters["own_bytes_per_row"] = static_cast<double>(w.fragment.bytes()) / n;
}

// From empty to that many rows: splits, fresh pages and page faults included.
void insert(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  std::unique_ptr<World> w;
  for (auto _ : state) {
    state.PauseTiming();
    w = std::make_unique<World>();
    state.ResumeTiming();
    for (std::uint32_t i = 0; i < rows; i++) w->put(i);
  }
  state.SetItemsProcessed(state.iterations() * rows);
  per_row(state, *w);
}

// The same as a batch of 32 with prefetching, as the worker does.
void insert_batched(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  std::unique_ptr<World> w;
  for (auto _ : state) {
    state.PauseTiming();
    w = std::make_unique<World>();
    state.ResumeTiming();
    Fragment& f = w->fragment;
    std::uint64_t hash[32];
    for (std::uint32_t i = 0; i + 32 <= rows; i += 32) {
      for (std::uint32_t k = 0; k < 32; k++) {
        const Image image(i + k);
        hash[k] = shape().hash(image.key());
        f.prefetch(hash[k]);
      }
      for (std::uint32_t k = 0; k < 32; k++) {
        const Image image(i + k);
        f.put(image.key(), hash[k], image.view(), i);
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * rows);
}

void hit(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto w = filled(rows);
  const auto order = shuffled(rows);
  std::size_t i = 0;
  for (auto _ : state) {
    const Image image(order[i]);
    if (++i == order.size()) i = 0;
    RowRef r = w->fragment.find(image.key(), shape().hash(image.key()));
    benchmark::DoNotOptimize(w->fragment.row(r)->sequence);
  }
  state.SetItemsProcessed(state.iterations());
}

void hit_batched(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto w = filled(rows);
  const auto order = shuffled(rows);
  const Fragment& f = w->fragment;
  std::uint64_t hash[32];
  std::size_t i = 0;
  for (auto _ : state) {
    for (std::size_t k = 0; k < 32; k++) {
      hash[k] = shape().hash(Image(order[i + k]).key());
      f.prefetch(hash[k]);
    }
    for (std::size_t k = 0; k < 32; k++) f.prefetch_row(hash[k]);
    for (std::size_t k = 0; k < 32; k++) {
      const Image image(order[i + k]);
      RowRef r = f.find(image.key(), hash[k]);
      benchmark::DoNotOptimize(f.row(r)->sequence);
    }
    i += 32;
    if (i + 32 > order.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations() * 32);
}

void miss(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto w = filled(rows);
  std::uint32_t i = rows;
  for (auto _ : state) {
    const Image image(i++);
    benchmark::DoNotOptimize(w->fragment.find(image.key(), shape().hash(image.key())));
  }
  state.SetItemsProcessed(state.iterations());
}

void update_in_place(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto w = filled(rows);
  const auto order = shuffled(rows);
  std::size_t i = 0;
  for (auto _ : state) {
    w->put(order[i], static_cast<std::uint32_t>(i));
    if (++i == order.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

void erase(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto order = shuffled(rows);
  for (auto _ : state) {
    state.PauseTiming();
    auto w = filled(rows);
    state.ResumeTiming();
    for (std::uint32_t n : order) {
      const Image image(n);
      w->fragment.remove(image.key(), shape().hash(image.key()));
    }
    state.PauseTiming();
    w.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * rows);
}

void scan(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto w = filled(rows);
  FilterWriter fw;
  fw.compare(2, Compare::gt, Value::of_int(5));
  const auto filter = Filter::parse(fw.view(), shape());
  std::vector<RowRef> out;
  std::uint64_t seen = 0;
  for (auto _ : state) {
    for (std::uint64_t cursor = 0; cursor != kScanEnd;) {
      out.clear();
      cursor = w->fragment.scan(cursor, out);
      for (RowRef r : out) seen += filter->matches(w->fragment.image(r)) ? 1u : 0u;
    }
  }
  benchmark::DoNotOptimize(seen);
  state.SetItemsProcessed(state.iterations() * rows);
}

void filter_integer(benchmark::State& state) {
  FilterWriter fw;
  fw.compare(2, Compare::gt, Value::of_int(5));
  const auto filter = Filter::parse(fw.view(), shape());
  const Image image(1);
  for (auto _ : state) {
    Bytes b = image.view();
    benchmark::DoNotOptimize(b);
    benchmark::DoNotOptimize(filter->matches(b));
  }
}

void apply_patch(benchmark::State& state) {
  Writer patch, out;
  if (shape().encode_patch(3, Value::of_uint(9), patch) != Error::ok) std::abort();
  const Image image(1);
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(shape().apply_update(image.view(), patch.view(), out));
  }
}

void valid_image(benchmark::State& state) {
  const Image image(1);
  for (auto _ : state) {
    Bytes b = image.view();
    benchmark::DoNotOptimize(b);
    benchmark::DoNotOptimize(shape().valid_image(b));
  }
}

BENCHMARK(insert)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(insert_batched)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(hit)->Arg(1'000)->Arg(10'000)->Arg(1'000'000);
BENCHMARK(hit_batched)->Arg(1'000)->Arg(1'000'000);
BENCHMARK(miss)->Arg(1'000)->Arg(1'000'000);
BENCHMARK(update_in_place)->Arg(1'000)->Arg(1'000'000);
BENCHMARK(erase)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(scan)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(filter_integer);
BENCHMARK(apply_patch);
BENCHMARK(valid_image);

}  // namespace

BENCHMARK_MAIN();
