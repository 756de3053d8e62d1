// The threads of a machine's parts, and the loop between them.
#include <algorithm>
#include <poll.h>
#include <unistd.h>

#include "os/loop_impl.h"

namespace ndb::os {

namespace {
constexpr int kTurnsMax = 100;  // then the sockets have theirs
}

void Loop::Impl::start_parts() {
  if (!part_threads) part_wakes.assign(machine.parts(), kNever);
  if (!part_threads) return;
  for (std::size_t i = 0; i < machine.parts() && !exited; i++) {
    parts.push_back(std::make_unique<PartThread>(*machine.part(i), "worker " + std::to_string(i), [this] { ring(); }));
  }
}

void Loop::Impl::give_parcels() {
  for (std::size_t i = 0; i < parts.size() && !exited; i++) {
    while (std::unique_ptr<env::Parcel> parcel = machine.parcel_for(i)) {
      NDB_CHECK(parts[i]->give(parcel));  // the machine waits for answers before that many are on their way
    }
  }
}

void Loop::Impl::take_parcels() {
  for (std::size_t i = 0; i < parts.size(); i++) {
    for (std::size_t n = 0; n < PartThread::kParcelsMax && !exited; n++) {
      std::unique_ptr<env::Parcel> parcel = parts[i]->take();
      if (parcel == nullptr) break;
      deliver_parcel(i, std::move(parcel));
    }
  }
}

void Loop::Impl::deliver_parcel(std::size_t part, std::unique_ptr<env::Parcel> parcel) {
  env::Event e;
  e.kind = env::EventKind::parcel;
  e.tag = part;
  e.parcel = &parcel;
  deliver(e);
}

// Without threads. What they answer leaves together, in one frame a link.
void Loop::Impl::step_parts() {
  bool more = true;
  for (int turn = 0; turn < kTurnsMax && more && !exited; turn++) {
    more = false;
    for (std::size_t i = 0; i < part_wakes.size() && !exited; i++) {
      std::unique_ptr<env::Parcel> in = machine.parcel_for(i);
      const Time now = monotonic_now();
      if (in == nullptr && now < part_wakes[i]) continue;
      more = more || in != nullptr;
      std::unique_ptr<env::Parcel> out = machine.part(i)->step(now, std::move(in));
      part_wakes[i] = machine.part(i)->wake();
      if (out == nullptr) continue;
      more = true;
      deliver_parcel(i, std::move(out));
    }
  }
  if (more) outbox.wake_at(monotonic_now());
}

// They have more to do than they should: what sockets have waits for them, and so do their senders.
void Loop::Impl::wait_for_parts(Time sleep) {
  const Time most = std::min(sleep, 10 * kMillisecond);
  const timespec ts{most / kSecond, most % kSecond};
  pollfd p{waker.fd.get(), POLLIN, 0};
  ::ppoll(&p, 1, &ts, nullptr);
  std::uint64_t count = 0;
  [[maybe_unused]] auto n = ::read(waker.fd.get(), &count, sizeof count);
  run_posted();
  take_parcels();
}

}  // namespace ndb::os
