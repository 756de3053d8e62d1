// The subcommands of ndb-nodegroup, one file each.
#pragma once
#include <memory>

#include "cli/options.h"

namespace ndb::cli {
std::unique_ptr<Command> make_list();
std::unique_ptr<Command> make_create();
std::unique_ptr<Command> make_drop();
}  // namespace ndb::cli
