// The client's core against nodes that are played by the test: every frame is written out by hand.
#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "client/machine.h"

using namespace ndb;
using client::ClientMachine;
using client::Handle;

namespace {

constexpr TableId kTable = 1;

std::shared_ptr<meta::Catalog> two_nodes(View view = 10, FragmentId fragments = 2) {
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
          sent.push_back({node_of[l], static_cast<wire::Type>(m.type), m.to, std::string(m.body)});
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
    if (c.text ? !management_up : dead.count(node) != 0) {
      e.kind = env::EventKind::no_link;
      e.refused = true;
    } else {
      e.kind = env::EventKind::link_up;
      e.link = next_link++;
      node_of[e.link] = node;
      if (c.text) text_link = e.link;
      else link_of[node] = e.link;
    }
    machine.step(now, e, out);
  }
  bool answer_hellos() {
    for (auto i = sent.begin(); i != sent.end(); ++i) {
      if (i->type != wire::Type::hello) continue;
      const NodeId node = i->node;
      sent.erase(i);
      wire::Hello h;
      h.kind = wire::PeerKind::data;
      h.node = node;
      Writer w;
      auto at = wire::begin_message(w, wire::Type::hello, 0, kControl);
      wire::encode(w, h);
      wire::end_message(w, at);
      frame(node, w.view());
      return true;
    }
    return false;
  }
  void frame(NodeId node, Bytes payload) {
    env::Event e;
    e.kind = env::EventKind::frame;
    e.link = link_of[node];
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
    frame(to.node, w.view());
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
    frame(to.node, w.view());
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
    frame(to.node, w.view());
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
  bool management_up = false;
  env::LinkId next_link = 1, text_link = 0;
  std::string text_sent;
  std::vector<Sent> sent;
  std::vector<std::string> connect_log;
};

client::ClientOptions with_catalog(std::shared_ptr<const meta::Catalog> c = two_nodes()) {
  client::ClientOptions o;
  o.session = 0x5e55;
  o.seed = 1;
  o.catalog = std::move(c);
  o.slots = 8;
  return o;
}

}  // namespace

TEST_CASE("a one-shot goes to the primary of its key and comes back with its results") {
  World w(with_catalog());
  // Fragment 0 is served by node 1, fragment 1 by node 2: buckets alternate.
  Handle a = w.insert(0), b = w.insert(1);
  auto first = w.expect(wire::Type::execute);
  auto second = w.expect(wire::Type::execute);
  CHECK(first.node == w.machine.routing().write(kTable, 0).node);
  CHECK(second.node == w.machine.routing().write(kTable, 1).node);
  CHECK(first.node != second.node);
  auto head = load<wire::Execute>(first.body.data());
  CHECK(+head.flags == (wire::kBegin | wire::kCommit));
  CHECK(+head.operations == 1);
  CHECK(+head.number == 1);
  auto op = load<wire::Operation>(first.body.data() + sizeof head);
  CHECK(op.kind == wire::Op::insert);
  CHECK(+op.key_bytes == 4);
  CHECK(first.body.substr(sizeof head + sizeof op) == "key.image");
  CHECK(w.machine.take() == nullptr);

  w.reply(second, Error::ok, wire::TxnState::committed);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == b);
  CHECK(r->tag == 1);
  CHECK(r->state == wire::TxnState::committed);
  w.machine.release(b);
  w.reply(first, Error::row_exists, wire::TxnState::aborted);
  r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->handle == a);
  CHECK(r->error == Error::row_exists);  // not temporary: not repeated
  w.machine.release(a);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("what one step makes for one node leaves in one frame") {
  World w(with_catalog());
  w.insert(0);
  w.expect(wire::Type::execute);
  for (int i = 0; i < 3; i++) {
    Handle h = w.machine.open();
    w.machine.add(h, wire::Op::read, kTable, 0, "key.");
    w.machine.send(h, wire::kCommit);
  }
  w.machine.flush(w.now, w.out);
  CHECK(w.out.touched().size() == 1);
  w.carry_out();
  CHECK(w.sent.size() == 3);
}

