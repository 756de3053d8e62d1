// Somebody who operates the cluster: sends requests of the management protocol to whichever management server answers,
// one at a time, and repeats a request under the same request id until it has an answer.
#pragma once
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/machine.h"

namespace ndb::sim {

struct Reply {
  std::map<std::string, std::string> values;
  std::string bulk;
  bool ok() const {
    auto i = values.find("result");
    return i != values.end() && i->second == "Ok";
  }
  // The number in front of a refusal; 0 = accepted.
  int error() const {
    auto i = values.find("result");
    return i == values.end() || i->second == "Ok" ? 0 : std::atoi(i->second.c_str());
  }
  const std::string& text(const std::string& key) const {
    static const std::string none;
    auto i = values.find(key);
    return i == values.end() ? none : i->second;
  }
};

struct Order {
  std::string command;                                    // "ndb create nodegroup"
  std::vector<std::pair<std::string, std::string>> keys;  // without `request`, which is added when `changes`
  std::string bulk;
  bool changes = true;
  std::function<void(const Reply&)> done;
  std::string request;  // drawn when empty
};

class Operator : public env::Machine {
 public:
  Operator(std::uint64_t seed, std::vector<std::string> hosts, std::uint16_t port)
      : prng_(seed), hosts_(std::move(hosts)), port_(port) {}
  // Any time between steps; begins at the next timer.
  void order(Order o) { orders_.push_back(std::move(o)); }
  std::size_t open() const { return orders_.size(); }

  void step(Time now, const env::Event& e, env::Outbox& out) override;

 private:
  void send(Time now, env::Outbox& out);
  bool take_reply(Reply* r);
  void again(Time now, env::Outbox& out);

  Prng prng_;
  std::vector<std::string> hosts_;
  std::uint16_t port_;
  std::deque<Order> orders_;
  enum class State : std::uint8_t { idle, connecting, ready, waiting } state_ = State::idle;
  env::LinkId link_ = 0;
  std::uint64_t tag_ = 0;
  Time next_ = 0;      // idle: when to connect
  Time deadline_ = 0;  // waiting
  std::string in_;
};

}  // namespace ndb::sim
