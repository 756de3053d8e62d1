#include "driver.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "store/filter.h"

namespace bench {

using namespace ndb;

namespace {
constexpr std::size_t kRowBytes = 40;
constexpr Time kTick = 300 * kMicrosecond;     // of the clock that feeds a fixed rate: what it delays counts as latency
constexpr std::uint64_t kStride = 2654435761;  // prime: rows are visited in a scattered order, each once

os::LoopOptions quiet_options() {
  os::LoopOptions o;
  o.log_from = env::Severity::critical;
  return o;
}

std::int32_t column_value(std::uint64_t row, int column, std::int32_t generation) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(row) * 16u + static_cast<std::uint32_t>(column)) ^
         generation;
}
}  // namespace

Driver::Driver(client::ClientOptions options)
    : client_(options), quiet_(quiet_options()), loop_(*this, quiet_), prng_(options.seed), flights_(options.slots) {}

Driver::~Driver() = default;

void Driver::step(Time now, const env::Event& event, env::Outbox& out) {
  client_.step(now, event, out);
  if (!active_) return;
  drain(now);
  fill(now);
  client_.flush(now, out);
  if (work_.rate > 0 && next_ < end_) out.wake_at(std::max(due(), next_tick_));
}

std::string Driver::connect(const std::string& name, Time timeout) {
  const Time deadline = os::Loop::now() + timeout;
  while (true) {
    if (auto c = client_.catalog()) {
      if (const meta::Table* t = c->table(name)) {
        table_.id = t->id;
        auto shape = store::RowShape::make(*t);
        if (!shape) return shape.failure().sentence();
        table_.shape = *shape;
        if (table_.shape.image_bytes_min() != kRowBytes) return "the table's rows are not those of the benchmark";
        return {};
      }
    }
    if (os::Loop::now() > deadline) {
      return client_.trouble().empty() ? "table '" + name + "' does not appear" : client_.trouble();
    }
    client_.refresh();
    loop_.step(env::Event{});
    loop_.run_once(20 * kMillisecond);
  }
}

void Driver::make_image(std::uint64_t row, std::int32_t generation, char* image) const {
  save<std::int32_t>(image, static_cast<std::int32_t>(row));
  save<std::int32_t>(image + 4, static_cast<std::int32_t>(row * 7));
  for (int c = 0; c < 8; c++) save<std::int32_t>(image + 8 + 4 * c, column_value(row, c, generation));
}

void Driver::add_operation(client::Handle h, Kind kind, std::uint64_t row) {
  char image[kRowBytes];
  make_image(row, work_.new_generation, image);
  const Bytes key(image, 8);
  const std::uint64_t hash = key_hash(key);
  switch (kind) {
    case Kind::insert:
      client_.add(h, wire::Op::insert, table_.id, hash, key, {image, kRowBytes});
      break;
    case Kind::update:
    case Kind::multi:
      client_.add(h, wire::Op::replace, table_.id, hash, key, {image, kRowBytes});
      break;
    case Kind::remove:
      client_.add(h, wire::Op::remove, table_.id, hash, key);
      break;
    default:
      client_.add(h, wire::Op::read, table_.id, hash, key);
      break;
  }
}

FragmentId Driver::fragment_of(std::uint64_t row) const {
  char image[kRowBytes];
  make_image(row, 0, image);
  return client_.routing().write(table_.id, key_hash({image, 8})).fragment;
}

void Driver::submit(Time start) {
  const client::Handle h = client_.open();
  NDB_CHECK(h != client::kNoHandle);
  const std::uint64_t n = next_++;
  Kind kind = work_.kind;
  if (kind == Kind::mix) kind = prng_.below(100) < work_.read_percent ? Kind::read : Kind::update;
  FragmentId last = 0;
  for (std::uint32_t i = 0; i < work_.per_transaction; i++) {
    const bool random = work_.kind == Kind::mix || work_.kind == Kind::multi;
    std::uint64_t row = random ? prng_.below(work_.rows) : row_of(n * work_.per_transaction + i);
    if (work_.kind == Kind::multi) {  // neighbours in the transaction lie in different fragments
      while (i > 0 && fragment_of(row) == last) row = prng_.below(work_.rows);
      last = fragment_of(row);
    }
    add_operation(h, kind, row);
  }
  flights_[h] = {start, n, kind == Kind::read};
  client_.send(h, static_cast<std::uint8_t>(wire::kCommit | (work_.durable ? wire::kDurable : 0)));
  flying_++;
}

