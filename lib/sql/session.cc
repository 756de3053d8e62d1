#include "sql/session.h"

#include "base/utf8.h"
#include "sql/definition.h"
#include "sql/state.h"
#include "sql/words.h"

namespace ndb::sql {

namespace {

// What SQLite would keep in this process only, although it looks as if the cluster kept it.
int authorize(void* state, int action, const char*, const char*, const char*, const char*) {
  if (static_cast<Session::State*>(state)->own_statement) return SQLITE_OK;
  switch (action) {
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      return SQLITE_DENY;
    default:
      return SQLITE_OK;
  }
}

const char* refusal(const std::vector<std::string>& w) {
  if (w.empty()) return nullptr;
  if (w[0] == "SAVEPOINT" || w[0] == "RELEASE") return "savepoints are not supported; use BEGIN, COMMIT, ROLLBACK";
  if (w[0] == "ALTER") return "ALTER TABLE is not supported: create a new table and copy the rows";
  if (w[0] == "ATTACH" || w[0] == "DETACH") return "other databases cannot be attached";
  if (w[0] == "CREATE" && w.size() > 1 && (w[1] == "UNIQUE" || w[1] == "INDEX")) {
    return "indexes cannot be added to a table: name UNIQUE columns in CREATE TABLE";
  }
  if (w[0] == "CREATE" && w.size() > 1 && w[1] != "TEMP" && w[1] != "TEMPORARY") {
    return "only tables can be created in the cluster (temporary views and triggers live in this session)";
  }
  return nullptr;
}

void execute_own(Session::State& s, const std::string& sql) {
  s.own_statement = true;
  sqlite3_exec(s.db, sql.c_str(), nullptr, nullptr, nullptr);
  s.own_statement = false;
}

// Makes SQLite's virtual tables those of the catalog. Not inside BEGIN: a ROLLBACK would undo it.
void follow_catalog(Session::State& s) {
  if (sqlite3_get_autocommit(s.db) == 0) return;
  const auto catalog = s.cluster->catalog();
  if (catalog->version == s.synced) return;
  for (auto i = s.registered.begin(); i != s.registered.end();) {
    if (catalog->table(i->second) != nullptr) {
      ++i;
      continue;
    }
    execute_own(s, "DROP TABLE " + quoted(i->first));
    i = s.registered.erase(i);
  }
  for (const auto& [id, t] : catalog->tables) {
    if (s.registered.count(t->name) != 0 || t->index_of != 0) continue;
    execute_own(s, "CREATE VIRTUAL TABLE " + quoted(t->name) + " USING ndb");
    s.registered[t->name] = id;
  }
  s.synced = catalog->version;
}

void give_row(sqlite3_stmt* stmt, std::vector<Cell>* cells) {
  for (std::size_t i = 0; i < cells->size(); i++) {
    const int n = static_cast<int>(i);
    Cell& c = (*cells)[i];
    c = Cell{};
    const int type = sqlite3_column_type(stmt, n);
    if (type == SQLITE_NULL) continue;
    if (type == SQLITE_INTEGER) c.integer = sqlite3_column_int64(stmt, n);
    if (type == SQLITE_FLOAT) c.real = sqlite3_column_double(stmt, n);
    c.kind = type == SQLITE_INTEGER ? Cell::Kind::integer
             : type == SQLITE_FLOAT ? Cell::Kind::real
             : type == SQLITE_TEXT  ? Cell::Kind::text
                                    : Cell::Kind::blob;
    const void* p = type == SQLITE_BLOB ? sqlite3_column_blob(stmt, n) : sqlite3_column_text(stmt, n);
    c.bytes = Bytes(static_cast<const char*>(p), static_cast<std::size_t>(sqlite3_column_bytes(stmt, n)));
  }
}

}  // namespace

Session::Session(std::shared_ptr<client::Cluster> cluster, std::unique_ptr<Schema> schema)
    : state_(std::make_unique<State>()), schema_(std::move(schema)) {
  state_->cluster = std::move(cluster);
  sqlite3_open(":memory:", &state_->db);
  sqlite3_create_module_v2(state_->db, "ndb", &kModule, state_.get(), nullptr);
  sqlite3_set_authorizer(state_->db, authorize, state_.get());
}

Session::~Session() {
  state_->end();
  sqlite3_close_v2(state_->db);
}

bool Session::complete(const std::string& sql) {
  std::size_t at = 0;
  while (true) {
    const std::size_t end = statement_end(sql, at);
    if (end == std::string::npos) return blank(std::string_view(sql).substr(at));
    at = end;
  }
}

bool Session::in_transaction() const { return sqlite3_get_autocommit(state_->db) == 0; }
std::int64_t Session::changes() const { return state_->changing ? sqlite3_changes64(state_->db) : 0; }
std::vector<std::shared_ptr<const meta::Table>> Session::tables() const {
  std::vector<std::shared_ptr<const meta::Table>> all;
  for (const auto& [id, t] : state_->cluster->catalog()->tables) {
    if (t->index_of == 0) all.push_back(t);
  }
  return all;
}
void Session::set_durable(bool on) { state_->durable = on; }

void Session::interrupt() {
  state_->interrupted = true;
  sqlite3_interrupt(state_->db);
}

Failure Session::execute(const std::string& sql, Sink& sink) {
  for (std::size_t at = 0; at < sql.size();) {
    const std::size_t end = std::min(statement_end(sql, at), sql.size());
    const std::string statement = sql.substr(at, end - at);
    at = end;
    if (blank(statement)) continue;
    if (Failure f = one(statement, sink)) return f;
  }
  return {};
}

Failure Session::one(const std::string& statement, Sink& sink) {
  state_->interrupted = false;
  state_->changing = false;
  if (statement.find('\0') != std::string::npos) return {Error::bad_definition, "the statement holds a zero byte"};
  const auto w = words(statement, 3);
  if (w.size() > 1 && w[0] == "CREATE" && w[1] == "TABLE") return create_table(statement);
  if (w.size() > 1 && w[0] == "DROP" && w[1] == "TABLE") {
    auto drop = parse_drop_table(statement);
    const bool temporary = drop && state_->registered.count(drop->name) == 0 &&
                           sqlite3_table_column_metadata(state_->db, "temp", drop->name.c_str(), nullptr, nullptr,
                                                         nullptr, nullptr, nullptr, nullptr) == SQLITE_OK;
    if (!temporary) return drop_table(statement);
  }
  if (w.size() > 1 && w[0] == "PRAGMA" && w[1] == "DURABLE") return pragma_durable(statement, sink);
  if (const char* why = refusal(w)) return {Error::illegal_change, why};
  Time pause = limits::kClientBackOffMin;
  const Time deadline = state_->cluster->now() + limits::kClientDeadline;
  for (;; pause = std::min(2 * pause, limits::kClientBackOffMax)) {
    const bool alone = sqlite3_get_autocommit(state_->db) != 0;
    bool gave_rows = false;
    Failure f = run(statement, sink, &gave_rows);
    const bool again = f && alone && !gave_rows && is_temporary(f.error) && f.error != Error::single_user &&
                       state_->cluster->now() < deadline && !state_->interrupted;
    if (again) {
      state_->cluster->sleep(pause);
      continue;
    }
    if (f && !alone && state_->changing && sqlite3_get_autocommit(state_->db) == 0) {
      execute_own(*state_, "ROLLBACK");
      state_->end();
      f.text = f.sentence() + "; the transaction was rolled back";
    }
    return f;
  }
}

Failure Session::run(const std::string& statement, Sink& sink, bool* gave_rows) {
  State& s = *state_;
  follow_catalog(s);
  sqlite3_stmt* stmt = nullptr;
  auto prepare = [&] { return sqlite3_prepare_v2(s.db, statement.c_str(), -1, &stmt, nullptr); };
  s.failure = {};
  s.changing = false;
  int rc = prepare();
  if (rc != SQLITE_OK && std::string_view(sqlite3_errmsg(s.db)).substr(0, 14) == "no such table:") {
    // Perhaps it is a new one.
    const std::string name = std::string(sqlite3_errmsg(s.db)).substr(15);
    if (s.cluster->table(name)) {
      follow_catalog(s);
      rc = prepare();
    }
  }
  if (rc != SQLITE_OK) {
    const std::string why = sqlite3_errmsg(s.db);
    const bool no_table = why.rfind("no such table:", 0) == 0;
    return {no_table ? Error::no_such_table : Error::bad_definition, why};
  }
  s.reading_only = sqlite3_stmt_readonly(stmt) != 0;
  s.changing = !s.reading_only;
  s.named_columns.reset();
  if (std::vector<std::string> columns; s.changing && insert_columns(statement, &columns)) {
    s.named_columns.emplace(columns.begin(), columns.end());
  }
  std::vector<Cell> cells(static_cast<std::size_t>(sqlite3_column_count(stmt)));
  bool named = false;
  auto name_columns = [&] {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < cells.size(); i++) names.emplace_back(sqlite3_column_name(stmt, static_cast<int>(i)));
    sink.columns(names);
    named = true;
  };
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    if (!named) name_columns();
    *gave_rows = true;
    give_row(stmt, &cells);
    sink.row(cells);
  }
  if (rc == SQLITE_DONE && !named && !cells.empty()) name_columns();  // a result without rows has names all the same
  const std::string why = rc == SQLITE_DONE ? "" : sqlite3_errmsg(s.db);
  sqlite3_finalize(stmt);
  s.reading_only = true;
  if (rc == SQLITE_DONE) {
    sink.done();
    return {};
  }
  if (s.interrupted) return {Error::cancelled, "interrupted"};
  if (s.failure) return s.failure;
  return {rc == SQLITE_CONSTRAINT ? Error::row_exists : Error::bad_definition, why};
}

