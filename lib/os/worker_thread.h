// A thread that runs closures one after the other, in order: for SQLite and fsync, which wait, beside a Loop, which
// must not. Completions come back to the loop as EventKind::stored or as a posted function.
//
// Promises: jobs run in the order of their submission and so do their completions arrive; the queue is bounded: a
// full one refuses. Requires: the loop outlives the thread; submit() from any thread.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/check.h"
#include "os/loop.h"

namespace ndb::os {

class WorkerThread {
 public:
  static constexpr std::size_t kJobsMax = 4096;
  WorkerThread(Loop& loop, std::string name, std::size_t jobs_max = kJobsMax);
  ~WorkerThread();  // runs what was queued, then ends
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // Runs job() on the thread; its answer becomes the status of a stored event with this tag (0 = durable). False:
  // full.
  [[nodiscard]] bool submit(std::uint64_t tag, std::function<int()> job);
  // Runs job() on the thread, then done() in the loop's thread. `done` may be empty. False: full.
  [[nodiscard]] bool submit(std::function<void()> job, std::function<void()> done);
  // Returns when everything submitted before has run (not: its completions delivered).
  void drain();
  std::size_t queued() const;

 private:
  void work();
  bool push(std::function<void()> job);

  Loop& loop_;
  const std::size_t jobs_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // the first one is running, its place empty
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace ndb::os
