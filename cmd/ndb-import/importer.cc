#include "importer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "client/text.h"
#include "os/files.h"

namespace ndb::tool {

namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::size_t kRecordBytesMax = std::size_t{16} << 20;
constexpr std::uint64_t kReasonsShown = 10;  // on stderr
constexpr int kInputPauseMs = 20;            // without input; then smaller transactions than --batch are sent

os::LoopOptions quiet() {
  os::LoopOptions o;
  o.log_from = env::Severity::critical;
  return o;
}

bool same_name(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// As a field of a CSV file that says nothing else.
std::string quoted(Bytes text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

// The beginning of a value, for a sentence, which is one line.
std::string shown(Bytes value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : value.substr(0, 60)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u != 0x7f)
      out += c;
    else
      out.append("\\x").append({kDigits[u >> 4], kDigits[u & 15]});
  }
  return out;
}

}  // namespace

Importer::Importer(client::ClientOptions options, ImportOptions o)
    : o_(std::move(o)), machine_(std::move(options)), loop_(machine_, quiet()) {}

Importer::~Importer() {
  if (rejects_ != nullptr) std::fclose(rejects_);
}

Failure Importer::open_table(const std::string& name) {
  const Time deadline = os::Loop::now() + 3 * kSecond;
  Time refreshed = 0;
  while (true) {
    const auto c = machine_.catalog();
    const meta::Table* t = c ? c->table(name) : nullptr;
    if (t != nullptr) {
      table_ = c->tables.at(t->id);
      break;
    }
    const Time now = os::Loop::now();
    if (c && refreshed == 0) {
      refreshed = now;
      machine_.refresh();
    }
    if (c && now - refreshed > kSecond / 2) return {Error::no_such_table, "no such table: '" + name + "'"};
    if (now > deadline) return {Error::unreachable, "cannot connect to the cluster: " + machine_.trouble()};
    loop_.step(env::Event{});
    loop_.run_once(20 * kMillisecond);
  }
  if (table_->index_of != 0) {
    return {Error::indexes_not_kept,
            "table '" + name + "' holds a unique index: its rows come with those of its table"};
  }
  if (!table_->unique.empty()) o_.batch_rows = 1;  // a value that is taken fails its whole transaction
  auto shape = store::RowShape::make(*table_);
  if (!shape) return shape.failure();
  shape_ = std::move(*shape);
  values_.resize(table_->columns.size());
  scratch_.resize(table_->columns.size());
  return map_columns(o_.columns);
}

// Which column each field is; columns without a field get their default.
Failure Importer::map_columns(const std::vector<std::string>& names) {
  const auto& columns = table_->columns;
  field_column_.clear();
  std::vector<bool> named(columns.size());
  for (std::size_t i = 0; i < (names.empty() ? columns.size() : names.size()); i++) {
    std::size_t c = i;
    if (!names.empty()) {
      c = 0;
      while (c < columns.size() && !same_name(columns[c].name, names[i])) c++;
    }
    if (c == columns.size()) {
      return {Error::no_such_column, "table '" + table_->name + "' has no column '" + names[i] + "'"};
    }
    if (named[c]) return {Error::bad_definition, "column '" + columns[c].name + "' is named twice"};
    named[c] = true;
    field_column_.push_back(static_cast<int>(c));
  }
  defaults_.assign(columns.size(), store::Value::null());
  default_text_.assign(columns.size(), "");
  for (std::size_t c = 0; c < columns.size(); c++) {
    if (named[c]) continue;
    if (columns[c].default_value) {
      client::value_from_text(columns[c], *columns[c].default_value, &defaults_[c], &default_text_[c]);
    } else if (!columns[c].nullable) {
      return {Error::null_in_not_null, "column '" + columns[c].name + "' has no default and is in no field"};
    }
  }
  return {};
}