// At a fixed rate: when the next transaction should leave.
Time Driver::due() const {
  return started_ + static_cast<Time>(static_cast<double>(next_ - work_.first) / work_.rate * 1e9);
}

void Driver::fill(Time now) {
  if (work_.rate > 0) {
    if (now < next_tick_) return;  // an answer is no reason to send a frame with what is due since the last one
    next_tick_ = now + kTick;
    // The latency counts from when the transaction should have left: a stall delays all that follow it.
    for (Time t; next_ < end_ && flying_ < work_.inflight && (t = due()) <= now;) submit(t);
    return;
  }
  while (next_ < end_ && flying_ < work_.inflight) submit(now);
}

void Driver::check_rows(const client::StepResult& r, std::uint64_t transaction) {
  client::ResultReader rows(r);
  Error e;
  Bytes image;
  for (std::uint32_t i = 0; rows.next(&e, &image); i++) {
    char expected[kRowBytes];
    make_image(row_of(transaction * work_.per_transaction + i), work_.generation, expected);
    if (e != Error::ok || image != Bytes(expected, kRowBytes)) report_.wrong++;
  }
  if (r.results != work_.per_transaction) report_.wrong++;
}

void Driver::drain(Time now) {
  while (const client::StepResult* r = client_.take()) {
    const Flight f = flights_[r->handle];
    report_.latency.add(now - f.start);
    report_.transactions++;
    report_.operations += work_.per_transaction;
    if (r->error != Error::ok || r->state != wire::TxnState::committed) {
      if (report_.errors++ == 0) report_.first_error = std::string(error_info(r->error).sentence);
    } else if (f.reads && work_.check && work_.kind == Kind::read) {
      check_rows(*r, f.transaction);
    }
    client_.release(r->handle);
    flying_--;
  }
}

// One counting scan after the other, with a filter that half of the rows pass.
void Driver::run_scans(const Work& work) {
  store::FilterWriter filter;
  filter.compare(0, store::Compare::lt, store::Value::of_int(static_cast<std::int64_t>(work.rows / 2)));
  for (std::uint64_t i = 0; i < work.operations; i++) {
    const Time start = os::Loop::now();
    client::ScanOptions o;
    o.filter = std::string(filter.view());
    o.count_only = true;
    const auto s = client_.scan_open(table_.id, o);
    NDB_CHECK(s != client::kNoScan);
    loop_.step(env::Event{});
    while (client_.scan_state(s) == client::ScanState::opening || client_.scan_state(s) == client::ScanState::running) {
      loop_.run_once(100 * kMillisecond);
    }
    report_.rows_scanned += client_.scan_scanned(s);
    report_.operations++;
    report_.transactions++;
    report_.latency.add(os::Loop::now() - start);
    if (client_.scan_state(s) == client::ScanState::failed) {
      report_.errors++;
      report_.first_error = std::string(error_info(client_.scan_error(s)).sentence);
    } else if (client_.scan_rows(s) != work.rows / 2) {
      report_.wrong++;
    }
    client_.scan_close(s);
    loop_.step(env::Event{});
  }
}

void Driver::warm_up() {
  Work w;
  w.kind = Kind::mix;
  w.read_percent = 100;
  w.rows = 1000;
  w.operations = 64;
  w.check = false;
  run(w);
}

Report Driver::run(const Work& work) {
  work_ = work;
  report_ = Report{};
  stride_ = kStride % work.rows;
  while (stride_ == 0 || std::gcd(stride_, work.rows) != 1) stride_++;
  if (work.kind == Kind::scan) {
    run_scans(work);
    return std::move(report_);
  }
  next_ = work.first;
  end_ = work.first + work.operations / work.per_transaction;
  started_ = os::Loop::now();
  active_ = true;
  loop_.step(env::Event{});
  while (next_ < end_ || flying_ > 0) loop_.run_once(kSecond);
  active_ = false;
  return std::move(report_);
}

}  // namespace bench
