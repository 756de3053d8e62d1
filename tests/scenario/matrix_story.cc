#include "scenario/matrix_story.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <utility>

#include "base/fault.h"
#include "sim/keeper.h"

namespace ndb::scenario {
namespace {

using simtest::ClusterRun;
using simtest::Keeper;
using simtest::Rows;

constexpr Time kStoryLimit = 60 * kSecond;
constexpr std::uint64_t kIds = 300;  // of each client

template <class T, std::size_t N>
T take(std::string& name, const std::array<std::pair<const char*, T>, N>& words, const char* end) {
  for (const auto& [word, value] : words) {
    const std::string head = std::string(word) + end;
    if (!name.starts_with(head)) continue;
    name.erase(0, head.size());
    return value;
  }
  FAIL("'" << name << "' does not begin like the rest of a cell's name");
  return words[0].second;
}

sim::Order order(std::string command, std::vector<std::pair<std::string, std::string>> keys) {
  sim::Order o;
  o.command = std::move(command);
  o.keys = std::move(keys);
  return o;
}
sim::Order create_group() { return order("ndb create nodegroup", {{"nodes", "3 4"}}); }

// One cluster: nodes 1 and 2 in a group, 3 and 4 outside, traffic, and one loss.
class Story {
 public:
  Story(const Cell& cell, std::string point, unsigned seed)
      : cell_(cell), point_(std::move(point)), run_(seed, settings(cell, seed)), rows_(run_) {
    // Every event of every story, for whoever looks for the cause of a failure.
    static const char* file = std::getenv("NDB_STORY_TRACE");
    if (file != nullptr) {
      static const bool opened = (simtest::write_traces_to(file), true);
      if (opened) simtest::set_current_world(&run_.world);
    }
    rows_.durable = comes_back() || seed % 2 == 0;
  }

  std::string tell() {
    if (begin() && lose() && check_outcome()) finish();
    if (run_.world.failed()) return run_.world.failure();
    if (rows_.unknown != 0 && !comes_back()) return "a client did not learn an outcome";
    if (run_.cluster.restarts() != 0 && !comes_back()) return "the whole cluster went back to its disks";
    return rows_.acked < 100 ? "hardly any row was acknowledged" : "";
  }

 private:
  static sim::ClusterSettings settings(const Cell& cell, unsigned seed) {
    sim::ClusterSettings s;
    // Another management server that took the order would repeat it to the next master: then it is done, not undone.
    const bool asks_master = cell.work == Work::creation && cell.outcome == Outcome::rolled_back;
    s.management = asks_master || seed % 2 == 1 ? 1 : 3;
    s.spares = 2;
    s.workers = seed % 3 == 0 ? 2 : 1;
    s.epoch_ms = 300;
    return s;
  }
  // The whole cluster, from its disks.
  bool comes_back() const { return cell_.outcome == Outcome::old_groups || cell_.outcome == Outcome::new_groups; }
  bool fail(const std::string& why) {
    run_.world.fail(why);
    return false;
  }
  bool wait(const char* what, const std::function<bool()>& done) {
    if (run_.world.run_until(done, kStoryLimit)) return true;
    return fail(std::string("waited in vain until ") + what + ": " + run_.cluster.describe());
  }

  bool begin() {
    if (!run_.begin()) return false;
    for (std::uint64_t i = 0; i < 2; i++) {
      keepers_.push_back(std::make_unique<Keeper>(rows_, run_.prng.next(), 1 + i * 1000, kIds, 3, 5 * kMillisecond));
      run_.world.start(run_.cluster.add_client(*keepers_.back(), simtest::kClientLimit));
    }
    if (!wait("some hundred rows are there", [this] { return rows_.may_be.size() > kIds; })) return false;
    if (cell_.work == Work::creation) return true;
    sim::Reply r;
    if (!run_.order(create_group(), &r, kStoryLimit)) return false;
    return r.ok() || fail("create nodegroup: " + r.text("result"));
  }

  sim::Order the_order() const {
    if (cell_.work == Work::creation) return create_group();
    return order("ndb start reorg", {{"table", "t"}, {"resume_on_failure", cell_.resume ? "1" : "0"}});
  }
  sim::ProcessId node(NodeId id) const { return run_.cluster.data()[id - 1u]; }
  bool leads(sim::ProcessId p) const {
    const auto& m = run_.cluster.management();
    auto i = std::find(m.begin(), m.end(), p);
    return i != m.end() && run_.cluster.server(static_cast<std::uint32_t>(i - m.begin()))->member().log().leader();
  }

