// What happened in a simulated world: a hash over everything, and the last lines of it in words.
//
// The hash covers every delivered event (when, to whom, what, which bytes). The same seed gives the same hash; a
// difference means that something outside the seed leaked in: an address, the order of an unordered container, a clock.
// The ring keeps the newest lines only; they are formatted when somebody asks.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/ids.h"
#include "env/machine.h"

namespace ndb::sim {

using ProcessId = std::uint32_t;
inline constexpr ProcessId kNobody = UINT32_MAX;  // the world itself, in traces

class Trace {
 public:
  static constexpr std::size_t kLinesKept = 4000;

  void event(Time at, ProcessId process, const env::Event& e) {
    mix(static_cast<std::uint64_t>(at));
    mix(std::uint64_t{process} << 32 | std::uint64_t{static_cast<std::uint8_t>(e.kind)} << 24 | (e.refused ? 1u : 0u));
    mix(std::uint64_t{e.link} << 32 ^ e.tag ^ e.epoch << 48 ^ static_cast<std::uint64_t>(e.status));
    if (!e.data.empty()) mix(block_hash(e.data));
    events_++;
    if (keep_events_) keep({at, process, e.kind, e.link, e.tag, first_type(e), e.data.size(), {}});
  }
  void line(Time at, ProcessId process, std::string text) {
    mix(static_cast<std::uint64_t>(at));
    mix(block_hash(text));
    keep({at, process, env::EventKind::stop, 0, 0, 0, 0, std::move(text)});
  }
  // Words that are not part of the hash: what the simulator itself has to say.
  void remark(Time at, std::string text) { keep({at, kNobody, env::EventKind::stop, 0, 0, 0, 0, std::move(text)}); }
  void mix(std::uint64_t v) noexcept { hash_ = (hash_ ^ v) * 0x9e3779b97f4a7c15u, hash_ ^= hash_ >> 29; }
  // Every line as it comes, formatted: for comparing two runs. Slow.
  std::function<void(const std::string&)> sink;
  void keep_events(bool on) { keep_events_ = on; }  // events in the ring beside the lines

  std::uint64_t hash() const noexcept { return hash_; }
  std::uint64_t events() const noexcept { return events_; }
  // The newest lines, oldest first; names[process] says who.
  std::vector<std::string> last(std::size_t lines, const std::vector<std::string>& names) const;

 private:
  struct Line {
    Time at;
    ProcessId process;
    env::EventKind kind;
    env::LinkId link;
    std::uint64_t tag;
    std::uint16_t type;  // of a frame's first message
    std::size_t bytes;
    std::string text;  // empty: an event
  };
  static std::string format(const Line& l, const std::vector<std::string>& names);
  static std::uint16_t first_type(const env::Event& e) {
    return e.kind == env::EventKind::frame && e.data.size() >= 8 ? load<std::uint16_t>(e.data.data() + 4)
                                                                 : std::uint16_t{0};
  }
  void keep(Line l) {
    if (ring_.size() == kLinesKept) ring_.pop_front();
    ring_.push_back(std::move(l));
    if (sink) sink(format(ring_.back(), {}) + " hash " + std::to_string(hash_));
  }

  std::uint64_t hash_ = 0x243f6a8885a308d3u;
  std::uint64_t events_ = 0;
  bool keep_events_ = true;
  std::deque<Line> ring_;
};

std::string time_text(Time t);  // "12.345678"

}  // namespace ndb::sim
