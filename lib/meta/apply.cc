#include "meta/apply_rules.h"

namespace ndb::meta {
namespace {

// Empty = the version that the command was computed against is still good (I3).
std::string stale(const Catalog& c, Version expected) {
  if (expected == 0) return {};
  if (expected > c.version) {
    return words("version ", expected, " was expected, but the cluster is only at ", c.version,
                 "; is this the right cluster?");
  }
  if (expected < c.changed_version) {
    return words("version ", expected,
                 " was expected, but tables, node groups, jobs or the configuration changed at "
                 "version ",
                 c.changed_version, "; look again and repeat");
  }
  return {};
}

void remember(Catalog* c, const RequestId& id, const Outcome& outcome) {
  if (id.none()) return;
  c->requests.push(id, outcome);
  while (c->requests.size() > limits::kRequestIdsKept) c->requests.pop_front();
}

}  // namespace

Outcome apply(Catalog* c, Version index, const Command& command) {
  NDB_CHECK(index > c->version);
  if (const Outcome* before = c->outcome_of(command.request)) {
    c->version = index;
    return *before;
  }
  rules::Change change{*c, index};
  Outcome outcome;
  if (auto text = stale(*c, command.expect_version); !text.empty()) {
    outcome = rules::refuse(Error::version_moved, std::move(text));
  } else {
    outcome = std::visit([&](const auto& x) { return rules::run(change, x); }, command.body);
  }
  if (outcome.text.size() > limits::kOutcomeTextBytesMax) outcome.text.resize(limits::kOutcomeTextBytesMax);
  c->version = index;
  remember(c, command.request, outcome);
  return outcome;
}

Outcome dry_run(const Catalog& c, const Command& command) {
  Catalog copy = c;
  Command once = command;
  once.request = {};
  return apply(&copy, copy.version + 1, once);
}

namespace rules {

Outcome run(Change& change, const LeaderStarts& x) {
  Catalog& c = change.c;
  c.leader_epoch++;
  c.leader_raft_id = x.raft_id;
  std::vector<std::uint64_t> rolled_back;
  for (auto& [id, j] : c.jobs) {
    if (j.state != JobState::running) continue;
    j.leader_epoch = c.leader_epoch;
    if (!past_commit_point(j.phase) && !j.resume_on_failure) rolled_back.push_back(id);
  }
  for (const std::uint64_t id : rolled_back) {
    roll_back(change, id, Error::node_failure, "the leader of the metadata log changed");
  }
  Outcome o = done({c.leader_epoch});
  if (!rolled_back.empty()) o.text = words("rolled back job ", listed(rolled_back));
  return o;
}

Outcome run(Change& change, const AllowLease& x) {
  Catalog& c = change.c;
  if (x.leader_epoch != c.leader_epoch) return refuse(Error::version_moved, "another leader leads by now");
  if (x.ms > kLeaseMax / kMillisecond) return refuse(Error::illegal_change, words("no lease lasts ", x.ms, " ms"));
  const std::uint32_t ms = x.ms * kMillisecond <= limits::kLease ? 0 : x.ms;
  if (ms == c.lease_ms) return nothing_to_do("nothing to do");
  c.lease_ms = ms;
  return done();
}

Outcome run(Change& change, const SetSingleUser& x) {
  Catalog& c = change.c;
  if (x.api_node == c.single_user) return nothing_to_do("nothing to do");
  if (x.api_node != 0) {
    const Node* n = c.node(x.api_node);
    if (n == nullptr) return refuse(Error::no_such_node, words("no node ", x.api_node, " in the configuration"));
    if (n->type != NodeType::api || n->disabled) {
      return refuse(Error::wrong_node_id, words("node ", x.api_node, n->disabled ? " is disabled" : " is no API node",
                                                "; single user mode takes an API node that can connect"));
    }
    if (c.single_user != 0) {
      return refuse(Error::bad_node_state, words("node ", c.single_user,
                                                 " is the single user already; leave single "
                                                 "user mode first"));
    }
  }
  c.single_user = x.api_node;
  return done();
}

Outcome run(Change& change, const SetNodeEnabled& x) {
  Catalog& c = change.c;
  auto i = c.nodes.find(x.node);
  if (i == c.nodes.end()) return refuse(Error::no_such_node, words("no node ", x.node, " in the configuration"));
  Node& n = i->second;
  if (n.type == NodeType::mgm) {
    return refuse(Error::wrong_node_id, words("node ", x.node, " is a management node; it cannot be disabled"));
  }
  if (n.disabled == !x.enabled) {
    return nothing_to_do(words("node ", x.node, x.enabled ? " is enabled already" : " is disabled already"));
  }
  if (!x.enabled && n.state != NodeState::down) {
    return refuse(Error::bad_node_state, words("node ", x.node, " is ", name_of(n.state), "; stop it first"));
  }
  if (!x.enabled && c.single_user == x.node) {
    return refuse(Error::bad_node_state, words("node ", x.node, " is the single user; leave single user mode first"));
  }
  n.disabled = !x.enabled;
  return done();
}

}  // namespace rules
}  // namespace ndb::meta
