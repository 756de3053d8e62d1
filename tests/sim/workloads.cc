#include "workload.h"

namespace ndb::simtest {

Verdict run_log(std::uint64_t seed);
Verdict run_bank(std::uint64_t seed);
Verdict run_register(std::uint64_t seed);
Verdict run_append(std::uint64_t seed);
Verdict run_move(std::uint64_t seed);
Verdict run_restart(std::uint64_t seed);
Verdict run_ddl(std::uint64_t seed);
Verdict run_drain(std::uint64_t seed);
Verdict run_unique(std::uint64_t seed);

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"log", "one order of commands, identical catalogs (I2, I4)", run_log},
      {"bank", "the sum of all accounts is constant", run_bank},
      {"register", "each row is linearizable", run_register},
      {"append", "no lost update, no cycle of dependencies", run_append},
      {"move", "a reorganisation neither loses nor doubles a row (I8)", run_move},
      {"restart", "no acknowledged row is lost by restarts", run_restart},
      {"ddl", "catalogs stay identical and rows whole while the schema changes (I2)", run_ddl},
      {"drain", "rows stay whole while tables are taken off node groups, too (I8)", run_drain},
      {"unique", "no two rows share a unique value, and every index row stands for a row", run_unique},
  };
  return all;
}

}  // namespace ndb::simtest
