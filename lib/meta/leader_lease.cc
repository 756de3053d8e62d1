// How long leases are: four times HeartbeatIntervalDbDb, as configured or as running processes were told.
//
// What is wanted may change at any moment; what a later leader has to count with must be in the log before. So:
//
//   longer    AllowLease(longer) is proposed; when it has been applied here, longer leases are given
//   shorter   shorter leases are given at once. When the last longer one of this leader, or of one before it, has run
//             out, AllowLease(shorter) is proposed; from then on no longer one is given until a later AllowLease is
//             known to have been applied, since this one may come to pass at any time
//
// A proposal of ours that comes into the log behind the start of another leader is refused by its leader epoch.
#include <charconv>

#include "base/probe.h"
#include "meta/leader.h"

namespace ndb::meta {

namespace {

constexpr const char* kHeartbeatInterval = "HeartbeatIntervalDbDb";

// As in NDB a node is given up after four of them without a word. 0: no number.
Time lease_of(const std::string& interval_ms) {
  std::int64_t ms = 0;
  auto [end, error] = std::from_chars(interval_ms.data(), interval_ms.data() + interval_ms.size(), ms);
  if (error != std::errc{} || ms <= 0) return 0;
  return std::clamp(4 * std::min<std::int64_t>(ms, 1'000'000) * kMillisecond, limits::kLease, kLeaseMax);
}

// HeartbeatIntervalDbDb, where it is written.
Time lease_by(const ConfigImage* image) {
  if (image == nullptr) return limits::kLease;
  for (const ConfigNode& n : image->nodes) {
    auto i = n.values.find(kHeartbeatInterval);
    if (n.type != NodeType::data || i == n.values.end()) continue;
    return std::max(lease_of(i->second), limits::kLease);
  }
  return limits::kLease;
}

}  // namespace

void Leader::set_live(const std::string& name, const std::string& value) {
  if (name != kHeartbeatInterval) return;
  live_lease_ = lease_of(value);
  wanted_ = 0;  // what was wanted until now counts as wanted a moment ago
}

Time Leader::wanted_lease(const Catalog& c) {
  if (c.generation != lease_of_) {
    lease_of_ = c.generation;
    lease_ = lease_by(c.config());
  }
  return live_lease_ != 0 ? live_lease_ : lease_;
}

void Leader::agree_on_lease(Time now, Member& member, env::Outbox& out) {
  const auto catalog = member.catalog();
  const Time wanted = wanted_lease(*catalog);
  if (wanted != wanted_) {
    wanted_ = wanted;
    wanted_since_ = now;
  }
  if (!lease_request_.none()) {
    const Outcome* outcome = catalog->outcome_of(lease_request_);
    if (outcome == nullptr && member.proposing(lease_request_)) return;
    if (outcome != nullptr) cap_ = kNever;  // applied: the catalog says it, and no earlier one can follow
    lease_request_ = {};
  }
  const Time longest = catalog->longest_lease();
  const Time over = std::max(wanted_since_, since_ + 2 * limits::kMetaElection) + longest + longest / 10;
  const bool longer = wanted > std::min(longest, cap_);
  if (!longer && wanted == longest) return;
  if (!longer && now < over) {
    out.wake_at(over);
    return;
  }
  if (longer) NDB_PROBE("meta.longer_lease");
  if (!longer) NDB_PROBE("meta.shorter_lease");
  if (!longer) cap_ = wanted;
  Command c;
  c.body = AllowLease{static_cast<std::uint32_t>(wanted / kMillisecond), epoch_};
  lease_request_ = member.propose(now, std::move(c));
}

}  // namespace ndb::meta
