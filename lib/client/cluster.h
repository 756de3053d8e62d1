// The C++ API of applications: a connection to a cluster, tables, transactions, batches, scans. Blocking, thread-safe.
//
//   auto cluster = cli::connect_cluster("10.0.0.1:1186");       // cli/connect.h; or Cluster::connect with a Host of
//   your own auto t = (*cluster)->table("accounts");
//   (*cluster)->run([&](Transaction& x) -> Failure {                 // repeated when an error is temporary
//     std::string row;
//     auto found = x.read(*t, {{Value::of_int(7)}}, &row, Lock::exclusive);
//     if (!found) return found.failure();
//     return x.update(*t, {{Value::of_int(7)}}, {{{1, Value::of_int(100)}}});
//   });
//
// Threads: a Cluster may be used by any number of threads at once; a Transaction, Batch or Scan by one at a time. There
// is no thread of its own: of the threads that wait, one drives the connection for all. (So a lone thread pays no
// switch: a transaction costs a round trip and about 2 us.) This is the one place of the core with a lock in it.
//
// Errors: a Failure says what and why; is_temporary(error) means that running the whole transaction again may help. An
// error outcome_unknown means just that: the transaction was committed or not; Transaction::outcome() asks again.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "client/host.h"
#include "client/machine.h"
#include "store/row.h"

namespace ndb::client {

using store::Value;
using Values = std::span<const Value>;
using Changes = std::span<const std::pair<std::uint16_t, Value>>;  // column, its new value

enum class Lock : std::uint8_t { none, shared, exclusive };

// A table as it was defined when it was looked up. Cheap to copy.
class Table {
 public:
  Table() = default;
  TableId id() const { return definition_->id; }
  const std::string& name() const { return definition_->name; }
  const meta::Table& definition() const { return *definition_; }
  const store::RowShape& shape() const { return *shape_; }
  // The number of a column, by its name (case of letters does not matter); -1 = no such column.
  int column(std::string_view name) const;
  // The hidden tables of its unique indexes, in the order of definition().unique: to be read, never to be written to.
  const std::vector<Table>& unique() const { return unique_; }
  explicit operator bool() const { return definition_ != nullptr; }

 private:
  friend class Cluster;
  std::shared_ptr<const meta::Table> definition_;
  std::shared_ptr<const store::RowShape> shape_;
  std::vector<Table> unique_;
};

namespace detail {
class Core;
struct Answer;
}  // namespace detail

// Changes of a table with unique indexes bring the changes of its index rows along (indexes.h); a value that another
// row has is unique_violation. Such a step is two round trips when old rows have to be read, and fails as a whole.
//
// Operations are collected and sent with the next read(), execute() or commit(); a transaction that first speaks at its
// commit() is one message, and is repeated inside the library when an error is temporary.
//
// The first failure ends the transaction: everything is rolled back, later calls fail with txn_aborted. Values and
// images are copied. A Transaction that is destroyed while it is open is rolled back.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  ~Transaction();

  // One value for each column, in definition order.
  Failure insert(const Table& t, Values row) { return change(wire::Op::insert, t, row); }
  Failure write(const Table& t, Values row) { return change(wire::Op::write, t, row); }  // insert or replace
  Failure replace(const Table& t, Values row) { return change(wire::Op::replace, t, row); }
  // One value for each column of the primary key, in key order.
  Failure update(const Table& t, Values key, Changes changes);
  Failure remove(const Table& t, Values key);
  // The same with encoded keys and images (store/row.h).
  Failure add(wire::Op op, const Table& t, Bytes key, Bytes payload = {});

  // Reads one row at once: true and its image (t.shape().get(image, column)), or false: no such row.
  Result<bool> read(const Table& t, Values key, std::string* image, Lock lock = Lock::none);
  Result<bool> read_key(const Table& t, Bytes key, std::string* image, Lock lock = Lock::none);
  // By the values of a unique index, in its order; none of them null. The index row is locked, too.
  // REQUIRES: a lock is asked for.
  Result<bool> read_unique(const Table& t, std::size_t index, Values values, std::string* image, Lock lock);
  // Sends what was collected. `each` hears the result of every operation in order (a read that finds nothing:
  // no_such_row).
  Failure execute(const std::function<void(Error, Bytes image)>& each = {});
  std::size_t collected() const;

