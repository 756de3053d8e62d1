// Restarts nodes one after the other, so that no node group is ever without a member and a restarted node has
// fetched its rows back before the next one goes.
//
//   before each    every group but the node's own is untouched; another member of its own is in sync, else wait
//   order          `ndb restart node`, to this node alone
//   after each     the node has come back (another incarnation), is in sync, and has applied the metadata log that
//                  far; and commits take no longer than before the first one (four times as long, or 10 ms)
//
// What is restarted: all data nodes; --nodes: these; --pending: those whose generation of the configuration is
// older and whose changes since then take a restart (with --initial where they ask for it).
#include <time.h>

#include <algorithm>
#include <set>

#include "cli/config.h"
#include "commands.h"
#include "latency.h"
#include "mgmt/config_diff.h"
#include "mgmt/text_reply.h"
#include "nodes.h"
#include "os/files.h"

namespace ndb::cli {
namespace {

constexpr Time kPatience = 60 * kSecond;
constexpr Time kLatencyFloor = 10 * kMillisecond;  // as fast as anybody needs a cluster that is being restarted
constexpr Time kCanaryTime = 10 * kSecond;         // how long the first node and the cluster are watched

struct Step {
  NodeId node = 0;
  bool initial = false;
  std::string why;
};

class RollingRestart final : public Command {
 public:
  void declare(Options& o) override {
    o.list("--nodes", &nodes_, "only these", "ID,ID...");
    o.flag("--pending", &pending_, "only those that run with an older generation and must restart for it");
    o.flag("-i,--initial", &initial_, "the nodes forget their files and fetch all rows from their peers");
    o.flag("--canary", &canary_, "watch the cluster for 10 s after the first node before the next one goes");
    o.choice("--on-failure", &on_failure_,
             "when a node does not come back: stop; roll the configuration back and stop; go on",
             {"stop", "rollback", "continue"});
    o.number("--max-latency-us", &max_latency_us_,
             "go on only while a commit takes no longer; 0 = four times what it took before, or 10 ms", "MICROSECONDS");
    o.number("--timeout", &timeout_s_, "for each node (300); 0 = wait for ever", "SECONDS");
    change_.declare(o);
  }

  int run(Tool& tool) override {
    auto status = read_status_for(tool, change_);
    if (!status) return tool.fail(status.failure());
    if (status->stock && pending_) return tool.refuse_stock("rolling-restart --pending");
    if (status->stock && on_failure_ == "rollback") return tool.refuse_stock("rolling-restart --on-failure=rollback");
    auto steps = plan(tool, *status);
    if (!steps) return tool.fail(steps.failure());
    steps_ = std::move(*steps);
    if (auto f = check(*status)) return tool.fail(f);
    if (change_.dry_run || steps_.empty()) {
      print_plan(tool, *status);
      return kExitDone;
    }
    return restart_all(tool, *status);
  }

 private:
  // --- what, in which order

  Result<std::vector<Step>> plan(Tool& tool, const ClusterStatus& s) {
    std::vector<Step> steps;
    if (pending_) {
      auto found = pending_steps(tool, s);
      if (!found) return found;
      steps = std::move(*found);
    } else {
      for (NodeId id : s.restart_order()) {
        const NodeStatus& n = *s.node(id);
        if (n.connected || !nodes_.empty()) steps.push_back({id, initial_, ""});
      }
    }
    if (nodes_.empty()) return steps;
    auto only = parse_node_ids(nodes_);
    if (!only) return only.failure();
    for (NodeId id : *only) {
      const NodeStatus* n = s.node(id);
      if (n == nullptr) return Failure{Error::no_such_node, "no node " + std::to_string(id) + " in the configuration"};
      if (n->type == "api")
        return Failure{static_cast<Error>(5002),
                       "node " + std::to_string(id) + " is an API node: it is not restarted from here"};
      if (n->type == "mgm" && !pending_) steps.insert(steps.begin(), {id, false, ""});
    }
    std::erase_if(steps,
                  [&](const Step& step) { return std::find(only->begin(), only->end(), step.node) == only->end(); });
    return steps;
  }

