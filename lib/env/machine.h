// What a machine sees of the world and what it may want from it.
//
// A machine is a function from an event to effects: step(now, event, outbox) runs to its end, never waits, does no I/O,
// reads no clock and starts no thread. lib/os carries the effects out for real, lib/sim does it in virtual time with
// faults. Links are byte pipes between processes. A link speaks frames (lib/wire/frame.h) or, on the management port,
// text; a text link may be upgraded to frames once, by the machine that reads the text.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace ndb::env {

// Given out by the shell, small and dense, reused only after the machine has seen link_down. 0 is never a real link:
// machines use it for messages to themselves.
using LinkId = std::uint32_t;
inline constexpr LinkId kSelf = 0;

enum class EventKind : std::uint8_t {
  start,      // first event, once
  link_up,    // `link` is open; tag = the connect's tag, or 0 for one that was accepted; data = peer's address text
  link_down,  // `link` is gone: closed by the peer, by an error, or by our close(); nothing of it comes after
  no_link,    // connect() with this tag failed; `refused` says that the port itself answered "nobody here"
  frame,      // data = payload of one frame that passed its checks: a run of messages; epoch = the sender's
  text,       // data = bytes that arrived on a text link, in order, cut anywhere
  timer,      // now >= the time asked for by wake_at
  stored,     // an asynchronous order to a store (metadata, redo, checkpoint) ended: tag, status 0 = durable
  stop,       // the operator asks the process to stop in good order (SIGTERM)
  parcel,     // from the part with the number `tag`, or from the machine that the part belongs to; see Part
};

// What a machine and its parts hand each other, whole: it belongs to one of them at a time.
struct Parcel {
  virtual ~Parcel() = default;
  // To a part: frame links of the machine that go with it. When the part is stepped with the parcel they are its own:
  // it hears of their frames and their end, never of a link_up, and what it writes on them leaves by itself. The
  // machine hears nothing of them any more; their numbers are taken until the part has seen link_down.
  std::vector<LinkId> links;
};

struct Event {
  EventKind kind = EventKind::timer;
  LinkId link = 0;
  std::uint64_t tag = 0;
  Bytes data;  // valid during the step only
  Epoch epoch = 0;
  int status = 0;
  bool refused = false;                       // no_link
  bool text = false;                          // link_up: the link speaks text
  std::unique_ptr<Parcel>* parcel = nullptr;  // the machine may take it
};

enum class Severity : std::uint8_t { debug, info, warning, error, critical, alert };
constexpr std::string_view severity_name(Severity s) noexcept {
  constexpr std::string_view names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "ALERT"};
  return names[static_cast<std::size_t>(s)];
}

// Effects, collected during a step and drained by the shell after it. Buffers keep their memory between steps.
class Outbox {
 public:
  // Bytes to send on a link, appended to what this step has written already: one send per link and step. On a frame
  // link: whole messages only (wire::begin_message/end_message); the shell adds the frame header.
  Writer& link(LinkId id) {
    if (id >= out_.size()) out_.resize(id + 1);
    Writer& w = out_[id].bytes;
    if (!out_[id].touched) {
      out_[id].touched = true;
      touched_.push_back(id);
    }
    return w;
  }
  // Bytes written in this step and in earlier ones that the peer's socket has not taken yet.
  std::size_t backlog(LinkId id) const { return id < out_.size() ? out_[id].unsent + out_[id].bytes.size() : 0; }

  struct Connect {
    std::uint64_t tag;
    std::string host;
    std::uint16_t port;
    bool text;  // the link starts as a text link
  };
  void connect(std::uint64_t tag, std::string host, std::uint16_t port, bool text = false) {
    connects.push_back({tag, std::move(host), port, text});
  }
  void close(LinkId id) { closes.push_back(id); }  // after what was written in this step has been sent
  // Turns a text link into a frame link, once. What this step and earlier ones wrote on the link is the last text that
  // goes out; what later steps write is frames. Called while handling a `text` event of this link, `consumed` says how
  // many bytes of that event's data are text: the rest, and all input that follows, is read as frames.
  void upgrade(LinkId id, std::size_t consumed = SIZE_MAX) { upgrades.push_back({id, consumed}); }
  // The earliest of all wishes of this step wins; the shell forgets them at the next step's begin.
  void wake_at(Time t) {
    if (t < wake) wake = t;
  }
  void log(Severity s, std::string text) { logs.emplace_back(s, std::move(text)); }
  void exit(int status) {  // the process ends after the effects of this step
    exit_status = status;
    exit_wanted = true;
  }

  // --- the shell's side
  struct Out {
    Writer bytes;
    std::size_t unsent = 0;  // kept up to date by the shell
    bool touched = false;
  };
  Out& slot(LinkId id) {
    if (id >= out_.size()) out_.resize(id + 1);
    return out_[id];
  }
  std::vector<LinkId>& touched() { return touched_; }
  void begin_step() { wake = kNever; }
  // Too much waits for a part: the shell reads no link until a step says otherwise.
  bool hold_input = false;
  Epoch epoch = 0;  // put into every frame header by the shell
  std::vector<Connect> connects;
  std::vector<LinkId> closes;
  struct Upgrade {
    LinkId link;
    std::size_t consumed;
  };
  std::vector<Upgrade> upgrades;
  std::vector<std::pair<Severity, std::string>> logs;
  Time wake = kNever;
  bool exit_wanted = false;
  int exit_status = 0;

 private:
  std::vector<Out> out_;
  std::vector<LinkId> touched_;
};

class Part;

class Machine {
 public:
  virtual ~Machine() = default;
  virtual void step(Time now, const Event& event, Outbox& out) = 0;
  // Known when the machine has been made, the same for its whole life. Most machines have none.
  virtual std::size_t parts() const { return 0; }
  virtual Part* part(std::size_t) { return nullptr; }
  // What the steps since the last call have left for a part; nullptr = nothing, or the part has enough to do.
  virtual std::unique_ptr<Parcel> parcel_for(std::size_t) { return nullptr; }
};

// A piece of a machine that can be stepped in a thread of its own: a machine that shares nothing with the one it
// belongs to, or with another part, but what parcels carry. It hears of parcels, of links that came with them, of time;
// not of a start. What it writes on links that are not its own it has to give away in its parcels before the step ends.
// Parcels of one direction arrive in the order in which they were given.
class Part : public Machine {
 public:
  // What the steps since the last call have left for the machine; nullptr = nothing. Asked after each step, or after a
  // few.
  virtual std::unique_ptr<Parcel> parcel() = 0;
};

}  // namespace ndb::env
