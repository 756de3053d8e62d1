// Nodes whose workers take clients on links of their own.
#include "unit/client_machine_world.h"

using namespace ndb;
using namespace ndb::test;

namespace {

// Two nodes with two workers each, eight fragments: the key with hash h is in fragment h of them, for small h.
struct Workers : World {
  Workers() : World(with_catalog(catalog())) { worker_links = 2; }
  static std::shared_ptr<meta::Catalog> catalog() {
    auto c = two_nodes(10, 8);
    for (auto& [id, n] : c->nodes) n.workers = 2;
    return c;
  }
  client::Route route(std::uint64_t hash) const { return machine.routing().write(kTable, hash); }
  env::LinkId worker_link(std::uint64_t hash) { return worker_link_of[{route(hash).node, route(hash).worker}]; }
  // A hash whose row is at the same node as that of the key 0, at the worker that is asked for.
  std::uint64_t hash_at(WorkerId worker) const {
    for (std::uint64_t h = 0; h < 8; h++) {
      if (route(h).node == route(0).node && route(h).worker == worker) return h;
    }
    FAIL("no such fragment");
    return 0;
  }
  void finish(const Sent& to) {
    reply(to, Error::ok, wire::TxnState::committed);
    const client::StepResult* r = machine.take();
    REQUIRE(r != nullptr);
    machine.release(r->handle);
  }
  // Both workers' links of the node of key 0 are up.
  void warm_up() {
    for (WorkerId worker : {WorkerId{0}, WorkerId{1}}) {
      insert(hash_at(worker));
      finish(expect(wire::Type::execute));
    }
  }
};

}  // namespace

TEST_CASE("what is for a worker goes over the worker's link when there is one, and over the node's until then") {
  Workers w;
  w.insert(0);
  const auto first = w.expect(wire::Type::execute);
  CHECK(first.link == w.link_of[first.node]);
  w.finish(first);
  w.insert(0);
  w.finish(w.expect(wire::Type::execute));
  for (WorkerId worker : {WorkerId{0}, WorkerId{1}}) {
    for (int i = 0; i < 2; i++) {
      w.insert(w.hash_at(worker));
      const auto m = w.expect(wire::Type::execute);
      CHECK(m.to == worker);
      if (i == 1) CHECK(m.link == w.worker_link(w.hash_at(worker)));
      w.finish(m);
    }
  }
  CHECK(w.worker_link(w.hash_at(0)) != w.worker_link(w.hash_at(1)));
  w.machine.refresh();
  w.run(50 * kMillisecond);
  const auto catalog = w.expect(wire::Type::get_catalog);
  CHECK(catalog.link == w.link_of[catalog.node]);  // not a worker's
}

TEST_CASE("the loss of a worker's link is the loss of what went over it, and of nothing else") {
  Workers w;
  w.warm_up();
  const std::uint64_t a = w.hash_at(0), b = w.hash_at(1);
  const Handle open_a = w.insert(a, 0), open_b = w.insert(b, 0);
  auto first = w.expect(wire::Type::execute), second = w.expect(wire::Type::execute);
  w.reply(first, Error::ok, wire::TxnState::open);
  w.reply(second, Error::ok, wire::TxnState::open);
  REQUIRE(w.machine.take() != nullptr);
  REQUIRE(w.machine.take() != nullptr);
  const Handle lost = w.insert(a), kept = w.insert(b);
  first = w.expect(wire::Type::execute);
  second = w.expect(wire::Type::execute);
  REQUIRE(first.link == w.worker_link(a));
  REQUIRE(second.link == w.worker_link(b));
  w.down(w.worker_link(a));
  w.carry_out();
  w.run(20 * kMillisecond);
  CHECK(w.expect(wire::Type::outcome).to == w.route(a).worker);
  CHECK_FALSE(w.said(wire::Type::outcome));
  w.reply(second, Error::ok, wire::TxnState::committed);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == kept);
  CHECK(r->handle != lost);
  for (Handle h : {open_a, open_b}) {
    w.machine.add(h, wire::Op::update, kTable, h == open_a ? a : b, "key.", "patch");
    w.machine.send(h, wire::kCommit);
  }
  w.machine.flush(w.now, w.out);
  w.carry_out();
  const auto step = w.expect(wire::Type::execute);
  CHECK(step.link == w.worker_link(b));
  CHECK_FALSE(w.said(wire::Type::execute));
  r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == open_a);
  CHECK(r->error == Error::node_failure);
  CHECK(w.machine.counts().links_lost == 1);
}

TEST_CASE("a worker's link that cannot be made keeps nothing from its worker") {
  Workers w;
  w.node_links_only = true;
  for (int i = 0; i < 5; i++) {
    w.insert(0);
    const auto m = w.expect(wire::Type::execute);
    CHECK(m.link == w.link_of[m.node]);
    w.finish(m);
    w.run(60 * kMillisecond);
  }
  CHECK(w.connect_log.size() > 3);  // tried again
  w.node_links_only = false;
  w.insert(0);
  w.finish(w.expect(wire::Type::execute));
  w.run(60 * kMillisecond);
  w.insert(0);
  CHECK(w.expect(wire::Type::execute).link == w.worker_link(0));
}

TEST_CASE("a node that is gone takes its workers' links along") {
  Workers w;
  w.warm_up();
  const NodeId node = w.route(0).node;
  const env::LinkId links[] = {w.worker_link(w.hash_at(0)), w.worker_link(w.hash_at(1))};
  w.insert(w.hash_at(0));
  w.expect(wire::Type::execute);
  w.run(300 * kMillisecond);
  auto newer = Workers::catalog();
  newer->version = newer->view = 30;
  newer->nodes[node].state = meta::NodeState::down;
  w.give_catalog(w.expect(wire::Type::get_catalog), newer.get());
  w.run(60 * kMillisecond);
  CHECK(w.expect(wire::Type::outcome).node != node);
  w.insert(w.hash_at(1));
  const auto m = w.expect(wire::Type::execute);
  CHECK(m.node != node);
  CHECK(m.link != links[0]);
  CHECK(m.link != links[1]);
}
