#include "meta/log.h"

#include <algorithm>
#include <cstring>

#include "env/limits.h"
#include "meta/log_impl.h"

namespace ndb::meta {

// --- Log: what others see

Log::Log(LogStore& store, std::uint64_t raft_id, std::uint64_t seed)
    : impl_(std::make_unique<Impl>(*this, store, raft_id, seed)) {}
Log::~Log() = default;

Failure Log::bootstrap() {
  NDB_CHECK(!impl_->started);
  LogStore::State s = impl_->store.load();
  if (s.term > 1 || s.vote != 0 || s.snapshot.present() || !s.entries.empty()) {
    return {Error::illegal_change, "the metadata log is not empty: this member belongs to a cluster already"};
  }
  if (s.raft_id != 0 && s.raft_id != impl_->id) {
    return {Error::wrong_node_id, "the metadata log belongs to another member"};
  }
  impl_->store.set_raft_id(impl_->id);
  raft_configuration c;
  raft_configuration_init(&c);
  NDB_CHECK(raft_configuration_add(&c, impl_->id, codec::address_of(impl_->id).c_str(), RAFT_VOTER) == 0);
  int rv = raft_bootstrap(&impl_->raft, &c);
  raft_configuration_close(&c);
  if (rv != 0 || impl_->store.failed()) return {Error::os_failed, "cannot write the first entry of the metadata log"};
  return {};
}

Failure Log::start(Time now) { return impl_->start(now); }

void Log::set_snapshots(std::uint32_t threshold, std::uint32_t trailing) {
  NDB_CHECK(!impl_->started && trailing > 0);
  impl_->threshold = threshold;
  impl_->trailing = trailing;
}

void Log::tick(Time now) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.running() || now < next_tick()) return;
  i.last_tick = now;
  if (i.install != nullptr) return;
  i.before_self_election();
  i.tick_cb(&i.io);
  i.settle();
}

Time Log::next_tick() const { return impl_->last_tick + limits::kMetaTick; }

void Log::receive(Time now, std::uint64_t from_raft_id, Bytes message) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.running() || i.install != nullptr || from_raft_id == 0 || from_raft_id == i.id) return;
  codec::Message m;
  if (!codec::decode(message, &m)) return;
  i.receive(from_raft_id, std::move(m));
  i.settle();
}

void Log::stored(Time now, std::uint64_t tag, int status) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.running()) return;
  if (status != 0) {
    i.fail_to_write();
    return;
  }
  if (i.install != nullptr && tag == i.install_tag) {
    i.complete_install();
  } else if (!i.appends.empty() && i.appends.front().tag == tag) {
    Impl::PendingAppend a = i.appends.front();
    i.appends.pop_front();
    i.complete_append(a);
  }
  i.settle();
}

void Log::lost(Time now, std::uint64_t raft_id) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.running() || i.raft.state != RAFT_FOLLOWER || i.raft.follower_state.current_leader.id != raft_id) return;
  i.raft.follower_state.current_leader.id = 0;  // nobody is loyal to the dead
  constexpr auto kMin = static_cast<int>(limits::kMetaLostMin / kMillisecond),
                 kMax = static_cast<int>(limits::kMetaLostMax / kMillisecond);
  const auto due = static_cast<raft_time>(i.now / kMillisecond) + static_cast<raft_time>(i.random(kMin, kMax));
  const raft_time patience = i.raft.follower_state.randomized_election_timeout;
  // As if it had been silent for a while. What it says next begins its time anew.
  if (due > patience) i.raft.election_timer_start = std::min(i.raft.election_timer_start, due - patience);
}

bool Log::leader() const { return impl_->leading(); }

std::uint64_t Log::leader_raft_id() const {
  if (!impl_->running()) return 0;
  RaftId leader_id = 0;
  const char* address = nullptr;
  raft_leader(&impl_->raft, &leader_id, &address);
  return leader_id;
}

std::uint64_t Log::raft_id() const { return impl_->id; }
std::uint64_t Log::term() const { return impl_->raft.current_term; }
std::uint64_t Log::last_applied() const { return impl_->raft.last_applied; }
std::uint64_t Log::commit_index() const { return impl_->raft.commit_index; }
std::uint64_t Log::last_index() const { return raft_last_index(&impl_->raft); }
const Failure& Log::failure() const { return impl_->failure; }

