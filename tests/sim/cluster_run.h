// What the workloads on whole clusters have in common: a world with a cluster, a table of ids and values, clients, and
// the two phases.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "store/row.h"
#include "workload.h"

namespace ndb::simtest {

inline constexpr Time kStartLimit = 30 * kSecond;   // without faults
inline constexpr Time kSettleLimit = 60 * kSecond;  // after calm
inline constexpr Time kClientLimit = 8 * kSecond;   // deadline of a transaction

// A table (id ubigint primary key, value ubigint, data varbinary(8000)), all not null; or with a unique index on the
// value, which may be null there: 0.
class TestTable {
 public:
  // Waits until the catalog has it; fails the world when it has not after some seconds.
  static std::string definition(const std::string& name, bool unique = false);
  bool find(const meta::Catalog& c, const std::string& name);
  TableId id() const { return id_; }
  std::string key(std::uint64_t id) const;
  std::uint64_t hash(Bytes key) const { return shape_.hash(key); }
  std::string image(std::uint64_t id, std::uint64_t value, Bytes data = {}) const;
  std::uint64_t id_of(Bytes image) const { return shape_.get(image, 0).u; }
  std::uint64_t value_of(Bytes image) const { return shape_.get(image, 1).u; }
  std::string data_of(Bytes image) const { return std::string(shape_.get(image, 2).bytes); }
  std::string patch(std::uint64_t value) const;  // of an update
  // Adds an operation on this row.
  void add(client::ClientMachine& m, client::Handle h, wire::Op op, std::uint64_t id) const;
  void put(client::ClientMachine& m, client::Handle h, wire::Op op, std::uint64_t id, std::uint64_t value,
           Bytes data = {}) const;

 private:
  TableId id_ = 0;
  store::RowShape shape_;
};

struct ClusterRun {
  sim::World world;
  Prng prng;
  sim::Cluster cluster;
  TestTable table;
  std::unique_ptr<sim::Nemesis> nemesis;
  bool quiet = false;  // actors begin nothing any more

  explicit ClusterRun(std::uint64_t seed);  // draws settings
  ClusterRun(std::uint64_t seed, const sim::ClusterSettings& settings);
  // Starts the cluster and makes table `t`, with a unique index when asked for. False: the world has failed.
  bool begin(bool unique = false);
  // Sends an order and waits for its answer.
  bool order(sim::Order o, sim::Reply* reply, Time limit);
  bool create_table(const std::string& name, bool unique = false);
  // Phase one, then phase two: faults for `lasts`, then calm, clients finish (idle() says when), the cluster is whole.
  void faults(Time lasts, const sim::NemesisOptions& options);
  void faults(Time lasts) { faults(lasts, cluster.nemesis_options()); }
  void calm(const std::function<bool()>& idle);
  // From now on, while it is not quiet, running processes are told again and again that leases are to be longer, or
  // shorter.
  void change_leases(std::uint64_t seed);
  // All rows by a scan of a fresh client, in the quiet. Fails the world when it cannot be had or finds a key twice.
  std::map<std::uint64_t, std::string> scan_all() { return scan_all(table); }
  std::map<std::uint64_t, std::string> scan_all(const TestTable& t);
  Verdict verdict(const std::string& note);
};

// Draws the length of phase one.
Time draw_length(Prng& prng);

}  // namespace ndb::simtest
