#include "plan.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/node_list.h"
#include "meta/stored.h"
#include "mgmt/config_image.h"
#include "mgmt/text_request.h"
#include "os/files.h"
#include "os/own_directory.h"
#include "os/resolver.h"
#include "os/rotating_log.h"
#include "os/sqlite_log_read.h"
#include "os/sqlite_log_store.h"

namespace ndb::mgmd {

void refuse(std::string sentence) { throw Refused{std::move(sentence)}; }

namespace {

constexpr int kTriesEachRound = 30;  // a second apart; then somebody is told that it is still being tried

std::string store_directory(const std::string& base, NodeId id) { return base + "/ndb_" + std::to_string(id) + "_mgm"; }

std::string log_file(const std::string& base, NodeId id) { return store_directory(base, id) + "/" + os::kMetaFileName; }

struct File {
  mgmt::Config config;
  std::string text;
};

File read_config(const std::string& path) {
  Result<std::string> read = os::read_file(path, limits::kConfigTextBytesMax);
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
  return {std::move(parsed.config), std::move(*read)};
}

std::vector<NodeId> parse_node_list(const std::string& text) {
  auto ids = cli::parse_node_list(text);
  if (!ids) refuse("--nowait-nodes: " + ids.failure().sentence());
  return std::move(*ids);
}

// The ids that have a log in this directory.
std::vector<NodeId> stored_ids(const std::string& base) {
  std::vector<NodeId> found;
  auto names = os::list_directory(base);
  if (!names) return found;
  for (const std::string& name : *names) {
    std::int64_t id = 0;
    if (name.starts_with("ndb_") && name.ends_with("_mgm") &&
        mgmt::parse_number(std::string_view(name).substr(4, name.size() - 8), &id) && id > 0 &&
        id <= static_cast<std::int64_t>(limits::kNodeIdMax)) {
      found.push_back(static_cast<NodeId>(id));
    }
  }
  return found;
}

// As told, else the one that has a log in the directory; 0 = not known without the file.
NodeId known_node_id(const Options& o, const cli::ConnectString& servers, const std::string& base) {
  if (o.node_id != 0) return static_cast<NodeId>(o.node_id);
  if (servers.node_id != 0) return servers.node_id;
  if (!o.config_cache) return 0;
  const std::vector<NodeId> found = stored_ids(base);
  return found.size() == 1 ? found.front() : NodeId{0};
}

// The only management server of the file that can run on this computer.
NodeId node_id_of_file(const mgmt::Config& config) {
  std::vector<NodeId> found;
  for (const mgmt::Node& n : config.nodes) {
    if (n.kind != mgmt::Kind::ndb_mgmd) continue;
    const std::string host = mgmt::effective(config, n, "HostName");
    if (host.empty() || os::is_local_host(host)) found.push_back(n.id);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) refuse("no management server of the configuration runs on this computer");
  refuse("several management servers of the configuration run on this computer; say which with --ndb-nodeid=N");
}

// The newest configuration in a stored log, which stays as it is.
std::optional<mgmt::Config> stored_config(const std::string& log, NodeId id) {
  const char* const advice = ": put the right file back, or start with --initial, which forgets what is stored here";
  auto state = os::read_log_file(log);
  if (!state.ok()) {
    const bool of_use = state.error() != Error::in_use && ::access(log.c_str(), R_OK) == 0;
    refuse(state.failure().sentence() + (of_use ? advice : ""));
  }
  if (state->node != 0 && state->node != id) {
    refuse("metadata file '" + log + "' belongs to management server " + std::to_string(state->node) + ", not to " +
           std::to_string(id) + advice);
  }
  const meta::Generation stored = meta::look_at(*state).generation;
  if (!stored.image) return std::nullopt;
  return mgmt::from_image(*stored.image).config;
}

// Of another management server; tried until one answers, or says something that will not change.
mgmt::Config fetched_config(const cli::ConnectString& servers) {
  for (int i = 1;; ++i) {
    cli::Management m(servers);
    auto reply = m.request("ndb get config", {}, {}, 2 * kSecond);
    if (reply.ok() && !reply->bulk.empty()) {
      mgmt::ParseResult parsed = mgmt::parse_any(reply->bulk);
      if (parsed.ok()) return std::move(parsed.config);
      refuse("the configuration of '" + servers.text + "' cannot be read; is it a newer version?");
    }
    const bool may_change = is_temporary(reply.error()) || reply.error() == Error::unreachable ||
                            reply.error() == Error::timed_out || reply.error() == Error::no_such_generation;
    if (!may_change) {
      refuse("no management server of '" + servers.text + "' gave a configuration: " + reply.failure().sentence());
    }
    if (i % kTriesEachRound == 1) {
      std::cerr << "ndb-mgmd: waiting for a configuration from '" << servers.text << "': " << reply.failure().sentence()
                << std::endl;
    }
    usleep(1000000);
  }
}

void check_arguments(const Options& o) {
  if (o.mycnf && !o.config_file.empty()) refuse("--mycnf and --config-file exclude each other");
  if (o.mycnf || !o.suffix.empty())
    refuse("this server does not read my.cnf; write its sections into a file and give that with -f");
  if (o.tls_mode != "relaxed") refuse("--ndb-mgm-tls=" + o.tls_mode + " cannot be obeyed: this server has no TLS");
  if (o.connectstring.starts_with('.') || o.connectstring.starts_with('/')) {
    refuse("'" + o.connectstring + "' is no connect string; a configuration file is given with -f");
  }
  if (!o.node_id_checks && o.node_id == 0) refuse("--no-nodeid-checks needs --ndb-nodeid");
  if (!o.config_cache) return;  // the directory is not looked at
  if (!o.config_dir.empty() && !o.config_dir.starts_with('/')) {
    refuse("--configdir '" + o.config_dir + "' is no absolute path");
  }
  if (!o.config_dir.empty() && !os::is_directory(o.config_dir)) {
    refuse("configuration directory '" + o.config_dir + "' does not exist; create it first");
  }
}

void check_hosts(const mgmt::Config& config) {
  auto defaults = config.defaults.find(mgmt::Kind::tcp);
  if (defaults != config.defaults.end()) {
    auto allowed = defaults->second.find("AllowUnresolvedHostnames");
    if (allowed != defaults->second.end() && allowed->second == "1") return;
  }
  for (const std::string& host : mgmt::hosts(config)) {
    if (os::look_up(host, 1)) continue;
    refuse("host name '" + host +
           "' of the configuration cannot be resolved; correct it, or set "
           "AllowUnresolvedHostnames=1 in [tcp default]");
  }
}

// What the configuration says about this server.
void look_at_own_section(const Options& o, const std::string& base, Plan* p) {
  const mgmt::Node* n = p->config.find(p->node);
  const std::string id = std::to_string(p->node);
  if (n == nullptr) refuse("node id " + id + " is not in the configuration");
  if (n->kind != mgmt::Kind::ndb_mgmd) refuse("node id " + id + " is no management server in the configuration");
  const std::string host = mgmt::effective(p->config, *n, "HostName");
  if (o.node_id_checks && !host.empty() && !os::is_local_host(host)) {
    refuse("node " + id + " is configured for host '" + host + "', which is not this computer");
  }
  p->bind = o.bind_address;
  if (p->bind.size() > 2 && p->bind.front() == '[') p->bind = p->bind.substr(1, p->bind.size() - 2);
  if (p->bind.empty() && mgmt::loopback_host(host)) p->bind = host;
  p->port = static_cast<std::uint16_t>(mgmt::effective_number(p->config, *n, "PortNumber"));
  p->log_destination = mgmt::effective(p->config, *n, "LogDestination");
  p->directory = mgmt::effective(p->config, *n, "DataDir");
  if (p->directory.empty() || p->directory == ".") p->directory = base;
  if (!os::is_directory(p->directory)) refuse("DataDir '" + p->directory + "' of node " + id + " does not exist");
}

}  // namespace

bool is_of_store(const std::string& name) { return name.starts_with(os::kMetaFileName); }

Plan make_plan(const Options& o) {
  check_arguments(o);
  Plan p;
  p.nowait = parse_node_list(o.nowait_nodes);
  const bool named_servers = !o.connectstring.empty() || getenv("NDB_CONNECTSTRING") != nullptr;
  if (named_servers) {
    auto servers = cli::find_connectstring(o.connectstring);
    if (!servers.ok()) refuse(servers.failure().sentence());
    p.servers = *servers;
  }
  std::string base = o.config_dir.empty() || !o.config_cache ? std::filesystem::current_path().string() : o.config_dir;
  p.node = known_node_id(o, p.servers, base);
  auto stored = [&] { return o.config_cache && !o.initial && p.node != 0 && os::exists(log_file(base, p.node)); };
  std::optional<File> file;
  if (!o.config_file.empty() && (o.reload || !stored())) {
    file = read_config(o.config_file);
    if (p.node == 0) p.node = node_id_of_file(file->config);
    const mgmt::Node* n = file->config.find(p.node);
    const std::string data_dir = n != nullptr ? mgmt::effective(file->config, *n, "DataDir") : "";
    if ((o.config_dir.empty() || !o.config_cache) && !data_dir.empty()) base = data_dir;
  }
  if (p.node == 0) refuse("no node id: give --ndb-nodeid=N, or nodeid=N in the connect string");
  if (!os::is_directory(base)) refuse("directory '" + base + "' does not exist; create it, or give --configdir");
  std::optional<mgmt::Config> config;
  if (stored()) config = stored_config(log_file(base, p.node), p.node);
  if (o.reload && file) config.reset();
  if (!config && !file && !o.config_file.empty()) file = read_config(o.config_file);  // what is stored is empty
  if (!config && file) {
    check_hosts(file->config);
    config = std::move(file->config);
    p.file_text = std::move(file->text);
  }
  if (!config && !named_servers) refuse("no configuration: give a file with -f, or another management server with -c");
  p.config = config ? std::move(*config) : fetched_config(p.servers);
  look_at_own_section(o, base, &p);
  if (o.config_cache) p.store = store_directory(base, p.node);
  return p;
}

void check_files(const Options& o, const Plan& p) {
  auto require = [](const Failure& f) {
    if (f) refuse(f.sentence());
  };
  require(os::check_access("data directory", p.directory));
  if (!p.store.empty()) {
    require(os::exists(p.store) ? os::check_access("directory", p.store)
                                : os::check_place("the metadata log", p.store));
    require(os::check_contents({p.store, is_of_store}, "give the server a directory of its own with --configdir"));
    require(os::check_unlocked(p.store + "/" + os::kMetaFileName + os::kLockSuffix));
  }
  auto log = parse_log_destination(p.log_destination, p.directory);
  if (!log.ok()) refuse(log.failure().sentence());
  if (!log->path.empty()) require(os::check_place("the cluster log", log->path));
  if (!o.port_file.empty()) require(os::check_place("the port file", o.port_file));
}

}  // namespace ndb::mgmd
