#include "mgmt/report.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "mgmt/text_reply.h"
#include "mgmt/text_table.h"

namespace ndb::mgmt {

namespace {

std::string hex64(std::uint64_t v) {
  std::string s(16, '0');
  for (std::size_t i = 16; i-- > 0; v >>= 4) s[i] = "0123456789abcdef"[v & 15];
  return s;
}

const char* state_word(meta::NodeState s) {
  switch (s) {
    case meta::NodeState::down:
      return "down";
    case meta::NodeState::joining:
      return "joining";
    case meta::NodeState::in_sync:
      return "in_sync";
  }
  return "";
}
const char* type_word(meta::NodeType t) {
  switch (t) {
    case meta::NodeType::data:
      return "data";
    case meta::NodeType::api:
      return "api";
    case meta::NodeType::mgm:
      return "mgm";
  }
  return "";
}
const char* job_state_word(const meta::Job& j) {
  if (j.rolling_back()) return "rolling_back";
  switch (j.state) {
    case meta::JobState::running:
      return "running";
    case meta::JobState::done:
      return "done";
    case meta::JobState::rolled_back:
      return "rolled_back";
  }
  return "";
}

Json& group_member(Json& j, GroupId g) {
  j.name("group");
  return g == kNoGroup ? j.null() : j.value(g);
}

void write_heartbeat(Json& j, const wire::Heartbeat* h) {
  if (h == nullptr) {
    for (const char* n :
         {"version", "memory_used", "memory_total", "rows", "phase", "percent", "seconds_left", "doing"})
      j.name(n).null();
    return;
  }
  j.member("version", h->version).member("memory_used", h->memory_used).member("memory_total", h->memory_total);
  j.member("rows", h->rows).member("phase", h->phase).member("percent", h->percent);
  j.name("seconds_left");
  if (h->left_s != 0)
    j.value(h->left_s);
  else
    j.null();
  j.member("doing", h->doing);
}

void write_node(Json& j, const meta::Node& n, const Seen& seen) {
  const bool data = n.type == meta::NodeType::data;
  auto connected = seen.connected.find(n.id);
  auto address = seen.addresses.find(n.id);
  auto report = seen.reports.find(n.id);
  j.object().member("id", n.id).member("type", type_word(n.type)).member("host", n.host);
  j.member("state", data ? state_word(n.state) : "");
  j.member("connected", connected != seen.connected.end() && connected->second);
  j.member("stopping", seen.stopping.count(n.id) != 0).member("vote", seen.voters.count(n.id) != 0);
  group_member(j, n.group);
  j.member("disabled", n.disabled).member("no_group_wish", n.no_group_wish);
  j.member("address", address != seen.addresses.end() ? address->second : n.address).member("port", n.port);
  j.member("incarnation", n.incarnation).member("generation", n.generation).member("workers", n.workers);
  write_heartbeat(j, data && report != seen.reports.end() ? report->second : nullptr);
  j.end_object();
}

std::vector<GroupId> groups_of(const meta::Distribution& d) {
  std::set<GroupId> groups(d.groups.begin(), d.groups.end());
  groups.erase(kNoGroup);
  return {groups.begin(), groups.end()};
}

// Groups that own buckets in this map.
std::vector<GroupId> groups_of(const meta::Distribution& d, const std::vector<FragmentId>& map) {
  std::set<GroupId> groups;
  for (FragmentId f : map) groups.insert(d.groups[f]);
  groups.erase(kNoGroup);
  return {groups.begin(), groups.end()};
}

std::size_t fragments_in(const std::vector<FragmentId>& map) {
  return std::set<FragmentId>(map.begin(), map.end()).size();
}

template <class T>
void write_list(Json& j, const char* name, const std::vector<T>& values) {
  j.name(name).array();
  for (const T& v : values) j.value(v);
  j.end_array();
}

const Replica* find_replica(const Replicas& replicas, FragmentId f, NodeId node) {
  auto i = replicas.find({f, node});
  return i == replicas.end() ? nullptr : &i->second;
}
// The one that serves, whoever it is.
const Replica* find_primary(const Replicas& replicas, FragmentId f) {
  for (auto r = replicas.lower_bound({f, 0}); r != replicas.end() && r->first.first == f; ++r) {
    if (r->second.role == "primary") return &r->second;
  }
  return nullptr;
}

Json& number_or_null(Json& j, const char* name, bool known, std::uint64_t v) {
  j.name(name);
  return known ? j.value(v) : j.null();
}

void write_job(Json& j, const meta::Job& job, const Progress& progress) {
  const std::uint64_t moved = progress.known ? std::max(progress.rows_moved, job.rows_moved) : job.rows_moved;
  std::uint64_t percent = progress.percent;
  if (job.state != meta::JobState::running) percent = job.state == meta::JobState::done ? 100 : 0;
  j.object().member("format_version", 1).member("id", job.id).member("kind", "reorganise");
  j.member("state", job_state_word(job)).member("table", job.table_name).member("table_id", job.table);
  j.member("phase", meta::name_of(job.phase)).member("percent", percent);
  j.member("resume_on_failure", job.resume_on_failure)
      .member("started_s", job.started_s)
      .member("rows_to_move", job.rows_to_move);
  j.member("rows_moved", moved).member("error", static_cast<unsigned>(job.error)).member("detail", job.detail);
  j.end_object();
}

}  // namespace

std::string status_json(const meta::Catalog& c, const Seen& seen) {
  const meta::Job* job = c.running_job();
  Json j;
  j.object().member("format_version", 1).member("version", c.version).member("view", c.view);
  j.member("generation", c.generation).member("cluster", c.name).member("cluster_id", hex64(c.cluster_id));
  j.member("started", c.started)
      .member("replicas", c.replicas)
      .member("leader", seen.leader)
      .member("no_quorum", seen.no_quorum);
  j.member("node", seen.answering).member("single_user", c.single_user);
  j.member("job", job != nullptr ? job->id : std::uint64_t{0}).name("nodes").array();
  for (const auto& [id, node] : c.nodes) write_node(j, node, seen);
  j.end_array().name("groups").array();
  for (const auto& [id, group] : c.groups) {
    j.object().member("id", id);
    write_list(j, "members", group.members);
    j.end_object();
  }
  return j.end_array().end_object().text();
}

std::string tables_json(const meta::Catalog& c) {
  Json j;
  j.object().member("format_version", 1).member("version", c.version).name("tables").array();
  for (const auto& [id, t] : c.tables) {
    j.object().member("id", id).member("name", t->name).member("columns", t->columns.size());
    j.member("fragments", fragments_in(t->distribution.map));
    write_list(j, "groups", groups_of(t->distribution));
    j.member("phase", meta::name_of(t->distribution.phase));
    if (const meta::Table* of = c.table(t->index_of)) j.member("index_of", of->name);
    j.end_object();
  }
  return j.end_array().end_object().text();
}

std::string table_json(const meta::Catalog& c, const meta::Table& t, const Replicas& replicas) {
  const meta::Distribution& d = t.distribution;
  Json j;
  j.object().member("format_version", 1).member("version", c.version).member("view", c.view).member("id", t.id);
  j.member("name", t.name).member("created", t.created);
  if (const meta::Table* of = c.table(t.index_of)) j.member("index_of", of->name);
  write_definition(j, t);
  j.name("distribution").object().member("view", d.view).member("phase", meta::name_of(d.phase));
  j.member("buckets", d.map.size());
  write_list(j, "groups", groups_of(d));
  j.name("fragments").array();
  for (std::size_t i = 0; i < d.groups.size(); ++i) {
    const auto f = static_cast<FragmentId>(i);
    const GroupId g = d.groups[i];
    const NodeId primary = g == kNoGroup ? NodeId{0} : c.primary(g, f);
    const meta::Node* node = c.node(primary);
    const auto& next = d.next.empty() ? d.map : d.next;
    const Replica* at_primary = find_replica(replicas, f, primary);
    j.object().member("fragment", f);
    group_member(j, g).member("primary", primary);
    write_list(j, "backups", g == kNoGroup ? std::vector<NodeId>{} : c.backups(g, f));
    j.member("worker", node != nullptr ? c.worker(*node, f) : WorkerId{0});
    j.member("buckets", std::count(d.map.begin(), d.map.end(), f));
    j.member("next_buckets", std::count(next.begin(), next.end(), f));
    const bool known = at_primary != nullptr;
    number_or_null(j, "rows", known, known ? at_primary->rows : 0);
    number_or_null(j, "bytes", known, known ? at_primary->bytes : 0).name("replicas").array();
    for (auto r = replicas.lower_bound({f, 0}); r != replicas.end() && r->first.first == f; ++r) {
      j.object().member("node", r->first.second).member("role", r->second.role).member("rows", r->second.rows);
      j.member("bytes", r->second.bytes).member("checksum", hex64(r->second.checksum)).end_object();
    }
    j.end_array().end_object();
  }
  return j.end_array().end_object().end_object().text();
}

std::string history_json(const meta::Catalog& c, std::size_t limit) {
  Json j;
  j.object().member("format_version", 1).member("generation", c.generation).name("generations").array();
  std::size_t shown = 0;
  for (auto i = c.generations.rbegin(); i != c.generations.rend() && (limit == 0 || shown < limit); ++i, ++shown) {
    const meta::Generation& g = i->second;
    j.object().member("generation", g.number).member("when_s", g.when_s).member("who", g.who);
    j.member("source", g.source).member("message", g.message).member("nodes", g.image ? g.image->nodes.size() : 0);
    j.end_object();
  }
  return j.end_array().end_object().text();
}

std::string jobs_json(const meta::Catalog& c) {
  Json j;
  j.object().member("format_version", 1).name("jobs").array();
  for (auto i = c.jobs.rbegin(); i != c.jobs.rend(); ++i) write_job(j, i->second, {});
  return j.end_array().end_object().text();
}

std::string job_json(const meta::Job& job, const Progress& progress) {
  Json j;
  write_job(j, job, progress);
  return j.text();
}

void read_replicas(std::string_view text, TableId table, NodeId node, Replicas* replicas) {
  const std::string prefix = "fragment." + std::to_string(table) + ".";
  for (std::string_view line : split_words(text, "\n")) {
    const std::size_t equal = line.find('=');
    std::int64_t fragment = 0;
    if (!line.starts_with(prefix) || equal == std::string_view::npos) continue;
    if (!parse_number(line.substr(prefix.size(), equal - prefix.size()), &fragment)) continue;
    if (fragment < 0 || fragment > UINT16_MAX) continue;
    Replica& r = (*replicas)[{static_cast<FragmentId>(fragment), node}];
    const std::vector<std::string_view> words = split_words(line.substr(equal + 1), " ");
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i == 0) r.role = words[i];
      for (auto [name, number] : {std::pair<std::string_view, std::uint64_t*>{"rows=", &r.rows},
                                  {"bytes=", &r.bytes},
                                  {"checksum=", &r.checksum}}) {
        if (!words[i].starts_with(name)) continue;
        const std::string_view digits = words[i].substr(name.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), *number);
      }
    }
  }
}

