// The inside of the blocking API: one machine, one host, and a lock. Included by cluster.cc and its neighbours only.
//
// Whoever waits drives: the first thread that waits pumps the host for all; the others sleep until it has something for
// them or leaves. While a thread pumps, the machine is its own, and others reach it through Host::post().
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "client/cluster.h"

namespace ndb::client::detail {

// What became of a handle's last step: taken from the machine by whoever pumps.
struct Answer {
  bool ready = false;
  Error error = Error::ok;
  wire::TxnState state = wire::TxnState::open;
  TxnId id;
  std::uint16_t results = 0;
  Bytes bytes;  // in the machine, until the next send() or release()
};

class Core {
 public:
  Core(ClientOptions options, const MakeHost& make_host) : machine_(std::move(options)), host_(make_host(machine_)) {}

  Time now() { return host_->now(); }

  // Runs f(machine) when nobody else touches the machine, then sends what it gave the machine to do.
  template <class F>
  void with(F f) {
    std::unique_lock lock(mutex_);
    if (!pumping_) {
      f(machine_);
      if (!machine_.wants_flush()) return;
      host_->kick();
      collect();
      wake_the_answered();
      return;
    }
    bool done = false;
    host_->post([&] {
      std::lock_guard inner(mutex_);
      f(machine_);
      done = true;
    });
    wait_locked(lock, kNever, [&] { return done; });
  }

  // Waits until f() is true, evaluated when the machine is not being stepped; false: the time is over.
  template <class F>
  bool wait(Time deadline, F f) {
    std::unique_lock lock(mutex_);
    return wait_locked(lock, deadline, f);
  }

  // REQUIRES: inside with() or in a wait()'s condition.
  ClientMachine& machine() { return machine_; }

  Answer& answer(Handle h) {  // REQUIRES: as machine()
    if (h >= answers_.size()) answers_.resize(h + std::size_t{1});
    return answers_[h];
  }

 private:
  // Somebody who sleeps while another thread pumps; the pumping one looks whether it has what it waits for.
  struct Waiter {
    bool (*check)(void*);
    void* what;
    bool done = false;
    Waiter* next = nullptr;
    std::condition_variable changed{};  // of its own: an answer to one is no reason to wake all
  };
  void wake_the_answered() {
    for (Waiter* w = waiters_; w != nullptr; w = w->next) {
      if (w->done || !w->check(w->what)) continue;
      w->done = true;
      w->changed.notify_one();
    }
  }
  // Whoever it is may be on its way out already: then it calls the next one.
  void wake_a_driver() {
    for (Waiter* w = waiters_; w != nullptr; w = w->next) {
      if (w->done) continue;
      w->changed.notify_one();
      return;
    }
  }
  void leave(Waiter* me) {
    Waiter** p = &waiters_;
    while (*p != me) p = &(*p)->next;
    *p = me->next;
  }

  template <class F>
  bool wait_locked(std::unique_lock<std::mutex>& lock, Time deadline, F f) {
    if (!pumping_ && f()) return true;
    Waiter me{[](void* what) { return (*static_cast<F*>(what))(); }, &f};
    me.next = waiters_;
    waiters_ = &me;
    while (!me.done) {
      const Time now = host_->now();
      if (now >= deadline) break;
      if (pumping_) {
        const auto most = std::chrono::nanoseconds(std::min(deadline - now, kSecond));
        me.changed.wait_for(lock, most, [&] { return me.done || !pumping_; });
        continue;
      }
      pumping_ = true;
      lock.unlock();
      host_->pump(deadline - now);
      lock.lock();
      pumping_ = false;
      collect();
      wake_the_answered();
    }
    leave(&me);
    if (!pumping_) wake_a_driver();
    return me.done;
  }
  void collect() {
    while (const StepResult* r = machine_.take()) {
      Answer& a = answer(r->handle);
      a.ready = true;
      a.error = r->error;
      a.state = r->state;
      a.id = r->id;
      a.results = r->results;
      a.bytes = r->bytes;
    }
  }

  std::mutex mutex_;
  bool pumping_ = false;
  Waiter* waiters_ = nullptr;
  ClientMachine machine_;
  std::unique_ptr<Host> host_;
  std::vector<Answer> answers_;
};

}  // namespace ndb::client::detail
