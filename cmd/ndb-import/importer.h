// Rows from CSV files into one table, as fast as one thread can: records are read, encoded and gathered by the fragment
// they go to; each full group is a transaction of its own, so that most are one message and one stream record.
//
// A row that fails, fails alone. A row whose transaction met a temporary error is sent again. When the fate of a group
// is known but not that of its rows (the connection broke in between), the rows are read back and compared.
#pragma once
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/csv.h"
#include "client/machine.h"
#include "os/loop.h"
#include "store/row.h"

namespace ndb::tool {

struct ImportOptions {
  client::CsvOptions csv;
  bool header = false;
  std::vector<std::string> columns;  // of the fields, in order; empty: all, or those of the header
  std::uint64_t skip_lines = 0;
  std::string null_text;         // an unquoted field that is this text is null
  bool replace = false;          // a row that exists is replaced
  bool ignore_existing = false;  // .. is left as it is, and counted as skipped
  bool durable = false;
  bool dry_run = false;  // everything but the sending
  std::uint64_t max_rejects = 0;
  std::uint64_t batch_rows = 32;  // in a transaction
  std::uint64_t inflight = 64;    // transactions
  std::string rejects_path;       // empty: reasons go to stderr only
};

struct ImportCounts {
  std::uint64_t read = 0, imported = 0, skipped = 0, rejected = 0, bytes = 0;
  bool unknown = false;  // the outcome of some rows could not be learnt
};

class Importer {
 public:
  Importer(client::ClientOptions options, ImportOptions o);
  ~Importer();

  Failure open_table(const std::string& name);
  // Reads one file to its end; `name` is for messages. A failure ends the import.
  Failure import_file(std::FILE* in, const std::string& name, std::uint64_t bytes_total);
  Failure finish();  // waits for what is on its way
  void settle();     // after a failure: so that counts() says what became of what was sent
  const ImportCounts& counts() const { return counts_; }
  std::function<void(const ImportCounts&, std::uint64_t bytes_total)> progress;

 private:
  struct Row {
    std::uint64_t line;
    std::uint32_t key, image, raw, end;  // offsets in Group::bytes: key, image, raw text, end
    std::uint64_t hash;
  };
  struct Group {
    std::vector<Row> rows;
    std::string bytes;
    const std::string* file = nullptr;
    bool reading_back = false;  // the rows are read and compared
    std::uint32_t attempts = 0;
    void clear() {
      rows.clear();
      bytes.clear();
      reading_back = false;
      attempts = 0;
    }
    Bytes key(const Row& r) const { return Bytes(bytes).substr(r.key, r.image - r.key); }
    Bytes image(const Row& r) const { return Bytes(bytes).substr(r.image, r.raw - r.image); }
    Bytes raw(const Row& r) const { return Bytes(bytes).substr(r.raw, r.end - r.raw); }
  };
  using GroupPtr = std::unique_ptr<Group>;

  Failure map_columns(const std::vector<std::string>& names);
  Failure take_header(const client::CsvRecord& r);
  Failure take_record(const client::CsvRecord& r, const std::string& file);
  std::string encode(const client::CsvRecord& r);  // into image_; empty = fine, else why not
  Failure reject(const std::string& file, std::uint64_t line, Bytes raw, const std::string& why);
  Failure send(GroupPtr g);
  Failure send_open();
  Failure send_again();
  Failure await_input(int fd);
  Failure pump(bool wait);
  Failure take_results();
  Failure judge(Group& g, const client::StepResult& r, std::vector<Row>* again, bool* read_back);
  GroupPtr spare();
  Group& group_for(std::uint64_t hash);

  ImportOptions o_;
  client::ClientMachine machine_;
  os::Loop loop_;
  std::shared_ptr<const meta::Table> table_;
  store::RowShape shape_;
  std::vector<int> field_column_;       // field -> column
  std::vector<store::Value> defaults_;  // of columns that no field names
  std::vector<std::string> default_text_, scratch_;
  std::vector<store::Value> values_;
  Writer image_;
  std::vector<GroupPtr> open_;    // by fragment: being filled
  std::vector<GroupPtr> flying_;  // by handle
  std::vector<GroupPtr> spares_;
  std::deque<GroupPtr> again_;  // to be sent again
  std::size_t in_flight_ = 0;
  ImportCounts counts_;
  std::FILE* rejects_ = nullptr;
  std::deque<std::string> file_names_;  // that groups point to
  Time next_progress_ = 0;
};

}  // namespace ndb::tool
