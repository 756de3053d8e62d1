// Small helpers over files, and the few questions one asks an operating system. All fail with Error::os_failed (or
// in_use) and a sentence that quotes the path and ends with the system's reason.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"

namespace ndb::os {

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(o.release()) {}
  Fd& operator=(Fd&& o) noexcept {
    if (this != &o) {
      reset();
      fd_ = o.release();
    }
    return *this;
  }
  ~Fd() { reset(); }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// "cannot <what> '<path>': <strerror(error)>"; EACCES, ENOENT, ENOSPC .. in the system's words.
Failure os_failure(std::string_view what, std::string_view subject, int error);

// The whole file. Refuses more than `bytes_max`.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = std::size_t{1} << 30);
// Either the old file or the new one is there, whatever happens: temporary file beside it, fsync, rename, fsync of
// the directory. A failed fsync is a failure for good: the temporary is removed and the old file stays.
Failure write_file_atomically(const std::string& path, Bytes content, unsigned mode = 0644);
Failure append_file(const std::string& path, Bytes content);  // created if missing; not synced
Failure make_directories(const std::string& path);            // like mkdir -p; fine if it exists
Failure sync_directory(const std::string& path);
Failure remove_file(const std::string& path);  // fine if it does not exist
bool exists(const std::string& path);
bool is_directory(const std::string& path);
// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);
Result<std::uint64_t> free_bytes(const std::string& path);  // for unprivileged users, on its file system

// Holds <path> (created if missing) for this process until the Fd closes, or the process ends. A second process gets
// Error::in_use: "'<path>' is held by process <pid>: another one runs on this directory".
Result<Fd> lock_file(const std::string& path);
// The same question without an answer on disk: Error::in_use when a process holds it; fine if it does not exist.
Failure check_unlocked(const std::string& path);

Time monotonic_now();        // nanoseconds; what Loop::now() returns
std::int64_t unix_now_ns();  // nanoseconds since 1970, UTC; for logs and file names, never for decisions
std::string utc_text(std::int64_t unix_ns);  // "2026-11-20 19:49:37.123456"
// The same in this computer's zone: "2026-11-20 20:49:37.123456 +0100", or "2026-11-20 20:49:37".
std::string local_text(std::int64_t unix_ns, bool exact);
std::uint64_t random_seed();  // 64 bits of getrandom
std::string host_name();
// Is this name or address one of this computer? (Compared with the addresses of its interfaces; loopback counts.)
bool is_local_host(const std::string& host);

}  // namespace ndb::os
