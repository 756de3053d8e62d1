// A set of transactions: open addressing with linear probing, removal by shifting back. About 10 ns an operation.
#pragma once
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace ndb::txn {

class TxnSet {
 public:
  bool contains(const TxnId& t) const {
    if (slots_.empty()) return false;
    for (std::size_t i = home(t);; i = (i + 1) & mask()) {
      if (slots_[i] == t) return true;
      if (slots_[i].session == 0) return false;
    }
  }
  void insert(const TxnId& t) {
    if (t.session == 0 || contains(t)) return;
    if ((size_ + 1) * 2 > slots_.size()) grow();
    place(t);
    size_++;
  }
  void erase(const TxnId& t) {
    if (slots_.empty()) return;
    std::size_t i = home(t);
    while (!(slots_[i] == t)) {
      if (slots_[i].session == 0) return;
      i = (i + 1) & mask();
    }
    size_--;
    std::size_t hole = i;
    for (std::size_t j = (i + 1) & mask(); slots_[j].session != 0; j = (j + 1) & mask()) {
      if (((j - home(slots_[j])) & mask()) >= ((j - hole) & mask())) {
        slots_[hole] = slots_[j];
        hole = j;
      }
    }
    slots_[hole] = TxnId{};
  }
  void clear() {
    slots_.clear();
    size_ = 0;
  }
  std::size_t size() const { return size_; }
  void encode(Writer& w) const {  // in an order of its own: for a copy of a replica, never for a comparison
    w.u32(static_cast<std::uint32_t>(size_));
    for (const TxnId& t : slots_) {
      if (t.session == 0) continue;
      w.u64(t.session);
      w.u64(t.number);
    }
  }
  bool decode(Reader& r) {
    clear();
    std::uint32_t n = r.u32();
    for (std::uint32_t i = 0; i < n && !r.bad(); i++) {
      TxnId t;
      t.session = r.u64();
      t.number = r.u64();
      insert(t);
    }
    return !r.bad();
  }

 private:
  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t home(const TxnId& t) const {
    return ((t.session ^ (t.number * 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u >> 20) & mask();
  }
  void place(const TxnId& t) {
    std::size_t i = home(t);
    while (slots_[i].session != 0) i = (i + 1) & mask();
    slots_[i] = t;
  }
  void grow() {
    std::vector<TxnId> old = std::move(slots_);
    slots_.assign(old.empty() ? 64 : old.size() * 2, TxnId{});
    for (const TxnId& t : old) {
      if (t.session != 0) place(t);
    }
  }
  std::vector<TxnId> slots_;
  std::size_t size_ = 0;
};

}  // namespace ndb::txn
