// Some workers, a catalog made by real commands, and links that deliver at once or not at all: enough to tell stories
// about transactions. (Whole nodes, clocks and faults: lib/sim.)
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "meta/command.h"
#include "store/row.h"
#include "txn/worker.h"

namespace ndb::txn_test {

inline constexpr env::LinkId kClientLink = 300;
inline constexpr std::uint64_t kSession = 77;
inline constexpr NodeId kApi = 50;

struct Reply {
  wire::ExecuteReply head{};
  std::vector<std::pair<Error, std::string>> results;
};

class World {
 public:
  explicit World(std::vector<NodeId> with_group, std::vector<NodeId> without = {}) {
    meta::ConfigImage image;
    image.name = "test";
    image.replicas = 2;
    meta::ConfigNode m;
    m.id = 49;
    m.type = meta::NodeType::mgm;
    image.nodes.push_back(m);
    meta::ConfigNode api;
    api.id = kApi;
    api.type = meta::NodeType::api;
    image.nodes.push_back(api);
    for (NodeId n : with_group) add_config(image, n, false);
    for (NodeId n : without) add_config(image, n, true);
    std::sort(image.nodes.begin(), image.nodes.end(), [](auto& a, auto& b) { return a.id < b.id; });
    meta::ChangeConfig c;
    c.cluster_id = 1;
    c.generation.image = std::make_shared<meta::ConfigImage>(image);
    must(c);
    for (NodeId n : with_group) join(n);
    must(meta::StartCluster{with_group});
  }

  meta::Outcome run(meta::CommandBody body) {
    meta::Command c;
    c.body = std::move(body);
    meta::Outcome o = meta::apply(&catalog_, catalog_.version + 1, c);
    shared_ = std::make_shared<meta::Catalog>(catalog_);
    return o;
  }
  meta::Outcome must(meta::CommandBody body) {
    meta::Outcome o = run(std::move(body));
    INFO(o.text);
    REQUIRE(o.error == Error::ok);
    spread();
    return o;
  }
  void join(NodeId n) {
    meta::NodeJoins j;
    j.node = n;
    j.raft_id = n;
    j.address = "127.0.0.1";
    j.port = static_cast<std::uint16_t>(1000 + n);
    j.initial = true;
    start(n);
    must(j);
  }
  void start(NodeId n) {
    txn::WorkerOptions o;
    o.node = n;
    o.memory_bytes = memory_bytes;
    nodes_[n] = std::make_unique<Process>();
    nodes_[n]->worker = std::make_unique<txn::Worker>(o);
    for (auto& [a, p] : nodes_) {
      for (auto& [b, q] : nodes_) {
        if (a == b || !p || !q) continue;
        step(a, [&, bb = b](txn::Worker& w) { w.node_up(bb, bb); });
      }
    }
    step(n, [&](txn::Worker& w) { w.client_up(kClientLink, kSession, 0); });
  }
  // The process is gone, with everything in it and on its way to it.
  void kill(NodeId n) {
    nodes_.erase(n);
    for (auto& [a, p] : nodes_) step(a, [&](txn::Worker& w) { w.node_down(n); });
  }
  // Everybody hears of the present catalog, in the order of node ids.
  void spread() {
    for (auto& [n, p] : nodes_) step(n, [&](txn::Worker& w) { w.set_catalog(shared_); });
    pump();
  }
  void tell(NodeId n) {
    step(n, [&](txn::Worker& w) { w.set_catalog(shared_); });
  }

