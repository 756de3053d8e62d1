// The node and its units: words to them, what comes back, and what is true of all of them.
#include <algorithm>

#include "node/node.h"

namespace ndb::node {

void Node::make_units() {
  desks_.resize(options_.workers);
  for (WorkerId w = 0; w < options_.workers; w++) {
    txn::WorkerOptions o;
    o.node = options_.node;
    o.worker = w;
    o.memory_bytes = (options_.memory_bytes != 0 ? options_.memory_bytes : kMemoryDefault) / options_.workers;
    memory_told_ = o.memory_bytes;
    o.memory_ahead = options_.memory_ahead;
    Desk& d = desks_[w];
    d.unit = std::make_unique<Unit>(o);
    if (w < options_.disks.size()) {
      d.unit->attach_disk(*options_.disks[w], {options_.disk_cluster, options_.node, w, options_.workers},
                          options_.seed | 1);
    }
    d.unit->tell(&only_);
    accept(d, only_);
  }
}

const txn::Worker& Node::worker(std::size_t i) const { return desks_[i].unit->worker(); }

// ---- the only one, in our own step

void Node::begin_unit() {
  if (alone()) desks_[0].unit->begin(now_, epoch_, *out_);
}

void Node::run_unit() {
  if (alone()) {
    desks_[0].unit->run();
    look_at_unit();
  }
  if (!look_again_) return;
  look_again_ = false;
  check_own_state();
}

void Node::look_at_unit() {
  if (!alone()) return;
  desks_[0].unit->tell(&only_);
  accept(desks_[0], only_);
}

// ---- to units

void Node::raise_epoch(Epoch e) {
  epoch_ = e;
  out_->epoch = e;
  if (alone()) desks_[0].unit->set_epoch(e);
}

ToUnit& Node::next_for(Desk& d) {
  if (d.next) return *d.next;
  if (d.spare.empty()) {
    d.next = std::make_unique<ToUnit>();
  } else {
    d.next = std::move(d.spare.back());
    d.spare.pop_back();
  }
  return *d.next;
}

void Node::tell(Desk& d, const Word& w) {
  if (alone())
    d.unit->obey(w);
  else
    next_for(d).words.push_back(w);
}

std::uint64_t Node::tell_all(const Word& w) {
  mark_++;
  for (Desk& d : desks_) tell(d, w);
  return mark_;
}

bool Node::heard(std::uint64_t mark) const {
  return alone() || std::all_of(desks_.begin(), desks_.end(), [&](const Desk& d) { return d.status.heard >= mark; });
}

// A message for a unit that is a part: its bytes go behind those before it.
void Node::pass_on(const wire::Message& m, env::LinkId link, NodeId from) {
  ToUnit& next = next_for(desks_[m.to]);
  const std::size_t at = next.bytes.size();
  next.bytes.raw(Bytes(m.body.data() - wire::kMessageHeaderBytes, wire::kMessageHeaderBytes + m.body.size()));
  if (!next.words.empty()) {
    Word& last = next.words.back();
    if (last.kind == Word::Kind::messages && last.link == link && last.node == from && last.b == at) {
      last.b = next.bytes.size();
      return;
    }
  }
  Word w;
  w.link = link;
  w.node = from;
  w.a = at;
  w.b = next.bytes.size();
  w.backlog = out_->backlog(link);
  next.words.push_back(std::move(w));
}

// A client whose link is for one worker is that unit's alone.
void Node::client_changed(const meta::Peers::Change& c) {
  using Kind = meta::Peers::Change::Kind;
  const bool up = c.kind == Kind::up;
  if (!up && c.kind != Kind::down) return;
  Word w{.kind = up ? Word::Kind::client_up : Word::Kind::client_down, .node = c.node, .link = c.link, .a = c.session};
  if (c.worker_links == 0) {
    tell_all(w);
    return;
  }
  Desk& d = desks_[c.worker_links - 1u];
  mark_++;
  if (up) {
    w.kind = Word::Kind::client_here;
    tell(d, w);
    d.next->links.push_back(c.link);
  } else {  // before it went there
    std::erase(next_for(d).links, c.link);
    tell(d, w);
  }
}

std::unique_ptr<env::Parcel> Node::parcel_for(std::size_t part) {
  Desk& d = desks_[part];
  if (d.under_way == kUnderWayMax) return nullptr;
  if ((!d.next || d.next->words.empty()) && d.told_epoch == epoch_) return nullptr;
  ToUnit& next = next_for(d);
  next.mark = mark_;
  next.epoch = d.told_epoch = epoch_;
  next.empties.swap(d.empties);
  std::erase_if(next.links, [&](env::LinkId link) { return !peers_.known(link); });  // closed in this very step
  for (env::LinkId link : next.links) peers_.forget(link);
  d.under_way++;
  return std::move(d.next);
}

void Node::tell_state() {
  std::uint64_t s = 0;
  if (life_ == Life::joined) s |= kJoined;
  if (in_sync()) s |= kInSync;
  if (damaged_) s |= kDamaged;
  if (s == state_told_) return;
  state_told_ = s;
  tell_all({.kind = Word::Kind::state, .a = s});
}

// ---- from units

void Node::on_parcel(const env::Event& event) {
  Desk& d = desks_[event.tag];
  std::unique_ptr<FromUnit> r(static_cast<FromUnit*>(event.parcel->release()));
  NDB_CHECK(d.under_way >= r->answers);
  d.under_way -= r->answers;
  for (auto& e : r->empties) d.spare.push_back(std::move(e));
  r->empties.clear();
  if (r->epoch > epoch_) raise_epoch(r->epoch);  // by its clients; what it says carries that
  send_pieces(*r);
  for (auto& [severity, text] : r->logs) out_->log(severity, std::move(text));
  Bytes rest = r->others.view();
  wire::Message m;
  bool damaged = false;
  while (wire::next_message(rest, &m, &damaged)) {
    if (m.to < desks_.size()) pass_on(m, env::kSelf, options_.node);
  }
  NDB_CHECK(!damaged);
  accept(d, *r);
  if (d.empties.size() < kEmptiesMax) d.empties.push_back(std::move(r));
}

// What was written for a link that has another peer by now is nobody's.
void Node::send_pieces(const FromUnit& r) {
  for (const FromUnit::Piece& p : r.pieces) {
    if (!peers_.known(p.link) || p.link >= link_since_.size() || r.status.heard < link_since_[p.link]) continue;
    out_->link(p.link).raw(r.bytes.view().substr(p.begin, p.end - p.begin));
  }
}

void Node::accept(Desk& d, FromUnit& r) {
  if (d.status.filled_epoch == 0 && r.status.filled_epoch != 0) look_again_ = true;
  if (!d.status.recovered && r.status.recovered) next_heartbeat_ = now_;
  d.status = r.status;
  if (r.has_details) std::swap(d.details, r.details);
  if (r.has_job) {
    std::swap(d.job, r.job);
    d.job_news = true;
  }
  if (options_.worker_links && options_.workers > 1) {
    std::uint32_t links = 0;
    for (const Desk& each : desks_) links += each.status.own_links;
    peers_.set_worker_links(links < limits::kWorkerLinksMax ? options_.workers : std::uint8_t{0});
  }
  if (r.reports > d.reports) {
    d.reports = r.reports;
    std::swap(d.fragments, r.fragments);
  }
}

// The catalog that all units obey.
Version Node::version() const {
  Version v = catalog_->version;
  if (life_ != Life::joined) return v;
  for (const Desk& d : desks_) v = std::min(v, d.status.version);
  return v;
}

}  // namespace ndb::node
