// The failure matrix (DESIGN "Reorganisation", the seeds' table): what is lost, when, in the midst of what, and what
// comes of it. A test's name is its cell, word for word what the manual pages print (scripts/matrix):
//
//   <creation of a node group|reorganisation>: <an old node|a new node|all new nodes|the master|the whole cluster> lost
//   <before|after> the commit point: <outcome>
//
// The story is told by run_cell() from the name alone, so that the words and what is checked cannot part.
#pragma once
#include <string>
#include <vector>

namespace ndb::scenario {

enum class Work { creation, reorganisation };
enum class Lost { old_node, new_node, new_nodes, master, everything };
enum class Outcome { heir, without_them, rolled_back, rolled_forward, old_groups, new_groups };

struct Cell {
  Work work = Work::creation;
  Lost lost = Lost::old_node;
  bool after = false;   // the commit point
  bool resume = false;  // the job was started with resume_on_failure
  Outcome outcome = Outcome::heir;
};
// Fails the test when the name is not one of a cell.
Cell parse_cell(const std::string& name);

// The fault points (base/fault.h) at which a cell's story is told, each on a cluster of its own.
std::vector<std::string> fault_points(const Cell& cell);

// Empty, or what went wrong.
std::string tell(const Cell& cell, const std::string& point, unsigned seed);

}  // namespace ndb::scenario
