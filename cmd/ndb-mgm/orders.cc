// stop and restart: an order to nodes, and waiting for what follows from it.
#include "commands.h"
#include "nodes.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

class NodeOrder : public Command {
 public:
  void declare(Options& o) override {
    o.list("nodes", &ids_, "node ids, or all (data nodes)", "ID", true);
    o.flag("-a,--abort", &order_.abort, "at once: open transactions are not waited for; also several nodes together");
    o.flag("-f,--force", &order_.force, "as --abort, and when a node group loses its last member all data nodes go");
    change_.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status_for(tool, change_);
    if (!status) return tool.fail(status.failure());
    auto nodes = named_nodes(*status, ids_);
    if (!nodes) return tool.fail(nodes.failure());
    order_.nodes = std::move(*nodes);
    order_.all = names_all(ids_);
    who_ = (order_.nodes.size() == 1 ? "node " : "nodes ") + join_ids(order_.nodes, ", ");
    if (int refused = check(tool); refused != kExitDone) return refused;
    if (change_.dry_run) {
      if (auto f = foresee(*status, order_)) return tool.fail(f);
      print_order(tool, std::string("would ") + verb_ + " " + who_, order_.nodes, false, true);
      return kExitDone;
    }
    if (auto f = give_order(tool, *status, order_)) return tool.fail(f);
    tool.on_interrupt(who_ + goes_on_);
    if (wait_) {
      const Time deadline = deadline_after(timeout_s_, os::monotonic_now());
      if (int left = await(tool, *status, deadline); left != kExitDone) return left;
    }
    const std::string under_way = (order_.nodes.size() == 1 ? " is being " : " are being ") + done_;
    print_order(tool, wait_ ? done_ + " " + who_ : who_ + under_way, order_.nodes, true, false);
    if (!wait_) advise(tool);
    return kExitDone;
  }

 protected:
  NodeOrder(OrderKind kind, const char* verb, std::string done, const char* goes_on, std::uint64_t timeout_s)
      : verb_(verb), done_(std::move(done)), goes_on_(goes_on), timeout_s_(timeout_s) {
    order_.kind = kind;
  }
  // Anything but kExitDone ends the command.
  virtual int check(Tool&) const { return kExitDone; }
  virtual int await(Tool&, const ClusterStatus& before, Time deadline) const = 0;
  virtual void advise(const Tool&) const {}

  const char* verb_;
  std::string done_;
  const char* goes_on_;  // what an interrupt leaves under way
  std::string who_;      // "nodes 1, 2"
  std::vector<std::string> ids_;
  OrderTo order_;
  bool wait_ = false;
  std::uint64_t timeout_s_;
  ChangeOptions change_;
};

struct Stop final : NodeOrder {
  Stop() : NodeOrder(OrderKind::stop, "stop", "stopped", " goes on stopping", 120) {}

  void declare(Options& o) override {
    NodeOrder::declare(o);
    o.flag("--wait", &wait_, "wait until they are down");
    o.number("--timeout", &timeout_s_, "with --wait: give up waiting (exit 7) after so long (120); 0 = never",
             "SECONDS");
  }

  int await(Tool& tool, const ClusterStatus&, Time deadline) const override {
    ClusterStatus last;
    auto down = await_state(tool, order_.nodes, "down", deadline, &last);
    if (!down) return tool.fail(down.failure());
    if (*down) return kExitDone;
    return tool.refuse(who_ + " did not end within " + std::to_string(timeout_s_) + " s", kExitStillRunning);
  }
};

struct Restart final : NodeOrder {
  Restart()
      : NodeOrder(OrderKind::restart, "restart", "restarted", " goes on restarting; 'ndb-mgm wait' waits for it", 300) {
  }

  void declare(Options& o) override {
    NodeOrder::declare(o);
    o.flag("-i,--initial", &order_.initial, "the nodes forget their files and fetch all rows from their peers");
    o.flag("-n,--nostart", &order_.nostart, "the nodes come back and wait for 'ndb-mgm start'");
    o.flag("--wait", &wait_, "wait until they serve again (with --nostart: wait to be started)");
    o.number("--timeout", &timeout_s_, "with --wait: give up waiting (exit 7) after so long (300); 0 = never",
             "SECONDS");
  }

  int check(Tool& tool) const override {
    if (!order_.all || !order_.initial) return kExitDone;
    return tool.refuse(
        "restarting all data nodes with --initial would destroy all rows; give single nodes, one "
        "after the other");
  }

  int await(Tool& tool, const ClusterStatus& before, Time deadline) const override {
    for (NodeId id : order_.nodes) {
      auto r = await_restart(tool, *before.node(id), before.stock, order_.nostart, deadline);
      if (!r) return tool.fail(r.failure());
      if (r->reached) continue;
      return tool.refuse("node " + std::to_string(id) + " is still " + r->node.state + " after " +
                             std::to_string(timeout_s_) + " s; it goes on, 'ndb-mgm wait' waits for it",
                         kExitStillRunning);
    }
    return kExitDone;
  }

  void advise(const Tool& tool) const override {
    const std::string nodes = join_ids(order_.nodes, " ");
    if (tool.json()) return;
    tool.note(order_.nostart ? "'ndb-mgm start " + nodes + "' starts them once they wait for it"
                             : "'ndb-mgm wait " + nodes + "' waits until they serve again");
  }
};

}  // namespace

std::unique_ptr<Command> make_stop() { return make_command<Stop>(); }
std::unique_ptr<Command> make_restart() { return make_command<Restart>(); }
}  // namespace ndb::cli
