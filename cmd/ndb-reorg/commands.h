// The subcommands of ndb-reorg, one file each, and what they share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/job.h"
#include "cli/options.h"

namespace ndb::cli {

std::unique_ptr<Command> make_plan();
std::unique_ptr<Command> make_start();
std::unique_ptr<Command> make_status();
std::unique_ptr<Command> make_wait();
std::unique_ptr<Command> make_cancel();
std::unique_ptr<Command> make_verify();

// --table and --all: which tables a command is about.
struct TableOptions {
  std::vector<std::string> names;
  bool all = false;
  void declare(Options& o);
  // The names, `with_indexes` each with those of the hidden tables that hold its unique indexes; fails with a
  // sentence when none or both were given.
  Result<std::vector<std::string>> tables(Tool& tool, bool with_indexes = true) const;
  static int refuse(Tool& tool, const Failure& failure);  // of tables(); the exit status
};
// What a server said to a command of ours, which a stock one does not know; the exit status.
int refused(Tool& tool, const Failure& failure);

// What a reorganisation would move, as the server plans it.
struct Plan {
  std::string table, json;
  bool changed = false;  // there is something to do
  std::string groups_before, groups_after;
  std::uint64_t fragments_before = 0, fragments_after = 0, buckets = 0, buckets_moved = 0;
  std::string rows, rows_moved, bytes_moved;  // "?" when the nodes did not say
};
Result<Plan> make_plan_of(Tool& tool, const std::string& table, const std::string& drain, std::uint64_t if_version);
void print_plans(const Tool& tool, const std::vector<Plan>& plans);
// Node groups to be emptied, "1,2" -> "1 2"; fails with the word that is no number.
Result<std::string> drain_words(const std::string& option);

// How a job ended, on stdout (not for JSON), and the exit status.
int report_end(Tool& tool, const Job& job);

}  // namespace ndb::cli
