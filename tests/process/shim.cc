// A library for LD_PRELOAD that makes the operating system fail, in tests with real processes. NDB_SHIM names a
// directory; each file in it is a fault that is on while the file is there. Its content is part of the path of the
// files concerned.
//
//   fsync    fsync() and fdatasync() fail with EIO; each call is noted in the file `fsync.calls`
//   full     pwrite() fails with ENOSPC
//   clock    the time of day (CLOCK_REALTIME) lies ten days back
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// True: the fault is on for this file. Uses system calls only, so that it does not meet itself.
bool fault(const char* name, int fd) {
  const char* dir = std::getenv("NDB_SHIM");
  if (dir == nullptr) return false;
  char path[512], part[256] = "", target[512] = "";
  std::snprintf(path, sizeof path, "%s/%s", dir, name);
  const int f = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
  if (f < 0) return false;
  const long n = ::syscall(SYS_read, f, part, sizeof part - 1);
  ::syscall(SYS_close, f);
  while (n > 0 && std::strlen(part) > 0 && part[std::strlen(part) - 1] == '\n') part[std::strlen(part) - 1] = '\0';
  if (fd < 0) return true;
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (::readlink(link, target, sizeof target - 1) < 0) return false;
  return std::strstr(target, part) != nullptr;
}

void note(const char* what, int fd) {
  char path[512], line[600], target[512] = "";
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (::readlink(path, target, sizeof target - 1) < 0) return;
  std::snprintf(path, sizeof path, "%s/%s", std::getenv("NDB_SHIM"), "fsync.calls");
  const int f = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int n = std::snprintf(line, sizeof line, "%s %s\n", what, target);
  if (f >= 0) [[maybe_unused]]
    auto w = ::write(f, line, static_cast<std::size_t>(n));
  if (f >= 0) ::close(f);
}

int failing_sync(const char* what, int fd, long number) {
  if (!fault("fsync", fd)) return static_cast<int>(::syscall(number, fd));
  note(what, fd);
  errno = EIO;
  return -1;
}

ssize_t maybe_full(int fd, const void* bytes, std::size_t n, off_t offset) {
  if (!fault("full", fd)) return ::syscall(SYS_pwrite64, fd, bytes, n, offset);
  errno = ENOSPC;
  return -1;
}

}  // namespace

extern "C" {
int fsync(int fd) { return failing_sync("fsync", fd, SYS_fsync); }
int fdatasync(int fd) { return failing_sync("fdatasync", fd, SYS_fdatasync); }
ssize_t pwrite(int fd, const void* bytes, std::size_t n, off_t offset) { return maybe_full(fd, bytes, n, offset); }
ssize_t pwrite64(int fd, const void* bytes, std::size_t n, off_t offset) { return maybe_full(fd, bytes, n, offset); }
int clock_gettime(clockid_t clock, struct timespec* t) noexcept {
  const int r = static_cast<int>(::syscall(SYS_clock_gettime, clock, t));
  if (r == 0 && clock == CLOCK_REALTIME && fault("clock", -1)) t->tv_sec -= 10 * 86400;
  return r;
}
}
