#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/loop_impl.h"

namespace ndb::os {
namespace {

constexpr int kBacklog = 1024;

// A listening socket, or errno in *error.
Fd open_listener(SocketAddress a, bool both_families, int* error) {
  Fd fd(::socket(a.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int on = 1;
  int only_v6 = both_families ? 0 : 1;
  bool ok = static_cast<bool>(fd) && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  if (ok && a.family() == AF_INET6) {
    ok = ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) == 0;
  }
  ok = ok && ::bind(fd.get(), a.get(), a.length) == 0 && ::listen(fd.get(), kBacklog) == 0;
  if (ok) return fd;
  *error = errno;
  return Fd();
}

SocketAddress address_of(int fd, bool peer) {
  SocketAddress a;
  a.length = sizeof a.storage;
  int e = peer ? ::getpeername(fd, a.get(), &a.length) : ::getsockname(fd, a.get(), &a.length);
  if (e != 0) a = SocketAddress{};
  return a;
}

}  // namespace

Result<std::uint16_t> Loop::Impl::listen(const std::string& host, std::uint16_t port, bool text) {
  std::vector<SocketAddress> addresses;
  if (host.empty()) {  // every address: one socket for both families, or, without IPv6, for IPv4
    addresses.resize(2);
    parse_address("::", port, &addresses[0]);
    parse_address("0.0.0.0", port, &addresses[1]);
  } else {
    auto found = look_up(host, port);
    if (!found) return found.failure();
    addresses = std::move(*found);
  }
  int error = 0;
  std::uint16_t bound = 0;
  for (SocketAddress& a : addresses) {
    if (bound != 0 && host.empty()) break;
    if (bound != 0) set_port(&a, bound);
    int e = 0;
    Fd fd = open_listener(a, host.empty(), &e);
    if (!fd) {
      if (error == 0 || e == EADDRINUSE) error = e;
      continue;
    }
    if (bound == 0) bound = port_of(address_of(fd.get(), false));
    listeners.push_back(std::make_unique<Listener>(std::move(fd), text));
    watch(*listeners.back(), EPOLL_CTL_ADD, EPOLLIN);
  }
  if (bound != 0) return bound;
  Failure f = os_failure("listen on", (host.empty() ? "*" : host) + ":" + std::to_string(port), error);
  if (error == EADDRINUSE) f.error = Error::in_use;
  return f;
}

void Loop::Impl::on_listener(Listener& listener) {
  for (std::size_t i = 0; i < limits::kAcceptsPerRound && !exited; ++i) {
    SocketAddress a;
    a.length = sizeof a.storage;
    Fd fd(::accept4(listener.fd.get(), a.get(), &a.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno != EMFILE && errno != ENFILE) return;  // nobody there any more, or gone again
      // Unless the caller is taken from the queue, the listener stays ready for ever.
      spare.reset();
      Fd turned_away(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      turned_away.reset();
      spare = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      warn_sometimes("turned a connection away: this process has no file descriptor left");
      return;
    }
    if (full()) {
      warn_sometimes("turned a connection from " + address_text(a) + " away: " + std::to_string(limits::kLinksMax) +
                     " are open");
      continue;
    }
    adopt(std::move(fd), listener.text, address_text(a), 0);
  }
}

// --- connecting

void Loop::Impl::connect(env::Outbox::Connect wish) {
  auto owned = std::make_unique<Dial>(std::move(wish));
  Dial& d = *owned;
  d.number = ++dial_number;
  d.deadline = monotonic_now() + limits::kConnectTimeout;
  note_deadline(d.deadline);
  dials.push_back(std::move(owned));
  SocketAddress a;
  if (parse_address(d.wish.host, d.wish.port, &a)) {
    d.addresses.push_back(a);
    try_next(d);
    return;
  }
  if (!resolver) resolver = std::make_unique<Resolver>();
  resolver->ask(d.wish.host, d.wish.port, d.deadline, [this, number = d.number](std::vector<SocketAddress> found) {
    post([this, number, f = std::move(found)]() mutable { answer(number, std::move(f)); }, 0, 0);
  });
}

void Loop::Impl::answer(std::uint64_t number, std::vector<SocketAddress> found) {
  for (auto& d : dials) {
    if (d->number != number) continue;
    d->addresses = std::move(found);
    if (d->addresses.empty()) {
      warn_sometimes("cannot find host '" + d->wish.host + "'");
      d->all_refused = false;
    }
    try_next(*d);
    return;
  }
}

// Starts a connection to the next address; when there is none left, no_link comes in the next round (a machine that
// tries again at once must not keep this round from ending).
void Loop::Impl::try_next(Dial& d) {
  d.fd.reset();
  while (d.next < d.addresses.size()) {
    const SocketAddress& a = d.addresses[d.next++];
    d.fd = Fd(::socket(a.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (d.fd && (::connect(d.fd.get(), a.get(), a.length) == 0 || errno == EINPROGRESS)) {
      watch(d, EPOLL_CTL_ADD, EPOLLOUT);
      return;
    }
    d.all_refused = d.all_refused && errno == ECONNREFUSED;
    d.fd.reset();
  }
  d.exhausted = true;
  d.deadline = 0;
  note_deadline(0);
}

void Loop::Impl::on_dial(Dial& d) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(d.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  SocketAddress peer = address_of(d.fd.get(), true);
  // A port of the range that the system chooses from, with nobody listening, may connect to itself.
  if (error == 0 && same_address(peer, address_of(d.fd.get(), false))) error = ECONNREFUSED;
  if (error == 0 && full()) {
    warn_sometimes("closed a connection to " + address_text(peer) + ": " + std::to_string(limits::kLinksMax) +
                   " are open");
    error = EMFILE;
  }
  if (error != 0) {
    d.all_refused = d.all_refused && error == ECONNREFUSED;
    try_next(d);
    return;
  }
  NDB_CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, d.fd.get(), nullptr) == 0);
  Fd fd = std::move(d.fd);
  env::Outbox::Connect wish = std::move(d.wish);
  for (auto& p : dials) {
    if (p.get() != &d) continue;
    std::unique_ptr<Dial> owned = std::move(p);
    p = std::move(dials.back());
    dials.pop_back();
    bury(std::move(owned));
    break;
  }
  adopt(std::move(fd), wish.text, address_text(peer), wish.tag);
}

void Loop::Impl::give_up(Dial& d) {
  due.push_back({env::EventKind::no_link, 0, d.wish.tag, d.exhausted && d.all_refused});
  for (auto& p : dials) {
    if (p.get() != &d) continue;
    std::unique_ptr<Dial> owned = std::move(p);
    p = std::move(dials.back());
    dials.pop_back();
    bury(std::move(owned));
    return;
  }
  NDB_CHECK(false);
}

}  // namespace ndb::os
