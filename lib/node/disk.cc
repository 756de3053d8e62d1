// The node and its workers' disks: recovery before the replicas are filled, checkpoints, and failures, which are final.
#include <algorithm>

#include "node/node.h"

namespace ndb::node {

bool Node::recovered() const {
  return std::all_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.status.recovered; });
}

// 1 + the epoch that all workers' files gave back exactly.
Epoch Node::restored() const {
  Epoch e = UINT64_MAX;
  for (const Desk& d : desks_) e = std::min(e, d.status.restored);
  return recovered() ? e : 0;
}

// The group holds fragments, and nobody in it is in sync: its rows are in no memory.
bool Node::group_lost(GroupId id) const {
  const meta::Group* g = catalog_->group(id);
  if (g == nullptr || !holds_fragments(*catalog_, id)) return false;
  return std::none_of(g->members.begin(), g->members.end(), [&](NodeId n) {
    const meta::Node* x = catalog_->node(n);
    return x != nullptr && x->state == meta::NodeState::in_sync;
  });
}

// Some group is lost, with more than copies that a reorganisation was making.
bool Node::group_lost() const {
  return std::any_of(catalog_->groups.begin(), catalog_->groups.end(),
                     [&](const auto& g) { return group_lost(g.first) && holds_rows_that_count(*catalog_, g.first); });
}

// Does it serve in fact? When all were lost at once the catalog still says so of processes that are gone. The
// incarnation in its first words on the link is proof; else it is believed when it has not been declared dead for some
// time.
bool Node::serves(const meta::Node& peer) {
  constexpr Time kBelieved = 3 * kSecond;  // longer than it takes to miss anybody
  if (peer.state != meta::NodeState::in_sync) {
    said_to_serve_.erase(peer.id);
    return false;
  }
  const wire::Hello* hello = peers_.hello_of(peers_.link_of(peer.id));
  if (hello != nullptr && hello->incarnation == peer.incarnation) return true;
  const Time since = said_to_serve_.try_emplace(peer.id, now_).first->second;
  out_->wake_at(since + kBelieved);
  return now_ - since >= kBelieved;
}

// Our files are damaged. A peer that serves has all our rows: we begin anew and get them. While the cluster is down a
// peer may bring it back, so we wait for that; when nobody can, the files are refused (the log has said where they are
// damaged).
void Node::give_up_files() {
  const meta::Node* self = catalog_->node(options_.node);
  const meta::Group* group = self == nullptr ? nullptr : catalog_->group(self->group);
  bool helped = false, hope = false;
  if (group != nullptr) {
    for (NodeId id : group->members) {
      const meta::Node* peer = catalog_->node(id);
      if (id == options_.node || peer == nullptr) continue;
      hope = true;
      helped = serves(*peer) || helped;
    }
  }
  if (helped) {
    log(env::Severity::warning, "its files are damaged, its node group has its rows: starting again with --initial");
    out_->exit(kExitRestartInitial);
    return;
  }
  // The others hear the same from the leader, each with its next heartbeat. Who went at once would be somebody to wait
  // for.
  constexpr Time kTold = kSecond;
  if (cluster_in_vain_ && in_vain_since_ == kNever) in_vain_since_ = now_;
  const Time stop_at = !hope ? now_ : in_vain_since_ == kNever ? kNever : in_vain_since_ + kTold;
  if (stop_at != kNever) out_->wake_at(stop_at);
  if (now_ >= stop_at) {
    log(env::Severity::critical, "its files are damaged and no other node has its rows; stopping, nothing was changed");
    out_->exit(kExitError);
  }
}

void Node::disk_progress() {
  if (options_.disks.empty()) return;
  if (std::any_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.status.disk_failed; })) {
    // A write or fsync that failed is never tried again as if it had worked.
    log(env::Severity::critical, "its files cannot be used; stopping");
    out_->exit(kExitError);
    return;
  }
  if (life_ != Life::joined) return;
  damaged_ = damaged_ || std::any_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.status.damaged; });
  if (damaged_) give_up_files();
}

}  // namespace ndb::node
