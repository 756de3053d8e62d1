#include <catch2/catch.hpp>

#include <deque>
#include <set>

#include "meta/peers.h"

using namespace ndb;
using namespace ndb::meta;
using Kind = Peers::Change::Kind;
using wire::PeerKind;

namespace {

// Processes that hold nothing but Peers, on a network that delivers at once and in order.
struct World {
  struct End {
    std::size_t process = 0;
    env::LinkId link = 0;
  };
  struct Process {
    explicit Process(Peers::Self self) : peers(self) {}
    Peers peers;
    env::Outbox out;
    bool up = true;
    std::uint16_t port = 0;
    bool text = false;
    env::LinkId next_link = 1;
    std::map<env::LinkId, End> links;
    std::set<env::LinkId> text_links;
    std::vector<Peers::Change> seen;
    std::size_t count(Kind k, NodeId node) const {
      return static_cast<std::size_t>(
          std::count_if(seen.begin(), seen.end(), [&](const auto& c) { return c.kind == k && c.node == node; }));
    }
  };
  std::deque<Process> all;
  std::map<NodeId, std::size_t> by_node;
  std::shared_ptr<Catalog> catalog = std::make_shared<Catalog>();
  std::vector<Peers::Server> servers;
  Time now = kSecond;

  World() {
    catalog->generation = 1;
    catalog->cluster_id = 77;
    catalog->name = "mine";
  }
  void configure(NodeId id, NodeType type) {
    Node n;
    n.id = id;
    n.type = type;
    catalog->nodes[id] = n;
  }
  Process& add(NodeId id, PeerKind kind, std::uint32_t incarnation = 0) {
    if (catalog->node(id) == nullptr) configure(id, static_cast<NodeType>(kind));
    Peers::Self self;
    self.kind = kind;
    self.node = id;
    self.raft_id = 1000u + id + 100 * all.size();
    self.incarnation = incarnation;
    self.port = static_cast<std::uint16_t>(5000 + id);
    all.emplace_back(self);
    by_node[id] = all.size() - 1;
    Process& p = all.back();
    p.port = self.port;
    p.text = kind == PeerKind::mgm;
    if (kind == PeerKind::mgm) servers.push_back({id, "host", self.port});
    if (kind == PeerKind::data && incarnation != 0) {
      Node& n = catalog->nodes[id];
      n.state = NodeState::in_sync;
      n.incarnation = incarnation;
      n.address = "host";
      n.port = self.port;
    }
    return p;
  }
  Process& at(NodeId id) { return all[by_node.at(id)]; }
  void tell_catalog() {
    for (Process& p : all) p.peers.update(catalog, servers);
  }
  void step(std::size_t i, env::Event e) {
    Process& p = all[i];
    if (!p.up) return;
    p.out.begin_step();
    const bool ours = p.peers.on_event(now, e, p.out);
    if (e.kind == env::EventKind::text && !ours) {
      REQUIRE(e.data == "transporter connect\n\n");
      p.out.upgrade(e.link, e.data.size());
      p.peers.adopt(now, e.link, "peer");
    }
    if (e.kind == env::EventKind::frame) {
      Bytes payload = e.data;
      wire::Message m;
      bool damaged = false;
      while (wire::next_message(payload, &m, &damaged)) p.peers.on_message(now, e.link, m, p.out);
    }
    p.peers.tick(now, p.out);
    for (auto& c : p.peers.changes) p.seen.push_back(c);
    p.peers.changes.clear();
    carry_out(i);
  }
  void carry_out(std::size_t i) {
    Process& p = all[i];
    std::vector<std::pair<End, std::pair<bool, std::string>>> sent;
    for (env::LinkId link : p.out.touched()) {
      auto& slot = p.out.slot(link);
      if (auto to = p.links.find(link); to != p.links.end()) {
        sent.push_back({to->second, {p.text_links.count(link) != 0, std::string(slot.bytes.view())}});
      }
      slot.bytes.clear();
      slot.touched = false;
    }
    p.out.touched().clear();
    for (auto& u : std::exchange(p.out.upgrades, {})) p.text_links.erase(u.link);
    auto connects = std::exchange(p.out.connects, {});
    auto closes = std::exchange(p.out.closes, {});
    for (auto& [to, bytes] : sent) {
      env::Event e;
      e.kind = bytes.first ? env::EventKind::text : env::EventKind::frame;
      e.link = to.link;
      e.data = bytes.second;
      step(to.process, e);
    }
    for (const auto& c : connects) connect(i, c);
    for (env::LinkId link : closes) cut(i, link);
  }
  void connect(std::size_t i, const env::Outbox::Connect& c) {
    env::Event e;
    e.tag = c.tag;
    auto target = std::find_if(all.begin(), all.end(), [&](Process& p) { return p.up && p.port == c.port; });
    if (target == all.end()) {
      e.kind = env::EventKind::no_link;
      e.refused = true;
      step(i, e);
      return;
    }
    const auto j = static_cast<std::size_t>(target - all.begin());
    const env::LinkId here = all[i].next_link++;
    const env::LinkId there = all[j].next_link++;
    all[i].links[here] = {j, there};
    all[j].links[there] = {i, here};
    if (c.text) {
      all[i].text_links.insert(here);
      all[j].text_links.insert(there);
    }
    e.kind = env::EventKind::link_up;
    e.data = "there";
    e.text = c.text;
    e.link = there;
    e.tag = 0;
    step(j, e);
    e.link = here;
    e.tag = c.tag;
    step(i, e);
  }
  void cut(std::size_t i, env::LinkId link) {
    auto it = all[i].links.find(link);
    if (it == all[i].links.end()) return;
    const End other = it->second;
    all[i].links.erase(it);
    all[other.process].links.erase(other.link);
    env::Event e;
    e.kind = env::EventKind::link_down;
    e.link = link;
    step(i, e);
    e.link = other.link;
    step(other.process, e);
  }
  void kill(NodeId id) {
    const std::size_t i = by_node.at(id);
    all[i].up = false;
    while (!all[i].links.empty()) cut(i, all[i].links.begin()->first);
  }
  void run(Time t) {
    for (const Time end = now + t; now < end; now += 5 * kMillisecond) {
      for (std::size_t i = 0; i < all.size(); ++i) step(i, env::Event{});
    }
  }
  bool linked(NodeId a, NodeId b) {
    return at(a).peers.link_of(b) != 0 && at(b).peers.link_of(a) != 0 &&
           all[by_node[a]].links.at(at(a).peers.link_of(b)).link == at(b).peers.link_of(a);
  }
  std::size_t open_links(NodeId id) { return at(id).links.size(); }
  // A stranger says this to `id`; the answer is what comes back, decoded.
  struct Answer {
    bool hello = false;
    Error error = Error::ok;
    std::string text;
  };
  Answer greet(NodeId id, const wire::Hello& h) {
    Process& p = at(id);
    const env::LinkId link = p.next_link++;
    env::Event e;
    e.kind = env::EventKind::link_up;
    e.link = link;
    e.data = "stranger";
    step(by_node[id], e);
    Writer w;
    const std::size_t begin = wire::begin_message(w, wire::Type::hello, kControl, kControl);
    wire::encode(w, h);
    wire::end_message(w, begin);
    p.out.begin_step();
    wire::Message m;
    bool damaged = false;
    Bytes payload = w.view();
    REQUIRE(wire::next_message(payload, &m, &damaged));
    p.peers.on_message(now, link, m, p.out);
    Answer a;
    Bytes reply = p.out.slot(link).bytes.view();
    if (wire::next_message(reply, &m, &damaged)) {
      a.hello = static_cast<wire::Type>(m.type) == wire::Type::hello;
      if (!a.hello) {
        Reader r(m.body);
        a.error = static_cast<Error>(r.u16());
        a.text = r.text();
      }
    }
    p.out.slot(link).bytes.clear();
    carry_out(by_node[id]);
    e.kind = env::EventKind::link_down;
    step(by_node[id], e);
    return a;
  }
};

struct Cluster : World {
  Cluster() {
    for (NodeId id : {NodeId{10}, NodeId{11}}) add(id, PeerKind::mgm);
    for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) add(id, PeerKind::data, 4);
    configure(20, NodeType::api);
    tell_catalog();
    run(300 * kMillisecond);
  }
};

