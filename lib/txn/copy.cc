// Filling a joining replica from its primary.
//
//   joining                              primary
//     | copy_request ----------------------->|  from here on it gets every record of the stream, too
//     |<---------------------- copy_rows (1) |  empties the replica; the place in the stream; prepared and decided
//     |<------------------ copy_rows (2 ..)  |  transactions, then the committed rows, a stretch of the index at a time
//     | copy_ack --------------------------->|  a few batches are under way at once
//     |<------------------------- copy_end   |  "I wait for your acknowledgements from now on"
//
// No row is locked: rows show a committed state at the time of their batch, and records that came later are applied
// after them, whole images each, so the last word is right. When every replica of the node has its copy_end under the
// present view, the node asks the log to be in sync (DESIGN "Replication, views, failure").
#include "txn/worker.h"

namespace ndb::txn {

namespace {
constexpr std::uint64_t kCopyWindow = 8;              // batches under way
constexpr std::size_t kCopyBatchBytes = 64u << 10;
constexpr Time kCopyRetry = 200 * kMillisecond;
}  // namespace

void Worker::request_copies() {
  for (auto& t : tables_) {
    if (!t) continue;
    for (auto& r : t->replicas) {
      if (!r || r->role != Role::joining || r->filled || r->primary == 0) continue;
      const bool begun = r->resumed;
      if (begun || (r->copy_asked != 0 && now_ - r->copy_asked < kCopyRetry) || !can_reach(r->primary)) continue;
      r->copy_asked = now_;
      CopyWord w{r->ref.table, r->ref.fragment, 0, r->group_view, 0};
      send(r->primary, r->primary_worker, wire::Type::copy_request, w);
    }
  }
}

void Worker::on_copy_request(const CopyWord& w, NodeId from, WorkerId from_worker) {
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::primary || w.group_view != r->group_view) return;  // it asks again
  std::erase_if(r->copies, [&](const CopySession& s) { return s.node == from; });
  std::erase_if(r->peers, [&](const Peer& p) { return p.node == from; });
  Peer p;
  p.node = from;
  p.worker = from_worker;
  p.streaming = true;
  p.acked = r->committed;
  p.sent = r->ring.begin();
  p.sent_sequence = r->committed;
  p.told_committed = r->committed;
  CopySession s;
  s.node = from;
  r->copies.push_back(s);
  pump_copy(*r, r->copies.back());  // the first batch goes before any record
  r->peers.push_back(p);
  mark_dirty(*r);
}

void Worker::pump_copy(Replica& r, CopySession& s) {
  if (!can_reach(s.node)) return;
  const meta::Node* n = catalog_->node(s.node);
  const WorkerId worker = n == nullptr ? WorkerId{0} : catalog_->worker(*n, r.ref.fragment);
  while (!s.done && s.sent - s.acked < kCopyWindow) {
    Writer& w = link_writer(link_to(s.node));
    std::size_t at = wire::begin_message(w, wire::Type::copy_rows, worker, options_.worker);
    std::size_t head_at = w.size();
    CopyRows h{r.ref.table, r.ref.fragment, s.first ? kCopyFirst : std::uint16_t{0}, r.group_view, r.committed,
               ++s.sent, 0, 0};
    w.put(h);
    if (s.first) {
      s.first = false;
      std::size_t before = w.size();
      w.u32(0);
      std::uint32_t count = 0;
      auto put = [&](const TxnId& t, const Anchor& a, Bytes changes) {
        w.u64(t.session);
        w.u64(t.number);
        w.put(a);
        w.bytes32(changes);
        count++;
      };
      for (const auto& [txn, q] : r.prepared) put(txn, q.anchor, q.changes);
      for (std::uint32_t p = 1; p <= parts_.made(); p++) {
        if (!parts_.used(p) || parts_[p].replica != &r) continue;
        // Prepared, or its commit record is behind the point from which the joining replica gets records.
        if (parts_[p].state != PartState::prepared && parts_[p].state != PartState::finishing) continue;
        put(parts_[p].txn, parts_[p].anchor, parts_[p].changes.view());
      }
      w.patch(before, count);
      w.u32(static_cast<std::uint32_t>(r.decided.size()));
      for (const auto& [txn, d] : r.decided) {
        w.u64(txn.session);
        w.u64(txn.number);
        w.u64(d.epoch);
        w.u16(static_cast<std::uint16_t>(d.participants.size()));
        for (const FragmentRef& f : d.participants) {
          w.u32(f.table);
          w.u16(f.fragment);
        }
      }
      r.outcomes.encode(w);
      h.prepared_bytes = static_cast<std::uint32_t>(w.size() - before);
    }
    const std::size_t from_bytes = w.size();
    while (w.size() - from_bytes < kCopyBatchBytes && s.cursor != store::kScanEnd) {
      refs_.clear();
      s.cursor = r.rows.scan(s.cursor, refs_, 512);
      for (store::RowRef ref : refs_) {
        const store::Row* row = r.rows.row(ref);
        w.u32(row->bytes);
        w.u64(row->sequence);
        w.raw(row->view());
      }
      h.rows += static_cast<std::uint32_t>(refs_.size());
    }
    counters_.copied_rows += h.rows;
    w.patch(head_at, h);
    wire::end_message(w, at);
    s.done = s.cursor == store::kScanEnd;
  }
}

