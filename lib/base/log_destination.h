// Where a management server writes the cluster log, as its LogDestination says:
//
//   FILE:filename=ndb_1_cluster.log,maxsize=1000000,maxfiles=6     CONSOLE     SYSLOG[:facility=user]
//   several of them with ';' between
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/errors.h"

namespace ndb {

struct LogDestination {
  bool console = false;  // stderr
  bool syslog = false;
  std::string path;  // empty = no file
  std::uint64_t bytes_max = 1000000;
  std::uint32_t files_max = 6;  // the present one and the older ones together
};
// A relative file name lies in `directory`. Refuses what it does not know, with the word.
Result<LogDestination> parse_log_destination(std::string_view text, const std::string& directory);

}  // namespace ndb
