// A client program in the simulated world: client::ClientMachine and an Actor that uses it. The actor outlives the
// process: when that is killed, lost() tells it that whatever was on its way has an unknown outcome.
#pragma once
#include <memory>

#include "client/machine.h"
#include "sim/world.h"

namespace ndb::sim {

class Actor {
 public:
  virtual ~Actor() = default;
  // The answer to a step of a transaction. The handle is still the actor's.
  virtual void answered(Time now, const client::StepResult& r, client::ClientMachine& m) = 0;
  // After every step: begin what is to be begun. The answer is when to be asked again, kNever = when something happens.
  virtual Time act(Time now, client::ClientMachine& m) = 0;
  virtual void lost() = 0;
};

class ClientProcess : public env::Machine {
 public:
  ClientProcess(client::ClientOptions options, Actor& actor) : machine_(std::move(options)), actor_(actor) {}
  void step(Time now, const env::Event& e, env::Outbox& out) override {
    machine_.step(now, e, out);
    while (const client::StepResult* r = machine_.take()) actor_.answered(now, *r, machine_);
    Time again = actor_.act(now, machine_);
    if (machine_.wants_flush()) machine_.flush(now, out);
    if (again != kNever) out.wake_at(again);
  }

 private:
  client::ClientMachine machine_;
  Actor& actor_;
};

}  // namespace ndb::sim
