// The cluster log: lines in a file that begins anew when it has grown too long, the older ones kept as <path>.1,
// <path>.2, .. (the highest number is the oldest). What LogDestination of a management server says:
//
//   FILE:filename=ndb_1_cluster.log,maxsize=1000000,maxfiles=6     CONSOLE     SYSLOG[:facility=user]
//   several of them with ';' between
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/errors.h"
#include "os/files.h"

namespace ndb::os {

struct LogDestination {
  bool console = false;  // stderr
  bool syslog = false;
  std::string path;  // empty = no file
  std::uint64_t bytes_max = 1000000;
  std::uint32_t files_max = 6;  // the present one and the older ones together
};
// A relative file name lies in `directory`. Refuses what it does not know, with the word.
Result<LogDestination> parse_log_destination(std::string_view text, const std::string& directory);

class RotatingLog {
 public:
  static Result<std::unique_ptr<RotatingLog>> open(LogDestination to);
  ~RotatingLog();
  RotatingLog(const RotatingLog&) = delete;
  RotatingLog& operator=(const RotatingLog&) = delete;
  // Without a line end. A disk that is full loses lines, and nothing else.
  void add(std::string_view line);

 private:
  explicit RotatingLog(LogDestination to);
  Failure open_file();
  void rotate();

  LogDestination to_;
  Fd file_;
  std::uint64_t bytes_ = 0;
};

// Both together.
Result<std::unique_ptr<RotatingLog>> open_log_destination(const std::string& text, const std::string& directory);

}  // namespace ndb::os
