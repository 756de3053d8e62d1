// The node's part in closing epochs (meta/epochs.h).
#include <algorithm>

#include "node/node.h"

namespace ndb::node {

void Node::send_epoch_orders() {
  std::vector<meta::EpochClock::Order> orders;
  orders.swap(epochs_.orders);
  for (const auto& o : orders) {
    if (o.node == options_.node) {
      on_epoch_order(o.order);
      continue;
    }
    const env::LinkId link = peers_.link_of(o.node);
    if (link == 0) continue;
    Writer& w = out_->link(link);
    std::size_t at = wire::begin_message(w, wire::Type::epoch_order, kControl, kControl);
    encode(w, o.order);
    wire::end_message(w, at);
  }
}

void Node::on_epoch_order(const wire::EpochOrder& o) {
  if (!in_sync() || o.round < epoch_order_.round) return;
  const bool again = o.round == epoch_order_.round && o.step == epoch_order_.step && o.epoch == epoch_order_.epoch;
  if (again && epoch_order_open_) return;
  epoch_order_ = o;
  epoch_order_open_ = true;
  if (o.epoch >= epoch_) raise_epoch(o.epoch + 1);
  tell_all({.kind = Word::Kind::epoch_step,
            .a = static_cast<std::uint64_t>(o.step),
            .b = o.epoch,
            .number = ++epoch_number_});
}

void Node::epoch_progress() {
  if (!epoch_order_open_) return;
  const bool ready =
      std::all_of(desks_.begin(), desks_.end(), [&](const Desk& d) { return d.status.epoch_done == epoch_number_; });
  if (!ready && filled_epoch() <= epoch_order_.epoch) return;
  epoch_order_open_ = false;
  report_epoch();
}

Epoch Node::filled_epoch() const {
  Epoch e = 0;
  for (const Desk& d : desks_) e = std::max(e, d.status.filled_epoch);
  return e;
}

void Node::report_epoch() {
  wire::EpochReport r;
  r.node = options_.node;
  r.incarnation = incarnation_;
  r.round = epoch_order_.round;
  r.now = epoch_;
  r.filled = filled_epoch();
  r.step = epoch_order_.step;
  if (member_.leading()) {
    epochs_.on_report(r);
    out_->wake_at(now_);
    return;
  }
  const env::LinkId link = peers_.link_of_raft(member_.leader_raft_id());
  if (link == 0) return;
  Writer& w = out_->link(link);
  std::size_t at = wire::begin_message(w, wire::Type::epoch_report, kControl, kControl);
  encode(w, r);
  wire::end_message(w, at);
}

}  // namespace ndb::node
