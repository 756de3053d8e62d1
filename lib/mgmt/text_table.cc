#include "mgmt/text_table.h"

#include <nlohmann/json.hpp>

namespace ndb::mgmt {

namespace {

using Value = nlohmann::json;

Failure bad(std::string text) { return {Error::bad_definition, std::move(text)}; }

// Members by name with their kinds; each returns false and sets *why when the member is there but of another kind.
bool get(const Value& o, const char* name, std::string* v, Failure* why) {
  auto i = o.find(name);
  if (i == o.end() || i->is_null()) return true;
  if (!i->is_string()) {
    *why = bad("'" + std::string(name) + "' is no string");
    return false;
  }
  *v = i->get<std::string>();
  return true;
}
bool get(const Value& o, const char* name, bool* v, Failure* why) {
  auto i = o.find(name);
  if (i == o.end() || i->is_null()) return true;
  if (!i->is_boolean()) {
    *why = bad("'" + std::string(name) + "' is neither true nor false");
    return false;
  }
  *v = i->get<bool>();
  return true;
}
template <class T>
bool get_number(const Value& o, const char* name, T* v, Failure* why) {
  auto i = o.find(name);
  if (i == o.end() || i->is_null()) return true;
  if (!i->is_number_unsigned() || i->get<std::uint64_t>() > std::numeric_limits<T>::max()) {
    *why = bad("'" + std::string(name) + "' is no number from 0 to " + std::to_string(std::numeric_limits<T>::max()));
    return false;
  }
  *v = static_cast<T>(i->get<std::uint64_t>());
  return true;
}

// SQL's words, and the short forms "uint", "ubigint" for "int unsigned", "bigint unsigned".
bool find_type(std::string name, meta::Type* type) {
  if (name == "integer") name = "int";
  if (name == "uinteger") name = "uint";
  if (name.starts_with('u')) name = name.substr(1) + " unsigned";
  for (int i = 1; i <= static_cast<int>(meta::Type::blob); ++i) {
    *type = static_cast<meta::Type>(i);
    if (name == meta::name_of(*type)) return true;
  }
  return false;
}

bool parse_column(const Value& o, meta::Column* c, Failure* why) {
  if (!o.is_object()) {
    *why = bad("a column is no object");
    return false;
  }
  std::string type;
  if (!get(o, "name", &c->name, why) || !get(o, "type", &type, why) || !get_number(o, "length", &c->length, why) ||
      !get_number(o, "precision", &c->precision, why) || !get_number(o, "scale", &c->scale, why) ||
      !get(o, "nullable", &c->nullable, why)) {
    why->text = "column '" + c->name + "': " + why->text;
    return false;
  }
  if (!find_type(type, &c->type)) {
    *why = bad("column '" + c->name + "': unknown type '" + type + "'");
    return false;
  }
  if (auto i = o.find("default"); i != o.end() && !i->is_null()) {
    c->default_value = i->is_string() ? i->get<std::string>() : i->dump();
  }
  return true;
}

bool parse_key(const Value& o, const char* name, const meta::Table& t, std::vector<std::uint16_t>* key, Failure* why) {
  auto i = o.find(name);
  if (i == o.end() || i->is_null()) return true;
  if (!i->is_array()) {
    *why = bad("'" + std::string(name) + "' is no list of column names");
    return false;
  }
  for (const Value& v : *i) {
    const std::string column = v.is_string() ? v.get<std::string>() : v.dump();
    std::size_t n = 0;
    while (n < t.columns.size() && t.columns[n].name != column) ++n;
    if (n == t.columns.size()) {
      *why = {Error::no_such_column, "'" + std::string(name) + "': no column '" + column + "'"};
      return false;
    }
    key->push_back(static_cast<std::uint16_t>(n));
  }
  return true;
}

bool parse_unique(const Value& o, meta::Table* t, Failure* why) {
  auto i = o.find("unique");
  if (i == o.end() || i->is_null()) return true;
  if (!i->is_array() || i->size() > limits::kUniqueIndexesMax) {
    *why = bad("'unique' is no list of at most " + std::to_string(limits::kUniqueIndexesMax) + " indexes");
    return false;
  }
  for (const Value& v : *i) {
    meta::UniqueIndex& u = t->unique.emplace_back();
    if (!v.is_object()) {
      *why = bad("a unique index is no object");
      return false;
    }
    if (!get(v, "name", &u.name, why) || !parse_key(v, "columns", *t, &u.columns, why)) return false;
    if (u.name.empty()) u.name = meta::default_index_name(*t, u.columns);
  }
  return true;
}

}  // namespace

Result<meta::CreateTable> parse_table(std::string_view json) {
  const Value o = Value::parse(json.begin(), json.end(), nullptr, false);
  if (o.is_discarded() || !o.is_object()) return bad("the definition is no JSON object");
  meta::CreateTable create;
  meta::Table& t = create.table;
  Failure why;
  if (!get(o, "name", &t.name, &why) || !get(o, "if_not_exists", &create.if_not_exists, &why)) return why;
  auto columns = o.find("columns");
  if (columns == o.end() || !columns->is_array()) return bad("'columns' is no list");
  if (columns->size() > limits::kColumnsMax) {
    return bad("more than " + std::to_string(limits::kColumnsMax) + " columns");
  }
  for (const Value& v : *columns) {
    if (!parse_column(v, &t.columns.emplace_back(), &why)) return why;
  }
  if (!parse_key(o, "primary_key", t, &t.primary_key, &why)) return why;
  if (!parse_key(o, "distribution_key", t, &t.distribution_key, &why)) return why;
  if (!parse_unique(o, &t, &why)) return why;
  if (t.distribution_key == t.primary_key) t.distribution_key.clear();
  return create;
}

void write_definition(Json& json, const meta::Table& t) {
  json.name("columns").array();
  for (const meta::Column& c : t.columns) {
    json.object().member("name", c.name).member("type", meta::name_of(c.type)).member("length", c.length);
    json.member("precision", c.precision).member("scale", c.scale).member("nullable", c.nullable).name("default");
    if (c.default_value) {
      json.value(*c.default_value);
    } else {
      json.null();
    }
    json.end_object();
  }
  json.end_array().name("primary_key").array();
  for (std::uint16_t n : t.primary_key) json.value(t.columns[n].name);
  json.end_array().name("distribution_key").array();
  for (std::uint16_t n : t.distribution_key.empty() ? t.primary_key : t.distribution_key) json.value(t.columns[n].name);
  json.end_array();
  if (t.unique.empty()) return;
  json.name("unique").array();
  for (const meta::UniqueIndex& u : t.unique) {
    json.object().member("name", u.name).name("columns").array();
    for (std::uint16_t n : u.columns) json.value(t.columns[n].name);
    json.end_array().end_object();
  }
  json.end_array();
}

}  // namespace ndb::mgmt
