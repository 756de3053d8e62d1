// A tiny world for tests of the metadata log: members, their stores, a network that loses, repeats and delays when it
// is told to, and virtual time. One seed, one history.
#pragma once
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
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
      if (flying[i].at <= now)
        due.push_back(std::move(flying[i]));
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
      while (n->up() && stuck.count(id) == 0 && !prng.chance(slow_disk) && n->store.complete(&c)) {
        n->engine->stored(now, c.tag, c.status);
        collect(*n);
      }
      if (asleep.count(id) == 0) n->engine->tick(now);
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
  std::set<std::uint64_t> stuck;   // their disks finish nothing
  std::set<std::uint64_t> asleep;  // they answer, but time stands still for them: they start no election
  std::uint64_t numbers = 0;
  Time now = kSecond;
  Time delay_max = 0;
  double loss = 0;
  double repeat = 0;
  double slow_disk = 0;
};

// Members that apply strings: a member's state is all that it has applied, one after the other. Checked at every step:
// all apply the same entries in the same order, none is skipped or comes twice, none is ever replaced.
struct LogStory : LogWorld<meta::Log> {
  using Log = meta::Log;
  using Role = meta::Role;
  using Base = LogWorld<meta::Log>;
  explicit LogStory(std::uint64_t seed) : Base(seed) {}
  // What a member has applied: all data so far, as its snapshot, and the same with indices.
  struct State {
    std::string data;
    std::uint64_t last = 0;
  };
  std::map<std::uint64_t, State> states;
  std::map<std::uint64_t, std::string> truth;  // index -> data, as the first member to apply it saw it
  std::uint32_t threshold = 1024, trailing = 256;
  std::uint64_t restores = 0;

  struct Owner {
    LogStory* world;
    std::uint64_t id;
  };
  std::map<std::uint64_t, Owner> owners;

  std::unique_ptr<Log> make(Node& n) override {
    auto log = std::make_unique<Log>(n.store, n.id, n.id * 1000 + n.starts);
    owners[n.id] = {this, n.id};
    log->owner = &owners[n.id];
    log->encode_snapshot = [](void* o) {
      auto* owner = static_cast<Owner*>(o);
      owner->world->drain(*owner->world->nodes.at(owner->id));
      return owner->world->states[owner->id].data;
    };
    log->set_snapshots(threshold, trailing);
    states[n.id] = {};
    return log;
  }
  void drain(Node& n) override {
    Log& log = *n.engine;
    State& s = states[n.id];
    if (log.restored_index != 0) {
      REQUIRE(log.restored_index > s.last);
      s.data = log.restored;
      s.last = log.restored_index;
      log.restored_index = 0;
      log.restored.clear();
      ++restores;
      std::string expected;
      for (auto& [index, data] : truth) {
        if (index <= s.last) expected += data;
      }
      REQUIRE(s.data == expected);
    }
    for (auto& a : log.applied) {
      REQUIRE(a.index > s.last);
      auto [i, fresh] = truth.emplace(a.index, a.data);
      REQUIRE(i->second == a.data);
      if (fresh) REQUIRE(std::next(i) == truth.end());
      // Nothing was skipped: the entry before this one in `truth` is the one that was applied before.
      if (i != truth.begin() && std::prev(i)->first > s.last) FAIL("an entry was skipped");
      s.data += a.data;
      s.last = a.index;
    }
    log.applied.clear();
    if (log.failure()) FAIL(log.failure().sentence());
  }
  std::uint64_t leader() {
    std::uint64_t found = 0, term = 0;
    for (auto& [id, n] : nodes) {
      if (n->up() && n->engine->leader() && n->engine->term() > term) {
        found = id;
        term = n->engine->term();
      }
    }
    return found;
  }
  std::uint64_t wait_leader() {
    REQUIRE(run_until([&] { return leader() != 0; }, 20 * kSecond));
    return leader();
  }
  template <class Call>
  bool change(Call call) {
    return run_until(
        [&] {
          std::uint64_t l = leader();
          if (l == 0 || at(l).change_pending()) return false;
          bool ok = call(at(l));
          collect(*nodes[l]);
          return ok;
        },
        20 * kSecond);
  }
  bool has_role(std::uint64_t id, Role role) {
    std::uint64_t l = leader();
    if (l == 0 || at(l).change_pending()) return false;
    for (auto& m : at(l).members()) {
      if (m.raft_id == id) return m.role == role;
    }
    return false;
  }
  void join(std::uint64_t id, Role role) {
    add(id);
    REQUIRE(!start(id));
    REQUIRE(change([&](Log& l) { return l.add(now, id); }));
    give(id, Role::standby);
    if (role == Role::voter) give(id, Role::voter);
  }
  void give(std::uint64_t id, Role role) {
    REQUIRE(change([&](Log& l) { return l.assign(now, id, role); }));
    REQUIRE(run_until([&] { return has_role(id, role); }, 10 * kSecond));
  }
  bool propose(const std::string& data) {
    std::uint64_t l = leader();
    if (l == 0) return false;
    bool ok = at(l).propose(now, data);
    collect(*nodes[l]);
    return ok;
  }
  bool everywhere(const std::string& data) {
    for (auto& [id, n] : nodes) {
      if (n->up() && states[id].data != data) return false;
    }
    return true;
  }
  void boot() {
    add(1);
    REQUIRE(!start(1, true));
    wait_leader();
  }
};

}  // namespace ndb::test
