// ndb-reorg: spread the rows of tables over the node groups of a running cluster.
#include "cli/dispatch.h"
#include "commands.h"

int main(int argc, char** argv) {
  using namespace ndb::cli;
  static constexpr Subcommand kTable[] = {
      {"plan", "say what would move, and change nothing", make_plan},
      {"start", "spread tables over all node groups, or away from some", make_start},
      {"status", "show a reorganisation, or all of them", make_status},
      {"wait", "wait until a reorganisation has ended", make_wait},
      {"cancel", "undo a running reorganisation that is before its commit point", make_cancel},
      {"verify", "compare the replicas of tables: rows and checksums", make_verify},
  };
  return tool_main("ndb-reorg", "spread the rows of tables over the node groups of a running cluster", kTable, argc,
                   argv);
}
