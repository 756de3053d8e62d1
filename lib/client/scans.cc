// Scans: a cursor for each fragment, all opened under one view, then read a few at a time.
//
// A request number of a scan: bit 31 · 8 bits scan · 11 bits cursor · 12 bits generation of the opening.
#include <algorithm>

#include "base/check.h"
#include "client/machine.h"

namespace ndb::client {

namespace {
constexpr std::uint32_t kScanBit = std::uint32_t{1} << 31;
static_assert(limits::kFragmentsMax <= 1u << 11 && limits::kClientScansMax < 256);

std::uint32_t request_number(std::uint32_t scan, std::size_t cursor, std::uint16_t generation) {
  return kScanBit | scan << 23 | static_cast<std::uint32_t>(cursor) << 12 | (generation & 0xfffu);
}
}  // namespace

ScanHandle ClientMachine::scan_open(TableId table, ScanOptions options, std::uint64_t tag) {
  ScanHandle h = 0;
  while (h < scans_.size() && scans_[h]->used) h++;
  if (h == limits::kClientScansMax) return kNoScan;
  if (h == scans_.size()) scans_.push_back(std::make_unique<Scan>());
  Scan& s = *scans_[h];
  s.used = true;
  s.state = ScanState::opening;
  s.error = Error::ok;
  s.delivered = false;
  s.generation++;
  s.attempts = 0;
  s.table = table;
  s.options = std::move(options);
  if (s.options.parallel == 0) s.options.parallel = 1;
  s.tag = tag;
  s.rows = 0;
  s.deadline = 0;
  s.next_try = 0;
  s.cursors.clear();
  while (!s.batches.empty()) {
    s.spare.push_back(std::move(s.batches.front()));
    s.batches.pop_front();
  }
  scans_ready_.push_back(h);
  return h;
}

bool ClientMachine::scan_batch(ScanHandle h, Bytes* rows, std::uint32_t* count) {
  Scan& s = *scans_[h];
  if (s.batches.empty()) return false;
  s.delivered = true;
  *rows = s.batches.front().bytes.view();
  *count = s.batches.front().rows;
  return true;
}

void ClientMachine::scan_drop(ScanHandle h) {
  Scan& s = *scans_[h];
  NDB_CHECK(!s.batches.empty());
  s.spare.push_back(std::move(s.batches.front()));
  s.batches.pop_front();
  scans_ready_.push_back(h);
}

std::uint64_t ClientMachine::scan_scanned(ScanHandle h) const {
  std::uint64_t n = 0;
  for (const Cursor& c : scans_[h]->cursors) n += c.scanned;
  return n;
}

void ClientMachine::scan_close(ScanHandle h) {
  Scan& s = *scans_[h];
  if (!s.used) return;
  for (const Cursor& c : s.cursors) {
    if (c.link != 0 && (c.state == CursorState::open || c.state == CursorState::reading)) {
      scans_to_close_.push_back({c.link, {c.route.worker, c.scan}});
    }
  }
  s.used = false;
  s.generation++;
  s.cursors.clear();
}

void ClientMachine::flush_scan(Scan& s, ScanHandle h, Time now, env::Outbox& out) {
  if (s.deadline == 0) s.deadline = now + options_.deadline;
  if (s.state == ScanState::opening) {
    if (s.cursors.empty() && now >= s.next_try)
      open_cursors(s, h, now, out);
    else if (s.cursors.empty())
      next_tick_ = std::min(next_tick_, s.next_try);
  }
  if (s.state == ScanState::running) read_cursors(s, h, now, out);
}

// All or nothing: every primary has to be connected before the first scan_open leaves.
void ClientMachine::open_cursors(Scan& s, ScanHandle h, Time now, env::Outbox& out) {
  auto later = [&] {
    s.cursors.clear();
    s.attempts = static_cast<std::uint16_t>(std::min(s.attempts + 1, 1000));
    Time most = std::min<Time>(limits::kClientBackOffMin << std::min<int>(s.attempts, 6), limits::kClientBackOffMax);
    s.next_try = now + most / 2 + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(most / 2) + 1));
    next_tick_ = std::min(next_tick_, s.next_try);
  };
  if (!catalog_ || !routing_->knows(s.table)) {
    if (catalog_ && s.attempts > 8) {
      s.state = ScanState::failed;
      s.error = Error::no_such_table;
      return;
    }
    refresh();
    later();
    return;
  }
  bool all_up = true;
  for (FragmentId f : routing_->scanned(s.table)) {
    Cursor c;
    c.route = routing_->fragment(s.table, f);
    if (c.route.node == 0) refresh();
    Peer* p = up(c.route, now, out);
    if (p == nullptr)
      all_up = false;
    else
      c.link = p->link;
    s.cursors.push_back(c);
  }
  if (!all_up) {
    later();
    return;
  }
  s.generation++;
  s.rows = 0;
  for (std::size_t i = 0; i < s.cursors.size(); i++) {
    Cursor& c = s.cursors[i];
    Writer& w = out.link(c.link);
    auto at = wire::begin_message(w, wire::Type::scan_open, c.route.worker, 0);
    wire::ScanOpen open{};
    open.request = request_number(h, i, s.generation);
    open.table = s.table;
    open.fragment = c.route.fragment;
    open.batch_rows = s.options.batch_rows;
    open.view = routing_->view(s.table);
    open.filter_bytes = static_cast<std::uint32_t>(s.options.filter.size());
    open.flags = s.options.count_only ? wire::kScanCountOnly : std::uint8_t{0};
    w.put(open);
    w.raw(s.options.filter);
    wire::end_message(w, at);
    c.state = CursorState::opening;
    c.sent_at = now;
  }
}

