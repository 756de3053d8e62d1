#include "txn/outcomes.h"

#include <algorithm>

namespace ndb::txn {

void Outcomes::find_or_make(std::uint64_t session) {
  auto i = sessions_.find(session);
  if (i == sessions_.end()) {
    if (order_.size() >= kSessionsMax) {
      sessions_.erase(order_.front());
      order_.erase(order_.begin());
    }
    i = sessions_.emplace(session, std::make_unique<Window>()).first;
    order_.push_back(session);
  }
  last_session_ = session;
  last_ = i->second.get();
}

void Outcomes::encode(Writer& w) const {
  w.u32(static_cast<std::uint32_t>(order_.size()));
  for (std::uint64_t s : order_) {
    const Window& win = *sessions_.at(s);
    auto n = static_cast<std::uint32_t>(
        std::count_if(win.begin(), win.end(), [](std::uint64_t v) { return v != 0; }));
    w.u64(s);
    w.u32(n);
    for (std::uint64_t v : win) {
      if (v != 0) w.u64(v);
    }
  }
}

bool Outcomes::decode(Reader& r) {
  clear();
  std::uint32_t n = r.u32();
  if (n > kSessionsMax) return false;
  for (std::uint32_t i = 0; i < n && !r.bad(); i++) {
    std::uint64_t s = r.u64();
    std::uint32_t k = r.u32();
    if (k > kWindow || s == 0) return false;
    find_or_make(s);
    for (std::uint32_t j = 0; j < k; j++) {
      std::uint64_t v = r.u64();
      last_->at((v >> 2) % kWindow) = v;
    }
  }
  return !r.bad();
}

void Outcomes::clear() {
  sessions_.clear();
  order_.clear();
  last_ = nullptr;
  last_session_ = 0;
}

}  // namespace ndb::txn