TEST_CASE("temporary errors of a one-shot are repeated under a new number, after a pause") {
  World w(with_catalog());
  Handle h = w.insert(0);
  for (std::uint64_t attempt = 1; attempt <= 3; attempt++) {
    auto m = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(m.body.data()).number == attempt);
    w.reply(m, Error::lock_timeout, wire::TxnState::aborted);
    CHECK_FALSE(w.said(wire::Type::execute));
    CHECK(w.machine.take() == nullptr);
    w.run(60 * kMillisecond);
  }
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  REQUIRE(w.machine.take() != nullptr);
  CHECK(w.machine.counts().retries == 3);
  w.machine.release(h);
}

TEST_CASE("a reply of an earlier attempt is not taken for the present one") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.reply(m, Error::lock_timeout, wire::TxnState::aborted);
  w.run(60 * kMillisecond);
  w.expect(wire::Type::execute);
  w.reply(m, Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() == nullptr);
}

TEST_CASE("a durable commit whose answer is lost is not done before it is durable") {
  World w(with_catalog());
  w.insert(0, wire::kCommit | wire::kDurable);
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  auto asked = w.expect(wire::Type::outcome);
  auto durable_and_epoch = [](const auto& message) {
    Reader r(message.body.substr(34));  // behind request, transaction, table, fragment and hash
    const bool durable = r.u8() == 1;
    return std::pair(durable, r.u64());
  };
  CHECK(durable_and_epoch(asked) == std::pair(true, std::uint64_t{0}));
  w.tell_outcome(asked, 3, 77);  // committed, and durable when epoch 77 is
  CHECK(w.machine.take() == nullptr);
  w.run(60 * kMillisecond);
  auto again = w.expect(wire::Type::outcome);
  CHECK(durable_and_epoch(again) == std::pair(true, std::uint64_t{77}));
  w.tell_outcome(again, 1);
  auto res = w.machine.take();
  REQUIRE(res != nullptr);
  CHECK(res->state == wire::TxnState::committed);
}

TEST_CASE("a lost link: the outcome is asked for before anything is repeated") {
  World w(with_catalog());
  Handle h = w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  CHECK_FALSE(w.said(wire::Type::execute));
  auto asked = w.expect(wire::Type::outcome);
  Reader r(asked.body);
  r.u32();
  CHECK(r.u64() == 0x5e55);
  CHECK(r.u64() == 1);
  CHECK(r.u32() == kTable);

  SECTION("committed") {
    w.tell_outcome(asked, 1);
    auto res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->state == wire::TxnState::committed);
    CHECK_FALSE(res->answered);
  }
  SECTION("not known yet: asked again, nothing is repeated") {
    w.tell_outcome(asked, 0);
    w.run(60 * kMillisecond);
    CHECK_FALSE(w.said(wire::Type::execute));
    w.tell_outcome(w.expect(wire::Type::outcome), 2);
    w.run(60 * kMillisecond);
    auto again = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(again.body.data()).number == 2);
    CHECK(again.body.substr(16) == m.body.substr(16));
  }
  SECTION("aborted: another transaction") {
    w.tell_outcome(asked, 2);
    w.run(60 * kMillisecond);
    CHECK(+load<wire::Execute>(w.expect(wire::Type::execute).body.data()).number == 2);
  }
  SECTION("nobody can tell") {
    w.dead = {1, 2};
    w.lose(asked.node);
    w.run(31 * kSecond);
    auto res = w.machine.take();
    REQUIRE(res != nullptr);
    CHECK(res->error == Error::outcome_unknown);
    CHECK(res->state == wire::TxnState::unknown);
  }
  w.machine.release(h);
}

TEST_CASE("a lost link under a read: repeated without asking") {
  World w(with_catalog());
  Handle h = w.machine.open();
  w.machine.add(h, wire::Op::read, kTable, 0, "key.");
  w.machine.send(h, wire::kCommit);
  w.machine.flush(w.now, w.out);
  w.carry_out();
  auto m = w.expect(wire::Type::execute);
  w.lose(m.node);
  w.run(100 * kMillisecond);
  CHECK_FALSE(w.said(wire::Type::outcome));
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed, 10, "the row");
  auto r = w.machine.take();
  REQUIRE(r != nullptr);
  client::ResultReader rows(*r);
  Error e;
  Bytes image;
  REQUIRE(rows.next(&e, &image));
  CHECK(image == "the row");
  CHECK_FALSE(rows.next(&e, &image));
}