Plan plan_of(const meta::Table& before, const meta::Table& after, const Replicas& replicas) {
  const meta::Distribution& d = after.distribution;
  const std::vector<FragmentId>& old = before.distribution.map;
  const std::vector<FragmentId>& next = d.next.empty() ? d.map : d.next;
  Plan plan;
  std::map<FragmentId, std::uint32_t> owned;
  std::map<std::pair<FragmentId, FragmentId>, std::uint32_t> moves;
  for (std::size_t b = 0; b < old.size(); ++b) {
    ++owned[old[b]];
    if (next[b] != old[b]) ++moves[{old[b], next[b]}];
  }
  for (const auto& [f, buckets] : owned) {
    const Replica* primary = find_primary(replicas, f);
    plan.known &= primary != nullptr;
    if (primary != nullptr) plan.rows += primary->rows;
  }
  for (const auto& [way, buckets] : moves) {
    Plan::Move m{way.first, way.second, before.distribution.groups[way.first], d.groups[way.second], buckets};
    if (const Replica* primary = find_primary(replicas, way.first)) {
      m.rows = primary->rows * buckets / owned[way.first];
      m.bytes = primary->bytes * buckets / owned[way.first];
    }
    plan.rows_moved += m.rows;
    plan.bytes_moved += m.bytes;
    plan.buckets_moved += buckets;
    plan.moves.push_back(m);
  }
  return plan;
}

