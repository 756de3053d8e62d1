#include "meta/stored.h"

#include <algorithm>

#include "meta/command.h"

namespace ndb::meta {

Stored look_at(const LogStore::State& state) {
  Stored s;
  Catalog c;
  Reader snapshot(state.snapshot.data);
  if (state.snapshot.present() && decode(snapshot, &c)) {
    s.cluster = c.cluster_id;
    s.durable = c.durable_epoch;
    if (auto g = c.generations.find(c.generation); g != c.generations.end()) s.generation = g->second;
    for (const auto& [id, n] : c.nodes) {
      if (n.type == NodeType::data && n.raft_id != 0 && n.raft_id == state.raft_id) s.node = id;
    }
  }
  for (const LogEntry& e : state.entries) {
    Command command;
    Reader r(e.data);
    if (e.data.empty() || !decode(r, &command)) continue;
    if (auto* change = std::get_if<ChangeConfig>(&command.body)) {
      if (change->cluster_id != 0 && s.cluster == 0) s.cluster = change->cluster_id;
      const std::uint64_t number = change->expect_generation + 1;
      s.generation = std::move(change->generation);
      s.generation.number = number;
    } else if (const auto* joins = std::get_if<NodeJoins>(&command.body)) {
      if (joins->raft_id == state.raft_id) s.node = joins->node;
    } else if (const auto* durable = std::get_if<EpochDurable>(&command.body)) {
      s.durable = std::max(s.durable, durable->epoch);
    }
  }
  return s;
}

Catalog expect(const LogStore::State& state) {
  Catalog c;
  Reader snapshot(state.snapshot.data);
  if (state.snapshot.present() && !decode(snapshot, &c)) return {};
  for (const LogEntry& e : state.entries) {
    Command command;
    Reader r(e.data);
    if (e.index > c.version && !e.data.empty() && decode(r, &command)) apply(&c, e.index, command);
  }
  return c;
}

}  // namespace ndb::meta
