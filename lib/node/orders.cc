// Orders to the node: stop, start, live parameters, and leaving in good order.
#include <algorithm>

#include "base/probe.h"
#include "node/node.h"

namespace ndb::node {

void Node::on_order(const wire::Message& m, env::LinkId link) {
  if (peers_.kind_of(link) == wire::PeerKind::api) return;
  Reader r(m.body);
  wire::NodeOrder o;
  if (!decode(r, &o)) return;
  const bool forced = o.text.find("force") != std::string::npos;
  const int waits = o.text.find("nostart") != std::string::npos ? kExitThenWait : 0;
  switch (o.kind) {
    case wire::OrderKind::stop:
      begin_stop(kExitStop, forced);
      break;
    case wire::OrderKind::restart:
      begin_stop(kExitRestart + waits, forced);
      break;
    case wire::OrderKind::restart_initial:
      begin_stop(kExitRestartInitial + waits, forced);
      break;
    case wire::OrderKind::start:
      start_wanted_ = true;
      break;
    case wire::OrderKind::leaving:
      leader_.leaves(peers_.raft_of(link));
      break;
    case wire::OrderKind::set_parameter:
      set_live(o.text);
      break;
    case wire::OrderKind::report:
      asked_.push_back({link, m.from, o.request, ++reports_asked_});
      tell_all({.kind = Word::Kind::report});
      break;
  }
}

// To those who asked for a report, once every unit has said its part.
void Node::send_reports() {
  if (asked_.empty()) return;
  std::uint64_t answered = UINT64_MAX;
  for (const Desk& d : desks_) answered = std::min(answered, d.reports);
  while (!asked_.empty() && asked_.front().number <= answered) {
    const Asked a = asked_.front();
    asked_.erase(asked_.begin());
    if (!peers_.known(a.link)) continue;
    Writer& w = out_->link(a.link);
    std::size_t at = wire::begin_message(w, wire::Type::node_report, a.from, kControl);
    w.u32(a.request);
    w.bytes32(report_text());
    wire::end_message(w, at);
  }
}

void Node::set_live(const std::string& text) {
  const auto [name, value] = live_.take(text);
  leader_.set_live(name, value);
  epochs_.set_live(name, value);
  apply_config();
}

void Node::begin_stop(int status, bool forced) {
  if (stop_ != Stop::no) return;
  stop_status_ = status;
  stop_forced_ = forced;
  stop_ = Stop::draining;
  stop_epoch_ = in_sync() && !options_.disks.empty() ? epoch_ : 0;  // nothing that was acknowledged may be lost
  stop_deadline_ = now_ + 4 * kSecond;
  log(env::Severity::info, "stopping");
  stop_mark_ = tell_all({.kind = Word::Kind::no_new});
}

// New transactions go elsewhere; those under way get a moment; then the node says good-bye in the log, so that its
// fragments have new primaries before its ports close.
void Node::continue_stop() {
  if (stop_ == Stop::draining) {
    if (!stop_heard_ && stop_epoch_ != 0) stop_epoch_ = epoch_;  // what they were in when they heard it, too
    stop_heard_ = heard(stop_mark_);
    const bool quiet =
        heard(stop_mark_) && std::all_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.status.quiet; });
    const bool durable = catalog_->durable_epoch >= stop_epoch_;
    if ((!quiet || !durable) && now_ < stop_deadline_) return;
    if (life_ != Life::joined || member_.leader_raft_id() == 0) {
      stop_ = Stop::gone;
    } else if (!lease_returned_) {
      lease_returned_ = true;
      serve_until_ = 0;
      lease_mark_ = tell_all({.kind = Word::Kind::lease, .a = 0});
    }
    if (stop_ == Stop::draining && heard(lease_mark_)) {
      meta::Command c;
      c.body = meta::NodeDown{options_.node, incarnation_, "stopped", stop_forced_};
      stop_request_ = member_.draw_request_id();
      c.request = stop_request_;
      member_.propose(now_, std::move(c), now_ + 2 * kSecond);
      stop_ = Stop::leaving;
      stop_deadline_ = now_ + 3 * kSecond;
    }
  }
  if (stop_ == Stop::leaving && now_ > stop_deadline_) stop_ = Stop::gone;
  if (stop_ == Stop::gone) out_->exit(stop_status_);
}

std::string Node::report_text() const {
  txn::WorkerCounters n;
  std::string fragments;
  for (const Desk& d : desks_) {
    const txn::WorkerCounters& c = d.details.counters;
    n.reads += c.reads;
    n.writes += c.writes;
    n.commits += c.commits;
    n.aborts += c.aborts;
    n.lock_waits += c.lock_waits;
    n.scanned_rows += c.scanned_rows;
    n.stream_records += c.stream_records;
    n.copied_rows += c.copied_rows;
    n.moved_rows += c.moved_rows;
    fragments += d.fragments;
  }
  std::string t;
  auto add = [&](const char* name, std::uint64_t v) { t += std::string(name) + "=" + std::to_string(v) + "\n"; };
  add("version", catalog_->version);
  add("view", catalog_->view);
  add("oldest_open", oldest_open());
  add("reads", n.reads);
  add("writes", n.writes);
  add("commits", n.commits);
  add("aborts", n.aborts);
  add("lock_waits", n.lock_waits);
  add("scanned_rows", n.scanned_rows);
  add("stream_records", n.stream_records);
  add("copied_rows", n.copied_rows);
  add("moved_rows", n.moved_rows);
  return t + fragments;
}

}  // namespace ndb::node