Failure check_memory(const Plan& plan, const meta::Catalog& catalog,
                     const std::map<NodeId, const wire::Heartbeat*>& reports) {
  std::map<GroupId, std::uint64_t> needed;
  for (const Plan::Move& m : plan.moves) {
    if (m.from_group != m.to_group) needed[m.to_group] += m.bytes;
  }
  auto kib = [](std::uint64_t bytes) { return std::to_string((bytes + 1023) / 1024) + " KiB"; };
  for (const auto& [group, bytes] : needed) {
    const meta::Group* g = catalog.group(group);
    if (g == nullptr) continue;
    for (const NodeId id : g->members) {
      auto i = reports.find(id);
      if (i == reports.end() || catalog.node(id)->state == meta::NodeState::down) continue;
      const std::uint64_t total = i->second->memory_total, used = std::min(i->second->memory_used, total);
      if (total == 0 || bytes <= total - used) continue;
      return {Error::not_enough_memory, "the rows to move need " + kib(bytes) + " at node " + std::to_string(id) +
                                            ", which has " + kib(total - used) + " of its " + kib(total) +
                                            " DataMemory free; raise DataMemory there"};
    }
  }
  return {};
}

std::string plan_json(const meta::Table& before, const meta::Table& after, const Plan& plan, bool changed) {
  const meta::Distribution& d = after.distribution;
  const std::vector<FragmentId>& next = d.next.empty() ? d.map : d.next;
  Json j;
  j.object().member("format_version", 1).member("changed", changed).member("table", before.name);
  write_list(j, "groups_before", groups_of(before.distribution, before.distribution.map));
  write_list(j, "groups_after", groups_of(d, next));
  j.member("fragments_before", fragments_in(before.distribution.map)).member("fragments_after", fragments_in(next));
  j.member("buckets", next.size()).member("buckets_moved", plan.buckets_moved);
  number_or_null(j, "rows", plan.known, plan.rows);
  number_or_null(j, "rows_moved", plan.known, plan.rows_moved);
  number_or_null(j, "bytes_moved", plan.known, plan.bytes_moved).name("moves").array();
  for (const Plan::Move& m : plan.moves) {
    j.object().member("from", m.from).member("to", m.to).member("from_group", m.from_group);
    j.member("to_group", m.to_group).member("buckets", m.buckets);
    number_or_null(j, "rows", plan.known, m.rows);
    number_or_null(j, "bytes", plan.known, m.bytes).end_object();
  }
  return j.end_array().end_object().text();
}

