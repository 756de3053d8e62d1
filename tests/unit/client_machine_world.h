// The client's core against nodes that are played by the test: every frame is written out by hand.
#pragma once
#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "client/machine.h"

namespace ndb::test {

using client::ClientMachine;
using client::Handle;

inline constexpr TableId kTable = 1;

inline std::shared_ptr<meta::Catalog> two_nodes(View view = 10, FragmentId fragments = 2) {
  auto c = std::make_shared<meta::Catalog>();
  c->version = view;
  c->view = view;
  c->cluster_id = 77;
  c->name = "MC";
  c->started = true;
  c->next_table = 2;
  for (NodeId id = 1; id <= 2; id++) {
    meta::Node n;
    n.id = id;
    n.group = 0;
    n.state = meta::NodeState::in_sync;
    n.incarnation = 1;
    n.address = "10.0.0." + std::to_string(id);
    n.host = n.address;
    n.port = static_cast<std::uint16_t>(1000 + id);
    c->nodes[id] = n;
  }
  c->groups[0] = meta::Group{0, {1, 2}, view};
  meta::Table t;
  t.id = kTable;
  t.name = "t";
  t.columns.push_back({"k", meta::Type::integer, 0, 0, 0, false, {}});
  t.primary_key = {0};
  t.distribution.groups.assign(fragments, 0);
  t.distribution.map = meta::initial_map(fragments);
  t.distribution.view = view;
  c->tables[kTable] = std::make_shared<meta::Table>(t);
  return c;
}

// The shell and the nodes at once: it hands out links, answers hellos, and keeps what the client said.
struct World {
  struct Sent {
    NodeId node;
    wire::Type type;
    WorkerId to;
    std::string body;
    env::LinkId link = 0;
  };
  explicit World(client::ClientOptions o) : machine(std::move(o)) {}

