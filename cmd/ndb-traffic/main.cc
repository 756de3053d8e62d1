// ndb-traffic: live traffic that remembers what was acknowledged, and the proof afterwards.
#include "commands.h"
#include "cli/dispatch.h"

int main(int argc, char** argv) {
  using namespace ndb::traffic;
  static constexpr ndb::cli::Subcommand kTable[] = {
      {"run", "make traffic until told to stop, and record what was acknowledged", make_run},
      {"verify", "compare the cluster with what was acknowledged", make_verify},
      {"registers", "let several clients use the same rows, and check that their histories are linearizable",
       make_registers},
      {"rows", "list the replicas of tables: node, role, rows, checksum", make_rows},
  };
  return ndb::cli::tool_main("ndb-traffic", "live traffic on a cluster, and the proof that nothing of it was lost",
                             kTable, argc, argv);
}
