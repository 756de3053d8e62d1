// Is a history of one register linearizable? (Wing and Gong's search with Lowe's memory of visited states.)
//
// Each operation took effect at one instant between its call and its return, or, when its outcome is unknown, at any
// instant after its call, or never. 0 = no value. Times are of one clock for all: the simulated world's, or one
// process's.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"

namespace ndb::client {

struct RegisterOp {
  enum class Kind : std::uint8_t { read, write, swap } kind = Kind::read;  // swap: saw `seen`, wrote `value`, at once
  std::uint64_t seen = 0;                                                  // read, swap
  std::uint64_t value = 0;                                                 // write, swap
  Time called = 0;
  Time returned = kNever;  // kNever: outcome unknown
  std::string who;         // for people
};

// Empty, or the words that tell where the history stops to make sense. Exponential in the number of operations that are
// open at once, linear in the length otherwise.
std::string not_linearizable(std::vector<RegisterOp> history, std::uint64_t initial = 0);

}  // namespace ndb::client
