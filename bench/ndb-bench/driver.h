// One client of the benchmark: a client::ClientMachine in a loop of its own, kept at a constant number of transactions
// in flight, or (with a rate) fed by a clock. One thread uses it at a time.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "client/machine.h"
#include "histogram.h"
#include "os/loop.h"
#include "store/row.h"

namespace bench {

enum class Kind : std::uint8_t { insert, read, update, remove, mix, multi, scan };  // what a transaction does

// The table: key (a, b), eight columns c1 .. c8, all 4-byte integers, none nullable: 40 bytes of data a row.
struct TableInfo {
  ndb::TableId id = 0;
  ndb::store::RowShape shape;
};

struct Work {
  Kind kind = Kind::read;
  std::uint64_t rows = 0;        // of the table: keys 0 .. rows - 1
  std::uint64_t first = 0;       // this driver's share of transactions: first, first + 1 ..
  std::uint64_t operations = 0;  // in all
  std::uint32_t per_transaction = 1;
  std::uint32_t inflight = 64;
  std::uint32_t read_percent = 95;  // mix
  double rate = 0;                  // transactions a second of this driver; 0 = as fast as possible
  std::int32_t generation = 0;      // what the columns hold: reads check it
  std::int32_t new_generation = 0;
  bool durable = false;  // answered when it is on disk
  bool check = true;
};

struct Report {
  std::uint64_t operations = 0, transactions = 0, rows_scanned = 0;
  std::uint64_t errors = 0, wrong = 0;
  std::string first_error;
  Histogram latency;  // of transactions
};

class Driver : public ndb::env::Machine {
 public:
  explicit Driver(ndb::client::ClientOptions options);
  ~Driver() override;

  // Waits until the table is in the catalog; empty = fine, else why not.
  std::string connect(const std::string& table, ndb::Time timeout);
  const TableInfo& table() const { return table_; }
  void warm_up();  // a link to every node before the clock runs
  Report run(const Work& work);
  const ndb::client::ClientCounts& counts() const { return client_.counts(); }

  void step(ndb::Time now, const ndb::env::Event& event, ndb::env::Outbox& out) override;

 private:
  ndb::Time due() const;
  void fill(ndb::Time now);
  void drain(ndb::Time now);
  void submit(ndb::Time start);
  void add_operation(ndb::client::Handle h, Kind kind, std::uint64_t row);
  void check_rows(const ndb::client::StepResult& r, std::uint64_t transaction);
  void make_image(std::uint64_t row, std::int32_t generation, char* image) const;
  std::uint64_t row_of(std::uint64_t n) const { return n * stride_ % work_.rows; }
  ndb::FragmentId fragment_of(std::uint64_t row) const;
  void run_scans(const Work& work);

  ndb::client::ClientMachine client_;
  ndb::os::LoopOptions quiet_;
  ndb::os::Loop loop_;
  TableInfo table_;
  ndb::Prng prng_;
  Work work_;
  Report report_;
  std::uint64_t stride_ = 1;
  std::uint64_t next_ = 0, end_ = 0;  // transactions
  std::uint32_t flying_ = 0;
  ndb::Time started_ = 0;
  ndb::Time next_tick_ = 0;  // at a fixed rate nothing is sent before
  struct Flight {
    ndb::Time start;
    std::uint64_t transaction;
    bool reads;
  };
  std::vector<Flight> flights_;  // by handle
  bool active_ = false;
};

}  // namespace bench
