#include "sql/definition.h"

#include <map>
#include <sqlite3.h>

#include "sql/words.h"
#include "store/row.h"

namespace ndb::sql {

namespace {

using meta::Type;

Failure bad(std::string why) { return {Error::bad_definition, std::move(why)}; }

struct Scratch {
  sqlite3* db = nullptr;
  Scratch() { sqlite3_open(":memory:", &db); }
  ~Scratch() { sqlite3_close(db); }
  // Calls f with each row of the query.
  template <class F>
  bool query(const std::string& sql, F f) const {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &s, nullptr) != SQLITE_OK) return false;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) f(s);
    return sqlite3_finalize(s) == SQLITE_OK && rc == SQLITE_DONE;
  }
};

std::string text(sqlite3_stmt* s, int column) {
  const auto* t = sqlite3_column_text(s, column);
  return t == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(t));
}

struct NamedType {
  Type type;
  Type unsigned_type;
  enum Arguments { none, length, digits, fraction } arguments;
  std::uint32_t length_if_absent;  // 0: it has to be given
};

const std::map<std::string, NamedType>& named_types() {
  using N = NamedType;
  static const std::map<std::string, NamedType> all{
      {"TINYINT", {Type::tinyint, Type::utinyint, N::none, 0}},
      {"BOOL", {Type::tinyint, Type::tinyint, N::none, 0}},
      {"BOOLEAN", {Type::tinyint, Type::tinyint, N::none, 0}},
      {"SMALLINT", {Type::smallint, Type::usmallint, N::none, 0}},
      {"MEDIUMINT", {Type::mediumint, Type::umediumint, N::none, 0}},
      {"INT", {Type::integer, Type::uinteger, N::none, 0}},
      {"INTEGER", {Type::integer, Type::uinteger, N::none, 0}},
      {"BIGINT", {Type::bigint, Type::ubigint, N::none, 0}},
      {"FLOAT", {Type::float32, Type::float32, N::none, 0}},
      {"DOUBLE", {Type::float64, Type::float64, N::none, 0}},
      {"DOUBLE PRECISION", {Type::float64, Type::float64, N::none, 0}},
      {"REAL", {Type::float64, Type::float64, N::none, 0}},
      {"DECIMAL", {Type::decimal, Type::decimal, N::digits, 0}},
      {"NUMERIC", {Type::decimal, Type::decimal, N::digits, 0}},
      {"CHAR", {Type::character, Type::character, N::length, 1}},
      {"CHARACTER", {Type::character, Type::character, N::length, 1}},
      {"VARCHAR", {Type::varchar, Type::varchar, N::length, 0}},
      {"BINARY", {Type::binary, Type::binary, N::length, 1}},
      {"VARBINARY", {Type::varbinary, Type::varbinary, N::length, 0}},
      {"DATE", {Type::date, Type::date, N::none, 0}},
      {"TIME", {Type::time, Type::time, N::fraction, 0}},
      {"DATETIME", {Type::datetime, Type::datetime, N::fraction, 0}},
      {"TIMESTAMP", {Type::timestamp, Type::timestamp, N::fraction, 0}},
      {"YEAR", {Type::year, Type::year, N::none, 0}},
      {"BIT", {Type::bit, Type::bit, N::length, 1}},
      {"TEXT", {Type::text, Type::text, N::none, 0}},
      {"BLOB", {Type::blob, Type::blob, N::none, 0}},
  };
  return all;
}

Failure parse_type(const std::string& declared, meta::Column* c) {
  std::string name;
  std::vector<std::uint32_t> arguments;
  bool is_unsigned = false, inside = false;
  for (const std::string& w : words(declared)) {
    if (w == "(")
      inside = true;
    else if (w == ")")
      inside = false;
    else if (w == ",")
      continue;
    else if (inside && w.find_first_not_of("0123456789") == std::string::npos && w.size() < 7) {
      arguments.push_back(static_cast<std::uint32_t>(std::stoul(w)));
    } else if (inside)
      return bad("column '" + c->name + "': '" + declared + "' is no type of this cluster");
    else if (w == "UNSIGNED")
      is_unsigned = true;
    else if (w == "SIGNED")
      continue;
    else
      name += (name.empty() ? "" : " ") + w;
  }
  auto i = named_types().find(name);
  if (i == named_types().end()) {
    return bad(declared.empty() ? "column '" + c->name + "' has no type"
                                : "column '" + c->name + "': '" + declared + "' is no type of this cluster");
  }
  const NamedType& t = i->second;
  c->type = is_unsigned ? t.unsigned_type : t.type;
  const std::size_t n = arguments.size();
  switch (t.arguments) {
    case NamedType::none:
      break;  // a display width, as in int(11), says nothing
    case NamedType::length:
      c->length = n > 0 ? arguments[0] : t.length_if_absent;
      if (c->length == 0 || n > 1) return bad("column '" + c->name + "': '" + declared + "' needs a length");
      break;
    case NamedType::digits:
      c->precision = static_cast<std::uint8_t>(n > 0 ? std::min(arguments[0], 255u) : 10);
      c->scale = static_cast<std::uint8_t>(n > 1 ? std::min(arguments[1], 255u) : 0);
      break;
    case NamedType::fraction:
      if (n > 0 && arguments[0] > 6) return bad("column '" + c->name + "': at most 6 fractional digits");
      c->scale = static_cast<std::uint8_t>(n > 0 ? arguments[0] : 0);
      break;
  }
  return {};
}

