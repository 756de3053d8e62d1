// ndb-node: a data node as a process. Finds its configuration, its directory and its store, and runs node::Node on an
// os::Loop. Restarts itself in place when the cluster says so.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/connect.h"
#include "mgmt/config.h"
#include "node/node.h"
#include "os/daemon.h"
#include "os/fault.h"
#include "os/file_disk.h"
#include "os/files.h"
#include "os/loop.h"
#include "os/sqlite_log_store.h"

namespace {

using namespace ndb;

constexpr const char* kVersion = "ndb-node 0.1.0";

struct Options {
  std::string connectstring;
  unsigned node_id = 0;
  std::string data_dir;
  std::string bind_address;
  std::string port_file;
  int connect_retries = 12;
  int connect_retry_delay_s = 5;
  bool initial = false;
  bool nostart = false;
  bool nodaemon = false;
  bool foreground = false;
};

int complain(const std::string& sentence, int status = 1) {
  std::cerr << "ndb-node: " << sentence << "\n";
  return status;
}

// What this node needs to know of the configuration before it can be a member of anything.
struct Settings {
  std::string host = "localhost";
  std::string data_dir = ".";
  std::uint16_t port = 0;
  std::uint8_t workers = 1;
  std::uint64_t cluster = 0;
  bool diskless = false;
  store::RedoLayout redo;
};

// ThreadConfig of the ldm kind: "ldm={count=2}" gives two workers; so does a plain number in MaxNoOfExecutionThreads
// from 4 on, as the original derives it (half of the threads).
std::uint8_t workers_of(const mgmt::Config& c, const mgmt::Node& n) {
  const std::string threads = mgmt::effective(c, n, "ThreadConfig");
  std::size_t at = threads.find("ldm");
  if (at != std::string::npos) {
    at = threads.find("count=", at);
    if (at != std::string::npos) {
      const int count = std::atoi(threads.c_str() + at + 6);
      return static_cast<std::uint8_t>(std::clamp(count, 1, static_cast<int>(limits::kWorkersMax)));
    }
    return 1;
  }
  const std::uint64_t all = mgmt::effective_number(c, n, "MaxNoOfExecutionThreads");
  return static_cast<std::uint8_t>(std::clamp<std::uint64_t>(all / 2, 1, limits::kWorkersMax));
}

Result<Settings> settings_for(NodeId id, const std::string& text) {
  mgmt::ParseResult parsed = mgmt::parse_any(text);
  if (!parsed.ok()) return Failure{Error::internal, "the management server's configuration cannot be read"};
  const mgmt::Node* n = parsed.config.find(id);
  if (n == nullptr || n->kind != mgmt::Kind::ndbd) {
    return Failure{Error::wrong_node_id, "node id " + std::to_string(id) + " is not a data node of the configuration"};
  }
  if (mgmt::in_reserve(parsed.config, *n)) {
    return Failure{Error::bad_node_state, "node " + std::to_string(id) + " is disabled in the configuration; enable it first"};
  }
  Settings s;
  s.host = mgmt::effective(parsed.config, *n, "HostName");
  if (s.host.empty()) s.host = "localhost";
  std::string dir = mgmt::effective(parsed.config, *n, "DataDir");
  if (!dir.empty()) s.data_dir = dir;
  s.port = static_cast<std::uint16_t>(mgmt::effective_number(parsed.config, *n, "ServerPort"));
  s.workers = workers_of(parsed.config, *n);
  s.diskless = mgmt::effective(parsed.config, *n, "Diskless") == "1";
  s.redo.file_bytes = mgmt::effective_number(parsed.config, *n, "FragmentLogFileSize");
  s.redo.files = static_cast<std::uint32_t>(mgmt::effective_number(parsed.config, *n, "NoOfFragmentLogFiles"));
  return s;
}

// Asks the management servers; waits for one as long as the operator said.
Result<Settings> fetch_settings(const cli::ConnectString& servers, NodeId id, const Options& o) {
  for (int attempt = 0;; attempt++) {
    cli::Management m(servers);
    auto reply = m.request("ndb get config", {{"generation", "0"}, {"effective", "0"}});
    if (reply.ok() && !reply->bulk.empty()) {
      auto s = settings_for(id, reply->bulk);
      if (s.ok()) s->cluster = std::strtoull(reply->value("cluster_id").c_str(), nullptr, 10);
      return s;
    }
    const Failure why = reply.ok() ? Failure{Error::not_ready, "the configuration is not confirmed yet"} : reply.failure();
    if (!is_temporary(why.error) && why.error != Error::no_such_generation) return why;
    if (attempt >= o.connect_retries) return why;
    usleep(static_cast<useconds_t>(o.connect_retry_delay_s) * (attempt < 10 ? 20000 : 1000000));
  }
}

Failure prepare_directory(const std::string& dir, bool initial) {
  if (initial && os::is_directory(dir)) {
    std::error_code e;
    for (const auto& entry : std::filesystem::directory_iterator(dir, e)) {
      if (entry.path().filename() == "lock") continue;
      std::filesystem::remove_all(entry.path(), e);
      if (e) return Failure{Error::os_failed, "cannot remove '" + entry.path().string() + "': " + e.message()};
    }
  }
  return os::make_directories(dir);
}

// The arguments of the next life: what was meant for this one only is left out.
std::vector<char*> next_arguments(int argc, char** argv, int status) {
  std::vector<char*> next;
  for (int i = 0; i < argc; i++) {
    std::string a = argv[i];
    if (a == "--initial" || a == "--nostart" || a == "-n") continue;
    next.push_back(argv[i]);
  }
  static char initial[] = "--initial";
  static char nostart[] = "--nostart";
  if ((status & node::kExitRestartInitial) != 0) next.push_back(initial);
  if ((status & node::kExitThenWait) != 0) next.push_back(nostart);
  next.push_back(nullptr);
  return next;
}

int run(const Options& o, int argc, char** argv) {
  auto servers = cli::find_connectstring(o.connectstring);
  if (!servers.ok()) return complain(servers.failure().sentence(), 2);
  const NodeId id = o.node_id != 0 ? static_cast<NodeId>(o.node_id) : servers->node_id;
  if (id == 0) return complain("no node id: give --ndb-nodeid=N, or nodeid=N in the connect string", 2);
  auto settings = fetch_settings(*servers, id, o);
  if (!settings.ok()) {
    return complain(settings.failure().sentence(), error_info(settings.error()).exit_status);
  }
  const std::string base = o.data_dir.empty() ? settings->data_dir : o.data_dir;
  if (!os::is_directory(base)) {
    return complain("data directory '" + base + "' does not exist; create it, or give another with --datadir");
  }
  const std::string dir = base + "/ndb_" + std::to_string(id) + "_fs";
  if (Failure f = os::make_directories(dir)) return complain(f.sentence());
  os::DaemonOptions daemon_options;
  daemon_options.pid_path = os::pid_path(base, id);
  daemon_options.out_path = os::out_path(base, id);
  daemon_options.foreground = o.nodaemon || o.foreground;
  auto daemon = os::daemonise(daemon_options);
  if (!daemon.ok()) return complain(daemon.failure().sentence());
  if (daemon->is_caller()) return daemon->caller_status();
  auto fail = [&](const std::string& sentence) {
    daemon->failed(1, "ndb-node: " + sentence);
    return 1;
  };
  auto lock = os::lock_file(dir + "/lock");
  if (!lock.ok()) return fail(lock.failure().sentence());
  if (Failure f = prepare_directory(dir, o.initial)) return fail(f.sentence());

  os::Loop* loop_pointer = nullptr;
  auto store = std::make_unique<os::SqliteLogStore>(dir + "/" + os::kMetaFileName, [&](std::uint64_t tag, int status) {
    if (loop_pointer != nullptr) loop_pointer->deliver_stored(tag, status);
  });
  if (Failure f = store->open()) return fail(f.sentence());
  std::uint64_t raft_id = store->load().raft_id;
  while (raft_id == 0) raft_id = os::random_seed() >> 1;

  node::NodeOptions n;
  n.node = id;
  n.raft_id = raft_id;
  n.seed = os::random_seed();
  for (const auto& s : servers->servers) n.servers.push_back({0, s.host, s.port});
  n.address = settings->host;
  n.workers = settings->workers;
  n.nostart = o.nostart;

  std::vector<std::unique_ptr<os::FileDisk>> disks;
  for (WorkerId w = 0; !settings->diskless && w < settings->workers; w++) {
    os::FileDiskOptions d;
    d.directory = dir + "/w" + std::to_string(w);
    d.identity = {settings->cluster, id, w, settings->workers};
    d.layout = settings->redo;
    d.stored = [&](std::uint64_t tag, int status) {
      if (loop_pointer != nullptr) loop_pointer->deliver_stored(tag, status);
    };
    auto disk = os::FileDisk::open(std::move(d));
    if (!disk.ok()) return fail(disk.failure().sentence());
    disks.push_back(std::move(*disk));
    const auto found = disks.back()->list();
    n.has_rows = n.has_rows || !found.checkpoints.empty() || found.redo_end > found.redo_begin;
    n.disks.push_back(disks.back().get());
  }
  n.disk_cluster = settings->cluster;

  // The machine has to know its port before it starts, the loop needs the machine: a place to listen comes first.
  struct Late : env::Machine {
    std::unique_ptr<node::Node> node;
    void step(Time now, const env::Event& e, env::Outbox& out) override { node->step(now, e, out); }
  } machine;
  os::LoopOptions loop_options;
  loop_options.log_name = "ndb-node " + std::to_string(id);
  os::Loop loop(machine, loop_options);
  auto port = loop.listen(o.bind_address.empty() ? settings->host : o.bind_address, settings->port, false);
  if (!port.ok()) return fail(port.failure().sentence());
  n.port = *port;
  machine.node = std::make_unique<node::Node>(*store, n);
  loop_pointer = &loop;
  loop.stop_on_signals();
  if (!o.port_file.empty()) {
    if (Failure f = os::write_file_atomically(o.port_file, std::to_string(*port) + "\n")) return fail(f.sentence());
  }
  const std::string fault = os::arm_fault();
  if (!fault.empty()) loop.log(env::Severity::warning, "this process will kill itself at '" + fault + "' (NDB_FAULT)");
  daemon->ready();
  const int status = loop.run();
  store->drain();
  machine.node.reset();
  disks.clear();
  store.reset();
  loop_pointer = nullptr;
  if ((status & (node::kExitRestart | node::kExitRestartInitial)) != 0) {
    lock = Result<os::Fd>(os::Fd());
    std::vector<char*> next = next_arguments(argc, argv, status);
    Failure f = os::exec_again(next.data());
    return complain(f.sentence());
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"A data node of the cluster."};
  app.name("ndb-node");
  app.set_version_flag("-V,--version", kVersion);
  app.add_option("-c,--connectstring,--ndb-connectstring", o.connectstring,
                 "management servers, host[:port][,..]; else NDB_CONNECTSTRING, ndb.toml, localhost:1186");
  app.add_option("--ndb-nodeid", o.node_id, "this node's id in the configuration")->check(CLI::Range(1, 144));
  app.add_option("--datadir", o.data_dir, "where ndb_<id>_fs, the pid file and the log lie; else DataDir");
  app.add_option("--bind-address", o.bind_address, "address to listen on; else HostName");
  app.add_option("--port-file", o.port_file, "write the port that it listens on to this file");
  app.add_option("--connect-retries", o.connect_retries, "tries to reach a management server")->capture_default_str();
  app.add_option("--connect-retry-delay", o.connect_retry_delay_s, "seconds between tries")->capture_default_str();
  app.add_flag("--initial", o.initial, "remove this node's files before the start");
  app.add_flag("-n,--nostart", o.nostart, "wait for the order to start");
  app.add_flag("--nodaemon", o.nodaemon, "stay in the foreground");
  app.add_flag("--foreground", o.foreground, "the same");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return run(o, argc, argv);
}
