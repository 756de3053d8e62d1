// Log::Impl: what members say to each other.
#include "meta/log.h"

#include <algorithm>
#include <cstring>

#include "env/limits.h"
#include "meta/log_impl.h"

namespace ndb::meta {

namespace {

constexpr std::size_t kHeldResultsMax = 4096;

}  // namespace

void Log::Impl::hand_over(std::uint64_t from, raft_message& m) {
  std::string address = codec::address_of(from);
  m.server_id = from;
  m.server_address = address.c_str();
  recv_cb(&io, &m);
}

void Log::Impl::receive(std::uint64_t from, codec::Message&& m) {
  raft_message out{};
  out.type = m.type;
  switch (m.type) {
    case RAFT_IO_APPEND_ENTRIES:
      receive_append(from, std::move(m));
      return;
    case RAFT_IO_INSTALL_SNAPSHOT:
      receive_snapshot(from, std::move(m));
      return;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
      out.append_entries_result = {m.term, m.rejected, m.index};
      if (raft.state == RAFT_LEADER && m.term == raft.current_term && stored_term != raft.current_term) {
        if (held.size() < kHeldResultsMax) held.push_back({from, out});
        return;
      }
      break;
    case RAFT_IO_REQUEST_VOTE:
      if (m.id != from) return;
      out.request_vote.term = m.term;
      out.request_vote.candidate_id = m.id;
      out.request_vote.last_log_index = m.index;
      out.request_vote.last_log_term = m.index_term;
      out.request_vote.disrupt_leader = m.flag;
      out.request_vote.pre_vote = m.pre_vote;
      vote(from, out);
      return;
    case RAFT_IO_REQUEST_VOTE_RESULT:
      out.request_vote_result.term = m.term;
      out.request_vote_result.vote_granted = m.flag;
      out.request_vote_result.pre_vote = m.pre_vote ? raft_tribool_true : raft_tribool_false;
      break;
    case RAFT_IO_TIMEOUT_NOW:
      if (lone_voter(log.members(), id)) return;  // libraft would lead without an election
      out.timeout_now = {m.term, m.index, m.index_term};
      break;
    default:
      return;
  }
  hand_over(from, out);
}

// A member votes whatever its own list of members says: the candidate may know a later one in which it has a vote, and
// without this vote nobody might ever learn of it. libraft asks its own list, so it is shown one that says yes.
void Log::Impl::vote(std::uint64_t from, raft_message& request) {
  std::vector<MemberInfo> members = log.members();
  bool voter = std::any_of(members.begin(), members.end(),
                           [&](const MemberInfo& m) { return m.raft_id == id && m.role == Role::voter; });
  if (voter || raft.state != RAFT_FOLLOWER) {
    hand_over(from, request);
    return;
  }
  // Without elections of its own it would also stay loyal to a leader that is gone.
  auto silent = static_cast<raft_time>(now / kMillisecond) - raft.election_timer_start;
  auto& leader_known = raft.follower_state.current_leader.id;
  if (leader_known == from || silent >= raft.election_timeout) leader_known = 0;
  raft_configuration kept = raft.configuration;
  raft_configuration_init(&raft.configuration);
  NDB_CHECK(raft_configuration_add(&raft.configuration, id, codec::address_of(id).c_str(), RAFT_VOTER) == 0);
  NDB_CHECK(raft_configuration_add(&raft.configuration, from, codec::address_of(from).c_str(), RAFT_VOTER) == 0);
  hand_over(from, request);
  raft_configuration_close(&raft.configuration);
  raft.configuration = kept;
}

void Log::Impl::receive_append(std::uint64_t from, codec::Message&& m) {
  if (raft.state == RAFT_LEADER && m.term == raft.current_term) return;  // two leaders in one term: not one of us
  if (m.term >= raft.current_term && !take_back_conflict(from, m)) return;
  if (m.term >= raft.current_term) skip_committed(&m);
  if (m.term > verified_term) {
    verified_term = m.term;
    verified_index = 0;
  }
  raft_message out{};
  out.type = RAFT_IO_APPEND_ENTRIES;
  out.append_entries.term = m.term;
  out.append_entries.prev_log_index = m.index;
  out.append_entries.prev_log_term = m.index_term;
  out.append_entries.leader_commit = m.commit;
  out.append_entries.n_entries = static_cast<unsigned>(m.entries.size());
  out.append_entries.entries = codec::build_entries(m.entries);
  checking_index = m.index + m.entries.size();
  rejected = false;
  hand_over(from, out);
  if (!rejected && m.term == verified_term && m.term == raft.current_term) {
    verified_index = std::max(verified_index, checking_index);
  }
  checking_index = 0;
}

// What is committed here the leader has as well (3.4), so a message that begins earlier is cut to begin there. The
// entry before it may have left this log with a snapshot, and libraft would refuse for good what it cannot compare.
void Log::Impl::skip_committed(codec::Message* m) const {
  if (m->index >= raft.commit_index) return;
  std::uint64_t skipped = raft.commit_index - m->index;
  auto& e = m->entries;
  e.erase(e.begin(), e.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(skipped, e.size())));
  m->index = raft.commit_index;
  m->index_term = term_of(raft.commit_index);
}

