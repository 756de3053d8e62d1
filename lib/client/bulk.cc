// Batches and scans of the blocking API.
#include <unordered_map>

#include "client/cluster.h"
#include "client/core.h"

namespace ndb::client {

namespace {
constexpr std::size_t kBatchInFlight = 256;
constexpr std::size_t kBatchGroup = 64;  // operations that are handed to the machine together
}  // namespace

struct Batch::State {
  std::shared_ptr<detail::Core> core;
  struct One {
    wire::Op op;
    TableId table;
    std::uint64_t hash;
    std::size_t key, payload, end;  // offsets in bytes
    std::uint64_t number;
  };
  std::vector<One> waiting;
  Writer bytes;                                          // of the waiting ones
  std::vector<std::pair<Handle, std::uint64_t>> flying;  // and their numbers
  std::vector<Failed> failed;
  std::uint64_t committed = 0;
  Writer key, payload;

  // REQUIRES: the machine may be touched.
  void take_answers() {
    for (std::size_t i = 0; i < flying.size();) {
      detail::Answer& a = core->answer(flying[i].first);
      if (!a.ready) {
        i++;
        continue;
      }
      a.ready = false;
      if (a.state == wire::TxnState::committed && a.error == Error::ok)
        committed++;
      else
        failed.push_back({flying[i].second, a.error == Error::ok ? Error::txn_aborted : a.error});
      core->machine().release(flying[i].first);
      flying[i] = flying.back();
      flying.pop_back();
    }
  }
  void send_waiting() {
    std::size_t sent = 0;
    core->with([&](ClientMachine& m) {
      take_answers();
      while (sent < waiting.size() && flying.size() < kBatchInFlight) {
        const One& o = waiting[sent];
        const Handle h = m.open();
        if (h == kNoHandle) break;
        Bytes all = bytes.view();
        m.add(h, o.op, o.table, o.hash, all.substr(o.key, o.payload - o.key), all.substr(o.payload, o.end - o.payload));
        core->answer(h).ready = false;
        m.send(h, wire::kCommit);
        flying.emplace_back(h, o.number);
        sent++;
      }
    });
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(sent));
    if (waiting.empty()) bytes.clear();
  }
  // Until nothing waits and at most `most` are in flight.
  void drain(std::size_t most) {
    while (true) {
      send_waiting();
      if (waiting.empty() && flying.size() <= most) return;
      core->wait(kNever, [&] {
        for (const auto& [h, number] : flying) {
          if (core->answer(h).ready) return true;
        }
        return flying.empty();
      });
    }
  }
};

Batch::Batch(std::shared_ptr<detail::Core> core) : state_(std::make_unique<State>()) { state_->core = std::move(core); }
Batch::Batch(Batch&&) noexcept = default;
Batch::~Batch() {
  if (state_) state_->drain(0);
}

void Batch::add(wire::Op op, const Table& t, Bytes key, Bytes payload, std::uint64_t number) {
  State& s = *state_;
  if (!t.shape().valid_key(key)) {
    s.failed.push_back({number, Error::bad_row_image});
    return;
  }
  State::One o{op, t.id(), t.shape().hash(key), s.bytes.size(), 0, 0, number};
  s.bytes.raw(key);
  o.payload = s.bytes.size();
  s.bytes.raw(payload);
  o.end = s.bytes.size();
  s.waiting.push_back(o);
  if (s.waiting.size() >= kBatchGroup) s.drain(kBatchInFlight - kBatchGroup);
}

void Batch::change(wire::Op op, const Table& t, Values row, std::uint64_t number) {
  State& s = *state_;
  s.payload.clear();
  if (Error e = t.shape().encode(row, s.payload); e != Error::ok) {
    s.failed.push_back({number, e});
    return;
  }
  store::KeyBuffer buffer;
  add(op, t, t.shape().key_of(s.payload.view(), buffer), s.payload.view(), number);
}

void Batch::update(const Table& t, Values key, Changes changes, std::uint64_t number) {
  State& s = *state_;
  s.key.clear();
  s.payload.clear();
  Error e = t.shape().encode_key(key, s.key);
  for (const auto& [column, value] : changes) {
    if (e != Error::ok) break;
    e = column < t.shape().columns() ? t.shape().encode_patch(column, value, s.payload) : Error::no_such_column;
  }
  if (e != Error::ok)
    s.failed.push_back({number, e});
  else
    add(wire::Op::update, t, s.key.view(), s.payload.view(), number);
}

void Batch::remove(const Table& t, Values key, std::uint64_t number) {
  State& s = *state_;
  s.key.clear();
  if (Error e = t.shape().encode_key(key, s.key); e != Error::ok)
    s.failed.push_back({number, e});
  else
    add(wire::Op::remove, t, s.key.view(), {}, number);
}

std::vector<Batch::Failed> Batch::finish() {
  state_->drain(0);
  return std::move(state_->failed);
}

std::uint64_t Batch::committed() const { return state_->committed; }

Scan::Scan(Scan&& o) noexcept { *this = std::move(o); }
Scan& Scan::operator=(Scan&& o) noexcept {
  std::swap(core_, o.core_);
  std::swap(scan_, o.scan_);
  std::swap(rows_, o.rows_);
  std::swap(at_, o.at_);
  std::swap(temporary_, o.temporary_);
  return *this;
}
Scan::~Scan() {
  if (core_ && scan_ != kNoScan) {
    core_->with([&](ClientMachine& m) { m.scan_close(scan_); });
  }
}

Result<bool> Scan::next(Bytes* image) {
  while (true) {
    if (rows_.size() - at_ >= sizeof(std::uint32_t)) {
      const std::uint32_t n = load<std::uint32_t>(rows_.data() + at_);
      if (rows_.size() - at_ - sizeof n < n) return Failure{Error::bad_message, {}};
      *image = Bytes(rows_).substr(at_ + sizeof n, n);
      at_ += sizeof n + n;
      return true;
    }
    ScanState state = ScanState::opening;
    Error error = Error::ok;
    bool got = false;
    core_->wait(kNever, [&] {
      ClientMachine& m = core_->machine();
      Bytes rows;
      std::uint32_t count = 0;
      state = m.scan_state(scan_);
      error = m.scan_error(scan_);
      got = m.scan_batch(scan_, &rows, &count);
      if (got) rows_.assign(rows);
      return got || state == ScanState::finished || state == ScanState::failed;
    });
    if (!got) {
      if (state == ScanState::finished) return false;
      temporary_ = is_temporary(error);
      return Failure{error, {}};
    }
    at_ = 0;
    core_->with([&](ClientMachine& m) { m.scan_drop(scan_); });  // the next one is on its way meanwhile
  }
}

}  // namespace ndb::client
