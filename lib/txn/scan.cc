// Scans: a cursor over one fragment in the order of its index, a bounded batch at a time. A scan belongs to the view it
// was opened in and holds the barrier of a reorganisation until it ends; it shows a row only where that view reads it,
// so that each row is seen exactly once.
#include "txn/worker.h"

namespace ndb::txn {

using wire::ScanBatch;
using wire::ScanOpen;

namespace {
constexpr Time kScanIdle = 10 * kSecond;  // a cursor nobody asks for is closed
}

void Worker::scan_reply(env::LinkId link, WorkerId to, std::uint32_t request, std::uint32_t scan, Error e, bool done,
                        std::uint64_t scanned) {
  if (link == 0) return;
  Writer& w = link_writer(link);
  std::size_t at = wire::begin_message(w, wire::Type::scan_batch, to, options_.worker);
  w.put(ScanBatch{request, scan, e, static_cast<std::uint8_t>(done ? 1 : 0), 0, 0, scanned, catalog_->view});
  wire::end_message(w, at);
}

void Worker::on_scan_open(const wire::Message& m, env::LinkId link) {
  if (m.body.size() < sizeof(ScanOpen) || link >= clients_.size() || !clients_[link].up) return;
  auto h = load<ScanOpen>(m.body.data());
  Bytes filter = m.body.substr(sizeof h);
  Error e = Error::ok;
  TableState* t = table_state(h.table);
  Replica* r = replica({h.table, h.fragment});
  if (!serving() || stopping_) {
    e = Error::not_ready;
  } else if (catalog_->single_user != 0 && clients_[link].api_node != catalog_->single_user) {
    e = Error::single_user;
  } else if (t == nullptr) {
    e = Error::no_such_table;
  } else if (r == nullptr || r->role == Role::backup || r->role == Role::joining) {
    e = Error::stale_view;
  } else if (r->role == Role::takeover) {
    e = Error::not_ready;
  } else if (h.view != t->table->distribution.view) {
    e = h.view > t->table->distribution.view ? Error::not_ready : Error::stale_view;
  } else if (filter.size() != h.filter_bytes) {
    e = Error::bad_message;
  }
  std::uint32_t s = 0;
  if (e == Error::ok) {
    auto parsed = store::Filter::parse(filter, t->shape);
    if (!parsed.ok()) {
      e = parsed.error();
    } else if ((s = scans_.take()) == 0) {
      e = Error::too_many_open;
    } else {
      ScanCursor& c = scans_[s];
      c = ScanCursor{};
      c.link = link;
      c.request = h.request;
      c.replica = r;
      c.view = catalog_->view;
      view_begins(c.view);
      c.phase = t->table->distribution.phase;
      c.batch_rows = h.batch_rows;
      c.count_only = (h.flags & wire::kScanCountOnly) != 0;
      c.filter = std::move(*parsed);
      c.since = now_;
      counters_.scans++;
    }
  }
  scan_reply(link, m.from, h.request, s, e, e != Error::ok, 0);
}

void Worker::on_scan_next(const wire::ScanNext& n, env::LinkId link, WorkerId client) {
  if (!scans_.used(n.scan) || scans_[n.scan].link != link) {
    scan_reply(link, client, n.request, n.scan, Error::no_such_txn, true, 0);
    return;
  }
  ScanCursor& c = scans_[n.scan];
  Replica& r = *c.replica;
  if (!serving() || r.role != Role::primary) {
    scan_reply(link, client, n.request, n.scan, Error::stale_view, true, c.scanned);
    close_scan(n.scan);
    return;
  }
  c.since = now_;
  const meta::Distribution& d = r.table.table->distribution;
  const bool moving = !d.next.empty();
  Writer& w = link_writer(link);
  std::size_t at = wire::begin_message(w, wire::Type::scan_batch, client, options_.worker);
  std::size_t head_at = w.size();
  ScanBatch h{n.request, n.scan, Error::ok, 0, 0, 0, 0, catalog_->view};
  w.put(h);
  const std::size_t from_bytes = w.size();
  const std::uint32_t rows_max = c.batch_rows != 0 ? c.batch_rows : limits::kScanBatchRows;
  std::uint64_t looked = 0;
  while (c.cursor != store::kScanEnd && h.rows < rows_max && w.size() - from_bytes < limits::kScanBatchBytes &&
         looked < 65536) {
    refs_.clear();
    c.cursor = r.rows.scan(c.cursor, refs_, 512);
    looked += refs_.size();
    for (store::RowRef ref : refs_) {
      Bytes image = r.rows.image(ref);
      if (moving) {
        const std::uint16_t b = meta::bucket_of(r.table.shape.hash_of_image(image));
        if (d.read_target(b, c.phase) != r.ref.fragment) continue;
      }
      if (!c.filter.matches(image)) continue;
      h.rows++;
      if (c.count_only) continue;
      w.u32(static_cast<std::uint32_t>(image.size()));
      w.raw(image);
    }
  }
  c.scanned += looked;
  counters_.scanned_rows += looked;
  h.scanned = c.scanned;
  h.done = c.cursor == store::kScanEnd ? 1 : 0;
  w.patch(head_at, h);
  wire::end_message(w, at);
  if (h.done) close_scan(n.scan);
}

void Worker::close_scan(std::uint32_t s) {
  view_ends(scans_[s].view);
  scans_[s] = ScanCursor{};
  scans_.give(s);
}

void Worker::expire_scans() {
  for (std::uint32_t s = 1; s <= scans_.made(); s++) {
    if (scans_.used(s) && now_ - scans_[s].since > kScanIdle) close_scan(s);
  }
}

}  // namespace ndb::txn