Failure Session::wait_for(Result<Version> done) {
  if (!done) return done.failure();
  if (*done == 0) return {};
  return state_->cluster->wait_for(*done);
}

// PRAGMA durable, PRAGMA durable = on|off: in SQLite's manner, for scripts.
Failure Session::pragma_durable(const std::string& statement, Sink& sink) {
  std::vector<std::string> w = words(statement);
  std::erase(w, ";");
  const bool set = (w.size() == 4 && w[2] == "=") || (w.size() == 5 && w[2] == "(" && w[4] == ")");
  if (set) {
    const bool on = w[3] == "ON" || w[3] == "1" || w[3] == "TRUE" || w[3] == "YES";
    const bool off = w[3] == "OFF" || w[3] == "0" || w[3] == "FALSE" || w[3] == "NO";
    if (!on && !off) return {Error::bad_definition, "PRAGMA durable is on or off, not '" + unquoted(w[3]) + "'"};
    state_->durable = on;
    return {};
  }
  if (w.size() != 2) return {Error::bad_definition, "PRAGMA durable takes '= on' or '= off', or nothing"};
  std::vector<Cell> cells(1);
  cells[0].kind = Cell::Kind::integer;
  cells[0].integer = state_->durable ? 1 : 0;
  cells[0].bytes = state_->durable ? "1" : "0";
  sink.columns({"durable"});
  sink.row(cells);
  sink.done();
  return {};
}

Failure Session::create_table(const std::string& statement) {
  if (in_transaction()) return {Error::schema_busy, "tables cannot be created between BEGIN and COMMIT"};
  if (!is_utf8(statement)) return {Error::bad_definition, "the definition is no UTF-8: names and defaults have to be"};
  auto create = parse_create_table(statement);
  if (!create) return create.failure();
  return wait_for(schema_->create_table(create->table, create->if_not_exists));
}

Failure Session::drop_table(const std::string& statement) {
  if (in_transaction()) return {Error::schema_busy, "tables cannot be dropped between BEGIN and COMMIT"};
  auto drop = parse_drop_table(statement);
  if (!drop) return drop.failure();
  return wait_for(schema_->drop_table(drop->name, drop->if_exists));
}

}  // namespace ndb::sql
