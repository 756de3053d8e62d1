#include "os/sqlite_log_store.h"

#include <filesystem>
#include <utility>

#include "os/sqlite_log_read.h"
#include "os/sqlite_mirror.h"

namespace ndb::os {

namespace {

constexpr int kBusyMs = 10000;  // somebody holds the file's write lock in the sqlite3 shell
constexpr int kFailed = 1;

}  // namespace

SqliteLogStore::SqliteLogStore(std::string path, Completed completed)
    : path_(std::move(path)), completed_(std::move(completed)) {}

SqliteLogStore::~SqliteLogStore() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// --- opening

Failure SqliteLogStore::lock() {
  if (lock_) return {};
  auto held = lock_file(path_ + kLockSuffix);
  if (!held.ok()) return held.failure();
  lock_ = std::move(*held);
  return {};
}

Failure SqliteLogStore::open() {
  if (Failure f = lock()) return f;
  if (Failure f = file_.open(path_, kBusyMs)) return f;
  if (Failure f = check_or_create()) {
    file_.close();
    return f;
  }
  thread_ = std::thread([this] { work(); });
  return {};
}

Failure SqliteLogStore::refuse(const std::string& why) const {
  return {Error::os_failed, "'" + path_ + "' cannot be used as the metadata log: " + why};
}

Failure SqliteLogStore::check_or_create() {
  // Nothing is written before it is clear that the file is ours.
  bool empty = false;
  if (std::string wrong = judge_log_file(file_, &empty); !wrong.empty()) return refuse(wrong);
  std::string mode;
  if (!file_.text("PRAGMA journal_mode=WAL", &mode) || mode != "wal" || !file_.run("PRAGMA synchronous=FULL")) {
    return refuse("write-ahead logging is not possible: " + file_.error());
  }
  return empty ? create() : check();
}

Failure SqliteLogStore::create() {
  bool ok = file_.run("BEGIN IMMEDIATE") &&
            file_.run(
                "CREATE TABLE raft(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
                "CREATE TABLE log(idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, type INTEGER NOT NULL,"
                " data BLOB NOT NULL, crc INTEGER NOT NULL);"
                "CREATE TABLE snapshot(id INTEGER PRIMARY KEY CHECK(id = 1), idx INTEGER NOT NULL,"
                " term INTEGER NOT NULL, membership_index INTEGER NOT NULL, membership BLOB NOT NULL,"
                " data BLOB NOT NULL, crc INTEGER NOT NULL);") &&
            create_mirror_tables(file_) &&
            file_.run(("PRAGMA application_id=" + std::to_string(kLogApplicationId)).c_str()) &&
            file_.run(("PRAGMA user_version=" + std::to_string(kLogVersion)).c_str()) && file_.run("COMMIT");
  if (!ok) return refuse("it cannot be created: " + file_.error());
  std::string directory = std::filesystem::path(path_).parent_path().string();
  return sync_directory(directory.empty() ? "." : directory);
}

Failure SqliteLogStore::check() {
  State s;
  if (std::string wrong = check_log(file_, &s); !wrong.empty()) return refuse(wrong);
  return {};
}

// --- orders

meta::LogStore::State SqliteLogStore::load() {
  State s;
  order_and_wait([this, &s] {
    std::string fault;
    return read_log(file_, &s, &fault);
  });
  return s;
}

void SqliteLogStore::set_node(NodeId id) {
  order_and_wait([this, id] { return put_number("node_id", id); });
}

void SqliteLogStore::set_raft_id(std::uint64_t id) {
  order_and_wait([this, id] { return put_number("raft_id", id); });
}

void SqliteLogStore::set_term(std::uint64_t term) {
  order_and_wait([this, term] { return put_number("term", term) && put_number("vote", 0); });
}

void SqliteLogStore::set_vote(std::uint64_t raft_id) {
  order_and_wait([this, raft_id] { return put_number("vote", raft_id); });
}

void SqliteLogStore::append_now(const std::vector<meta::LogEntry>& entries) {
  order_and_wait([this, &entries] { return write_entries(entries); });
}

void SqliteLogStore::append(std::uint64_t tag, std::vector<meta::LogEntry> entries) {
  order(tag, true, [this, e = std::move(entries)] { return write_entries(e); });
}

void SqliteLogStore::truncate(std::uint64_t from_index) {
  order(0, false, [this, from_index] {
    return SqliteStatement(file_, "DELETE FROM log WHERE idx >= ?").number(from_index).done();
  });
}

void SqliteLogStore::put_snapshot(std::uint64_t tag, meta::LogSnapshot snapshot, std::uint64_t keep_from_index) {
  order(tag, true, [this, s = std::move(snapshot), keep_from_index] { return write_snapshot(s, keep_from_index); });
}

void SqliteLogStore::mirror_catalog(std::shared_ptr<const std::string> encoded_catalog) {
  std::lock_guard lock(mutex_);
  mirror_ = std::move(encoded_catalog);
  changed_.notify_all();
}

std::string SqliteLogStore::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void SqliteLogStore::drain() {
  std::unique_lock lock(mutex_);
  std::uint64_t goal = ordered_;
  changed_.wait(lock, [&] { return (done_ >= goal && mirror_ == nullptr) || !thread_.joinable(); });
}

void SqliteLogStore::order(std::uint64_t tag, bool reported, std::function<bool()> work_of_it) {
  std::lock_guard lock(mutex_);
  orders_.push_back({tag, std::move(work_of_it), reported});
  ++ordered_;
  changed_.notify_all();
}

void SqliteLogStore::order_and_wait(std::function<bool()> work_of_it) {
  std::unique_lock lock(mutex_);
  NDB_CHECK(thread_.joinable());
  orders_.push_back({0, std::move(work_of_it), false});
  std::uint64_t mine = ++ordered_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return done_ >= mine; });
}

