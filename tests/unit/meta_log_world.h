// A tiny world for tests of the metadata log: members, their stores, a network that loses, repeats and delays when it is
// told to, and virtual time. One seed, one history.
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "sim/memory_log_store.h"

namespace ndb::test {

// Engine: meta::Log or meta::Member (both have tick, receive, stored, sends).
template <class Engine>
struct LogWorld {
  struct Node {
    std::uint64_t id = 0;
    sim::MemoryLogStore store;
    std::unique_ptr<Engine> engine;
    bool up() const { return engine != nullptr; }
    std::uint32_t starts = 0;
  };
  struct Message {
    Time at;
    std::uint64_t number;
    std::uint64_t from, to;
    std::string bytes;
  };

  explicit LogWorld(std::uint64_t seed) : prng(seed) {}
  virtual ~LogWorld() {
    for (auto& [id, n] : nodes) n->engine.reset();
  }

  virtual std::unique_ptr<Engine> make(Node& n) = 0;
  virtual void drain(Node& n) = 0;  // everything but sends

  Node& add(std::uint64_t id) {
    auto& n = nodes[id];
    n = std::make_unique<Node>();
    n->id = id;
    return *n;
  }
  Failure start(std::uint64_t id, bool bootstrap = false) {
    Node& n = *nodes.at(id);
    n.engine = make(n);
    ++n.starts;
    if (bootstrap) {
      Failure f = n.engine->bootstrap();
      if (f) return f;
    }
    Failure f = n.engine->start(now);
    collect(n);
    return f;
  }
  // Keeps the first `keep` orders that the store had not finished.
  void kill(std::uint64_t id, std::size_t keep = 0) {
    Node& n = *nodes.at(id);
    n.engine.reset();
    n.store.crash(keep);
  }
  bool up(std::uint64_t id) const { return nodes.at(id)->up(); }
  Engine& at(std::uint64_t id) { return *nodes.at(id)->engine; }

  void collect(Node& n) {
    for (auto& s : n.engine->sends) {
      if (prng.chance(loss) || cut.count({n.id, s.to_raft_id}) != 0) continue;
      int copies = prng.chance(repeat) ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        Time delay = static_cast<Time>(prng.below(static_cast<std::uint64_t>(delay_max) + 1));
        flying.push_back({now + delay, ++numbers, n.id, s.to_raft_id, s.bytes});
      }
    }
    n.engine->sends.clear();
    drain(n);
  }

  void step() {  // one millisecond
    now += kMillisecond;
    std::vector<Message> due;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < flying.size(); ++i) {
      if (flying[i].at <= now) due.push_back(std::move(flying[i]));
      else {
        if (kept != i) flying[kept] = std::move(flying[i]);
        ++kept;
      }
    }
    flying.resize(kept);
    std::stable_sort(due.begin(), due.end(), [](const Message& a, const Message& b) { return a.at < b.at; });
    for (Message& m : due) {
      auto i = nodes.find(m.to);
      if (i == nodes.end() || !i->second->up()) continue;
      i->second->engine->receive(now, m.from, m.bytes);
      collect(*i->second);
    }
    for (auto& [id, n] : nodes) {
      if (!n->up()) continue;
      sim::MemoryLogStore::Completion c;
      while (n->up() && !prng.chance(slow_disk) && n->store.complete(&c)) {
        n->engine->stored(now, c.tag, c.status);
        collect(*n);
      }
      n->engine->tick(now);
      collect(*n);
    }
  }
  void run(Time t) {
    for (Time end = now + t; now < end;) step();
  }
  template <class Done>
  bool run_until(Done done, Time limit) {
    for (Time end = now + limit; now < end;) {
      if (done()) return true;
      step();
    }
    return done();
  }

  Prng prng;
  std::map<std::uint64_t, std::unique_ptr<Node>> nodes;
  std::vector<Message> flying;
  std::map<std::pair<std::uint64_t, std::uint64_t>, bool> cut;
  std::uint64_t numbers = 0;
  Time now = kSecond;
  Time delay_max = 0;
  double loss = 0;
  double repeat = 0;
  double slow_disk = 0;
};

}  // namespace ndb::test
