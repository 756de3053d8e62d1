// The catalog as tables that people can read with the sqlite3 shell: nodes, node_groups, tables, jobs, generations. A
// copy for the eye; nothing reads it back.
#pragma once
#include "base/bytes.h"
#include "os/sqlite_file.h"

namespace ndb::os {

bool create_mirror_tables(SqliteFile& file);
// Replaces what is there, inside the caller's transaction. Bytes that are no catalog leave it alone.
bool write_mirror(SqliteFile& file, Bytes encoded_catalog);

}  // namespace ndb::os