Failure Importer::take_header(const client::CsvRecord& r) {
  if (!o_.columns.empty()) return {};  // --columns says more than the file
  std::vector<std::string> names;
  for (const auto& f : r.fields) names.emplace_back(f.text);
  return map_columns(names);
}

std::string Importer::encode(const client::CsvRecord& r) {
  if (r.fields.size() != field_column_.size()) {
    return std::to_string(r.fields.size()) + (r.fields.size() == 1 ? " field, " : " fields, ") +
           std::to_string(field_column_.size()) + " expected";
  }
  values_ = defaults_;
  for (std::size_t i = 0; i < r.fields.size(); i++) {
    const auto c = static_cast<std::size_t>(field_column_[i]);
    const meta::Column& column = table_->columns[c];
    const client::CsvField& f = r.fields[i];
    if (!f.quoted && f.text == o_.null_text && (column.nullable || !store::is_variable(column.type))) {
      if (!column.nullable) return "column '" + column.name + "' is not nullable";
      values_[c] = store::Value::null();
    } else if (client::value_from_text(column, f.text, &values_[c], &scratch_[c]) != Error::ok) {
      return "column '" + column.name + "': '" + shown(f.text) + "' is no value of its type";
    }
  }
  image_.clear();
  const Error e = shape_.encode(values_, image_);
  if (e == Error::ok) return {};
  for (std::size_t c = 0; c < values_.size() && e == Error::value_out_of_range; c++) {
    if (values_[c].is_null()) continue;
    std::string room(store::stored_bytes(table_->columns[c]), 0);
    const bool fits = store::is_variable(table_->columns[c].type)
                          ? values_[c].bytes.size() <= room.size()
                          : store::to_stored(table_->columns[c], values_[c], room.data()) == Error::ok;
    if (!fits) return "column '" + table_->columns[c].name + "': value out of the range of its column";
  }
  return std::string(error_info(e).sentence);
}

Failure Importer::reject(const std::string& file, std::uint64_t line, Bytes raw, const std::string& why) {
  counts_.rejected++;
  if (!o_.rejects_path.empty() && rejects_ == nullptr) {
    rejects_ = std::fopen(o_.rejects_path.c_str(), "w");
    if (rejects_ == nullptr) return os::os_failure("write", o_.rejects_path, errno);
  }
  if (rejects_ != nullptr) {
    const std::string name = file.find_first_of(",\"\r\n") == std::string::npos ? file : quoted(file);
    const std::string row = name + "," + std::to_string(line) + "," + quoted(why) + "," + quoted(raw) + "\n";
    std::fwrite(row.data(), 1, row.size(), rejects_);
    if (std::fflush(rejects_) != 0) return os::os_failure("write", o_.rejects_path, errno);
  }
  if (counts_.rejected <= kReasonsShown && o_.max_rejects != UINT64_MAX) {
    std::fprintf(stderr, "ndb-import: %s:%llu: %s\n", file.c_str(), static_cast<unsigned long long>(line), why.c_str());
  }
  if (counts_.rejected > o_.max_rejects) {
    return {Error::cancelled, "stopped after " + std::to_string(counts_.rejected) + " rejected row" +
                                  (counts_.rejected == 1 ? "" : "s") + " (--max-rejects)"};
  }
  return {};
}

Importer::GroupPtr Importer::spare() {
  if (spares_.empty()) return std::make_unique<Group>();
  GroupPtr g = std::move(spares_.back());
  spares_.pop_back();
  g->clear();
  return g;
}

Importer::Group& Importer::group_for(std::uint64_t hash) {
  std::size_t f = 0;
  if (machine_.routing().knows(table_->id)) f = machine_.routing().write(table_->id, hash).fragment;
  if (f >= open_.size()) open_.resize(f + 1);
  if (!open_[f]) open_[f] = spare();
  return *open_[f];
}