wire::Hello hello(PeerKind kind, NodeId node) {
  wire::Hello h;
  h.kind = kind;
  h.node = node;
  h.raft_id = 5;
  h.cluster_id = 77;
  h.cluster_name = "mine";
  return h;
}

}  // namespace

TEST_CASE("every pair of processes gets one link") {
  Cluster w;
  const NodeId ids[] = {1, 2, 3, 10, 11};
  for (NodeId a : ids) {
    CHECK(w.open_links(a) == 4);
    for (NodeId b : ids) {
      if (a == b) continue;
      INFO(a << " " << b);
      CHECK(w.linked(a, b));
      CHECK(w.at(a).count(Kind::up, b) == 1);
      CHECK(w.at(a).count(Kind::port_refused, b) == 0);
    }
  }
  Peers& p = w.at(1).peers;
  const env::LinkId link = p.link_of(10);
  CHECK(p.node_of(link) == 10);
  CHECK(p.kind_of(link) == PeerKind::mgm);
  CHECK(p.link_of_raft(p.raft_of(link)) == link);
  CHECK(p.links(PeerKind::data).size() == 2);
}

TEST_CASE("a lost process is noticed by all, by its refusing port") {
  Cluster w;
  w.kill(2);
  w.run(30 * kMillisecond);
  for (NodeId id : {NodeId{1}, NodeId{3}, NodeId{10}, NodeId{11}}) {
    INFO(id);
    CHECK(w.at(id).count(Kind::down, 2) == 1);
    CHECK(w.at(id).count(Kind::port_refused, 2) >= 1);
    CHECK(w.at(id).seen.back().incarnation == 4);
    CHECK(w.at(id).peers.link_of(2) == 0);
  }
  // Declared dead: nobody knocks any more.
  w.catalog = std::make_shared<Catalog>(*w.catalog);
  w.catalog->nodes[2].state = NodeState::down;
  w.tell_catalog();
  const std::size_t before = w.at(10).count(Kind::port_refused, 2);
  w.run(200 * kMillisecond);
  CHECK(w.at(10).count(Kind::port_refused, 2) <= before + 1);
}

