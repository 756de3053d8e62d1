#include "os/sqlite_mirror.h"

#include <set>

#include "meta/catalog.h"
#include "os/files.h"

namespace ndb::os {

namespace {

template <class Numbers>
std::string listed(const Numbers& numbers) {
  std::string s;
  for (auto n : numbers) s += (s.empty() ? "" : ",") + std::to_string(n);
  return s;
}

bool write_nodes(SqliteFile& file, const meta::Catalog& c) {
  SqliteStatement node(file,
                       "INSERT INTO nodes(id, type, host, disabled, node_group, state, "
                       "incarnation, raft_id, address, port, "
                       "workers, generation) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
  for (const auto& [id, n] : c.nodes) {
    node.number(id).text(meta::name_of(n.type)).text(n.host).number(n.disabled ? 1 : 0);
    if (n.group == kNoGroup)
      node.null();
    else
      node.number(n.group);
    node.text(meta::name_of(n.state)).number(n.incarnation).number(n.raft_id).text(n.address).number(n.port);
    if (!node.number(n.workers).number(n.generation).done()) return false;
  }
  SqliteStatement group(file, "INSERT INTO node_groups(id, members, view) VALUES(?,?,?)");
  for (const auto& [id, g] : c.groups) {
    if (!group.number(id).text(listed(g.members)).number(g.view).done()) return false;
  }
  return true;
}

bool write_tables(SqliteFile& file, const meta::Catalog& c) {
  SqliteStatement table(file,
                        "INSERT INTO tables(id, name, columns, primary_key, fragments, node_groups, phase) "
                        "VALUES(?,?,?,?,?,?,?)");
  for (const auto& [id, t] : c.tables) {
    std::string columns, key;
    for (const auto& column : t->columns) {
      columns += (columns.empty() ? "" : ", ") + column.name + " " + meta::name_of(column.type);
    }
    for (auto number : t->primary_key) key += (key.empty() ? "" : ", ") + t->columns[number].name;
    std::set<GroupId> groups;
    std::uint64_t fragments = 0;
    for (GroupId g : t->distribution.groups) {
      if (g == kNoGroup) continue;
      groups.insert(g);
      ++fragments;
    }
    table.number(id).text(t->name).text(columns).text(key).number(fragments).text(listed(groups));
    if (!table.text(meta::name_of(t->distribution.phase)).done()) return false;
  }
  return true;
}

bool write_history(SqliteFile& file, const meta::Catalog& c) {
  SqliteStatement job(file,
                      "INSERT INTO jobs(id, kind, state, table_name, phase, started, error, "
                      "detail, rows_to_move, rows_moved)"
                      " VALUES(?,?,?,?,?,?,?,?,?,?)");
  for (const auto& [id, j] : c.jobs) {
    job.number(id).text("reorganise").text(meta::name_of(j.state)).text(j.table_name).text(meta::name_of(j.phase));
    job.text(utc_text(j.started_s * 1000000000).substr(0, 19)).number(static_cast<std::uint64_t>(j.error));
    if (!job.text(j.detail).number(j.rows_to_move).number(j.rows_moved).done()) return false;
  }
  SqliteStatement generation(file,
                             "INSERT INTO generations(number, committed, who, source, message, present) "
                             "VALUES(?,?,?,?,?,?)");
  for (const auto& [number, g] : c.generations) {
    generation.number(number).text(utc_text(g.when_s * 1000000000).substr(0, 19)).text(g.who).text(g.source);
    if (!generation.text(g.message).number(number == c.generation ? 1 : 0).done()) return false;
  }
  return true;
}

}  // namespace

bool create_mirror_tables(SqliteFile& file) {
  return file.run(
      "CREATE TABLE catalog(id INTEGER PRIMARY KEY CHECK(id = 1), version INTEGER, cluster_id "
      "INTEGER, name TEXT,"
      " started INTEGER, generation INTEGER, encoded BLOB);"
      "CREATE TABLE nodes(id INTEGER PRIMARY KEY, type TEXT, host TEXT, disabled INTEGER, "
      "node_group INTEGER, state TEXT,"
      " incarnation INTEGER, raft_id INTEGER, address TEXT, port INTEGER, workers INTEGER, "
      "generation INTEGER);"
      "CREATE TABLE node_groups(id INTEGER PRIMARY KEY, members TEXT, view INTEGER);"
      "CREATE TABLE tables(id INTEGER PRIMARY KEY, name TEXT, columns TEXT, primary_key TEXT, "
      "fragments INTEGER,"
      " node_groups TEXT, phase TEXT);"
      "CREATE TABLE jobs(id INTEGER PRIMARY KEY, kind TEXT, state TEXT, table_name TEXT, phase "
      "TEXT, started TEXT,"
      " error INTEGER, detail TEXT, rows_to_move INTEGER, rows_moved INTEGER);"
      "CREATE TABLE generations(number INTEGER PRIMARY KEY, committed TEXT, who TEXT, source TEXT, "
      "message TEXT,"
      " present INTEGER);");
}

bool write_mirror(SqliteFile& file, Bytes encoded_catalog) {
  meta::Catalog c;
  Reader r(encoded_catalog);
  if (!meta::decode(r, &c) || !r.done()) return true;
  if (!file.run("DELETE FROM catalog; DELETE FROM nodes; DELETE FROM node_groups; DELETE FROM "
                "tables; DELETE FROM jobs;"
                "DELETE FROM generations;")) {
    return false;
  }
  SqliteStatement whole(file,
                        "INSERT INTO catalog(id, version, cluster_id, name, started, generation, encoded) "
                        "VALUES(1,?,?,?,?,?,?)");
  whole.number(c.version).number(c.cluster_id).text(c.name).number(c.started ? 1 : 0).number(c.generation);
  return whole.blob(encoded_catalog).done() && write_nodes(file, c) && write_tables(file, c) && write_history(file, c);
}

}  // namespace ndb::os
