// NDB_FAULT="append create node groups": this process kills itself, as kill -9 would, when it reaches that fault point
// (base/fault.h). For tests; nothing happens when the variable is not set.
#pragma once
#include <string>

namespace ndb::os {

// Call once, before the machine starts. The answer is the point that was armed; empty = none.
std::string arm_fault();

}  // namespace ndb::os
