#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "scenario/matrix_story.h"

using namespace ndb::scenario;

namespace {
// Each story is told on three seeds; NDB_STORY_SEEDS=FIRST-LAST says otherwise.
void run_cell() {
  unsigned first = 1, last = 3;
  if (const char* wanted = std::getenv("NDB_STORY_SEEDS")) REQUIRE(std::sscanf(wanted, "%u-%u", &first, &last) == 2);
  const Cell cell = parse_cell(Catch::getResultCapture().getCurrentTestName());
  for (const std::string& point : fault_points(cell)) {
    for (unsigned seed = first; seed <= last; seed++) {
      INFO("lost at '" << point << "', seed " << seed);
      CHECK(tell(cell, point, seed) == "");
    }
  }
}
}  // namespace

TEST_CASE("creation of a node group: an old node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("creation of a node group: an old node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("creation of a node group: a new node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("creation of a node group: a new node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("creation of a node group: all new nodes lost before the commit point: goes on without them") { run_cell(); }
TEST_CASE("creation of a node group: all new nodes lost after the commit point: goes on without them") { run_cell(); }
TEST_CASE("creation of a node group: the master lost before the commit point: rolled back") { run_cell(); }
TEST_CASE("creation of a node group: the master lost after the commit point: rolled forward") { run_cell(); }
TEST_CASE("creation of a node group: the whole cluster lost before the commit point: comes back on old groups") {
  run_cell();
}
TEST_CASE("creation of a node group: the whole cluster lost after the commit point: comes back on new groups") {
  run_cell();
}
TEST_CASE("reorganisation: an old node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: an old node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: a new node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: a new node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: all new nodes lost before the commit point: rolled back") { run_cell(); }
TEST_CASE("reorganisation: all new nodes lost after the commit point: comes back on new groups") { run_cell(); }
TEST_CASE("reorganisation: the master lost before the commit point: rolled back") { run_cell(); }
TEST_CASE("reorganisation: the master lost after the commit point: rolled forward") { run_cell(); }
TEST_CASE("reorganisation: the whole cluster lost before the commit point: comes back on old groups") { run_cell(); }
TEST_CASE("reorganisation: the whole cluster lost after the commit point: comes back on new groups") { run_cell(); }
TEST_CASE("reorganisation, --resume-on-failure: all new nodes lost before the commit point: rolled back") {
  run_cell();
}
TEST_CASE("reorganisation, --resume-on-failure: all new nodes lost after the commit point: comes back on new groups") {
  run_cell();
}
TEST_CASE("reorganisation, --resume-on-failure: the master lost before the commit point: rolled forward") {
  run_cell();
}
TEST_CASE("reorganisation, --resume-on-failure: the master lost after the commit point: rolled forward") { run_cell(); }
TEST_CASE(
    "reorganisation, --resume-on-failure: the whole cluster lost before the commit point: comes back on new groups") {
  run_cell();
}
TEST_CASE(
    "reorganisation, --resume-on-failure: the whole cluster lost after the commit point: comes back on new groups") {
  run_cell();
}
