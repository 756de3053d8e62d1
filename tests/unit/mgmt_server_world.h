// One management server alone in virtual time, with text sessions and data nodes made of nothing but their messages.
#pragma once
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "mgmt/server.h"
#include "sim/memory_log_store.h"

namespace ndb::test {

inline const std::string kConfig =
    "[ndbd default]\nNoOfReplicas=2\nDataMemory=64M\n"
    "[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\n"
    "[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[ndbd]\nNodeId=2\nHostName=127.0.0.1\n"
    "[ndbd]\nNodeId=3\nHostName=127.0.0.1\nNodeGroup=65536\n[ndbd]\nNodeId=4\nHostName=127.0.0.1\nNodeGroup=65536\n"
    "[api]\nNodeId=20\nHostName=127.0.0.1\n[api]\nNodeId=21\n";

struct NoFiles : mgmt::ConfigFiles {
  std::map<std::string, std::string> files;
  Result<std::string> read(const std::string& path) override {
    auto i = files.find(path);
    if (i == files.end()) return Failure{Error::os_failed, "cannot open '" + path + "'"};
    return i->second;
  }
};

inline env::Event event(env::EventKind kind, env::LinkId link = 0, Bytes data = {}) {
  env::Event e;
  e.kind = kind;
  e.link = link;
  e.data = data;
  return e;
}

struct ServerWorld {
  explicit ServerWorld(std::string config = kConfig) {
    mgmt::ServerOptions& o = options;
    o.node = 10;
    o.raft_id = 1010;
    o.seed = 7;
    o.unix_offset_ns = std::int64_t{1790000000} * kSecond;
    o.port = 1186;
    o.config_text = std::move(config);
    o.config_source = "config.ini";
    o.who = "test@here";
    start();
    run(3 * kSecond);
  }

  void start() {
    server = std::make_unique<mgmt::Server>(store, files, options);
    step(event(env::EventKind::start));
  }
  // The process ends, and another one begins with what is stored; nothing of it has run yet.
  void restart() {
    sim::MemoryLogStore::Completion c;
    while (store.complete(&c)) {
    }
    received.clear();
    links.clear();
    beating.clear();
    options.seed++;  // as in every start: or it would draw the request ids of before
    start();
  }

  void step(const env::Event& e) {
    out.begin_step();
    server->step(now, e, out);
    for (env::LinkId link : out.touched()) {
      auto& slot = out.slot(link);
      if (closed.count(link) == 0) received[link].append(slot.bytes.view());
      slot.bytes.clear();
      slot.touched = false;
    }
    out.touched().clear();
    for (env::LinkId link : std::exchange(out.closes, {})) {
      if (closed.insert(link).second) ended.push_back(link);
    }
    for (auto& u : std::exchange(out.upgrades, {})) upgraded[u.link] = u.consumed;
    out.connects.clear();
    logs.insert(logs.end(), out.logs.begin(), out.logs.end());
    out.logs.clear();
    for (env::LinkId link : std::exchange(ended, {})) step(event(env::EventKind::link_down, link));
  }
  void run(Time t) {
    for (const Time end = now + t; now < end; now += kMillisecond) {
      sim::MemoryLogStore::Completion c;
      while (store.complete(&c)) {
        env::Event e = event(env::EventKind::stored);
        e.tag = c.tag;
        e.status = c.status;
        step(e);
      }
      for (auto& [id, node] : beating) beat(id);
      step(event(env::EventKind::timer));
    }
  }
  env::LinkId open() {
    env::Event e = event(env::EventKind::link_up, next_link, "127.0.0.1:40000");
    e.text = true;
    step(e);
    return next_link++;
  }
  std::string say(env::LinkId link, std::string text) {
    received[link].clear();
    step(event(env::EventKind::text, link, text));
    for (int i = 0; i < 3000 && received[link].empty(); ++i) run(kMillisecond);
    return received[link];
  }
  std::string ask(std::string text) {
    const env::LinkId link = open();
    std::string reply = say(link, std::move(text));
    step(event(env::EventKind::link_down, link));
    return reply;
  }

  // --- data nodes
  template <class Body>
  void message(env::LinkId link, wire::Type type, const Body& body) {
    Writer w;
    const std::size_t at = wire::begin_message(w, type, kControl, kControl);
    wire::encode(w, body);
    wire::end_message(w, at);
    step(event(env::EventKind::frame, link, w.view()));
  }
  env::LinkId data_node(NodeId id, std::string cluster = {}) {
    const env::LinkId link = open();
    step(event(env::EventKind::text, link, "transporter connect\n\n"));
    wire::Hello h;
    h.kind = wire::PeerKind::data;
    h.node = id;
    h.raft_id = 100u + id;
    h.cluster_name = std::move(cluster);
    received[link].clear();
    message(link, wire::Type::hello, h);
    return link;
  }
  void let_in(NodeId id) {
    links[id] = data_node(id);
    meta::NodeJoins j;
    j.node = id;
    j.raft_id = 100u + id;
    j.address = "127.0.0.1";
    j.port = static_cast<std::uint16_t>(5000 + id);
    j.generation = 1;
    apply(j);
    beating[id] = catalog()->node(id)->incarnation;
  }
  void beat(NodeId id) {
    wire::Heartbeat h;
    h.node = id;
    h.incarnation = beating[id];
    h.sent = static_cast<std::uint64_t>(now);
    h.version = h.oldest_open = catalog()->version;
    h.memory_total = 64 << 20;
    h.memory_used = memory_used[id];
    h.rows = 5;
    message(links[id], wire::Type::heartbeat, h);
  }
  // What a data node proposes comes to the leader as a forwarded command; here it is given to the log directly.
  void apply(meta::CommandBody body) {
    meta::Command c;
    c.body = std::move(body);
    server->member().propose(now, std::move(c));
    run(100 * kMillisecond);
  }
  std::shared_ptr<const meta::Catalog> catalog() { return server->catalog(); }

  Time now = kSecond;
  sim::MemoryLogStore store;
  NoFiles files;
  mgmt::ServerOptions options;
  std::unique_ptr<mgmt::Server> server;
  env::Outbox out;
  env::LinkId next_link = 1;
  std::map<env::LinkId, std::string> received;
  std::map<env::LinkId, std::size_t> upgraded;
  std::set<env::LinkId> closed;
  std::vector<env::LinkId> ended;
  std::map<NodeId, env::LinkId> links;
  std::map<NodeId, std::uint32_t> beating;
  std::map<NodeId, std::uint64_t> memory_used;
  std::vector<std::pair<env::Severity, std::string>> logs;
};

// --- replies

inline std::string bulk_of(const std::string& reply) {
  const std::size_t at = reply.find("\n\n");
  return at == std::string::npos ? std::string{} : reply.substr(at + 2);
}

inline std::string value_of(const std::string& reply, const std::string& key) {
  const std::size_t at = reply.find("\n" + key + ": ");
  if (at == std::string::npos) return {};
  const std::size_t from = at + key.size() + 3;
  return reply.substr(from, reply.find('\n', from) - from);
}

inline std::string with_bulk(const std::string& command, const std::string& bulk, const std::string& keys = {}) {
  return command + "\n" + keys + "Content-Length: " + std::to_string(bulk.size()) + "\n\n" + bulk + "\n";
}

// Nodes 1 and 2 started, 3 and 4 up outside groups.
struct Started : ServerWorld {
  Started() {
    for (NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}}) let_in(id);
    run(500 * kMillisecond);
    REQUIRE(catalog()->started);
  }
};

}  // namespace ndb::test
