#include "meta/member.h"

#include <algorithm>

#include "base/fault.h"
#include "env/limits.h"
#include "meta/stored.h"

namespace ndb::meta {

namespace {
// The first byte of what members send to each other.
constexpr char kRaftMessage = 0;
constexpr char kForwardedCommand = 1;

std::string fault_name(const CommandBody& b) {
  std::string s = name_of(b);
  if (const auto* x = std::get_if<AdvanceReorg>(&b)) s += std::string(" ") + name_of(x->phase);
  return s;
}

bool places_rows(const Command& c) {
  return std::holds_alternative<CreateGroups>(c.body) || std::holds_alternative<CreateTable>(c.body) ||
         std::holds_alternative<StartReorg>(c.body);
}
}  // namespace

Member::Member(LogStore& store, MemberOptions options)
    : options_(options),
      store_(store),
      log_(store, options.raft_id, options.seed),
      prng_(options.seed ^ 0x6d656d626572),
      catalog_(std::make_shared<const Catalog>()) {
  log_.encode_snapshot = &Member::encode_snapshot;
  log_.appending = &Member::appending;
  log_.owner = this;
  if (options.snapshot_threshold != 0) log_.set_snapshots(options.snapshot_threshold, options.snapshot_trailing);
}
Member::~Member() = default;

Failure Member::bootstrap() { return log_.bootstrap(); }

Failure Member::start(Time now) {
  Failure f = log_.start(now);
  if (!f) after(now);
  if (!f && failed) return {Error::os_failed, failure};
  return f;
}

std::shared_ptr<const Catalog> Member::expected() const {
  return std::make_shared<const Catalog>(expect(store_.load()));
}

void Member::tick(Time now) {
  if (failed) return;
  log_.tick(now);
  after(now);
  if (leading()) {
    follow_membership(now);
    prefer_management(now);
    after(now);
  }
  if (mirrored_ != catalog_->version && now >= next_mirror_) {
    next_mirror_ = now + limits::kMetaMirror;
    mirrored_ = catalog_->version;
    Writer w;
    encode(w, *catalog_);
    store_.mirror_catalog(std::make_shared<const std::string>(w.view()));
  }
}

Time Member::wake() const { return failed ? kNever : log_.next_tick(); }

void Member::receive(Time now, std::uint64_t from_raft_id, Bytes bytes) {
  if (failed || bytes.empty()) return;
  if (bytes.front() == kRaftMessage) {
    log_.receive(now, from_raft_id, bytes.substr(1));
  } else if (bytes.front() == kForwardedCommand) {
    received_forward(now, bytes.substr(1));
  }
  after(now);
}

void Member::stored(Time now, std::uint64_t tag, int status) {
  if (failed) return;
  log_.stored(now, tag, status);
  after(now);
}

RequestId Member::draw_request_id() {
  RequestId id;
  while (id.none()) id = {prng_.next(), prng_.next()};
  return id;
}

RequestId Member::propose(Time now, Command command, Time deadline) {
  if (command.request.none()) command.request = draw_request_id();
  RequestId id = command.request;
  if (const Outcome* o = catalog_->outcome_of(id)) {
    finished.push_back({id, *o});
    return id;
  }
  if (pending_.size() >= limits::kMetaOpenProposalsMax && !proposing(id)) {
    finished.push_back({id, Outcome{Error::too_many_open, "too many open requests to the metadata log", {}, false}});
    return id;
  }
  Pending& p = pending_[id];
  if (p.bytes.empty()) {
    Writer w;
    encode(w, command);
    p.bytes.assign(w.view());
    p.places = places_rows(command);
  }
  p.deadline = std::max(p.deadline, deadline != 0 ? deadline : now + limits::kProposeTimeout);
  after(now);
  return id;
}

// What every call ends with. Proposing may apply at once (a lone voter with a store that answers in between does not,
// but the order of things must not depend on that), hence the loop.
void Member::after(Time now) {
  for (;;) {
    apply_entries();
    if (log_.failure()) {
      failed = true;
      failure = log_.failure().sentence();
    }
    if (failed) return;
    lead(now);
    try_pending(now);
    if (log_.applied.empty() && log_.restored.empty()) break;
  }
  for (Log::Send& s : log_.sends) {
    std::string bytes;
    bytes.reserve(s.bytes.size() + 1);
    bytes += kRaftMessage;
    bytes += s.bytes;
    sends.push_back({s.to_raft_id, std::move(bytes)});
  }
  log_.sends.clear();
}

void Member::apply_entries() {
  if (!log_.restored.empty()) {
    auto next = std::make_shared<Catalog>();
    Reader r(log_.restored);
    if (!decode(r, next.get()) || !r.done()) {
      failed = true;
      failure = "a snapshot of the metadata log is damaged, or of a newer version";
      return;
    }
    catalog_ = std::move(next);
    log_.restored.clear();
    replaced = true;
    finish_from_catalog();
  }
  std::vector<Log::Applied> entries = std::move(log_.applied);
  log_.applied.clear();
  for (Log::Applied& e : entries) {
    Command command;
    Reader r(e.data);
    if (!decode(r, &command) || !r.done()) {
      failed = true;
      failure = "an entry of the metadata log is damaged, or of a newer version";
      return;
    }
    auto next = std::make_shared<Catalog>(*catalog_);
    Outcome outcome = apply(next.get(), e.index, command);
    NDB_CHECK(next->version == e.index);
    catalog_ = std::move(next);
    forwarded_.erase(command.request);
    if (!start_request_.none() && command.request == start_request_ && log_.leader() &&
        log_.term() == proposed_start_term_) {
      leading_term_ = proposed_start_term_;
    }
    if (fault::armed() && outcome.error == Error::ok) (void)fault::hook("apply", fault_name(command.body));
    finish(command.request, outcome);
    applied.push_back({e.index, std::move(command), std::move(outcome), catalog_});
  }
}

void Member::finish(const RequestId& id, const Outcome& outcome) {
  if (pending_.erase(id) != 0) finished.push_back({id, outcome});
}

void Member::finish_from_catalog() {
  std::vector<Finished> done;
  for (const auto& [id, p] : pending_) {
    if (const Outcome* o = catalog_->outcome_of(id)) done.push_back({id, *o});
  }
  for (Finished& f : done) finish(f.request, f.outcome);
}

void Member::lead(Time now) {
  if (!log_.leader()) {
    leading_term_ = 0;
    forwarded_.clear();
    return;
  }
  if (proposed_start_term_ == log_.term()) return;
  Command c;
  c.request = draw_request_id();
  c.body = LeaderStarts{options_.raft_id};
  Writer w;
  encode(w, c);
  std::uint64_t term = log_.term();
  // Before, not after: the entry may be applied within the call.
  RequestId previous = start_request_;
  std::uint64_t previous_term = proposed_start_term_;
  start_request_ = c.request;
  proposed_start_term_ = term;
  if (!log_.propose(now, std::string(w.view()))) {
    start_request_ = previous;
    proposed_start_term_ = previous_term;
    return;
  }
  led_since_ = now;
  may_place_ = !options_.placements_wait;
  forwarded_.clear();
}

void Member::let_place(Time now, bool allowed) {
  if (may_place_ == allowed) return;
  may_place_ = allowed;
  after(now);
}

void Member::try_pending(Time now) {
  std::vector<RequestId> late;
  for (auto& [id, p] : pending_) {
    if (now >= p.deadline) {
      late.push_back(id);
    } else if (log_.leader()) {
      if (p.tried_term != log_.term() && may_propose(p.places) && log_.propose(now, p.bytes))
        p.tried_term = log_.term();
    } else if (std::uint64_t leader = log_.leader_raft_id();
               leader != 0 && leader != options_.raft_id && (now >= p.next_try || leader != p.tried_leader)) {
      sends.push_back({leader, kForwardedCommand + p.bytes});
      p.next_try = now + limits::kProposeRepeat;
      p.tried_leader = leader;
    }
  }
  for (const RequestId& id : late) finish(id, Outcome{Error::timed_out, {}, {}, false});
}

// Somebody's proposal. It is answered by the log itself, whether it is new or not; one that is under way is not
// proposed again in the same term.
void Member::received_forward(Time now, Bytes bytes) {
  Command c;
  Reader r(bytes);
  if (!log_.leader() || !decode(r, &c) || !r.done() || c.request.none()) return;
  if (catalog_->outcome_of(c.request) != nullptr || forwarded_.count(c.request) != 0) return;
  if (forwarded_.size() >= limits::kMetaOpenProposalsMax) return;
  lead(now);
  if (may_propose(places_rows(c)) && log_.propose(now, std::string(bytes))) forwarded_.insert(c.request);
}

void Member::follow_membership(Time now) {
  if (wanted_.empty() || now < next_membership_step_ || log_.change_pending()) return;
  MembershipStep s = next_membership_step(log_.members(), wanted_, options_.raft_id);
  bool done = true;
  switch (s.kind) {
    case MembershipStep::Kind::none:
      return;
    case MembershipStep::Kind::add:
      done = log_.add(now, s.raft_id);
      break;
    case MembershipStep::Kind::assign:
      done = log_.assign(now, s.raft_id, s.role);
      break;
    case MembershipStep::Kind::remove:
      done = log_.remove(now, s.raft_id);
      break;
  }
  if (!done) next_membership_step_ = now + limits::kMembershipStep;
}

// Leadership belongs with the management servers. It is handed over when nothing is under way that a change of the
// leader would roll back.
void Member::prefer_management(Time now) {
  if (now < led_since_ + limits::kLeadershipReturn || now < next_transfer_ || log_.change_pending()) return;
  if (catalog_->running_job() != nullptr || !pending_.empty() || !forwarded_.empty()) return;
  std::uint64_t heir = 0;
  std::vector<MemberInfo> members = log_.members();
  for (const WantedMember& w : wanted_) {
    if (!w.management) continue;
    if (w.raft_id == options_.raft_id) return;
    bool voter = std::any_of(members.begin(), members.end(),
                             [&](const MemberInfo& m) { return m.raft_id == w.raft_id && m.role == Role::voter; });
    if (w.alive && voter && (heir == 0 || w.raft_id < heir)) heir = w.raft_id;
  }
  if (heir == 0) return;
  next_transfer_ = now + limits::kLeadershipReturn;
  (void)log_.transfer(now, heir);  // if it fails this member goes on leading
}

bool Member::appending(void*, Bytes data) {
  if (!fault::armed()) return false;
  Command c;
  Reader r(data);
  return decode(r, &c) && fault::hook("append", fault_name(c.body));
}

std::string Member::encode_snapshot(void* self) {
  auto* m = static_cast<Member*>(self);
  m->apply_entries();
  Writer w;
  encode(w, *m->catalog_);
  return std::string(w.view());
}

}  // namespace ndb::meta
