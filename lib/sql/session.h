// SQL over the cluster's tables: SQLite's engine, in which every table of the cluster is a virtual table.
//
// A primary-key lookup is one read at one fragment; everything else scans, with the comparisons that the store can make
// sent along. Statements that change rows lock what they touch and run in one transaction of the cluster; between BEGIN
// and COMMIT all statements share one. Its own changes are seen by a transaction before it commits.
//
// Promises
//  * A statement outside BEGIN that fails with a temporary error before it gave a row is repeated, until
//  kClientDeadline.
//  * The first failing change between BEGIN and COMMIT rolls the whole transaction back, and the sentence says so.
//  * Readers see committed rows (read committed). A statement that changes rows locks those that it reads.
//
// What is refused: indexes, views, triggers but temporary ones, ALTER TABLE, SAVEPOINT, ATTACH. Temporary tables live
// in this session, in memory. One thread.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace ndb::sql {

// Where CREATE TABLE and DROP TABLE go: the management server. The answer is the catalog's version in which the
// change is visible; 0 = nothing had to be done.
class Schema {
 public:
  virtual ~Schema() = default;
  virtual Result<Version> create_table(const meta::Table& t, bool if_not_exists) = 0;
  virtual Result<Version> drop_table(const std::string& name, bool if_exists) = 0;
};

struct Cell {
  enum class Kind : std::uint8_t { null, integer, real, text, blob } kind = Kind::null;
  std::int64_t integer = 0;
  double real = 0;
  Bytes bytes;  // text: as SQLite prints the value, for every kind but null and blob
};

// Hears what a statement gives.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void columns(
      const std::vector<std::string>& names) = 0;  // once, before the first row; not for statements without rows
  virtual void row(const std::vector<Cell>& cells) = 0;
  virtual void done() {}  // after the last row
};

class Session {
 public:
  Session(std::shared_ptr<client::Cluster> cluster, std::unique_ptr<Schema> schema);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs every statement of the text; stops at the first failure.
  Failure execute(const std::string& sql, Sink& sink);
  // Is this text, typed so far, ready for execute(): does it end with a whole statement?
  static bool complete(const std::string& sql);
  bool in_transaction() const;
  std::int64_t changes() const;  // rows changed by the last statement
  void interrupt();              // thread- and signal-safe: the statement that runs fails soon
  std::vector<std::shared_ptr<const meta::Table>> tables() const;  // as the client knows them now
  void set_durable(bool on);                                       // commits wait until their epoch is on disk

  struct State;

 private:
  Failure one(const std::string& statement, Sink& sink);
  Failure run(const std::string& statement, Sink& sink, bool* gave_rows);
  Failure pragma_durable(const std::string& statement, Sink& sink);
  Failure create_table(const std::string& statement);
  Failure drop_table(const std::string& statement);
  Failure wait_for(Result<Version> done);
  std::unique_ptr<State> state_;
  std::unique_ptr<Schema> schema_;
};

}  // namespace ndb::sql
