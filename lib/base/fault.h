// Fault points: named moments at which a test lets a process die, so that a story can say "the master is lost before
// its entry has left it" and mean it. There are two kinds, both of the metadata log:
//
//   "append"  an entry was handed to this member's log; nothing of this step has left the process or reached its disk
//   "apply"   an entry, committed, was applied to this member's catalog; nobody was told yet
//
// `what` names the command: "create node groups", "advance reorganisation copying". The hook is null but in tests: the
// simulator's stories set it, and a program that is started with NDB_FAULT (os/fault.h). True: this process is dead,
// the step goes on for form's sake only (in the simulator), and nothing that it orders may be carried out. Costs one
// branch an entry.
#pragma once
#include <string_view>

namespace ndb::fault {

inline bool (*hook)(std::string_view where, std::string_view what) = nullptr;
inline bool armed() noexcept { return hook != nullptr; }

}  // namespace ndb::fault
