// What a management server finds out, and what it refuses, before anything is created: who it is, which configuration
// it starts with, where its files lie.
//
//   stored here, no --reload   the metadata log decides; a file is not even read
//   stored here, --reload      the file is proposed when it differs; it must be good
//   nothing stored, a file     generation 1, together with the other management servers
//   nothing stored, no file    another management server of the connect string is asked, until it answers
//   --initial                  as with nothing stored; what is stored goes when the file and the port are known to be
//   good
//   --skip-config-cache        as with nothing stored, and nothing is kept
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/connect.h"
#include "mgmt/config.h"

namespace ndb::mgmd {

struct Options {
  std::string config_file;
  std::string config_dir;
  std::string connectstring;
  std::string bind_address;
  std::string port_file;
  std::string nowait_nodes;
  std::string log_name;
  std::string suffix;
  std::string log_times;
  std::string tls_path;
  std::string tls_mode = "relaxed";
  unsigned node_id = 0;
  bool initial = false;
  bool reload = false;
  bool mycnf = false;
  bool skip_config_file = false;
  bool config_cache = true;
  bool default_logic = true;
  bool node_id_checks = true;
  bool nodaemon = false;
  bool interactive = false;
  bool print_full_config = false;
  bool verbose = false;
};

struct Refused {
  std::string sentence;
};
[[noreturn]] void refuse(std::string sentence);

struct Plan {
  NodeId node = 0;
  std::string store;      // directory of the metadata log; empty = none is kept
  std::string directory;  // pid file, output, cluster log
  std::string bind;
  std::uint16_t port = 0;
  std::string log_destination;
  std::vector<NodeId> nowait;
  cli::ConnectString servers;
  mgmt::Config config;
  std::string file_text;  // set when the file is to be proposed
};

// Throws Refused. Creates nothing, and waits only for another server's configuration.
Plan make_plan(const Options& o);
// Whether it can be carried out on these directories and files; throws Refused. Creates nothing.
void check_files(const Options& o, const Plan& p);
// Files that a management server makes in the directory of its store.
bool is_of_store(const std::string& name);

}  // namespace ndb::mgmd
