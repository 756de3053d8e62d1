// Outcomes of requests, oldest first: what makes a repeated request harmless (I4). A catalog is copied for every entry
// of the log and this is most of it, so copies share what is full: chunks of kChunk that nobody changes any more.
//
// Cost: a copy size() / kChunk references and at most kChunk - 1 outcomes; push and pop_front O(1); find O(size()).
#pragma once
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/errors.h"
#include "base/ids.h"

namespace ndb::meta {

struct RequestId {
  std::uint64_t high = 0, low = 0;  // 128 random bits drawn by the requester; all zero = none
  friend bool operator==(const RequestId&, const RequestId&) = default;
  friend auto operator<=>(const RequestId&, const RequestId&) = default;
  bool none() const { return high == 0 && low == 0; }
};

// What a command came to. The same on every member.
struct Outcome {
  Error error = Error::ok;
  std::string text;                // words for people when error != ok, or a remark
  std::vector<std::uint64_t> ids;  // what was created: table id, group ids, job ids, generation
  bool changed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class Requests {
 public:
  static constexpr std::size_t kChunk = 64;
  using Entry = std::pair<RequestId, Outcome>;

  std::size_t size() const { return full_.size() * kChunk + newest_.size() - skipped_; }
  // REQUIRES: i < size(). 0 is the oldest.
  const Entry& operator[](std::size_t i) const {
    i += skipped_;
    return i / kChunk < full_.size() ? (*full_[i / kChunk])[i % kChunk] : newest_[i - full_.size() * kChunk];
  }
  const Outcome* find(const RequestId& id) const {  // the newest first
    for (std::size_t i = size(); i-- > 0;) {
      const Entry& e = (*this)[i];
      if (e.first == id) return &e.second;
    }
    return nullptr;
  }
  void push(RequestId id, Outcome outcome) {
    newest_.emplace_back(id, std::move(outcome));
    if (newest_.size() < kChunk) return;
    full_.push_back(std::make_shared<const Chunk>(std::move(newest_)));
    newest_.clear();
  }
  void pop_front() {  // REQUIRES: more than kChunk are there
    NDB_CHECK(!full_.empty());
    if (++skipped_ < kChunk) return;
    full_.pop_front();
    skipped_ = 0;
  }
  void clear() { *this = Requests(); }
  friend bool operator==(const Requests& a, const Requests& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); i++) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }

 private:
  using Chunk = std::vector<Entry>;
  std::deque<std::shared_ptr<const Chunk>> full_;
  Chunk newest_;
  std::size_t skipped_ = 0;  // of the first full one
};

}  // namespace ndb::meta
