// ndb-mgmd: a management server as a process. Finds out who it is, checks what it was given before anything is created,
// and runs mgmt::Server on an os::Loop.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cli/connect.h"
#include "mgmt/config_image.h"
#include "mgmt/report.h"
#include "mgmt/server.h"
#include "os/daemon.h"
#include "os/fault.h"
#include "os/files.h"
#include "os/loop.h"
#include "os/sqlite_log_store.h"

namespace {

using namespace ndb;

constexpr const char* kVersion = "ndb-mgmd 0.1.0";

struct Options {
  std::string config_file;
  std::string config_dir;
  std::string connectstring;
  std::string bind_address;
  std::string port_file;
  std::string nowait_nodes;
  unsigned node_id = 0;
  bool initial = false;
  bool reload = false;
  bool nodaemon = false;
  bool print_full_config = false;
  bool verbose = false;
};

struct Refused {
  std::string sentence;
};
[[noreturn]] void refuse(std::string sentence) { throw Refused{std::move(sentence)}; }

struct Files final : mgmt::ConfigFiles {
  Result<std::string> read(const std::string& path) override {
    return os::read_file(path, limits::kConfigTextBytesMax);
  }
};

// What is known before the server runs: from the file, from what is stored, or from another server.
struct Known {
  std::optional<mgmt::Config> config;
  std::string file_text;  // set when the file is to be proposed
  bool stored = false;    // this node has a log here
};

std::string store_directory(const std::string& base, NodeId id) { return base + "/ndb_" + std::to_string(id) + "_mgm"; }

mgmt::Config read_config(const std::string& path, std::string* text) {
  Files files;
  Result<std::string> read = files.read(path);
  if (!read) refuse(read.failure().sentence());
  mgmt::ParseResult parsed = mgmt::parse_any(*read);
  if (!parsed.ok()) {
    std::size_t errors = 0;
    std::string first;
    for (const mgmt::Problem& p : parsed.problems) {
      if (p.severity == mgmt::Severity::error && errors++ == 0) first = mgmt::problem_line(p);
    }
    refuse("configuration file '" + path + "' is not valid: " + first +
           (errors > 1 ? " (and " + std::to_string(errors - 1) + " more)" : ""));
  }
  *text = std::move(*read);
  return std::move(parsed.config);
}

// "1,3-5"
std::vector<NodeId> parse_node_list(const std::string& text) {
  std::vector<NodeId> ids;
  for (std::string_view part : mgmt::split_words(text, ", ")) {
    const std::size_t dash = part.find('-');
    std::int64_t from = 0;
    std::int64_t to = 0;
    const bool good = mgmt::parse_number(part.substr(0, dash), &from) &&
                      mgmt::parse_number(dash == std::string_view::npos ? part : part.substr(dash + 1), &to);
    if (!good) refuse("--nowait-nodes: '" + std::string(part) + "' is no node id and no range of node ids");
    if (from < 1) refuse("--nowait-nodes: there is no node id 0");
    if (to > static_cast<std::int64_t>(limits::kNodeIdMax) || to < from) {
      refuse("--nowait-nodes: '" + std::string(part) + "' is out of range; node ids end at " +
             std::to_string(limits::kNodeIdMax));
    }
    for (std::int64_t id = from; id <= to; ++id) ids.push_back(static_cast<NodeId>(id));
  }
  return ids;
}

// The node id: as told, else the one that has a log in the directory, else the only management server of the file that
// can run on this computer.
NodeId find_node_id(const Options& o, const cli::ConnectString& servers, const std::string& base,
                    const std::optional<mgmt::Config>& config) {
  if (o.node_id != 0) return static_cast<NodeId>(o.node_id);
  if (servers.node_id != 0) return servers.node_id;
  std::vector<NodeId> found;
  if (auto names = os::list_directory(base)) {
    for (const std::string& name : *names) {
      std::int64_t id = 0;
      if (name.starts_with("ndb_") && name.ends_with("_mgm") &&
          mgmt::parse_number(std::string_view(name).substr(4, name.size() - 8), &id) && id > 0 &&
          id <= static_cast<std::int64_t>(limits::kNodeIdMax)) {
        found.push_back(static_cast<NodeId>(id));
      }
    }
  }
  if (found.size() == 1) return found.front();
  if (!config) refuse("no node id: give --ndb-nodeid=N, or nodeid=N in the connect string");
  found.clear();
  for (const mgmt::Node& n : config->nodes) {
    if (n.kind != mgmt::Kind::ndb_mgmd) continue;
    const std::string host = mgmt::effective(*config, n, "HostName");
    if (host.empty() || os::is_local_host(host)) found.push_back(n.id);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) refuse("no management server of the configuration runs on this computer");
  refuse("several management servers of the configuration run on this computer; say which with --ndb-nodeid=N");
}

// The newest configuration in a stored log.
std::optional<mgmt::Config> stored_config(const meta::LogStore::State& state) {
  std::shared_ptr<const meta::ConfigImage> image;
  if (state.snapshot.present()) {
    meta::Catalog c;
    Reader r(state.snapshot.data);
    if (meta::decode(r, &c) && c.generations.count(c.generation) != 0) image = c.generations[c.generation].image;
  }
  for (const meta::LogEntry& e : state.entries) {
    meta::Command c;
    Reader r(e.data);
    if (e.data.empty() || !meta::decode(r, &c)) continue;
    if (auto* change = std::get_if<meta::ChangeConfig>(&c.body)) image = change->generation.image;
  }
  if (!image) return std::nullopt;
  return mgmt::from_image(*image).config;
}

std::optional<mgmt::Config> fetched_config(const cli::ConnectString& servers) {
  constexpr int kTries = 30;
  for (int i = 0; i < kTries; ++i) {
    cli::Management m(servers);
    auto reply = m.request("ndb get config", {}, {}, 2 * kSecond);
    if (reply.ok() && !reply->bulk.empty()) {
      mgmt::ParseResult parsed = mgmt::parse_any(reply->bulk);
      if (parsed.ok()) return std::move(parsed.config);
    }
    usleep(1000000);
  }
  return std::nullopt;
}

// Everything that can be refused without creating anything.
struct Plan {
  NodeId node = 0;
  std::string base;       // where the log of this node lies
  std::string directory;  // pid file and output
  std::string host;       // HostName
  std::string bind;
  std::uint16_t port = 0;
  cli::ConnectString servers;
  Known known;
};

void check_arguments(const Options& o) {
  if (o.connectstring.starts_with('.') || o.connectstring.starts_with('/')) {
    refuse("'" + o.connectstring + "' is no connect string; a configuration file is given with -f");
  }
  if (!o.config_dir.empty() && !o.config_dir.starts_with('/')) {
    refuse("--configdir '" + o.config_dir + "' is no absolute path");
  }
  if (!o.config_dir.empty() && !os::is_directory(o.config_dir)) {
    refuse("configuration directory '" + o.config_dir + "' does not exist; create it first");
  }
  if (o.reload && o.config_file.empty()) refuse("--reload needs a configuration file: give it with -f");
}

Plan make_plan(const Options& o) {
  check_arguments(o);
  Plan p;
  const bool named_servers = !o.connectstring.empty() || getenv("NDB_CONNECTSTRING") != nullptr;
  if (named_servers) {
    auto servers = cli::find_connectstring(o.connectstring);
    if (!servers.ok()) refuse(servers.failure().sentence());
    p.servers = *servers;
  }
  std::string text;
  std::optional<mgmt::Config> file;
  if (!o.config_file.empty()) file = read_config(o.config_file, &text);
  p.base = o.config_dir.empty() ? std::filesystem::current_path().string() : o.config_dir;
  p.node = find_node_id(o, p.servers, p.base, file);
  if (o.config_dir.empty() && file) {
    const mgmt::Node* n = file->find(p.node);
    const std::string data_dir = n != nullptr ? mgmt::effective(*file, *n, "DataDir") : "";
    if (!data_dir.empty()) p.base = data_dir;
  }
  if (!os::is_directory(p.base)) refuse("directory '" + p.base + "' does not exist; create it, or give --configdir");
  const std::string log = store_directory(p.base, p.node) + "/" + os::kMetaFileName;
  p.known.stored = os::exists(log) && !o.initial;
  if (p.known.stored && !o.reload) {
    os::SqliteLogStore store(log, [](std::uint64_t, int) {});
    if (Failure f = store.open()) refuse(f.sentence());
    p.known.config = stored_config(store.load());
  }
  if (!p.known.config && file) {
    p.known.config = std::move(file);
    p.known.file_text = std::move(text);
  }
  if (!p.known.config && named_servers) p.known.config = fetched_config(p.servers);
  if (!p.known.config) {
    refuse(named_servers ? "no management server of '" + p.servers.text + "' gave a configuration"
                         : "no configuration: give a file with -f, or another management server with -c");
  }
  const mgmt::Config& config = *p.known.config;
  const mgmt::Node* n = config.find(p.node);
  const std::string id = std::to_string(p.node);
  if (n == nullptr) refuse("node id " + id + " is not in the configuration");
  if (n->kind != mgmt::Kind::ndb_mgmd) refuse("node id " + id + " is no management server in the configuration");
  p.host = mgmt::effective(config, *n, "HostName");
  if (!p.host.empty() && !os::is_local_host(p.host)) {
    refuse("node " + id + " is configured for host '" + p.host + "', which is not this computer");
  }
  p.bind = o.bind_address;
  if (p.bind.size() > 2 && p.bind.front() == '[') p.bind = p.bind.substr(1, p.bind.size() - 2);
  if (p.bind.empty() && mgmt::loopback_host(p.host)) p.bind = p.host;
  p.port = static_cast<std::uint16_t>(mgmt::effective_number(config, *n, "PortNumber"));
  p.directory = mgmt::effective(config, *n, "DataDir");
  if (p.directory.empty() || p.directory == ".") p.directory = p.base;
  if (!os::is_directory(p.directory)) refuse("DataDir '" + p.directory + "' of node " + id + " does not exist");
  return p;
}

mgmt::ServerOptions server_options(const Options& o, const Plan& p, std::uint64_t raft_id, std::uint16_t port) {
  mgmt::ServerOptions s;
  s.node = p.node;
  s.raft_id = raft_id;
  s.seed = os::random_seed();
  s.unix_offset_ns = os::unix_now_ns() - os::monotonic_now();
  s.port = port;
  s.config_text = p.known.file_text;
  s.config_source = o.config_file;
  const char* user = getenv("USER");
  s.who = std::string(user != nullptr ? user : "unknown") + "@" + os::host_name();
  s.reload = o.reload;
  s.nowait = parse_node_list(o.nowait_nodes);
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

int serve(const Options& o, const Plan& p, os::Daemon& daemon) {
  auto fail = [&](const std::string& sentence) {
    daemon.failed(1, "ndb-mgmd: " + sentence);
    return 1;
  };
  Late machine;
  os::LoopOptions loop_options;
  loop_options.log_name = "ndb-mgmd " + std::to_string(p.node);
  if (o.verbose) loop_options.log_from = env::Severity::debug;
  os::Loop loop(machine, loop_options);
  auto port = loop.listen(p.bind, p.port != 0 ? p.port : earlier_port(o.port_file), true);
  if (!port.ok() && p.port == 0) port = loop.listen(p.bind, 0, true);
  if (!port.ok()) return fail(port.failure().sentence());
  const std::string directory = store_directory(p.base, p.node);
  std::error_code gone;
  if (o.initial) std::filesystem::remove_all(directory, gone);
  if (gone) return fail("cannot remove '" + directory + "': " + gone.message());
  if (Failure f = os::make_directories(directory)) return fail(f.sentence());
  os::SqliteLogStore store(directory + "/" + os::kMetaFileName,
                           [&](std::uint64_t tag, int status) { loop.deliver_stored(tag, status); });
  if (Failure f = store.open()) return fail(f.sentence());
  std::uint64_t raft_id = store.load().raft_id;
  while (raft_id == 0) raft_id = os::random_seed() >> 1;
  Files files;
  machine.server = std::make_unique<mgmt::Server>(store, files, server_options(o, p, raft_id, *port));
  loop.stop_on_signals();
  if (!o.port_file.empty()) {
    if (Failure f = os::write_file_atomically(o.port_file, std::to_string(*port) + "\n")) return fail(f.sentence());
  }
  const std::string fault = os::arm_fault();
  if (!fault.empty()) loop.log(env::Severity::warning, "this process will kill itself at '" + fault + "' (NDB_FAULT)");
  daemon.ready();
  loop.log(env::Severity::info, "management server " + std::to_string(p.node) + " listens on port " + std::to_string(*port));
  const int status = loop.run();
  store.drain();
  machine.server.reset();
  return status;
}

int run(const Options& o, char** argv) {
  Plan p = make_plan(o);
  if (o.print_full_config) {
    std::cout << mgmt::effective_text(*p.known.config, {});
    return 0;
  }
  parse_node_list(o.nowait_nodes);  // refused before anything is created
  os::DaemonOptions daemon_options;
  daemon_options.pid_path = os::pid_path(p.directory, p.node);
  daemon_options.out_path = os::out_path(p.directory, p.node);
  daemon_options.foreground = o.nodaemon;
  auto daemon = os::daemonise(daemon_options);
  if (!daemon.ok()) refuse(daemon.failure().sentence());
  if (daemon->is_caller()) return daemon->caller_status();
  const int status = serve(o, p, *daemon);
  if (status != mgmt::kExitRestart) return status;
  std::vector<char*> next = next_arguments(argv);
  refuse(os::exec_again(next.data()).sentence());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"A management server of the cluster."};
  app.name("ndb-mgmd");
  app.set_version_flag("-V,--version", kVersion);
  app.add_option("-f,--config-file", o.config_file, "configuration of the first start, or of --reload");
  app.add_option("--configdir,--config-dir", o.config_dir, "where this server keeps the metadata log; else DataDir");
  app.add_option("-c,--connectstring,--ndb-connectstring", o.connectstring,
                 "other management servers, host[:port][,..]; may carry nodeid=N");
  app.add_option("--ndb-nodeid", o.node_id, "this server's node id")->check(CLI::Range(1, 255));
  app.add_option("--bind-address", o.bind_address, "local address of the management port");
  app.add_option("--port-file", o.port_file, "write the port that it listens on to this file; with PortNumber=0 taken again from there");
  app.add_option("--nowait-nodes", o.nowait_nodes, "management servers that the first start does not wait for: 1,3-5");
  app.add_flag("--initial", o.initial, "forget what this server has stored");
  app.add_flag("--reload", o.reload, "propose the file when it differs from the present configuration");
  app.add_flag("--nodaemon", o.nodaemon, "stay in the foreground");
  app.add_flag("-P,--print-full-config", o.print_full_config, "print every value of the configuration and leave");
  app.add_flag("-v,--verbose", o.verbose, "log everything");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    return run(o, argv);
  } catch (const Refused& r) {
    std::cerr << "ndb-mgmd: " << r.sentence << "\n";
    return 1;
  }
}
