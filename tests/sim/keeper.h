// Clients that keep rows: each puts, changes, removes and reads rows in ids of its own, so that it knows what each row
// must be. Law: every acknowledged row is there once, with its value, where the distribution says; nothing else is
// there.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster_run.h"

namespace ndb::simtest {

constexpr std::uint64_t kAbsent = 0;  // as a value

struct Rows {
  explicit Rows(ClusterRun& r) : run(r) {}
  ClusterRun& run;
  std::uint64_t next_value = 1;
  std::map<std::uint64_t, std::set<std::uint64_t>> may_be;  // id -> what it may be; no entry = absent
  std::uint64_t acked = 0, refused = 0, unknown = 0, reads = 0, scans = 0;
  std::uint64_t data_bytes = 40;  // of a row, at most
  bool durable = false;  // every change waits for its durable epoch: then the law holds across the loss of everything
};

class Keeper : public sim::Actor {
 public:
  // Rows first_id .. first_id + ids - 1, at most `lanes` transactions at a time, about `pause` between two.
  Keeper(Rows& rows, std::uint64_t seed, std::uint64_t first_id, std::uint64_t ids, std::size_t lanes, Time pause)
      : all_(rows), prng_(seed), first_(first_id), ids_(ids), lanes_(lanes), pause_(pause) {}

  Time act(Time now, client::ClientMachine& m) override;
  void answered(Time now, const client::StepResult& r, client::ClientMachine& m) override;
  void lost() override;
  bool is_idle() const;

 private:
  struct Change {
    std::uint64_t id, value;
    wire::Op op;
    std::set<std::uint64_t> before{};  // where the outcome is not known: what it may be without this change
  };
  struct Lane {
    bool busy = false, reads = false, in_doubt = false;
    std::vector<Change> changes;
    std::uint64_t read_id = 0;
    Time next = 0;
  };
  bool taken(std::uint64_t id) const;
  const std::set<std::uint64_t>& now_is(std::uint64_t id);
  void begin(std::size_t i, client::ClientMachine& m);
  Change draw(std::uint64_t id);  // what must succeed, as far as is known
  void give_up(Lane& l);
  void check_read(const Lane& l, const client::StepResult& r);
  void check_refusal(const Lane& l, const client::StepResult& r);
  std::string words(std::uint64_t id);
  std::string whereabouts(std::uint64_t id) const;

  Rows& all_;
  Prng prng_;
  std::uint64_t first_, ids_;
  std::vector<Lane> lanes_;
  Time pause_;
};

// At the end, in the quiet: compares table `t`, where it lies and what a scan finds, with what may be. Fails the world.
void check_rows(ClusterRun& run, Rows& rows);

}  // namespace ndb::simtest
