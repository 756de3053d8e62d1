// Jobs of the cluster (reorganisations), asked for and waited for.
#pragma once
#include <string>
#include <vector>

#include "cli/tool.h"

namespace ndb::cli {

struct Job {
  std::uint64_t id = 0;  // 0 = there is none
  std::string kind, table, phase, detail;
  std::string state;  // running, rolling_back, done, rolled_back
  std::uint64_t percent = 0, rows_to_move = 0, rows_moved = 0, error = 0;
  std::int64_t started_s = 0;
  bool resume_on_failure = false;
  std::string json;  // the server's own words

  bool running() const { return state == "running" || state == "rolling_back"; }
};

Result<Job> parse_job(std::string_view json);
// id 0 = the newest; without any job so far the answer has id 0.
Result<Job> read_job(Tool& tool, std::uint64_t id, Time patience = 0);
Result<std::vector<Job>> read_jobs(Tool& tool);  // newest first

// Watches the job, with progress on stderr, until it has ended or `timeout` is over (0 = as long as it takes): then
// the answer is still running(). Goes on through losses of management servers for kJobPatience.
inline constexpr Time kJobPatience = 60 * kSecond;
Result<Job> wait_for_job(Tool& tool, std::uint64_t id, Time timeout);

struct TableName {
  std::string name, phase;
  std::uint64_t columns = 0, fragments = 0;
  std::string index_of;  // hidden: holds a unique index of that table
};
Result<std::vector<TableName>> read_tables(Tool& tool);

}  // namespace ndb::cli
