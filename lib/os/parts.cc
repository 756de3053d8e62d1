// The threads of a machine's parts, and the loop between them.
#include <algorithm>
#include <poll.h>
#include <unistd.h>

#include "os/part_thread.h"

namespace ndb::os {

namespace {
constexpr int kTurnsMax = 100;  // then the sockets have theirs
}

void Loop::Impl::start_parts() {
  if (!options.part_threads) part_outboxes.resize(machine.parts());
  if (!options.part_threads) return;
  for (std::size_t i = 0; i < machine.parts() && !exited; i++) {
    parts.push_back(std::make_unique<PartThread>(*machine.part(i), *this, "worker " + std::to_string(i)));
  }
}

void Loop::Impl::give_parcels() {
  for (std::size_t i = 0; i < parts.size() && !exited; i++) {
    while (std::unique_ptr<env::Parcel> parcel = machine.parcel_for(i)) {
      PartThread::Delivery d;
      for (env::LinkId id : parcel->links) d.links.push_back(give_away(id));
      d.parcel = std::move(parcel);
      NDB_CHECK(parts[i]->give(d));  // the machine waits for answers before that many are on their way
    }
  }
}

// What this loop has received of it, and not sent yet, goes along. Its number stays taken.
std::unique_ptr<Link> Loop::Impl::give_away(env::LinkId id) {
  NDB_CHECK(find(id) != nullptr && !links[id]->text && outbox.slot(id).bytes.empty());
  NDB_CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, links[id]->fd.get(), nullptr) == 0);
  outbox.slot(id).unsent = 0;
  return std::move(links[id]);
}

void Loop::Impl::number_back(env::LinkId id) {
  --link_count;
  free_ids.push(id);
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
    for (std::size_t i = 0; i < part_outboxes.size() && !exited; i++) {
      env::Outbox& out = part_outboxes[i];
      std::unique_ptr<env::Parcel> in = machine.parcel_for(i);
      const Time now = monotonic_now();
      if (in == nullptr && now < out.wake) continue;
      NDB_CHECK(in == nullptr || in->links.empty());
      more = more || in != nullptr;
      env::Event e;
      e.kind = in != nullptr ? env::EventKind::parcel : env::EventKind::timer;
      e.parcel = &in;
      out.begin_step();
      machine.part(i)->step(now, e, out);
      std::unique_ptr<env::Parcel> back = machine.part(i)->parcel();
      if (back == nullptr) continue;
      more = true;
      deliver_parcel(i, std::move(back));
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
