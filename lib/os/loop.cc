#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/part_thread.h"

namespace ndb::os {
namespace {

constexpr std::size_t kEventsMax = 256;  // epoll events taken in one round
constexpr Time kExitFlush = kSecond;     // an ending process gives its peers this long to take the last bytes
constexpr std::size_t kFlushEarly = limits::kReceiveBytes / 2;  // so that the peer can start on a long answer

std::atomic<int> g_signal_fd{-1};

void on_signal(int) {
  int saved = errno;
  int fd = g_signal_fd.load();
  std::uint64_t one = 1;
  if (fd >= 0) [[maybe_unused]]
    auto n = ::write(fd, &one, sizeof one);
  errno = saved;
}

Fd make_eventfd() {
  Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  NDB_CHECK(fd);
  return fd;
}

}  // namespace

Loop::Impl::Impl(env::Machine& m, const LoopOptions& o, PartThread* up)
    : machine(m),
      log(o.log_path, o.log_name, o.log_from, o.log_times),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      waker(SourceKind::waker, make_eventfd()),
      spare(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      links(1),
      scratch(std::make_unique_for_overwrite<char[]>(2 * limits::kReceiveBytes)),
      events(kEventsMax),
      upstream(up),
      options(o) {
  NDB_CHECK(epoll);
  started = upstream != nullptr;
  watch(waker, EPOLL_CTL_ADD, EPOLLIN);
}

Loop::Impl::~Impl() {
  parts.clear();
  resolver.reset();
  give_back_signals();
}

// Afterwards they end the process again, as if nobody had asked for them. True: one came that no step has seen.
bool Loop::Impl::give_back_signals() {
  if (!signals) return false;
  sigset_t both, before;
  ::sigemptyset(&both);
  ::sigaddset(&both, SIGTERM);
  ::sigaddset(&both, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &both, &before);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
  g_signal_fd.store(-1);
  std::uint64_t count = 0;
  const bool unseen = ::read(signals->fd.get(), &count, sizeof count) == sizeof count;
  signals.reset();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return unseen;
}

void Loop::Impl::watch(Source& s, int operation, std::uint32_t interest) {
  epoll_event e{};
  e.events = interest;
  e.data.ptr = &s;
  NDB_CHECK(::epoll_ctl(epoll.get(), operation, s.fd.get(), &e) == 0);
}

void Loop::Impl::bury(std::unique_ptr<Source> s) {
  s->dead = true;
  s->fd.reset();  // epoll forgets it
  graveyard.push_back(std::move(s));
}

void Loop::Impl::warn_sometimes(const std::string& text) {
  Time t = monotonic_now();
  if (t - last_warning < kSecond) return;
  last_warning = t;
  log.add(env::Severity::warning, text);
}

// --- one round

bool Loop::Impl::round(Time max_wait) {
  NDB_CHECK(!in_round);
  if (exited) return false;
  in_round = true;
  if (!started) {
    started = true;
    env::Event e;
    e.kind = env::EventKind::start;
    deliver(e);
    start_parts();
    settle();
  }
  if (!exited) {
    Time until = outbox.wake < next_deadline ? outbox.wake : next_deadline;
    for (const env::Outbox& o : part_outboxes) until = o.wake < until ? o.wake : until;
    wait(until, upstream == nullptr || upstream->may_sleep() ? max_wait : 0);
    if (upstream != nullptr) upstream->take_in();
  }
  Time t = monotonic_now();
  if (!exited && t >= next_deadline) expire(t);
  if (!exited && t >= outbox.wake) {
    env::Event e;
    e.kind = env::EventKind::timer;
    deliver(e);
  }
  settle();
  log.flush();
  if (exited) {
    parts.clear();
    drain_before_exit();
  }
  graveyard.clear();
  ++counts.rounds;
  in_round = false;
  return !exited;
}

void Loop::Impl::wait(Time until, Time max_wait) {
  Time sleep = max_wait;
  if (until != kNever) {
    Time left = until - monotonic_now();
    if (left < 0) left = 0;
    if (left < sleep) sleep = left;
  }
  if (outbox.hold_input && !parts.empty()) {
    wait_for_parts(sleep);
    return;
  }
  int n = 0;
  if (sleep > 0 && sleep != kNever && precise_wait) {
    timespec ts{sleep / kSecond, sleep % kSecond};
    n = ::epoll_pwait2(epoll.get(), events.data(), kEventsMax, &ts, nullptr);
    if (n < 0 && errno == ENOSYS) {
      precise_wait = false;
      n = 0;
    }
  } else {
    int ms = -1;
    if (sleep != kNever) {
      Time rounded = sleep / kMillisecond + (sleep % kMillisecond != 0 ? 1 : 0);  // never early
      ms = static_cast<int>(rounded < 1000000 ? rounded : 1000000);
    }
    n = ::epoll_wait(epoll.get(), events.data(), kEventsMax, ms);
  }
  for (int i = 0; i < n && !exited && !outbox.hold_input; ++i) dispatch(events[static_cast<std::size_t>(i)]);
}

void Loop::Impl::dispatch(const epoll_event& e) {
  auto& s = *static_cast<Source*>(e.data.ptr);
  if (s.dead) return;
  std::uint64_t count = 0;
  switch (s.kind) {
    case SourceKind::waker: {
      [[maybe_unused]] auto n = ::read(s.fd.get(), &count, sizeof count);
      run_posted();
      take_parcels();
      break;
    }
    case SourceKind::signals: {
      if (::read(s.fd.get(), &count, sizeof count) != sizeof count) break;
      for (; count > 0 && !exited; --count) {
        env::Event stop;
        stop.kind = env::EventKind::stop;
        deliver(stop);
      }
      break;
    }
    case SourceKind::listener:
      on_listener(static_cast<Listener&>(s));
      break;
    case SourceKind::dial:
      on_dial(static_cast<Dial&>(s));
      break;
    case SourceKind::link:
      on_link(static_cast<Link&>(s), e.events);
      break;
  }
}

// --- steps and effects

void Loop::Impl::deliver(const env::Event& event) {
  step_once(event);
  run_due();
}

void Loop::Impl::run_due() {
  while (!due.empty() && !exited) {
    Due d = due.front();
    due.pop_front();
    env::Event e;
    e.kind = d.kind;
    e.link = d.link;
    e.tag = d.tag;
    e.refused = d.refused;
    step_once(e);
    if (d.kind == env::EventKind::link_down) {
      outbox.slot(d.link).bytes.clear();
      if (upstream != nullptr)
        upstream->number_back(d.link);
      else
        free_ids.push(d.link);
    }
  }
}

void Loop::Impl::step_once(const env::Event& event) {
  outbox.begin_step();
  machine.step(monotonic_now(), event, outbox);
  carry_out();
}

void Loop::Impl::carry_out() {
  for (auto& [severity, text] : outbox.logs) log.add(severity, text);
  outbox.logs.clear();
  for (const auto& u : outbox.upgrades) apply_upgrade(u);
  outbox.upgrades.clear();
  for (auto& c : outbox.connects) connect(std::move(c));
  outbox.connects.clear();
  for (env::LinkId id : outbox.closes) {
    if (Link* l = find(id)) {
      flush_link(id);
      if (find(id) == l) end(*l, Why::asked);
    }
  }
  outbox.closes.clear();
  for (env::LinkId id : outbox.touched()) {
    if (outbox.slot(id).bytes.size() >= kFlushEarly) flush_link(id);
  }
  if (outbox.exit_wanted) exited = true;
}

void Loop::Impl::apply_upgrade(const env::Outbox::Upgrade& u) {
  Link* l = find(u.link);
  if (l == nullptr || !l->text) return;
  flush_link(u.link);
  if (find(u.link) != l) return;
  l->text = false;
  upgrade_consumed = u.consumed;
}

void Loop::Impl::flush_touched() {
  auto& touched = outbox.touched();
  for (env::LinkId id : touched) {
    outbox.slot(id).touched = false;
    flush_link(id);
  }
  touched.clear();
}

void Loop::Impl::settle() {
  step_parts();
  flush_touched();
  while (!due.empty() && !exited) {
    run_due();
    step_parts();
    flush_touched();
  }
  give_parcels();
  if (upstream != nullptr) upstream->give_out();
}

// --- from other threads

void Loop::Impl::post(std::function<void()> f, std::uint64_t tag, int status) {
  {
    std::lock_guard lock(posted_mutex);
    posted.push_back({std::move(f), tag, status});
  }
  ring();
}

void Loop::Impl::ring() {
  if (rung.exchange(true)) return;  // the loop has not looked yet since somebody rang
  std::uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(waker.fd.get(), &one, sizeof one);
}

void Loop::Impl::run_posted() {
  rung.store(false);
  {
    std::lock_guard lock(posted_mutex);
    posted_now.swap(posted);
  }
  for (Posted& p : posted_now) {
    if (exited) break;
    if (p.f) {
      p.f();
      carry_out();
      run_due();
    } else {
      env::Event e;
      e.kind = env::EventKind::stored;
      e.tag = p.tag;
      e.status = p.status;
      deliver(e);
    }
  }
  posted_now.clear();
}

// --- time

void Loop::Impl::expire(Time now) {
  next_deadline = kNever;
  for (std::size_t i = dials.size(); i-- > 0;) {
    if (dials[i]->deadline <= now) {
      give_up(*dials[i]);
    } else {
      note_deadline(dials[i]->deadline);
    }
  }
  for (std::size_t i = lingering.size(); i-- > 0;) {
    if (lingering[i]->deadline <= now) {
      bury_lingering(*lingering[i]);
    } else {
      note_deadline(lingering[i]->deadline);
    }
  }
  run_due();
}

// The last bytes of the last step are worth waiting for: they say how things ended.
void Loop::Impl::drain_before_exit() {
  Time deadline = monotonic_now() + kExitFlush;
  while (monotonic_now() < deadline) {
    bool left = false;
    auto look = [&](std::vector<std::unique_ptr<Link>>& all) {
      for (auto& l : all) {
        if (!l || l->dead || l->unsent() == 0) continue;
        ssize_t n = ::send(l->fd.get(), l->pending.data() + l->sent, l->unsent(), MSG_NOSIGNAL);
        if (n > 0) l->sent += static_cast<std::size_t>(n);
        if (n < 0 && errno != EAGAIN && errno != EINTR) l->sent = l->pending.size();
        left = left || l->unsent() > 0;
      }
    };
    look(links);
    look(lingering);
    if (!left) break;
    timespec pause{0, 1000000};
    ::nanosleep(&pause, nullptr);
  }
}

// --- the public face

Loop::Loop(env::Machine& machine, LoopOptions options) : impl_(std::make_unique<Impl>(machine, options)) {}
Loop::~Loop() = default;

Result<std::uint16_t> Loop::listen(const std::string& host, std::uint16_t port, bool text) {
  return impl_->listen(host, port, text);
}

int Loop::run() {
  while (impl_->round(kNever)) {
  }
  return exit_status();
}

bool Loop::run_once(Time max_wait) { return impl_->round(max_wait); }
int Loop::exit_status() const { return impl_->outbox.exit_status; }
void Loop::post(std::function<void()> f) {
  NDB_CHECK(f);
  impl_->post(std::move(f), 0, 0);
}
void Loop::deliver_stored(std::uint64_t tag, int status) { impl_->post({}, tag, status); }
void Loop::wake() { impl_->ring(); }

void Loop::stop_on_signals() {
  NDB_CHECK(!impl_->signals && g_signal_fd.load() < 0);
  impl_->signals = std::make_unique<Source>(SourceKind::signals, make_eventfd());
  impl_->watch(*impl_->signals, EPOLL_CTL_ADD, EPOLLIN);
  g_signal_fd.store(impl_->signals->fd.get());
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool Loop::give_back_signals() { return impl_->give_back_signals(); }

void Loop::step(const env::Event& event) {
  if (impl_->exited) return;
  impl_->deliver(event);
  if (impl_->in_round) return;  // the round sends
  impl_->settle();
  impl_->log.flush();
  if (!impl_->exited) return;
  impl_->parts.clear();
  impl_->drain_before_exit();
}

env::Outbox& Loop::outbox() { return impl_->outbox; }
Time Loop::now() { return monotonic_now(); }

void Loop::log(env::Severity severity, std::string_view text) {
  impl_->log.add(severity, text);
  if (!impl_->in_round) impl_->log.flush();
}

Loop::Counts Loop::counts() const {
  Counts c = impl_->counts;
  c.links = impl_->link_count;
  return c;
}

}  // namespace ndb::os