TEST_CASE("a dropped link between living processes comes back, and nobody is thought dead") {
  Cluster w;
  w.cut(w.by_node[1], w.at(1).peers.link_of(3));
  w.cut(w.by_node[11], w.at(11).peers.link_of(2));
  w.run(200 * kMillisecond);
  CHECK(w.linked(1, 3));
  CHECK(w.linked(11, 2));
  CHECK(w.at(11).count(Kind::up, 2) == 2);
  CHECK(w.at(1).count(Kind::port_refused, 3) + w.at(11).count(Kind::port_refused, 2) == 0);
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) CHECK(w.open_links(id) == 4);  // knocks left nothing behind
}

TEST_CASE("hellos that are refused say why") {
  Cluster w;
  w.run(kSecond);
  auto refused = [&](const wire::Hello& h) {
    World::Answer a = w.greet(10, h);
    CHECK_FALSE(a.hello);
    return a;
  };
  wire::Hello h = hello(PeerKind::data, 1);
  h.protocol = 9;
  CHECK(refused(h).error == Error::wrong_protocol);
  CHECK(refused(h).text == "protocol version 9 at the peer, " + std::to_string(wire::kProtocolVersion) + " here");
  h = hello(PeerKind::data, 1);
  h.cluster_name = "other";
  CHECK(refused(h).error == Error::wrong_cluster);
  CHECK(refused(h).text == "cluster 'other' at the peer, cluster 'mine' here");
  h = hello(PeerKind::data, 1);
  h.cluster_id = 78;
  CHECK(refused(h).text.find("000000000000004e") != std::string::npos);
  CHECK(refused(h).text.find("000000000000004d") != std::string::npos);
  CHECK(refused(hello(PeerKind::data, 99)).error == Error::no_such_node);
  CHECK(refused(hello(PeerKind::mgm, 1)).error == Error::wrong_node_id);
  CHECK(refused(hello(PeerKind::api, 1)).text ==
        "node id 1 is a data node in the configuration, the peer is an API client");
  CHECK(refused(hello(PeerKind::data, 0)).error == Error::wrong_node_id);
  CHECK(refused(hello(PeerKind::mgm, 10)).error == Error::wrong_node_id);
  h = hello(PeerKind::data, 1);
  h.incarnation = 3;
  CHECK(refused(h).text == "node 1, incarnation 3 was replaced by incarnation 4");
}

