// The virtual table. Its SQLite declaration has the table's columns and one hidden column more, `_key`, the encoded
// primary key: the primary key of a table WITHOUT ROWID that may be written has to be a single column.
#include <algorithm>
#include <cstring>
#include <new>

#include "client/text.h"
#include "sql/convert.h"
#include "sql/definition.h"
#include "sql/rows.h"
#include "sql/state.h"
#include "store/filter.h"

namespace ndb::sql {

namespace {

constexpr std::size_t kOperationsCollected = 500;  // outside BEGIN: sent together
// Plans, chosen by best_index.
constexpr int kScan = 0, kPoint = 1, kCount = 2, kUnique = 3;  // kUnique + the number of the index

struct VirtualTable : sqlite3_vtab {
  Session::State* state = nullptr;
  client::Table table;
  int key_column = 0;    // the hidden one
  bool written = false;  // by the transaction that is open
};

struct Cursor : sqlite3_vtab_cursor {
  explicit Cursor(VirtualTable& t) : sqlite3_vtab_cursor{}, rows(*t.state, t.table, t.written) {}
  Rows rows;
};

VirtualTable& table_of(sqlite3_vtab* t) { return *static_cast<VirtualTable*>(t); }

int failed(VirtualTable& t, const Failure& f) {
  t.state->failure = f;
  t.state->failure.text = f.sentence();
  sqlite3_free(t.zErrMsg);
  t.zErrMsg = sqlite3_mprintf("%s", t.state->failure.text.c_str());
  return f.error == Error::row_exists || f.error == Error::unique_violation ? SQLITE_CONSTRAINT : SQLITE_ERROR;
}

int connect(sqlite3* db, void* aux, int argc, const char* const* argv, sqlite3_vtab** out, char** message) {
  auto* state = static_cast<Session::State*>(aux);
  auto t = state->cluster->table(argc > 2 ? argv[2] : "");
  if (!t) {
    *message = sqlite3_mprintf("%s", t.failure().sentence().c_str());
    return SQLITE_ERROR;
  }
  std::string declaration = "CREATE TABLE x(";
  for (const auto& c : t->definition().columns) {
    declaration += quoted(c.name) + " " + declared_type(c);
    declaration += ", ";
  }
  declaration += "_key BLOB HIDDEN PRIMARY KEY NOT NULL) WITHOUT ROWID";
  if (int rc = sqlite3_declare_vtab(db, declaration.c_str()); rc != SQLITE_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
  auto* v = new VirtualTable{};
  v->state = state;
  v->table = *t;
  v->key_column = static_cast<int>(t->definition().columns.size());
  *out = v;
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* t) {
  delete &table_of(t);
  return SQLITE_OK;
}

// A comparison that the store can make.
char filter_operator(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return '=';
    case SQLITE_INDEX_CONSTRAINT_NE:
      return '!';
    case SQLITE_INDEX_CONSTRAINT_LT:
      return '<';
    case SQLITE_INDEX_CONSTRAINT_LE:
      return 'l';
    case SQLITE_INDEX_CONSTRAINT_GT:
      return '>';
    case SQLITE_INDEX_CONSTRAINT_GE:
      return 'g';
    default:
      return 0;
  }
}

bool plain_collation(sqlite3_index_info* info, int constraint) {
  const char* collation = sqlite3_vtab_collation(info, constraint);
  return collation == nullptr || std::strcmp(collation, "BINARY") == 0;
}

// All columns of a key are compared for equality: they become the arguments, in key order.
bool plan_key(const std::vector<std::uint16_t>& key, sqlite3_index_info* info) {
  std::vector<int> constraint(key.size(), -1);
  for (int i = 0; i < info->nConstraint; i++) {
    const auto& c = info->aConstraint[i];
    if (c.usable == 0 || c.op != SQLITE_INDEX_CONSTRAINT_EQ || !plain_collation(info, i)) continue;
    for (std::size_t k = 0; k < key.size(); k++) {
      if (c.iColumn == key[k] && constraint[k] < 0) constraint[k] = i;
    }
  }
  for (int i : constraint) {
    if (i < 0) return false;
  }
  for (std::size_t k = 0; k < key.size(); k++) {
    info->aConstraintUsage[constraint[k]].argvIndex = static_cast<int>(k) + 1;
  }
  info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  info->estimatedRows = 1;
  return true;
}

// One row by its primary key, or by a unique index.
bool plan_one_row(const VirtualTable& t, sqlite3_index_info* info) {
  const meta::Table& definition = t.table.definition();
  info->idxNum = kPoint;
  info->estimatedCost = 10;
  if (plan_key(definition.primary_key, info)) return true;
  info->estimatedCost = 20;
  for (std::size_t i = 0; i < definition.unique.size(); i++) {
    if (!plan_key(definition.unique[i].columns, info)) continue;
    info->idxNum = kUnique + static_cast<int>(i);
    std::string plan;  // should the rows have to be scanned
    for (const std::uint16_t c : definition.unique[i].columns) plan += '=' + std::to_string(c) + ' ';
    info->idxStr = sqlite3_mprintf("%s", plan.c_str());
    info->needToFreeIdxStr = 1;
    return true;
  }
  return false;
}

int best_index(sqlite3_vtab* v, sqlite3_index_info* info) {
  const VirtualTable& t = table_of(v);
  if (plan_one_row(t, info)) return SQLITE_OK;
  std::string plan;  // for each argument: the operator, the column, a blank
  int arguments = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    const auto& c = info->aConstraint[i];
    const char op = filter_operator(c.op);
    if (c.usable == 0 || op == 0 || c.iColumn < 0 || c.iColumn >= t.key_column) continue;
    if (!plain_collation(info, i)) continue;
    info->aConstraintUsage[i].argvIndex = ++arguments;  // not omitted: SQLite looks at the rows again
    plan += op + std::to_string(c.iColumn) + " ";
  }
  info->idxNum = kScan;
  if (info->colUsed == 0 && info->nConstraint == 0) info->idxNum = kCount;
  info->estimatedRows = arguments > 0 ? 100000 : 1000000;
  info->estimatedCost = info->idxNum == kCount ? 1000 : 10.0 * static_cast<double>(info->estimatedRows);
  if (arguments > 0) {
    info->idxStr = sqlite3_mprintf("%s", plan.c_str());
    info->needToFreeIdxStr = 1;
  }
  return SQLITE_OK;
}

int open(sqlite3_vtab* v, sqlite3_vtab_cursor** out) {
  *out = new Cursor(table_of(v));
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* c) {
  delete static_cast<Cursor*>(c);
  return SQLITE_OK;
}

std::string build_filter(const client::Table& table, const char* plan, int argc, sqlite3_value** argv) {
  store::FilterWriter w;
  int tests = 0;
  for (int i = 0; i < argc && plan != nullptr; i++) {
    const char op = *plan++;
    char* end = nullptr;
    const auto column = static_cast<std::uint16_t>(std::strtoul(plan, &end, 10));
    plan = end + 1;
    store::Value constant;
    std::string scratch;
    if (!filter_constant(table.definition().columns[column], argv[i], &constant, &scratch)) continue;
    const store::Compare compare = op == '='   ? store::Compare::eq
                                   : op == '!' ? store::Compare::ne
                                   : op == '<' ? store::Compare::lt
                                   : op == 'l' ? store::Compare::le
                                   : op == '>' ? store::Compare::gt
                                               : store::Compare::ge;
    w.compare(column, compare, constant);
    if (++tests > 1) w.op_and();
  }
  // A constant beyond the column's range is for SQLite to judge.
  if (!store::Filter::parse(w.view(), table.shape())) return {};
  return std::string(w.view());
}

// The row whose key, the primary one or that of a unique index, has these values.
Failure one_row(VirtualTable& t, Rows& rows, int plan, sqlite3_value** argv) {
  const meta::Table& definition = t.table.definition();
  const std::size_t index = plan == kPoint ? 0 : static_cast<std::size_t>(plan - kUnique);
  const auto& columns = plan == kPoint ? definition.primary_key : definition.unique[index].columns;
  const store::RowShape& shape = plan == kPoint ? t.table.shape() : t.table.unique()[index].shape();
  std::vector<store::Value> key(columns.size());
  std::vector<std::string> scratch(key.size());
  Writer encoded;
  bool possible = true;
  for (std::size_t i = 0; i < key.size(); i++) {
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
      possible = false;
    else if (from_sqlite(definition.columns[columns[i]], argv[i], &key[i], &scratch[i]) != Error::ok)
      possible = false;
  }
  // A value that no key can have equals none.
  if (!possible || shape.encode_key(key, encoded) != Error::ok) {
    rows.nothing();
    return {};
  }
  return plan == kPoint ? rows.by_key(encoded.view()) : rows.by_unique(index, key);
}

int filter(sqlite3_vtab_cursor* cursor, int plan, const char* plan_text, int argc, sqlite3_value** argv) {
  auto& c = *static_cast<Cursor*>(cursor);
  VirtualTable& t = table_of(c.pVtab);
  Failure f;
  const bool changed = t.state->changed.count(t.table.id()) != 0;
  if (plan == kPoint || (plan >= kUnique && !changed)) {  // a row changed here may have the value by now
    f = one_row(t, c.rows, plan, argv);
  } else if (plan == kCount && !c.rows.locks() && !changed) {
    f = c.rows.count_only();
  } else {
    f = c.rows.scan(build_filter(t.table, plan_text, argc, argv));
  }
  return f ? failed(t, f) : SQLITE_OK;
}

int next(sqlite3_vtab_cursor* cursor) {
  auto& c = *static_cast<Cursor*>(cursor);
  Failure f = c.rows.next();
  return f ? failed(table_of(c.pVtab), f) : SQLITE_OK;
}

int eof(sqlite3_vtab_cursor* cursor) { return static_cast<Cursor*>(cursor)->rows.at_end() ? 1 : 0; }

int column(sqlite3_vtab_cursor* cursor, sqlite3_context* ctx, int i) {
  auto& c = *static_cast<Cursor*>(cursor);
  const VirtualTable& t = table_of(c.pVtab);
  if (c.rows.image().empty()) {
    sqlite3_result_null(ctx);
  } else if (i == t.key_column) {
    store::KeyBuffer buffer;
    const Bytes key = t.table.shape().key_of(c.rows.image(), buffer);
    sqlite3_result_blob(ctx, key.data(), static_cast<int>(key.size()), SQLITE_TRANSIENT);
  } else {
    const auto n = static_cast<std::uint16_t>(i);
    to_sqlite(t.table.definition().columns[n], t.table.shape().get(c.rows.image(), n), ctx);
  }
  return SQLITE_OK;
}

int rowid(sqlite3_vtab_cursor*, sqlite3_int64*) { return SQLITE_ERROR; }  // WITHOUT ROWID: never called

// Adds one operation to the transaction and remembers its effect.
Failure change(VirtualTable& t, wire::Op op, Bytes key, Bytes image) {
  Session::State& s = *t.state;
  s.begin();
  if (Failure f = s.transaction->add(op, t.table, key, image)) return f;
  s.collected++;
  auto& mine = s.changed[t.table.id()][std::string(key)];
  if (op == wire::Op::remove)
    mine.reset();
  else
    mine = std::string(image);
  // Between BEGIN and COMMIT the statement hears of its own failure; else the commit tells it.
  const bool alone = sqlite3_get_autocommit(s.db) != 0;
  return alone && s.collected < kOperationsCollected ? Failure{} : s.flush();
}

// Which column it was that encode() did not take.
Failure name_the_column(const VirtualTable& t, const std::vector<store::Value>& values, Error e) {
  for (std::size_t i = 0; i < values.size() && e == Error::value_out_of_range; i++) {
    const meta::Column& c = t.table.definition().columns[i];
    if (values[i].is_null()) continue;
    std::string room(store::stored_bytes(c), 0);
    const bool fits = store::is_variable(c.type) ? values[i].bytes.size() <= room.size()
                                                 : store::to_stored(c, values[i], room.data()) == Error::ok;
    if (!fits) return {e, "column '" + c.name + "': " + std::string(error_info(e).sentence)};
  }
  return {e, {}};
}

std::string lower(std::string s) {
  for (char& c : s) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return s;
}

Failure encode_row(const VirtualTable& t, bool insert, sqlite3_value** columns, Writer* image) {
  const auto& named = t.state->named_columns;
  const auto& definition = t.table.definition().columns;
  std::vector<store::Value> values(definition.size());
  std::vector<std::string> scratch(definition.size());
  for (std::size_t i = 0; i < definition.size(); i++) {
    if (Error e = from_sqlite(definition[i], columns[i], &values[i], &scratch[i]); e != Error::ok) {
      return {e, "column '" + definition[i].name + "': " + std::string(error_info(e).sentence)};
    }
    if (insert && values[i].is_null() && definition[i].default_value && named &&
        named->count(lower(definition[i].name)) == 0) {
      client::value_from_text(definition[i], *definition[i].default_value, &values[i], &scratch[i]);
    }
    if (values[i].is_null() && !definition[i].nullable) {
      return {Error::null_in_not_null, "column '" + definition[i].name + "' is not nullable"};
    }
  }
  if (Error e = t.table.shape().encode(values, *image); e != Error::ok) return name_the_column(t, values, e);
  return {};
}

// Keys of other rows that have a value of this one where this index wants it to be unique. Nothing is locked, unless
// the statement locks what it reads: at the end the index decides.
Failure find_rivals(VirtualTable& t, std::size_t index, const bool& locks, Bytes key, Bytes image,
                    std::set<std::string>* rivals) {
  const store::RowShape& shape = t.table.shape();
  store::KeyBuffer buffer;
  const auto& columns = t.table.definition().unique[index].columns;
  std::vector<store::Value> values;
  for (const std::uint16_t c : columns) {
    if (!shape.is_null(image, c)) values.push_back(shape.get(image, c));
  }
  if (values.size() < columns.size()) return {};
  auto same = [&](Bytes other) {
    return std::all_of(columns.begin(), columns.end(), [&](std::uint16_t c) {
      return shape.is_null(other, c) == shape.is_null(image, c) && shape.stored(other, c) == shape.stored(image, c);
    });
  };
  if (auto own = t.state->changed.find(t.table.id()); own != t.state->changed.end()) {
    for (const auto& [k, row] : own->second) {
      if (k != key && row && same(*row)) rivals->insert(k);
    }
  }
  Rows there(*t.state, t.table, locks);
  if (Failure f = there.by_unique(index, values)) return f;
  if (there.at_end()) return {};
  const Bytes other = shape.key_of(there.image(), buffer);
  if (other != key && t.state->own(t.table.id(), other) == nullptr) rivals->insert(std::string(other));
  return {};
}

Failure find_rivals(VirtualTable& t, Bytes key, Bytes image, std::set<std::string>* rivals) {
  for (std::size_t i = 0; i < t.table.unique().size(); i++) {
    if (Failure f = find_rivals(t, i, t.written, key, image, rivals)) return f;
  }
  return {};
}

// A violation with the name of the index, as far as it can still be seen.
Failure with_index(VirtualTable& t, Failure f) {
  constexpr int kRowsLookedAt = 100;
  const auto own = t.state->changed.find(t.table.id());
  if (f.error != Error::unique_violation || own == t.state->changed.end()) return f;
  int rows = 0;
  for (const auto& [key, row] : own->second) {
    for (std::size_t i = 0; row && i < t.table.unique().size(); i++) {
      std::set<std::string> rivals;
      if (find_rivals(t, i, false, key, *row, &rivals) || rivals.empty()) continue;
      f.text = f.sentence() + ": '" + t.table.definition().unique[i].name + "' of table '" + t.table.name() + "'";
      return f;
    }
    if (++rows == kRowsLookedAt) break;
  }
  return f;
}

// Has another row of the table this key?
Failure look_for_key(VirtualTable& t, Bytes key, bool* there) {
  const auto* mine = t.state->own(t.table.id(), key);
  Rows row(*t.state, t.table, t.written);
  Failure f = mine == nullptr ? row.by_key(key) : Failure{};
  *there = mine != nullptr ? mine->has_value() : !row.at_end();
  return f;
}

// A row as it is to be: a new one (`old_key` is null), or in place of the one with that key. OR IGNORE leaves out what
// others stand in the way of, OR REPLACE removes the others.
Failure put(VirtualTable& t, const std::string* old_key, const std::string& key, Bytes image) {
  const int conflict = sqlite3_vtab_on_conflict(t.state->db);
  const bool in_place = old_key != nullptr && *old_key == key;
  if (conflict == SQLITE_REPLACE || conflict == SQLITE_IGNORE) {
    if (old_key != nullptr) {
      const auto* mine = t.state->own(t.table.id(), *old_key);
      if (mine != nullptr && !mine->has_value()) return {};  // made way for a row of the same statement
    }
    std::set<std::string> rivals;
    if (Failure f = find_rivals(t, key, image, &rivals)) return f;
    if (old_key != nullptr) rivals.erase(*old_key);
    bool taken = !rivals.empty();
    if (conflict == SQLITE_IGNORE && !taken && !in_place) {
      if (Failure f = look_for_key(t, key, &taken)) return f;
    }
    if (conflict == SQLITE_IGNORE && taken) return {};
    for (const std::string& other : rivals) {
      if (Failure f = change(t, wire::Op::remove, other, {})) return f;
    }
  }
  if (in_place) return change(t, wire::Op::replace, key, image);
  if (old_key != nullptr) {
    if (Failure f = change(t, wire::Op::remove, *old_key, {})) return f;
  }
  if (conflict == SQLITE_REPLACE) return change(t, wire::Op::write, key, image);
  const auto* mine = t.state->own(t.table.id(), key);
  if (mine != nullptr && mine->has_value()) {
    return {Error::row_exists,
            "table '" + t.table.name() + "': " + std::string(error_info(Error::row_exists).sentence)};
  }
  return change(t, wire::Op::insert, key, image);
}

// argv[0]: the old key, or null for an INSERT; argv[1]: not used; then the columns.
int update(sqlite3_vtab* v, int argc, sqlite3_value** argv, sqlite3_int64*) {
  VirtualTable& t = table_of(v);
  Failure f;
  std::string old_key;
  const bool had = sqlite3_value_type(argv[0]) != SQLITE_NULL;
  if (had)
    old_key.assign(static_cast<const char*>(sqlite3_value_blob(argv[0])),
                   static_cast<std::size_t>(sqlite3_value_bytes(argv[0])));
  if (argc == 1) {
    f = change(t, wire::Op::remove, old_key, {});
    return f ? failed(t, f) : SQLITE_OK;
  }
  Writer image;
  f = encode_row(t, !had, argv + 2, &image);
  if (!f) {
    store::KeyBuffer buffer;
    const std::string key(t.table.shape().key_of(image.view(), buffer));
    f = put(t, had ? &old_key : nullptr, key, image.view());
  }
  return f ? failed(t, with_index(t, std::move(f))) : SQLITE_OK;
}

int begin(sqlite3_vtab* v) {
  table_of(v).state->begin();
  table_of(v).written = true;
  return SQLITE_OK;
}

// SQLite asks every table whether it can commit: the first one commits for all.
int sync(sqlite3_vtab* v) {
  VirtualTable& t = table_of(v);
  Session::State& s = *t.state;
  if (!s.transaction) return SQLITE_OK;
  Failure f = with_index(t, s.transaction->commit(s.durable));
  s.end();
  return f ? failed(t, f) : SQLITE_OK;
}

int commit(sqlite3_vtab* v) {
  table_of(v).written = false;
  return SQLITE_OK;
}

int rollback(sqlite3_vtab* v) {
  table_of(v).written = false;
  table_of(v).state->end();
  return SQLITE_OK;
}

int rename(sqlite3_vtab* v, const char*) {
  return failed(table_of(v), {Error::illegal_change, "tables of the cluster cannot be renamed"});
}

}  // namespace

const sqlite3_module kModule = {
    .iVersion = 1,
    .xCreate = connect,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = disconnect,
    .xOpen = open,
    .xClose = close,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
    .xUpdate = update,
    .xBegin = begin,
    .xSync = sync,
    .xCommit = commit,
    .xRollback = rollback,
    .xFindFunction = nullptr,
    .xRename = rename,
    .xSavepoint = nullptr,
    .xRelease = nullptr,
    .xRollbackTo = nullptr,
    .xShadowName = nullptr,
};

}  // namespace ndb::sql
