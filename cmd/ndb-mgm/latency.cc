#include "latency.h"

#include <algorithm>
#include <vector>

#include "cli/connect.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr int kSamples = 15;
constexpr Time kConnectPatience = 5 * kSecond;

// Bytes of a whole number's stored form; 0 = the column is none.
std::size_t whole_number_bytes(meta::Type type) {
  switch (type) {
    case meta::Type::tinyint:
    case meta::Type::utinyint:
      return 1;
    case meta::Type::smallint:
    case meta::Type::usmallint:
      return 2;
    case meta::Type::mediumint:
    case meta::Type::umediumint:
      return 3;
    case meta::Type::integer:
    case meta::Type::uinteger:
      return 4;
    case meta::Type::bigint:
    case meta::Type::ubigint:
      return 8;
    default:
      return 0;
  }
}

std::size_t key_bytes(const meta::Table& t) {
  std::size_t sum = 0;
  for (std::uint16_t c : t.primary_key) {
    const std::size_t bytes = whole_number_bytes(t.columns[c].type);
    if (bytes == 0) return 0;
    sum += bytes;
  }
  return sum;
}

}  // namespace

LatencyProbe::LatencyProbe(const std::string& connectstring) : prng_(os::random_seed()) {
  auto cluster = connect_cluster(connectstring, kConnectPatience);
  if (!cluster) return;
  cluster_ = std::move(*cluster);
  for (const auto& [id, t] : cluster_->catalog()->tables) {
    key_bytes_ = key_bytes(*t);
    if (key_bytes_ == 0) continue;
    auto table = cluster_->table(t->name);
    if (!table) continue;
    table_ = std::move(*table);
    return;
  }
}

std::optional<Time> LatencyProbe::median() {
  std::vector<Time> took;
  std::string image;
  for (int i = 0; i < kSamples && measures(); ++i) {
    std::string key(key_bytes_, '\0');
    for (char& c : key) c = static_cast<char>(prng_.below(256));
    const Time began = os::monotonic_now();
    client::Transaction x = cluster_->begin();
    if (!x.read_key(table_, key, &image, client::Lock::exclusive)) continue;
    if (!x.commit()) took.push_back(os::monotonic_now() - began);
  }
  if (took.empty()) return std::nullopt;
  std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2), took.end());
  return took[took.size() / 2];
}

}  // namespace ndb::cli