// A default as SQLite keeps it is an expression; constants become their value.
Failure parse_default(const Scratch& db, const std::string& expression, meta::Column* c) {
  const auto w = words(expression);
  bool constant = !w.empty();
  for (const std::string& x : w) {
    const bool number = x.find_first_not_of("0123456789.E+-") == std::string::npos;
    const bool string = x[0] == '\'';
    constant = constant && (number || string || x == "NULL" || x == "TRUE" || x == "FALSE" || x == "(" || x == ")");
  }
  if (!constant) return bad("column '" + c->name + "': the default '" + expression + "' is no constant");
  std::optional<std::string> value;
  if (!db.query("SELECT " + expression, [&](sqlite3_stmt* s) {
        if (sqlite3_column_type(s, 0) != SQLITE_NULL) value = text(s, 0);
      })) {
    return bad("column '" + c->name + "': the default '" + expression + "' cannot be read");
  }
  c->default_value = value;
  return {};
}

Failure refuse_what_is_not_kept(const std::string& statement) {
  std::string before;
  for (const std::string& w : words(statement)) {
    if (before == "ON" && w == "CONFLICT")
      return bad("ON CONFLICT in a table's definition is not kept by this cluster");
    before = w;
    for (const char* no : {"CHECK", "COLLATE", "REFERENCES", "FOREIGN", "GENERATED", "AUTOINCREMENT", "STRICT"}) {
      if (w == no) return bad(w + " in a table's definition is not kept by this cluster");
    }
  }
  return {};
}

// What SQLite made of UNIQUE: an index of its own for each, with columns by number.
void parse_unique(const Scratch& db, meta::Table* t) {
  std::vector<std::string> indexes;
  db.query("PRAGMA index_list(" + quoted(t->name) + ")", [&](sqlite3_stmt* s) {
    if (text(s, 3) == "u") indexes.insert(indexes.begin(), text(s, 1));  // the newest is named first
  });
  for (const std::string& name : indexes) {
    meta::UniqueIndex u;
    db.query("PRAGMA index_info(" + quoted(name) + ")",
             [&](sqlite3_stmt* s) { u.columns.push_back(static_cast<std::uint16_t>(sqlite3_column_int(s, 1))); });
    if (u.columns == t->primary_key) continue;
    u.name = meta::default_index_name(*t, u.columns);
    t->unique.push_back(std::move(u));
  }
}

}  // namespace

