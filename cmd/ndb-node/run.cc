// The data node as a process: finds its configuration, its directory and its store, and runs node::Node on an os::Loop.
// Restarts itself in place when the cluster says so.
//
// Everything that can be refused is looked at before anything is made or removed: the configuration, the directory, the
// port, the lock, whose files there are.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string_view>
#include <thread>

#include "cli/node_list.h"
#include "meta/stored.h"
#include "node/node.h"
#include "os/daemon.h"
#include "os/fault.h"
#include "os/file_disk.h"
#include "os/files.h"
#include "os/loop.h"
#include "os/own_directory.h"
#include "os/real_time.h"
#include "os/sqlite_log_read.h"
#include "os/sqlite_log_store.h"
#include "os/worker_thread.h"
#include "program.h"

namespace ndb::node_program {

namespace {

constexpr const char* kInitial =
    ": start the node with --initial, which deletes its data here and fetches it from its node group, or ";

constexpr const char* kLock = "lock";  // beside the files

bool is_worker_directory(const std::string& name) {
  return name.size() > 1 && name[0] == 'w' && name.find_first_not_of("0123456789", 1) == std::string::npos;
}
// Files that a data node makes in its ndb_<id>_fs.
bool is_ours(const std::string& name) {
  return name == kLock || name.starts_with(os::kMetaFileName) || is_worker_directory(name);
}

Failure check_directory(const std::string& base) {
  if (!os::is_directory(base)) {
    return {Error::os_failed,
            "data directory '" + base + "' does not exist; create it, or give another with --datadir"};
  }
  return os::check_access("data directory", base);
}

// The metadata log that lies here: of this cluster, of this node? Reads only.
Failure check_stored(const std::string& path, NodeId id, const Settings& settings) {
  if (!os::exists(path)) return {};
  auto state = os::read_log_file(path);
  if (!state.ok()) {
    if (state.error() == Error::in_use) return state.failure();
    return {Error::os_failed, state.failure().sentence() + kInitial + "put the file back"};
  }
  const meta::Stored stored = meta::look_at(*state);
  auto refused = [&](const std::string& why) {
    return Failure{Error::wrong_cluster,
                   "metadata file '" + path + "' " + why + kInitial + "give it its own directory"};
  };
  if (stored.cluster != 0 && settings.cluster != 0 && stored.cluster != settings.cluster) {
    std::string why = "belongs to another cluster (" + std::to_string(stored.cluster) + ", this one is " +
                      std::to_string(settings.cluster) + ")";
    const auto& image = stored.generation.image;
    if (image != nullptr && image->replicas != settings.replicas) {
      why +=
          " with NoOfReplicas=" + std::to_string(image->replicas) + " (here " + std::to_string(settings.replicas) + ")";
    }
    return refused(why);
  }
  if (stored.node != 0 && stored.node != id) {
    return refused("belongs to node " + std::to_string(stored.node) + ", not to node " + std::to_string(id));
  }
  return {};
}

// The arguments of the next life: what was meant for this one only is left out.
std::vector<char*> next_arguments(int argc, char** argv, int status) {
  std::vector<char*> next;
  for (int i = 0; i < argc; i++) {
    std::string_view a = argv[i];
    if (a == "--nowait-nodes" && i + 1 < argc) i++;
    if (a == "--initial" || a == "--nostart" || a == "-n" || a.starts_with("--nowait-nodes")) continue;
    next.push_back(argv[i]);
  }
  static char initial[] = "--initial";
  static char nostart[] = "--nostart";
  if ((status & node::kExitRestartInitial) != 0) next.push_back(initial);
  if ((status & node::kExitThenWait) != 0) next.push_back(nostart);
  next.push_back(nullptr);
  return next;
}

// The machine has to know its port before it starts, the loop needs the machine: a place to listen comes first.
struct Late : env::Machine {
  std::unique_ptr<node::Node> node;
  void step(Time now, const env::Event& e, env::Outbox& out) override { node->step(now, e, out); }
  std::size_t parts() const override { return node->parts(); }
  env::Part* part(std::size_t i) override { return node->part(i); }
  std::unique_ptr<env::Parcel> parcel_for(std::size_t i) override { return node->parcel_for(i); }
};

struct Process {
  Process(const Options& o, NodeId node, const Settings& s, const std::string& base)
      : options(o), id(node), settings(s), dir(file_system_of(base, node)) {}