bool Log::propose(Time now, std::string data) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.leading() || data.empty()) return false;
  raft_buffer buffer = codec::build_buffer(data);
  auto* request = new ApplyRequest{};
  int rv = raft_apply(&i.raft, request, &buffer, 1, [](ApplyRequest* r, int, void*) { delete r; });
  if (rv != 0) {
    raft_free(buffer.base);
    delete request;
  }
  i.settle();
  return rv == 0;
}

std::vector<MemberInfo> Log::members() const {
  std::vector<MemberInfo> all;
  const raft_configuration& c = impl_->raft.configuration;
  for (unsigned i = 0; i < c.n; ++i) {
    all.push_back({c.servers[i].id, static_cast<Role>(c.servers[i].role)});
  }
  return all;
}

bool Log::change_pending() const { return impl_->leading() && !impl_->may_change_membership(); }

template <class Call>
bool Log::Impl::change(Time at, Call call) {
  now = std::max(now, at);
  if (!leading() || !may_change_membership()) return false;
  auto* request = new ChangeRequest{};
  int rv = call(&raft, request, [](ChangeRequest* r, int) { delete r; });
  if (rv != 0) delete request;
  settle();
  return rv == 0;
}

bool Log::add(Time now, std::uint64_t raft_id) {
  return raft_id != 0 && members().size() < limits::kMetaMembersMax &&
         impl_->change(now, [&](Raft* r, ChangeRequest* request, raft_change_cb cb) {
           return raft_add(r, request, raft_id, codec::address_of(raft_id).c_str(), cb);
         });
}

bool Log::assign(Time now, std::uint64_t raft_id, Role role) {
  for (const MemberInfo& m : members()) {
    if (m.raft_id != raft_id || m.role == role) continue;
    if (raft_id == impl_->id && role != Role::voter) return false;  // hand leadership over first
    return impl_->change(now, [&](Raft* r, ChangeRequest* request, raft_change_cb cb) {
      return raft_assign(r, request, raft_id, static_cast<int>(role), cb);
    });
  }
  return false;
}

bool Log::remove(Time now, std::uint64_t raft_id) {
  if (raft_id == impl_->id) return false;  // hand leadership over first
  return impl_->change(
      now, [&](Raft* r, ChangeRequest* request, raft_change_cb cb) { return raft_remove(r, request, raft_id, cb); });
}

bool Log::transfer(Time now, std::uint64_t raft_id) {
  Impl& i = *impl_;
  i.now = std::max(i.now, now);
  if (!i.leading()) return false;
  auto* request = new TransferRequest{};
  int rv = raft_transfer(&i.raft, request, raft_id, [](TransferRequest* r) { delete r; });
  if (rv != 0) delete request;
  i.settle();
  return rv == 0;
}

// --- Impl: life

Log::Impl::Impl(Log& l, LogStore& s, std::uint64_t own_id, std::uint64_t seed)
    : log(l),
      store(s),
      id(own_id),
      prng(seed),
      threshold(limits::kMetaSnapshotEntries),
      trailing(limits::kMetaTrailingEntries) {
  NDB_CHECK(own_id != 0);
  connect_io();
  NDB_CHECK(raft_init(&raft, &io, &fsm, id, codec::address_of(id).c_str()) == 0);
}

Log::Impl::~Impl() {
  while (!later.empty()) {
    auto f = std::move(later.front());
    later.pop_front();
    f();
  }
  raft_close(&raft, nullptr);
}

// What is still with the store is given back to libraft as if it had been stored: it is unavailable by now and only
// drops its references. (Told of an error it would cut a log that may be shorter already.)
void Log::Impl::close(raft_io_close_cb cb) {
  for (PendingAppend& a : appends) a.request->cb(a.request, 0);
  appends.clear();
  if (install != nullptr) {
    raft_io_snapshot_put* request = install;
    install = nullptr;
    install_cb(request, RAFT_CANCELED);
  }
  while (!later.empty()) {
    auto f = std::move(later.front());
    later.pop_front();
    f();
  }
  if (cb != nullptr) cb(&io);
}

