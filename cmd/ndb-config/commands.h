// The subcommands of ndb-config, one file each.
#pragma once
#include <memory>

#include "cli/options.h"

namespace ndb::cli {
std::unique_ptr<Command> make_query();
std::unique_ptr<Command> make_show();
std::unique_ptr<Command> make_params();
std::unique_ptr<Command> make_check();
std::unique_ptr<Command> make_diff();
std::unique_ptr<Command> make_apply();
std::unique_ptr<Command> make_set();
std::unique_ptr<Command> make_history();
std::unique_ptr<Command> make_rollback();
}  // namespace ndb::cli
