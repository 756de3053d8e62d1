// The real world of one machine: an os::Loop runs one env::Machine in one thread, on sockets, timers and signals.
//
// One round of the loop: wait (epoll) -> read every readable link once, at most limits::kReceiveBytes, and step the
// machine for every whole frame -> step the timer when it is due -> send: for every link that was written to, ONE
// frame and ONE system call. So the replies to everything that one round has read leave together, and a busy
// link costs two system calls a round (receive, send) plus one epoll_wait for all links, however many messages
// there are.
//
// Promises
//  * Events of one link come in order; link_up is its first, link_down its last, exactly once; a LinkId is given out
//    again only after that. A link that the machine closes delivers nothing more but link_down.
//  * close(): what was written before is still sent, in the background, for at most limits::kCloseFlush; link_down
//    comes at once. What is written to a link after close(), or to a link that is gone, is dropped.
//  * A damaged frame closes its link with a warning that names the peer; so does a peer that leaves more than
//    limits::kUnsentBytesMax unread. An accepted connection beyond limits::kLinksMax is closed with a warning.
//  * A frame's payload is split at message boundaries when a round wrote more than limits::kReceiveBytes to one
//    link; a message is never split. A message of more than limits::kFrameBytesMax closes the link.
//  * connect() never blocks: addresses are taken as they are, names are looked up on a thread; all addresses of a
//    name are tried. no_link.refused is set when every one answered "connection refused".
//  * An idle link costs a file descriptor and about 300 bytes; half a frame costs its bytes.
//  * The last wake_at of the machine holds: a step that states no wish cancels the timer. It comes within about
//    0.1 ms where the kernel has epoll_pwait2, else within a millisecond, plus the time of a round; never early.
//
// Requires: everything but post(), deliver_stored(), wake() and now() is called in the loop's thread (before run(),
// from inside the machine, or from a posted function). The machine outlives the loop.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/errors.h"
#include "base/ids.h"
#include "env/machine.h"
#include "os/log_sink.h"

namespace ndb::os {

struct LoopOptions {
  std::string log_path;                          // empty: stderr. Appended to; created with mode 0644.
  env::Severity log_from = env::Severity::info;  // less severe lines are dropped
  LogTimes log_times = LogTimes::utc;
  bool part_threads = true;  // each part of the machine has a thread; else they are stepped in turn, in the loop's
  bool real_time = false;    // these threads ask for real-time scheduling; the loop's own is its owner's
  std::string log_name;      // when set, every line carries it: "ndb-node 3"
};

class PartThread;

class Loop {
 public:
  Loop(env::Machine& machine, LoopOptions options = {});
  ~Loop();  // closes all links and listeners; delivers nothing more
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Accepts connections on this address; host empty = every address of this machine. The answer is the port, chosen
  // by the system when 0 was asked for. `text`: accepted links start as text links. Fails with Error::in_use or
  // os_failed.
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port, bool text);

  // Runs until the machine asks to exit; the answer is its exit status. The first round delivers EventKind::start.
  int run();
  // One round, which waits for at most max_wait (0 = not at all, kNever = as long as needed) for something to do.
  // False once the machine has asked to exit. For programs that are no servers: a client calls it until it has its
  // answer.
  bool run_once(Time max_wait);
  int exit_status() const;

  // Calls f in the loop's thread, soon. f may call step() and write to outbox(); the effects are carried out after
  // it. Thread-safe. In order with other posts and stored events of the same thread.
  void post(std::function<void()> f);
  // Queues an EventKind::stored. Thread-safe.
  void deliver_stored(std::uint64_t tag, int status);
  // Makes a run_once() that waits in another thread return. Thread-safe.
  void wake();

  // SIGTERM and SIGINT become EventKind::stop, each time; SIGPIPE is ignored. One loop of a process can have this.
  void stop_on_signals();
  // After run(): from now on they end the process. True: one came that the machine has not seen, so that a program that
  // wanted to start itself again should end instead.
  bool give_back_signals();

  // One step of the machine with an event of the caller's own, then its effects: for run_once() programs and posted
  // functions; never from inside the machine.
  void step(const env::Event& event);
  // What a posted function may write to without a step.
  env::Outbox& outbox();

  // Monotonic, from an arbitrary start; the same clock in all processes of one computer. Thread-safe.
  static Time now();

  void log(env::Severity severity, std::string_view text);  // a line in the log, as from the machine

  // Counted since the start; for benchmarks and reports.
  struct Counts {
    std::uint64_t rounds = 0;
    std::uint64_t receives = 0;  // system calls
    std::uint64_t sends = 0;     // system calls
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t links = 0;  // open now
  };
  Counts counts() const;

 private:
  friend class PartThread;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ndb::os