Result<CreateTable> parse_create_table(const std::string& statement) {
  Scratch db;
  char* message = nullptr;
  if (sqlite3_exec(db.db, statement.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
    std::string why = message != nullptr ? message : "it cannot be read";
    sqlite3_free(message);
    return bad(why);
  }
  if (Failure f = refuse_what_is_not_kept(statement)) return f;
  CreateTable create;
  const auto w = words(statement, 6);
  create.if_not_exists = w.size() > 4 && w[2] == "IF" && w[3] == "NOT" && w[4] == "EXISTS";
  meta::Table& t = create.table;
  db.query("SELECT name FROM sqlite_schema WHERE type = 'table'", [&](sqlite3_stmt* s) { t.name = text(s, 0); });
  if (t.name.empty()) return bad("the statement makes no table");
  Failure failure;
  std::map<int, std::uint16_t> key;
  db.query("PRAGMA table_xinfo(" + quoted(t.name) + ")", [&](sqlite3_stmt* s) {
    if (failure) return;
    meta::Column c;
    c.name = text(s, 1);
    failure = parse_type(text(s, 2), &c);
    const int position = sqlite3_column_int(s, 5);
    c.nullable = sqlite3_column_int(s, 3) == 0 && position == 0;
    if (!failure && sqlite3_column_type(s, 4) != SQLITE_NULL) failure = parse_default(db, text(s, 4), &c);
    if (position > 0) key[position] = static_cast<std::uint16_t>(t.columns.size());
    t.columns.push_back(std::move(c));
  });
  if (failure) return failure;
  if (key.empty()) return bad("table '" + t.name + "' has no PRIMARY KEY; every table of the cluster needs one");
  for (const auto& [position, column] : key) t.primary_key.push_back(column);
  parse_unique(db, &t);
  if (Failure f = meta::check_definition(t)) return f;
  auto shape = store::RowShape::make(t);
  if (!shape) return shape.failure();
  return create;
}

Result<DropTable> parse_drop_table(const std::string& statement) {
  // The grammar is checked by SQLite itself: there is no such table in the scratch database, and nothing else may be
  // wrong.
  Scratch db;
  char* message = nullptr;
  const int rc = sqlite3_exec(db.db, statement.c_str(), nullptr, nullptr, &message);
  std::string why = message != nullptr ? message : "";
  sqlite3_free(message);
  if (rc != SQLITE_OK && why.rfind("no such table", 0) != 0) return bad(why);
  const auto w = words(statement);
  DropTable drop;
  std::size_t at = 2;
  drop.if_exists = w.size() > 4 && w[2] == "IF" && w[3] == "EXISTS";
  if (drop.if_exists) at = 4;
  if (at + 1 < w.size() && w[at + 1] == ".") at += 2;  // main.name
  if (at >= w.size()) return bad("the table's name is missing");
  drop.name = unquoted(w[at]);
  return drop;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string declared_type(const meta::Column& c) {
  auto with = [](const char* name, std::uint32_t n) { return std::string(name) + "(" + std::to_string(n) + ")"; };
  auto time = [&](const char* name) { return c.scale == 0 ? std::string(name) : with(name, c.scale); };
  switch (c.type) {
    case Type::tinyint:
      return "tinyint";
    case Type::utinyint:
      return "tinyint unsigned";
    case Type::smallint:
      return "smallint";
    case Type::usmallint:
      return "smallint unsigned";
    case Type::mediumint:
      return "mediumint";
    case Type::umediumint:
      return "mediumint unsigned";
    case Type::integer:
      return "int";
    case Type::uinteger:
      return "int unsigned";
    case Type::bigint:
      return "bigint";
    case Type::ubigint:
      return "bigint unsigned";
    case Type::float32:
      return "float";
    case Type::float64:
      return "double";
    case Type::decimal:
      return "decimal(" + std::to_string(c.precision) + "," + std::to_string(c.scale) + ")";
    case Type::character:
      return with("char", c.length);
    case Type::varchar:
      return with("varchar", c.length);
    case Type::binary:
      return with("binary", c.length);
    case Type::varbinary:
      return with("varbinary", c.length);
    case Type::date:
      return "date";
    case Type::time:
      return time("time");
    case Type::datetime:
      return time("datetime");
    case Type::timestamp:
      return time("timestamp");
    case Type::year:
      return "year";
    case Type::bit:
      return with("bit", c.length);
    case Type::text:
      return "text";
    case Type::blob:
      return "blob";
  }
  return "blob";
}

std::string create_statement(const meta::Table& t) {
  std::string out = "CREATE TABLE " + quoted(t.name) + " (";
  for (const meta::Column& c : t.columns) {
    if (&c != &t.columns.front()) out += ", ";
    out += quoted(c.name) + " " + declared_type(c);
    if (!c.nullable) out += " NOT NULL";
    if (c.default_value) {
      out += " DEFAULT '";
      for (char ch : *c.default_value) out += ch == '\'' ? "''" : std::string(1, ch);
      out += "'";
    }
  }
  auto columns = [&](const std::vector<std::uint16_t>& numbers) {
    for (std::size_t i = 0; i < numbers.size(); i++) out += (i ? ", " : "") + quoted(t.columns[numbers[i]].name);
    out += ")";
  };
  out += ", PRIMARY KEY (";
  columns(t.primary_key);
  for (const meta::UniqueIndex& u : t.unique) {
    out += ", UNIQUE (";
    columns(u.columns);
  }
  return out + ")";
}

}  // namespace ndb::sql
