#!/usr/bin/env bats
# Starts of a data node that cannot be: a sentence that says what to do, the exit status of ndb(7), and nothing changed on
# disk.

setup() { load cluster; }
teardown() {
  [ -z "${LISTENER:-}" ] || kill "$LISTENER"
  stop_cluster
}

# A cluster of nodes 1 and 2; node 1 has run with it and was stopped.
make_files() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  ndb-mgm wait 1 2 --timeout=30
  ndb-sql --durable -e 'CREATE TABLE t (id BIGINT PRIMARY KEY)' -e 'INSERT INTO t VALUES (1)'
  end_processes node1
}
end_processes() {
  local p
  for p in "$@"; do
    kill "$(cat "$DIR/$p.started")"
    until_true ended "$DIR/$p.started"
    rm "$DIR/$p.started"
  done
}
# Another cluster, with the configuration that write_config gives; the files of the first stay where they are.
other_cluster() {
  end_processes node2 mgmd
  PORT=$(free_port)
  NDB_CONNECTSTRING=127.0.0.1:$PORT
  write_config "$@" >"$DIR/other.ini"
  mkdir "$DIR/other"
  ndb-mgmd -f "$DIR/other.ini" --configdir="$DIR/other" --nodaemon >"$DIR/mgmd.log" 2>&1 3>&- &
  echo $! >"$DIR/mgmd.started"
  until_true has_generation
}

talks_to_server() { ndb-mgm show >/dev/null 2>&1; }

# The files of node 1 and what else a start of it could make; not the lock, which says who tried last.
look() {
  local f
  for f in "$DIR/ndb_1_fs" "$DIR/place"; do
    if [ -d "$f" ]; then tree_state "$f" | grep -v '/lock'; fi
  done
  find "$DIR" -maxdepth 1 -name 'ndb_1[._]*'
}

# refused STATUS PATTERN ARG..: ndb-node ends so, with one such line, as a daemon and in the foreground; nothing changes.
refused() {
  local mode
  look >"$DIR/before"
  for mode in --nodaemon ""; do
    run ndb-node ${mode:+$mode} "${@:3}"
    echo "$output"
    [ "$status" -eq "$1" ]
    # shellcheck disable=SC2053
    [[ "$output" == $2 ]]
    [ "${#lines[@]}" -eq 1 ]
    diff "$DIR/before" <(look)
  done
}

@test "no management server, no node id, an unknown one, one of another kind" {
  start_mgmd 1 2
  refused 2 "ndb-node: no node id: give --ndb-nodeid=N, or nodeid=N in the connect string" -c "$NDB_CONNECTSTRING"
  refused 1 "ndb-node: node id 77 is not a data node of the configuration" --ndb-nodeid=77
  refused 1 "ndb-node: node id 10 is not a data node of the configuration" --ndb-nodeid=10
  refused 5 "ndb-node: *127.0.0.1:1*" --ndb-nodeid=1 -c 127.0.0.1:1 --connect-retries=0
  run ndb-node --ndb-nodeid=145
  [ "$status" -eq 2 ]
}

@test "a data directory that is missing, or without permission" {
  start_mgmd 1 2
  refused 1 "ndb-node: data directory '$DIR/none' does not exist; create it, or give another with --datadir" \
    --ndb-nodeid=1 --datadir="$DIR/none"
  mkdir -m 500 "$DIR/place"
  if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$DIR"
    run setpriv --reuid=65534 --regid=65534 --clear-groups "$BIN/ndb-node" --ndb-nodeid=1 --datadir="$DIR/place"
  else
    run ndb-node --ndb-nodeid=1 --datadir="$DIR/place"
  fi
  [ "$status" -eq 1 ]
  [ "$output" = "ndb-node: cannot write in data directory '$DIR/place': Permission denied" ]
  [ -z "$(ls -A "$DIR/place")" ]
}

@test "a place for the port file that is none costs no data, also with --initial" {
  make_files
  refused 1 "ndb-node: cannot write in the directory of the port file '$DIR/none': No such file or directory" \
    --ndb-nodeid=1 --port-file="$DIR/none/port" --initial
}

@test "a directory with files of another program" {
  start_mgmd 1 2
  mkdir -p "$DIR/place/ndb_1_fs/D1"
  echo precious >"$DIR/place/ndb_1_fs/D1/file"
  refused 1 "ndb-node: directory '$DIR/place/ndb_1_fs' holds files of another program ('D1'): *" \
    --ndb-nodeid=1 --datadir="$DIR/place"
  refused 1 "ndb-node: directory '$DIR/place/ndb_1_fs' holds files of another program ('D1'): *" \
    --ndb-nodeid=1 --datadir="$DIR/place" --initial
}

@test "a port that somebody else listens on, also with --initial" {
  make_files
  local port
  port=$(free_port)
  ndb-config set "ServerPort=$port" --nodes=1 --accept-warnings
  python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("up", flush=True); time.sleep(300)' "$port" \
    >"$DIR/listener.log" 3>&- &
  LISTENER=$!
  until_true [ -s "$DIR/listener.log" ]
  refused 1 "ndb-node: *127.0.0.1:$port*in use*" --ndb-nodeid=1
  refused 1 "ndb-node: *127.0.0.1:$port*in use*" --ndb-nodeid=1 --initial
}