  // The order is given; when the master reaches the fault point, the victims die in that moment.
  bool lose() {
    telling_ = this;
    fault::hook = [](std::string_view where, std::string_view what) { return telling_->reached(where, what); };
    epoch_before_ = run_.cluster.newest()->leader_epoch;
    sim::Order o = the_order();
    o.done = [this](const sim::Reply& r) { reply_ = std::make_unique<sim::Reply>(r); };
    run_.cluster.op().order(std::move(o));
    const bool lost = wait("the fault point is reached", [this] { return lost_; });
    fault::hook = nullptr;
    return lost;
  }
  // Whether the process that is at this point dies of it.
  bool reached(std::string_view where, std::string_view what) {
    const sim::ProcessId p = run_.world.stepping();
    if (lost_ || !leads(p) || point_ != std::string(where) + " " + std::string(what)) return false;
    lost_ = true;
    switch (cell_.lost) {
      case Lost::old_node:
        victims_ = {node(1)};
        break;
      case Lost::new_node:
        victims_ = {node(3)};
        break;
      case Lost::new_nodes:
        victims_ = {node(3), node(4)};
        break;
      case Lost::master:
        victims_ = {p};
        break;
      case Lost::everything:
        victims_ = run_.cluster.management();
        victims_.insert(victims_.end(), run_.cluster.data().begin(), run_.cluster.data().end());
        break;
    }
    const bool power = (cell_.lost == Lost::everything || cell_.lost == Lost::new_nodes) && run_.world.seed() % 2 == 1;
    for (sim::ProcessId v : victims_) run_.world.kill(v, power);
    // Whoever gave the order is lost with the master: an operator that stays repeats it until it is done.
    if (cell_.work == Work::creation && cell_.lost >= Lost::master)
      run_.world.kill(run_.cluster.operator_process(), false);
    return std::find(victims_.begin(), victims_.end(), p) != victims_.end();
  }
  void restart_victims() {
    for (sim::ProcessId v : victims_) run_.world.start(v);
    run_.world.start(run_.cluster.operator_process());
  }

  const meta::Job* job() {
    catalog_ = run_.cluster.newest();
    return catalog_->jobs.empty() ? nullptr : &catalog_->jobs.rbegin()->second;
  }
  bool group_exists() const { return run_.cluster.newest()->group(1) != nullptr; }
  // True: the table lies on these groups and no others, and no reorganisation is under way.
  bool lies_on(std::vector<GroupId> groups) {
    catalog_ = run_.cluster.newest();
    const meta::Distribution& d = catalog_->table("t")->distribution;
    std::vector<GroupId> found;
    for (GroupId g : d.groups) {
      if (g != kNoGroup && std::find(found.begin(), found.end(), g) == found.end()) found.push_back(g);
    }
    std::sort(found.begin(), found.end());
    return d.phase == meta::Phase::none && found == groups;
  }

  bool check_outcome() {
    switch (cell_.outcome) {
      case Outcome::heir:
        return check_done();  // while the victim is still dead
      case Outcome::without_them:
        return check_done() && check_durable();
      case Outcome::rolled_forward:
        return wait("another one leads", [this] { return new_leader(); }) && check_done();
      case Outcome::rolled_back:
        if (cell_.lost == Lost::new_nodes) return check_undone() && check_durable();
        return wait("another one leads", [this] { return new_leader(); }) && check_undone();
      case Outcome::old_groups:
        restart_victims();
        return wait("the cluster is back", [this] { return run_.cluster.healthy(); }) && check_undone();
      case Outcome::new_groups:
        restart_victims();
        return wait("the cluster is back", [this] { return run_.cluster.healthy(); }) && check_done();
    }
    return false;
  }
  // While the victims are still dead.
  bool check_durable() {
    const Epoch then = run_.cluster.newest()->durable_epoch + 2;
    return wait("epochs become durable", [&] { return run_.cluster.newest()->durable_epoch > then; });
  }
  bool new_leader() const { return run_.cluster.newest()->leader_epoch > epoch_before_; }

