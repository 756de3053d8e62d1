#include "wire/messages.h"

namespace ndb::wire {

void encode(Writer& w, const Hello& h) {
  w.u32(h.protocol);
  w.u64(h.cluster_id);
  w.bytes32(h.cluster_name);
  w.u8(static_cast<std::uint8_t>(h.kind));
  w.u16(h.node);
  w.u64(h.raft_id);
  w.u32(h.incarnation);
  w.u64(h.session);
  w.u16(h.port);
  w.u8(h.workers);
  w.u64(h.view);
  if (h.worker_links != 0) w.u8(h.worker_links);
}
bool decode(Reader& r, Hello* h) {
  h->protocol = r.u32();
  h->cluster_id = r.u64();
  h->cluster_name = r.text();
  h->kind = static_cast<PeerKind>(r.u8());
  h->node = r.u16();
  h->raft_id = r.u64();
  h->incarnation = r.u32();
  h->session = r.u64();
  h->port = r.u16();
  h->workers = r.u8();
  h->view = r.u64();
  h->worker_links = r.bad() || r.done() ? std::uint8_t{0} : r.u8();
  return !r.bad() && h->kind <= PeerKind::mgm && h->node <= limits::kNodeIdMax &&
         h->worker_links <= limits::kWorkersMax;
}

void encode(Writer& w, const Heartbeat& h) {
  w.u16(h.node);
  w.u32(h.incarnation);
  w.u64(h.sent);
  w.u64(h.version);
  w.u64(h.oldest_open);
  w.u64(h.restored);
  w.u64(h.durable_wanted);
  w.u64(h.memory_used);
  w.u64(h.memory_total);
  w.u64(h.rows);
  w.u8(h.phase);
  w.u8(h.percent);
  w.u32(h.left_s);
  w.bytes32(h.doing);
  w.u16(static_cast<std::uint16_t>(h.nowait.size()));
  for (NodeId n : h.nowait) w.u16(n);
}
bool decode(Reader& r, Heartbeat* h) {
  h->node = r.u16();
  h->incarnation = r.u32();
  h->sent = r.u64();
  h->version = r.u64();
  h->oldest_open = r.u64();
  h->restored = r.u64();
  h->durable_wanted = r.u64();
  h->memory_used = r.u64();
  h->memory_total = r.u64();
  h->rows = r.u64();
  h->phase = r.u8();
  h->percent = r.u8();
  h->left_s = r.u32();
  h->doing = r.text();
  const std::uint16_t nowait = r.u16();
  if (nowait > limits::kNodeIdMax) return false;
  h->nowait.clear();
  for (std::uint16_t i = 0; i < nowait && !r.bad(); i++) h->nowait.push_back(r.u16());
  return !r.bad() && h->node != 0 && h->node <= limits::kNodeIdMax;
}

void encode(Writer& w, const HeartbeatOk& h) {
  w.u64(h.sent);
  w.u64(h.lease_ns);
  w.u64(h.leader_epoch);
  w.u32(h.left_s);
  w.u8(h.in_vain ? 1 : 0);
  w.bytes32(h.waiting);
}
bool decode(Reader& r, HeartbeatOk* h) {
  h->sent = r.u64();
  h->lease_ns = r.u64();
  h->leader_epoch = r.u64();
  h->left_s = r.u32();
  h->in_vain = r.u8() != 0;
  h->waiting = r.text();
  return !r.bad();
}

void encode(Writer& w, const EpochOrder& o) {
  w.u64(o.round);
  w.u64(o.epoch);
  w.u8(static_cast<std::uint8_t>(o.step));
}
bool decode(Reader& r, EpochOrder* o) {
  o->round = r.u64();
  o->epoch = r.u64();
  o->step = static_cast<EpochStep>(r.u8());
  return !r.bad() && o->step >= EpochStep::enter && o->step <= EpochStep::flush;
}
void encode(Writer& w, const EpochReport& o) {
  w.u16(o.node);
  w.u32(o.incarnation);
  w.u64(o.round);
  w.u64(o.now);
  w.u64(o.filled);
  w.u8(static_cast<std::uint8_t>(o.step));
}
bool decode(Reader& r, EpochReport* o) {
  o->node = r.u16();
  o->incarnation = r.u32();
  o->round = r.u64();
  o->now = r.u64();
  o->filled = r.u64();
  o->step = static_cast<EpochStep>(r.u8());
  return !r.bad() && o->step >= EpochStep::enter && o->step <= EpochStep::flush;
}

void encode(Writer& w, const NodeOrder& o) {
  w.u8(static_cast<std::uint8_t>(o.kind));
  w.u32(o.request);
  w.bytes32(o.text);
}
bool decode(Reader& r, NodeOrder* o) {
  o->kind = static_cast<OrderKind>(r.u8());
  o->request = r.u32();
  o->text = r.text();
  return !r.bad() && o->kind >= OrderKind::stop && o->kind <= OrderKind::report;
}

}  // namespace ndb::wire