  // Every node is judged by the changes between its own generation and the present one.
  Result<std::vector<Step>> pending_steps(Tool& tool, const ClusterStatus& s) {
    auto present = read_config(tool, s.generation);
    if (!present) return present.failure();
    std::map<NodeId, Step> needs;
    std::set<std::uint64_t> seen;
    for (const NodeStatus& n : s.nodes) {
      if (!n.data() || n.generation == 0 || n.generation == s.generation || !seen.insert(n.generation).second) continue;
      auto old = read_config(tool, n.generation);
      if (!old) return old.failure();
      const auto p = mgmt::restart_plan(mgmt::diff(old->config, present->config), present->config);
      if (p.worst >= mgmt::Restart::system) {
        return Failure{Error::illegal_change, "a change since generation " + std::to_string(n.generation) +
                                                  " takes a stop of the whole cluster; see 'ndb-config diff " +
                                                  std::to_string(n.generation) + "'"};
      }
      for (const auto& step : p.steps) add_pending(s, n.generation, step, &needs);
    }
    std::vector<Step> steps;
    for (NodeId id : s.restart_order()) {
      if (auto i = needs.find(id); i != needs.end()) steps.push_back(i->second);
    }
    return steps;
  }
  void add_pending(const ClusterStatus& s, std::uint64_t generation, const mgmt::RestartStep& step,
                   std::map<NodeId, Step>* needs) const {
    std::string why;
    for (const std::string& p : step.parameters) why += (why.empty() ? "" : ", ") + p;
    for (NodeId id : step.nodes) {
      const NodeStatus* n = s.node(id);
      if (n == nullptr || !n->data() || n->generation != generation) continue;
      (*needs)[id] = {id, initial_ || step.restart == mgmt::Restart::initial_node, why};
    }
  }

  Failure check(const ClusterStatus& s) const {
    if (s.job != 0) {
      return {Error::schema_busy,
              "job " + std::to_string(s.job) + " (a reorganisation) is running; wait for it with 'ndb-reorg wait'"};
    }
    for (const Step& step : steps_) {
      const NodeStatus& n = *s.node(step.node);
      const std::string who = "node " + std::to_string(n.id);
      if (!n.connected)
        return {static_cast<Error>(5030), "no contact with " + who + "; start it first, or leave it out with --nodes"};
      if (n.state == "joining") return {Error::bad_node_state, who + " is starting; wait for it with 'ndb-mgm wait'"};
      if (n.state == "not_started")
        return {Error::bad_node_state, who + " waits to be started; 'ndb-mgm start " + std::to_string(n.id) + "'"};
      if (!n.data() || s.group_survives(n.id)) continue;
      return {Error::would_lose_group,
              "node group " + std::to_string(*n.group) + " would be without a member while " + who + " restarts"};
    }
    return {};
  }

  void print_plan(const Tool& tool, const ClusterStatus& s) const {
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", false).member("dry_run", change_.dry_run);
      j.name("order").array();
      for (const Step& step : steps_) {
        j.object().member("node", step.node).member("initial", step.initial).member("why", step.why).end_object();
      }
      print_line(j.end_array().end_object().text());
      return;
    }
    if (steps_.empty()) {
      print_line(pending_ ? "nothing to do: no node has to restart" : "nothing to do: no data node is up");
      return;
    }
    Table table({"step", "node", "group", "how", "why"});
    int number = 0;
    for (const Step& step : steps_) {
      const NodeStatus& n = *s.node(step.node);
      table.row({std::to_string(++number), std::to_string(step.node), n.group ? std::to_string(*n.group) : "none",
                 step.initial ? "restart --initial" : "restart", step.why});
    }
    table.print(tool.format());
  }

  // --- doing it

  int restart_all(Tool& tool, const ClusterStatus& at_start) {
    const Time began = os::monotonic_now();
    std::vector<NodeId> failed;
    began_ = began;
    if (!at_start.stock) measure_before(tool);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Time node_began = os::monotonic_now();
      tool.on_interrupt("node " + std::to_string(steps_[i].node) + " goes on restarting; go on with " + rest(i + 1));
      std::string trouble;
      say(tool, "restarting", i, {});
      int status = restart_one(tool, steps_[i], &trouble);
      if (status == kExitDone) status = await_latency(node_began, &trouble);
      if (status == kExitDone && canary_ && i == 0 && steps_.size() > 1) status = watch(tool, &trouble);
      if (status != kExitDone) {
        failed.push_back(steps_[i].node);
        say(tool, "failed", i, trouble);
        if (on_failure_ == "continue") {
          tool.note(trouble + "; going on");
          continue;
        }
        return give_up(tool, at_start, i, trouble, status);
      }
      done_.push_back(steps_[i].node);
      say_restarted(tool, i, node_began);
    }
    const double seconds = static_cast<double>(os::monotonic_now() - began) / static_cast<double>(kSecond);
    if (tool.json())
      print_line(final_json(failed, seconds));
    else
      print_line("restarted nodes " + join_ids(done_, ", ") + " in " + show_seconds(seconds));
    if (!failed.empty()) {
      tool.note("nodes " + join_ids(failed, ", ") + " did not come back; the cluster is degraded");
      return kExitDegraded;
    }
    return kExitDone;
  }

