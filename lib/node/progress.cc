// What a node says about its start: what it is doing, how far it is, how long it may take.
#include <algorithm>

#include "base/probe.h"
#include "meta/words.h"
#include "node/node.h"

namespace ndb::node {

void Node::describe_start(wire::Heartbeat* h) {
  const meta::Node* self = catalog_->node(options_.node);
  std::string what;
  int percent = 0;
  if (in_sync()) {
    stage_.clear();
    return;
  }
  h->nowait = options_.nowait;
  if (!start_wanted_) {
    what = "waiting for the order to start";
  } else if (life_ != Life::joined) {
    what = member_.leader_raft_id() == 0 ? "looking for a leader of the metadata log" : "waiting to be let in";
  } else if (damaged_) {
    what = "its files are damaged; waiting for a node of its group that has its rows";
  } else if (!recovered()) {
    for (const Desk& d : desks_) {  // the slowest one counts
      const int p = d.details.recovered_percent;
      if (d.status.recovered || (!what.empty() && p >= percent)) continue;
      what = *d.details.recovering != 0 ? d.details.recovering : "looking for a checkpoint";
      percent = p;
    }
  } else if (!cluster_waits_.empty()) {
    h->doing = "waiting " + cluster_waits_;
    h->left_s = cluster_waits_s_;
    stage_.clear();
    return;
  } else if (self != nullptr && self->state == meta::NodeState::joining) {
    std::set<NodeId> from;
    percent = 100;
    for (const Desk& d : desks_) {
      percent = std::min(percent, d.details.filled_percent);
      from.insert(d.details.fills_from.begin(), d.details.fills_from.end());
    }
    what = from.empty() ? "joining its node group" : meta::words("fetching rows from node ", meta::listed(from));
  }
  if (what != stage_) {
    stage_ = what;
    stage_since_ = now_;
    stage_from_ = percent;
  }
  h->doing = std::move(what);
  h->percent = static_cast<std::uint8_t>(std::clamp(percent, 0, 100));
  if (percent > stage_from_ && percent < 100) {
    const Time left = (now_ - stage_since_) / (percent - stage_from_) * (100 - percent);
    h->left_s = static_cast<std::uint32_t>(std::min<Time>(left / kSecond + 1, 86400));
  }
}

// StartFailureTimeout, from the moment the node may start.
void Node::give_up_start() {
  if (options_.start_failure == kNever || !start_wanted_ || was_in_sync_ || in_sync() || stop_ != Stop::no) return;
  if (start_until_ == 0) start_until_ = now_ + options_.start_failure;
  out_->wake_at(start_until_);
  if (now_ < start_until_) return;
  NDB_PROBE("node.start_given_up");
  log(env::Severity::critical,
      "the start was not over in " + std::to_string(options_.start_failure / kMillisecond) +
          " ms (StartFailureTimeout): " + (cluster_waits_.empty() ? stage_ : "waiting " + cluster_waits_));
  begin_stop(kExitError, true);
}

}  // namespace ndb::node
