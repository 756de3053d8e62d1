// os::Loop over loopback: a client and a server, one process each, frames of small messages.
//   ping-pong   one frame in flight: the latency of a round trip
//   pipelined   several frames in flight, as a busy client keeps them: messages per second, and what they cost in
//   system calls
// Arguments: messages in a frame, frames in flight.
#include <benchmark/benchmark.h>
#include <csignal>
#include <cstdlib>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/loop.h"
#include "wire/frame.h"

namespace {
using namespace ndb;
using env::Event;
using env::EventKind;
using env::Outbox;

constexpr std::size_t kBodyBytes = 40;

void put(Writer& w) {
  std::size_t at = wire::begin_message(w, std::uint16_t{1}, 0, 0);
  std::memset(w.extend(kBodyBytes), 'x', kBodyBytes);
  wire::end_message(w, at);
}

// Answers every message with one of the same size.
struct Server : env::Machine {
  void step(Time, const Event& e, Outbox& out) override {
    if (e.kind == EventKind::stop) out.exit(0);
    if (e.kind != EventKind::frame) return;
    Bytes rest = e.data;
    wire::Message m;
    bool damaged = false;
    Writer& w = out.link(e.link);
    while (wire::next_message(rest, &m, &damaged)) put(w);
  }
};

struct Client : env::Machine {
  std::uint16_t port;
  std::size_t burst;   // messages sent at once
  std::size_t flight;  // messages in flight
  std::uint64_t answered = 0;
  std::uint64_t sent = 0;
  Client(std::uint16_t p, std::size_t b, std::size_t f) : port(p), burst(b), flight(f) {}
  void step(Time, const Event& e, Outbox& out) override {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", port);
    if (e.kind == EventKind::frame) {
      Bytes rest = e.data;
      wire::Message m;
      bool damaged = false;
      while (wire::next_message(rest, &m, &damaged)) ++answered;
    }
    if (e.kind != EventKind::link_up && e.kind != EventKind::frame) return;
    Writer& w = out.link(e.link);
    while (sent - answered + burst <= flight) {
      for (std::size_t i = 0; i < burst; ++i) put(w);
      sent += burst;
    }
  }
};

void echo(benchmark::State& state) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  pid_t child = ::fork();
  if (child == 0) {
    Server server;
    os::Loop loop(server);
    loop.stop_on_signals();
    auto port = loop.listen("127.0.0.1", 0, false);
    if (::write(ends[1], &*port, sizeof *port) != sizeof *port) std::abort();
    loop.run();
    ::_exit(0);
  }
  std::uint16_t port = 0;
  if (::read(ends[0], &port, sizeof port) != sizeof port) std::abort();
  auto burst = static_cast<std::size_t>(state.range(0));
  Client client(port, burst, burst * static_cast<std::size_t>(state.range(1)));
  os::Loop loop(client);
  for (auto _ : state) {
    std::uint64_t goal = client.answered + 64 * client.flight;
    while (client.answered < goal) loop.run_once(kSecond);
  }
  auto c = loop.counts();
  auto answered = static_cast<double>(client.answered);
  state.counters["messages/s"] = benchmark::Counter(answered, benchmark::Counter::kIsRate);
  state.counters["syscalls/frame"] =
      static_cast<double>(c.receives + c.sends + c.rounds) / static_cast<double>(c.frames_out + c.frames_in);
  state.counters["messages/frame"] = answered / static_cast<double>(c.frames_in);
  ::kill(child, SIGTERM);
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
               static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
  state.counters["server_ns/message"] = cpu / answered;
  ::close(ends[0]);
  ::close(ends[1]);
}
BENCHMARK(echo)
    ->ArgNames({"burst", "frames"})
    ->Args({1, 1})
    ->Args({64, 1})
    ->Args({64, 4})
    ->Args({64, 16})
    ->UseRealTime();

}  // namespace
BENCHMARK_MAIN();
