// Where log lines go: a file, or stderr. One line an entry: time, severity, name, text; control characters
// inside the text become spaces. Lines are collected and written by flush(), with one system call, once a round of
// the loop.
#pragma once
#include <string>
#include <string_view>

#include "env/machine.h"
#include "os/files.h"

namespace ndb::os {

enum class LogTimes : std::uint8_t { utc, system, legacy };  // local time with its zone; without, in seconds
LogTimes log_times_named(std::string_view word);             // "utc", "system", "legacy"; of another word: utc

class LogSink {
 public:
  // A path that cannot be opened is complained about on stderr, and stderr is used.
  LogSink(const std::string& path, std::string name, env::Severity from, LogTimes times = LogTimes::utc);
  ~LogSink() { flush(); }
  void add(env::Severity severity, std::string_view text);
  void flush() noexcept;

 private:
  Fd file_;
  std::string name_;
  env::Severity from_;
  LogTimes times_;
  std::string lines_;
};

}  // namespace ndb::os
