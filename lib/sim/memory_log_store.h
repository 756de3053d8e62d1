// The durable state of one member of the metadata log, in memory, for tests and the simulator. What was ordered
// asynchronously becomes durable when the simulator says so, in order, and is reported then; a crash keeps any number
// of the first orders that were not reported yet and loses the rest. The synchronous calls are durable at once.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "meta/log.h"

namespace ndb::sim {

class MemoryLogStore : public meta::LogStore {
 public:
  struct Completion {
    std::uint64_t tag = 0;
    int status = 0;
  };

  State load() override {
    NDB_CHECK(orders_.empty());
    return durable_;
  }
  void set_raft_id(std::uint64_t id) override { durable_.raft_id = id; }
  void set_term(std::uint64_t term) override {
    if (broken_) return;
    NDB_CHECK(term >= durable_.term);
    if (term != durable_.term) durable_.vote = 0;
    durable_.term = term;
  }
  void set_vote(std::uint64_t raft_id) override {
    if (broken_) return;
    NDB_CHECK(durable_.vote == 0 || durable_.vote == raft_id);  // one vote a term
    durable_.vote = raft_id;
  }
  void append_now(const std::vector<meta::LogEntry>& entries) override {
    for (const meta::LogEntry& e : entries) append_entry(e);
  }
  void append(std::uint64_t tag, std::vector<meta::LogEntry> entries) override {
    orders_.push_back({Kind::append, tag, 0, std::move(entries), {}});
  }
  void truncate(std::uint64_t from_index) override { orders_.push_back({Kind::truncate, 0, from_index, {}, {}}); }
  void put_snapshot(std::uint64_t tag, meta::LogSnapshot snapshot, std::uint64_t keep_from_index) override {
    orders_.push_back({Kind::snapshot, tag, keep_from_index, {}, std::move(snapshot)});
  }
  bool failed() const override { return broken_; }
  void mirror_catalog(std::shared_ptr<const std::string> encoded_catalog) override {
    mirror_ = std::move(encoded_catalog);
  }

  // --- the simulator's side
  std::size_t pending() const { return orders_.size(); }
  // Makes the next orders durable up to and including one that has a completion; false: there was none.
  bool complete(Completion* c) {
    while (!orders_.empty()) {
      Order o = std::move(orders_.front());
      orders_.pop_front();
      if (broken_) {
        *c = {o.tag, 1};
        if (o.tag != 0) return true;
        continue;
      }
      carry_out(o);
      if (o.tag == 0) continue;
      *c = {o.tag, 0};
      return true;
    }
    return false;
  }
  // The process dies. The first `keep` of the pending orders reached the disk.
  void crash(std::size_t keep = 0) {
    for (std::size_t i = 0; i < keep && i < orders_.size(); ++i) carry_out(orders_[i]);
    orders_.clear();
  }
  void break_disk() { broken_ = true; }  // nothing is durable from here on
  const State& durable() const { return durable_; }
  const std::shared_ptr<const std::string>& mirror() const { return mirror_; }

 private:
  enum class Kind : std::uint8_t { append, truncate, snapshot };
  struct Order {
    Kind kind;
    std::uint64_t tag;
    std::uint64_t index;
    std::vector<meta::LogEntry> entries;
    meta::LogSnapshot snapshot;
  };
  void append_entry(const meta::LogEntry& e) {
    std::uint64_t next = durable_.entries.empty() ? durable_.snapshot.index + 1 : durable_.entries.back().index + 1;
    NDB_CHECK(e.index == next);
    durable_.entries.push_back(e);
  }
  void carry_out(const Order& o) {
    auto& all = durable_.entries;
    switch (o.kind) {
      case Kind::append:
        for (const meta::LogEntry& e : o.entries) append_entry(e);
        break;
      case Kind::truncate:
        while (!all.empty() && all.back().index >= o.index) all.pop_back();
        break;
      case Kind::snapshot:
        NDB_CHECK(o.snapshot.index > durable_.snapshot.index);
        durable_.snapshot = o.snapshot;
        if (o.index > o.snapshot.index) all.clear();
        all.erase(all.begin(), std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.index >= o.index; }));
        break;
    }
  }

  State durable_;
  std::deque<Order> orders_;
  std::shared_ptr<const std::string> mirror_;
  bool broken_ = false;
};

}  // namespace ndb::sim
