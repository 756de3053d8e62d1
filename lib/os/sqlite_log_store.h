// A LogStore in one SQLite file (docs/FORMATS.md): write-ahead log, synchronous=FULL, on a thread of its own.
//
// Promises: what is reported as stored survives the loss of power. Orders are carried out in their order; those that
// wait together share one transaction and one fsync. After the first write or fsync that fails nothing is written any
// more: that order and all later ones are reported with a status other than 0, failed() is true, and the process
// has to stop. (A failed fsync cannot be repeated: the kernel may have dropped the pages.) Beside the file lies a
// lock that keeps a second process away.
//
// Requires: open() before anything else. `completed` is called on the store's thread.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "meta/log.h"
#include "os/files.h"
#include "os/sqlite_file.h"

namespace ndb::os {

inline constexpr const char* kMetaFileName = "ndb_meta.sqlite";

class SqliteLogStore : public meta::LogStore {
 public:
  using Completed = std::function<void(std::uint64_t tag, int status)>;
  // `path` of the file; its directory exists.
  SqliteLogStore(std::string path, Completed completed);
  ~SqliteLogStore() override;  // carries out what was ordered

  // Keeps others away, beginning now; open() does it, too. in_use: somebody has it.
  Failure lock();
  // Creates the file or checks it: in_use, a file of somebody else, of a newer version, or damaged. Starts the
  // thread.
  Failure open();

  State load() override;
  void set_node(NodeId id);  // whose store it is; durable on return
  void set_raft_id(std::uint64_t id) override;
  void set_term(std::uint64_t term) override;
  void set_vote(std::uint64_t raft_id) override;
  void append_now(const std::vector<meta::LogEntry>& entries) override;
  void append(std::uint64_t tag, std::vector<meta::LogEntry> entries) override;
  void truncate(std::uint64_t from_index) override;
  void put_snapshot(std::uint64_t tag, meta::LogSnapshot snapshot, std::uint64_t keep_from_index) override;
  void mirror_catalog(std::shared_ptr<const std::string> encoded_catalog) override;
  bool failed() const override { return failed_; }
  // Why it failed; empty while it has not.
  std::string failure() const override;
  // Returns when everything ordered before is done and reported.
  void drain();

 private:
  struct Order {
    std::uint64_t tag = 0;
    std::function<bool()> work;  // inside a transaction; false: failed
    bool reported = false;       // an order that `completed` hears of
  };
  Failure check_or_create();
  Failure create();
  Failure check();
  Failure refuse(const std::string& why) const;
  void order(std::uint64_t tag, bool reported, std::function<bool()> work);
  void order_and_wait(std::function<bool()> work);
  void work();
  bool carry_out(std::deque<Order>& batch);
  void carry_out_mirror(const std::string& encoded);
  bool put_number(const char* key, std::uint64_t value);
  bool write_entries(const std::vector<meta::LogEntry>& entries);
  bool write_snapshot(const meta::LogSnapshot& s, std::uint64_t keep_from_index);
  void fail();

  const std::string path_;
  Completed completed_;
  Fd lock_;
  SqliteFile file_;  // the thread's, once it runs
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Order> orders_;
  std::shared_ptr<const std::string> mirror_;  // the newest one that was not written yet
  std::string failure_;
  std::uint64_t ordered_ = 0, done_ = 0;
  bool ending_ = false;
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

}  // namespace ndb::os