TEST_CASE("API clients, with and without a node id, are let in and found by their session") {
  Cluster w;
  CHECK(w.greet(10, hello(PeerKind::api, 0)).hello);
  wire::Hello h = hello(PeerKind::api, 20);
  h.session = 4711;
  CHECK(w.greet(1, h).hello);
  REQUIRE(w.at(1).count(Kind::up, 20) == 1);
  auto up = std::find_if(w.at(1).seen.begin(), w.at(1).seen.end(), [](const auto& c) { return c.node == 20; });
  CHECK(up->session == 4711);
  CHECK(w.at(1).count(Kind::down, 20) == 1);
}

TEST_CASE("a client's link may be for one worker, where workers want that") {
  World w;
  w.configure(20, NodeType::api);
  Peers::Self self;
  self.node = 1;
  self.worker_links = 2;
  w.configure(1, NodeType::data);
  Peers p(self);
  p.update(w.catalog, {});
  env::Outbox out;
  env::LinkId next = 0;
  // What is answered: the worker_links of a hello, or -1 for a refusal.
  auto greet = [&](PeerKind kind, NodeId node, std::uint8_t worker_links) {
    env::Event up;
    up.kind = env::EventKind::link_up;
    up.link = ++next;
    p.on_event(w.now, up, out);
    wire::Hello h;
    h.kind = kind;
    h.node = node;
    h.worker_links = worker_links;
    Writer body;
    encode(body, h);
    wire::Message m;
    m.type = static_cast<std::uint16_t>(wire::Type::hello);
    m.body = body.view();
    p.on_message(w.now, next, m, out);
    Bytes said = out.slot(next).bytes.view();
    wire::Message answer;
    bool damaged = false;
    REQUIRE(wire::next_message(said, &answer, &damaged));
    if (static_cast<wire::Type>(answer.type) == wire::Type::refused) return -1;
    Reader r(answer.body);
    wire::Hello back;
    REQUIRE(decode(r, &back));
    REQUIRE(r.done());
    return int{back.worker_links};
  };
  CHECK(greet(PeerKind::api, 20, 0) == 2);
  CHECK(greet(PeerKind::api, 20, 2) == 2);
  REQUIRE(p.changes.size() == 2);
  CHECK(+p.changes[0].worker_links == 0);
  CHECK(+p.changes[1].worker_links == 2);
  CHECK(greet(PeerKind::api, 0, 3) == -1);
  CHECK(p.changes.size() == 2);
  CHECK(greet(PeerKind::mgm, 0, 1) == -1);
  p.set_worker_links(0);
  CHECK(greet(PeerKind::api, 0, 1) == -1);
  CHECK(greet(PeerKind::api, 0, 0) == 0);
  REQUIRE(p.known(2));
  p.forget(2);
  CHECK_FALSE(p.known(2));
  CHECK(p.changes.size() == 3);
}

