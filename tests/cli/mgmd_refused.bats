#!/usr/bin/env bats
# Starts of a management server that cannot be: a sentence that says what to do, status 1, and not a byte changed on disk, with
# --initial, too.
load cluster.bash

setup() {
  DIR=$(mktemp -d)
  PORT=$(free_port)
  BASE=$DIR/base # where everything of the server lies
  STORE=$BASE/ndb_10_mgm
  META=$STORE/ndb_meta.sqlite
  mkdir "$BASE"
  printf '[ndbd default]\nNoOfReplicas=1\n[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\nPortNumber=%s\n' "$PORT" >"$DIR/config.ini"
  printf '[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[api]\nNodeId=20\n' >>"$DIR/config.ini"
}
teardown() {
  [ -z "${LISTENER:-}" ] || kill "$LISTENER"
  [ -z "${SERVER:-}" ] || kill -9 "$SERVER" || true
  rm -rf "$DIR"
}

server() { # ARGUMENTS..: in the foreground; waits until it has a configuration
  ndb-mgmd -f "$DIR/config.ini" --nodaemon "$@" >>"$DIR/log" 2>&1 3>&- &
  SERVER=$!
  NDB_CONNECTSTRING=127.0.0.1:$PORT until_true has_generation && return 0
  cat "$DIR/log"
  return 1
}
# A server has run here and was killed: the file and its write-ahead log stay as they were.
make_files() {
  server --configdir="$BASE"
  kill -9 "$SERVER"
  wait "$SERVER" || true
  SERVER=
  rm -f "$BASE/ndb_10.pid"
}
# refused SENTENCE ARGUMENTS..: in the foreground and as a daemon; by the user that $AS makes us.
refused() {
  local mode
  tree_state "$DIR" >"$BATS_TEST_TMPDIR/before"
  for mode in --nodaemon --daemon; do
    run ${AS:-} timeout 60 "$BIN/ndb-mgmd" $mode "${@:2}"
    echo "$output"
    [ "$status" -eq 1 ]
    # shellcheck disable=SC2053
    [[ "$output" == $1 ]]
    [ "${#lines[@]}" -eq 1 ]
    diff "$BATS_TEST_TMPDIR/before" <(tree_state "$DIR")
  done
}
# The same with -f and with -f --initial.
refused_always() {
  refused "$1" -f "$DIR/config.ini" "${@:2}"
  refused "$1" -f "$DIR/config.ini" --initial "${@:2}"
}
# As another user when we are root, who may write everywhere.
nobody() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
    return
  fi
  setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

@test "an empty directory and nobody to ask, a directory that is none" {
  refused "ndb-mgmd: no configuration: give a file with -f, *" --configdir="$BASE" --ndb-nodeid=10
  refused_always "ndb-mgmd: configuration directory '$DIR/config.ini' does not exist*" --configdir="$DIR/config.ini"
  echo precious >"$STORE"
  refused_always "ndb-mgmd: directory '$STORE' is no directory" --configdir="$BASE"
}

@test "files of another program are neither used nor removed" {
  mkdir -p "$STORE/D1"
  echo precious >"$STORE/D1/file"
  refused_always "ndb-mgmd: directory '$STORE' holds files of another program ('D1'): give the server a directory of its own with --configdir" \
    --configdir="$BASE"
}

@test "--initial removes what is the server's, and nothing else" {
  make_files
  echo precious >"$STORE/note"
  server --configdir="$BASE" --initial
  [ "$(cat "$STORE/note")" = precious ]
}

@test "a metadata file that is garbage, cut off or of another program" {
  make_files
  local rest=": put the right file back, or start with --initial, which forgets what is stored here"
  sqlite3 "$META" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  rm -f "$META"-*
  cp "$META" "$DIR/keep"
  head -c 20000 /dev/urandom >"$META"
  refused "ndb-mgmd: metadata file '$META': it is damaged: file is not a database$rest" -f "$DIR/config.ini" --configdir="$BASE"
  refused "ndb-mgmd: metadata file '$META': it is damaged: *$rest" -f "$DIR/config.ini" --configdir="$BASE" --reload
  head -c $(($(stat -c %s "$DIR/keep") / 2)) "$DIR/keep" >"$META"
  refused "ndb-mgmd: metadata file '$META': it is damaged: *$rest" --ndb-nodeid=10 --configdir="$BASE"
  rm "$META"
  sqlite3 "$META" 'CREATE TABLE theirs(x)'
  refused "ndb-mgmd: metadata file '$META': it belongs to another program$rest" --ndb-nodeid=10 --configdir="$BASE"
  # with --initial, or with the file put back, it starts
  cp "$DIR/keep" "$META"
  server --configdir="$BASE"
  kill -9 "$SERVER"
  wait "$SERVER" || true
  head -c 20000 /dev/urandom >"$META"
  rm -f "$META"-*
  server --configdir="$BASE" --initial
}

