// The metadata file's reading half (docs/FORMATS.md, section 6): is it ours, is it whole, what does it hold. For the
// store itself, for `ndb-node --check-files` and `--dump`.
#pragma once
#include <string>

#include "meta/log.h"
#include "os/sqlite_file.h"

namespace ndb::os {

inline constexpr std::int64_t kLogApplicationId = 0x4e44424d;  // "NDBM"
inline constexpr std::int64_t kLogVersion = 1;
inline constexpr const char* kLockSuffix = ".lock";

std::uint32_t log_checksum(const meta::LogEntry& e);
std::uint32_t log_checksum(const meta::LogSnapshot& s);

// Whose file it is. Empty = ours, or an empty one (*empty); else what is wrong with it.
std::string judge_log_file(SqliteFile& file, bool* empty);
// Everything in it, checksums compared. False: *fault says what is wrong.
bool read_log(SqliteFile& file, meta::LogStore::State* s, std::string* fault);
// SQLite's own check, then read_log(). Empty = good.
std::string check_log(SqliteFile& file, meta::LogStore::State* s);

// The same for a file of a process that does not run. Works on a copy in a private directory, so that nothing beside
// the file changes (SQLite completes a write-ahead log when it opens one). Refused, with the path: what is missing,
// locked by a running process, foreign or damaged.
Result<meta::LogStore::State> read_log_file(const std::string& path);
// For people: what read_log_file() found, one line for each entry.
std::string dump_log(const meta::LogStore::State& s);

}  // namespace ndb::os