std::string effective_text(const Config& config, const std::string& name) {
  Config full;
  // All that somebody wrote, so that the text changes nothing, and of the rest what somebody obeys.
  auto writable = [&](Kind kind, Values values, const Values& written) {
    const auto defaults = config.defaults.find(kind);
    std::erase_if(values, [&](const auto& v) {
      const Parameter* p = find_parameter(kind, v.first);
      if (v.first == "NodeId" || p == nullptr || p->internal()) return true;
      if (written.count(v.first) || (defaults != config.defaults.end() && defaults->second.count(v.first)))
        return false;
      if (v.second.empty() || p->deprecated()) return true;
      std::string why;
      if (v.second == p->default_value && !p->used()) return true;  // obeyed by nobody
      return !parse_value(*p, v.second, &why);                      // some defaults mean "unset" and cannot be written
    });
    return values;
  };
  full.system = writable(Kind::system, effective_system(config), config.system);
  if (!name.empty()) full.system["Name"] = name;
  for (const Node& n : config.nodes) {
    Node& out = full.nodes.emplace_back(n);
    out.written = writable(n.kind, effective_values(config, n), n.written);
  }
  for (Kind kind : {Kind::tcp, Kind::shm}) {
    if (const auto i = config.defaults.find(kind); i != config.defaults.end()) full.defaults.insert(*i);
  }
  full.links = config.links;
  return print_ini(full);
}

}  // namespace ndb::mgmt
