// Tables come and go.
#include "meta/apply_rules.h"

namespace ndb::meta::rules {

Failure schema_lock(const Catalog& c) {
  const Job* j = c.running_job();
  if (j == nullptr) return {};
  return {Error::schema_busy, words("table \"", j->table_name, "\" is being reorganised (job ",
                                    j->id, ", ", j->rolling_back() ? "rolling back, " : "", name_of(j->phase), "); wait for it",
                                    past_commit_point(j->phase) ? "" : ", or cancel it")};
}

Outcome run(Change& change, const CreateTable& x) {
  Catalog& c = change.c;
  if (auto f = check_definition(x.table)) return refuse(std::move(f));
  if (const Table* t = c.table(x.table.name)) {
    if (x.if_not_exists)
      return nothing_to_do(words("table \"", t->name, "\" exists already"), {t->id});
    return refuse(Error::table_exists, words("table \"", t->name, "\" exists already"));
  }
  if (auto f = schema_lock(c)) return refuse(std::move(f));
  if (c.tables.size() >= limits::kTablesMax) {
    return refuse(Error::too_many_tables,
                  words("a cluster takes at most ", limits::kTablesMax, " tables"));
  }
  auto distribution = new_distribution(c);
  if (!distribution) return refuse(distribution.failure());
  Table t = x.table;
  t.id = c.next_table++;
  t.created = change.index;
  t.distribution = std::move(*distribution);
  const TableId id = t.id;
  change.table(std::move(t));
  return done({id});
}

Outcome run(Change& change, const DropTable& x) {
  Catalog& c = change.c;
  const Table* t = c.table(x.name);
  if (t == nullptr) {
    auto text = words("no such table: \"", x.name, "\"");
    return x.if_exists ? nothing_to_do(std::move(text))
                       : refuse(Error::no_such_table, std::move(text));
  }
  if (auto f = schema_lock(c)) return refuse(std::move(f));
  const TableId id = t->id;
  c.tables.erase(id);
  change.view();
  change.changed();
  return done({id});
}

}  // namespace ndb::meta::rules