void Worker::on_copy_rows(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(CopyRows)) return;
  auto h = load<CopyRows>(m.body.data());
  Replica* r = replica({h.table, h.fragment});
  if (r == nullptr || r->role != Role::joining || r->primary != from || h.group_view != r->group_view) return;
  Reader in(m.body.substr(sizeof h));
  if (h.flags & kCopyFirst) {
    while (r->rows.drop_some()) {
    }
    r->ring.reset();
    r->pending.clear();
    r->prepared.clear();
    r->appended = r->committed = h.committed;
    r->copied_batches = 0;
    r->resumed = true;
    Reader state(in.raw(h.prepared_bytes));
    std::uint32_t n = state.u32();
    for (std::uint32_t i = 0; i < n && !state.bad(); i++) {
      TxnId t;
      t.session = state.u64();
      t.number = state.u64();
      auto a = state.get<Anchor>();
      r->prepared[t] = {a, state.text(), false};
    }
    r->decided.clear();
    n = state.u32();
    for (std::uint32_t i = 0; i < n && !state.bad(); i++) {
      TxnId t;
      t.session = state.u64();
      t.number = state.u64();
      Decided& d = r->decided[t];
      d.epoch = state.u64();
      const std::uint16_t participants = state.u16();
      for (std::uint16_t k = 0; k < participants && !state.bad(); k++) {
        const TableId table = state.u32();
        d.participants.push_back({table, state.u16()});
      }
    }
    if (state.bad() || !r->outcomes.decode(state)) {
      out_->log(env::Severity::error, "damaged copy of a fragment, ignored");
      return;
    }
  }
  if (!r->resumed || h.batch != r->copied_batches + 1) return;
  r->copied_batches = h.batch;
  store::KeyBuffer buffer;
  const store::RowShape& shape = r->table.shape;
  for (std::uint32_t i = 0; i < h.rows && !in.bad(); i++) {
    std::uint32_t bytes = in.u32();
    Sequence seq = in.u64();
    Bytes image = in.raw(bytes);
    if (in.bad() || !shape.valid_image(image)) break;
    Bytes key = shape.key_of(image, buffer);
    if (r->rows.put(key, shape.hash(key), image, seq) != Error::ok) broken_ = true;
  }
  counters_.copied_rows += h.rows;
  CopyWord w{h.table, h.fragment, 0, r->group_view, r->copied_batches};
  send(from, m.from, wire::Type::copy_ack, w);
}

void Worker::on_copy_ack(const CopyWord& w, NodeId from) {
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::primary || w.group_view != r->group_view) return;
  for (CopySession& s : r->copies) {
    if (s.node != from) continue;
    s.acked = w.batch;
    if (!s.done) {
      pump_copy(*r, s);
      return;
    }
    if (s.acked < s.sent) return;
    Peer* p = r->peer(from);
    if (p == nullptr) return;
    p->counts = true;  // before it is told so
    send(from, p->worker, wire::Type::copy_end, w);
    std::erase_if(r->copies, [&](const CopySession& x) { return x.node == from; });
    return;
  }
}

void Worker::on_copy_end(const wire::Message& m, NodeId from) {
  if (m.body.size() < sizeof(CopyWord)) return;
  auto w = load<CopyWord>(m.body.data());
  Replica* r = replica({w.table, w.fragment});
  if (r == nullptr || r->role != Role::joining || r->primary != from || w.group_view != r->group_view) return;
  if (r->resumed) r->filled = true;
}

bool Worker::filled() const {
  for (const auto& t : tables_) {
    if (!t) continue;
    for (const auto& r : t->replicas) {
      if (r && r->role == Role::joining && !r->filled) return false;
    }
  }
  return true;
}

}  // namespace ndb::txn
