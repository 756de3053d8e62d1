// What libraft asks for: its raft_io and raft_fsm, on top of a LogStore.
#include <algorithm>
#include <cstring>

#include "env/limits.h"
#include "meta/log_impl.h"

namespace ndb::meta {

namespace {
constexpr std::size_t kMessageBytes = limits::kFrameBytesMax / 8;  // of entries in one message
}

void Log::Impl::connect_io() {
  io.version = 2;
  io.impl = this;
  io.init = [](raft_io*, RaftId, const char*) { return 0; };
  io.close = [](raft_io* i, raft_io_close_cb cb) { static_cast<Impl*>(i->impl)->close(cb); };
  io.load = [](raft_io* i, raft_term* t, RaftId* v, raft_snapshot** s, raft_index* first, raft_entry** e, size_t* n) {
    return static_cast<Impl*>(i->impl)->load(t, v, s, first, e, n);
  };
  io.start = [](raft_io* i, unsigned, raft_io_tick_cb tick, raft_io_recv_cb recv) {
    auto* self = static_cast<Impl*>(i->impl);
    self->tick_cb = tick;
    self->recv_cb = recv;
    return 0;
  };
  io.bootstrap = [](raft_io* i, const raft_configuration* c) { return static_cast<Impl*>(i->impl)->bootstrap(*c); };
  io.recover = [](raft_io*, const raft_configuration*) { return static_cast<int>(RAFT_INVALID); };
  io.set_term = [](raft_io* i, raft_term t) { return static_cast<Impl*>(i->impl)->set_term(t); };
  io.set_vote = [](raft_io* i, RaftId v) { return static_cast<Impl*>(i->impl)->set_vote(v); };
  io.send = [](raft_io* i, raft_io_send* r, const raft_message* m, raft_io_send_cb cb) {
    return static_cast<Impl*>(i->impl)->send(r, *m, cb);
  };
  io.append = [](raft_io* i, raft_io_append* r, const raft_entry* e, unsigned n, raft_io_append_cb cb) {
    return static_cast<Impl*>(i->impl)->append(r, e, n, cb);
  };
  io.truncate = [](raft_io* i, raft_index index) { return static_cast<Impl*>(i->impl)->truncate(index); };
  io.snapshot_put = [](raft_io* i, unsigned kept, raft_io_snapshot_put* r, const raft_snapshot* s,
                       raft_io_snapshot_put_cb cb) {
    return static_cast<Impl*>(i->impl)->snapshot_put(kept, r, *s, cb);
  };
  io.snapshot_get = [](raft_io* i, raft_io_snapshot_get* r, raft_io_snapshot_get_cb cb) {
    return static_cast<Impl*>(i->impl)->snapshot_get(r, cb);
  };
  io.time = [](raft_io* i) { return static_cast<raft_time>(static_cast<Impl*>(i->impl)->now / kMillisecond); };
  io.random = [](raft_io* i, int min, int max) { return static_cast<Impl*>(i->impl)->random(min, max); };
  io.async_work = [](raft_io* i, raft_io_async_work* r, raft_io_async_work_cb cb) {
    static_cast<Impl*>(i->impl)->later.push_back([r, cb] { cb(r, r->work(r)); });
    return 0;
  };
  fsm.version = 1;
  fsm.data = this;
  fsm.apply = [](raft_fsm* f, const raft_buffer* b, void** result) {
    *result = nullptr;
    return static_cast<Impl*>(f->data)->apply(*b);
  };
  fsm.snapshot = [](raft_fsm* f, raft_buffer* b[], unsigned* n) { return static_cast<Impl*>(f->data)->snapshot(b, n); };
  fsm.restore = [](raft_fsm* f, raft_buffer* b) { return static_cast<Impl*>(f->data)->restore(b); };
}

raft_snapshot* Log::Impl::build_snapshot(const LogSnapshot& from) const {
  auto* s = static_cast<raft_snapshot*>(raft_calloc(1, sizeof(raft_snapshot)));
  NDB_CHECK(s != nullptr);
  s->index = from.index;
  s->term = from.term;
  raft_configuration_init(&s->configuration);
  codec::build_configuration(from.membership, &s->configuration);
  s->configuration_index = from.membership_index;
  s->bufs = static_cast<raft_buffer*>(raft_malloc(sizeof(raft_buffer)));
  NDB_CHECK(s->bufs != nullptr);
  s->bufs[0] = codec::build_buffer(from.data);
  s->n_bufs = 1;
  return s;
}

// Is what a store gave us a log that libraft can be handed? (A damaged file is the store's to refuse; this is the
// second look.)
static const char* fault_of(const LogStore::State& s, std::uint64_t id) {
  if (s.raft_id != 0 && s.raft_id != id) return "it belongs to another member";
  std::vector<MemberInfo> members;
  if (s.snapshot.present() && (!codec::decode_membership(s.snapshot.membership, &members) || s.snapshot.term == 0 ||
                               s.snapshot.membership_index == 0 || s.snapshot.term > s.term)) {
    return "its snapshot is damaged";
  }
  std::uint64_t first = s.entries.empty() ? s.snapshot.index + 1 : s.entries.front().index;
  if (first == 0 || first > s.snapshot.index + 1) return "entries are missing";
  std::uint64_t term = 0;
  for (std::size_t i = 0; i < s.entries.size(); ++i) {
    const LogEntry& e = s.entries[i];
    if (e.index != first + i) return "entries are missing";
    if (e.term < term || e.term == 0 || e.term > s.term) return "the terms of its entries are out of order";
    if (e.type < RAFT_COMMAND || e.type > RAFT_CHANGE) return "an entry is damaged";
    members.clear();
    if ((e.index == 1 && e.type != RAFT_CHANGE) ||
        (e.type == RAFT_CHANGE && !codec::decode_membership(e.data, &members))) {
      return "an entry is damaged";
    }
    term = e.term;
  }
  if (!s.entries.empty() && s.entries.back().index < s.snapshot.index) return "entries are missing";
  return nullptr;
}

int Log::Impl::load(raft_term* term, RaftId* vote, raft_snapshot** snapshot_out, raft_index* start_index,
                    raft_entry** entries, std::size_t* n) {
  LogStore::State s = store.load();
  const char* fault = fault_of(s, id);
  if (store.failed()) fault = "it cannot be read";
  if (fault != nullptr) {
    fail(s.raft_id != 0 && s.raft_id != id ? Error::wrong_node_id : Error::os_failed,
         std::string("the metadata log cannot be used: ") + fault);
    return RAFT_CORRUPT;
  }
  if (s.raft_id == 0) store.set_raft_id(id);
  std::vector<MemberInfo> members;
  for (auto e = s.entries.rbegin(); e != s.entries.rend() && members.empty(); ++e) {
    if (e->type == RAFT_CHANGE) NDB_CHECK(codec::decode_membership(e->data, &members));
  }
  if (members.empty() && s.snapshot.present()) NDB_CHECK(codec::decode_membership(s.snapshot.membership, &members));
  if (lone_voter(members, id)) {  // it will elect itself at once
    store.set_term(++s.term);
    store.set_vote(s.vote = id);
    if (store.failed()) {
      fail(Error::os_failed, "the metadata log cannot be written");
      return RAFT_IOERR;
    }
  }
  *term = s.term;
  *vote = s.vote;
  *start_index = s.entries.empty() ? s.snapshot.index + 1 : s.entries.front().index;
  *n = s.entries.size();
  *entries = codec::build_entries(s.entries);
  *snapshot_out = nullptr;
  if (s.snapshot.present()) {
    memberships[s.snapshot.membership_index] = s.snapshot.membership;
    restoring_index = s.snapshot.index;
    *snapshot_out = build_snapshot(s.snapshot);
  }
  for (LogEntry& e : s.entries) {
    stored_term = std::max(stored_term, e.term);
    if (e.type == RAFT_CHANGE) memberships[e.index] = std::move(e.data);
  }
  next_index = *start_index + *n;
  stored_index = next_index - 1;
  newest = std::move(s.snapshot);
  return 0;
}

int Log::Impl::bootstrap(const raft_configuration& c) {
  store.set_term(1);
  store.append_now({LogEntry{1, 1, RAFT_CHANGE, codec::encode_membership(c)}});
  return store.failed() ? RAFT_IOERR : 0;
}

int Log::Impl::set_term(raft_term term) {
  store.set_term(term);
  return store.failed() ? RAFT_IOERR : 0;
}

int Log::Impl::set_vote(RaftId voted) {
  store.set_vote(voted);
  return store.failed() ? RAFT_IOERR : 0;
}

int Log::Impl::send(raft_io_send* request, const raft_message& message, raft_io_send_cb cb) {
  if (message.server_id != 0 && message.server_id != id) {  // without a known leader an answer goes nowhere
    raft_message m = message;
    if (m.type == RAFT_IO_APPEND_ENTRIES_RESULT) {
      raft_append_entries_result& r = m.append_entries_result;
      rejected = rejected || r.rejected != 0;
      std::uint64_t same = raft.commit_index;  // what the leader has for certain
      if (verified_term == raft.current_term) same = std::max({same, verified_index, checking_index});
      if (r.rejected == 0) r.last_log_index = std::min(same, stored_index);
    }
    if (m.type == RAFT_IO_REQUEST_VOTE_RESULT && !m.request_vote_result.vote_granted) {
      // libraft answers a question before an election with the candidate's own term, so that one who asks with an old
      // term and a long log, and one who has a later term and a shorter log, would refuse each other for good.
      m.request_vote_result.term = std::max(m.request_vote_result.term, raft.current_term);
    }
    Writer w;
    codec::encode(w, m, kMessageBytes);
    Send out{message.server_id, std::string(w.view())};
    std::uint64_t after = m.type == RAFT_IO_APPEND_ENTRIES ? must_be_stored_before(m) : 0;
    if (after > 0) {
      delayed.push_back({after, std::move(out)});
    } else {
      log.sends.push_back(std::move(out));
    }
  }
  if (cb != nullptr) later.push_back([request, cb] { cb(request, 0); });
  return 0;
}

// The index up to which this leader's own log must be stored before the message may go out; 0 = none. Only changes of
// membership wait, and what follows them to the same member.
std::uint64_t Log::Impl::must_be_stored_before(const raft_message& m) const {
  std::uint64_t index = 0;
  for (const Delayed& d : delayed) {
    if (d.send.to_raft_id == m.server_id) index = d.after;
  }
  const raft_append_entries& a = m.append_entries;
  for (unsigned i = 0; i < a.n_entries; ++i) {
    std::uint64_t at = a.prev_log_index + 1 + i;
    if (a.entries[i].type == RAFT_CHANGE && at > stored_index) index = std::max(index, at);
  }
  return index;
}

int Log::Impl::append(raft_io_append* request, const raft_entry* entries, unsigned n, raft_io_append_cb cb) {
  NDB_CHECK(n > 0 && raft_last_index(&raft) == next_index + n - 1);
  std::vector<LogEntry> copies;
  copies.reserve(n);
  bool dead = false;
  for (unsigned i = 0; i < n; ++i) {
    const raft_entry& e = entries[i];
    if (e.type == RAFT_BARRIER) std::memset(e.buf.base, 0, e.buf.len);  // libraft leaves it uninitialised
    if (e.type == RAFT_CHANGE) codec::zero_padding(e.buf);
    copies.push_back({next_index, e.term, e.type, std::string(static_cast<const char*>(e.buf.base), e.buf.len)});
    if (e.type == RAFT_CHANGE) memberships[next_index] = copies.back().data;
    if (e.type == RAFT_COMMAND && log.appending != nullptr) dead = log.appending(log.owner, copies.back().data) || dead;
    ++next_index;
  }
  request->cb = cb;
  appends.push_back({next_tag, request, next_index - 1, entries[n - 1].term, raft.state == RAFT_LEADER, false});
  if (!dead) store.append(next_tag, std::move(copies));
  ++next_tag;
  return 0;
}

void Log::Impl::complete_append(const PendingAppend& a) {
  stored_index = std::max(stored_index, a.last_index);
  if (!a.overwritten) stored_term = std::max(stored_term, a.last_term);
  while (!delayed.empty() && delayed.front().after <= stored_index) {
    log.sends.push_back(std::move(delayed.front().send));
    delayed.pop_front();
  }
  // A follower's entries that were overwritten meanwhile are refused, lest libraft counts them twice.
  a.request->cb(a.request, a.overwritten && !a.as_leader ? RAFT_CANCELED : 0);
}

int Log::Impl::truncate(raft_index index) {
  NDB_CHECK(index > raft.commit_index && index <= next_index);
  store.truncate(index);
  delayed.clear();
  memberships.erase(memberships.lower_bound(index), memberships.end());
  next_index = index;
  stored_index = std::min<std::uint64_t>(stored_index, index - 1);
  for (PendingAppend& a : appends) {
    if (a.last_index < index) continue;
    a.last_index = index - 1;
    a.overwritten = true;
  }
  return 0;
}

int Log::Impl::snapshot_put(unsigned kept, raft_io_snapshot_put* request, const raft_snapshot& s,
                            raft_io_snapshot_put_cb cb) {
  LogSnapshot out;
  out.index = s.index;
  out.term = s.term;
  for (unsigned i = 0; i < s.n_bufs; ++i) out.data.append(static_cast<const char*>(s.bufs[i].base), s.bufs[i].len);
  if (kept == 0) {  // the leader's: it replaces everything, and counts when it is durable
    out.membership_index = s.configuration_index;
    out.membership = codec::encode_membership(s.configuration);
    memberships.clear();
    memberships[out.membership_index] = out.membership;
    delayed.clear();
    next_index = s.index + 1;
    stored_index = 0;
    stored_term = 0;
    for (PendingAppend& a : appends) {
      a.last_index = 0;
      a.overwritten = true;
    }
    install = request;
    install_cb = cb;
    install_tag = next_tag++;
    newest = out;
    store.put_snapshot(install_tag, std::move(out), s.index + 1);
    return 0;
  }
  // Our own. libraft offers the present membership, which may be a later and uncommitted one.
  auto m = memberships.upper_bound(s.index);
  NDB_CHECK(m != memberships.begin());
  --m;
  out.membership_index = m->first;
  out.membership = m->second;
  memberships.erase(memberships.begin(), m);
  newest = out;
  store.put_snapshot(next_tag++, std::move(out), s.index > kept ? s.index - kept + 1 : 1);
  later.push_back([request, cb] { cb(request, 0); });
  return 0;
}

void Log::Impl::complete_install() {
  raft_io_snapshot_put* request = install;
  install = nullptr;
  stored_index = newest.index;
  stored_term = newest.term;
  restoring_index = newest.index;
  install_cb(request, 0);
}

int Log::Impl::snapshot_get(raft_io_snapshot_get* request, raft_io_snapshot_get_cb cb) {
  if (!newest.present()) return RAFT_NOTFOUND;
  raft_snapshot* s = build_snapshot(newest);
  later.push_back([request, cb, s] { cb(request, s, 0); });
  return 0;
}

int Log::Impl::random(int min, int max) {
  if (max <= min) return min;
  return min + static_cast<int>(prng.below(static_cast<std::uint64_t>(max - min)));
}

int Log::Impl::apply(const raft_buffer& buffer) {
  const RaftLog& l = raft.log;
  std::uint64_t index = raft.last_applied + 1;
  NDB_CHECK(term_of(index) != 0);
  NDB_CHECK(l.entries[(l.front + (index - l.offset - 1)) % l.size].buf.base == buffer.base);
  log.applied.push_back({index, std::string(static_cast<const char*>(buffer.base), buffer.len)});
  return 0;
}

int Log::Impl::snapshot(raft_buffer** buffers, unsigned* n) {
  if (log.encode_snapshot == nullptr) return RAFT_BUSY;
  auto* b = static_cast<raft_buffer*>(raft_malloc(sizeof(raft_buffer)));
  NDB_CHECK(b != nullptr);
  *b = codec::build_buffer(log.encode_snapshot(log.owner));
  *buffers = b;
  *n = 1;
  return 0;
}

int Log::Impl::restore(raft_buffer* buffer) {
  log.restored.assign(static_cast<const char*>(buffer->base), buffer->len);
  log.restored_index = restoring_index;
  raft_free(buffer->base);
  return 0;
}

}  // namespace ndb::meta
