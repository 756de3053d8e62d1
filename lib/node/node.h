// A data node: one member of the metadata log, the links to its peers, the services that run beside a leader, and W
// units, a worker with its mover each (docs/ARCHITECTURE.md). One unit is stepped here; several are parts (unit.h).
//
//   frame in -> messages to worker kControl: here
//            -> messages to worker w: its unit: reorg::Mover, else txn::Worker
//
// Life: hear of the log's leader -> ask to be let in (NodeJoins) -> fill the replicas from their primaries -> ask to be
// in sync (NodeInSync) -> serve -> leave (NodeDown). A node that finds itself declared dead ends with kExitRestart: its
// rows are stale, it has to come back as a node restart.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/machine.h"
#include "meta/epochs.h"
#include "meta/leader.h"
#include "meta/live.h"
#include "meta/member.h"
#include "meta/peers.h"
#include "node/parcel.h"
#include "node/unit.h"
#include "reorg/driver.h"

namespace ndb::node {

// Exit status of the process's machine; what an angel does with them is in ndb-node(8).
inline constexpr int kExitStop = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitRestart = 2;
inline constexpr int kExitRestartInitial = 4;
inline constexpr int kExitThenWait = 8;  // added to a restart: the next life waits for a start order

inline constexpr std::uint64_t kMemoryDefault = std::uint64_t{98} << 20;  // bytes, of a node that was told nothing

struct NodeOptions {
  NodeId node = 0;
  std::uint64_t raft_id = 0;
  std::uint64_t seed = 0;
  std::vector<meta::Peers::Server> servers;  // management servers to begin with
  std::string address;                       // where other processes reach our port
  std::uint16_t port = 0;
  std::uint8_t workers = 1;
  bool worker_links = false;       // several workers have threads: each takes clients on links of its own
  std::uint64_t memory_bytes = 0;  // 0 = DataMemory of the configuration
  store::Memory::Ahead memory_ahead;
  std::uint64_t disk_cluster = 0;   // whose files these are
  std::vector<store::Disk*> disks;  // one for each worker, or none: rows in memory only
  bool has_rows = false;            // the disks hold something
  std::vector<NodeId> nowait;       // a start of the cluster does not wait for these
  bool nostart = false;             // wait for a start order before asking to be let in
  Time start_failure = kNever;      // a start that takes so long is given up
};

class Node : public env::Machine {
 public:
  Node(meta::LogStore& store, NodeOptions options);
  ~Node() override;
  void step(Time now, const env::Event& event, env::Outbox& out) override;
  std::size_t parts() const override { return alone() ? 0 : desks_.size(); }
  env::Part* part(std::size_t i) override { return desks_[i].unit.get(); }
  std::unique_ptr<env::Parcel> parcel_for(std::size_t part) override;

  // For tests, reports and the simulator's checks.
  const meta::Member& member() const { return member_; }
  const meta::Leader& leader() const { return leader_; }
  const reorg::Driver& driver() const { return driver_; }
  std::size_t workers() const { return desks_.size(); }
  const txn::Worker& worker(std::size_t i) const;
  bool in_sync() const;
  bool stopping() const { return stop_ != Stop::no; }

 private:
  // What we know of a unit and have for it.
  struct Desk {
    std::unique_ptr<Unit> unit;
    Status status;
    Details details;
    reorg::JobReport job;
    bool job_news = false;
    std::uint64_t reports = 0;  // answered
    std::string fragments;
    // of a part
    std::unique_ptr<ToUnit> next;
    std::vector<std::unique_ptr<ToUnit>> spare;
    std::vector<std::unique_ptr<FromUnit>> empties;
    Epoch told_epoch = 0;
    unsigned under_way = 0;  // parcels without an answer
  };
  static constexpr unsigned kUnderWayMax = 2;  // one in work, one waiting; the next one grows meanwhile
  static constexpr std::size_t kEmptiesMax = 8;
  struct Asked {  // for a report
    env::LinkId link = 0;
    WorkerId from = 0;
    std::uint32_t request = 0;
    std::uint64_t number = 0;
  };
  enum class Stop : std::uint8_t { no, draining, leaving, gone };

