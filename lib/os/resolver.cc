#include "os/resolver.h"

#include <algorithm>
#include <arpa/inet.h>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <ifaddrs.h>
#include <map>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <thread>
#include <utility>

#include "env/limits.h"
#include "os/files.h"

namespace ndb::os {
namespace {

sockaddr_in& v4(SocketAddress& a) { return *reinterpret_cast<sockaddr_in*>(&a.storage); }
sockaddr_in6& v6(SocketAddress& a) { return *reinterpret_cast<sockaddr_in6*>(&a.storage); }
const sockaddr_in& v4(const SocketAddress& a) { return *reinterpret_cast<const sockaddr_in*>(&a.storage); }
const sockaddr_in6& v6(const SocketAddress& a) { return *reinterpret_cast<const sockaddr_in6*>(&a.storage); }

}  // namespace

bool parse_address(const std::string& host, std::uint16_t port, SocketAddress* a) {
  *a = SocketAddress{};
  if (::inet_pton(AF_INET, host.c_str(), &v4(*a).sin_addr) == 1) {
    v4(*a).sin_family = AF_INET;
    v4(*a).sin_port = htons(port);
    a->length = sizeof(sockaddr_in);
    return true;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &v6(*a).sin6_addr) == 1) {
    v6(*a).sin6_family = AF_INET6;
    v6(*a).sin6_port = htons(port);
    a->length = sizeof(sockaddr_in6);
    return true;
  }
  return false;
}

std::string host_text(const SocketAddress& a) {
  char text[INET6_ADDRSTRLEN] = "unknown";
  if (a.family() == AF_INET) ::inet_ntop(AF_INET, &v4(a).sin_addr, text, sizeof text);
  if (a.family() == AF_INET6) {
    const in6_addr& x = v6(a).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&x))
      ::inet_ntop(AF_INET, &x.s6_addr[12], text, sizeof text);
    else
      ::inet_ntop(AF_INET6, &x, text, sizeof text);
  }
  return text;
}

std::string address_text(const SocketAddress& a) {
  if (a.family() != AF_INET && a.family() != AF_INET6) return "unknown";
  const std::string host = host_text(a);
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port_of(a));
}

std::uint16_t port_of(const SocketAddress& a) {
  if (a.family() == AF_INET) return ntohs(v4(a).sin_port);
  if (a.family() == AF_INET6) return ntohs(v6(a).sin6_port);
  return 0;
}

void set_port(SocketAddress* a, std::uint16_t port) {
  if (a->family() == AF_INET) v4(*a).sin_port = htons(port);
  if (a->family() == AF_INET6) v6(*a).sin6_port = htons(port);
}

bool same_address(const SocketAddress& a, const SocketAddress& b) {
  if (a.family() != b.family() || port_of(a) != port_of(b)) return false;
  if (a.family() == AF_INET) return v4(a).sin_addr.s_addr == v4(b).sin_addr.s_addr;
  return a.family() == AF_INET6 && std::memcmp(&v6(a).sin6_addr, &v6(b).sin6_addr, sizeof(in6_addr)) == 0;
}

Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port) {
  std::vector<SocketAddress> found(1);
  if (parse_address(host, port, &found[0])) return found;
  found.clear();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  int e = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (e != 0) return Failure{Error::os_failed, "cannot find host '" + host + "': " + ::gai_strerror(e)};
  for (addrinfo* i = list; i != nullptr; i = i->ai_next) {
    if (i->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress a;
    std::memcpy(&a.storage, i->ai_addr, i->ai_addrlen);
    a.length = i->ai_addrlen;
    set_port(&a, port);
    bool known = false;
    for (const SocketAddress& b : found) known = known || same_address(a, b);
    if (!known) found.push_back(a);
  }
  ::freeaddrinfo(list);
  if (found.empty()) return Failure{Error::os_failed, "cannot find host '" + host + "': it has no address"};
  return found;
}

std::vector<SocketAddress> own_addresses() {
  std::vector<SocketAddress> own;
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) != 0) return own;
  for (const ifaddrs* i = interfaces; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SocketAddress a;
    a.length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&a.storage, i->ifa_addr, a.length);
    set_port(&a, 0);
    own.push_back(a);
  }
  ::freeifaddrs(interfaces);
  return own;
}

