// ndb-sql: SQL over the tables of a cluster.
#include <CLI/CLI.hpp>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/signals.h"
#include "cli/version.h"
#include "os/files.h"
#include "os/standard_streams.h"
#include "shell.h"

namespace {

using namespace ndb;

// A script that is there and no directory.
Failure open_script(const std::string& path, std::ifstream* script) {
  errno = 0;
  script->open(path);
  if (os::is_directory(path)) return os::os_failure("read", path, EISDIR);
  return *script ? Failure{} : os::os_failure("read", path, errno);
}

int run(int argc, char** argv) {
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
    return tool.usage(cli::usage_sentence(e.what()) + "; see 'ndb-sql --help'");
  }
  if (version) {
    std::printf("ndb-sql %s\n", std::string(cli::kToolVersion).c_str());
    return 0;
  }
  if (!file.empty() && !statements.empty()) return tool.usage("-e and a file exclude each other");
  std::ifstream script;
  if (Failure f = file.empty() ? Failure{} : open_script(file, &script)) return tool.fail(f);
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
    if (std::ferror(stdin) != 0) return tool.refuse("cannot read standard input");
    if (script.bad()) return tool.refuse("cannot read '" + file + "' to its end");
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  os::hold_standard_streams();
  return cli::end_output("ndb-sql", run(argc, argv));
}
