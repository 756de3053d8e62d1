// The head of a reorganisation: runs beside the leader of the metadata log and takes the running job from phase to
// phase. It keeps nothing that a new leader would need: the phase is in the catalog, and what was done in a phase is
// reported by the nodes again and again.
//
//   phase       entered when                                            left when
//   prepare     the job was accepted                                    barrier
//   doubling    every node writes twice from the next transaction on    barrier: no older transaction is open
//   copying                                                             every fragment's primary reports: copied
//   deciding                                                            ... reports: counts and checksums agree
//   ======== commit point: the log entry that enters `switched` ========
//   switched    reads and locks go to the new places                    barrier: no older transaction is open
//   settling    nobody begins to write to the old places                barrier: nobody writes there any more
//   cleaning                                                            every primary reports: cleaned
//   (finished)
//
// `switched` and the end wait, besides, until the epoch of what was written before them is durable: a cluster that
// loses all its power comes back with rows of the last durable epoch under the newest catalog, and they have to fit
// each other.
//
// A job that is rolled back and left copies in fragments that stay goes through `settling` and `cleaning`, too
// (meta/apply_reorg.cc).
//
// A failed report (memory full, copies differ) rolls the job back; above the line a change of leader does, too, unless
// the job was started with resume_on_failure (the log entry LeaderStarts sees to that). So does the loss of the last
// member of a group that is only copied to (NodeDown); a job to be resumed waits for limits::kTargetPatience.
#pragma once
#include <map>

#include "env/machine.h"
#include "meta/leader.h"
#include "meta/member.h"
#include "reorg/messages.h"

namespace ndb::reorg {

class Driver {
 public:
  // body of a job_report
  void on_report(Bytes body);
  void on_report(const JobReport& r);
  void step(Time now, meta::Member& member, const meta::Leader& leader, env::Outbox& out);

  // The epoch that has to become durable before the job goes on; 0 = none.
  Epoch durable_wanted() const { return durable_wanted_; }

  // Progress for people: rows moved in this phase, percent of the phase over all fragments.
  struct Progress {
    std::uint64_t job = 0;
    meta::Phase phase = meta::Phase::none;
    std::uint64_t rows_copied = 0;
    std::uint32_t percent = 0;
  };
  Progress progress(const meta::Catalog& c) const;

 private:
  struct Done {  // what the reports of the present phase come to
    bool all = false;
    Error error = Error::ok;
    std::uint64_t rows = 0;
    Epoch epoch = 0;
  };
  Done reported_done(const meta::Catalog& c, const meta::Table& t) const;
  void give_up(Time now, const meta::Catalog& catalog, const meta::Group& lost, const meta::Leader& leader,
               meta::Member& member, env::Outbox& out);

  std::map<NodeId, JobReport> reports_;
  meta::RequestId asked_;
  std::uint64_t job_ = 0;
  std::uint64_t rows_copied_ = 0;
  Time target_lost_ = kNever;  // the group that is copied to has had no member in sync since
  Epoch durable_wanted_ = 0;
};

}  // namespace ndb::reorg
