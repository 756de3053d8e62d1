// The subcommands of ndb-traffic.
#pragma once
#include <memory>

#include "cli/options.h"

namespace ndb::traffic {

std::unique_ptr<cli::Command> make_run();        // run.cc
std::unique_ptr<cli::Command> make_verify();     // verify.cc
std::unique_ptr<cli::Command> make_registers();  // registers.cc
std::unique_ptr<cli::Command> make_rows();       // replicas.cc

}  // namespace ndb::traffic
