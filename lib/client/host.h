// What drives a ClientMachine for the blocking API: os::Loop for real (cli/connect.h), anything else in tests.
#pragma once
#include <functional>
#include <memory>

#include "base/ids.h"
#include "env/machine.h"

namespace ndb::client {

class Host {
 public:
  virtual ~Host() = default;
  virtual Time now() = 0;  // thread-safe
  // Lets the world go on for one round: waits for at most `most`, delivers events to the machine, carries out what it
  // wants. Called by one thread at a time, not always the same.
  virtual void pump(Time most) = 0;
  // Steps the machine with an empty event and carries out what it wants. Never while a pump() runs.
  virtual void kick() = 0;
  // Runs f and then kick() inside the pump() that runs now, or in the next one. Thread-safe; a waiting pump() wakes up.
  virtual void post(std::function<void()> f) = 0;
};

using MakeHost = std::function<std::unique_ptr<Host>(env::Machine&)>;

}  // namespace ndb::client