@test "the files of another management server" {
  printf '[ndb_mgmd]\nNodeId=11\nHostName=127.0.0.1\nPortNumber=%s\n' "$(free_port)" >>"$DIR/config.ini"
  server --configdir="$BASE" --ndb-nodeid=10 --nowait-nodes=11
  kill -9 "$SERVER"
  wait "$SERVER" || true
  SERVER=
  rm -f "$BASE/ndb_10.pid"
  mv "$STORE" "$BASE/ndb_11_mgm"
  refused "ndb-mgmd: metadata file '$BASE/ndb_11_mgm/ndb_meta.sqlite' belongs to management server 10, not to 11: put *--initial*" \
    --ndb-nodeid=11 --configdir="$BASE"
  refused "ndb-mgmd: metadata file '$BASE/ndb_11_mgm/ndb_meta.sqlite' belongs to management server 10, not to 11: put *--initial*" \
    -f "$DIR/config.ini" --reload --ndb-nodeid=11 --configdir="$BASE"
}

@test "missing permission: on the directory, the files, the cluster log, the port file" {
  chmod 755 "$DIR"
  denied() { AS=nobody refused "$1" -f "$DIR/config.ini" "${@:2}"; }
  chmod 555 "$BASE"
  denied "ndb-mgmd: cannot write in data directory '$BASE': Permission denied" --configdir="$BASE"
  denied "ndb-mgmd: cannot write in data directory '$BASE': Permission denied" --configdir="$BASE" --initial
  chmod 755 "$BASE"
  make_files
  # The data directory may be written, what is stored may not.
  mkdir "$DIR/data"
  chmod 777 "$DIR/data"
  sed -i "s|^NodeId=10|NodeId=10\nDataDir=$DIR/data|" "$DIR/config.ini"
  chmod -R a-w "$STORE"
  denied "ndb-mgmd: cannot write in directory '$STORE': Permission denied" --configdir="$BASE" --reload
  denied "ndb-mgmd: cannot write in directory '$STORE': Permission denied" --configdir="$BASE" --initial
  chmod 000 "$META"
  denied "ndb-mgmd: *'$META': Permission denied" --configdir="$BASE" --reload
  mkdir "$DIR/free" "$DIR/closed"
  chmod 777 "$DIR/free"
  chmod 555 "$DIR/closed"
  denied "ndb-mgmd: cannot write in the directory of the port file '$DIR/closed': Permission denied" --configdir="$DIR/free" \
    --port-file="$DIR/closed/port"
  sed -i "s|^NodeId=10|NodeId=10\nLogDestination=FILE:filename=$DIR/closed/log|" "$DIR/config.ini"
  denied "ndb-mgmd: cannot write in the directory of the cluster log '$DIR/closed': Permission denied" --configdir="$DIR/free"
}

@test "a port that somebody else listens on, with files and without" {
  make_files
  python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("up", flush=True); time.sleep(300)' \
    "$PORT" >"$DIR/listener.log" 3>&- &
  LISTENER=$!
  until_true [ -s "$DIR/listener.log" ]
  refused_always "ndb-mgmd: *127.0.0.1:$PORT*in use*" --configdir="$BASE"
  rm -r "$STORE"
  refused_always "ndb-mgmd: *127.0.0.1:$PORT*in use*" --configdir="$BASE"
}

@test "a second process on the same directory, by another name of it, and with another DataDir" {
  mkdir "$DIR/data" "$DIR/link"
  server --configdir="$BASE"
  # it runs and writes, so its files' names and places are compared
  inodes() { find "$DIR" -printf '%p %i %y %m\n' | sort; }
  second() {
    local mode
    inodes >"$BATS_TEST_TMPDIR/before"
    for mode in --nodaemon --daemon; do
      run timeout 60 ndb-mgmd $mode --ndb-nodeid=10 "$@"
      echo "$output"
      [ "$status" -eq 1 ]
      [ "${#lines[@]}" -eq 1 ]
      [[ "$output" == "ndb-mgmd: '"*"' is held by process $SERVER: another one runs on this directory" ]]
      inodes | diff "$BATS_TEST_TMPDIR/before" -
    done
  }
  sed "s|^NodeId=10|NodeId=10\nDataDir=$DIR/data|; s|^PortNumber=.*|PortNumber=0|" "$DIR/config.ini" >"$DIR/other.ini"
  ln -s "$STORE" "$DIR/link/ndb_10_mgm"
  second -f "$DIR/config.ini" --configdir="$BASE"
  second -f "$DIR/config.ini" --configdir="$BASE" --initial
  second -f "$DIR/other.ini" --configdir="$BASE" --initial
  second -f "$DIR/other.ini" --configdir="$DIR/link" --initial
  second -f "$DIR/other.ini" --configdir="$DIR/link" --reload
  ndb-config history -c "127.0.0.1:$PORT" --format=tsv | grep -q '^1'
}

@test "a node id that is unknown, of another kind, of another computer, with what is stored for 10" {
  make_files
  refused "ndb-mgmd: node id 11 is not in the configuration" -f "$DIR/config.ini" --configdir="$BASE" --ndb-nodeid=11
  refused "ndb-mgmd: node id 1 is no management server in the configuration" -f "$DIR/config.ini" --configdir="$BASE" --ndb-nodeid=1
  refused "ndb-mgmd: no configuration: *" --configdir="$BASE" --ndb-nodeid=11
  refused "ndb-mgmd: no node id: *" --configdir="$DIR"
}
