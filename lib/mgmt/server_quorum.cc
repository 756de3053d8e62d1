// Who has a vote in the metadata log, and whether there are enough of them.
#include <algorithm>
#include <set>

#include "mgmt/server.h"
#include "mgmt/text_reply.h"

namespace ndb::mgmt {

namespace {
constexpr Time kQuorumPatience = 5 * kSecond;  // without a leader, until it is said why
}

Server::Votes Server::votes() const {
  Votes v;
  if (!member_started_) return v;
  for (const meta::MemberInfo& m : member_->log().members()) {
    if (m.role != meta::Role::voter) continue;
    ++v.all;
    v.others += m.raft_id != options_.raft_id && peers_.link_of_raft(m.raft_id) != 0 ? 1 : 0;
    v.own += m.raft_id == options_.raft_id ? 1 : 0;
  }
  return v;
}

// Would those who stay be no majority of the voters?
bool Server::vote_is_needed() const {
  const Votes v = votes();
  return v.others > 0 && 2 * v.others <= v.all;
}

std::string Server::no_quorum() const {
  const Votes v = votes();
  const std::size_t here = v.others + v.own;
  if (2 * here > v.all || v.all == 0) return {};
  std::string text = "of " + std::to_string(v.all) + " members that vote " + std::to_string(here) +
                     (here == 1 ? " is here" : " are here");
  std::set<std::uint64_t> members;
  for (const meta::MemberInfo& m : member_->log().members()) members.insert(m.raft_id);
  std::vector<NodeId> anew;
  for (const env::LinkId link : peers_.links(wire::PeerKind::data)) {
    const std::uint64_t raft = peers_.raft_of(link);
    if (raft != 0 && members.count(raft) == 0) anew.push_back(peers_.node_of(link));
  }
  if (anew.empty()) return text;
  std::sort(anew.begin(), anew.end());
  return text + "; " + node_list(anew) + (anew.size() == 1 ? " has" : " have") +
         " come without the files of before: if the cluster is to begin anew, start the management servers with "
         "--initial, too";
}

void Server::watch_quorum() {
  if (!member_started_ || member_->leader_raft_id() != 0) {
    alone_since_ = kNever;
    told_no_quorum_.clear();
    return;
  }
  if (alone_since_ == kNever) alone_since_ = now_;
  if (now_ < alone_since_ + kQuorumPatience) return;
  std::string text = no_quorum();
  if (text.empty() || text == told_no_quorum_) return;
  out_->log(env::Severity::warning, "the metadata log has no leader: " + text);
  told_no_quorum_ = std::move(text);
}

}  // namespace ndb::mgmt