  int restart_one(Tool& tool, const Step& step, std::string* trouble) {
    const Time deadline = timeout_s_ == 0 ? kNever : os::monotonic_now() + static_cast<Time>(timeout_s_) * kSecond;
    const std::string who = "node " + std::to_string(step.node);
    ClusterStatus s;
    while (true) {  // until a peer is there to carry on
      auto now = read_status(tool, kPatience);
      if (!now) return refused(now.failure(), trouble);
      s = std::move(*now);
      if (s.node(step.node) == nullptr) return refused({Error::no_such_node, who + " was removed"}, trouble);
      if (s.group_survives(step.node)) break;
      if (os::monotonic_now() >= deadline) {
        *trouble = "no other member of the node group of " + who + " is in sync";
        return kExitStillRunning;
      }
      tool.wait_for_change(s.version, 100 * kMillisecond);
    }
    const OrderTo order{.kind = OrderKind::restart, .nodes = {step.node}, .initial = step.initial};
    if (auto f = give_order(tool, s, order)) return refused(f, trouble);
    auto r = await_restart(tool, *s.node(step.node), s.stock, false, deadline);
    if (!r) return refused(r.failure(), trouble);
    if (r->reached) return kExitDone;
    *trouble = who + " did not come back in sync within " + std::to_string(timeout_s_) + " s: it is " + r->node.state;
    return kExitStillRunning;
  }
  static int refused(const Failure& f, std::string* trouble) {
    *trouble = "error " + std::to_string(static_cast<unsigned>(f.error)) + ": " + f.sentence();
    return exit_status(f.error);
  }

  void measure_before(Tool& tool) {
    probe_ = std::make_unique<LatencyProbe>(tool.connectstring);
    const auto before = probe_->median();
    if (!before) {
      probe_.reset();
      if (max_latency_us_ != 0) tool.note("there is no table to measure commits with: their latency is not looked at");
      return;
    }
    latency_before_ = *before;
    latency_max_ =
        max_latency_us_ != 0 ? static_cast<Time>(max_latency_us_) * kMicrosecond : std::max(kLatencyFloor, 4 * *before);
  }