  template <class F>
  void step(NodeId n, F f) {
    auto i = nodes_.find(n);
    if (i == nodes_.end()) return;
    Process& p = *i->second;
    p.worker->begin(now_, p.out, p.self);
    p.worker->serve_until(now_ + kSecond);
    f(*p.worker);
    p.worker->end();
  }
  // Delivers until all is quiet. `pass` may hold back or drop: false = leave it where it is.
  void pump() {
    for (bool more = true; more;) {
      more = false;
      for (auto& [n, p] : nodes_) {
        if (!p->self.empty()) {
          Writer w = std::move(p->self);
          p->self = Writer();
          deliver(n, env::kSelf, n, w.view());
          more = true;
        }
        std::vector<env::LinkId> touched;
        touched.swap(p->out.touched());
        for (env::LinkId l : touched) {
          auto& slot = p->out.slot(l);
          slot.touched = false;
          std::string bytes(slot.bytes.view());
          if (bytes.empty()) continue;
          slot.bytes.clear();
          more = true;
          if (l == kClientLink) {
            take_replies(bytes);
          } else if (held_.count({n, static_cast<NodeId>(l)}) != 0) {
            held_[{n, static_cast<NodeId>(l)}] += bytes;
          } else {
            deliver(static_cast<NodeId>(l), n, n, bytes);
          }
        }
        if (more) break;
      }
    }
  }
  void hold(NodeId from, NodeId to) { held_[{from, to}]; }
  void drop_held(NodeId from, NodeId to) { held_.erase({from, to}); }
  void release(NodeId from, NodeId to) {
    std::string bytes = held_[{from, to}];
    held_.erase({from, to});
    deliver(to, from, from, bytes);
    pump();
  }
  // What has been held back arrives; what follows is held back, too.
  void release_once(NodeId from, NodeId to) {
    const std::string bytes = std::move(held_[{from, to}]);
    held_[{from, to}].clear();
    deliver(to, from, from, bytes);
    pump();
  }
  // A message that nobody sent just now.
  template <class Body>
  void inject(NodeId from, NodeId to, wire::Type type, const Body& body) {
    Writer w;
    std::size_t at = wire::begin_message(w, type, 0, 0);
    w.put(body);
    wire::end_message(w, at);
    deliver(to, from, from, w.view());
    pump();
  }
  void pass_time(Time t) {
    for (Time end = now_ + t; now_ < end;) {
      now_ += 10 * kMillisecond;
      for (auto& [n, p] : nodes_) step(n, [&](txn::Worker& w) { w.on_time(); });
      pump();
    }
  }

  // --- a client
  void make_table(bool unique = false) {
    meta::CreateTable c;
    c.table.name = "t";
    meta::Column a, b;
    a.name = "a";
    a.nullable = false;
    b.name = "b";
    c.table.columns = {a, b};
    c.table.primary_key = {0};
    if (unique) c.table.unique = {{"b", {1}, 0}};
    TableId id = static_cast<TableId>(must(c).ids.at(0));
    table_id = id;
    shape = *store::RowShape::make(*catalog_.table(id));
  }
  // From now on operations go to the hidden table of its index: a is the value, b the row.
  void use_index() {
    table_id = catalog_.table(table_id)->unique.at(0).table;
    shape = *store::RowShape::make(*catalog_.table(table_id));
  }
  std::string key(std::int32_t a) const {
    Writer w;
    store::Value v[1] = {store::Value::of_int(a)};
    REQUIRE(shape.encode_key(v, w) == Error::ok);
    return std::string(w.view());
  }
  std::string image(std::int32_t a, std::int32_t b) const {
    Writer w;
    store::Value v[2] = {store::Value::of_int(a), store::Value::of_int(b)};
    REQUIRE(shape.encode(v, w) == Error::ok);
    return std::string(w.view());
  }
  std::int64_t value(const std::string& img) const { return shape.get(img, 1).i; }
  struct Ask {
    wire::Op kind;
    std::int32_t a;
    std::int32_t b = 0;
  };
  NodeId primary_of(std::int32_t a, bool write) const {
    const meta::Distribution& d = catalog_.table(table_id)->distribution;
    const std::uint16_t bucket = meta::bucket_of(shape.hash(key(a)));
    FragmentId f = write ? d.write_targets(bucket, d.phase).first : d.read_target(bucket, d.phase);
    return catalog_.primary(d.groups[f], f);
  }
  FragmentId fragment_of(std::int32_t a) const {
    return catalog_.table(table_id)->distribution.map[meta::bucket_of(shape.hash(key(a)))];
  }
  // Sends; the reply, if it came already, is in `replies`.
  std::uint32_t send(std::vector<Ask> asks, std::uint8_t flags = wire::kBegin | wire::kCommit, std::uint64_t number = 0,
                     NodeId to = 0) {
    if (number == 0) number = ++number_;
    Writer body;
    std::uint32_t request = ++request_;
    body.put(wire::Execute{request, flags, 0, static_cast<std::uint16_t>(asks.size()), number});
    for (const Ask& k : asks) {
      std::string kk = key(k.a);
      const bool has_image = k.kind == wire::Op::insert || k.kind == wire::Op::replace || k.kind == wire::Op::write;
      std::string img = has_image ? image(k.a, k.b) : std::string();
      if (k.kind == wire::Op::update) {
        Writer p;
        REQUIRE(shape.encode_patch(1, store::Value::of_int(k.b), p) == Error::ok);
        img = std::string(p.view());
      }
      body.put(wire::Operation{k.kind, keeps_indexes, static_cast<std::uint16_t>(kk.size()),
                               static_cast<std::uint32_t>(img.size()), table_id, shape.hash(kk)});
      body.raw(kk);
      body.raw(img);
    }
    NodeId node = to != 0 ? to : asks.empty() ? last_node_ : primary_of(asks[0].a, asks[0].kind != wire::Op::read);
    last_node_ = node;
    wire::Message m;
    m.type = static_cast<std::uint16_t>(wire::Type::execute);
    std::string copy(body.view());
    m.body = copy;
    step(node, [&](txn::Worker& w) { w.on_message(m, kClientLink, 0); });
    pump();
    return request;
  }
  Reply exec(std::vector<Ask> asks, std::uint8_t flags = wire::kBegin | wire::kCommit, std::uint64_t number = 0,
             NodeId to = 0) {
    std::uint32_t r = send(std::move(asks), flags, number, to);
    REQUIRE(replies.count(r) == 1);
    return replies[r];
  }
  std::uint64_t new_number() { return ++number_; }
  std::int64_t read(std::int32_t a) {  // -1 = no such row
    Reply r = exec({{wire::Op::read, a}});
    REQUIRE(r.head.error == Error::ok);
    REQUIRE(r.results.size() == 1);
    return r.results[0].first == Error::ok ? value(r.results[0].second) : -1;
  }

