// ndb-mgmd: a management server as a process. Finds out who it is, checks what it was given before anything is created
// (plan.h), and runs mgmt::Server on an os::Loop.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/exit.h"
#include "mgmt/config_image.h"
#include "mgmt/report.h"
#include "mgmt/server.h"
#include "os/daemon.h"
#include "os/fault.h"
#include "os/files.h"
#include "os/loop.h"
#include "os/own_directory.h"
#include "os/resolver.h"
#include "os/rotating_log.h"
#include "os/sqlite_log_read.h"
#include "os/sqlite_log_store.h"
#include "os/standard_streams.h"
#include "plan.h"

namespace {

using namespace ndb;
using namespace ndb::mgmd;

constexpr const char* kVersion = "ndb-mgmd 0.1.0";

struct Files final : mgmt::ConfigFiles {
  Result<std::string> read(const std::string& path) override {
    return os::read_file(path, limits::kConfigTextBytesMax);
  }
};

struct Names final : mgmt::HostNames {
  explicit Names(os::Loop& loop)
      : table([&loop] {
          loop.post([&loop] {
            env::Event e;
            e.kind = env::EventKind::timer;
            loop.step(e);
          });
        }) {}
  os::HostTable table;
  std::optional<std::vector<std::string>> addresses(const std::string& host) override { return table.addresses(host); }
};

struct ClusterLog final : mgmt::EventLog {
  std::unique_ptr<os::RotatingLog> file;
  void add(std::string_view line) override { file->add(line); }
};

// Where the metadata log lies: its directory, or with --skip-config-cache a scratch one that goes with the process.
class StoreDirectory {
 public:
  explicit StoreDirectory(std::string path) : path_(std::move(path)) {}
  ~StoreDirectory() {
    std::error_code ignored;
    if (scratch_) std::filesystem::remove_all(path_, ignored);
  }
  StoreDirectory(const StoreDirectory&) = delete;
  StoreDirectory& operator=(const StoreDirectory&) = delete;

