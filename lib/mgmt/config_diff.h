// From one configuration to another: what changes, whether it may, and who must restart for it.
//
//   diff          what is different, in effective values, so that moving a value into a default
//   section is no change check_change  the rules of changing: an error = refused; a warning = NDB
//   would take it, but it hurts, so somebody has to
//                 say that he wants it (--accept-warnings); nothing = fine. Each with what to do
//                 instead.
//   restart_plan  who restarts, how, and in which order
//
// What a cluster decides for itself is not compared: the generation, who owns it, a name that was
// not written, and the groups of nodes without a NodeGroup.
#pragma once
#include <string>
#include <vector>

#include "mgmt/config.h"

namespace ndb::mgmt {

enum class ChangeKind : std::uint8_t { added, removed, changed };

struct Change {
  Kind section = Kind::system;
  std::vector<NodeId> nodes;  // one for a node, two for a link, none for [system] and for the defaults of links
  std::string parameter;      // empty = the whole node or link
  ChangeKind kind = ChangeKind::changed;
  std::string old_value, new_value;  // canonical; "" where there was, or will be, none
  Restart restart = Restart::node;
  bool used = true;              // false = no node here obeys the parameter, so nobody needs to restart
  std::vector<NodeId> affected;  // whom it concerns; with `restart` other than online: who restarts
  friend bool operator==(const Change&, const Change&) = default;
};

// [system], nodes by id, links by (node1, node2); within one of them by name.
std::vector<Change> diff(const Config& from, const Config& to);
// NDB's blocks ("[ndbd(DB)]", "NodeId=3", "-Name=old", "+Name=new"), each line of a new value
// followed by what it takes.
std::string diff_text(const std::vector<Change>&);
std::string diff_json(const std::vector<Change>&);  // one object with "format_version" and "changes"

std::vector<Problem> check_change(const Config& from, const Config& to);

struct RestartStep {
  std::vector<NodeId> nodes;  // together; more than one only when the whole cluster must stop
  Restart restart = Restart::node;
  std::vector<std::string> parameters;  // for their sake
  friend bool operator==(const RestartStep&, const RestartStep&) = default;
};
struct RestartPlan {
  Restart worst = Restart::online;  // online = nobody restarts
  std::vector<RestartStep> steps;   // to be taken one after the other, each only when the one before is serving again
  std::vector<std::string> online;  // parameters that are applied to running nodes
};
// Management servers first, then data nodes so that two members of a group are as far apart as can
// be, then API nodes. `stock` = for a cluster of NDB itself, which applies nothing online, obeys
// every parameter, and must restart its data and API nodes when a node is added. Node groups are
// those of `to`.
RestartPlan restart_plan(const std::vector<Change>&, const Config& to, bool stock = false);
std::string plan_text(const RestartPlan&);

}  // namespace ndb::mgmt