// A heartbeat that claims nothing: a leader of an older term or a candidate becomes a follower by it.
void Log::Impl::step_down(std::uint64_t from, std::uint64_t leader_term) {
  if (raft.state == RAFT_FOLLOWER) return;
  raft_message out{};
  out.type = RAFT_IO_APPEND_ENTRIES;
  out.append_entries.term = leader_term;
  hand_over(from, out);
}

// Does this message overwrite entries? Then memberships that came with them are taken back. False: it would overwrite
// committed ones; one of the two logs is not to be trusted.
bool Log::Impl::take_back_conflict(std::uint64_t from, const codec::Message& m) {
  std::uint64_t previous = term_of(m.index);
  bool contradicts = m.index != 0 && previous != 0 && previous != m.index_term && m.index <= raft.commit_index;
  if (m.index == 0 || previous == m.index_term) {
    for (const LogEntry& e : m.entries) {
      std::uint64_t mine = term_of(e.index);
      if (mine == 0 || mine == e.term) continue;
      if (e.index <= raft.commit_index) {
        contradicts = true;
      } else if (raft.configuration_index >= e.index || raft.configuration_uncommitted_index >= e.index) {
        step_down(from, m.term);
        install_configuration(e.index - 1);
      }
      break;
    }
  }
  if (contradicts) fail(Error::internal, "the metadata log contradicts that of a peer");
  return !contradicts;
}

// Makes the newest membership at or before this index the present one.
void Log::Impl::install_configuration(std::uint64_t index) {
  auto i = memberships.upper_bound(index);
  NDB_CHECK(i != memberships.begin());
  --i;
  raft_configuration c;
  raft_configuration_init(&c);
  codec::build_configuration(i->second, &c);
  raft_configuration_close(&raft.configuration);
  raft.configuration = c;
  raft.configuration_index = i->first;
  raft.configuration_uncommitted_index = 0;
}

void Log::Impl::receive_snapshot(std::uint64_t from, codec::Message&& m) {
  if (raft.state == RAFT_LEADER && m.term == raft.current_term) return;
  raft_message out{};
  out.type = RAFT_IO_INSTALL_SNAPSHOT;
  out.install_snapshot.term = m.term;
  out.install_snapshot.last_index = m.index;
  out.install_snapshot.last_term = m.index_term;
  out.install_snapshot.conf_index = m.membership_index;
  raft_configuration_init(&out.install_snapshot.conf);
  codec::build_configuration(m.membership, &out.install_snapshot.conf);
  out.install_snapshot.data = codec::build_buffer(m.data);
  if (m.term > verified_term) {
    verified_term = m.term;
    verified_index = 0;
  }
  checking_index = m.index;
  rejected = false;
  hand_over(from, out);
  if (!rejected && m.term == verified_term && m.term == raft.current_term) {
    verified_index = std::max(verified_index, checking_index);
  }
  checking_index = 0;
}

}  // namespace ndb::meta