TEST_CASE("a stale view fetches the catalog and follows it") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.reply(m, Error::stale_view, wire::TxnState::aborted, 20);
  auto asked = w.expect(wire::Type::get_catalog);
  auto newer = two_nodes(20);
  newer->nodes[m.node].state = meta::NodeState::down;
  w.give_catalog(asked, newer.get());
  CHECK(w.machine.catalog()->view == 20);
  w.run(60 * kMillisecond);
  auto again = w.expect(wire::Type::execute);
  CHECK(again.node != m.node);
}

TEST_CASE("silence makes it look at the catalog; a node that is gone is given up") {
  World w(with_catalog());
  w.insert(1);  // both nodes are connected
  w.expect(wire::Type::execute);
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  w.run(300 * kMillisecond);
  auto newer = two_nodes(30);
  newer->nodes[m.node].state = meta::NodeState::down;
  w.give_catalog(w.expect(wire::Type::get_catalog), newer.get());
  w.run(60 * kMillisecond);
  auto asked = w.expect(wire::Type::outcome);
  CHECK(asked.node != m.node);
}

TEST_CASE("an open transaction: steps, commit, and what a lost link does to it") {
  World w(with_catalog());
  Handle h = w.insert(0, 0);
  auto m = w.expect(wire::Type::execute);
  CHECK(+load<wire::Execute>(m.body.data()).flags == wire::kBegin);
  w.reply(m, Error::ok, wire::TxnState::open);
  REQUIRE(w.machine.take() != nullptr);

  SECTION("the next steps go to the same place under the same number") {
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, wire::kCommit);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto n = w.expect(wire::Type::execute);
    CHECK(n.node == m.node);
    CHECK(+load<wire::Execute>(n.body.data()).number == 1);
    CHECK(+load<wire::Execute>(n.body.data()).flags == wire::kCommit);
    w.lose(n.node);
    w.run(60 * kMillisecond);
    w.tell_outcome(w.expect(wire::Type::outcome), 1);
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->state == wire::TxnState::committed);
  }
  SECTION("a temporary error of a later step is the owner's") {
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, 0);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    w.reply(w.expect(wire::Type::execute), Error::lock_timeout, wire::TxnState::aborted);
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->error == Error::lock_timeout);
    CHECK(r->state == wire::TxnState::aborted);
  }
  SECTION("the link dies in between") {
    w.lose(m.node);
    w.machine.add(h, wire::Op::update, kTable, 1, "key2", "patch");
    w.machine.send(h, wire::kCommit);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto r = w.machine.take();
    REQUIRE(r != nullptr);
    CHECK(r->error == Error::node_failure);
    CHECK(is_temporary(r->error));
  }
  SECTION("given back while open: aborted") {
    w.machine.release(h);
    w.machine.flush(w.now, w.out);
    w.carry_out();
    auto n = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(n.body.data()).flags == wire::kAbort);
    w.reply(n, Error::ok, wire::TxnState::aborted);
    CHECK(w.machine.take() == nullptr);
    CHECK(w.machine.in_use() == 0);
    return;
  }
  w.machine.release(h);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("slots are bounded and come back") {
  World w(with_catalog());
  std::vector<Handle> all;
  for (int i = 0; i < 8; i++) all.push_back(w.insert(0));
  CHECK(w.machine.open() == client::kNoHandle);
  for (Handle h : all) w.machine.release(h);  // on their way: nobody listens any more
  CHECK(w.machine.in_use() == 8);
  for (int i = 0; i < 8; i++) w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() == nullptr);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("without a catalog a management server is asked, each in turn") {
  client::ClientOptions o;
  o.session = 1;
  o.management = {{"m1", 1186}, {"m2", 1187}};
  World w(o);
  w.run(120 * kMillisecond);
  REQUIRE(w.connect_log.size() >= 2);
  CHECK(w.connect_log[0] == "m1");
  CHECK(w.connect_log[1] == "m2");
  CHECK_FALSE(w.machine.trouble().empty());
  w.management_up = true;
  w.run(60 * kMillisecond);
  CHECK(w.text_sent == "ndb get catalog\nhave: 0\n\n");
  env::Event e;
  e.kind = env::EventKind::text;
  e.link = w.text_link;
  std::string answer = "ndb get catalog reply\nresult: 9022-no leader\n\n";
  e.data = answer;
  w.machine.step(w.now, e, w.out);
  CHECK(w.machine.catalog() == nullptr);
  CHECK(w.machine.trouble().find("no leader") != std::string::npos);
}

