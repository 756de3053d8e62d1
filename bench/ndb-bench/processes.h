// Processes that the benchmark starts and ends by their ids: a cluster of its own on loopback, and redis-server.
#pragma once
#include <memory>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "cli/connect.h"

namespace bench {

// Started with fork and exec, output to a file, ended with SIGTERM and, a few seconds later, SIGKILL.
class Process {
 public:
  Process(std::string name, std::vector<std::string> arguments, const std::string& output_file);
  ~Process();
  Process(Process&& o) noexcept : name(std::move(o.name)), pid_(std::exchange(o.pid_, -1)) {}
  pid_t pid() const { return pid_; }
  bool running();  // false: it has ended
  std::string name;

 private:
  pid_t pid_;
};

double cpu_seconds(pid_t pid);  // user and system, of a process that may be any; 0 = gone
double own_cpu_seconds();
std::uint16_t free_port();  // on 127.0.0.1, free a moment ago
std::string find_program(
    const std::string& name);  // beside this program, in the folder above it, or on PATH; empty = none
std::pair<int, std::string> run_program(const std::vector<std::string>& arguments);  // status, stdout

// ndb-mgmd and `nodes` ndb-node on loopback, in a scratch directory that is removed at the end.
class OwnCluster {
 public:
  struct Options {
    std::uint32_t nodes = 2;
    std::uint32_t workers = 1;
    std::uint64_t memory_mb = 512;
    bool keep = false;  // the directory
    bool diskless = false;
    std::string worker_threads = "auto";
    std::string parameters;  // lines for [ndbd default]
  };
  static ndb::Result<std::unique_ptr<OwnCluster>> start(const Options& o);
  ~OwnCluster();
  const std::string& connectstring() const { return connectstring_; }
  const std::vector<Process>& processes() const { return processes_; }
  const std::string& directory() const { return directory_; }

 private:
  OwnCluster() = default;
  std::string directory_, connectstring_;
  std::vector<Process> processes_;
  bool keep_ = false;
};

struct ClusterStatus {
  bool serving = false;           // started, every data node with a group is in sync
  std::uint64_t memory_used = 0;  // of the data nodes that tell it
  std::uint32_t nodes = 0, telling = 0;
  std::uint64_t rows = 0;  // in primaries
  std::uint32_t replicas = 2;
};
ndb::Result<ClusterStatus> cluster_status(ndb::cli::Management& m);
ndb::Failure create_table(ndb::cli::Management& m, const std::string& name);
ndb::Failure drop_table(ndb::cli::Management& m, const std::string& name);

// Rows like those of the other phases as CSV, handed to ndb-import: seconds of the whole process.
ndb::Result<double> run_import(const std::string& connectstring, const std::string& table, std::uint64_t rows);
// The median time of an fsync after 4 KiB were appended, in the folder where scratch directories go: ms.
double fsync_ms();

// SET and GET of 36 bytes, pipelined by 64 over 4 connections: operations a second.
struct RedisFigures {
  double set = 0, get = 0;
};
ndb::Result<RedisFigures> measure_redis(std::uint64_t operations);

}  // namespace bench
