#include "meta/command.h"

#include "meta/catalog_codec.h"
#include "meta/codec.h"

namespace ndb::meta {
namespace {

using codec::count;
using codec::flag;
using codec::text;

constexpr std::size_t kText = limits::kMetaTextBytesMax;

void encode_nodes(Writer& w, const std::vector<NodeId>& nodes) {
  count(w, nodes.size());
  for (const NodeId id : nodes) w.u16(id);
}
std::vector<NodeId> decode_nodes(Reader& r) {
  std::vector<NodeId> nodes(count(r, limits::kNodeIdMax, sizeof(NodeId)));
  for (NodeId& id : nodes) id = r.u16();
  return nodes;
}

// One pair of functions for each command.

void put(Writer& w, const LeaderStarts& x) { w.u64(x.raft_id); }
void take(Reader& r, LeaderStarts* x) { x->raft_id = r.u64(); }

void put(Writer& w, const ChangeConfig& x) {
  w.u64(x.expect_generation);
  w.u64(x.cluster_id);
  codec::encode(w, x.generation);
}
void take(Reader& r, ChangeConfig* x) {
  x->expect_generation = r.u64();
  x->cluster_id = r.u64();
  codec::decode(r, &x->generation);
}

void put(Writer& w, const NodeJoins& x) {
  w.u16(x.node);
  w.u64(x.raft_id);
  w.bytes32(x.address);
  w.u16(x.port);
  w.u8(x.workers);
  w.u64(x.generation);
  flag(w, x.initial);
}
void take(Reader& r, NodeJoins* x) {
  x->node = r.u16();
  x->raft_id = r.u64();
  x->address = text(r, kText);
  x->port = r.u16();
  x->workers = r.u8();
  x->generation = r.u64();
  x->initial = flag(r);
}

void put(Writer& w, const StartCluster& x) { encode_nodes(w, x.nodes); }
void take(Reader& r, StartCluster* x) { x->nodes = decode_nodes(r); }

void put(Writer& w, const NodeInSync& x) {
  w.u16(x.node);
  w.u32(x.incarnation);
  w.u64(x.group_view);
}
void take(Reader& r, NodeInSync* x) {
  x->node = r.u16();
  x->incarnation = r.u32();
  x->group_view = r.u64();
}

void put(Writer& w, const NodeDown& x) {
  w.u16(x.node);
  w.u32(x.incarnation);
  w.bytes32(x.reason);
  flag(w, x.forced);
  w.u64(x.leader_epoch);
}
void take(Reader& r, NodeDown* x) {
  x->node = r.u16();
  x->incarnation = r.u32();
  x->reason = text(r, kText);
  x->forced = flag(r);
  x->leader_epoch = r.u64();
}

void put(Writer& w, const CreateGroups& x) {
  count(w, x.groups.size());
  for (const auto& nodes : x.groups) encode_nodes(w, nodes);
}
void take(Reader& r, CreateGroups* x) {
  x->groups.resize(count(r, limits::kNodeIdMax, 4));
  for (auto& nodes : x->groups) nodes = decode_nodes(r);
}

void put(Writer& w, const DropGroup& x) { w.u32(x.group); }
void take(Reader& r, DropGroup* x) { x->group = r.u32(); }

void put(Writer& w, const CreateTable& x) {
  encode(w, x.table);
  flag(w, x.if_not_exists);
}
void take(Reader& r, CreateTable* x) {
  if (!decode(r, &x->table)) r.fail();
  x->if_not_exists = flag(r);
}

void put(Writer& w, const DropTable& x) {
  w.bytes32(x.name);
  flag(w, x.if_exists);
}
void take(Reader& r, DropTable* x) {
  x->name = text(r, kText);
  x->if_exists = flag(r);
}

void put(Writer& w, const StartReorg& x) {
  w.bytes32(x.table);
  flag(w, x.resume_on_failure);
  count(w, x.drain.size());
  for (const GroupId g : x.drain) w.u32(g);
  w.u64(static_cast<std::uint64_t>(x.now_s));
  w.u64(x.rows_to_move);
}
void take(Reader& r, StartReorg* x) {
  x->table = text(r, kText);
  x->resume_on_failure = flag(r);
  x->drain.resize(count(r, limits::kNodeIdMax, sizeof(GroupId)));
  for (GroupId& g : x->drain) g = r.u32();
  x->now_s = static_cast<std::int64_t>(r.u64());
  x->rows_to_move = r.u64();
}

void put(Writer& w, const AdvanceReorg& x) {
  w.u64(x.job);
  w.u8(static_cast<std::uint8_t>(x.phase));
  w.u64(x.rows_moved);
}
void take(Reader& r, AdvanceReorg* x) {
  x->job = r.u64();
  x->phase = codec::number(r, Phase::cleaning);
  x->rows_moved = r.u64();
}

void put(Writer& w, const AbortReorg& x) {
  w.u64(x.job);
  w.u16(static_cast<std::uint16_t>(x.error));
  w.bytes32(x.detail);
}
void take(Reader& r, AbortReorg* x) {
  x->job = r.u64();
  x->error = static_cast<Error>(r.u16());
  x->detail = text(r, kText);
}

void put(Writer& w, const SetSingleUser& x) { w.u16(x.api_node); }
void take(Reader& r, SetSingleUser* x) { x->api_node = r.u16(); }

void put(Writer& w, const SetNodeEnabled& x) {
  w.u16(x.node);
  flag(w, x.enabled);
}
void take(Reader& r, SetNodeEnabled* x) {
  x->node = r.u16();
  x->enabled = flag(r);
}

void put(Writer& w, const AllowLease& x) {
  w.u32(x.ms);
  w.u64(x.leader_epoch);
}
void take(Reader& r, AllowLease* x) {
  x->ms = r.u32();
  x->leader_epoch = r.u64();
}

void put(Writer& w, const EpochDurable& x) {
  w.u64(x.epoch);
  w.u64(x.view);
}
void take(Reader& r, EpochDurable* x) {
  x->epoch = r.u64();
  x->view = r.u64();
}

void put(Writer& w, const RestartCluster& x) {
  count(w, x.nodes.size());
  for (const auto& n : x.nodes) {
    w.u16(n.node);
    w.u32(n.incarnation);
  }
  w.u64(x.epoch);
}
void take(Reader& r, RestartCluster* x) {
  x->nodes.resize(count(r, limits::kNodeIdMax, 6));
  for (auto& n : x->nodes) {
    n.node = r.u16();
    n.incarnation = r.u32();
  }
  x->epoch = r.u64();
}

// The number on the wire is the position in CommandBody: new commands go to its end.
template <std::size_t I = 0>
void take_body(Reader& r, std::size_t kind, CommandBody* body) {
  if constexpr (I < std::variant_size_v<CommandBody>) {
    if (kind != I) return take_body<I + 1>(r, kind, body);
    std::variant_alternative_t<I, CommandBody> x;
    take(r, &x);
    *body = std::move(x);
  } else {
    r.fail();
  }
}

}  // namespace

void encode(Writer& w, const Command& c) {
  w.u8(codec::kFormat);
  w.u64(c.request.high);
  w.u64(c.request.low);
  w.u64(c.expect_version);
  w.u8(static_cast<std::uint8_t>(c.body.index()));
  std::visit([&](const auto& x) { put(w, x); }, c.body);
}

bool decode(Reader& r, Command* c) {
  Command v;
  codec::format(r);
  v.request = codec::decode_request_id(r);
  v.expect_version = r.u64();
  const std::uint8_t kind = r.u8();
  if (!r.bad()) take_body(r, kind, &v.body);
  if (r.bad()) return false;
  *c = std::move(v);
  return true;
}

const char* name_of(const CommandBody& b) {
  static const char* const names[] = {"leader starts",        "change configuration", "node joins",
                                      "start cluster",        "node in sync",         "node down",
                                      "create node groups",   "drop node group",      "create table",
                                      "drop table",           "start reorganisation", "advance reorganisation",
                                      "abort reorganisation", "set single user",      "set node enabled",
                                      "epoch durable",        "restart cluster",      "allow lease"};
  static_assert(std::size(names) == std::variant_size_v<CommandBody>);
  return names[b.index()];
}

}  // namespace ndb::meta
