// A catalog and the entries that make it: what the tests of lib/meta tell their stories with. After
// each entry it is checked that a refusal changed nothing, that a dry run says the same, and that
// bytes bring back the same catalog.
#pragma once
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "meta/command.h"

namespace ndb::meta::test {

inline ConfigImage image_of(std::uint32_t replicas, const std::vector<NodeId>& data,
                            const std::vector<NodeId>& mgm = {49}, const std::vector<NodeId>& api = {51, 52}) {
  ConfigImage image;
  image.text = "[ndbd default]\n";
  image.name = "tests";
  image.replicas = replicas;
  image.system = {{"Name", "tests"}};
  for (const NodeId id : data)
    image.nodes.push_back({id, NodeType::data, "h", false, kNoGroup, false, {{"DataMemory", "98M"}}});
  for (const NodeId id : mgm) image.nodes.push_back({id, NodeType::mgm, "m", false, kNoGroup, false, {}});
  for (const NodeId id : api) image.nodes.push_back({id, NodeType::api, "a", false, kNoGroup, false, {}});
  return image;
}

inline Table table_named(std::string name) {
  Table t;
  t.name = std::move(name);
  t.columns = {{"id", Type::bigint, 0, 0, 0, false, {}}, {"v", Type::varchar, 100, 0, 0, true, {}}};
  t.primary_key = {0};
  return t;
}

inline std::uint64_t fingerprint_but_for_the_log(Catalog c) {
  c.version = 0;
  c.requests.clear();
  return fingerprint(c);
}

struct Story {
  Catalog c;
  std::uint64_t random = 1;

  Outcome apply(CommandBody body, Version expect = 0) {
    Command command;
    command.body = std::move(body);
    command.expect_version = expect;
    command.request = {77, random++};
    return apply(command);
  }
  Outcome apply(const Command& command) {
    const std::uint64_t before = fingerprint_but_for_the_log(c);
    const bool known = c.outcome_of(command.request) != nullptr;
    const Outcome dry = dry_run(c, command);
    CHECK(fingerprint_but_for_the_log(c) == before);
    const Outcome o = meta::apply(&c, c.version + 1, command);
    if (!known) CHECK((dry == o));
    if (!o.changed || known) CHECK(fingerprint_but_for_the_log(c) == before);
    if (o.changed && !known) CHECK(fingerprint_but_for_the_log(c) != before);
    if (o.error != Error::ok) {
      CHECK_FALSE(o.text.empty());
      if (!known) CHECK_FALSE(o.changed);
    }
    Writer w;
    encode(w, c);
    Reader r(w.view());
    Catalog back;
    REQUIRE(decode(r, &back));
    REQUIRE(r.done());
    CHECK(fingerprint(back) == fingerprint(c));
    CHECK(describe(back) == describe(c));
    c = std::move(back);
    return o;
  }
  Outcome ok(CommandBody body) {
    Outcome o = apply(std::move(body));
    INFO(o.text);
    CHECK(o.error == Error::ok);
    return o;
  }
  // Says the refusal's text.
  std::string refused(Error e, CommandBody body, Version expect = 0) {
    const Outcome o = apply(std::move(body), expect);
    INFO(o.text);
    CHECK(static_cast<int>(o.error) == static_cast<int>(e));
    CHECK(o.ids.empty());
    return o.text;
  }

  Outcome configure(const ConfigImage& image) { return ok(config_change(image)); }
  ChangeConfig config_change(const ConfigImage& image) const {
    ChangeConfig x;
    x.expect_generation = c.generation;
    x.cluster_id = 4711;
    x.generation.who = "op@host";
    x.generation.image = std::make_shared<const ConfigImage>(image);
    return x;
  }
  NodeJoins joins(NodeId id, std::uint8_t workers = 1) const {
    NodeJoins x;
    x.node = id;
    x.raft_id = 1000u + id;
    x.address = "127.0.0.1";
    x.port = static_cast<std::uint16_t>(2000 + id);
    x.workers = workers;
    x.generation = c.generation;
    x.initial = true;
    return x;
  }
  void join(const std::vector<NodeId>& nodes, std::uint8_t workers = 1) {
    for (const NodeId id : nodes) ok(joins(id, workers));
  }
  NodeInSync in_sync(NodeId id) const {
    const Node& n = c.nodes.at(id);
    return {id, n.incarnation, n.group == kNoGroup ? 0 : c.groups.at(n.group).content_view()};
  }
  void come_up(NodeId id) {
    ok(joins(id));
    ok(in_sync(id));
  }
  NodeDown down(NodeId id, bool forced = false) const { return {id, c.nodes.at(id).incarnation, "heartbeats", forced}; }
  CreateTable create(const std::string& name) const { return {table_named(name), false}; }
  StartReorg reorganise(const std::string& table, std::vector<GroupId> drain = {}, bool resume = false) const {
    StartReorg x;
    x.table = table;
    x.drain = std::move(drain);
    x.resume_on_failure = resume;
    return x;
  }
  void advance(std::uint64_t job, const std::vector<Phase>& phases) {
    for (const Phase p : phases) ok(AdvanceReorg{job, p, 0});
  }
  void finish(std::uint64_t job) {
    advance(job, {Phase::doubling, Phase::copying, Phase::deciding, Phase::switched, Phase::settling, Phase::cleaning,
                  Phase::none});
  }
  const Node& node(NodeId id) const { return c.nodes.at(id); }
};

// Two replicas, nodes 1 to n configured, 1 and 2 started as node group 0, the others up and
// outside.
inline Story small_cluster(NodeId nodes = 4) {
  Story s;
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= nodes; id++) ids.push_back(id);
  s.configure(image_of(2, ids));
  s.ok(LeaderStarts{1});
  s.join({1, 2});
  s.ok(StartCluster{{1, 2}});
  for (NodeId id = 3; id <= nodes; id++) s.come_up(id);
  return s;
}

}  // namespace ndb::meta::test