  txn::Worker& worker(NodeId n) { return *nodes_.at(n)->worker; }
  bool up(NodeId n) const { return nodes_.count(n) != 0; }
  const meta::Catalog& catalog() const { return catalog_; }
  Time now() const { return now_; }
  std::map<std::uint32_t, Reply> replies;
  store::RowShape shape;
  TableId table_id = 0;
  std::uint8_t keeps_indexes = 0;  // said of every operation
  std::uint64_t memory_bytes = std::uint64_t{64} << 20;

 private:
  struct Process {
    std::unique_ptr<txn::Worker> worker;
    env::Outbox out;
    Writer self;
  };
  static void add_config(meta::ConfigImage& image, NodeId n, bool outside) {
    meta::ConfigNode d;
    d.id = n;
    d.host = "127.0.0.1";
    d.has_group_wish = outside;
    d.wished_group = kNoGroup;
    image.nodes.push_back(d);
  }
  void deliver(NodeId to, env::LinkId link, NodeId from, Bytes bytes) {
    std::string copy(bytes);
    step(to, [&](txn::Worker& w) {
      Bytes rest = copy;
      wire::Message m;
      bool damaged = false;
      while (wire::next_message(rest, &m, &damaged)) w.on_message(m, link, from);
      REQUIRE_FALSE(damaged);
    });
  }
  void take_replies(const std::string& bytes) {
    Bytes rest = bytes;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      if (m.type != static_cast<std::uint16_t>(wire::Type::execute_reply)) {
        others.emplace_back(m.type, std::string(m.body));
        continue;
      }
      Reply r;
      Reader in(m.body);
      r.head = in.get<wire::ExecuteReply>();
      for (int i = 0; i < r.head.results; i++) {
        auto res = in.get<wire::OpResult>();
        r.results.emplace_back(res.error, std::string(in.raw(res.bytes)));
      }
      REQUIRE(in.done());
      replies[r.head.request] = r;
    }
  }

 public:
  std::vector<std::pair<std::uint16_t, std::string>> others;  // scan batches, outcomes

 private:
  std::map<NodeId, std::unique_ptr<Process>> nodes_;
  std::map<std::pair<NodeId, NodeId>, std::string> held_;
  meta::Catalog catalog_;
  std::shared_ptr<const meta::Catalog> shared_;
  Time now_ = kSecond;
  std::uint64_t number_ = 0;
  std::uint32_t request_ = 0;
  NodeId last_node_ = 0;
};

}  // namespace ndb::txn_test