  void on_frame(const env::Event& event);
  NodeId sender(env::LinkId link) const;  // the data node behind it; 0 = it is none
  void dispatch(Bytes payload, env::LinkId link, NodeId from);
  void on_control(const wire::Message& m, env::LinkId link, NodeId from);
  // units.cc
  bool alone() const { return desks_.size() == 1; }
  void make_units();
  void begin_unit();
  void run_unit();
  void look_at_unit();
  ToUnit& next_for(Desk& d);
  void tell(Desk& d, const Word& w);
  std::uint64_t tell_all(const Word& w);  // the mark that tells when all have heard
  bool heard(std::uint64_t mark) const;
  void pass_on(const wire::Message& m, env::LinkId link, NodeId from);
  void on_parcel(const env::Event& event);
  void accept(Desk& d, FromUnit& r);
  void send_pieces(const FromUnit& r);
  void client_changed(const meta::Peers::Change& c);
  void raise_epoch(Epoch e);
  void tell_state();
  Version version() const;
  void on_peer_changes();
  void relay(const meta::Member::Send& s);
  void drain_member();
  void on_catalog();
  void apply_config();
  void set_live(const std::string& text);
  void heartbeat();
  void extend_lease(Time until);
  void job_reports();
  void on_epoch_order(const wire::EpochOrder& o);
  void epoch_progress();
  void disk_progress();
  bool serves(const meta::Node& peer);
  void give_up_files();
  bool recovered() const;
  void send_epoch_orders();
  void report_epoch();
  Epoch filled_epoch() const;  // see Worker
  void join();
  void check_own_state();
  void on_order(const wire::Message& m, env::LinkId link);
  void send_reports();
  void begin_stop(int status, bool forced);
  void continue_stop();
  void log(env::Severity s, std::string text) {
    out_->log(s, "node " + std::to_string(options_.node) + ": " + std::move(text));
  }
  View oldest_open() const;
  void describe_start(wire::Heartbeat* h);
  void give_up_start();
  Epoch restored() const;
  bool group_lost() const;
  bool group_lost(GroupId g) const;
  std::string report_text() const;

  NodeOptions options_;
  meta::Member member_;
  meta::Peers peers_;
  meta::Leader leader_;
  reorg::Driver driver_;
  meta::EpochClock epochs_;
  std::vector<Desk> desks_;
  std::shared_ptr<const meta::Catalog> catalog_;

  Time now_ = 0;
  env::Outbox* out_ = nullptr;
  FromUnit only_;                          // of the unit that is stepped here
  std::uint64_t mark_ = 0;                 // of the last word to all units
  std::vector<std::uint64_t> link_since_;  // by link: the mark of its peer's Hello
  std::uint64_t state_told_ = 0;
  std::uint64_t memory_told_ = 0;
  bool look_again_ = false;  // a unit has begun to be filled
  std::vector<Asked> asked_;
  std::uint64_t reports_asked_ = 0;

  Time next_heartbeat_ = 0;
  Version told_version_ = 0;
  View told_open_ = 0;
  Epoch told_wanted_ = 0;
  Time next_report_ = 0;
  Time serve_until_ = 0;

  enum class Life : std::uint8_t { waiting, asking, joined } life_ = Life::waiting;
  meta::RequestId join_request_;
  Time next_join_ = 0;
  std::uint32_t incarnation_ = 0;
  meta::RequestId sync_request_;
  bool was_in_sync_ = false;
  bool start_wanted_ = true;
  Time start_until_ = 0;  // StartFailureTimeout; 0 = the start has not begun

  Epoch epoch_ = 1;
  wire::EpochOrder epoch_order_;  // under way
  bool epoch_order_open_ = false;
  std::uint64_t epoch_number_ = 0;  // of the order, for the units

  Stop stop_ = Stop::no;
  int stop_status_ = kExitStop;
  bool stop_forced_ = false;
  Epoch stop_epoch_ = 0;         // to be durable before the node leaves
  std::uint64_t stop_mark_ = 0;  // the units take nothing new
  bool stop_heard_ = false;
  bool lease_returned_ = false;
  std::uint64_t lease_mark_ = 0;  // ... and serve nobody
  Time stop_deadline_ = kNever;
  meta::RequestId stop_request_;
  std::string cluster_waits_;  // why the cluster cannot be started yet, in the leader's words
  std::uint32_t cluster_waits_s_ = 0;
  Time in_vain_since_ = kNever;           // that was first heard
  bool cluster_in_vain_ = false;          // somebody's rows are in no files any more
  std::map<NodeId, Time> said_to_serve_;  // by the catalog alone, since then
  bool damaged_ = false;                  // our files are, so that no start can use them
  std::string stage_;                     // what the node does of its start, since when, and how far it was then
  Time stage_since_ = 0;
  int stage_from_ = 0;
  std::uint64_t config_generation_ = 0;  // applied here
  meta::LiveValues live_;
};

}  // namespace ndb::node
