// The disks under the workers of one data node: gives a MemoryDisk's orders their time, reports them to the process,
// and decides at its death what had reached the device.
#pragma once
#include <memory>
#include <vector>

#include "base/prng.h"
#include "sim/memory_disk.h"
#include "sim/world.h"

namespace ndb::sim {

class RowDisks {
 public:
  RowDisks(World& world, std::uint64_t seed, std::uint8_t workers, store::RedoLayout layout)
      : world_(world), prng_(seed) {
    for (std::uint8_t w = 0; w < workers; w++) disks_.push_back(std::make_unique<Device>(layout));
  }
  // The process that they belong to, before its first start. Call stepped() after each of its steps.
  void attach(ProcessId p) { process_ = p; }
  MemoryDisk& disk(std::size_t worker) { return disks_[worker]->disk; }
  std::vector<store::Disk*> disks() {
    std::vector<store::Disk*> all;
    for (auto& d : disks_) all.push_back(&d->disk);
    return all;
  }
  // While no process uses them.
  bool hold_rows() {
    bool any = false;
    for (auto& d : disks_) {
      const auto found = d->disk.list();
      any = any || !found.checkpoints.empty() || found.redo_end > found.redo_begin;
    }
    return any;
  }
  void stepped() {
    for (std::size_t w = 0; w < disks_.size(); w++) work(w);
  }
  void crashed(bool power) {
    round_++;
    for (auto& d : disks_) {
      d->busy = false;
      d->disk.crash(prng_, power);
    }
  }
  void wipe() {  // the files are gone
    crashed(true);
    for (auto& d : disks_) d->disk.wipe();
  }

 private:
  struct Device {
    explicit Device(store::RedoLayout layout) : disk(layout) {}
    MemoryDisk disk;
    bool busy = false;
  };
  void work(std::size_t w) {
    if (disks_[w]->busy || disks_[w]->disk.pending() == 0) return;
    disks_[w]->busy = true;
    world_.after(world_.draw_store_delay(process_), [this, w, life = world_.life(process_), round = round_] {
      if (round != round_) return;
      disks_[w]->busy = false;
      MemoryDisk::Completion c;
      if (disks_[w]->disk.complete(&c)) world_.stored_now(process_, life, c.tag, c.status);
      if (round == round_) work(w);
    });
  }

  World& world_;
  Prng prng_;
  std::vector<std::unique_ptr<Device>> disks_;
  ProcessId process_ = 0;
  std::uint64_t round_ = 0;
};

}  // namespace ndb::sim