  Failure commit(bool durable = false);  // durable: answered when its epoch is on disk everywhere
  // After commit() failed with outcome_unknown: asks again, by the transaction's id, for up to a deadline of the
  // client. True: it was committed. False: it was not, and will not be. outcome_unknown: still nobody can tell.
  Result<bool> outcome();
  void abort();
  bool open() const { return !over_; }
  TxnId id() const { return id_; }

 private:
  friend class Cluster;
  explicit Transaction(std::shared_ptr<detail::Core> core);
  Failure change(wire::Op op, const Table& t, Values row);
  Failure send(std::uint8_t flags, const std::function<void(Error, Bytes)>& each);
  template <class Ask>
  detail::Answer answer_to(const Ask& ask);  // ask(machine), then what comes of it

  std::shared_ptr<detail::Core> core_;
  Handle handle_ = kNoHandle;
  bool over_ = false;
  TxnId id_;
  Writer key_, payload_;
};

// Many small transactions at once: each operation is one of its own. They are sent as they are added, with a bounded
// number in flight, and finished by finish().
class Batch {
 public:
  Batch(Batch&&) noexcept;
  ~Batch();
  // `number` comes back with the error. An operation that cannot be encoded fails at once.
  void insert(const Table& t, Values row, std::uint64_t number = 0) { change(wire::Op::insert, t, row, number); }
  void write(const Table& t, Values row, std::uint64_t number = 0) { change(wire::Op::write, t, row, number); }
  void update(const Table& t, Values key, Changes changes, std::uint64_t number = 0);
  void remove(const Table& t, Values key, std::uint64_t number = 0);
  void add(wire::Op op, const Table& t, Bytes key, Bytes payload, std::uint64_t number = 0);
  // Waits for all. The failed ones so far, in the order in which they became known.
  struct Failed {
    std::uint64_t number;
    Error error;
  };
  std::vector<Failed> finish();
  std::uint64_t committed() const;

 private:
  friend class Cluster;
  struct State;
  explicit Batch(std::shared_ptr<detail::Core> core);
  void change(wire::Op op, const Table& t, Values row, std::uint64_t number);
  std::unique_ptr<State> state_;
};

// All rows of a table that pass a filter, in no order, as of no single moment: each row that is there during the whole
// scan is seen exactly once, whatever moves meanwhile.
class Scan {
 public:
  Scan() = default;  // REQUIRES: another one is moved here before it is used
  Scan(Scan&&) noexcept;
  Scan& operator=(Scan&&) noexcept;
  ~Scan();
  // The next row; false: no more. The image is valid until the next call.
  Result<bool> next(Bytes* image);
  bool temporary() const { return temporary_; }  // after a failure: scanning again may help

 private:
  friend class Cluster;
  explicit Scan(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}
  std::shared_ptr<detail::Core> core_;
  ScanHandle scan_ = kNoScan;
  std::string rows_;
  std::size_t at_ = 0;
  bool temporary_ = false;
};

class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  // Waits until the catalog is known. unreachable: the sentence says who did not answer.
  static Result<std::shared_ptr<Cluster>> connect(ClientOptions options, const MakeHost& make_host,
                                                  Time timeout = 10 * kSecond);
  ~Cluster();

  std::shared_ptr<const meta::Catalog> catalog() const;
  // no_such_table only after a data node or a management server has been asked again.
  Result<Table> table(std::string_view name);
  // Waits until the catalog is at this version or a later one: after a change that was made through the management
  // protocol.
  Failure wait_for(Version version, Time timeout = 10 * kSecond);

  // One row, committed: true and its image, or false. Repeated while errors are temporary. `key`: encoded.
  Result<bool> read(const Table& t, Bytes key, std::string* image);
  // The same by the values of a unique index: one read of the index, one of the row; when somebody changes that row in
  // between, again under locks.
  Result<bool> read_unique(const Table& t, std::size_t index, Values values, std::string* image);
  Transaction begin();
  // Runs f and commits; begins anew when that failed with a temporary error, until `deadline` has passed.
  Failure run(const std::function<Failure(Transaction&)>& f, Time deadline = limits::kClientDeadline);
  Batch batch();
  Result<Scan> scan(const Table& t, ScanOptions options = {});
  Result<std::uint64_t> count(const Table& t, std::string filter = {});  // repeated while errors are temporary
  ClientCounts counts() const;
  Time now() const;    // the host's clock
  void sleep(Time d);  // the connection goes on meanwhile

 private:
  explicit Cluster(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}
  static Failure open_table(const meta::Catalog& c, TableId id, Table* t);
  std::shared_ptr<detail::Core> core_;
};

}  // namespace ndb::client