Failure Log::Impl::start(Time start_now) {
  NDB_CHECK(!started);
  now = last_tick = start_now;
  raft_set_heartbeat_timeout(&raft, static_cast<unsigned>(limits::kMetaHeartbeat / kMillisecond));
  raft_set_election_timeout(&raft, static_cast<unsigned>(limits::kMetaElection / kMillisecond));
  raft_set_install_snapshot_timeout(&raft, static_cast<unsigned>(limits::kMetaSnapshotResend / kMillisecond));
  raft_set_snapshot_threshold(&raft, threshold);
  raft_set_snapshot_trailing(&raft, trailing);
  raft_set_pre_vote(&raft, true);
  int rv = raft_start(&raft);
  if (failure) return failure;
  if (rv != 0) {
    fail(Error::os_failed, std::string("the metadata log cannot be opened: ") + raft_strerror(rv));
    return failure;
  }
  started = true;
  settle();
  return failure;
}

void Log::Impl::fail(Error error, std::string text) {
  if (!failure) failure = {error, std::move(text)};
}

void Log::Impl::fail_to_write() {
  const std::string why = store.failure();
  fail(Error::os_failed, "the metadata log could not be written" + (why.empty() ? why : ": " + why));
}

void Log::Impl::settle() {
  for (;;) {
    while (!later.empty()) {
      auto f = std::move(later.front());
      later.pop_front();
      f();
    }
    if (!running()) return;
    if (store.failed()) {
      fail_to_write();
      return;
    }
    if (raft.state == RAFT_UNAVAILABLE) {
      fail(Error::internal, "the metadata log contradicts that of a peer");
      return;
    }
    NDB_CHECK(raft.last_applied <= raft.commit_index);
    if (raft.last_stored > stored_index && install == nullptr) raft.last_stored = stored_index;
    if (raft.state == RAFT_LEADER && barrier_term != raft.current_term) {
      barrier_term = raft.current_term;
      auto* request = new BarrierRequest{};
      if (raft_barrier(&raft, request, [](BarrierRequest* r, int) { delete r; }) != 0) delete request;
      continue;
    }
    if (!held.empty() && (raft.state != RAFT_LEADER || stored_term == raft.current_term)) {
      auto waiting = std::move(held);
      held.clear();
      for (HeldResult& h : waiting) hand_over(h.from, h.message);
      continue;
    }
    if (raft.state == RAFT_LEADER && raft.commit_index > announced_commit) {
      announce_commit();
      continue;
    }
    if (later.empty()) return;
  }
}

// Heartbeats at once instead of within 20 ms, so that followers learn what is committed: to libraft it looks as if the
// time for them had come.
void Log::Impl::announce_commit() {
  announced_commit = raft.commit_index;
  for (unsigned i = 0; i < raft.configuration.n; ++i) raft.leader_state.progress[i].last_send = 0;
  tick_cb(&io);
}

bool Log::Impl::may_change_membership() const {
  return raft.transfer == nullptr && raft.configuration_uncommitted_index == 0 && raft.leader_state.promotee_id == 0 &&
         raft.leader_state.change == nullptr && term_of(raft.commit_index) == raft.current_term;
}

bool lone_voter(const std::vector<MemberInfo>& members, std::uint64_t id) {
  std::size_t others = 0;
  bool self = false;
  for (const MemberInfo& m : members) {
    if (m.role != Role::voter) continue;
    self = self || m.raft_id == id;
    others += m.raft_id == id ? 0 : 1;
  }
  return self && others == 0;
}

// A lone voter is made leader by libraft when its time is up, without an election and in the term that it happens to be
// in. It gets a term of its own here.
void Log::Impl::before_self_election() {
  if (raft.state != RAFT_FOLLOWER || !lone_voter(log.members(), id)) return;
  auto ms = static_cast<raft_time>(now / kMillisecond);
  if (ms - raft.election_timer_start < raft.follower_state.randomized_election_timeout) return;
  if (set_term(raft.current_term + 1) != 0 || set_vote(id) != 0) return;
  ++raft.current_term;
  raft.voted_for = id;
}

std::uint64_t Log::Impl::term_of(std::uint64_t index) const {
  const RaftLog& l = raft.log;
  if (index != 0 && index == l.snapshot.last_index) return l.snapshot.last_term;
  std::size_t n = l.size == 0 ? 0 : (l.back + l.size - l.front) % l.size;
  if (index <= l.offset || index > l.offset + n) return 0;
  return l.entries[(l.front + (index - l.offset - 1)) % l.size].term;
}

}  // namespace ndb::meta
