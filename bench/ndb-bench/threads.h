// What each thread of a process has used so far, as the system tells it in /proc.
#pragma once
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

struct ThreadUse {
  pid_t thread = 0;
  std::string name;             // "ndb-node", "worker 0", "ndb-disk"
  double seconds = 0;           // of a processor
  std::uint64_t waits = 0;      // it gave the processor up: for a socket, a lock, a disk
  std::uint64_t preempted = 0;  // it had to
};

// In the order of their ids: the first one is the process's own. Those that end meanwhile are left out.
std::vector<ThreadUse> thread_use(pid_t process);
// What was used between two looks, of the threads that were there both times.
std::vector<ThreadUse> used_between(const std::vector<ThreadUse>& before, std::vector<ThreadUse> after);

}  // namespace bench
