#include "os/part_thread.h"

#include <algorithm>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace ndb::os {

PartThread::PartThread(env::Part& part, const std::string& name, std::function<void()> ring)
    : part_(part), ring_(std::move(ring)), waker_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  NDB_CHECK(waker_);
  thread_ = std::thread([this] { work(); });
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

PartThread::~PartThread() {
  ending_.store(true);
  wake();
  thread_.join();
}

bool PartThread::give(std::unique_ptr<env::Parcel>& parcel) {
  if (!in_.put(parcel)) return false;
  if (asleep_.load(std::memory_order_seq_cst)) wake();
  return true;
}

std::unique_ptr<env::Parcel> PartThread::take() {
  std::unique_ptr<env::Parcel> parcel;
  out_.take(&parcel);
  return parcel;
}

void PartThread::wake() {
  asleep_.store(false);
  const std::uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(waker_.get(), &one, sizeof one);
}

// ---- in the thread

void PartThread::work() {
  Time due = kNever;
  while (!ending_.load()) {
    std::unique_ptr<env::Parcel> parcel;
    if (in_.take(&parcel) || monotonic_now() >= due) {
      step(std::move(parcel));
      due = part_.wake();
    } else {
      sleep(due);
    }
  }
}

void PartThread::step(std::unique_ptr<env::Parcel> in) {
  std::unique_ptr<env::Parcel> out = part_.step(monotonic_now(), std::move(in));
  if (out == nullptr) return;
  while (!out_.put(out)) {  // the loop is far behind: in a long step, after which it looks
    if (ending_.load()) return;
    ring_();
    wait(monotonic_now() + kMillisecond);
  }
  ring_();
}

// Until there is a parcel, or the time has come.
void PartThread::sleep(Time until) {
  asleep_.store(true, std::memory_order_seq_cst);
  if (in_.empty() && !ending_.load(std::memory_order_seq_cst)) wait(until);
  asleep_.store(false, std::memory_order_relaxed);
}

void PartThread::wait(Time until) {
  timespec ts{};
  if (until != kNever) {
    const Time left = std::max<Time>(until - monotonic_now(), 0);
    ts = {left / kSecond, left % kSecond};
  }
  pollfd p{waker_.get(), POLLIN, 0};
  ::ppoll(&p, 1, until == kNever ? nullptr : &ts, nullptr);
  std::uint64_t count = 0;
  [[maybe_unused]] auto n = ::read(waker_.get(), &count, sizeof count);
}

}  // namespace ndb::os
