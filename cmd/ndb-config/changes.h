// What the subcommands that compare and change configurations share.
#pragma once
#include <string>
#include <vector>

#include "cli/config.h"
#include "mgmt/config_diff.h"

namespace ndb::cli {

// "ndb-config: new.ini: line 4: warning: ..", one line a problem, on stderr.
void print_problems(const Tool& tool, const std::string& source, const std::vector<mgmt::Problem>& problems);

// The text of a file ("-": standard input), and what it says. Prints all its problems. Fails when it cannot be
// read; with errors in it the answer's `ok` is false.
struct FileConfig {
  std::string text, source;
  mgmt::Config config;
  std::vector<mgmt::Problem> problems;
  bool ok = false;
};
Result<FileConfig> read_config_file(const Tool& tool, const std::string& path);

struct Comparison {
  std::vector<mgmt::Change> changes;
  std::vector<mgmt::Problem> problems;  // of the change, not of either text
  mgmt::RestartPlan plan;
};
// The name of the cluster, which texts need not say, is compared with one that is said.
Comparison compare(const StoredConfig& from, const mgmt::Config& to, bool stock);
void print_comparison(const Tool& tool, const Comparison& c, const std::string& from, const std::string& to);

// --dry-run, --if-generation, --message, --accept-warnings
struct ApplyOptions {
  bool dry_run = false, accept_warnings = false;
  std::uint64_t if_generation = 0;
  std::string message;
  void declare(Options& o);
  Failure check(const StoredConfig& present) const;  // generation_moved
};
// Compares with `present`, asks for what must be asked for, applies, and says what is to be done next. The exit
// status.
int apply_text(Tool& tool, const ApplyOptions& options, const StoredConfig& present, const mgmt::Config& next,
               const std::string& text, const std::string& source);
// What the server's answer says besides its sentence when it has refused: the problems that it found.
void print_refused(const Tool& tool, const std::string& source);
// What apply and rollback have in common: refusals of the comparison on stderr, kExitDone when nothing stands in
// the way.
int judge(const Tool& tool, const ApplyOptions& options, const Comparison& c, const std::string& source);
int report_applied(Tool& tool, const ApplyOptions& options, const Comparison& c, std::uint64_t generation,
                   bool changed);

}  // namespace ndb::cli
