// The subcommands of ndb-mgm, one file each (those that only give an order share nodes.h).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"

namespace ndb::cli {
std::unique_ptr<Command> make_show();
std::unique_ptr<Command> make_status();
std::unique_ptr<Command> make_wait();
std::unique_ptr<Command> make_restart();
std::unique_ptr<Command> make_stop();
std::unique_ptr<Command> make_start();
std::unique_ptr<Command> make_shutdown();
std::unique_ptr<Command> make_rolling_restart();
std::unique_ptr<Command> make_single_user();
std::unique_ptr<Command> make_enable();
std::unique_ptr<Command> make_disable();
std::unique_ptr<Command> make_events();
std::unique_ptr<Command> make_report();
std::unique_ptr<Command> make_execute();

// Runs this program's table again with other words; what a statement (-e) was translated to.
int dispatch(Tool& tool, std::vector<std::string> words);
}  // namespace ndb::cli
