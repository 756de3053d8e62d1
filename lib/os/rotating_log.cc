#include "os/rotating_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>

namespace ndb::os {

namespace {

constexpr std::uint32_t kFilesMax = 1000;

Failure unknown(std::string_view word) {
  return {Error::illegal_change,
          "LogDestination: '" + std::string(word) +
              "' is not known; it takes FILE:filename=..,maxsize=..,maxfiles=.., CONSOLE, SYSLOG"};
}

// Cuts off the part up to `separator`.
std::string_view next_part(std::string_view* rest, char separator) {
  const std::size_t end = rest->find(separator);
  std::string_view part = rest->substr(0, end);
  *rest = end == std::string_view::npos ? std::string_view{} : rest->substr(end + 1);
  while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
  while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
  return part;
}

template <class T>
bool read_number(std::string_view text, T* number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size();
}

Failure read_file_options(std::string_view options, const std::string& directory, LogDestination* to) {
  while (!options.empty()) {
    const std::string_view option = next_part(&options, ',');
    const std::string_view value = option.substr(std::min(option.find('=') + 1, option.size()));
    bool good = !value.empty();
    if (option.starts_with("filename=")) {
      to->path = value.starts_with('/') ? std::string(value) : directory + "/" + std::string(value);
    } else if (option.starts_with("maxsize=")) {
      good = read_number(value, &to->bytes_max) && to->bytes_max > 0;
    } else if (option.starts_with("maxfiles=")) {
      good = read_number(value, &to->files_max) && to->files_max > 0 && to->files_max <= kFilesMax;
    } else {
      good = false;
    }
    if (!good) return unknown(option);
  }
  if (to->path.empty()) return unknown("FILE without filename=");
  return {};
}

}  // namespace

Result<LogDestination> parse_log_destination(std::string_view text, const std::string& directory) {
  LogDestination to;
  while (!text.empty()) {
    const std::string_view one = next_part(&text, ';');
    if (one == "CONSOLE") {
      to.console = true;
    } else if (one == "SYSLOG" || one.starts_with("SYSLOG:")) {
      to.syslog = true;
    } else if (one.starts_with("FILE:")) {
      if (Failure f = read_file_options(one.substr(5), directory, &to)) return f;
    } else {
      return unknown(one);
    }
  }
  return to;
}

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
