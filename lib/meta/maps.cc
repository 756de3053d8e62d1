// Which fragment owns which bucket: at first, and when fragments come and go.
#include <algorithm>

#include "base/check.h"
#include "meta/table.h"

namespace ndb::meta {

std::uint32_t old_fragments(const Distribution& d) {
  return std::uint32_t{*std::max_element(d.map.begin(), d.map.end())} + 1;
}

std::vector<FragmentId> initial_map(std::uint32_t fragments) {
  NDB_CHECK(fragments > 0 && fragments <= limits::kFragmentsMax);
  std::vector<FragmentId> map(limits::kBuckets);
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) map[i] = static_cast<FragmentId>(i % fragments);
  return map;
}

std::vector<FragmentId> extended_map(const std::vector<FragmentId>& old, std::uint32_t old_n, std::uint32_t new_n) {
  NDB_CHECK(old.size() == limits::kBuckets);
  NDB_CHECK(old_n > 0 && new_n > old_n && new_n <= limits::kFragmentsMax);
  std::vector<FragmentId> map = old;
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) {
    if (i % new_n >= old_n) map[i] = static_cast<FragmentId>(i % new_n);
  }
  return map;
}

namespace {

struct Share {
  std::uint32_t owned = 0;  // buckets now
  std::uint32_t quota = 0;  // buckets afterwards
  bool stays = false;       // it owned buckets before
};

// Even quotas; the odd buckets go to those that own most. While no fragment leaves (`growing`), one
// that stays gets none from another, so what it lacks goes to the new ones.
void set_quotas(std::vector<Share>& shares, const std::vector<FragmentId>& to, bool growing) {
  std::vector<FragmentId> order = to;
  std::stable_sort(order.begin(), order.end(),
                   [&](FragmentId a, FragmentId b) { return shares[a].owned > shares[b].owned; });
  const auto n = static_cast<std::uint32_t>(order.size());
  std::uint32_t missing = 0;
  std::vector<FragmentId> fresh;
  for (std::uint32_t i = 0; i < n; i++) {
    Share& s = shares[order[i]];
    s.quota = limits::kBuckets / n + (i < limits::kBuckets % n ? 1 : 0);
    if (!s.stays) fresh.push_back(order[i]);
    if (growing && s.stays && s.owned < s.quota) {
      missing += s.quota - s.owned;
      s.quota = s.owned;
    }
  }
  NDB_CHECK(missing == 0 || !fresh.empty());
  for (std::uint32_t i = 0; i < missing; i++) shares[fresh[i % fresh.size()]].quota++;
}

}  // namespace

std::vector<FragmentId> balanced_map(const std::vector<FragmentId>& old, const std::vector<FragmentId>& from,
                                     const std::vector<FragmentId>& to) {
  NDB_CHECK(old.size() == limits::kBuckets);
  NDB_CHECK(!to.empty() && to.size() <= limits::kBuckets);
  const std::size_t ids = std::max(std::size_t{*std::max_element(to.begin(), to.end())},
                                   std::size_t{*std::max_element(old.begin(), old.end())}) +
                          1;
  std::vector<Share> shares(ids);
  for (const FragmentId f : old) shares[f].owned++;
  bool growing = true;
  for (const FragmentId f : from) {
    const bool stays = std::find(to.begin(), to.end(), f) != to.end();
    shares[f].stays = stays;
    growing = growing && stays;
  }
  set_quotas(shares, to, growing);

  std::vector<FragmentId> map = old;
  std::vector<std::uint32_t> homeless;
  for (std::uint32_t i = 0; i < limits::kBuckets; i++) {
    Share& s = shares[old[i]];
    if (s.owned <= s.quota) continue;
    s.owned--;
    homeless.push_back(i);
  }
  std::size_t turn = 0;
  for (const std::uint32_t i : homeless) {
    while (shares[to[turn % to.size()]].owned >= shares[to[turn % to.size()]].quota) turn++;
    const FragmentId f = to[turn++ % to.size()];
    shares[f].owned++;
    map[i] = f;
  }
  return map;
}

}  // namespace ndb::meta
