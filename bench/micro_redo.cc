// The durable half of a worker alone: an entry into the redo log, the log read again, rows into a checkpoint.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "store/checkpoint.h"
#include "store/redo.h"

namespace {

using namespace ndb;
using namespace ndb::store;

// One worker step: 64 records of so many bytes, one block.
void redo_write(benchmark::State& state) {
  const std::string record(static_cast<std::size_t>(state.range(0)), 'r');
  RedoWriter w(0, 1);
  Sequence s = 0;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    for (int i = 0; i < 64; i++) w.record({7, 3}, ++s, 5, record);
    bytes += w.take(0, 5).size();
    w.clear();
  }
  state.SetItemsProcessed(state.iterations() * 64);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(redo_write)->Arg(40)->Arg(100)->Arg(1000);

void redo_walk(benchmark::State& state) {
  const std::string record(100, 'r');
  RedoWriter w(0, 1);
  for (Sequence s = 1; s <= 64; s++) w.record({7, 3}, s, 5, record);
  const std::string block(w.take(0, 5).substr(sizeof(RedoBlockHead)));
  std::uint64_t n = 0;
  for (auto _ : state) {
    Bytes rest = block;
    RedoEntry e;
    while (next_redo_entry(rest, &e)) n += e.sequence;
  }
  benchmark::DoNotOptimize(n);
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(redo_walk);

struct OneFragment : CheckpointWriter::Source {
  Fragment* fragment = nullptr;
  bool given = false;
  Fragment* next(CheckpointFragment* f, Writer&) override {
    if (given) return nullptr;
    given = true;
    f->ref = {7, 3};
    return fragment;
  }
};

void checkpoint_write(benchmark::State& state) {
  meta::Table t;
  for (int i = 0; i < 10; i++) {
    meta::Column c;
    c.name = "c" + std::to_string(i);
    c.type = meta::Type::uinteger;
    c.nullable = false;
    t.columns.push_back(c);
  }
  t.primary_key = {0, 1};
  const RowShape shape = *RowShape::make(t);
  Memory memory{std::uint64_t{1} << 30};
  Slab slab{memory};
  Fragment fragment{slab, memory, shape};
  char image[40] = {};
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  for (std::uint32_t n = 0; n < rows; n++) {
    save(image, n);
    const Bytes key(image, 8);
    if (fragment.put(key, shape.hash(key), {image, sizeof image}, n) != Error::ok) std::abort();
  }
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    OneFragment source;
    source.fragment = &fragment;
    CheckpointWriter w({}, source);
    while (!w.scanned()) benchmark::DoNotOptimize(w.step(256 << 10).data());
    w.end(1);
    bytes += w.bytes();
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(checkpoint_write)->Arg(100000);

}  // namespace

BENCHMARK_MAIN();
