// A worker with its mover: everything of a node that touches rows. The only unit of a node is stepped by the node, in
// its thread; several are parts (env/machine.h), spoken to by parcels (parcel.h) and by clients on links of their own.
//
// One step: begin, then words and messages in order, then run.
#pragma once
#include <memory>
#include <string>

#include "node/parcel.h"
#include "reorg/mover.h"
#include "txn/worker.h"

namespace ndb::node {

class Unit final : public env::Part, private reorg::Rows, private reorg::Mover::Sender {
 public:
  explicit Unit(txn::WorkerOptions options);
  void attach_disk(store::Disk& disk, const store::DiskIdentity& identity, std::uint64_t life) {
    worker_.attach_disk(disk, identity, life);
  }
  const txn::Worker& worker() const { return worker_; }

  // --- in the node's thread
  void begin(Time now, Epoch epoch, env::Outbox& out);
  void set_epoch(Epoch epoch);
  void obey(const Word& w);
  // A few messages at once, so that their rows are fetched together.
  static constexpr std::size_t kRun = 16;
  void take(const wire::Message* m, std::size_t n, env::LinkId link, NodeId from);
  void run();
  // The state after it; what is news of the rest. Details only when they are asked for, or are due and wanted.
  void tell(FromUnit* r, bool details = true);

  // --- as a part
  void step(Time now, const env::Event& event, env::Outbox& out) override;
  std::unique_ptr<env::Parcel> parcel() override;
  Time wake() const;

 private:
  void run_loopback();
  void disk_progress();
  void epoch_progress();
  void take_all(Bytes payload, env::LinkId link, NodeId from);
  void tell_status(Status* s) const;
  void tell_details(Details* d) const;
  void tell_job(FromUnit* r);
  std::string fragments_text() const;
  // unit_part.cc
  bool owns(env::LinkId link) const { return link < own_.size() && own_[link].here; }
  void hear(ToUnit& words);
  void client_came(const Word& w);
  void client_left(env::LinkId link);
  void take_foreign(Bytes payload, env::LinkId link);
  void check_clients();
  FromUnit& next();
  void collect();
  void forget_output(env::LinkId link);
  // reorg::Rows
  bool leads(FragmentRef f) const override { return worker_.leads(f); }
  reorg::Taken take(FragmentRef from, FragmentId to, std::uint64_t cursor, std::size_t rows_max, Writer& w) override {
    txn::Worker::RowsTaken t = worker_.take_rows(from, to, cursor, rows_max, w);
    return {t.part, t.next, t.rows, t.waiting, t.again};
  }
  void release(std::uint32_t hold) override {
    if (hold != 0) worker_.release_rows(hold);
  }
  bool lock_again(FragmentRef from, Bytes key, std::uint64_t hash) override {
    return worker_.lock_row(from, key, hash);
  }
  Error put(FragmentRef to, Bytes changes, std::uint64_t tag) override { return worker_.put_rows(to, changes, tag); }
  std::uint64_t history(FragmentRef from, std::uint64_t cursor, Writer& w) const override {
    return worker_.history(from, cursor, w);
  }
  Error put_history(FragmentRef to, Bytes outcomes, std::uint64_t tag) override {
    return worker_.put_history(to, outcomes, tag);
  }
  std::uint64_t drop(FragmentRef from, std::uint64_t cursor, std::size_t rows_max, std::uint32_t* dropped,
                     bool* busy) override {
    return worker_.drop_rows(from, cursor, rows_max, dropped, busy);
  }
  bool freeze(FragmentRef f, std::uint16_t lo, std::uint16_t hi) override { return worker_.freeze(f, lo, hi); }
  bool quiet(FragmentRef f, std::uint16_t lo, std::uint16_t hi) override {
    return worker_.caught_up(f) && worker_.quiet_in(f, lo, hi);
  }
  store::BucketSum sum(FragmentRef f, std::uint16_t bucket) const override {
    txn::Replica* r = worker_.replica(f);
    return r == nullptr ? store::BucketSum{} : r->rows.bucket_sum(bucket);
  }
  Sequence appended(FragmentRef f) const override { return worker_.appended(f); }
  bool shown(FragmentRef f, Sequence upto) const override { return worker_.shown(f, upto); }
  Epoch epoch() const override { return epoch_; }
  std::uint64_t served() const override { return worker_.counters().reads + worker_.counters().writes; }
  // reorg::Mover::Sender
  bool reachable(NodeId n) const override { return n == options_.node || links_[n] != 0; }
  Writer& to(NodeId n) override { return n == options_.node ? self_ : out_->link(links_[n]); }

  txn::WorkerOptions options_;
  txn::Worker worker_;
  reorg::Mover mover_;
  std::shared_ptr<const meta::Catalog> catalog_;
  env::LinkId links_[256] = {};  // of data nodes

  Time now_ = 0;
  Epoch epoch_ = 1;
  env::Outbox* out_ = nullptr;
  Writer self_;  // messages to this node's workers
  Writer self_swap_;
  Writer others_;  // of these, to other ones

  std::uint64_t state_ = 0;  // as the node sees itself
  bool joining_ = false;     // it fills replicas
  wire::EpochStep epoch_step_ = wire::EpochStep::enter;
  Epoch epoch_closing_ = 0;
  std::uint64_t epoch_number_ = 0, epoch_done_ = 0;
  bool epoch_flushing_ = false;
  std::uint64_t reports_ = 0, reports_told_ = 0;
  Time next_details_ = 0;
  reorg::JobReport job_;

  // as a part
  struct Own {
    bool here = false;
    NodeId api_node = 0;
  };
  std::vector<Own> own_;  // by link: those whose sockets are ours
  std::uint32_t own_links_ = 0;
  std::size_t collected_ = 0;  // of the outbox's touched links: these are our own
  std::uint64_t heard_ = 0;
  Status told_;
  std::unique_ptr<FromUnit> next_;  // the next parcel, as far as it is known
  std::vector<std::unique_ptr<FromUnit>> spare_;
};

}  // namespace ndb::node
