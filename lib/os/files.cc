#include "os/files.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "os/resolver.h"

namespace ndb::os {
namespace {

std::string parent_of(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// 0, or errno.
int write_all(int fd, Bytes b) {
  while (!b.empty()) {
    ssize_t n = ::write(fd, b.data(), b.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    b.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

std::int64_t clock_ns(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return std::int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

}  // namespace

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Failure os_failure(std::string_view what, std::string_view subject, int error) {
  std::string s = "cannot " + std::string(what);
  if (!subject.empty()) s += " '" + std::string(subject) + "'";
  return {Error::os_failed, s + ": " + std::strerror(error)};
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_failure("open", path, errno);
  std::string content;
  char buffer[65536];
  while (true) {
    ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_failure("read", path, errno);
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > bytes_max) return os_failure("read", path, EFBIG);
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

Failure write_file_atomically(const std::string& path, Bytes content, unsigned mode) {
  std::string temporary = path + ".new." + std::to_string(::getpid());
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return os_failure("create", temporary, errno);
  int e = write_all(fd.get(), content);
  if (e == 0 && ::fsync(fd.get()) != 0) e = errno;
  if (e == 0 && ::close(fd.release()) != 0) e = errno;
  if (e != 0) {
    ::unlink(temporary.c_str());
    return os_failure("write", temporary, e);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    e = errno;
    ::unlink(temporary.c_str());
    return os_failure("replace", path, e);
  }
  return sync_directory(parent_of(path));
}

Failure append_file(const std::string& path, Bytes content) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return os_failure("open", path, errno);
  if (int e = write_all(fd.get(), content); e != 0) return os_failure("append to", path, e);
  return {};
}

Failure make_directories(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0755) == 0) continue;
    int e = errno;
    if (is_directory(part)) continue;
    return os_failure("create the directory", part, e == EEXIST ? ENOTDIR : e);
  }
  return {};
}

Failure sync_directory(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os_failure("open the directory", path, errno);
  if (::fsync(fd.get()) != 0) return os_failure("sync the directory", path, errno);
  return {};
}

Failure remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_failure("remove", path, errno);
  return {};
}

bool exists(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0;
}

bool is_directory(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  DIR* d = ::opendir(path.c_str());
  if (d == nullptr) return os_failure("open the directory", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (dirent* e = ::readdir(d)) {
    std::string name = e->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  int error = errno;
  ::closedir(d);
  if (error != 0) return os_failure("read the directory", path, error);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs s {};
  if (::statvfs(path.c_str(), &s) != 0) return os_failure("ask for the free space of", path, errno);
  return std::uint64_t{s.f_bavail} * s.f_frsize;
}

namespace {
Failure held(int fd, const std::string& path) {
  char pid[32] = "";
  ssize_t n = ::pread(fd, pid, sizeof pid - 1, 0);
  std::string holder(pid, n > 0 ? static_cast<std::size_t>(n) : 0);
  holder = holder.substr(0, holder.find_first_not_of("0123456789"));
  if (holder.empty()) holder = "(unknown)";
  return {Error::in_use, "'" + path + "' is held by process " + holder + ": another one runs on this directory"};
}
}  // namespace

Result<Fd> lock_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return os_failure("open the lock", path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    int e = errno;
    return e != EWOULDBLOCK ? os_failure("lock", path, e) : held(fd.get(), path);
  }
  std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0) return os_failure("write", path, errno);
  if (int e = write_all(fd.get(), pid); e != 0) return os_failure("write", path, e);
  return fd;
}

Failure check_unlocked(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno == ENOENT ? Failure{} : os_failure("open the lock", path, errno);
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return {};
  int e = errno;
  return e != EWOULDBLOCK ? os_failure("lock", path, e) : held(fd.get(), path);
}

Time monotonic_now() { return clock_ns(CLOCK_MONOTONIC); }
std::int64_t unix_now_ns() { return clock_ns(CLOCK_REALTIME); }

std::string utc_text(std::int64_t unix_ns) {
  std::int64_t seconds = unix_ns / 1000000000;
  std::int64_t rest = unix_ns % 1000000000;
  if (rest < 0) {
    rest += 1000000000;
    --seconds;
  }
  time_t t = static_cast<time_t>(seconds);
  tm parts{};
  ::gmtime_r(&t, &parts);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
  char whole[48];
  std::snprintf(whole, sizeof whole, "%s.%06d", day, static_cast<int>(rest / 1000));
  return whole;
}

std::string local_text(std::int64_t unix_ns, bool exact) {
  const time_t t = static_cast<time_t>(unix_ns / 1000000000);
  tm parts{};
  ::localtime_r(&t, &parts);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts);
  if (!exact) return day;
  char zone[16];
  std::strftime(zone, sizeof zone, "%z", &parts);
  return day + utc_text(unix_ns).substr(19) + " " + zone;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  ssize_t n = -1;
  do {
    n = ::getrandom(&seed, sizeof seed, 0);
  } while (n < 0 && errno == EINTR);
  NDB_CHECK(n == sizeof seed);
  return seed;
}

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

bool is_local_host(const std::string& host) {
  if (host.empty() || host == "localhost" || host == host_name()) return true;
  auto found = look_up(host, 0);
  return found && is_own(*found, own_addresses());
}

}  // namespace ndb::os
