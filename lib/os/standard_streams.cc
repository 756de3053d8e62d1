#include "os/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace ndb::os {

void hold_standard_streams() noexcept {
  static constexpr int kModes[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = 0; fd < 3; fd++) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest one that is free: fd.
    if (::open("/dev/null", kModes[fd]) < 0) return;
  }
}

}  // namespace ndb::os
