// A thread that steps one env::Part, beside the os::Loop that steps its machine. Parcels go through two queues with one
// putter and one taker each; an eventfd wakes the thread, Loop::wake() the loop, and only when they sleep.
//
// Promises: parcels arrive whole, in order, in the thread that steps the receiver; the part is stepped by this thread
// only, from the first parcel to the destructor, which ends it after the step that runs; what is on its way then is
// lost. Requires: the part outlives the thread; give() and take() from one thread.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "env/machine.h"
#include "os/files.h"
#include "os/spsc_queue.h"

namespace ndb::os {

class PartThread {
 public:
  static constexpr std::size_t kParcelsMax = 64;  // on their way, in each direction
  // `ring`: called in the thread when something has been put for take().
  PartThread(env::Part& part, const std::string& name, std::function<void()> ring);
  ~PartThread();
  PartThread(const PartThread&) = delete;
  PartThread& operator=(const PartThread&) = delete;

  bool give(std::unique_ptr<env::Parcel>& parcel);  // false: full
  std::unique_ptr<env::Parcel> take();              // nullptr: nothing there

 private:
  using Queue = SpscQueue<std::unique_ptr<env::Parcel>, kParcelsMax>;
  void work();
  void step(std::unique_ptr<env::Parcel> in);
  void sleep(Time until);
  void wait(Time until);
  void wake();

  env::Part& part_;
  std::function<void()> ring_;
  Fd waker_;
  Queue in_;
  Queue out_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;  // last: everything is there when it begins
};

}  // namespace ndb::os