void ClientMachine::read_cursors(Scan& s, ScanHandle h, Time now, env::Outbox& out) {
  std::size_t reading = 0;
  bool left = false;
  for (const Cursor& c : s.cursors) {
    if (c.state == CursorState::reading) reading++;
    if (c.state != CursorState::done) left = true;
  }
  if (!left) {
    s.state = ScanState::finished;
    return;
  }
  for (std::size_t i = 0; i < s.cursors.size(); i++) {
    // What has arrived and what is on its way together stay within the parallelism.
    if (reading + s.batches.size() >= s.options.parallel) break;
    Cursor& c = s.cursors[i];
    if (c.state != CursorState::open) continue;
    Writer& w = out.link(c.link);
    auto at = wire::begin_message(w, wire::Type::scan_next, c.route.worker, 0);
    w.put(wire::ScanNext{request_number(h, i, s.generation), c.scan});
    wire::end_message(w, at);
    c.state = CursorState::reading;
    c.sent_at = now;
    reading++;
  }
}

void ClientMachine::on_scan_batch(Time now, Peer& p, WorkerId from, Bytes body, env::Outbox& out) {
  if (body.size() < sizeof(wire::ScanBatch)) return;
  const auto head = load<wire::ScanBatch>(body.data());
  saw_view(head.view);
  const ScanHandle h = head.request >> 23 & 0xff;
  const std::size_t i = head.request >> 12 & 0x7ff;
  const bool known = (head.request & kScanBit) != 0 && h < scans_.size() && scans_[h]->used &&
                     (scans_[h]->generation & 0xfffu) == (head.request & 0xfffu) && i < scans_[h]->cursors.size();
  if (!known) {
    // Of a scan that was closed or opened again meanwhile: the node need not keep it.
    if (head.error == Error::ok && head.done == 0 && (head.request & kScanBit) != 0) {
      scans_to_close_.push_back({p.link, {from, head.scan}});
    }
    return;
  }
  Scan& s = *scans_[h];
  Cursor& c = s.cursors[i];
  if (head.error != Error::ok) {
    c.state = CursorState::done;
    scan_failed(s, h, now, head.error, out);
    return;
  }
  c.scanned = head.scanned;
  if (c.state == CursorState::opening) {
    c.scan = head.scan;
    c.state = CursorState::open;
    if (std::all_of(s.cursors.begin(), s.cursors.end(), [](const Cursor& x) { return x.state == CursorState::open; })) {
      s.state = ScanState::running;
    }
  } else if (c.state == CursorState::reading) {
    s.rows += head.rows;
    if (head.rows > 0 && body.size() > sizeof head) {
      Batch b;
      if (!s.spare.empty()) {
        b = std::move(s.spare.back());
        s.spare.pop_back();
      }
      b.bytes.clear();
      b.bytes.raw(body.substr(sizeof head));
      b.rows = head.rows;
      s.batches.push_back(std::move(b));
    }
    c.state = head.done != 0 ? CursorState::done : CursorState::open;
  }
  if (s.state == ScanState::running) scans_ready_.push_back(h);
}

void ClientMachine::close_cursors(Scan& s, ScanHandle, env::Outbox&) {
  for (const Cursor& c : s.cursors) {
    if (c.link != 0 && (c.state == CursorState::open || c.state == CursorState::reading)) {
      scans_to_close_.push_back({c.link, {c.route.worker, c.scan}});
    }
  }
  s.cursors.clear();
}

// Before the owner has seen a row everything is opened again; later that would show rows twice.
void ClientMachine::scan_failed(Scan& s, ScanHandle h, Time now, Error e, env::Outbox& out) {
  close_cursors(s, h, out);
  s.generation++;
  s.error = e;
  if (e == Error::stale_view || e == Error::not_ready) refresh();
  const bool behind = e == Error::no_such_table;
  const bool again = !s.delivered && (is_temporary(e) || behind) && e != Error::single_user && now < s.deadline &&
                     (!behind || s.attempts < 20);
  if (!again) {
    s.state = ScanState::failed;
    return;
  }
  while (!s.batches.empty()) {
    s.spare.push_back(std::move(s.batches.front()));
    s.batches.pop_front();
  }
  counts_.retries++;
  s.state = ScanState::opening;
  s.rows = 0;
  s.attempts = static_cast<std::uint16_t>(std::min(s.attempts + 1, 1000));
  Time most = std::min<Time>(limits::kClientBackOffMin << std::min<int>(s.attempts, 6), limits::kClientBackOffMax);
  s.next_try = now + most / 2 + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(most / 2) + 1));
  next_tick_ = std::min(next_tick_, s.next_try);
}

void ClientMachine::scans_lost(Time now, env::LinkId link, env::Outbox& out) {
  for (ScanHandle h = 0; h < scans_.size(); h++) {
    Scan& s = *scans_[h];
    if (!s.used || (s.state != ScanState::opening && s.state != ScanState::running)) continue;
    bool hit = false;
    for (Cursor& c : s.cursors) {
      if (c.link != link || c.state == CursorState::done) continue;
      c.link = 0;
      hit = true;
    }
    if (hit) scan_failed(s, h, now, Error::node_failure, out);
  }
}

}  // namespace ndb::client
