#include "os/worker_thread.h"

#include <pthread.h>

namespace ndb::os {

WorkerThread::WorkerThread(Loop& loop, std::string name, std::size_t jobs_max)
    : loop_(loop), jobs_max_(jobs_max), thread_([this] { work(); }) {
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

WorkerThread::~WorkerThread() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool WorkerThread::push(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    NDB_CHECK(!ending_);
    if (jobs_.size() >= jobs_max_) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return true;
}

bool WorkerThread::submit(std::uint64_t tag, std::function<int()> job) {
  return push([this, tag, work = std::move(job)] { loop_.deliver_stored(tag, work()); });
}

bool WorkerThread::submit(std::function<void()> job, std::function<void()> done) {
  return push([this, work = std::move(job), then = std::move(done)]() mutable {
    work();
    if (then) loop_.post(std::move(then));
  });
}

void WorkerThread::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.empty(); });
}

std::size_t WorkerThread::queued() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

void WorkerThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());  // its place stays taken while it runs
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    jobs_.pop_front();
    if (jobs_.empty()) changed_.notify_all();
  }
}

}  // namespace ndb::os
