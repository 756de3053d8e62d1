#include "client/routing.h"

#include "base/check.h"

namespace ndb::client {

Routing::Routing(const meta::Catalog& c) {
  for (const auto& [id, table] : c.tables) {
    if (id >= tables_.size()) tables_.resize(id + 1);
    OneTable& t = tables_[id];
    const meta::Distribution& d = table->distribution;
    if (d.map.size() != limits::kBuckets) continue;
    t.view = d.view;
    t.indexed = !table->unique.empty();
    for (std::size_t f = 0; f < d.groups.size(); f++) {
      Route r;
      r.fragment = static_cast<FragmentId>(f);
      if (d.groups[f] != kNoGroup) r.node = c.primary(d.groups[f], r.fragment);
      if (const meta::Node* n = r.node ? c.node(r.node) : nullptr) r.worker = c.worker(*n, r.fragment);
      t.primaries.push_back(r);
    }
    std::vector<bool> seen(d.groups.size());
    for (std::uint32_t b = 0; b < limits::kBuckets; b++) {
      const auto bucket = static_cast<std::uint16_t>(b);
      FragmentId read = d.read_target(bucket, d.phase);
      FragmentId write = d.write_targets(bucket, d.phase).first;
      if (read >= seen.size() || write >= seen.size()) {  // a catalog that nobody should have sent
        t = OneTable{};
        break;
      }
      t.read.push_back(read);
      t.write.push_back(write);
      seen[read] = true;
    }
    if (t.read.empty()) continue;
    for (std::size_t f = 0; f < seen.size(); f++) {
      if (seen[f]) t.scanned.push_back(static_cast<FragmentId>(f));
    }
  }
}

}  // namespace ndb::client