Failure Importer::take_record(const client::CsvRecord& r, const std::string& file) {
  counts_.read++;
  if (std::string why = encode(r); !why.empty()) return reject(file, r.line, r.raw, why);
  if (o_.dry_run) {
    counts_.imported++;
    return {};
  }
  store::KeyBuffer buffer;
  const Bytes key = shape_.key_of(image_.view(), buffer);
  const std::uint64_t hash = shape_.hash(key);
  Group& g = group_for(hash);
  auto at = [&] { return static_cast<std::uint32_t>(g.bytes.size()); };
  Row row{r.line, at(), 0, 0, 0, hash};
  g.bytes.append(key);
  row.image = at();
  g.bytes.append(image_.view());
  row.raw = at();
  g.bytes.append(r.raw);
  row.end = at();
  g.rows.push_back(row);
  g.file = &file;
  if (g.rows.size() < o_.batch_rows) return {};
  for (auto& o : open_) {
    if (o.get() == &g) return send(std::move(o));
  }
  return {};
}

Failure Importer::send(GroupPtr g) {
  client::Handle h;
  while (in_flight_ >= o_.inflight || (h = machine_.open()) == client::kNoHandle) {
    if (Failure f = pump(true)) return f;
  }
  const wire::Op op = g->reading_back ? wire::Op::read : o_.replace ? wire::Op::write : wire::Op::insert;
  for (const Row& r : g->rows) {
    machine_.add(h, op, table_->id, r.hash, g->key(r), g->reading_back ? Bytes() : g->image(r));
  }
  machine_.send(h, static_cast<std::uint8_t>(wire::kCommit | wire::kKeepGoing | (o_.durable ? wire::kDurable : 0)));
  if (h >= flying_.size()) flying_.resize(h + std::size_t{1});
  flying_[h] = std::move(g);
  in_flight_++;
  return {};
}

// Sends what was made ready and takes what has come. `wait`: until something has come.
Failure Importer::pump(bool wait) {
  loop_.step(env::Event{});
  loop_.run_once(wait ? 100 * kMillisecond : 0);
  return take_results();
}

// What became of the rows of one transaction. Rows in `again` are sent once more.
Failure Importer::judge(Group& g, const client::StepResult& r, std::vector<Row>* again, bool* read_back) {
  if (r.state != wire::TxnState::committed) {
    if (r.error == Error::outcome_unknown) counts_.unknown = true;
    for (const Row& row : g.rows) {
      if (r.error == Error::row_exists && o_.ignore_existing) {
        counts_.skipped++;
      } else if (Failure f = reject(*g.file, row.line, g.raw(row), std::string(error_info(r.error).sentence))) {
        return f;
      }
    }
    return {};
  }
  if (!r.answered && !g.reading_back) {
    *again = g.rows;
    *read_back = true;
    return {};
  }
  client::ResultReader results(r);
  for (const Row& row : g.rows) {
    Error e = Error::internal;
    Bytes image;
    results.next(&e, &image);
    if (g.reading_back) {
      if (e == Error::ok && image == g.image(row)) {
        counts_.imported++;
        continue;
      }
      e = e == Error::ok ? Error::row_exists : e;
    }
    if (e == Error::ok) {
      counts_.imported++;
    } else if (e == Error::row_exists && o_.ignore_existing) {
      counts_.skipped++;
    } else if ((is_temporary(e) || e == Error::txn_aborted) && g.attempts < 1000) {
      again->push_back(row);
    } else if (Failure f = reject(*g.file, row.line, g.raw(row), std::string(error_info(e).sentence))) {
      return f;
    }
  }
  return {};
}

Failure Importer::take_results() {
  while (const client::StepResult* r = machine_.take()) {
    GroupPtr g = std::move(flying_[r->handle]);
    in_flight_--;
    std::vector<Row> again;
    bool read_back = false;
    Failure failure = judge(*g, *r, &again, &read_back);
    machine_.release(r->handle);
    if (failure) return failure;
    if (again.empty()) {
      spares_.push_back(std::move(g));
      continue;
    }
    g->rows = std::move(again);
    g->reading_back = read_back;
    g->attempts++;
    again_.push_back(std::move(g));
  }
  const Time now = os::Loop::now();
  if (progress && now >= next_progress_) {
    next_progress_ = now + 100 * kMillisecond;
    progress(counts_, 0);
  }
  // Not from inside send(): it may be what called us.
  return {};
}

