// What the nodes hold of a table's fragments: asked of all members of its groups for `ndb describe table`, and of all
// groups' for a reorganisation, which begins only when some member of each group that is to hold fragments has
// answered. A node that does not answer in time leaves its fragments unknown.
#include <algorithm>

#include "mgmt/report.h"
#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr Time kGatherTime = 2 * kSecond;

// A node that serves in the catalog may be dead and not missed yet. Fragments that nobody takes would be lost at once,
// and all nodes would have to come back from their disks.
Failure check_taken(const meta::Catalog& c, const meta::Table& after, const std::set<NodeId>& heard) {
  for (GroupId id : after.distribution.groups) {
    const meta::Group* g = c.group(id);
    if (g == nullptr) continue;
    const bool taken = std::any_of(g->members.begin(), g->members.end(), [&](NodeId n) {
      return heard.count(n) != 0 && c.node(n)->state == meta::NodeState::in_sync;
    });
    if (taken) continue;
    std::string nodes;
    for (NodeId n : g->members) nodes += (nodes.empty() ? "" : ", ") + std::to_string(n);
    return {Error::all_nodes_dead, "none of the nodes " + nodes + " of node group " + std::to_string(id) +
                                       " serves and answers; wait until one does ('ndb-mgm wait')"};
  }
  return {};
}

}  // namespace

void Server::gather(Session& s, const Request& r, const meta::Table& t) {
  Waiting& w = wait(s, r, now_ + kGatherTime);
  w.kind = Waiting::Kind::gather;
  w.gather = std::make_unique<Gather>();
  w.gather->request = next_report_++;
  w.gather->table = t.id;
  const bool all = r.command->name != "ndb describe table";
  for (const auto& [group, members] : seen_->groups) {
    const auto& groups = t.distribution.groups;
    if (!all && std::find(groups.begin(), groups.end(), group) == groups.end()) continue;
    for (NodeId node : members.members) {
      const env::LinkId link = peers_.link_of(node);
      if (link == 0 || !w.gather->missing.insert(node).second) continue;
      Writer body;
      wire::encode(body, wire::NodeOrder{wire::OrderKind::report, w.gather->request, "tables"});
      send(link, wire::Type::node_order, body.view());
    }
  }
}

void Server::on_node_report(env::LinkId link, Bytes body) {
  Reader r(body);
  const std::uint32_t request = r.u32();
  const std::string text = r.text();
  if (!r.done()) return;
  for (auto& w : waiting_) {
    if (w->done || !w->gather || w->gather->request != request) continue;
    const NodeId node = peers_.node_of(link);
    if (w->gather->missing.erase(node) == 0) continue;
    w->gather->heard.insert(node);
    read_replicas(text, w->gather->table, node, &w->gather->replicas);
  }
}

void Server::finish_gather(Waiting& w) {
  w.done = true;
  Session* s = session(w.link, w.session);
  if (s == nullptr) return;
  const Request r = w.request;
  const meta::Table* before = seen_->table(w.gather->table);
  if (before == nullptr) {
    complain(*s, r, {Error::no_such_table, "the table has just been dropped"});
    return;
  }
  if (r.command->name == "ndb describe table") {
    Reply reply(reply_header(r));
    answer(*s, reply.ok().key("version", seen_->version).done_json(table_json(*seen_, *before, w.gather->replicas)));
    return;
  }
  meta::StartReorg reorg;
  reorg.table = before->name;
  reorg.resume_on_failure = r.number("resume_on_failure") != 0;
  reorg.now_s = now_s();
  if (Failure f = parse_group_ids(r.text("drain"), &reorg.drain)) {
    complain(*s, r, f);
    return;
  }
  // The catalog's own rules make the plan: on a copy.
  meta::Catalog copy = *seen_;
  const meta::Outcome outcome = meta::apply(&copy, copy.version + 1, meta::Command{{}, 0, reorg});
  const meta::Table* after = copy.table(before->id);
  if (outcome.error != Error::ok || after == nullptr) {
    change(*s, r, std::move(reorg));  // refused by the log's order, in the usual words
    return;
  }
  if (Failure dead = outcome.changed ? check_taken(*seen_, *after, w.gather->heard) : Failure{}) {
    complain(*s, r, dead);
    return;
  }
  const Plan plan = plan_of(*before, *after, w.gather->replicas);
  std::map<NodeId, const wire::Heartbeat*> reports;
  for (const auto& [id, node] : seen_->nodes) {
    if (const meta::Leader::Report* report = leader_.report(id)) reports[id] = &report->last;
  }
  if (Failure full = check_memory(plan, *seen_, reports)) {
    complain(*s, r, full);
    return;
  }
  reorg.rows_to_move = plan.rows_moved;
  const bool dry = r.number("dry_run") != 0;
  s->busy = false;
  change(*s, r, std::move(reorg), dry ? plan_json(*before, *after, plan, outcome.changed) : std::string{});
}

}  // namespace ndb::mgmt
