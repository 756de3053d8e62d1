#!/usr/bin/env bats
# The files of a data node, looked at while it does not run: --check-files and --dump, on good and on damaged ones.

setup() { load cluster; }
teardown() { stop_cluster; }

# One node with a redo log of 12 MB, filled until it has a checkpoint, then killed.
make_files() {
  REPLICAS=1 DEFAULTS=$'FragmentLogFileSize=4M\nNoOfFragmentLogFiles=3' start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait 1 --timeout=30
  ndb-sql -e 'CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL, word VARCHAR(200))'
  FS=$DIR/ndb_1_fs
  local i
  for i in 1 2 3 4 5 6 7 8; do
    seq $((i * 20000 - 19999)) $((i * 20000)) | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet --durable
    ls "$FS"/w0/checkpoint.???? 2>/dev/null && break
  done
  CHECKPOINT=$(ls "$FS"/w0/checkpoint.???? | head -1)
  kill -9 "$(cat "$DIR/node1.started")"
  until_true ended "$DIR/node1.started"
}

# check ARG..: --check-files, and proof that it left everything as it was.
check() {
  local before
  before=$(tree_state "$DIR/ndb_1_fs")
  run ndb-node --check-files --datadir="$DIR" "$@"
  echo "$output"
  [ "$before" = "$(tree_state "$DIR/ndb_1_fs")" ]
}

flip() { # FILE OFFSET: one byte becomes another
  python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 255]))' "$1" "$2"
}

@test "good files: what there is, and what a start would find; every file can be dumped" {
  make_files
  check
  [ "$status" -eq 0 ]
  [[ "$output" == *"ndb_meta.sqlite: good, "*"node 1 durable epoch "* ]]
  [[ "$output" == *"w0: redo log: good, "*" blocks from position "* ]]
  [[ "$output" == *"w0: '"*"/checkpoint."*": good, "*" rows of "* ]]
  [[ "$output" == *"w0: a start comes to epoch "* ]]
  [[ "${lines[-1]}" == *"ndb_1_fs: good" ]]
  check --ndb-nodeid=1
  [ "$status" -eq 0 ]
  local before f
  before=$(tree_state "$DIR/ndb_1_fs")
  for f in "$FS"/ndb_meta.sqlite "$FS"/lock "$FS"/ndb_meta.sqlite.lock "$FS"/w0/*; do
    run ndb-node --dump "$f"
    [ "$status" -eq 0 ]
    [ -n "$output" ]
  done
  [ "$before" = "$(tree_state "$DIR/ndb_1_fs")" ]
  run ndb-node --dump "$CHECKPOINT"
  [[ "${lines[0]}" == "checkpoint "*" cluster "*" node 1 worker 0 of 1" ]]
  run ndb-node --dump "$FS/ndb_meta.sqlite"
  [[ "${lines[0]}" == "metadata file, raft id "* ]]
  [[ "$output" == *"create table"* ]]
  run ndb-node --dump "$FS/w0/redo.0000"
  [[ "${lines[0]}" == "redo file 0 of 3, 4194304 bytes, cluster "*" node 1 worker 0 of 1, first position "* ]]
  [[ "$output" == *"  record table "* ]]
}

@test "damage is named with file and offset, and nothing is changed" {
  make_files
  # the middle of a checkpoint
  local half=$(($(stat -c %s "$CHECKPOINT") / 2))
  flip "$CHECKPOINT" $half
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"w0: damaged: '$CHECKPOINT' at offset "* ]]
  [[ "${lines[-1]}" == *"ndb_1_fs: damaged" ]]
  run ndb-node --dump "$CHECKPOINT"
  [ "$status" -eq 1 ]
  [[ "$output" == *"damaged: offset "* ]]
  flip "$CHECKPOINT" $half
  check
  [ "$status" -eq 0 ]
  # a redo file's header, then a file that is gone
  local newest
  newest=$(ls -t "$FS"/w0/redo.* | head -1)
  flip "$newest" 20
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"'$newest' at offset 0: the checksum of the file's header is wrong"* ]]
  run ndb-node --dump "$newest"
  [ "$status" -eq 1 ]
  flip "$newest" 20
  mv "$newest" "$DIR/away"
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"'$newest' is missing"* ]]
  mv "$DIR/away" "$newest"
}

@test "a metadata file that is garbage, cut off or of another program is told apart" {
  make_files
  cp -a "$FS" "$DIR/keep"
  head -c 20000 /dev/urandom >"$FS/ndb_meta.sqlite"
  rm -f "$FS"/ndb_meta.sqlite-*
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"ndb_meta.sqlite: damaged: metadata file '$FS/ndb_meta.sqlite': it is damaged: file is not a database"* ]]
  [[ "$output" == *"w0: a start comes to epoch "[1-9]* ]]
  run ndb-node --dump "$FS/ndb_meta.sqlite"
  [ "$status" -eq 1 ]
  cp "$DIR"/keep/ndb_meta.sqlite* "$FS/"
  check
  [ "$status" -eq 0 ]
  sqlite3 "$FS/ndb_meta.sqlite" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  truncate -s $(($(stat -c %s "$FS/ndb_meta.sqlite") / 2)) "$FS/ndb_meta.sqlite"
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"ndb_meta.sqlite: damaged: "* ]]
  rm "$FS"/ndb_meta.sqlite*
  sqlite3 "$FS/ndb_meta.sqlite" 'CREATE TABLE theirs(x)'
  check
  [ "$status" -eq 1 ]
  [[ "$output" == *"it belongs to another program"* ]]
}

@test "a running node, a directory without files, and a file of somebody else are refused" {
  REPLICAS=1 start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait 1 --timeout=30
  run ndb-node --check-files --datadir="$DIR"
  [ "$status" -eq 1 ]
  [[ "$output" == *"is held by process $(cat "$DIR/node1.started")"*"stop the node first" ]]
  run ndb-node --dump "$DIR/ndb_1_fs/lock"
  [ "$status" -eq 0 ]
  [[ "$output" == *"is held by process $(cat "$DIR/node1.started")"* ]]
  mkdir "$DIR/empty"
  run ndb-node --check-files --datadir="$DIR/empty"
  [ "$status" -eq 1 ]
  [[ "$output" == "ndb-node: '$DIR/empty' has no files of a data node (ndb_<id>_fs); say where they are with --datadir" ]]
  run ndb-node --check-files --datadir="$DIR/none"
  [ "$status" -eq 1 ]
  run ndb-node --dump "$DIR/config.ini"
  [ "$status" -eq 1 ]
  [[ "$output" == "ndb-node: '$DIR/config.ini' is no file of a data node: neither redo, checkpoint, metadata nor lock" ]]
  run ndb-node --dump "$DIR/empty"
  [ "$status" -eq 1 ]
}
