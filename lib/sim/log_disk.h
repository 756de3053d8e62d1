// The disk under one member of the metadata log: gives a MemoryLogStore's orders their time, reports them to the
// process, and decides at a crash which of the unreported ones had reached the disk.
#pragma once
#include "base/prng.h"
#include "sim/memory_log_store.h"
#include "sim/world.h"

namespace ndb::sim {

class LogDisk {
 public:
  LogDisk(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}
  MemoryLogStore& store() { return *store_; }
  // The process that the store belongs to, before its first start. Call stepped() after each of its steps.
  void attach(ProcessId p) { process_ = p; }
  void stepped() {
    if (busy_ || store_->pending() == 0) return;
    busy_ = true;
    world_.after(world_.draw_store_delay(process_), [this, life = world_.life(process_), round = round_] {
      if (round != round_) return;
      busy_ = false;
      MemoryLogStore::Completion c;
      if (!store_->complete(&c)) return;
      world_.stored_now(process_, life, c.tag, c.status);
      if (round == round_) stepped();
    });
  }
  // The process died: any number of the first orders survive.
  void crashed() {
    round_++;
    busy_ = false;
    store_->crash(prng_.below(store_->pending() + 1));
  }
  void wipe() {  // the files are gone
    crashed();
    store_ = std::make_unique<MemoryLogStore>();
  }

 private:
  World& world_;
  Prng prng_;
  std::unique_ptr<MemoryLogStore> store_ = std::make_unique<MemoryLogStore>();
  ProcessId process_ = 0;
  bool busy_ = false;
  std::uint64_t round_ = 0;
};

}  // namespace ndb::sim
