#include "client/cluster.h"

#include "client/core.h"

namespace ndb::client {

namespace {
bool same_name(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}
}  // namespace

int Table::column(std::string_view name) const {
  for (std::size_t i = 0; i < definition_->columns.size(); i++) {
    if (same_name(definition_->columns[i].name, name)) return static_cast<int>(i);
  }
  return -1;
}

Result<std::shared_ptr<Cluster>> Cluster::connect(ClientOptions options, const MakeHost& make_host, Time timeout) {
  auto core = std::make_shared<detail::Core>(std::move(options), make_host);
  const Time deadline = core->now() + timeout;
  std::string trouble;
  const bool ok = core->wait(deadline, [&] {
    trouble = core->machine().trouble();
    return core->machine().catalog() != nullptr;
  });
  if (!ok) return Failure{Error::unreachable, trouble.empty() ? "nobody answers" : trouble};
  return std::shared_ptr<Cluster>(new Cluster(std::move(core)));
}

Cluster::~Cluster() = default;

std::shared_ptr<const meta::Catalog> Cluster::catalog() const {
  std::shared_ptr<const meta::Catalog> c;
  core_->with([&](ClientMachine& m) { c = m.catalog(); });
  return c;
}

Failure Cluster::open_table(const meta::Catalog& c, TableId id, Table* t) {
  auto found = c.tables.find(id);
  if (found == c.tables.end()) return {Error::no_such_table, {}};
  t->definition_ = found->second;
  auto shape = store::RowShape::make(*t->definition_);
  if (!shape) return shape.failure();
  t->shape_ = std::make_shared<store::RowShape>(std::move(*shape));
  for (const meta::UniqueIndex& u : t->definition_->unique) {
    if (Failure f = open_table(c, u.table, &t->unique_.emplace_back())) return f;
  }
  return {};
}

Result<Table> Cluster::table(std::string_view name) {
  Table t;
  std::uint64_t catalogs = 0;
  Time deadline = 0;
  while (true) {
    auto c = catalog();
    const meta::Table* found = c->table(name);
    if (found != nullptr) {
      if (Failure f = open_table(*c, found->id, &t)) return f;
      return t;
    }
    if (deadline != 0) break;
    deadline = core_->now() + kSecond / 2;
    const Version had = c->version;
    core_->with([&](ClientMachine& m) {
      catalogs = m.counts().catalog_answers;
      m.refresh();
    });
    core_->wait(deadline, [&] {
      return core_->machine().catalog()->version > had || core_->machine().counts().catalog_answers > catalogs;
    });
  }
  return Failure{Error::no_such_table, "no such table: '" + std::string(name) + "'"};
}

Failure Cluster::wait_for(Version version, Time timeout) {
  const Time deadline = core_->now() + timeout;
  while (true) {
    core_->with([](ClientMachine& m) { m.refresh(); });
    const Time soon = std::min(deadline, core_->now() + 20 * kMillisecond);
    if (core_->wait(soon, [&] { return core_->machine().catalog()->version >= version; })) return {};
    if (core_->now() >= deadline) {
      return {Error::timed_out, "version " + std::to_string(version) + " of the catalog does not arrive"};
    }
  }
}

Result<bool> Cluster::read(const Table& t, Bytes key, std::string* image) {
  Transaction x = begin();
  if (Failure f = x.add(wire::Op::read, t, key)) return f;
  bool found = false;
  Failure failed = x.send(wire::kCommit, [&](Error e, Bytes row) {
    found = e == Error::ok;
    if (found) image->assign(row);
  });
  if (failed && failed.error != Error::no_such_row) return failed;
  return found;
}

Transaction Cluster::begin() { return Transaction(core_); }

Failure Cluster::run(const std::function<Failure(Transaction&)>& f, Time patience) {
  const Time deadline = core_->now() + patience;
  for (int attempt = 0;; attempt++) {
    Transaction t = begin();
    Failure failure = f(t);
    if (!failure && t.open()) failure = t.commit();
    t.abort();
    if (!failure || !is_temporary(failure.error) || core_->now() >= deadline) return failure;
    const Time pause = std::min(limits::kClientBackOffMin << std::min(attempt, 6), limits::kClientBackOffMax);
    core_->wait(core_->now() + pause, [] { return false; });
  }
}

Batch Cluster::batch() { return Batch(core_); }

Result<Scan> Cluster::scan(const Table& t, ScanOptions options) {
  Scan s(core_);
  core_->with([&](ClientMachine& m) { s.scan_ = m.scan_open(t.id(), std::move(options)); });
  if (s.scan_ == kNoScan) return Failure{Error::too_many_open, "too many open scans"};
  return s;
}

Result<std::uint64_t> Cluster::count(const Table& t, std::string filter) {
  ScanOptions o;
  o.filter = std::move(filter);
  o.count_only = true;
  auto s = scan(t, std::move(o));
  if (!s) return s.failure();
  Bytes nothing;
  auto more = s->next(&nothing);
  if (!more) return more.failure();
  std::uint64_t rows = 0;
  core_->with([&](ClientMachine& m) { rows = m.scan_rows(s->scan_); });
  return rows;
}

Time Cluster::now() const { return core_->now(); }

void Cluster::sleep(Time d) {
  core_->wait(core_->now() + d, [] { return false; });
}

ClientCounts Cluster::counts() const {
  ClientCounts c;
  core_->with([&](ClientMachine& m) { c = m.counts(); });
  return c;
}

}  // namespace ndb::client
