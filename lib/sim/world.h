// A simulated world: processes, their clocks, the network between them and their stores, in one thread, in virtual
// time, from one seed. Everything that happens is an event of one queue, ordered by (time, sequence).
//
//   World world(seed);
//   ProcessId a = world.add({.name = "mgmd 1", .host = "m1", .ports = {{1186, true}}, .make = ...});
//   world.start(a);
//   world.run_for(5 * kSecond);
//   if (world.failed()) ...
//
// A process is a factory for a machine; what survives its death belongs to whoever wrote the factory. Each process has
// a clock of its own (offset and drift) and is told only that.
//
// Promises: the same seed and the same calls give the same trace hash. A machine is stepped never twice at once, never
// while paused, never after its death. Costs: about half a microsecond an event beside what the machine does.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/machine.h"
#include "sim/network.h"
#include "sim/trace.h"

namespace ndb::sim {

struct StartInfo {
  ProcessId process = 0;
  std::uint32_t life = 0;  // 1 = the first start
  std::uint64_t seed = 0;  // different in every process and every start
};

struct ProcessSpec {
  std::string name{};
  std::string host{};
  struct Port {
    std::uint16_t port = 0;
    bool text = false;
  };
  std::vector<Port> ports{};  // it listens on these as long as it runs
  std::function<std::unique_ptr<env::Machine>(const StartInfo&)> make{};
  // After a kill, the machine being gone already: what was not durable may vanish now.
  std::function<void(bool power_lost)> lost{};
  // The machine asked to exit; it is gone already.
  std::function<void(int status)> exited{};
  // After each step and its effects: looks at the machine, hands orders to stores.
  std::function<void()> stepped{};
  Time clock_offset = 0;
  std::int64_t clock_drift_ppm = 0;
  Time store_least = 50 * kMicrosecond;  // how long an order to a store takes
  Time store_most = 2 * kMillisecond;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Time now() const { return now_; }
  std::uint64_t seed() const { return seed_; }
  Network& network() { return network_; }
  Trace& trace() { return trace_; }
  const Trace& trace() const { return trace_; }

  // --- processes
  ProcessId add(ProcessSpec spec);
  std::size_t processes() const { return processes_.size(); }
  ProcessSpec& spec(ProcessId p) { return processes_[p]->spec; }
  const std::string& name(ProcessId p) const { return processes_[p]->spec.name; }
  std::vector<std::string> names() const;
  ProcessId find_host(const std::string& host, std::uint16_t port) const;  // kNobody
  bool running(ProcessId p) const { return processes_[p]->machine != nullptr; }
  bool paused(ProcessId p) const { return processes_[p]->paused; }
  bool powered(ProcessId p) const { return !processes_[p]->no_power; }
  std::uint32_t life(ProcessId p) const { return processes_[p]->life; }
  env::Machine* machine(ProcessId p) const { return processes_[p]->machine.get(); }
  Time local_time(ProcessId p) const { return local_time(*processes_[p], now_); }
  void start(ProcessId p);  // no effect when it runs
  // No effect when it does not run. In the midst of its step: nothing that it did in this step leaves it.
  void kill(ProcessId p, bool power_lost);
  void pause(ProcessId p);
  void resume(ProcessId p);
  void stop(ProcessId p);  // EventKind::stop, as SIGTERM
  // What this process and its parts tell each other stays on its way, to the parts or from them, until it is let go.
  void hold_parcels(ProcessId p, bool to_parts, bool from_parts);
  // An event of the world's own making, delivered at once; the machine must not be in a step.
  ProcessId stepping() const { return stepping_; }  // kNobody = no machine is in a step
  void poke(ProcessId p, const env::Event& e) { step_process(p, e); }
  // A store of `p` finished an order of this life after its own delay; completions keep the order of the calls.
  void stored(ProcessId p, std::uint32_t life, std::uint64_t tag, int status);
  // The same at once: the caller has done the waiting. Time for that: draw_store_delay().
  void stored_now(ProcessId p, std::uint32_t life, std::uint64_t tag, int status);
  Time draw_store_delay(ProcessId p);

  // --- time
  void after(Time delay, std::function<void()> f);
  bool run_one();  // false: nothing left to happen
  void run_for(Time duration);
  // Until `done` says so (asked after every event) or the time is over; the answer is done's.
  bool run_until(const std::function<bool()>& done, Time limit);

