#include "os/part_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/real_time.h"

namespace ndb::os {

PartThread::PartThread(env::Part& part, Loop::Impl& machine_loop, const std::string& name)
    : part_(part),
      machine_loop_(machine_loop),
      room_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      loop_(part, machine_loop.options, this) {
  NDB_CHECK(room_);
  thread_ = std::thread([this] { work(); });
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

PartThread::~PartThread() {
  ending_.store(true);
  loop_.ring();
  const std::uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(room_.get(), &one, sizeof one);
  thread_.join();
}

bool PartThread::give(Delivery& d) {
  if (!in_.put(d)) return false;
  if (asleep_.load(std::memory_order_seq_cst)) loop_.ring();
  return true;
}

std::unique_ptr<env::Parcel> PartThread::take() {
  std::unique_ptr<env::Parcel> parcel;
  if (out_.take(&parcel) && waits_for_room_.exchange(false)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(room_.get(), &one, sizeof one);
  }
  return parcel;
}

// ---- in the thread

void PartThread::work() {
  if (loop_.options.real_time) (void)set_real_time(true);  // refused: so it was to the owner, who says so
  while (!ending_.load()) loop_.round(kNever);
  loop_.drain_before_exit();
}

bool PartThread::may_sleep() {
  asleep_.store(true, std::memory_order_seq_cst);
  return in_.empty();
}

void PartThread::take_in() {
  asleep_.store(false, std::memory_order_relaxed);
  Delivery d;
  while (in_.take(&d)) {
    for (auto& link : d.links) loop_.take_over(std::move(link));
    loop_.deliver_parcel(0, std::move(d.parcel));
  }
}

void PartThread::give_out() {
  std::unique_ptr<env::Parcel> parcel = part_.parcel();
  if (parcel == nullptr) return;
  while (!out_.put(parcel)) {  // the machine's loop is far behind: in a long step, after which it looks
    waits_for_room_.store(true);
    if (out_.put(parcel)) break;
    if (ending_.load()) return;
    machine_loop_.ring();
    pollfd p{room_.get(), POLLIN, 0};
    ::poll(&p, 1, -1);
    std::uint64_t count = 0;
    [[maybe_unused]] auto n = ::read(room_.get(), &count, sizeof count);
  }
  waits_for_room_.store(false, std::memory_order_relaxed);
  machine_loop_.ring();
}

void PartThread::number_back(env::LinkId id) {
  machine_loop_.post([&loop = machine_loop_, id] { loop.number_back(id); }, 0, 0);
}

}  // namespace ndb::os
