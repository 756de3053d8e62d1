// The node and its workers' disks: recovery before the replicas are filled, checkpoints, and failures, which are final.
#include <algorithm>

#include "node/unit.h"

namespace ndb::node {

bool Node::recovered() const {
  return std::all_of(units_.begin(), units_.end(), [](const auto& u) { return u->worker.recovered(); });
}

// 1 + the epoch that all workers' files gave back exactly.
Epoch Node::restored() const {
  Epoch e = UINT64_MAX;
  for (const auto& u : units_) e = std::min(e, u->worker.restored());
  return units_.empty() || !recovered() ? 0 : e;
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

bool Node::group_lost() const {
  return std::any_of(catalog_->groups.begin(), catalog_->groups.end(), [&](const auto& g) { return group_lost(g.first); });
}

// Our files are damaged. A peer in sync has all our rows: we begin anew and get them. While the cluster is down a peer may
// bring it back, so we wait for that; when nobody can, the files are refused (the log has said where they are damaged).
void Node::give_up_files() {
  const meta::Node* self = catalog_->node(options_.node);
  const meta::Group* group = self == nullptr ? nullptr : catalog_->group(self->group);
  bool helped = false, hope = false;
  if (group != nullptr) {
    for (NodeId id : group->members) {
      const meta::Node* peer = catalog_->node(id);
      if (id == options_.node || peer == nullptr) continue;
      hope = true;
      helped = helped || peer->state == meta::NodeState::in_sync;
    }
  }
  if (helped) {
    log(env::Severity::warning, "its files are damaged, its node group has its rows: starting again with --initial");
    out_->exit(kExitRestartInitial);
  } else if (!hope || cluster_in_vain_) {
    log(env::Severity::critical, "its files are damaged and no other node has its rows; stopping, nothing was changed");
    out_->exit(kExitError);
  }
}

void Node::disk_progress() {
  if (options_.disks.empty()) return;
  if (std::any_of(units_.begin(), units_.end(), [](const auto& u) { return u->worker.disk_failed(); })) {
    // A write or fsync that failed is never tried again as if it had worked.
    log(env::Severity::critical, "its files cannot be used; stopping");
    out_->exit(kExitError);
    return;
  }
  if (life_ != Life::joined) return;
  if (damaged_) return give_up_files();
  if (!recovered()) {
    bool all = true;
    for (auto& u : units_) all = u->worker.recover_some() && all;
    damaged_ = std::any_of(units_.begin(), units_.end(), [](const auto& u) { return u->worker.files_damaged(); });
    out_->wake_at(now_);
    if (all) next_heartbeat_ = now_;
    return;
  }
  const bool idle = epoch_order_open_ && epoch_order_.step == wire::EpochStep::flush;
  for (auto& u : units_) u->worker.checkpoint_step(in_sync() && !idle);
}

}  // namespace ndb::node
