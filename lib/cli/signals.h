// Ctrl-C in a tool: it ends at once with status 130 and says what goes on without it. Nothing is half done by that,
// because a change is one request that the cluster carries out whether or not anybody waits for the answer.
#pragma once
#include <string>

namespace ndb::cli {

// From now on SIGINT prints "<tool>: interrupted; <what_goes_on>" on stderr and ends the process with 130. Called
// again when something else is true, as between the steps of a long work.
void on_interrupt(const std::string& tool, const std::string& what_goes_on);

}  // namespace ndb::cli
