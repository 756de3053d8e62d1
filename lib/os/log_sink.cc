#include "os/log_sink.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace ndb::os {

LogTimes log_times_named(std::string_view word) {
  if (word == "system") return LogTimes::system;
  return word == "legacy" ? LogTimes::legacy : LogTimes::utc;
}

LogSink::LogSink(const std::string& path, std::string name, env::Severity from, LogTimes times)
    : name_(std::move(name)), from_(from), times_(times) {
  if (path.empty()) return;
  file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_) {
    int why = errno;
    add(env::Severity::error, os_failure("open the log", path, why).text + "; logging to stderr");
    flush();
  }
}

void LogSink::add(env::Severity severity, std::string_view text) {
  if (severity < from_) return;
  lines_ += times_ == LogTimes::utc ? utc_text(unix_now_ns()) : local_text(unix_now_ns(), times_ == LogTimes::system);
  lines_ += ' ';
  lines_ += env::severity_name(severity);
  lines_ += " -- ";
  if (!name_.empty()) {
    lines_ += name_;
    lines_ += ": ";
  }
  for (char c : text) lines_ += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  lines_ += '\n';
}

void LogSink::flush() noexcept {
  if (lines_.empty()) return;
  std::string_view rest = lines_;
  while (!rest.empty()) {
    ssize_t n = ::write(file_ ? file_.get() : STDERR_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // a full disk must not stop the server; the lines are lost
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  lines_.clear();
}

}  // namespace ndb::os
