// A whole cluster in a simulated world: management servers, data nodes, clients and an operator. Each process is the
// real machine of the product on simulated links, clocks and disks.
//
// Hosts: m1.. (management, text port 1186), n1.. (data nodes, port 2202), c1.. (clients), op.
// Node ids: data nodes 1.., management servers 145.., so that all fit any number of spares.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgmt/server.h"
#include "node/node.h"
#include "sim/client_process.h"
#include "sim/log_disk.h"
#include "sim/metadata_checks.h"
#include "sim/nemesis.h"
#include "sim/operator.h"
#include "sim/row_disks.h"
#include "sim/world.h"

namespace ndb::sim {

struct ClusterSettings {
  std::uint32_t management = 1;
  std::uint32_t replicas = 2;
  std::uint32_t groups = 1;  // node groups of the first start
  std::uint32_t spares = 0;  // data nodes with NodeGroup=65536
  std::uint8_t workers = 1;
  bool worker_links = false;  // several workers: each takes clients on links of its own
  std::uint32_t lock_wait_ms = 300;
  bool diskless = false;              // rows in memory only: a group lives as long as one of its members
  std::uint32_t redo_files = 4;       // of a worker's redo log: NoOfFragmentLogFiles
  std::uint32_t redo_file_kib = 256;  // and FragmentLogFileSize, without the header
  std::uint32_t epoch_ms = 2000;      // TimeBetweenGlobalCheckpoints
  static ClusterSettings draw(Prng& prng);
};

class Cluster {
 public:
  Cluster(World& world, std::uint64_t seed, ClusterSettings settings);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Starts every process and waits for the first start of the cluster, fault-free: false (and the world has failed)
  // when it takes longer than `limit`.
  bool start(Time limit);
  ProcessId add_client(Actor& actor, Time deadline);
  Operator& op() { return *operator_; }  // lives as long as the cluster: nothing kills the operator
  ProcessId operator_process() const { return operator_process_; }

  const ClusterSettings& settings() const { return settings_; }
  const std::vector<ProcessId>& management() const { return management_; }
  const std::vector<ProcessId>& data() const { return data_; }  // data()[i] is node i + 1
  const std::vector<ProcessId>& clients() const { return clients_; }
  std::uint32_t data_nodes() const { return settings_.groups * settings_.replicas + settings_.spares; }
  node::Node* data_node(NodeId id) const;       // nullptr: it does not run
  mgmt::Server* server(std::uint32_t i) const;  // from 0
  // The newest catalog that any process has.
  std::shared_ptr<const meta::Catalog> newest() const;
  // Runs, and is in sync by the newest catalog in its present incarnation.
  bool serves(NodeId id) const;
  // Every data node of a group (and, once it was in sync, every spare) serves, every process has the newest catalog.
  bool healthy() const;
  std::string describe() const;

  // For the nemesis: no group loses its last member. With it go rows that were acknowledged: all of them without disks,
  // what is later than the durable epoch with them.
  bool may(Fault f, ProcessId p) const;
  // Processes that hold the rows of `p` and serve; *lonely: there are none, and its rows count.
  std::vector<ProcessId> heirs(ProcessId p, bool* lonely) const;
  NemesisOptions nemesis_options() const;
  // The same where laws know of durability: with disks, groups and whole clusters may lose all their members.
  NemesisOptions ruthless_options();
  // Kills a data node and removes its files; who starts it again starts it anew. Only while another member of its group
  // is sure to have the rows on its disk: false, and nothing happens, when none is.
  bool lose_files(NodeId id);
  bool log_survives_loss(NodeId id);
  std::uint64_t restarts() const { return restarts_; }      // of the whole cluster from its disks
  Epoch restored_epoch() const { return restored_epoch_; }  // by the last of them

  // Waits until the cluster is healthy and no log holds an entry whose effect is still to come; fails the world after
  // `limit`.
  bool settle(Time limit);
  // In the quiet: every row where the distribution says and nowhere else, all replicas of a fragment equal. Fails the
  // world. The answer is the number of rows of this table in primaries.
  std::uint64_t check_rows(const std::string& table);
  // Every replica that holds the row with this key, for the words of a failure.
  std::string whereabouts(TableId table, Bytes key, std::uint64_t hash) const;
  MetadataChecks& metadata() { return checks_; }

 private:
  static std::string members_of(const meta::Log& log);
  struct Files : mgmt::ConfigFiles {
    Result<std::string> read(const std::string& path) override {
      return Failure{Error::os_failed, "no such file: " + path};
    }
  };
  struct Process {
    std::unique_ptr<LogDisk> disk;
    std::unique_ptr<RowDisks> rows;  // of a data node that is not diskless
    std::uint32_t incomplete = 0;    // its files were lost, and what it got since is not durable yet
    std::uint32_t settled = 0;  // epochs that became durable while it served: what it was filled with is on its disk
    std::uint64_t raft_id = 0;
    const meta::Catalog* seen = nullptr;
    std::shared_ptr<const meta::Catalog> keep;  // so that `seen` is not used for another one
    std::string last_words;
  };
  void add_management(std::uint32_t i);
  void add_data(NodeId id);
  ProcessSpec spec_for(std::string name, std::string host, std::uint16_t port, bool text);
  void stepped(ProcessId p);
  void lost(ProcessId p, bool power);
  void look_for_restarts(const meta::Catalog& c);
  void exited(ProcessId p, int status);
  std::uint64_t raft_id(ProcessId p);
  std::string config_text() const;
  bool check_fragment(const meta::Catalog& c, const meta::Table& t, FragmentId f, std::uint64_t* rows);
  const meta::Member* member_of(ProcessId p) const;  // nullptr: it does not run
  bool all_applied() const;

  World& world_;
  Prng prng_;
  ClusterSettings settings_;
  MetadataChecks checks_;
  Files files_;
  std::vector<ProcessId> management_, data_, clients_;
  std::vector<Process> processes_;  // by ProcessId; clients have none of it
  View restart_seen_ = 0;
  Epoch durable_seen_ = 0;
  std::uint64_t restarts_ = 0;
  Epoch restored_epoch_ = 0;
  Operator* operator_ = nullptr;
  ProcessId operator_process_ = 0;
};

}  // namespace ndb::sim