// --- the thread

void SqliteLogStore::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !orders_.empty() || mirror_ != nullptr; });
    if (!orders_.empty()) {
      std::deque<Order> batch = std::move(orders_);
      orders_.clear();
      lock.unlock();
      if (!failed_ && !carry_out(batch)) fail();
      for (Order& o : batch) {
        if (o.reported) completed_(o.tag, failed_ ? kFailed : 0);
      }
      lock.lock();
      done_ += batch.size();
    } else if (mirror_ != nullptr) {
      std::shared_ptr<const std::string> encoded = mirror_;
      lock.unlock();
      if (!failed_) carry_out_mirror(*encoded);
      lock.lock();
      if (mirror_ == encoded) mirror_ = nullptr;
    } else if (ending_) {
      return;
    }
    changed_.notify_all();
  }
}

bool SqliteLogStore::carry_out(std::deque<Order>& batch) {
  if (!file_.run("BEGIN IMMEDIATE")) return false;
  for (Order& o : batch) {
    if (!o.work()) return false;
  }
  return file_.run("COMMIT");
}

// The copy for people matters little, but what hinders it hinders the log next.
void SqliteLogStore::carry_out_mirror(const std::string& encoded) {
  if (!file_.run("BEGIN IMMEDIATE") || !write_mirror(file_, encoded) || !file_.run("COMMIT")) fail();
}

void SqliteLogStore::fail() {
  std::string why = "cannot write '" + path_ + "': " + file_.error();
  (void)file_.run("ROLLBACK");
  std::lock_guard lock(mutex_);
  failure_ = std::move(why);
  failed_ = true;
}

bool SqliteLogStore::put_number(const char* key, std::uint64_t value) {
  return SqliteStatement(file_,
                         "INSERT INTO raft(key, value) VALUES(?,?) ON CONFLICT(key) DO UPDATE SET "
                         "value=excluded.value")
      .text(key)
      .number(value)
      .done();
}

// A plain INSERT: an entry that is there already is a defect, and refused.
bool SqliteLogStore::write_entries(const std::vector<meta::LogEntry>& entries) {
  SqliteStatement s(file_, "INSERT INTO log(idx, term, type, data, crc) VALUES(?,?,?,?,?)");
  for (const meta::LogEntry& e : entries) {
    if (!s.number(e.index).number(e.term).number(e.type).blob(e.data).number(log_checksum(e)).done()) return false;
  }
  return true;
}

bool SqliteLogStore::write_snapshot(const meta::LogSnapshot& s, std::uint64_t keep_from_index) {
  SqliteStatement put(file_,
                      "INSERT OR REPLACE INTO snapshot(id, idx, term, membership_index, membership, data, crc) "
                      "VALUES(1,?,?,?,?,?,?)");
  put.number(s.index).number(s.term).number(s.membership_index).blob(s.membership).blob(s.data);
  if (!put.number(log_checksum(s)).done()) return false;
  bool nothing_stays = keep_from_index > s.index;
  SqliteStatement shorten(file_, nothing_stays ? "DELETE FROM log" : "DELETE FROM log WHERE idx < ?");
  if (!nothing_stays) shorten.number(keep_from_index);
  return shorten.done();
}

}  // namespace ndb::os
