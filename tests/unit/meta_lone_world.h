// The only member of a metadata log, which leads it, and virtual time: what the tests of those who act beside the
// leader begin with. Data nodes are what a test says in their name.
#pragma once
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "meta/leader.h"
#include "sim/memory_log_store.h"

namespace ndb::meta::test {

using Values = std::map<std::string, std::string>;  // parameters of the data nodes

struct LoneWorld {
  sim::MemoryLogStore store;
  std::unique_ptr<Member> member;
  Peers peers{Peers::Self{wire::PeerKind::mgm, 10, 1, 0, 0, 0, 0, {}}};
  Leader leader;
  env::Outbox out;
  Time now = kSecond;

  // With data nodes as given and management server 10; the configuration is generation 1.
  LoneWorld(std::uint32_t replicas, std::vector<ConfigNode> nodes) {
    member = std::make_unique<Member>(store, MemberOptions{1, 3, 0, 1, true});
    REQUIRE_FALSE(member->bootstrap());
    REQUIRE_FALSE(member->start(now));
    run(2 * kSecond);
    REQUIRE(member->leading());
    auto image = std::make_shared<ConfigImage>();
    image->name = "c";
    image->replicas = replicas;
    image->nodes = std::move(nodes);
    image->nodes.push_back({10, NodeType::mgm, {}, false, kNoGroup, false, {}});
    ChangeConfig change;
    change.cluster_id = 9;
    change.generation.image = image;
    apply(change);
    REQUIRE(catalog().generation == 1);
  }
  virtual ~LoneWorld() = default;

  const Catalog& catalog() const { return *member->catalog(); }
  void apply(CommandBody body) {
    Command c;
    c.body = std::move(body);
    member->propose(now, std::move(c));
    run(20 * kMillisecond);
  }
  void run(Time t) {
    for (const Time end = now + t; now < end; now += kMillisecond) {
      sim::MemoryLogStore::Completion c;
      while (store.complete(&c)) member->stored(now, c.tag, c.status);
      member->tick(now);
      member->applied.clear();
      member->finished.clear();
      member->sends.clear();
      if (now % (20 * kMillisecond) == 0) heartbeats();
      leader.step(now, *member, peers, out);
      stepped();
    }
  }
  wire::Heartbeat heartbeat_of(NodeId id) const {
    wire::Heartbeat h;
    h.node = id;
    h.incarnation = catalog().node(id)->incarnation;
    h.sent = static_cast<std::uint64_t>(now);
    h.version = h.oldest_open = catalog().version;
    return h;
  }
  virtual void heartbeats() {}  // time for them
  virtual void stepped() {}     // after each millisecond
};

}  // namespace ndb::meta::test