  void carry_out() {
    for (int rounds = 0; rounds < 100; rounds++) {
      auto connects = std::move(out.connects);
      out.connects.clear();
      auto closes = std::move(out.closes);
      out.closes.clear();
      auto touched = out.touched();
      out.touched().clear();
      for (auto l : touched) {
        Bytes payload = out.slot(l).bytes.view();
        wire::Message m;
        bool damaged = false;
        if (l == text_link) text_sent += payload;
        while (l != text_link && wire::next_message(payload, &m, &damaged)) {
          sent.push_back({node_of[l], static_cast<wire::Type>(m.type), m.to, std::string(m.body), l});
        }
        CHECK_FALSE(damaged);
        out.slot(l).bytes.clear();
        out.slot(l).touched = false;
      }
      if (connects.empty() && closes.empty() && !answer_hellos()) return;
      for (auto& c : connects) connected(c);
      for (auto l : closes) down(l);
    }
    FAIL("the client never comes to rest");
  }
  void connected(const env::Outbox::Connect& c) {
    connect_log.push_back(c.host);
    const NodeId node = c.text ? NodeId{0} : static_cast<NodeId>(c.port - 1000);
    env::Event e;
    e.tag = c.tag;
    const bool for_worker = (c.tag >> 48 & 0xff) != 0;
    if (c.text ? !management_up : dead.count(node) != 0 || (for_worker && node_links_only)) {
      e.kind = env::EventKind::no_link;
      e.refused = true;
    } else {
      e.kind = env::EventKind::link_up;
      e.link = next_link++;
      node_of[e.link] = node;
      if (c.text)
        text_link = e.link;
      else if (!for_worker)
        link_of[node] = e.link;
    }
    machine.step(now, e, out);
  }
  bool answer_hellos() {
    for (auto i = sent.begin(); i != sent.end(); ++i) {
      if (i->type != wire::Type::hello) continue;
      const NodeId node = i->node;
      const env::LinkId link = i->link;
      Reader r(i->body);
      wire::Hello said;
      REQUIRE(wire::decode(r, &said));
      if (said.worker_links != 0) worker_link_of[{node, said.worker_links - 1}] = link;
      sent.erase(i);
      wire::Hello h;
      h.kind = wire::PeerKind::data;
      h.node = node;
      h.worker_links = worker_links;
      Writer w;
      auto at = wire::begin_message(w, wire::Type::hello, 0, kControl);
      wire::encode(w, h);
      wire::end_message(w, at);
      frame_on(link, w.view());
      return true;
    }
    return false;
  }
  void frame(NodeId node, Bytes payload) { frame_on(link_of[node], payload); }
  void frame_on(env::LinkId link, Bytes payload) {
    env::Event e;
    e.kind = env::EventKind::frame;
    e.link = link;
    e.data = payload;
    machine.step(now, e, out);
  }
  void down(env::LinkId l) {
    env::Event e;
    e.kind = env::EventKind::link_down;
    e.link = l;
    machine.step(now, e, out);
  }
  void lose(NodeId node) {
    down(link_of[node]);
    carry_out();
  }
  void run(Time d) {
    for (Time end = now + d; now < end; now += kMillisecond) {
      out.begin_step();
      machine.step(now, env::Event{}, out);
      carry_out();
    }
  }
  // The oldest thing of this type that was said, removed.
  Sent expect(wire::Type type) {
    for (auto i = sent.begin(); i != sent.end(); ++i) {
      if (i->type != type) continue;
      Sent s = *i;
      sent.erase(i);
      return s;
    }
    FAIL("nothing of type " << static_cast<int>(type));
    return {};
  }
  bool said(wire::Type type) const {
    for (const auto& s : sent) {
      if (s.type == type) return true;
    }
    return false;
  }
  void reply(const Sent& to, Error error, wire::TxnState state, View view = 10, Bytes image = {}) {
    Writer w;
    auto at = wire::begin_message(w, wire::Type::execute_reply, 0, 0);
    auto head = load<wire::Execute>(to.body.data());
    wire::ExecuteReply r{};
    r.request = head.request;
    r.error = error;
    r.state = state;
    r.results = 1;
    r.view = view;
    w.put(r);
    w.put(wire::OpResult{error, 0, static_cast<std::uint32_t>(image.size())});
    w.raw(image);
    wire::end_message(w, at);
    frame_on(to.link, w.view());
    carry_out();
  }
  void tell_outcome(const Sent& to, std::uint8_t outcome, Epoch epoch = 0) {
    Writer w;
    auto at = wire::begin_message(w, wire::Type::outcome_reply, 0, 0);
    w.u32(load<std::uint32_t>(to.body.data()));
    w.u8(outcome);
    w.put(Error::ok);
    w.u64(0);
    w.u64(epoch);
    wire::end_message(w, at);
    frame_on(to.link, w.view());
    carry_out();
  }
  void give_catalog(const Sent& asked, const meta::Catalog* c) {
    Writer w;
    auto at = wire::begin_message(w, wire::Type::catalog, 0, kControl);
    w.u32(load<std::uint32_t>(asked.body.data()));
    w.u64(c ? c->version : 0);
    if (c) meta::encode(w, *c);
    wire::end_message(w, at);
    frame(asked.node, w.view());
    carry_out();
  }
  void scan_reply(const Sent& to, Error error, bool done, std::uint32_t rows) {
    Writer w;
    auto at = wire::begin_message(w, wire::Type::scan_batch, 0, 0);
    wire::ScanBatch b{};
    b.request = load<std::uint32_t>(to.body.data());
    b.scan = 5;
    b.error = error;
    b.done = done;
    b.rows = rows;
    b.view = 10;
    w.put(b);
    for (std::uint32_t i = 0; i < rows; i++) w.bytes32("row");
    wire::end_message(w, at);
    frame_on(to.link, w.view());
    carry_out();
  }
  Handle insert(std::uint64_t hash, std::uint8_t flags = wire::kCommit) {
    Handle h = machine.open(hash);
    machine.add(h, wire::Op::insert, kTable, hash, "key.", "image");
    machine.send(h, flags);
    machine.flush(now, out);
    carry_out();
    return h;
  }

  ClientMachine machine;
  env::Outbox out;
  Time now = kSecond;
  std::map<env::LinkId, NodeId> node_of;
  std::map<NodeId, env::LinkId> link_of;
  std::set<NodeId> dead;
  std::map<std::pair<NodeId, WorkerId>, env::LinkId> worker_link_of;
  std::uint8_t worker_links = 0;  // that the nodes want
  bool node_links_only = false;   // connections for a worker are not taken
  bool management_up = false;
  env::LinkId next_link = 1, text_link = 0;
  std::string text_sent;
  std::vector<Sent> sent;
  std::vector<std::string> connect_log;
};

inline client::ClientOptions with_catalog(std::shared_ptr<const meta::Catalog> c = two_nodes()) {
  client::ClientOptions o;
  o.session = 0x5e55;
  o.seed = 1;
  o.catalog = std::move(c);
  o.slots = 8;
  return o;
}

}  // namespace ndb::test