bool is_own(const std::vector<SocketAddress>& addresses, const std::vector<SocketAddress>& own) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const SocketAddress& a) {
    if (a.family() == AF_INET && ntohl(v4(a).sin_addr.s_addr) >> 24 == 127) return true;
    return std::any_of(own.begin(), own.end(), [&](const SocketAddress& b) { return same_address(a, b); });
  });
}

// Shared with the thread, which may outlive the Resolver by one look-up.
struct Resolver::State {
  struct Question {
    std::string host;
    std::uint16_t port;
    Time deadline;
    Answer answer;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Question> questions;
  bool ending = false;

  static void work(const std::shared_ptr<State>& s) {
    std::unique_lock lock(s->mutex);
    while (true) {
      s->changed.wait(lock, [&] { return s->ending || !s->questions.empty(); });
      if (s->ending) return;
      Question q = std::move(s->questions.front());
      s->questions.pop_front();
      std::vector<SocketAddress> found;
      if (monotonic_now() < q.deadline) {
        lock.unlock();
        auto r = look_up(q.host, q.port);
        if (r) found = std::move(*r);
        lock.lock();
        if (s->ending) return;
      }
      q.answer(std::move(found));  // under the lock, so that it never runs after the destructor
    }
  }
};

Resolver::Resolver() : state_(std::make_shared<State>()) {
  std::thread([s = state_] { State::work(s); }).detach();
}

Resolver::~Resolver() {
  std::lock_guard lock(state_->mutex);
  state_->ending = true;
  state_->questions.clear();
  state_->changed.notify_all();
}

void Resolver::ask(std::string host, std::uint16_t port, Time deadline, Answer answer) {
  std::lock_guard lock(state_->mutex);
  state_->questions.push_back({std::move(host), port, deadline, std::move(answer)});
  state_->changed.notify_all();
}

// Shared with answers that are still to come.
struct HostTable::State {
  struct Host {
    bool asked = false;  // an answer is to come
    bool known = false;
    Time since = 0;
    std::vector<std::string> addresses;
  };
  std::mutex mutex;
  std::map<std::string, Host> hosts;
  std::function<void()> changed;
  Time fresh = 0;

  void answer(const std::string& host, std::vector<SocketAddress> found) {
    const std::vector<SocketAddress> own = own_addresses();
    if (is_own(found, own)) found.insert(found.end(), own.begin(), own.end());
    std::lock_guard lock(mutex);
    Host& h = hosts[host];
    h.addresses.clear();
    for (const SocketAddress& a : found) h.addresses.push_back(host_text(a));
    h.asked = false;
    h.known = true;
    h.since = monotonic_now();
  }
};

HostTable::HostTable(std::function<void()> changed, Time fresh) : state_(std::make_shared<State>()) {
  state_->changed = std::move(changed);
  state_->fresh = fresh;
}

HostTable::~HostTable() = default;

std::optional<std::vector<std::string>> HostTable::addresses(const std::string& host) {
  const Time now = monotonic_now();
  bool ask = false;
  {
    std::lock_guard lock(state_->mutex);
    State::Host& h = state_->hosts[host];
    if (h.known && now - h.since < state_->fresh) return h.addresses;
    ask = !std::exchange(h.asked, true);
  }
  if (ask) {  // without the lock: answers come under the resolver's, and take this one
    resolver_.ask(host, 0, now + limits::kConnectTimeout, [s = state_, host](std::vector<SocketAddress> found) {
      s->answer(host, std::move(found));
      s->changed();
    });
  }
  return std::nullopt;
}

}  // namespace ndb::os