  // --- verdict
  void fail(std::string reason);  // the first one counts; runs end at once
  bool failed() const { return failed_; }
  const std::string& failure() const { return failure_; }
  void remark(std::string text) { trace_.remark(now_, std::move(text)); }
  // Asked after every step of every process.
  std::function<void(ProcessId)> after_step;
  std::function<void(ProcessId, env::Severity, const std::string&)> on_log;

 private:
  friend class Network;
  // A part of a machine (env::Part): in the product a thread, here a machine that is late.
  struct PartState {
    // What is on its way, with the time of its arrival; due when nothing before it of this direction is still there.
    struct Parcel {
      Time at;
      std::unique_ptr<env::Parcel> parcel;
    };
    std::deque<Parcel> in, out;
    // Of links that are the part's own (env::Parcel::links), in the order in which the network brought it. What comes
    // before the parcel that the link goes with has to wait for that.
    struct Arrival {
      Time at;
      env::Event event;
      std::string data;
    };
    std::deque<Arrival> arrivals;
    env::Outbox outbox;
    Time wake = kNever;  // as the part asked, its own clock
  };
  struct Process {
    ProcessSpec spec;
    std::unique_ptr<env::Machine> machine;
    env::Outbox outbox;
    std::uint32_t life = 0;
    bool paused = false;
    bool no_power = false;
    bool stepping = false;
    bool kill_wanted = false;  // by somebody who watched this step
    bool kill_power_lost = false;
    Time wake = kNever;              // as the machine asked, its own clock
    std::uint64_t timer_number = 0;  // of the event in the queue that counts
    Time store_last = 0;
    struct Link {
      std::uint32_t connection = 0;
      unsigned end = 0;
      bool used = false;
      std::uint32_t part = 0;  // 1 + the part whose own it is
      bool moving = false;     // the parcel that it goes with is on its way
      bool closed = false;     // by the part: of what is still to arrive, only its end does
    };
    std::vector<Link> links;  // by LinkId; 0 unused
    std::priority_queue<env::LinkId, std::vector<env::LinkId>, std::greater<>> free_links;
    std::deque<env::Event> inbox;              // while paused; events without data
    std::deque<PartState> parts;               // of the machine
    bool holds_in = false, holds_out = false;  // their parcels
  };
  enum class Kind : std::uint8_t { timer, stored, pipe, dial, call, part };
  struct Queued {
    Time at;
    std::uint64_t order;
    Kind kind;
    std::uint32_t a, b;
    std::uint64_t c;
    int d;
    bool operator>(const Queued& o) const { return at != o.at ? at > o.at : order > o.order; }
  };
  static Time local_time(const Process& p, Time t) {
    return p.spec.clock_offset + t + t / 1000000 * p.spec.clock_drift_ppm;
  }
  static Time world_time(const Process& p, Time local);
  void push(Time at, Kind kind, std::uint32_t a, std::uint32_t b, std::uint64_t c, int d = 0);
  void step_process(ProcessId id, const env::Event& e);
  void link_event(ProcessId id, const env::Event& e);  // to the machine, or to the part that has the link
  bool link_of_part(ProcessId id, env::LinkId link) const { return processes_[id]->links[link].part != 0; }
  env::Outbox& outbox_of(ProcessId id, env::LinkId link);
  void carry_out(ProcessId id, env::Outbox& out);
  void plan_timer(ProcessId id);
  void timer_due(ProcessId id, std::uint64_t number);
  // parts.cc
  Time draw_part_delay();
  void give_parcels(ProcessId id);
  void plan_part(ProcessId id, std::size_t part, Time at);
  void part_due(ProcessId id, std::uint32_t life, std::size_t part);
  bool give_next(ProcessId id, std::size_t part, bool* more);
  bool step_part(ProcessId id, std::size_t part, const env::Event& e);
  void after_effects(ProcessId id);
  void deliver_plain(ProcessId id, const env::Event& e);  // or keeps it while paused
  env::LinkId take_link(ProcessId id, std::uint32_t connection, unsigned end);
  void free_link(ProcessId id, env::LinkId link);
  void end_process(ProcessId id, bool power_lost, bool exited, int status);

  std::uint64_t seed_;
  Time now_ = 0;
  std::uint64_t order_ = 0;
  Prng prng_;
  Trace trace_;
  Network network_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::priority_queue<Queued, std::vector<Queued>, std::greater<>> queue_;
  std::vector<std::function<void()>> calls_;
  std::vector<std::uint32_t> free_calls_;
  ProcessId stepping_ = kNobody;
  bool failed_ = false;
  std::string failure_;
};

}  // namespace ndb::sim
