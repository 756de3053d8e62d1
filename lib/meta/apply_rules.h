// The rules behind apply(), one function a command. Each first checks everything and only then
// changes the catalog, so a refusal leaves it as it was. `Change` marks what an entry touched.
#pragma once
#include <algorithm>
#include <string>
#include <utility>

#include "meta/command.h"
#include "meta/words.h"

namespace ndb::meta::rules {

struct Change {
  Catalog& c;
  Version index;

  void view() { c.view = index; }                // topology, a distribution or a node's state
  void changed() { c.changed_version = index; }  // tables, groups, jobs or the generation (I3)
  void group(GroupId id) {                       // membership or a member's state
    view();
    if (auto i = c.groups.find(id); i != c.groups.end()) i->second.view = index;
  }
  // Stores a table's new form; its distribution got this entry as its view.
  void table(Table t) {
    view();
    changed();
    t.distribution.view = index;
    const TableId id = t.id;
    const auto before = c.tables.find(id);
    for (std::size_t f = 0; f < t.distribution.groups.size(); f++) {
      const GroupId g = t.distribution.groups[f];
      if (g == kNoGroup) continue;
      const bool old = before != c.tables.end() && f < before->second->distribution.groups.size() &&
                       before->second->distribution.groups[f] == g;
      if (old) continue;
      if (!meta::holds_fragments(c, g)) c.groups[g].since = c.durable_epoch;
      c.groups[g].grown = index;
    }
    c.tables[id] = std::make_shared<const Table>(std::move(t));
  }
};

inline Outcome refuse(Error e, std::string text) { return {e, std::move(text), {}, false}; }
inline Outcome refuse(Failure f) { return {f.error, f.sentence(), {}, false}; }
inline Outcome done(std::vector<std::uint64_t> ids = {}) { return {Error::ok, {}, std::move(ids), true}; }
inline Outcome nothing_to_do(std::string text, std::vector<std::uint64_t> ids = {}) {
  return {Error::ok, std::move(text), std::move(ids), false};
}

// schema_busy, with the job that holds the lock and what can be done; ok when none runs.
Failure schema_lock(const Catalog& c);
// Ends a running job before its commit point: the new fragments are forgotten, the old distribution
// stays.
void roll_back(Change& change, std::uint64_t job, Error error, std::string detail);
// A node group that nothing but copies of the running job lives on has lost its last member: before its commit point
// the job ends, and nobody misses the group. Asked by every entry that takes a member out of sync; but a job that is to
// be resumed may have lost everybody else, too, and then goes on when all are back: the driver waits before it ends it.
void give_up_lost_copies(Change& change, bool resumed_too);
// The cluster came back from its disks at its durable epoch, which may be older than the phase of this job (before its
// commit point, resume_on_failure): what had been copied by then is kept, and copying begins anew where it had begun.
void copy_again(Change& change, std::uint64_t job);
// Whether any fragment of the table lives on this group; of any table: catalog.h.
bool holds_fragments(const Table& t, GroupId g);
using meta::holds_fragments;
// Members of the group that are in sync, `but` left out.
std::uint32_t in_sync_members(const Catalog& c, GroupId g, NodeId but = 0);

Outcome run(Change& change, const LeaderStarts& x);
Outcome run(Change& change, const ChangeConfig& x);
Outcome run(Change& change, const NodeJoins& x);
Outcome run(Change& change, const StartCluster& x);
Outcome run(Change& change, const NodeInSync& x);
Outcome run(Change& change, const NodeDown& x);
Outcome run(Change& change, const CreateGroups& x);
Outcome run(Change& change, const DropGroup& x);
Outcome run(Change& change, const CreateTable& x);
Outcome run(Change& change, const DropTable& x);
Outcome run(Change& change, const StartReorg& x);
Outcome run(Change& change, const AdvanceReorg& x);
Outcome run(Change& change, const AbortReorg& x);
Outcome run(Change& change, const SetSingleUser& x);
Outcome run(Change& change, const SetNodeEnabled& x);
Outcome run(Change& change, const EpochDurable& x);
Outcome run(Change& change, const RestartCluster& x);
Outcome run(Change& change, const AllowLease& x);

}  // namespace ndb::meta::rules
