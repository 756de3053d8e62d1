#include "client/linearizable.h"

#include <algorithm>
#include <set>
#include <unordered_set>

namespace ndb::client {
namespace {

using Kind = RegisterOp::Kind;

std::string seconds(Time t) {
  const std::string micros = std::to_string(t % kSecond / kMicrosecond);
  return std::to_string(t / kSecond) + "." + std::string(6 - micros.size(), '0') + micros;
}

struct Event {  // of a doubly linked list in the order of time
  std::size_t op;
  bool call;
  std::size_t match = 0;  // its other event
  std::size_t next = 0, previous = 0;
};

class Search {
 public:
  Search(std::vector<RegisterOp> ops, std::uint64_t initial) : ops_(std::move(ops)), value_(initial) {
    done_.resize((ops_.size() + 63) / 64);
    link();
  }

  std::string run() {
    std::size_t e = events_[0].next;
    while (true) {
      if (e == 0) return {};  // everything has its place
      Event& event = events_[e];
      if (event.call) {
        if (applies(ops_[event.op]) && fresh(event.op)) {
          stack_.push_back({e, value_});
          if (ops_[event.op].kind != Kind::read) value_ = ops_[event.op].value;
          mark(event.op, true);
          lift(e);
          e = events_[0].next;
        } else {
          e = event.next;
        }
        continue;
      }
      if (ops_[event.op].returned == kNever) return {};  // only unknown ones are left: they never happened
      if (stack_.size() >= deepest_) {                   // as far as the history can be followed
        deepest_ = stack_.size();
        stuck_ = event.op;
      }
      if (stack_.empty()) return describe();
      e = stack_.back().event;
      value_ = stack_.back().before;
      stack_.pop_back();
      mark(events_[e].op, false);
      unlift(e);
      e = events_[e].next;
    }
  }

 private:
  struct Frame {
    std::size_t event;
    std::uint64_t before;
  };
  void link() {
    std::vector<std::size_t> order(ops_.size() * 2);
    for (std::size_t i = 0; i < order.size(); i++) order[i] = i;
    auto at = [&](std::size_t i) { return i % 2 == 0 ? ops_[i / 2].called : ops_[i / 2].returned; };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      // At one instant calls come first: two operations that touch overlap.
      return at(a) != at(b) ? at(a) < at(b) : a % 2 != b % 2 ? a % 2 < b % 2 : a < b;
    });
    events_.resize(order.size() + 1);
    std::vector<std::size_t> place(order.size());
    for (std::size_t i = 0; i < order.size(); i++) place[order[i]] = i + 1;
    for (std::size_t i = 0; i < order.size(); i++) {
      Event& e = events_[i + 1];
      e.op = order[i] / 2;
      e.call = order[i] % 2 == 0;
      e.match = place[order[i] ^ 1u];
      e.previous = i;
      e.next = i + 2 <= order.size() ? i + 2 : 0;
    }
    events_[0].next = order.empty() ? 0 : 1;
    events_[0].previous = order.size();
  }
  bool applies(const RegisterOp& o) const { return o.kind == Kind::write || o.seen == value_; }
  void mark(std::size_t op, bool on) {
    std::uint64_t bit = std::uint64_t{1} << op % 64;
    done_[op / 64] = on ? done_[op / 64] | bit : done_[op / 64] & ~bit;
  }
  // Has this set of finished operations been seen with this value before?
  bool fresh(std::size_t op) {
    mark(op, true);
    std::uint64_t after = ops_[op].kind == Kind::read ? value_ : ops_[op].value;
    std::string key(reinterpret_cast<const char*>(done_.data()), done_.size() * 8);
    key.append(reinterpret_cast<const char*>(&after), 8);
    mark(op, false);
    return seen_.insert(std::move(key)).second;
  }
  void unlink(std::size_t e) {
    events_[events_[e].previous].next = events_[e].next;
    events_[events_[e].next].previous = events_[e].previous;
  }
  void relink(std::size_t e) {
    events_[events_[e].previous].next = e;
    events_[events_[e].next].previous = e;
  }
  void lift(std::size_t call) {
    unlink(call);
    unlink(events_[call].match);
  }
  void unlift(std::size_t call) {
    relink(events_[call].match);
    relink(call);
  }
  std::string describe() const {
    auto words = [](const RegisterOp& o) {
      std::string s = o.kind == Kind::read    ? "read " + std::to_string(o.seen)
                      : o.kind == Kind::write ? "write " + std::to_string(o.value)
                                              : "swap " + std::to_string(o.seen) + " for " + std::to_string(o.value);
      return s + " by " + o.who + " [" + seconds(o.called) + ", " +
             (o.returned == kNever ? std::string("unknown") : seconds(o.returned)) + "]";
    };
    std::string s = "no order explains: " + words(ops_[stuck_]) + "; around it:";
    for (const RegisterOp& o : ops_) {
      const RegisterOp& x = ops_[stuck_];
      if (&o == &x || o.called > x.returned || (o.returned != kNever && o.returned + 50 * kMillisecond < x.called))
        continue;
      if (o.returned == kNever && o.called + 2 * kSecond < x.called && o.value != x.seen) continue;
      s += " (" + words(o) + ")";
      if (s.size() > 1500) break;
    }
    return s;
  }

  std::vector<RegisterOp> ops_;
  std::uint64_t value_;
  std::vector<Event> events_;  // [0] is the list's head
  std::vector<std::uint64_t> done_;
  std::vector<Frame> stack_;
  std::size_t deepest_ = 0, stuck_ = 0;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::string not_linearizable(std::vector<RegisterOp> history, std::uint64_t initial) {
  // An unknown operation whose value nobody saw may as well not have happened; without them the search stays small.
  std::set<std::uint64_t> seen;
  for (const RegisterOp& o : history) {
    if (o.kind != Kind::write) seen.insert(o.seen);
  }
  std::erase_if(history, [&](const RegisterOp& o) {
    return o.returned == kNever && (o.kind == Kind::read || (o.value != 0 && !seen.contains(o.value)));
  });
  return Search(std::move(history), initial).run();
}

}  // namespace ndb::client
