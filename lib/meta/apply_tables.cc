// Tables come and go.
#include <algorithm>
#include <charconv>

#include "meta/apply_rules.h"

namespace ndb::meta::rules {

Failure schema_lock(const Catalog& c) {
  const Job* j = c.running_job();
  if (j == nullptr) return {};
  return {Error::schema_busy, words("table \"", j->table_name, "\" is being reorganised (job ", j->id, ", ",
                                    j->rolling_back() ? "rolling back, " : "", name_of(j->phase), "); wait for it",
                                    past_commit_point(j->phase) ? "" : ", or cancel it")};
}

namespace {

// MaxNoOfTables, the least of all data nodes.
std::uint64_t tables_max(const Catalog& c) {
  std::uint64_t most = limits::kTablesMax;
  const ConfigImage* image = c.config();
  for (std::size_t i = 0; image != nullptr && i < image->nodes.size(); i++) {
    const ConfigNode& n = image->nodes[i];
    auto v = n.values.find("MaxNoOfTables");
    if (n.type != NodeType::data || v == n.values.end()) continue;
    std::uint64_t tables = 0;
    auto [end, error] = std::from_chars(v->second.data(), v->second.data() + v->second.size(), tables);
    if (error == std::errc{}) most = std::min(most, tables);
  }
  return most;
}

}  // namespace

Outcome run(Change& change, const CreateTable& x) {
  Catalog& c = change.c;
  if (auto f = check_definition(x.table)) return refuse(std::move(f));
  if (const Table* t = c.table(x.table.name)) {
    if (x.if_not_exists) return nothing_to_do(words("table \"", t->name, "\" exists already"), {t->id});
    return refuse(Error::table_exists, words("table \"", t->name, "\" exists already"));
  }
  if (auto f = schema_lock(c)) return refuse(std::move(f));
  std::vector<Table> hidden;
  for (const UniqueIndex& i : x.table.unique) {
    const Table& h = hidden.emplace_back(hidden_table(x.table, i));
    if (c.table(h.name) != nullptr) {
      return refuse(Error::table_exists,
                    words("table \"", h.name, "\", which is to hold a unique index, exists already"));
    }
  }
  if (const std::uint64_t most = tables_max(c); c.tables.size() + hidden.size() >= most) {
    return refuse(Error::too_many_tables, words("the cluster takes at most ", most, " tables (MaxNoOfTables)"));
  }
  auto distribution = new_distribution(c);
  if (!distribution) return refuse(distribution.failure());
  Table t = x.table;
  t.id = c.next_table++;
  t.created = change.index;
  t.distribution = *distribution;
  t.index_of = 0;
  for (std::size_t i = 0; i < hidden.size(); i++) {
    Table& h = hidden[i];
    t.unique[i].table = h.id = c.next_table++;
    h.index_of = t.id;
    h.created = change.index;
    h.distribution = *distribution;
  }
  const TableId id = t.id;
  change.table(std::move(t));
  for (Table& h : hidden) change.table(std::move(h));
  return done({id});
}

Outcome run(Change& change, const DropTable& x) {
  Catalog& c = change.c;
  const Table* t = c.table(x.name);
  if (t == nullptr) {
    auto text = words("no such table: \"", x.name, "\"");
    return x.if_exists ? nothing_to_do(std::move(text)) : refuse(Error::no_such_table, std::move(text));
  }
  if (t->index_of != 0) {
    return refuse(Error::bad_definition, words("table \"", t->name, "\" holds a unique index of table \"",
                                               c.table(t->index_of)->name, "\" and goes with that"));
  }
  if (auto f = schema_lock(c)) return refuse(std::move(f));
  const TableId id = t->id;
  const std::vector<UniqueIndex> unique = t->unique;
  for (const UniqueIndex& i : unique) c.tables.erase(i.table);
  c.tables.erase(id);
  change.view();
  change.changed();
  return done({id});
}

}  // namespace ndb::meta::rules
