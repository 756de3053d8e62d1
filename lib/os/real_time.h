// Real-time scheduling of the calling thread (sched(7), SCHED_RR with the lowest priority): it runs before all ordinary
// ones of the machine as soon as it is ready. For threads that wait when there is nothing to do; the system gives
// ordinary threads 5 % of the time whatever they do (kernel.sched_rt_runtime_us). Threads and processes that it begins
// are ordinary.
#pragma once
#include "base/errors.h"

namespace ndb::os {

// Fails with os_failed where the system does not allow it: without CAP_SYS_NICE and with `ulimit -r` 0. Ordinary again
// (`on` false) is always allowed.
Failure set_real_time(bool on);

}  // namespace ndb::os
