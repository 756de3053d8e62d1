// ndb-sql: SQL over the tables of a cluster.
#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/signals.h"
#include "cli/version.h"
#include "shell.h"

int main(int argc, char** argv) {
  using namespace ndb;
  cli::Tool tool("ndb-sql");
  CLI::App app{"SQL over the tables of a cluster", "ndb-sql"};
  std::vector<std::string> statements;
  std::string file, format = "table";
  bool keep_going = false, durable = false, version = false;
  app.set_help_flag("-h,--help", "print this help and leave");
  app.get_formatter()->column_width(36);
  app.add_option("-c,--connectstring,--ndb-connectstring", tool.connectstring,
                 "management servers: host[:port][,host[:port]...]")
      ->type_name("STRING");
  app.add_option("-e,--execute", statements, "run these statements and leave; may be given several times")
      ->type_name("SQL")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--format", format, "how results are printed: table, csv or json")
      ->type_name("WORD")
      ->check(CLI::IsMember({"table", "csv", "json"}));
  app.add_flag("--durable", durable, "commits wait until they are on disk");
  app.add_flag("-f,--force", keep_going, "go on after a statement that fails; the exit status is that of the first");
  app.add_flag("--version", version, "print the version and leave");
  app.add_option("FILE", file, "statements to run; without it and without -e: standard input");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& e) {
    std::string why = e.what();
    if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z' && why.size() > 1 && why[1] >= 'a') {
      why[0] = static_cast<char>(why[0] + 32);
    }
    return tool.usage(why + "; see 'ndb-sql --help'");
  }
  if (version) {
    std::printf("ndb-sql %s\n", std::string(cli::kToolVersion).c_str());
    return 0;
  }
  if (!file.empty() && !statements.empty()) return tool.usage("-e and a file exclude each other");
  std::ifstream script(file);
  if (!file.empty() && !script) return tool.refuse("cannot read '" + file + "'");
  const bool terminal = statements.empty() && file.empty() && ::isatty(0) != 0;
  if (!terminal) cli::on_interrupt("ndb-sql", "what was committed stays, an open transaction is rolled back");
  auto cluster = cli::connect_cluster(tool.connectstring);
  if (!cluster) return tool.fail(cluster.failure());
  auto session = std::make_unique<sql::Session>(*cluster, tool::management_schema(tool));
  session->set_durable(durable);
  tool::Shell shell(tool, std::move(session), format, keep_going);
  int status = 0;
  if (terminal) {
    status = shell.run_terminal();
  } else if (!statements.empty()) {
    for (const std::string& s : statements) {
      status = shell.run_text(s);
      if (status != 0 && !keep_going) break;
    }
  } else {
    status = shell.run_stream(file.empty() ? std::cin : static_cast<std::istream&>(script));
  }
  if (std::fflush(stdout) != 0) return tool.refuse("cannot write to standard output");
  return status;
}