Failure Importer::send_open() {
  for (auto& g : open_) {
    if (!g || g->rows.empty()) continue;
    if (Failure f = send(std::move(g))) return f;
  }
  return {};
}

Failure Importer::send_again() {
  while (!again_.empty()) {
    GroupPtr g = std::move(again_.front());
    again_.pop_front();
    if (Failure f = send(std::move(g))) return f;
  }
  return {};
}

// A pipe may give little, and late: what was read goes on its way meanwhile.
Failure Importer::await_input(int fd) {
  pollfd input{fd, POLLIN, 0};
  if (o_.dry_run || ::poll(&input, 1, kInputPauseMs) != 0) return {};
  if (Failure f = send_open()) return f;
  while (::poll(&input, 1, in_flight_ > 0 ? 0 : kInputPauseMs) == 0) {
    if (Failure f = send_again()) return f;
    if (Failure f = pump(in_flight_ > 0)) return f;
  }
  return {};
}

Failure Importer::import_file(std::FILE* in, const std::string& name, std::uint64_t) {
  file_names_.push_back(name);
  const std::string& file = file_names_.back();
  client::CsvReader reader(o_.csv);
  client::CsvRecord record;
  std::string buffer;
  std::size_t begin = 0;
  bool header = o_.header;
  std::uint64_t skip = o_.skip_lines;
  for (bool last = false; !last;) {
    buffer.erase(0, begin);
    begin = 0;
    const std::size_t held = buffer.size();
    if (held > kRecordBytesMax) {
      return {Error::bad_message, "'" + file + "': line " + std::to_string(reader.line() + 1) + " does not end"};
    }
    buffer.resize(held + kReadBytes);
    if (Failure f = await_input(::fileno(in))) return f;
    const ssize_t n = ::read(::fileno(in), buffer.data() + held, kReadBytes);
    if (n < 0 && errno != EINTR) return os::os_failure("read", file, errno);
    buffer.resize(held + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    last = n == 0;
    counts_.bytes += static_cast<std::uint64_t>(std::max<ssize_t>(n, 0));
    std::uint64_t since_pump = 0;
    while (true) {
      std::size_t consumed = 0;
      const auto state = reader.next(Bytes(buffer).substr(begin), last, &record, &consumed);
      begin += consumed;
      if (state == client::CsvReader::State::more) break;
      Failure f;
      if (skip > 0) {
        skip--;
      } else if (state == client::CsvReader::State::damaged) {
        counts_.read++;
        f = reject(file, record.line, record.raw, reader.problem());
      } else if (header) {
        header = false;
        f = take_header(record);
      } else {
        f = take_record(record, file);
      }
      if (f) return f;
      if (++since_pump % 512 == 0 && !o_.dry_run) {
        if (Failure g = pump(false)) return g;
      }
      if (Failure h = send_again()) return h;
    }
  }
  return {};
}

void Importer::settle() {
  o_.max_rejects = UINT64_MAX;
  const Time deadline = os::Loop::now() + 5 * kSecond;
  while (in_flight_ > 0 && os::Loop::now() < deadline) pump(true);
}

Failure Importer::finish() {
  if (Failure f = send_open()) return f;
  while (in_flight_ > 0 || !again_.empty()) {
    if (Failure f = send_again()) return f;
    if (Failure f = pump(true)) return f;
  }
  if (rejects_ != nullptr && std::fflush(rejects_) != 0) return os::os_failure("write", o_.rejects_path, errno);
  return {};
}

}  // namespace ndb::tool
