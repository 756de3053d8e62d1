// A worker and its mover, and the two small classes that let them work together without knowing each other.
#pragma once
#include "node/node.h"

namespace ndb::node {

constexpr std::uint64_t kMemoryDefault = std::uint64_t{98} << 20;  // bytes, of a node that was told nothing

struct Node::Unit : reorg::Rows, reorg::Mover::Sender {
  Unit(txn::WorkerOptions o, Node& n) : node(n), options(o), worker(o), mover(o.node, o.worker, *this, *this) {
    worker.row_moved = [this](FragmentRef to, std::uint64_t tag, bool ok) { mover.on_row_moved(to, tag, ok); };
    worker.row_locked = [this](FragmentRef f, std::uint32_t hold, bool ok, Bytes image, Bytes key, std::uint64_t hash) {
      mover.on_row_locked(f, hold, ok, image, key, hash);
    };
  }
  // reorg::Rows
  bool leads(FragmentRef f) const override { return worker.leads(f); }
  reorg::Taken take(FragmentRef from, FragmentId to, std::uint64_t cursor, std::size_t rows_max, Writer& w) override {
    txn::Worker::RowsTaken t = worker.take_rows(from, to, cursor, rows_max, w);
    return {t.part, t.next, t.rows, t.waiting, t.again};
  }
  void release(std::uint32_t hold) override {
    if (hold != 0) worker.release_rows(hold);
  }
  bool lock_again(FragmentRef from, Bytes key, std::uint64_t hash) override {
    return worker.lock_row(from, key, hash);
  }
  Error put(FragmentRef to, Bytes changes, std::uint64_t tag) override { return worker.put_rows(to, changes, tag); }
  std::uint64_t history(FragmentRef from, std::uint64_t cursor, Writer& w) const override {
    return worker.history(from, cursor, w);
  }
  Error put_history(FragmentRef to, Bytes outcomes, std::uint64_t tag) override {
    return worker.put_history(to, outcomes, tag);
  }
  std::uint64_t drop(FragmentRef from, std::uint64_t cursor, std::size_t rows_max, std::uint32_t* dropped,
                     bool* busy) override {
    return worker.drop_rows(from, cursor, rows_max, dropped, busy);
  }
  bool freeze(FragmentRef f, std::uint16_t lo, std::uint16_t hi) override { return worker.freeze(f, lo, hi); }
  bool quiet(FragmentRef f, std::uint16_t lo, std::uint16_t hi) override {
    return worker.caught_up(f) && worker.quiet_in(f, lo, hi);
  }
  store::BucketSum sum(FragmentRef f, std::uint16_t bucket) const override {
    txn::Replica* r = worker.replica(f);
    return r == nullptr ? store::BucketSum{} : r->rows.bucket_sum(bucket);
  }
  Sequence appended(FragmentRef f) const override { return worker.appended(f); }
  bool shown(FragmentRef f, Sequence upto) const override { return worker.shown(f, upto); }
  Epoch epoch() const override { return node.epoch_; }
  std::uint64_t served() const override { return worker.counters().reads + worker.counters().writes; }
  // reorg::Mover::Sender
  bool reachable(NodeId n) const override { return n == node.options_.node || node.peers_.link_of(n) != 0; }
  Writer& to(NodeId n) override {
    return n == node.options_.node ? node.self_ : node.out_->link(node.peers_.link_of(n));
  }

  Node& node;
  txn::WorkerOptions options;
  txn::Worker worker;
  reorg::Mover mover;
};

}  // namespace ndb::node