@test "a second process on the same directory" {
  make_files
  start_node 1
  ndb-mgm wait 1 --timeout=30
  # it runs and writes, so its files' names and places are compared, not what is in them
  inodes() { find "$DIR/ndb_1_fs" "$DIR/ndb_1.pid" -printf '%p %i %y %m\n' | sort; }
  inodes >"$DIR/before"
  run ndb-node --ndb-nodeid=1 --initial
  [ "$status" -eq 1 ]
  [[ "$output" == "ndb-node: '$DIR/ndb_1.pid' is held by process $(cat "$DIR/node1.started"): another one runs on this directory" ]]
  kill -0 "$(cat "$DIR/node1.started")"
  # the same files by another name
  inodes | diff "$DIR/before" -
  mkdir "$DIR/place"
  ln -s "$DIR/ndb_1_fs" "$DIR/place/ndb_1_fs"
  run ndb-node --ndb-nodeid=1 --datadir="$DIR/place"
  [ "$status" -eq 1 ]
  [[ "$output" == *"is held by process $(cat "$DIR/node1.started"): another one runs on this directory" ]]
  inodes | diff "$DIR/before" -
  [ "$(ls -A "$DIR/place")" = ndb_1_fs ]
}

@test "files of another cluster, with another NoOfReplicas" {
  make_files
  REPLICAS=1 other_cluster 1 2
  refused 1 "ndb-node: metadata file '$DIR/ndb_1_fs/ndb_meta.sqlite' belongs to another cluster (*, this one is *) with NoOfReplicas=2 (here 1): start the node with --initial, which *" \
    --ndb-nodeid=1
  rm "$DIR/ndb_1_fs/ndb_meta.sqlite"*
  refused 1 "ndb-node: '$DIR/ndb_1_fs/w0/redo.0000' belongs to another cluster (*): start the node with --initial, which *" \
    --ndb-nodeid=1
}

@test "files of another node" {
  make_files
  mkdir "$DIR/place"
  cp -a "$DIR/ndb_1_fs" "$DIR/place/ndb_2_fs"
  refused 1 "ndb-node: metadata file '$DIR/place/ndb_2_fs/ndb_meta.sqlite' belongs to node 1, not to node 2: start *--initial*" \
    --ndb-nodeid=2 --datadir="$DIR/place"
}

@test "another size or number of redo files, or of workers, without --initial" {
  make_files
  ndb-config set FragmentLogFileSize=8M --accept-warnings
  refused 1 "ndb-node: '$DIR/ndb_1_fs/w0/redo.0000' was made with FragmentLogFileSize=16777216, the configuration says 8388608: start the node with --initial, which *, or set it back" \
    --ndb-nodeid=1
  ndb-config set FragmentLogFileSize=16M NoOfFragmentLogFiles=4 --accept-warnings
  refused 1 "ndb-node: '$DIR/ndb_1_fs/w0/redo.0000' was made with NoOfFragmentLogFiles=16, the configuration says 4: *" --ndb-nodeid=1
  ndb-config set NoOfFragmentLogFiles=16 MaxNoOfExecutionThreads=4 --accept-warnings
  refused 1 "ndb-node: '$DIR/ndb_1_fs/w0/redo.0000' was made with MaxNoOfExecutionThreads=*" --ndb-nodeid=1
}

@test "a metadata file that is garbage, cut off, or of another program" {
  make_files
  local meta=$DIR/ndb_1_fs/ndb_meta.sqlite
  rm -f "$meta"-*
  cp "$meta" "$DIR/keep"
  head -c 20000 /dev/urandom >"$meta"
  refused 1 "ndb-node: metadata file '$meta': it is damaged: file is not a database: start the node with --initial, which *" --ndb-nodeid=1
  head -c $(($(stat -c %s "$DIR/keep") / 2)) "$DIR/keep" >"$meta"
  refused 1 "ndb-node: metadata file '$meta': it is damaged: *: start the node with --initial, which *" --ndb-nodeid=1
  rm "$meta"
  sqlite3 "$meta" 'CREATE TABLE theirs(x)'
  refused 1 "ndb-node: metadata file '$meta': it belongs to another program: *" --ndb-nodeid=1
}

@test "options of NDB's data node: times of the log, TLS" {
  start_mgmd 1 2
  refused 1 "ndb-node: --ndb-mgm-tls=strict cannot be obeyed: this program has no TLS" --ndb-nodeid=1 --ndb-mgm-tls=strict
  run ndb-node --ndb-nodeid=1 --ndb-log-timestamps=moon
  [ "$status" -eq 2 ]
  TZ=EST5 start_node 1 --ndb-log-timestamps=System --ndb-tls-search-path=/etc/tls --ndb-mgm-tls=Relaxed
  until_true grep -q -- "--ndb-tls-search-path is ignored: this program has no TLS" "$DIR/node1.log"
  grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{6} -0500 WARNING -- ndb-node 1: ' "$DIR/node1.log"
  end_processes node1
  start_node 1 --ndb-log-timestamps=legacy
  until_true grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} INFO -- ndb-node 1: ' "$DIR/node1.log"
  end_processes node1
}

@test "all data nodes come without their files, the management server with its own: it is said what to do" {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  await_sync
  end_processes node1 node2 mgmd
  mgmd_again
  until_true talks_to_server
  few='of [23] members that vote 1 is here'
  ndb-mgm show | grep -Eq "no leader of the metadata log is known \($few\): nothing can be changed"
  start_node 1 --initial
  start_node 2 --initial
  why="$few; nodes 1, 2 have come without the files of before: if the cluster is to begin anew, start the\
 management servers with --initial, too"
  says_why() { ndb-mgm show | grep -Eq "is known \($why\): nothing can be changed"; }
  until_true says_why
  run ndb-mgm wait --timeout=1
  echo "$output"
  [ "$status" -eq 7 ]
  grep -Exq "ndb-mgm: no leader of the metadata log is known \($why\)" <<<"$output"
  until_true grep -q "WARNING -- .*the metadata log has no leader: $why" "$DIR/mgmd.log"
  end_processes mgmd
  mgmd_again --initial
  await_sync
}
