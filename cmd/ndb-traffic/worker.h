// One client: a thread that owns a range of ids of the table, changes rows there, reads rows anywhere, and moves money
// between the accounts of the bank. It knows what every row of its range must be, because nobody else writes there.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "base/prng.h"
#include "client/cluster.h"
#include "journal.h"
#include "latency.h"
#include "rows.h"

namespace ndb::traffic {

inline constexpr std::int64_t kIdsPerThread = 10'000'000;

// Shared by all workers of a run.
struct Shared {
  client::Cluster& cluster;
  client::Table table, bank;  // bank may be empty
  JournalWriter& journal;
  Latencies& latencies;
  std::vector<std::string> samples;  // images of rows that nobody changes
  std::uint64_t accounts = 0;
  double rate = 0;  // operations a second of one worker; 0 = as fast as possible
  Time patience = 0;
  bool durable = false;  // an operation is acknowledged when its epoch is on disk
  std::atomic<bool> stop{false};

  std::atomic<std::uint64_t> reads{0}, writes{0}, transfers{0}, errors{0}, unknown{0}, wrong_reads{0};
  std::mutex mutex;
  std::vector<std::string> sentences;  // the first errors, in words
};

class Worker {
 public:
  Worker(Shared& shared, std::int64_t first_id, std::uint64_t seed);
  void run();  // until shared.stop

 private:
  struct Live {
    std::int64_t id;
    std::uint64_t version;
  };

  void operation();
  void insert();
  void update();
  void remove();
  void read_own();
  void read_sample();
  void transfer();

  // Counts and records the end of an operation; true when it was acknowledged.
  bool ended(const Failure& failure, const char* what, std::int64_t id, Time began);
  void wrong(const std::string& sentence);
  std::int64_t balance(Bytes image) const;

  Shared& shared_;
  RowMaker rows_;
  Prng prng_;
  std::int64_t next_id_;
  std::vector<Live> live_;
  std::uint64_t versions_ = 0;
  int balance_column_ = 1;
};

// Runs f and commits (durable, when that was asked for), again while the error is temporary.
Failure run_patiently(Shared& shared, const std::function<Failure(client::Transaction&)>& f);

}  // namespace ndb::traffic
