// What every operation pays on its way through a process: hashes, the codec, frames, the outbox. Bytes are those of a
// read by an 8-byte key and of a record with a 40-byte row.
#include <benchmark/benchmark.h>

#include <string>

#include "base/hash.h"
#include "env/machine.h"
#include "txn/messages.h"
#include "txn/record.h"
#include "wire/frame.h"
#include "wire/messages.h"

namespace {

using namespace ndb;

// --- hashes
void hash_key(benchmark::State& state) {
  const std::string key(static_cast<std::size_t>(state.range(0)), 'k');
  for (auto _ : state) benchmark::DoNotOptimize(key_hash(key));
}
BENCHMARK(hash_key)->Arg(4)->Arg(8)->Arg(40)->Arg(400);

void hash_crc32c(benchmark::State& state) {
  const std::string block(static_cast<std::size_t>(state.range(0)), 'b');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(block));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hash_crc32c)->Arg(64)->Arg(4096)->Arg(65536);

// --- codec: one read request, written and read again
constexpr std::size_t kKey = 8;

void put_execute(Writer& w, std::uint64_t n) {
  const std::size_t at = wire::begin_message(w, wire::Type::execute, 0, 0);
  w.put(wire::Execute{static_cast<std::uint32_t>(n), wire::kBegin | wire::kCommit, 0, 1, n});
  w.put(wire::Operation{wire::Op::read, 0, kKey, 0, 1, n});
  w.put(n);
  wire::end_message(w, at);
}

void codec_encode(benchmark::State& state) {
  Writer w;
  std::uint64_t n = 0;
  for (auto _ : state) {
    put_execute(w, ++n);
    if (w.size() > 60000) w.clear();
  }
}
BENCHMARK(codec_encode);

void codec_decode(benchmark::State& state) {
  Writer w;
  for (std::uint64_t n = 0; n < 64; n++) put_execute(w, n);
  std::uint64_t sum = 0;
  for (auto _ : state) {
    Bytes rest = w.view();
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      const auto head = load<wire::Execute>(m.body.data());
      const auto op = load<wire::Operation>(m.body.data() + sizeof head);
      sum += head.number + op.hash;
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(codec_decode);

// --- a frame of a replication stream: records written, sealed, opened and walked, as primary and backup do
void stream_frame(benchmark::State& state) {
  const auto records = static_cast<std::uint32_t>(state.range(0));
  const std::string image(40, 'i');
  Writer w;
  char header[wire::kFrameHeaderBytes];
  std::string input;
  std::uint64_t seen = 0;
  for (auto _ : state) {
    w.clear();
    const std::size_t at = wire::begin_message(w, wire::Type::stream, 0, 0);
    w.put(txn::Stream{1, 0, 0, 7, 1, 0});
    w.u32(records);
    for (std::uint32_t i = 0; i < records; i++) {
      txn::RecordHead h{};
      h.bytes = static_cast<std::uint32_t>(sizeof h + sizeof(txn::Change) + image.size());
      h.kind = txn::RecordKind::write;
      h.changes = 1;
      h.number = i;
      w.put(h);
      w.put(txn::Change{txn::ChangeKind::put, 0, 0, static_cast<std::uint32_t>(image.size()), i});
      w.raw(image);
    }
    wire::end_message(w, at);
    wire::seal_frame(header, w.view(), 5);
    input.assign(header, sizeof header);
    input.append(w.view());
    wire::FrameHeader f{};
    if (wire::open_frame(input, &f) != wire::FrameState::whole) std::abort();
    Bytes payload = Bytes(input).substr(wire::kFrameHeaderBytes, f.payload_bytes);
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(payload, &m, &damaged)) {
      Bytes rest = m.body.substr(sizeof(txn::Stream) + 4);
      txn::RecordHead h;
      Bytes body;
      while (txn::next_record(rest, &h, &body)) seen += h.number;
    }
  }
  benchmark::DoNotOptimize(seen);
  state.SetItemsProcessed(state.iterations() * records);
}
BENCHMARK(stream_frame)->Arg(1)->Arg(64)->Arg(1024);

// --- outbox: 64 answers over some links in one step, drained as the shell does
void outbox(benchmark::State& state) {
  const auto links = static_cast<env::LinkId>(state.range(0));
  env::Outbox out;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    out.begin_step();
    for (std::uint32_t i = 0; i < 64; i++) {
      Writer& w = out.link(1 + i % links);
      const std::size_t at = wire::begin_message(w, wire::Type::execute_reply, 0, 0);
      w.put(wire::ExecuteReply{i, Error::ok, wire::TxnState::committed, 0, 1, 0, 7});
      wire::end_message(w, at);
    }
    for (const env::LinkId id : out.touched()) {
      env::Outbox::Out& slot = out.slot(id);
      bytes += slot.bytes.size();
      slot.bytes.clear();
      slot.touched = false;
    }
    out.touched().clear();
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(outbox)->Arg(1)->Arg(4)->Arg(64);

}  // namespace

BENCHMARK_MAIN();
