// What a replica remembers of transactions under way, by their ids. Entries keep the memory that they own when they are
// erased and given out again: nothing is allocated in steady state. Addresses stay valid until the entry is erased.
// REQUIRES of T: reset(), which makes it as new.
#pragma once
#include <algorithm>
#include <deque>
#include <vector>

#include "base/check.h"
#include "base/ids.h"

namespace ndb::txn {

template <class T>
class TxnMap {
 public:
  T* find(const TxnId& t) {
    const std::uint32_t e = index_.empty() ? 0 : index_[place(t)];
    return e == 0 ? nullptr : &entries_[e - 1].value;
  }
  const T* find(const TxnId& t) const { return const_cast<TxnMap*>(this)->find(t); }
  // The one that there is, or a new one.
  T& make(const TxnId& t) {
    if ((size_ + 1) * 2 > index_.size()) grow();
    std::uint32_t& e = index_[place(t)];
    if (e != 0) return entries_[e - 1].value;
    if (free_.empty()) {
      entries_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(entries_.size()));
    }
    e = free_.back();
    free_.pop_back();
    entries_[e - 1].txn = t;
    entries_[e - 1].used = true;
    size_++;
    return entries_[e - 1].value;
  }
  bool erase(const TxnId& t) {
    if (index_.empty()) return false;
    std::size_t hole = place(t);
    const std::uint32_t e = index_[hole];
    if (e == 0) return false;
    entries_[e - 1].value.reset();
    entries_[e - 1].used = false;
    free_.push_back(e);
    size_--;
    // Whoever found his place taken comes nearer to it.
    const std::size_t mask = index_.size() - 1;
    for (std::size_t i = (hole + 1) & mask; index_[i] != 0; i = (i + 1) & mask) {
      const std::size_t home = hash(entries_[index_[i] - 1].txn) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      index_[hole] = index_[i];
      hole = i;
    }
    index_[hole] = 0;
    return true;
  }
  void clear() {
    entries_.clear();
    free_.clear();
    index_.clear();
    size_ = 0;
  }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // f(txn, value) of each, by ascending ids. It must not add or erase any.
  template <class F>
  void each(F f) const {
    std::vector<const Entry*> all;
    for (const Entry& e : entries_) {
      if (e.used) all.push_back(&e);
    }
    std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->txn < b->txn; });
    for (const Entry* e : all) f(e->txn, e->value);
  }
  // Is f(value) true of one of them?
  template <class F>
  bool any(F f) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.used && f(e.value); });
  }

 private:
  struct Entry {
    TxnId txn;
    bool used = false;
    T value;
  };
  static std::size_t hash(const TxnId& t) {
    const std::uint64_t x = (t.session ^ t.number * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return static_cast<std::size_t>(x ^ x >> 32);
  }
  // Where it is, or would come.
  std::size_t place(const TxnId& t) const {
    const std::size_t mask = index_.size() - 1;
    std::size_t i = hash(t) & mask;
    while (index_[i] != 0 && entries_[index_[i] - 1].txn != t) i = (i + 1) & mask;
    return i;
  }
  void grow() {
    index_.assign(std::max<std::size_t>(16, index_.size() * 2), 0);
    for (std::size_t i = 0; i < entries_.size(); i++) {
      if (entries_[i].used) index_[place(entries_[i].txn)] = static_cast<std::uint32_t>(i + 1);
    }
  }

  std::deque<Entry> entries_;
  std::vector<std::uint32_t> free_;   // numbers, from 1
  std::vector<std::uint32_t> index_;  // by hash, 0 = free; at most half is taken
  std::size_t size_ = 0;
};

}  // namespace ndb::txn
