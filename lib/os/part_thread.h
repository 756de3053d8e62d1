// A thread that runs one env::Part on a loop of its own, beside the os::Loop that runs its machine. Parcels go through
// two queues with one putter and one taker each; each side rings the other's loop: the part's only when it sleeps, the
// machine's only once until it looks. Links that go with a parcel (env::Parcel::links) leave the machine's loop
// with it: from then on this thread alone receives and sends on them.
//
// Promises: parcels arrive whole, in order, in the thread that steps the receiver; the part is stepped by this thread
// only, from the first parcel to the destructor, which ends it after the step that runs; what is on its way then is
// lost, what was written on links is given a moment to leave. Requires: the part outlives the thread; give() and
// take() from the thread of the machine's loop.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "os/loop_impl.h"
#include "os/spsc_queue.h"

namespace ndb::os {

class PartThread {
 public:
  static constexpr std::size_t kParcelsMax = 64;  // on their way, in each direction
  PartThread(env::Part& part, Loop::Impl& machine_loop, const std::string& name);
  ~PartThread();
  PartThread(const PartThread&) = delete;
  PartThread& operator=(const PartThread&) = delete;

  struct Delivery {
    std::unique_ptr<env::Parcel> parcel;
    std::vector<std::unique_ptr<Link>> links;  // in the order of Parcel::links
  };
  bool give(Delivery& d);               // false: full
  std::unique_ptr<env::Parcel> take();  // nullptr: nothing there

  // --- for its loop, in the thread
  bool may_sleep();  // until somebody rings; false: something is there
  void take_in();
  void give_out();
  void number_back(env::LinkId id);

 private:
  void work();

  env::Part& part_;
  Loop::Impl& machine_loop_;
  Fd room_;  // rung when a full queue has been taken from
  SpscQueue<Delivery, kParcelsMax> in_;
  SpscQueue<std::unique_ptr<env::Parcel>, kParcelsMax> out_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> waits_for_room_{false};
  std::atomic<bool> ending_{false};
  Loop::Impl loop_;
  std::thread thread_;  // last: everything is there when it begins
};

}  // namespace ndb::os