TEST_CASE("the bytes of a hello are those of old where workers have no links of their own") {
  wire::Hello h;
  h.cluster_name = "x";
  Writer w;
  encode(w, h);
  const std::size_t before = w.size();
  CHECK(before == 4 + 8 + 5 + 1 + 2 + 8 + 4 + 8 + 2 + 1 + 8);
  h.worker_links = 2;
  w.clear();
  encode(w, h);
  CHECK(w.size() == before + 1);
  Reader r(w.view());
  wire::Hello back;
  REQUIRE(decode(r, &back));
  CHECK(+back.worker_links == 2);
  Reader old(w.view().substr(0, before));
  REQUIRE(decode(old, &back));
  CHECK(+back.worker_links == 0);
}

TEST_CASE("what is not known yet is not compared") {
  Cluster w;
  wire::Hello h = hello(PeerKind::api, 0);
  h.cluster_id = 0;
  h.cluster_name.clear();
  CHECK(w.greet(2, h).hello);
}

TEST_CASE("a node id in use is refused, one whose holder is silent is handed over") {
  Cluster w;
  env::Event e;
  e.kind = env::EventKind::frame;
  e.link = w.at(10).peers.link_of(1);
  w.step(w.by_node[10], e);  // node 1 was just heard
  World::Answer a = w.greet(10, hello(PeerKind::data, 1));
  CHECK(a.error == Error::in_use);
  CHECK(a.text.find("node id 1 is in use by the process at ") == 0);
  w.now += limits::kLease;
  CHECK(w.greet(10, hello(PeerKind::data, 1)).hello);
  CHECK(w.at(10).count(Kind::down, 1) >= 1);
}

TEST_CASE("a node taken out of the configuration loses its links") {
  Cluster w;
  w.catalog = std::make_shared<Catalog>(*w.catalog);
  w.catalog->nodes.erase(3);
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{10}, NodeId{11}}) w.at(id).peers.update(w.catalog);
  w.run(100 * kMillisecond);
  for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{10}, NodeId{11}}) CHECK(w.at(id).peers.link_of(3) == 0);
  CHECK(w.at(3).count(Kind::turned_away, 10) >= 1);
  for (const auto& c : w.at(3).seen) {
    if (c.kind == Kind::turned_away) CHECK(c.peer == (c.node == 10 || c.node == 11 ? PeerKind::mgm : PeerKind::data));
  }
}

TEST_CASE("a link without a hello is closed, and so is one that begins with something else") {
  Cluster w;
  World::Process& p = w.at(10);
  env::Event e;
  e.kind = env::EventKind::link_up;
  e.link = p.next_link++;
  e.data = "mute";
  w.step(w.by_node[10], e);
  p.out.logs.clear();
  w.run(limits::kHelloTimeout + 100 * kMillisecond);
  REQUIRE_FALSE(p.out.logs.empty());
  CHECK(p.out.logs.back().second == "closing the link of mute: no hello in time");
  e.link = p.next_link++;
  w.step(w.by_node[10], e);
  wire::Message m;
  m.type = static_cast<std::uint16_t>(wire::Type::heartbeat);
  CHECK(p.peers.on_message(w.now, e.link, m, p.out));
  CHECK(p.out.closes == std::vector<env::LinkId>{e.link});
}

TEST_CASE("a data node that is not let in connects to all others, and no pair keeps two links") {
  Cluster w;
  World::Process& p = w.add(1, PeerKind::data);  // a second life of node 1: the first one is gone
  World::Process& first = w.all[w.all.size() - 4];
  REQUIRE(first.peers.self().node == 1);
  first.up = false;
  while (!first.links.empty()) w.cut(w.all.size() - 4, first.links.begin()->first);
  p.port = 6001;
  p.peers.update(w.catalog, w.servers);
  w.now += kSecond;
  w.run(300 * kMillisecond);
  for (NodeId id : {NodeId{2}, NodeId{3}, NodeId{10}, NodeId{11}}) CHECK(w.linked(1, id));
  CHECK(w.open_links(1) == 4);
}
