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
  for (std::uint64_t s : order_) encode_session(s, w);
}

void Outcomes::encode_session(std::uint64_t session, Writer& w) const {
  const Window& win = *sessions_.at(session);
  auto n = static_cast<std::uint32_t>(std::count_if(win.begin(), win.end(), [](std::uint64_t v) { return v != 0; }));
  w.u64(session);
  w.u32(n);
  for (std::uint64_t v : win) {
    if (v != 0) w.u64(v);
  }
}

bool Outcomes::decode(Reader& r) {
  clear();
  return merge(r);
}

std::uint64_t Outcomes::encode_after(std::uint64_t session, std::size_t bytes_max, Writer& w) const {
  std::vector<std::uint64_t> rest;
  for (std::uint64_t s : order_) {
    if (s > session) rest.push_back(s);
  }
  std::sort(rest.begin(), rest.end());
  const std::size_t head_at = w.size();
  w.u32(0);
  std::uint32_t n = 0;
  for (std::uint64_t s : rest) {
    if (w.size() - head_at >= bytes_max) {
      w.patch(head_at, n);
      return session;
    }
    encode_session(s, w);
    n++;
    session = s;
  }
  w.patch(head_at, n);
  return UINT64_MAX;
}

bool Outcomes::merge(Reader& r) {
  std::uint32_t n = r.u32();
  if (n > kSessionsMax) return false;
  for (std::uint32_t i = 0; i < n && !r.bad(); i++) {
    std::uint64_t s = r.u64();
    std::uint32_t k = r.u32();
    if (k > kWindow || s == 0) return false;
    find_or_make(s);
    for (std::uint32_t j = 0; j < k; j++) {
      std::uint64_t v = r.u64();
      std::uint64_t& here = last_->at((v >> 2) % kWindow);
      if (v >> 2 > here >> 2 || here == 0) here = v;
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
