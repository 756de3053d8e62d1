// What a session and its virtual tables share. Included by session.cc and the files of the module only.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <sqlite3.h>

#include "sql/session.h"

namespace ndb::sql {

struct Session::State {
  sqlite3* db = nullptr;
  std::shared_ptr<client::Cluster> cluster;
  std::map<std::string, TableId> registered;  // virtual tables, by name
  Version synced = 0;                         // the catalog that they were made from
  bool own_statement = false;                 // the authorizer lets our own statements pass
  bool reading_only = true;                   // the statement that runs changes nothing
  bool changing = false;                      // the statement that runs was understood and changes something
  // Columns that the INSERT names, in lower case; nothing = all. SQLite gives NULL for the others, whatever their
  // default.
  std::optional<std::set<std::string>> named_columns;
  bool durable = false;
  bool interrupted = false;

  // The transaction of the cluster: from the first changing statement to COMMIT, ROLLBACK or the statement's end.
  std::optional<client::Transaction> transaction;
  std::size_t collected = 0;  // operations in it that were not sent yet
  // What this transaction did, by table and key: the image, or nothing for a removed row.
  std::map<TableId, std::map<std::string, std::optional<std::string>>> changed;
  Failure failure;  // of the statement that runs: better than SQLite's number

  Failure begin() {
    if (!transaction) transaction.emplace(cluster->begin());
    return {};
  }
  void end() {
    transaction.reset();
    collected = 0;
    changed.clear();
  }
  Failure flush() {
    if (collected == 0 || !transaction) return {};
    collected = 0;
    return transaction->execute();
  }
  // What the transaction knows of a row: nullptr = nothing.
  const std::optional<std::string>* own(TableId t, Bytes key) const {
    auto i = changed.find(t);
    if (i == changed.end()) return nullptr;
    auto j = i->second.find(std::string(key));
    return j == i->second.end() ? nullptr : &j->second;
  }
};

extern const sqlite3_module kModule;

}  // namespace ndb::sql
