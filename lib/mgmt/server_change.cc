// Requests that change tables, node groups, jobs and nodes: words into a command of the metadata log.
#include <algorithm>

#include "mgmt/server_waiting.h"
#include "mgmt/text_table.h"

namespace ndb::mgmt {

namespace {

NodeId as_node(std::int64_t n) {
  return n < 0 || n > UINT16_MAX ? NodeId{UINT16_MAX}
                                 : static_cast<NodeId>(n);  // what no node has is refused by the rules
}

// "3 4, 5 6" -> two groups. A word that is no number empties its list, as NDB does: refused as a wrong number of nodes.
std::vector<std::vector<NodeId>> parse_groups(std::string_view text, std::string_view separator) {
  std::vector<std::vector<NodeId>> groups;
  for (std::string_view part : split_words(text, separator)) {
    std::vector<NodeId>& nodes = groups.emplace_back();
    for (std::string_view word : split_words(part)) {
      std::int64_t id = 0;
      if (!parse_number(word, &id)) {
        nodes.clear();
        break;
      }
      nodes.push_back(as_node(id));
    }
  }
  if (groups.empty()) groups.emplace_back();
  return groups;
}

}  // namespace

void Server::create_nodegroup(Session& s, const Request& r) {
  change(s, r, meta::CreateGroups{parse_groups(r.text("nodes"), "\n")});
}
void Server::ndb_create_nodegroup(Session& s, const Request& r) {
  change(s, r, meta::CreateGroups{parse_groups(r.text("nodes"), ",")});
}

void Server::drop_nodegroup(Session& s, const Request& r) {
  const std::int64_t group = r.number(r.has("ng") ? "ng" : "group");
  if (group < 0 || group >= kNoGroup) {
    complain(s, r, {Error::no_such_group, "no node group " + std::to_string(group)});
    return;
  }
  change(s, r, meta::DropGroup{static_cast<GroupId>(group)});
}
void Server::ndb_drop_nodegroup(Session& s, const Request& r) { drop_nodegroup(s, r); }

void Server::enter_single_user(Session& s, const Request& r) {
  const std::int64_t id = r.number("nodeId");
  const meta::Node* n = seen_->node(as_node(id));
  if (n == nullptr || n->type != meta::NodeType::api) {
    complain(s, r, {static_cast<Error>(5062), "node " + std::to_string(id) + " is no API node"});
    return;
  }
  for (const auto& [other, node] : seen_->nodes) {
    if (node.type == meta::NodeType::data && node.state == meta::NodeState::joining) {
      complain(s, r, {Error::bad_node_state, "node " + std::to_string(other) + " is starting"});
      return;
    }
  }
  change(s, r, meta::SetSingleUser{as_node(id)});
}
void Server::exit_single_user(Session& s, const Request& r) { change(s, r, meta::SetSingleUser{0}); }

void Server::ndb_create_table(Session& s, const Request& r) {
  if (r.bad_bulk) {
    complain(s, r, {Error::bad_definition, "the definition is empty or too long"});
    return;
  }
  Result<meta::CreateTable> table = parse_table(r.bulk);
  if (!table) {
    complain(s, r, table.failure());
    return;
  }
  change(s, r, std::move(*table));
}
void Server::ndb_drop_table(Session& s, const Request& r) {
  change(s, r, meta::DropTable{std::string(r.text("name")), r.number("if_exists") != 0});
}

Failure Server::parse_group_ids(std::string_view words, std::vector<GroupId>* groups) {
  for (std::string_view word : split_words(words)) {
    std::int64_t group = 0;
    if (!parse_number(word, &group) || group < 0 || group >= limits::kGroupsMax) {
      return {Error::bad_group_id, "'" + std::string(word) + "' is no node group"};
    }
    groups->push_back(static_cast<GroupId>(group));
  }
  return {};
}

// A table takes its unique indexes along: of it and the hidden tables that hold them, those that do not lie as asked.
// What is asked for in vain is among them, for the log to refuse.
std::vector<const meta::Table*> Server::tables_to_move(const meta::Table& t, const std::vector<GroupId>& drain) const {
  std::vector<const meta::Table*> all{&t};
  for (const meta::UniqueIndex& i : t.unique) all.push_back(seen_->table(i.table));
  std::erase_if(all, [&](const meta::Table* each) {
    if (each->distribution.phase != meta::Phase::none) return true;  // it is being moved, and cannot be planned
    const auto planned = meta::planned_distribution(*seen_, *each, drain);
    return planned && planned->next.empty();
  });
  return all;
}

void Server::ndb_start_reorg(Session& s, const Request& r) {
  const meta::Table* t = seen_->table(r.text("table"));
  if (t == nullptr) {
    complain(s, r, {Error::no_such_table, "no table '" + std::string(r.text("table")) + "'"});
    return;
  }
  std::vector<GroupId> drain;
  if (Failure f = parse_group_ids(r.text("drain"), &drain)) {
    complain(s, r, f);
    return;
  }
  const auto left = tables_to_move(*t, drain);
  const bool plan = r.number("dry_run") != 0;          // of this very table
  gather(s, r, plan || left.empty() ? *t : *left[0]);  // goes on in finish_gather()
}

void Server::ndb_cancel_reorg(Session& s, const Request& r) {
  auto job = static_cast<std::uint64_t>(r.number("job"));
  if (job == 0) {
    const meta::Job* running = seen_->running_job();
    if (running == nullptr) {
      complain(s, r, {Error::no_such_job, "no job is running"});
      return;
    }
    job = running->id;
  }
  change(s, r, meta::AbortReorg{job, Error::cancelled, "cancelled by the operator"});
}

void Server::set_enabled(Session& s, const Request& r, bool enabled) {
  change(s, r, meta::SetNodeEnabled{as_node(r.number("node")), enabled});
}
void Server::ndb_enable_node(Session& s, const Request& r) { set_enabled(s, r, true); }
void Server::ndb_disable_node(Session& s, const Request& r) { set_enabled(s, r, false); }

}  // namespace ndb::mgmt
