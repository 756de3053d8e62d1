// What `ndb-node` is told, and what it finds out before it can be a member of anything.
#pragma once
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "cli/connect.h"
#include "store/disk.h"

namespace ndb::node_program {

struct Options {
  std::string connectstring;
  unsigned node_id = 0;
  std::string data_dir;
  std::string bind_address;
  std::string port_file;
  std::string nowait_nodes;
  std::string worker_threads = "auto";
  std::string log_times;
  std::string tls_path;
  std::string tls_mode = "relaxed";
  int connect_retries = 12;
  int connect_retry_delay_s = 5;
  bool initial = false;
  bool nostart = false;
  bool nodaemon = false;
  bool foreground = false;
  bool check_files = false;
  std::string dump;  // a file
};

// What this node needs to know of the configuration.
struct Settings {
  std::string host = "localhost";
  std::string data_dir = ".";
  std::string file_system_path = ".";
  Time start_failure = kNever;
  std::uint16_t port = 0;
  std::uint8_t workers = 1;
  std::uint64_t cluster = 0;
  std::uint32_t replicas = 0;
  bool diskless = false;
  bool real_time = false;
  store::RedoLayout redo;
};

// Asks the management servers; waits for one as long as the operator said.
Result<Settings> fetch_settings(const cli::ConnectString& servers, NodeId id, const Options& o);

// One sentence on standard error; the answer is the exit status.
int complain(const std::string& sentence, int status = 1);

int run(const Options& o, int argc, char** argv);  // run.cc: the data node itself
int check_files(const Options& o);                 // files.cc: --check-files
int dump_file(const std::string& path);            // files.cc: --dump

// "<data directory>/ndb_3_fs"
std::string file_system_of(const std::string& data_dir, NodeId id);

}  // namespace ndb::node_program
