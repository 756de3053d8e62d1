// A unit that is a part: words of the node in, parcels out, and clients on links of its own.
#include <algorithm>

#include "base/probe.h"
#include "node/unit.h"

namespace ndb::node {

void Unit::step(Time now, const env::Event& event, env::Outbox& out) {
  using env::EventKind;
  std::unique_ptr<ToUnit> words;
  if (event.kind == EventKind::parcel) words.reset(static_cast<ToUnit*>(event.parcel->release()));
  Epoch epoch = epoch_;
  if (words != nullptr) epoch = std::max(epoch, words->epoch);
  if (event.kind == EventKind::frame && event.epoch > epoch && event.epoch - epoch < limits::kEpochLeapMax) {
    NDB_PROBE("unit.epoch_from_client");
    epoch = event.epoch;
  }
  out.epoch = epoch;
  collected_ = std::min(collected_, out.touched().size());  // what earlier steps wrote may have left
  begin(now, epoch, out);
  if (words != nullptr) {
    hear(*words);
    FromUnit& r = next();
    r.answers++;
    for (auto& e : words->empties) spare_.push_back(std::move(e));
    words->empties.clear();
    words->words.clear();
    words->bytes.clear();
    words->links.clear();
    r.empties.push_back(std::move(words));
  }
  if (event.kind == EventKind::frame && owns(event.link)) take_foreign(event.data, event.link);
  if (event.kind == EventKind::link_down) client_left(event.link);
  run();
  collect();
  out.wake_at(wake());
}

// ---- in

void Unit::hear(ToUnit& words) {
  heard_ = words.mark;
  for (const Word& w : words.words) {
    if (w.kind == Word::Kind::messages) {
      if (!owns(w.link)) out_->slot(w.link).unsent = w.backlog;
      take_all(words.bytes.view().substr(w.a, w.b - w.a), w.link, w.node);
      continue;
    }
    // What was said on a link that went, before the word of that: it must not go to who has its number by now.
    if (w.kind == Word::Kind::client_down) {
      forget_output(w.link);
      client_left(w.link);  // it went before it was ours
    }
    if (w.kind == Word::Kind::node_down && links_[w.node] != 0) forget_output(links_[w.node]);
    if (w.kind == Word::Kind::client_here) client_came(w);
    obey(w);
    if (w.kind == Word::Kind::catalog) check_clients();
  }
}

// What a client sends here, which nobody has looked at.
void Unit::take_foreign(Bytes payload, env::LinkId link) {
  wire::Message run[kRun];
  std::size_t n = 0;
  bool damaged = false;
  while (wire::next_message(payload, &run[n], &damaged)) {
    const auto type = static_cast<wire::Type>(run[n].type);
    if (run[n].to != options_.worker || type < wire::Type::execute || type > wire::Type::outcome) {
      damaged = true;
      break;
    }
    if (++n < kRun) continue;
    take(run, n, link, 0);
    n = 0;
  }
  take(run, n, link, 0);
  if (!damaged) return;
  NDB_PROBE("unit.malformed_from_client");
  out_->log(env::Severity::warning, "node " + std::to_string(options_.node) +
                                        ": malformed frame from a client of worker " + std::to_string(options_.worker) +
                                        ", link closed");
  out_->close(link);
}

void Unit::client_came(const Word& w) {
  if (w.link >= own_.size()) own_.resize(w.link + 1);
  NDB_CHECK(!own_[w.link].here);
  own_[w.link] = {true, w.node};
  own_links_++;
}

void Unit::client_left(env::LinkId link) {
  if (!owns(link)) return;
  own_[link] = {};
  own_links_--;
  worker_.client_down(link);
}

// As meta::Peers does for the links of the node: who is not in the configuration any more is turned away.
void Unit::check_clients() {
  if (catalog_->generation == 0) return;
  for (env::LinkId link = 1; link < own_.size(); link++) {
    if (!own_[link].here || own_[link].api_node == 0) continue;
    const meta::Node* n = catalog_->node(own_[link].api_node);
    if (n == nullptr || n->type != meta::NodeType::api || n->disabled) out_->close(link);
  }
}

// ---- out

FromUnit& Unit::next() {
  if (next_ != nullptr) return *next_;
  if (spare_.empty()) {
    next_ = std::make_unique<FromUnit>();
    return *next_;
  }
  next_ = std::move(spare_.back());
  spare_.pop_back();
  next_->answers = 0;
  next_->pieces.clear();
  next_->bytes.clear();
  next_->others.clear();
  next_->logs.clear();
  return *next_;
}

// What this step wrote on links of the node goes into the next parcel; on our own it stays where it is.
void Unit::collect() {
  std::vector<env::LinkId>& touched = out_->touched();
  std::size_t kept = collected_;
  for (std::size_t i = collected_; i < touched.size(); i++) {
    const env::LinkId link = touched[i];
    if (owns(link)) {
      touched[kept++] = link;
      continue;
    }
    env::Outbox::Out& slot = out_->slot(link);
    slot.touched = false;
    if (slot.bytes.empty()) continue;
    FromUnit& r = next();
    const std::size_t at = r.bytes.size();
    r.bytes.raw(slot.bytes.view());
    r.pieces.push_back({link, at, r.bytes.size()});
    slot.bytes.clear();
  }
  touched.resize(kept);
  collected_ = kept;
  if (!out_->logs.empty()) {
    std::vector<std::pair<env::Severity, std::string>>& logs = next().logs;
    std::move(out_->logs.begin(), out_->logs.end(), std::back_inserter(logs));
    out_->logs.clear();
  }
}

void Unit::forget_output(env::LinkId link) {
  out_->slot(link).bytes.clear();
  if (next_ == nullptr) return;
  std::erase_if(next_->pieces, [&](const FromUnit::Piece& p) { return p.link == link; });
}

std::unique_ptr<env::Parcel> Unit::parcel() {
  FromUnit& r = next();
  // Details wait for the next answer, unless somebody watches a start.
  tell(&r, r.answers != 0 || joining_ || !worker_.recovered());
  r.epoch = epoch_;
  if (r.answers == 0 && r.pieces.empty() && others_.empty() && r.logs.empty() && !r.has_job && !r.has_details &&
      r.status == told_) {
    return nullptr;
  }
  std::swap(r.others, others_);
  told_ = r.status;
  return std::move(next_);
}

}  // namespace ndb::node
