// The cluster log: lines in a file that begins anew when it has grown too long, the older ones kept as <path>.1,
// <path>.2, .. (the highest number is the oldest). Where to: base/log_destination.h.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/errors.h"
#include "base/log_destination.h"
#include "os/files.h"

namespace ndb::os {

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
