#include "os/real_time.h"

#include <sched.h>

namespace ndb::os {

Failure set_real_time(bool on) {
  sched_param p{};
  p.sched_priority = on ? 1 : 0;
  if (::sched_setscheduler(0, (on ? SCHED_RR : SCHED_OTHER) | SCHED_RESET_ON_FORK, &p) == 0) return {};
  return {Error::os_failed,
          "the system does not allow real-time scheduling: give the program CAP_SYS_NICE, or raise 'ulimit -r'"};
}

}  // namespace ndb::os
