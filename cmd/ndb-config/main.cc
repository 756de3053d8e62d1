// ndb-config: the configuration of a cluster, and its history.
#include "cli/dispatch.h"
#include "commands.h"

int main(int argc, char** argv) {
  using namespace ndb::cli;
  static constexpr Subcommand kTable[] = {
      {"", "", make_query},
      {"show", "print the configuration, or an earlier generation of it", make_show},
      {"params", "list the parameters that there are, or explain one", make_params},
      {"check", "check a file without asking a cluster", make_check},
      {"diff", "compare two generations, or one with a file", make_diff},
      {"apply", "make a file the configuration", make_apply},
      {"set", "change single parameters", make_set},
      {"history", "list the generations: when, who, why", make_history},
      {"rollback", "make an earlier generation the configuration again", make_rollback},
  };
  return tool_main("ndb-config", "the configuration of a cluster, and its history", kTable, argc, argv);
}
