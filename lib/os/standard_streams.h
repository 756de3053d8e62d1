// Descriptors 0, 1 and 2, which a caller may have closed (`ndb-node <&- >&- 2>&-`, some supervisors). The next file or
// socket that a process opens would take their place: what is printed would go into the redo log or to a peer, and a
// daemon that redirects its output would close its lock. So every program's main() begins with this.
#pragma once

namespace ndb::os {

// Opens /dev/null where nothing is: for standard input and output so that reading and writing fail as on a closed
// descriptor, for standard error so that what is said is lost.
void hold_standard_streams() noexcept;

}  // namespace ndb::os
