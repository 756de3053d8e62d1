#include "meta/membership.h"

#include <algorithm>
#include <cstddef>

#include "env/limits.h"

namespace ndb::meta {

namespace {

using Kind = MembershipStep::Kind;

struct Situation {
  const std::vector<MemberInfo>& members;
  const std::vector<WantedMember>& wanted;
  std::uint64_t leader;

  const WantedMember* wish(std::uint64_t id) const {
    for (const WantedMember& w : wanted) {
      if (w.raft_id == id) return &w;
    }
    return nullptr;
  }
  bool alive(std::uint64_t id) const {
    const WantedMember* w = wish(id);
    return id == leader || (w != nullptr && w->alive);
  }
  bool management(std::uint64_t id) const {
    const WantedMember* w = wish(id);
    return w != nullptr && w->management;
  }
  const MemberInfo* member(std::uint64_t id) const {
    for (const MemberInfo& m : members) {
      if (m.raft_id == id) return &m;
    }
    return nullptr;
  }
  std::size_t voters() const {
    return static_cast<std::size_t>(
        std::count_if(members.begin(), members.end(), [](const MemberInfo& m) { return m.role == Role::voter; }));
  }
  // Dead, or a data node that is out of the cluster though its process lives.
  bool idle(std::uint64_t id) const {
    const WantedMember* w = wish(id);
    return !alive(id) || (id != leader && w != nullptr && !w->wants_vote && !w->management);
  }
  // Whether idle voters should go: one of an odd number leaves the rest needing as many as before.
  bool fewer_would_help() const {
    const auto idle_voters = std::count_if(
        members.begin(), members.end(), [&](const MemberInfo& m) { return m.role == Role::voter && idle(m.raft_id); });
    return voters() % 2 == 0 || idle_voters > 1 || others_move();
  }
  // Somebody living waits for a vote, or a management server wants to give its own back, which has to wait for the
  // dead.
  bool others_move() const {
    return std::any_of(wanted.begin(), wanted.end(), [&](const WantedMember& w) {
      const MemberInfo* m = member(w.raft_id);
      if (!w.alive || m == nullptr) return false;
      return w.wants_vote ? m->role == Role::standby : m->role == Role::voter && w.management;
    });
  }
  // Two voters need each other: the second vote is given to a data node when another process stands by for the third.
  bool waits_for_a_third(const WantedMember& second) const {
    if (voters() != 1 || second.management) return false;
    return std::none_of(wanted.begin(), wanted.end(), [&](const WantedMember& w) {
      const MemberInfo* m = member(w.raft_id);
      return w.raft_id != second.raft_id && w.alive && w.wants_vote && m != nullptr && m->role == Role::standby;
    });
  }
  // Would a majority of the voters be alive if this one were no voter any more?
  bool can_spare(std::uint64_t id) const {
    std::size_t all = 0, living = 0;
    for (const MemberInfo& m : members) {
      if (m.role != Role::voter || m.raft_id == id) continue;
      ++all;
      living += alive(m.raft_id) ? 1 : 0;
    }
    return living > all / 2;
  }
};

// Voters that should be none: first those that nobody wants (they may be gone for good), then dead ones.
MembershipStep voter_leaves(const Situation& v) {
  for (const MemberInfo& m : v.members) {
    if (m.role == Role::voter && m.raft_id != v.leader && v.wish(m.raft_id) == nullptr)
      return {Kind::assign, m.raft_id, Role::spare};
  }
  const bool helps = v.fewer_would_help();
  for (const MemberInfo& m : v.members) {
    if (m.role != Role::voter || v.alive(m.raft_id)) continue;
    if (helps && v.can_spare(m.raft_id)) return {Kind::assign, m.raft_id, Role::spare};
  }
  for (const MemberInfo& m : v.members) {
    if (m.role != Role::voter || m.raft_id == v.leader || !v.can_spare(m.raft_id)) continue;
    if (v.wish(m.raft_id)->wants_vote) continue;
    if (helps || v.management(m.raft_id)) return {Kind::assign, m.raft_id, Role::standby};
  }
  return {};
}

MembershipStep newcomer(const Situation& v) {
  for (const WantedMember& w : v.wanted) {
    if (!w.alive || w.raft_id == 0) continue;
    const MemberInfo* m = v.member(w.raft_id);
    if (m == nullptr) return {Kind::add, w.raft_id, Role::spare};
    if (m->role == Role::spare) return {Kind::assign, w.raft_id, Role::standby};
  }
  return {};
}

MembershipStep voter_joins(const Situation& v) {
  const WantedMember* best = nullptr;
  auto before = [](const WantedMember& a, const WantedMember& b) {
    return a.management != b.management ? a.management : a.raft_id < b.raft_id;
  };
  for (const WantedMember& w : v.wanted) {
    const MemberInfo* m = v.member(w.raft_id);
    if (!w.alive || !w.wants_vote || m == nullptr || m->role != Role::standby) continue;
    if (best == nullptr || before(w, *best)) best = &w;
  }
  if (best == nullptr || v.waits_for_a_third(*best)) return {};
  if (v.voters() < limits::kVotersMax) return {Kind::assign, best->raft_id, Role::voter};
  if (!best->management) return {};
  std::uint64_t last = 0;  // a data node makes room
  for (const MemberInfo& m : v.members) {
    if (m.role != Role::voter || m.raft_id == v.leader || v.management(m.raft_id)) continue;
    if (v.can_spare(m.raft_id)) last = std::max(last, m.raft_id);
  }
  if (last == 0) return {};
  return {Kind::assign, last, Role::standby};
}

}  // namespace

MembershipStep next_membership_step(const std::vector<MemberInfo>& members, const std::vector<WantedMember>& wanted,
                                    std::uint64_t leader) {
  if (wanted.empty()) return {};
  Situation v{members, wanted, leader};
  if (MembershipStep s = voter_leaves(v); s.kind != Kind::none) return s;
  if (MembershipStep s = newcomer(v); s.kind != Kind::none) return s;
  if (MembershipStep s = voter_joins(v); s.kind != Kind::none) return s;
  for (const MemberInfo& m : members) {
    if (m.role != Role::voter && m.raft_id != leader && v.wish(m.raft_id) == nullptr) {
      return {Kind::remove, m.raft_id, m.role};
    }
  }
  return {};
}

}  // namespace ndb::meta
