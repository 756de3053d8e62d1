#include <catch2/catch.hpp>

#include "scenario/matrix_story.h"

using namespace ndb::scenario;

namespace {
void run_cell() {
  const Cell cell = parse_cell(Catch::getResultCapture().getCurrentTestName());
  for (const std::string& point : fault_points(cell)) {
    for (unsigned seed = 1; seed <= 3; seed++) {
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
TEST_CASE("creation of a node group: the master lost before the commit point: rolled back") { run_cell(); }
TEST_CASE("creation of a node group: the master lost after the commit point: rolled forward") { run_cell(); }
TEST_CASE("reorganisation: an old node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: an old node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: a new node lost before the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: a new node lost after the commit point: goes on with its heir") { run_cell(); }
TEST_CASE("reorganisation: the master lost before the commit point: rolled back") { run_cell(); }
TEST_CASE("reorganisation: the master lost after the commit point: rolled forward") { run_cell(); }
TEST_CASE("reorganisation, --resume-on-failure: the master lost before the commit point: rolled forward") { run_cell(); }
TEST_CASE("reorganisation, --resume-on-failure: the master lost after the commit point: rolled forward") { run_cell(); }