  const Options& options;
  const NodeId id;
  const Settings settings;
  const std::string dir;
  Late machine;
  std::unique_ptr<os::Loop> loop;
  os::Fd lock;
  std::unique_ptr<os::SqliteLogStore> store;
  std::unique_ptr<os::WorkerThread> memory;  // makes memory present before rows come
  std::vector<std::unique_ptr<os::FileDisk>> disks;
  node::NodeOptions n;

  Failure listen();
  Failure open_files();
  Failure begin(const cli::ConnectString& servers);
  void end();

  void stored(std::uint64_t tag, int status) {
    if (loop) loop->deliver_stored(tag, status);
  }
};

Failure Process::listen() {
  os::LoopOptions o;
  o.log_name = "ndb-node " + std::to_string(id);
  o.log_times = os::log_times_named(options.log_times);
  o.part_threads = options.worker_threads == "yes" ||
                   (options.worker_threads == "auto" && std::thread::hardware_concurrency() > settings.workers);
  n.worker_links = o.part_threads;
  o.real_time = settings.real_time;
  loop = std::make_unique<os::Loop>(machine, o);
  auto port = loop->listen(options.bind_address.empty() ? settings.host : options.bind_address, settings.port, false);
  if (!port.ok()) return port.failure();
  n.port = *port;
  return {};
}

Failure Process::open_files() {
  const std::string path = dir + "/" + os::kMetaFileName;
  if (!options.initial) {
    if (Failure f = check_stored(path, id, settings)) return f;
  }
  if (Failure f = os::make_directories(dir)) return f;
  auto held = os::lock_file(dir + "/" + kLock);
  if (!held.ok()) return held.failure();
  lock = std::move(*held);
  if (options.initial) {
    if (Failure f = os::remove_contents({dir, is_ours}, kLock)) return f;
  }
  for (WorkerId w = 0; !settings.diskless && w < settings.workers; w++) {
    os::FileDiskOptions d;
    d.directory = dir + "/w" + std::to_string(w);
    d.identity = {settings.cluster, id, w, settings.workers};
    d.layout = settings.redo;
    d.stored = [this](std::uint64_t tag, int status) { stored(tag, status); };
    auto disk = os::FileDisk::open(std::move(d));
    if (!disk.ok()) return disk.failure();
    disks.push_back(std::move(*disk));
    const auto found = disks.back()->list();
    n.has_rows = n.has_rows || !found.checkpoints.empty() || found.redo_end > found.redo_begin;
    n.disks.push_back(disks.back().get());
  }
  store = std::make_unique<os::SqliteLogStore>(path, [this](std::uint64_t tag, int status) { stored(tag, status); });
  return store->open();
}

Failure Process::begin(const cli::ConnectString& servers) {
  if (Failure f = listen()) return f;
  if (Failure f = open_files()) return f;
  n.raft_id = store->load().raft_id;
  while (n.raft_id == 0) n.raft_id = os::random_seed() >> 1;
  n.node = id;
  n.seed = os::random_seed();
  for (const auto& s : servers.servers) n.servers.push_back({0, s.host, s.port});
  n.address = settings.host;
  n.workers = settings.workers;
  n.nostart = options.nostart;
  n.start_failure = settings.start_failure;
  n.disk_cluster = settings.cluster;
  memory = std::make_unique<os::WorkerThread>(*loop, "ndb-memory");
  n.memory_ahead = [this](char* at, std::size_t bytes) {
    // Not known to an old kernel, or no place in the queue: then it comes when it is used.
    (void)memory->submit([at, bytes] { ::madvise(at, bytes, MADV_POPULATE_WRITE); }, {});
  };
  machine.node = std::make_unique<node::Node>(*store, n);
  loop->stop_on_signals();
  if (options.port_file.empty()) return {};
  return os::write_file_atomically(options.port_file, std::to_string(n.port) + "\n");
}

void Process::end() {
  if (store) store->drain();
  machine.node.reset();
  memory.reset();
  disks.clear();
  store.reset();
  loop.reset();
  lock.reset();
}

}  // namespace

int complain(const std::string& sentence, int status) {
  std::cerr << "ndb-node: " << sentence << "\n";
  return status;
}

std::string file_system_of(const std::string& data_dir, NodeId id) {
  return data_dir + "/ndb_" + std::to_string(id) + "_fs";
}

int run(const Options& o, int argc, char** argv) {
  if (o.tls_mode != "relaxed") {
    return complain("--ndb-mgm-tls=" + o.tls_mode + " cannot be obeyed: this program has no TLS");
  }
  auto servers = cli::find_connectstring(o.connectstring);
  if (!servers.ok()) return complain(servers.failure().sentence(), 2);
  const NodeId id = o.node_id != 0 ? static_cast<NodeId>(o.node_id) : servers->node_id;
  if (id == 0) return complain("no node id: give --ndb-nodeid=N, or nodeid=N in the connect string", 2);
  auto nowait = cli::parse_node_list(o.nowait_nodes);
  if (!nowait.ok()) return complain("--nowait-nodes: " + nowait.failure().sentence(), 2);
  auto settings = fetch_settings(*servers, id, o);
  if (!settings.ok()) return complain(settings.failure().sentence(), error_info(settings.error()).exit_status);
  const std::string base = o.data_dir.empty() ? settings->data_dir : o.data_dir;
  const std::string files = o.data_dir.empty() ? settings->file_system_path : o.data_dir;
  for (const std::string& directory : {base, files}) {
    if (Failure f = check_directory(directory)) return complain(f.sentence());
  }
  if (!o.port_file.empty()) {
    if (Failure f = os::check_place("the port file", o.port_file)) return complain(f.sentence());
  }
  Process process(o, id, *settings, files);
  process.n.nowait = std::move(*nowait);
  if (Failure f = os::check_contents({process.dir, is_ours}, "give the node a data directory of its own")) {
    return complain(f.sentence());
  }

  os::DaemonOptions daemon_options;
  daemon_options.pid_path = os::pid_path(base, id);
  daemon_options.out_path = os::out_path(base, id);
  daemon_options.foreground = o.nodaemon || o.foreground;
  auto daemon = os::daemonise(daemon_options);
  if (!daemon.ok()) return complain(daemon.failure().sentence());
  if (daemon->is_caller()) return daemon->caller_status();
  if (Failure f = process.begin(*servers)) {
    daemon->failed(1, "ndb-node: " + f.sentence());
    process.end();
    return 1;
  }
  daemon->ready();
  if (!o.tls_path.empty()) {
    process.loop->log(env::Severity::warning, "--ndb-tls-search-path is ignored: this program has no TLS");
  }
  if (settings->real_time) {
    if (Failure f = os::set_real_time(true)) {
      process.loop->log(env::Severity::warning, "RealtimeScheduler=1 is not obeyed: " + f.sentence());
    }
  }
  const std::string fault = os::arm_fault();
  if (!fault.empty()) {
    process.loop->log(env::Severity::warning, "this process will kill itself at '" + fault + "' (NDB_FAULT)");
  }
  const int status = process.loop->run();
  const bool told_to_stop = process.loop->give_back_signals();
  if (settings->real_time) (void)os::set_real_time(false);  // the next life decides anew
  process.end();
  if (told_to_stop) return node::kExitStop;
  if ((status & (node::kExitRestart | node::kExitRestartInitial)) == 0) return status;
  std::vector<char*> next = next_arguments(argc, argv, status);
  return complain(os::exec_again(next.data()).sentence());
}

}  // namespace ndb::node_program
