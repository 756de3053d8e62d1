// What the tests of os::Loop share: a machine made of a function, a loop in a thread, and a blocking socket that
// knows nothing of the loop.
#pragma once
#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "os/loop.h"
#include "wire/frame.h"

namespace ndb::os {

using env::Event;
using env::EventKind;
using env::LinkId;
using env::Outbox;

// Records every event in words ("up 1", "down 1", "no_link 7 refused" ..) and then calls the test's function.
struct TestMachine : env::Machine {
  std::function<void(Time, const Event&, Outbox&)> on;
  std::vector<std::string> seen;
  std::vector<std::string> payloads;
  bool record_payloads = true;
  explicit TestMachine(std::function<void(Time, const Event&, Outbox&)> f = {}) : on(std::move(f)) {}
  void step(Time now, const Event& e, Outbox& out) override {
    std::string id = std::to_string(e.link);
    switch (e.kind) {
      case EventKind::start:
        seen.push_back("start");
        break;
      case EventKind::link_up:
        seen.push_back("up " + id + (e.text ? " text" : ""));
        break;
      case EventKind::link_down:
        seen.push_back("down " + id);
        break;
      case EventKind::no_link:
        seen.push_back("no_link " + std::to_string(e.tag) + (e.refused ? " refused" : ""));
        break;
      case EventKind::timer:
        seen.push_back("timer");
        break;
      case EventKind::stored:
        seen.push_back("stored " + std::to_string(e.tag) + " " + std::to_string(e.status));
        break;
      case EventKind::stop:
        seen.push_back("stop");
        break;
      case EventKind::parcel:
        break;
      case EventKind::frame:
      case EventKind::text:
        if (record_payloads) payloads.emplace_back(e.data);
        break;
    }
    if (on) on(now, e, out);
  }
  std::size_t count(const std::string& what) const {
    std::size_t n = 0;
    for (const auto& s : seen) n += s == what;
    return n;
  }
};

inline void put_message(Writer& w, Bytes body, std::uint16_t type = 1) {
  std::size_t at = wire::begin_message(w, type, 0, 0);
  w.raw(body);
  wire::end_message(w, at);
}

inline std::string message(Bytes body) {
  Writer w;
  put_message(w, body);
  return std::string(w.view());
}

inline std::string frame(Bytes payload, Epoch epoch = 0) {
  std::string f(wire::kFrameHeaderBytes, '\0');
  wire::seal_frame(f.data(), payload, epoch);
  return f.append(payload);
}

// Rounds until the condition holds; false after two seconds (asan is slow: ten).
template <class Condition>
bool turn(std::initializer_list<Loop*> loops, Condition done) {
  Time end = Loop::now() + 10 * kSecond;
  while (!done()) {
    if (Loop::now() > end) return false;
    for (Loop* l : loops) l->run_once(loops.size() > 1 ? 0 : kMillisecond);
  }
  return true;
}

// A loop that runs in a thread until the machine exits.
struct LoopThread {
  Loop& loop;
  std::thread thread;
  explicit LoopThread(Loop& l) : loop(l), thread([&l] { l.run(); }) {}
  ~LoopThread() { stop(); }
  void stop() {
    if (!thread.joinable()) return;
    loop.post([this] { loop.outbox().exit(0); });
    thread.join();
  }
};

struct Socket {
  int fd = -1;
  explicit Socket(std::uint16_t port) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
  }
  Socket(Socket&& o) noexcept : fd(o.fd), connected(o.connected) { o.fd = -1; }
  Socket(const Socket&) = delete;
  ~Socket() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  // Sends all; false when the peer is gone.
  bool send(Bytes b) {
    while (!b.empty()) {
      ssize_t n = ::send(fd, b.data(), b.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      b.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // Waits for at least one byte, at most five seconds; empty = end of file, reset or nothing came.
  std::string receive(std::size_t most = 65536) {
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, 5000) <= 0) return {};
    std::string s(most, '\0');
    ssize_t n = ::recv(fd, s.data(), most, 0);
    s.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return s;
  }
  std::string receive_exactly(std::size_t n) {
    std::string s;
    while (s.size() < n) {
      std::string part = receive(n - s.size());
      if (part.empty()) break;
      s += part;
    }
    return s;
  }
  bool at_end() { return receive().empty(); }
  bool connected = false;
};

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/ndb-os-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
};

}  // namespace ndb::os
