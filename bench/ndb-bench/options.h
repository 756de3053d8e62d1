// The command line of ndb-bench.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

constexpr std::uint32_t kOpenInflight = 4096;  // of a client, at a fixed rate

struct Options {
  std::string connectstring;
  bool start = false, json = false, vs_redis = false, keep = false, histogram = false, keep_table = false,
       diskless = false, mix = false, by_thread = false;
  std::uint64_t rows = 1024000;
  std::uint32_t threads = 4, inflight = 64, per_transaction = 1, read_percent = 95, nodes = 2, workers = 1;
  std::uint64_t operations = 0, memory_mb = 0;
  double rate = 0;
  std::string phases = "insert,read,update,read,delete", table = "ndb_bench", worker_threads = "auto";
  std::string parameters;  // lines for [ndbd default]
  std::vector<pid_t> pids;
};

struct Exit {
  int status;
  std::string sentence;
};
// Up to main(), so that what was started is ended.
[[noreturn]] inline void fail(const std::string& sentence, int status = 1) { throw Exit{status, sentence}; }

Options parse(int argc, char** argv);  // ends the process after --help; throws Exit for what is wrong

}  // namespace bench
