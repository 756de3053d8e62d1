// ndb-mgm: look at a cluster, and order its processes about.
#include "cli/dispatch.h"
#include "commands.h"

namespace ndb::cli {

namespace {
constexpr const char* kSummary = "look at a cluster, and order its processes about";
constexpr Subcommand kTable[] = {
    {"", "", make_execute},
    {"show", "show nodes, groups, states and the generation of the configuration", make_show},
    {"status", "show what nodes are doing", make_status},
    {"wait", "wait until nodes have reached a state", make_wait},
    {"restart", "restart nodes", make_restart},
    {"stop", "stop nodes", make_stop},
    {"start", "start nodes that wait after --nostart", make_start},
    {"rolling-restart", "restart nodes one after the other, while the cluster serves", make_rolling_restart},
    {"shutdown", "stop all data nodes and management servers", make_shutdown},
    {"single-user", "let only one API node work, or all again", make_single_user},
    {"enable", "take a data node out of reserve", make_enable},
    {"disable", "put a data node into reserve", make_disable},
    {"events", "show what happened", make_events},
    {"report", "report the use of memory", make_report},
};
}  // namespace

int dispatch(Tool& tool, std::vector<std::string> words) {
  return dispatch_words(tool, "ndb-mgm", kSummary, kTable, std::move(words));
}

}  // namespace ndb::cli

int main(int argc, char** argv) {
  return ndb::cli::tool_main("ndb-mgm", ndb::cli::kSummary, ndb::cli::kTable, argc, argv);
}