TEST_CASE("a scan opens every cursor before it gives a row") {
  World w(with_catalog());
  auto s = w.machine.scan_open(kTable, {});
  w.machine.flush(w.now, w.out);
  w.carry_out();
  w.run(10 * kMillisecond);
  auto a = w.expect(wire::Type::scan_open), b = w.expect(wire::Type::scan_open);
  CHECK(+load<wire::ScanOpen>(a.body.data()).view == 10);
  w.scan_reply(a, Error::ok, false, 0);
  CHECK_FALSE(w.said(wire::Type::scan_next));

  SECTION("rows of all fragments") {
    w.scan_reply(b, Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, true, 2);
    auto n = w.expect(wire::Type::scan_next);
    w.scan_reply(n, Error::ok, false, 3);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, true, 0);
    CHECK(w.machine.scan_state(s) == client::ScanState::finished);
    Bytes rows;
    std::uint32_t n_rows = 0, total = 0;
    while (w.machine.scan_batch(s, &rows, &n_rows)) {
      total += n_rows;
      CHECK(rows.size() == n_rows * 7);
      w.machine.scan_drop(s);
    }
    CHECK(total == 5);
    CHECK(w.machine.scan_rows(s) == 5);
  }
  SECTION("a refusal reopens all") {
    w.scan_reply(b, Error::stale_view, false, 0);
    CHECK(w.expect(wire::Type::scan_close).node == a.node);
    w.run(60 * kMillisecond);
    w.scan_reply(w.expect(wire::Type::scan_open), Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_open), Error::ok, false, 0);
    CHECK(w.machine.scan_state(s) == client::ScanState::running);
  }
  SECTION("a lost link after the first row is an error") {
    w.scan_reply(b, Error::ok, false, 0);
    w.scan_reply(w.expect(wire::Type::scan_next), Error::ok, false, 2);
    Bytes rows;
    std::uint32_t n_rows = 0;
    REQUIRE(w.machine.scan_batch(s, &rows, &n_rows));
    w.lose(b.node);
    CHECK(w.machine.scan_state(s) == client::ScanState::failed);
    CHECK(is_temporary(w.machine.scan_error(s)));
  }
  w.machine.scan_close(s);
}

TEST_CASE("malformed and foreign messages are survived") {
  World w(with_catalog());
  w.insert(0);
  auto m = w.expect(wire::Type::execute);
  Prng prng(3);
  for (int i = 0; i < 2000; i++) {
    Writer p;
    auto type = static_cast<wire::Type>(prng.below(130));
    if (type == wire::Type::refused || type == wire::Type::hello) continue;
    auto at = wire::begin_message(p, type, 0, 0);
    for (auto n = prng.below(60); n > 0; n--) p.u8(static_cast<std::uint8_t>(prng.next()));
    wire::end_message(p, at);
    w.frame(m.node, p.view());
  }
  w.carry_out();
  w.reply(m, Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() != nullptr);
}

TEST_CASE("numbers whose outcome is open keep their place among those that nodes remember") {
  auto o = with_catalog();
  o.slots = limits::kClientWritesMax + 8;
  World w(o);
  w.insert(0, 0);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::open);
  REQUIRE(w.machine.take() != nullptr);  // number 1 stays open
  for (std::uint32_t i = 0; i < 2 * limits::kClientWritesMax; i++) {
    Handle h = w.insert(0);
    auto m = w.expect(wire::Type::execute);
    CHECK(+load<wire::Execute>(m.body.data()).number % limits::kClientWritesMax != 1);
    w.reply(m, Error::ok, wire::TxnState::committed);
    REQUIRE(w.machine.take() != nullptr);
    w.machine.release(h);
  }
  // As many as there are places may be on their way; one more waits until one is answered.
  for (std::uint32_t i = 1; i < limits::kClientWritesMax; i++) w.insert(0);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
  w.insert(0);
  w.run(60 * kMillisecond);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::committed);
  w.run(60 * kMillisecond);
  CHECK(w.sent.size() == limits::kClientWritesMax - 1);
}