  Failure make() {
    if (path_.empty()) {
      std::string name = std::filesystem::temp_directory_path().string() + "/ndb-mgmd.XXXXXX";
      if (mkdtemp(name.data()) == nullptr) return os::os_failure("create", name, errno);
      path_ = name;
      scratch_ = true;
      return {};
    }
    return os::make_directories(path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool scratch_ = false;
};

mgmt::ServerOptions server_options(const Options& o, const Plan& p, std::uint64_t raft_id, std::uint16_t port) {
  mgmt::ServerOptions s;
  s.node = p.node;
  s.raft_id = raft_id;
  s.seed = os::random_seed();
  s.unix_offset_ns = os::unix_now_ns() - os::monotonic_now();
  s.port = port;
  s.config_text = p.file_text;
  s.config_source = o.config_file;
  const char* user = getenv("USER");
  s.who = std::string(user != nullptr ? user : "unknown") + "@" + os::host_name();
  s.reload = o.reload;
  s.nowait = p.nowait;
  s.alone = !o.config_cache && !p.file_text.empty();
  s.default_logic = o.default_logic;
  s.node_id_checks = o.node_id_checks;
  if (!o.log_name.empty()) s.log_name = o.log_name;
  for (const auto& server : p.servers.servers) {
    const bool itself = server.port == port && os::is_local_host(server.host);
    if (!itself) s.connect.push_back({0, server.host, server.port});
  }
  return s;
}

// The arguments of the next life: what was meant for this one only is left out.
std::vector<char*> next_arguments(char** argv) {
  std::vector<char*> next;
  for (char** a = argv; *a != nullptr; ++a) {
    const std::string_view word = *a;
    if (word != "--initial" && word != "--reload") next.push_back(*a);
  }
  next.push_back(nullptr);
  return next;
}

// A server and its place in the world. The machine has to know its port before it starts, the loop needs the machine.
struct Late final : env::Machine {
  std::unique_ptr<mgmt::Server> server;
  void step(Time now, const env::Event& e, env::Outbox& out) override { server->step(now, e, out); }
};

// Where a server whose port is chosen by the system listened before, so that others find it again; 0 = unknown.
std::uint16_t earlier_port(const std::string& port_file) {
  if (port_file.empty()) return 0;
  auto text = os::read_file(port_file, 16);
  std::int64_t port = 0;
  if (!text.ok() || !mgmt::parse_number(mgmt::trim(*text), &port) || port < 1 || port > UINT16_MAX) return 0;
  return static_cast<std::uint16_t>(port);
}

// Requires: the store is locked, so that what goes is nobody else's.
Failure open_store(const std::string& directory, bool initial, NodeId node, os::SqliteLogStore* store) {
  if (initial) {
    if (Failure f = os::remove_contents({directory, is_of_store}, os::kMetaFileName + std::string(os::kLockSuffix))) {
      return f;
    }
  }
  if (Failure f = store->open()) return f;
  if (store->load().node == 0) store->set_node(node);
  return {};
}

// Options of NDB's server that this one takes and has no use for.
void warn_unused(const Options& o, os::Loop& loop) {
  if (o.interactive) {
    loop.log(env::Severity::warning, "--interactive: no client runs inside this server; operate it with 'ndb-mgm'");
  }
  if (!o.tls_path.empty()) loop.log(env::Severity::warning, "--ndb-tls-search-path is ignored: this server has no TLS");
}

int serve(const Options& o, const Plan& p, os::Daemon& daemon) {
  auto fail = [&](const std::string& sentence) {
    daemon.failed(1, "ndb-mgmd: " + sentence);
    return 1;
  };
  Late machine;
  os::LoopOptions loop_options;
  loop_options.log_name = "ndb-mgmd " + std::to_string(p.node);
  loop_options.log_times = os::log_times_named(o.log_times);
  if (o.verbose) loop_options.log_from = env::Severity::debug;
  os::Loop loop(machine, loop_options);
  auto port = loop.listen(p.bind, p.port != 0 ? p.port : earlier_port(o.port_file), true);
  if (!port.ok() && p.port == 0) port = loop.listen(p.bind, 0, true);
  if (!port.ok()) return fail(port.failure().sentence());
  StoreDirectory directory(p.store);
  if (Failure f = directory.make()) return fail(f.sentence());
  os::SqliteLogStore store(directory.path() + "/" + os::kMetaFileName,
                           [&](std::uint64_t tag, int status) { loop.deliver_stored(tag, status); });
  if (Failure f = store.lock()) return fail(f.sentence());
  ClusterLog cluster_log;
  auto log_file = os::open_log_destination(p.log_destination, p.directory);
  if (!log_file.ok()) return fail(log_file.failure().sentence());
  cluster_log.file = std::move(*log_file);
  if (Failure f = open_store(directory.path(), o.initial, p.node, &store)) return fail(f.sentence());
  std::uint64_t raft_id = store.load().raft_id;
  while (raft_id == 0) raft_id = os::random_seed() >> 1;
  Files files;
  mgmt::ServerOptions options = server_options(o, p, raft_id, *port);
  Names names(loop);
  options.host_names = &names;
  options.event_log = cluster_log.file ? &cluster_log : nullptr;
  machine.server = std::make_unique<mgmt::Server>(store, files, std::move(options));
  loop.stop_on_signals();
  if (!o.port_file.empty()) {
    if (Failure f = os::write_file_atomically(o.port_file, std::to_string(*port) + "\n")) return fail(f.sentence());
  }
  const std::string fault = os::arm_fault();
  if (!fault.empty()) loop.log(env::Severity::warning, "this process will kill itself at '" + fault + "' (NDB_FAULT)");
  daemon.ready();
  loop.log(env::Severity::info,
           "management server " + std::to_string(p.node) + " listens on port " + std::to_string(*port));
  if (!o.config_file.empty() && !o.connectstring.empty()) {
    loop.log(env::Severity::warning, "the servers of the connect string are ignored beside a configuration file");
  }
  warn_unused(o, loop);
  if (o.reload && o.config_file.empty()) loop.log(env::Severity::warning, "--reload without a file changes nothing");
  const int status = loop.run();
  store.drain();
  machine.server.reset();
  return status;
}

int run(Options o, char** argv) {
  if (o.skip_config_file) o.config_file.clear();
  Plan p = make_plan(o);
  if (o.print_full_config) {
    std::cout << mgmt::effective_text(p.config, {});
    return 0;
  }
  check_files(o, p);
  os::DaemonOptions daemon_options;
  daemon_options.pid_path = os::pid_path(p.directory, p.node);
  daemon_options.out_path = os::out_path(p.directory, p.node);
  daemon_options.foreground = o.nodaemon || o.interactive;
  auto daemon = os::daemonise(daemon_options);
  if (!daemon.ok()) refuse(daemon.failure().sentence());
  if (daemon->is_caller()) return daemon->caller_status();
  const int status = serve(o, p, *daemon);
  if (status != mgmt::kExitRestart) return status;
  std::vector<char*> next = next_arguments(argv);
  refuse(os::exec_again(next.data()).sentence());
}

void declare(CLI::App& app, Options& o) {
  app.add_option("-f,--config-file", o.config_file, "configuration of the first start, or of --reload");
  app.add_flag("--skip-config-file", o.skip_config_file, "as without -f, for scripts that always give one");
  app.add_option("--configdir,--config-dir", o.config_dir, "where this server keeps the metadata log; else DataDir");
  app.add_flag("--config-cache,!--skip-config-cache", o.config_cache,
               "keep the metadata log (so it is without it); or keep nothing: for tests");
  app.add_option("-c,--connectstring,--ndb-connectstring", o.connectstring,
                 "other management servers, host[:port][,..]; may carry nodeid=N");
  app.add_option("--ndb-nodeid", o.node_id, "this server's node id")->check(CLI::Range(1, 255));
  app.add_flag("!--no-nodeid-checks", o.node_id_checks, "give node ids to callers from any host");
  app.add_option("--bind-address", o.bind_address, "local address of the management port");
  app.add_option("--port-file", o.port_file,
                 "write the port that it listens on to this file; with PortNumber=0 taken again from there");
  app.add_option("--nowait-nodes,--no-wait-nodes", o.nowait_nodes,
                 "management servers that the first start does not wait for: 1,3-5");
  app.add_flag("--initial", o.initial, "forget what this server has stored");
  app.add_flag("--reload", o.reload, "propose the file when it differs from the present configuration");
  app.add_flag("!--skip-default-logic", o.default_logic, "derive nothing that the file of the first start leaves open");
  app.add_flag("--mycnf", o.mycnf, "refused: sections of my.cnf are not read");
  app.add_option("--cluster-config-suffix", o.suffix, "refused, as --mycnf");
  app.add_flag("--nodaemon,!--daemon,!-d", o.nodaemon, "stay in the foreground; or do not (so it is without it)");
  app.add_flag("--interactive", o.interactive,
               "stay in the foreground; a client inside the server there is none: use ndb-mgm");
  app.add_option("--ndb-log-timestamps", o.log_times,
                 "times in the server's own log: utc (so it is without it), system, legacy")
      ->transform(CLI::IsMember({"utc", "system", "legacy"}, CLI::ignore_case));
  app.add_option("--ndb-tls-search-path", o.tls_path, "ignored with a warning: this server has no TLS");
  app.add_option("--ndb-mgm-tls", o.tls_mode,
                 "relaxed (so it is without it), which is all that a server without TLS can do; strict and deferred "
                 "are refused")
      ->transform(CLI::IsMember({"relaxed", "strict", "deferred"}, CLI::ignore_case));
  app.add_option("--log-name", o.log_name, "the server's name in the lines of the cluster log (MgmtSrvr)");
  app.add_flag("-P,--print-full-config", o.print_full_config, "print every value of the configuration and leave");
  app.add_flag("-v,--verbose", o.verbose, "log everything");
}

int do_as_told(int argc, char** argv) {
  Options o;
  CLI::App app{"A management server of the cluster."};
  app.name("ndb-mgmd");
  app.set_version_flag("-V,--version", kVersion);
  declare(app, o);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extra = app.remaining();
    const auto option = std::find_if(extra.begin(), extra.end(), [](const auto& w) { return w.starts_with('-'); });
    const bool stray = option == extra.end();  // as in NDB's server, whose start scripts expect 1
    std::cerr << "ndb-mgmd: '" << (stray ? extra.front() : *option) << "' is "
              << (stray ? "no option; this program takes no other words" : "no option of this program")
              << "; see 'ndb-mgmd --help'\n";
    return stray ? 1 : 2;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::cerr << "ndb-mgmd: " << cli::usage_sentence(e.what()) << "; see 'ndb-mgmd --help'\n";
    return 2;
  }
  try {
    return run(o, argv);
  } catch (const Refused& r) {
    std::cerr << "ndb-mgmd: " << r.sentence << "\n";
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  os::hold_standard_streams();
  return cli::end_output("ndb-mgmd", do_as_told(argc, argv));
}
