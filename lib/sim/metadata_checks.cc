#include "sim/metadata_checks.h"

#include <algorithm>

namespace ndb::sim {
namespace {

std::string str(std::uint64_t n) { return std::to_string(n); }

std::string broken_nodes(const meta::Catalog& c) {
  for (const auto& [id, g] : c.groups) {
    if (g.id != id) return "group " + str(id) + " is called " + str(g.id);
    if (g.members.size() != c.replicas) return "group " + str(id) + " has " + str(g.members.size()) + " members";
    if (!std::is_sorted(g.members.begin(), g.members.end())) return "members of group " + str(id) + " are not sorted";
    for (NodeId n : g.members) {
      const meta::Node* node = c.node(n);
      if (!node) return "member " + str(n) + " of group " + str(id) + " does not exist";
      if (node->group != id) return "node " + str(n) + " does not know that it is in group " + str(id);
    }
  }
  for (const auto& [id, n] : c.nodes) {
    if (n.id != id) return "node " + str(id) + " is called " + str(n.id);
    if (n.group == kNoGroup) continue;
    const meta::Group* g = c.group(n.group);
    if (!g) return "node " + str(id) + " is in group " + str(n.group) + ", which does not exist";
    if (std::find(g->members.begin(), g->members.end(), id) == g->members.end()) {
      return "node " + str(id) + " is no member of its group";
    }
    if (n.type != meta::NodeType::data) return "node " + str(id) + " is in a group but is no data node";
  }
  return {};
}

std::string broken_map(const meta::Catalog& c, const meta::Distribution& d, const std::vector<FragmentId>& map) {
  if (map.size() != limits::kBuckets) return str(map.size()) + " buckets";
  for (FragmentId f : map) {
    if (f >= d.groups.size()) return "a bucket on fragment " + str(f) + ", which does not exist";
    if (d.groups[f] == kNoGroup) return "a bucket on fragment " + str(f) + ", which is gone";
    if (!c.group(d.groups[f])) return "fragment " + str(f) + " on group " + str(d.groups[f]) + ", which does not exist";
  }
  return {};
}

std::string broken_table(const meta::Catalog& c, const meta::Table& t) {
  const meta::Distribution& d = t.distribution;
  if (d.view > c.version) return "a view of the future";
  if (std::string s = broken_map(c, d, d.map); !s.empty()) return s;
  if (d.phase == meta::Phase::none) return d.next.empty() && d.steps.empty() ? "" : "left-overs of a reorganisation";
  if (std::string s = broken_map(c, d, d.next); !s.empty()) return s + " (next)";
  if (d.steps.empty() || d.steps.back().phase != d.phase) return "steps that do not end with the phase";
  for (std::size_t i = 1; i < d.steps.size(); i++) {
    if (d.steps[i].view <= d.steps[i - 1].view) return "steps that do not ascend";
  }
  const meta::Job* j = c.running_job();
  if (!j || j->table != t.id || j->phase != d.phase) return "a reorganisation without its job";
  return {};
}

}  // namespace

std::string broken_rule(const meta::Catalog& c) {
  if (c.view > c.version) return "the view is ahead of the version";
  if (std::string s = broken_nodes(c); !s.empty()) return s;
  std::size_t running = 0;
  for (const auto& [id, j] : c.jobs) running += j.state == meta::JobState::running;
  if (running > 1) return "two jobs run at once";
  if (running == 1 && !c.table(c.running_job()->table)) return "a job runs for a table that does not exist";
  for (const auto& [id, t] : c.tables) {
    if (t->id != id) return "table " + str(id) + " is called " + str(t->id);
    if (std::string s = broken_table(c, *t); !s.empty()) return "table " + t->name + ": " + s;
  }
  return {};
}

std::uint64_t MetadataChecks::check_fingerprint(ProcessId p, const meta::Catalog& c) {
  std::uint64_t print = meta::fingerprint(c);
  auto [i, fresh] = entries_.try_emplace(c.version);
  if (i->second.fingerprint == 0) {
    i->second.fingerprint = print;
    if (std::string s = broken_rule(c); !s.empty()) {
      world_.fail("the catalog at version " + str(c.version) + " breaks a rule: " + s);
    }
  } else if (i->second.fingerprint != print) {
    world_.fail("I2: " + world_.name(p) + " has another catalog at version " + str(c.version));
  }
  return print;
}

void MetadataChecks::applied(ProcessId p, const meta::Member::Applied& a) {
  if (a.catalog->version != a.index) return world_.fail("an entry does not give the catalog its index");
  check_fingerprint(p, *a.catalog);
  Writer w;
  meta::encode(w, a.command);
  std::uint64_t command = block_hash(w.view());
  Entry& e = entries_[a.index];
  if (e.command == 0) {
    e.command = command;
    first_seen(a);
  } else if (e.command != command) {
    world_.fail("I2: " + world_.name(p) + " applied another command at index " + str(a.index));
  }
}

void MetadataChecks::first_seen(const meta::Member::Applied& a) {
  if (a.outcome.changed) changes_++;
  Request& r = requests_[a.command.request];
  if (r.index != 0 && r.index < a.index) {
    if (!(r.outcome == a.outcome)) world_.fail("I4: a repeated request got another outcome, index " + str(a.index));
    bool changed = a.catalog->view == a.index || a.catalog->changed_version == a.index;
    if (changed) world_.fail("I4: a repeated request changed the catalog again, index " + str(a.index));
    return;
  }
  r.index = a.index;
  r.outcome = a.outcome;
  if (r.floor >= a.index) {
    world_.fail("a request came into the log at " + str(a.index) + " though " + str(r.floor) +
                " was answered before it was made");
  }
}

void MetadataChecks::replaced(ProcessId p, const meta::Catalog& c) { check_fingerprint(p, c); }

void MetadataChecks::proposed(const meta::RequestId& id) {
  Request& r = requests_[id];
  if (r.floor == 0 && r.index == 0) r.floor = answered_up_to_;
}

void MetadataChecks::finished(ProcessId p, const meta::Member::Finished& f) {
  if (f.outcome.error == Error::timed_out || f.outcome.error == Error::too_many_open) return;
  auto i = requests_.find(f.request);
  if (i == requests_.end() || i->second.index == 0) {
    return world_.fail(world_.name(p) + " answered a request that no member has in its log");
  }
  if (!(i->second.outcome == f.outcome)) {
    return world_.fail(world_.name(p) + " answered with another outcome than the log's, index " + str(i->second.index));
  }
  answered_++;
  answered_up_to_ = std::max(answered_up_to_, i->second.index);
}

}  // namespace ndb::sim