  int await_latency(Time node_began, std::string* trouble) {
    if (!probe_) return kExitDone;
    const Time deadline = timeout_s_ == 0 ? kNever : node_began + static_cast<Time>(timeout_s_) * kSecond;
    while (true) {
      const auto now = probe_->median();
      if (now && *now <= latency_max_) return kExitDone;
      if (os::monotonic_now() >= deadline) {
        *trouble = now ? "a commit takes " + std::to_string(*now / kMicrosecond) + " us, more than " +
                             std::to_string(latency_max_ / kMicrosecond) +
                             " (before: " + std::to_string(latency_before_ / kMicrosecond) + ")"
                       : "no commit goes through";
        return kExitDegraded;
      }
      timespec pause{0, 100'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }

  // An event for programs; people are told what has been done and what went wrong.
  void say(const Tool& tool, const char* event, std::size_t at, const std::string& text) const {
    if (!tool.json()) return;
    mgmt::Json j;
    j.object().member("format_version", 1).member("event", event).member("node", steps_[at].node);
    j.member("step", at + 1).member("steps", steps_.size());
    if (!text.empty()) j.member("text", text);
    print_line(j.end_object().text());
  }

  // The canary: nobody may fall, and the node may not restart by itself.
  int watch(Tool& tool, std::string* trouble) {
    auto before = read_status(tool, kPatience);
    if (!before) return refused(before.failure(), trouble);
    const Time until = os::monotonic_now() + kCanaryTime;
    while (os::monotonic_now() < until) {
      auto now = read_status(tool, kPatience);
      if (!now) return refused(now.failure(), trouble);
      for (const NodeStatus& n : before->nodes) {
        if (!n.data() || n.state != "in_sync") continue;
        const NodeStatus* m = now->node(n.id);
        if (m != nullptr && m->state == "in_sync" && m->incarnation == n.incarnation) continue;
        *trouble = "node " + std::to_string(n.id) + " fell while the first restarted node was watched";
        return kExitDegraded;
      }
      timespec pause{0, 250'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return kExitDone;
  }

  int give_up(Tool& tool, const ClusterStatus& at_start, std::size_t at, const std::string& trouble, int status) {
    std::string text = trouble;
    if (!done_.empty()) text += "; restarted: " + join_ids(done_, ", ");
    if (on_failure_ == "rollback" && at_start.generation > 1) {
      const std::string number = std::to_string(at_start.generation - 1);
      auto r = tool.change("ndb rollback config",
                           {{"generation", number},
                            {"expect_generation", std::to_string(at_start.generation)},
                            {"who", who_am_i()},
                            {"message", "a rolling restart failed: " + trouble}},
                           {});
      text += r ? "; the configuration is generation " + number + "'s again, as generation " + r->value("generation") +
                      ": bring the node up, then 'ndb-mgm rolling-restart --pending'"
                : "; the configuration could not be rolled back: " + r.failure().sentence();
      return tool.refuse(text, kExitDegraded);
    }
    text += "; when it is back, go on with " + rest(at);
    if (pending_ && at_start.generation > 1) {
      text +=
          ", or go back with 'ndb-config rollback " + std::to_string(at_start.generation - 1) + "' and then the same";
    }
    return tool.refuse(text, status);
  }

  // The command for what is left, from step `at` on.
  std::string rest(std::size_t at) const {
    if (pending_) return "'ndb-mgm rolling-restart --pending'";
    std::vector<NodeId> left;
    for (std::size_t i = at; i < steps_.size(); ++i) left.push_back(steps_[i].node);
    if (left.empty()) return "nothing: it was the last one";
    return "'ndb-mgm rolling-restart --nodes=" + join_ids(left) + (initial_ ? " --initial'" : "'");
  }

  void say_restarted(const Tool& tool, std::size_t at, Time began) const {
    const double seconds = static_cast<double>(os::monotonic_now() - began) / static_cast<double>(kSecond);
    const std::string id = std::to_string(steps_[at].node);
    const std::size_t rest = steps_.size() - at - 1;
    const double left = static_cast<double>(os::monotonic_now() - began_) / static_cast<double>(kSecond) /
                        static_cast<double>(at + 1) * static_cast<double>(rest);
    if (!tool.json()) {
      print_line("node " + id + " is back in sync after " + show_seconds(seconds) + " (" + std::to_string(at + 1) +
                 " of " + std::to_string(steps_.size()) + ")" +
                 (rest == 0 ? "" : ", about " + show_seconds(left) + " left"));
      return;
    }
    mgmt::Json j;
    j.object().member("format_version", 1).member("event", "restarted").member("node", steps_[at].node);
    j.member("ms", static_cast<std::uint64_t>(seconds * 1000));
    j.member("step", at + 1).member("steps", steps_.size());
    print_line(j.member("left_ms", static_cast<std::uint64_t>(left * 1000)).end_object().text());
  }

  std::string final_json(const std::vector<NodeId>& failed, double seconds) const {
    mgmt::Json j;
    j.object()
        .member("format_version", 1)
        .member("event", "done")
        .member("changed", !done_.empty())
        .name("restarted")
        .array();
    for (NodeId id : done_) j.value(id);
    j.end_array().name("failed").array();
    for (NodeId id : failed) j.value(id);
    return j.end_array().member("ms", static_cast<std::uint64_t>(seconds * 1000)).end_object().text();
  }

  std::vector<std::string> nodes_;
  bool pending_ = false, initial_ = false, canary_ = false;
  std::string on_failure_ = "stop";
  std::uint64_t timeout_s_ = 300, max_latency_us_ = 0;
  std::unique_ptr<LatencyProbe> probe_;  // none: nothing to measure
  Time began_ = 0, latency_before_ = 0, latency_max_ = 0;
  ChangeOptions change_;
  std::vector<Step> steps_;
  std::vector<NodeId> done_;
};

}  // namespace

std::unique_ptr<Command> make_rolling_restart() { return make_command<RollingRestart>(); }
}  // namespace ndb::cli
