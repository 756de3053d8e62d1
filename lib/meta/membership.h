// Who is a member of the metadata log, and with which role: the policy by which the leader lets the log's own
// membership follow the cluster. It is a function from what is wanted and what is, to the one next step; the leader
// carries that step out, waits until it has ended, and asks again.
//
// Every wanted process receives the log (standby). Of those that want a vote, management servers come first, then
// lower raft ids, limits::kVotersMax at most. A data node becomes the second voter only when a third is at hand: of two
// neither may be lost, and a first start that lost its first data node with its files would be the last. A voter that
// died is demoted to spare where that helps, so that the
// quorum follows the living: one of an even number of voters, one of several dead ones, one whose place another can
// take. A lone dead one of an odd number keeps its vote: without it the rest would need as many living voters as
// before, and any two of three could not go on after a power loss of all (docs/decisions/0008). The same holds for a
// data node that is out of the cluster while its process lives. When a demoted one lives again it returns through
// standby. One that is not wanted any more is removed. The leader never demotes or removes itself.
#pragma once
#include <cstdint>
#include <vector>

#include "meta/log.h"

namespace ndb::meta {

struct WantedMember {
  std::uint64_t raft_id = 0;
  bool wants_vote = false;
  bool alive = false;
  bool management = false;  // a management server: gets its vote before the data nodes do
  friend bool operator==(const WantedMember&, const WantedMember&) = default;
};

struct MembershipStep {
  enum class Kind : std::uint8_t { none = 0, add, assign, remove } kind = Kind::none;
  std::uint64_t raft_id = 0;
  Role role = Role::spare;  // of an assign
  friend bool operator==(const MembershipStep&, const MembershipStep&) = default;
};

// The next step, or none. `leader` is the member that asks. A step that would leave a set of voters of which a majority
// is not known to be alive is never named: a leader that hears nobody does not take votes away, for what it stores then
// is carried out when it is heard again. An empty `wanted` means that nothing is known yet: no step.
MembershipStep next_membership_step(const std::vector<MemberInfo>& members, const std::vector<WantedMember>& wanted,
                                    std::uint64_t leader);

}  // namespace ndb::meta