  bool check_done() {
    if (cell_.work == Work::creation) return wait("the node group is there", [this] { return group_exists(); });
    if (!wait("the job ends", [this] { return job() != nullptr && job()->state != meta::JobState::running; }))
      return false;
    if (job()->state != meta::JobState::done) return fail("the job was rolled back: " + job()->detail);
    return lies_on({0, 1}) || fail("the job is done, but the table is not spread");
  }
  bool check_undone() {
    if (cell_.work == Work::creation) {
      run_.world.run_for(2 * kSecond);
      return !group_exists() || fail("the node group was created all the same");
    }
    if (!wait("the job ends", [this] { return job() != nullptr && job()->state != meta::JobState::running; }))
      return false;
    if (job()->state != meta::JobState::rolled_back) return fail("the job was not rolled back");
    return lies_on({0}) || fail("the job was rolled back, but the table does not lie where it did");
  }

  // Everybody comes back; what was undone can be done now; every row is where it belongs.
  void finish() {
    restart_victims();
    if (!run_.cluster.settle(kStoryLimit)) return;
    sim::Reply r;
    if (cell_.outcome == Outcome::rolled_back || cell_.outcome == Outcome::old_groups) {
      if (!run_.order(the_order(), &r, kStoryLimit)) return;
      if (!r.ok()) return run_.world.fail("a second try is refused: " + r.text("result"));
      if (!check_done()) return;
    }
    run_.world.run_for(kSecond);
    run_.calm([this] { return std::all_of(keepers_.begin(), keepers_.end(), [](auto& k) { return k->is_idle(); }); });
    simtest::check_rows(run_, rows_);
  }

  static inline Story* telling_ = nullptr;
  Cell cell_;
  std::string point_;
  ClusterRun run_;
  Rows rows_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  std::vector<sim::ProcessId> victims_;
  std::unique_ptr<sim::Reply> reply_;
  std::shared_ptr<const meta::Catalog> catalog_;
  std::uint64_t epoch_before_ = 0;
  bool lost_ = false;
};

}  // namespace

Cell parse_cell(const std::string& name) {
  std::string rest = name;
  Cell c;
  const int work = take<int, 3>(
      rest, {{{"creation of a node group", 0}, {"reorganisation, --resume-on-failure", 2}, {"reorganisation", 1}}},
      ": ");
  c.work = work == 0 ? Work::creation : Work::reorganisation;
  c.resume = work == 2;
  c.lost = take<Lost, 5>(rest,
                         {{{"an old node", Lost::old_node},
                           {"a new node", Lost::new_node},
                           {"all new nodes", Lost::new_nodes},
                           {"the master", Lost::master},
                           {"the whole cluster", Lost::everything}}},
                         " lost ");
  c.after = take<bool, 2>(rest, {{{"before", false}, {"after", true}}}, " the commit point: ");
  c.outcome = take<Outcome, 6>(rest,
                               {{{"goes on with its heir", Outcome::heir},
                                 {"goes on without them", Outcome::without_them},
                                 {"rolled back", Outcome::rolled_back},
                                 {"rolled forward", Outcome::rolled_forward},
                                 {"comes back on old groups", Outcome::old_groups},
                                 {"comes back on new groups", Outcome::new_groups}}},
                               "");
  if (!rest.empty()) FAIL("'" << rest << "' at the end of a cell's name");
  return c;
}

std::vector<std::string> fault_points(const Cell& c) {
  if (c.work == Work::creation) return {c.after ? "apply create node groups" : "append create node groups"};
  const std::string advance = "advance reorganisation ";
  // The last one before the commit point is the entry of the commit point itself, not committed yet.
  const std::string applied = "apply " + advance, last = "append " + advance + "switched";
  // While the master lives an entry that it has appended is decided.
  if (c.lost == Lost::new_nodes) {
    if (c.after) return {last, applied + "switched", applied + "cleaning"};
    return {applied + "doubling", applied + "copying", applied + "deciding"};
  }
  if (c.after) return {applied + "switched", applied + "settling", applied + "cleaning"};
  return {applied + "doubling", applied + "copying", applied + "deciding", last};
}

std::string tell(const Cell& cell, const std::string& point, unsigned seed) { return Story(cell, point, seed).tell(); }

}  // namespace ndb::scenario
