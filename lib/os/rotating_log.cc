#include "os/rotating_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace ndb::os {

RotatingLog::RotatingLog(LogDestination to) : to_(std::move(to)) {}

RotatingLog::~RotatingLog() {
  if (to_.syslog) ::closelog();
}

Result<std::unique_ptr<RotatingLog>> RotatingLog::open(LogDestination to) {
  std::unique_ptr<RotatingLog> log(new RotatingLog(std::move(to)));
  if (log->to_.syslog) ::openlog("ndb-mgmd", LOG_PID, LOG_USER);
  if (!log->to_.path.empty()) {
    if (Failure f = log->open_file()) return f;
  }
  return log;
}

Failure RotatingLog::open_file() {
  file_ = Fd(::open(to_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_) return os_failure("open the cluster log", to_.path, errno);
  struct stat about {};
  bytes_ = ::fstat(file_.get(), &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
  return {};
}

void RotatingLog::rotate() {
  for (std::uint32_t n = to_.files_max - 1; n > 0; --n) {
    const std::string from = n == 1 ? to_.path : to_.path + "." + std::to_string(n - 1);
    ::rename(from.c_str(), (to_.path + "." + std::to_string(n)).c_str());  // some are not there yet
  }
  if (to_.files_max == 1) ::unlink(to_.path.c_str());
  if (Failure f = open_file()) ::dprintf(STDERR_FILENO, "%s\n", f.sentence().c_str());
}

void RotatingLog::add(std::string_view text) {
  std::string line(text);
  for (char& c : line) c = static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  if (to_.syslog) ::syslog(LOG_INFO, "%s", line.c_str());
  line += '\n';
  if (to_.console && ::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
  if (!file_) return;
  if (bytes_ != 0 && bytes_ + line.size() > to_.bytes_max) rotate();
  const ssize_t n = ::write(file_.get(), line.data(), line.size());
  if (n > 0) bytes_ += static_cast<std::uint64_t>(n);
}

Result<std::unique_ptr<RotatingLog>> open_log_destination(const std::string& text, const std::string& directory) {
  auto to = parse_log_destination(text, directory);
  if (!to) return to.failure();
  return RotatingLog::open(std::move(*to));
}

}  // namespace ndb::os
