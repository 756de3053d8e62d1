// What NDB's own management client prints for its statements, for scripts that read it.
#pragma once
#include <string>

#include "cli/status.h"

namespace ndb::cli {

// Of SHOW.
std::string stock_show(const ClusterStatus& status);
// Of <id> STATUS: one line.
std::string stock_status(const ClusterStatus& status, const NodeStatus& node);

}  // namespace ndb::cli
