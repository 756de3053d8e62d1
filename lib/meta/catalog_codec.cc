#include "meta/catalog_codec.h"

#include <algorithm>

#include "base/hash.h"
#include "meta/codec.h"

namespace ndb::meta {
namespace {

using codec::count;
using codec::flag;
using codec::number;
using codec::text;

constexpr std::uint8_t kFormatWithLease = 2;  // else leases are of the usual length

constexpr std::size_t kText = limits::kMetaTextBytesMax;

void encode_values(Writer& w, const std::map<std::string, std::string>& values) {
  count(w, values.size());
  for (const auto& [name, value] : values) {
    w.bytes32(name);
    w.bytes32(value);
  }
}

std::map<std::string, std::string> decode_values(Reader& r) {
  std::map<std::string, std::string> values;
  for (std::uint32_t n = count(r, limits::kParametersMax, 8); n > 0 && !r.bad(); n--) {
    std::string name = text(r, kText);
    std::string value = text(r, kText);
    if (!values.empty() && name <= values.rbegin()->first) r.fail();
    values.emplace_hint(values.end(), std::move(name), std::move(value));
  }
  return values;
}

GroupId decode_group_id(Reader& r) {
  const GroupId g = r.u32();
  if (g >= limits::kGroupsMax && g != kNoGroup) r.fail();
  return g;
}

void encode(Writer& w, const Node& n) {
  w.u16(n.id);
  w.u8(static_cast<std::uint8_t>(n.type));
  w.bytes32(n.host);
  flag(w, n.disabled);
  flag(w, n.no_group_wish);
  w.u32(n.wished_group);
  w.u32(n.group);
  w.u8(static_cast<std::uint8_t>(n.state));
  w.u32(n.incarnation);
  w.u64(n.raft_id);
  w.bytes32(n.address);
  w.u16(n.port);
  w.u8(n.workers);
  w.u64(n.generation);
}

void decode(Reader& r, Node* n) {
  n->id = r.u16();
  n->type = number(r, NodeType::mgm);
  n->host = text(r, kText);
  n->disabled = flag(r);
  n->no_group_wish = flag(r);
  n->wished_group = decode_group_id(r);
  n->group = decode_group_id(r);
  n->state = number(r, NodeState::in_sync);
  n->incarnation = r.u32();
  n->raft_id = r.u64();
  n->address = text(r, kText);
  n->port = r.u16();
  n->workers = r.u8();
  n->generation = r.u64();
}

void encode(Writer& w, const Group& g) {
  w.u32(g.id);
  count(w, g.members.size());
  for (const NodeId id : g.members) w.u16(id);
  w.u64(g.view);
  w.u64(g.restarted);
  w.u64(g.grown);
  w.u64(g.since);
}

void decode(Reader& r, Group* g) {
  g->id = r.u32();
  g->members.resize(count(r, limits::kReplicasMax, sizeof(NodeId)));
  for (NodeId& id : g->members) id = r.u16();
  g->view = r.u64();
  g->restarted = r.u64();
  g->grown = r.u64();
  g->since = r.u64();
}

void encode(Writer& w, const Job& j) {
  w.u64(j.id);
  w.u8(static_cast<std::uint8_t>(j.kind));
  w.u8(static_cast<std::uint8_t>(j.state));
  w.u32(j.table);
  w.bytes32(j.table_name);
  w.u8(static_cast<std::uint8_t>(j.phase));
  flag(w, j.resume_on_failure);
  w.u64(j.leader_epoch);
  w.u16(static_cast<std::uint16_t>(j.error));
  w.bytes32(j.detail);
  w.u64(static_cast<std::uint64_t>(j.started_s));
  w.u64(j.rows_to_move);
  w.u64(j.rows_moved);
}

void decode(Reader& r, Job* j) {
  j->id = r.u64();
  j->kind = number(r, JobKind::reorganise, JobKind::reorganise);
  j->state = number(r, JobState::rolled_back);
  j->table = r.u32();
  j->table_name = text(r, kText);
  j->phase = number(r, Phase::cleaning);
  j->resume_on_failure = flag(r);
  j->leader_epoch = r.u64();
  j->error = static_cast<Error>(r.u16());
  j->detail = text(r, kText);
  j->started_s = static_cast<std::int64_t>(r.u64());
  j->rows_to_move = r.u64();
  j->rows_moved = r.u64();
}

void encode(Writer& w, const RequestId& id) {
  w.u64(id.high);
  w.u64(id.low);
}

void encode(Writer& w, const Outcome& o) {
  w.u16(static_cast<std::uint16_t>(o.error));
  w.bytes32(o.text);
  count(w, o.ids.size());
  for (const std::uint64_t id : o.ids) w.u64(id);
  flag(w, o.changed);
}

void decode(Reader& r, Outcome* o) {
  o->error = static_cast<Error>(r.u16());
  o->text = text(r, kText);
  o->ids.resize(count(r, limits::kFragmentsMax, sizeof(std::uint64_t)));
  for (std::uint64_t& id : o->ids) id = r.u64();
  o->changed = flag(r);
}

// Reads `max` things at most into a map from their ids, which must ascend.
template <class Key, class Value, class Read>
void decode_map(Reader& r, std::size_t max, std::size_t bytes_each, std::map<Key, Value>* map, Read read) {
  for (std::uint32_t n = count(r, max, bytes_each); n > 0 && !r.bad(); n--) {
    Value v{};
    const Key key = read(r, &v);
    if (!map->empty() && key <= map->rbegin()->first) r.fail();
    if (!r.bad()) map->emplace_hint(map->end(), key, std::move(v));
  }
}

void encode_header(Writer& w, const Catalog& c) {
  w.u8(c.lease_ms != 0 ? kFormatWithLease : codec::kFormat);
  w.u64(c.version);
  w.u64(c.view);
  w.u64(c.cluster_id);
  w.bytes32(c.name);
  flag(w, c.started);
  w.u32(c.replicas);
  w.u64(c.durable_epoch);
  w.u64(c.generation);
  w.u64(c.changed_version);
  w.u64(c.leader_epoch);
  w.u64(c.leader_raft_id);
  w.u16(c.single_user);
  w.u32(c.next_table);
  w.u64(c.next_job);
  if (c.lease_ms != 0) w.u32(c.lease_ms);
}

void decode_header(Reader& r, Catalog* c) {
  const std::uint8_t format = r.u8();
  if (format != codec::kFormat && format != kFormatWithLease) r.fail();
  c->version = r.u64();
  c->view = r.u64();
  c->cluster_id = r.u64();
  c->name = text(r, kText);
  c->started = flag(r);
  c->replicas = r.u32();
  c->durable_epoch = r.u64();
  c->generation = r.u64();
  c->changed_version = r.u64();
  c->leader_epoch = r.u64();
  c->leader_raft_id = r.u64();
  c->single_user = r.u16();
  c->next_table = r.u32();
  c->next_job = r.u64();
  if (format != kFormatWithLease) return;
  c->lease_ms = r.u32();
  if (c->lease_ms == 0 || c->lease_ms > kLeaseMax / kMillisecond) r.fail();
}

void decode_body(Reader& r, Catalog* c) {
  decode_map(r, limits::kNodeIdMax, 42, &c->nodes, [](Reader& in, Node* n) {
    decode(in, n);
    return n->id;
  });
  decode_map(r, limits::kGroupsMax, 24, &c->groups, [](Reader& in, Group* g) {
    decode(in, g);
    return g->id;
  });
  decode_map(r, limits::kTablesMax, 52, &c->tables, [](Reader& in, std::shared_ptr<const Table>* t) {
    auto v = std::make_shared<Table>();
    if (!decode(in, v.get())) in.fail();
    const TableId id = v->id;
    *t = std::move(v);
    return id;
  });
  decode_map(r, limits::kJobsKept, 62, &c->jobs, [](Reader& in, Job* j) {
    decode(in, j);
    return j->id;
  });
  decode_map(r, limits::kGenerationsKept, 29, &c->generations, [](Reader& in, Generation* g) {
    codec::decode(in, g);
    return g->number;
  });
  for (std::uint32_t n = count(r, limits::kRequestIdsKept, 27); n > 0 && !r.bad(); n--) {
    const RequestId id = codec::decode_request_id(r);
    Outcome outcome;
    decode(r, &outcome);
    c->requests.push(id, std::move(outcome));
  }
}

// What the lookups of Catalog and those who use it rely on.
bool group_holds(const Catalog& c, const Group& g) {
  if (g.id >= limits::kGroupsMax || g.members.size() != c.replicas) return false;
  NodeId last = 0;
  for (const NodeId id : g.members) {
    const Node* n = c.node(id);
    if (id <= last || n == nullptr || n->group != g.id) return false;
    last = id;
  }
  return true;
}

// Indexes and their tables know each other.
bool indexes_hold(const Catalog& c, const Table& t) {
  for (const UniqueIndex& i : t.unique) {
    const Table* hidden = c.table(i.table);
    if (hidden == nullptr || hidden->index_of != t.id || hidden->primary_key.size() != i.columns.size()) return false;
    if (hidden->columns != hidden_table(t, i).columns) return false;
  }
  if (t.index_of == 0) return true;
  const Table* of = c.table(t.index_of);
  return of != nullptr &&
         std::any_of(of->unique.begin(), of->unique.end(), [&](const UniqueIndex& i) { return i.table == t.id; });
}

bool table_holds(const Catalog& c, const Table& t) {
  if (t.distribution.map.empty() || check_definition(t)) return false;
  for (const GroupId g : t.distribution.groups) {
    if (g != kNoGroup && c.group(g) == nullptr) return false;
  }
  return indexes_hold(c, t);
}

bool holds(const Catalog& c) {
  if (c.replicas < 1 || c.replicas > limits::kReplicasMax) return false;
  if (c.generation != 0 && c.config() == nullptr) return false;
  for (const auto& [id, n] : c.nodes) {
    if (id == 0 || (n.group != kNoGroup && (n.type != NodeType::data || c.group(n.group) == nullptr))) return false;
  }
  std::size_t members = 0;
  for (const auto& [id, g] : c.groups) {
    if (!group_holds(c, g)) return false;
    members += g.members.size();
  }
  for (const auto& [id, n] : c.nodes) members -= n.group != kNoGroup ? 1 : 0;
  if (members != 0) return false;
  for (const auto& [id, t] : c.tables) {
    if (id == 0 || id >= c.next_table || !table_holds(c, *t)) return false;
  }
  for (const auto& [id, j] : c.jobs) {
    if (id >= c.next_job) return false;
    const Table* t = c.table(j.table);
    if (j.state == JobState::running &&
        (t == nullptr || t->distribution.phase != j.phase || t->distribution.next.empty())) {
      return false;
    }
  }
  return true;
}

}  // namespace

void encode(Writer& w, const ConfigImage& image) {
  w.bytes32(image.text);
  w.bytes32(image.name);
  w.u32(image.replicas);
  encode_values(w, image.system);
  count(w, image.nodes.size());
  for (const ConfigNode& n : image.nodes) {
    w.u16(n.id);
    w.u8(static_cast<std::uint8_t>(n.type));
    w.bytes32(n.host);
    flag(w, n.disabled);
    w.u32(n.wished_group);
    flag(w, n.has_group_wish);
    encode_values(w, n.values);
  }
}

bool decode(Reader& r, ConfigImage* image) {
  ConfigImage v;
  v.text = text(r, limits::kConfigTextBytesMax);
  v.name = text(r, kText);
  v.replicas = r.u32();
  v.system = decode_values(r);
  v.nodes.resize(count(r, limits::kNodeIdMax, 17));
  for (ConfigNode& n : v.nodes) {
    if (r.bad()) return false;
    n.id = r.u16();
    n.type = number(r, NodeType::mgm);
    n.host = text(r, kText);
    n.disabled = flag(r);
    n.wished_group = r.u32();  // its range is for the rules to judge
    n.has_group_wish = flag(r);
    n.values = decode_values(r);
  }
  if (r.bad()) return false;
  *image = std::move(v);
  return true;
}

namespace codec {

void encode(Writer& w, const Generation& g) {
  w.u64(g.number);
  w.u64(static_cast<std::uint64_t>(g.when_s));
  w.bytes32(g.who);
  w.bytes32(g.source);
  w.bytes32(g.message);
  flag(w, g.image != nullptr);
  if (g.image) meta::encode(w, *g.image);
}

void decode(Reader& r, Generation* g) {
  g->number = r.u64();
  g->when_s = static_cast<std::int64_t>(r.u64());
  g->who = text(r, kText);
  g->source = text(r, kText);
  g->message = text(r, kText);
  if (!flag(r)) return;
  auto image = std::make_shared<ConfigImage>();
  if (!meta::decode(r, image.get())) r.fail();
  g->image = std::move(image);
}

RequestId decode_request_id(Reader& r) {
  RequestId id;
  id.high = r.u64();
  id.low = r.u64();
  return id;
}

}  // namespace codec

void encode(Writer& w, const Catalog& c) {
  encode_header(w, c);
  count(w, c.nodes.size());
  for (const auto& [id, n] : c.nodes) encode(w, n);
  count(w, c.groups.size());
  for (const auto& [id, g] : c.groups) encode(w, g);
  count(w, c.tables.size());
  for (const auto& [id, t] : c.tables) encode(w, *t);
  count(w, c.jobs.size());
  for (const auto& [id, j] : c.jobs) encode(w, j);
  count(w, c.generations.size());
  for (const auto& [id, g] : c.generations) codec::encode(w, g);
  count(w, c.requests.size());
  for (std::size_t i = 0; i < c.requests.size(); i++) {
    const auto& [id, outcome] = c.requests[i];
    encode(w, id);
    encode(w, outcome);
  }
}

bool decode(Reader& r, Catalog* c) {
  Catalog v;
  decode_header(r, &v);
  decode_body(r, &v);
  if (r.bad() || !holds(v)) return false;
  *c = std::move(v);
  return true;
}

std::uint64_t fingerprint(const Catalog& c) {
  Writer w;
  encode(w, c);
  return block_hash(w.view());
}

}  // namespace ndb::meta
