// ndb-node: a data node as a process, and the reader of its files. One file a task: run.cc, files.cc.
#include <CLI/CLI.hpp>

#include "cli/exit.h"
#include "os/standard_streams.h"
#include "program.h"

namespace ndb::node_program {
namespace {

constexpr const char* kVersion = "ndb-node 0.1.0";

int do_as_told(int argc, char** argv) {
  Options o;
  CLI::App app{"A data node of the cluster."};
  app.name("ndb-node");
  app.set_version_flag("-V,--version", kVersion);
  app.add_option("-c,--connectstring,--ndb-connectstring", o.connectstring,
                 "management servers, host[:port][,..]; else NDB_CONNECTSTRING, ndb.toml, localhost:1186");
  app.add_option("--ndb-nodeid", o.node_id, "this node's id in the configuration")->check(CLI::Range(1, 144));
  app.add_option("--datadir", o.data_dir,
                 "where ndb_<id>_fs, the pid file and the log lie; else FileSystemPath and DataDir");
  app.add_option("--bind-address", o.bind_address, "address to listen on; else HostName");
  app.add_option("--port-file", o.port_file, "write the port that it listens on to this file");
  app.add_option("--connect-retries", o.connect_retries, "tries to reach a management server")->capture_default_str();
  app.add_option("--connect-retry-delay", o.connect_retry_delay_s, "seconds between tries")->capture_default_str();
  app.add_flag("--initial", o.initial, "remove this node's files before the start");
  app.add_flag("-n,--nostart", o.nostart, "wait for the order to start");
  app.add_option("--nowait-nodes", o.nowait_nodes, "a start of the cluster does not wait for these nodes: 1,3-5");
  app.add_option(
         "--worker-threads", o.worker_threads,
         "several workers have a thread each: yes, no (they take turns), auto: with more processors than workers")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
  app.add_option("--ndb-log-timestamps", o.log_times,
                 "times in the node's log: utc (so it is without it), system, legacy")
      ->transform(CLI::IsMember({"utc", "system", "legacy"}, CLI::ignore_case));
  app.add_option("--ndb-tls-search-path", o.tls_path, "ignored with a warning: this program has no TLS");
  app.add_option("--ndb-mgm-tls", o.tls_mode,
                 "relaxed (so it is without it), which is all that a program without TLS can do; strict and deferred "
                 "are refused")
      ->transform(CLI::IsMember({"relaxed", "strict", "deferred"}, CLI::ignore_case));
  app.add_flag("--nodaemon", o.nodaemon, "stay in the foreground");
  app.add_flag("--foreground", o.foreground, "the same");
  auto* check = app.add_flag("--check-files", o.check_files, "read the files of a node that does not run, and report");
  app.add_option("--dump", o.dump, "print what this file of a node holds: redo, checkpoint, metadata, lock")
      ->excludes(check);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return complain(cli::usage_sentence(e.what()) + "; see 'ndb-node --help'", 2);
  }
  if (!o.dump.empty()) return dump_file(o.dump);
  return o.check_files ? check_files(o) : run(o, argc, argv);
}

}  // namespace
}  // namespace ndb::node_program

int main(int argc, char** argv) {
  ndb::os::hold_standard_streams();
  return ndb::cli::end_output("ndb-node", ndb::node_program::do_as_told(argc, argv));
}
