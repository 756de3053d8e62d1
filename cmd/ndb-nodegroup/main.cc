// ndb-nodegroup: node groups of a running cluster.
#include "cli/dispatch.h"
#include "commands.h"

int main(int argc, char** argv) {
  using namespace ndb::cli;
  static constexpr Subcommand kTable[] = {
      {"list", "list the node groups, their members, and nodes that could form a new one", make_list},
      {"create", "make node groups of data nodes that are in none", make_create},
      {"drop", "dissolve a node group that holds no rows", make_drop},
  };
  return tool_main("ndb-nodegroup", "node groups of a running cluster", kTable, argc, argv);
}
