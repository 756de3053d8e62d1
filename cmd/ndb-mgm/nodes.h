// What the orders to nodes share: naming nodes, giving the order, waiting for what follows.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/status.h"

namespace ndb::cli {

// "3 4" or "3,4" or "all" (all data nodes that are connected); fails for unknown nodes and for none.
Result<std::vector<NodeId>> named_nodes(const ClusterStatus& status, const std::vector<std::string>& words);
bool names_all(const std::vector<std::string>& words);

// The state of affairs before an order; fails when --if-version does not hold.
Result<ClusterStatus> read_status_for(Tool& tool, const ChangeOptions& change);

enum class OrderKind { start, stop, restart };
struct OrderTo {
  OrderKind kind = OrderKind::restart;
  std::vector<NodeId> nodes;
  bool all = false, initial = false, nostart = false, abort = false, force = false;
};
// To our server or a stock one.
Failure give_order(Tool& tool, const ClusterStatus& status, const OrderTo& order);
// What the server would refuse, found out without asking it: for --dry-run.
Failure foresee(const ClusterStatus& status, const OrderTo& order);

// Waits until the node has ended since `before` was read and is in_sync again and has applied the metadata log that
// far; with nostart until it waits to be started.
struct Restarted {
  NodeStatus node;
  bool reached = false;  // false: the deadline has passed; node is as last seen
};
Result<Restarted> await_restart(Tool& tool, const NodeStatus& before, bool stock, bool nostart, Time deadline);

// A line for people, or an object for programs: {"format_version":1,"changed":..,"dry_run":..,"nodes":[..]}.
void print_order(const Tool& tool, const std::string& text, const std::vector<NodeId>& nodes, bool changed,
                 bool dry_run);

// States for `wait`: in_sync, started, down, stopped, not_started, connected, joining. Empty: no such word.
std::string state_of_word(const std::string& word);
// Waits until all nodes are in the state; false when the deadline passed first. `last`: the state of affairs at the
// end.
Result<bool> await_state(Tool& tool, const std::vector<NodeId>& nodes, const std::string& state, Time deadline,
                         ClusterStatus* last);

inline Time deadline_after(std::uint64_t seconds, Time now) {
  return seconds == 0 ? kNever : now + static_cast<Time>(seconds) * kSecond;
}

}  // namespace ndb::cli
