#!/usr/bin/env bats
# Real files that fail: a disk that is full, an fsync that fails, damaged and torn files. Nothing acknowledged is lost, and
# what cannot be used is named with file and offset.

setup() {
  load ../cli/cluster
  load live
}
teardown() {
  if [ -n "${MOUNTED:-}" ]; then stop_processes; umount "$MOUNTED"; fi
  finish
}

# Two nodes; node 1 runs with a disk that can be made to fail, on the directory that it is given, else the usual one.
start_with_shim() {
  start_mgmd 1 2
  mkdir "$DIR/shim"
  if [ -n "${1:-}" ]; then mkdir -p "$DIR/small"; mount -t tmpfs -o size="$1" none "$DIR/small" && MOUNTED=$DIR/small; fi
  LD_PRELOAD=$BIN/tests/ndb_shim.so NDB_SHIM=$DIR/shim start_node 1 --initial ${MOUNTED:+--datadir="$MOUNTED"}
  finish_pair
}
# The same without; the words before it are the environment of the management server.
start_pair() {
  start_mgmd 1 2
  start_node 1 --initial
  finish_pair
}
finish_pair() {
  start_node 2 --initial
  ndb-mgm wait 1 2 --timeout=30
  ndb-sql -e 'CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL, word VARCHAR(20))'
}
# The same with a management server whose disk and clock can be made to fail: a file in $SHIM does it.
start_server_with_shim() {
  SHIM=$BATS_TEST_TMPDIR/shim
  mkdir "$SHIM"
  LD_PRELOAD=$BIN/tests/ndb_shim.so NDB_SHIM=$SHIM start_mgmd 1 2
  start_node 1 --initial
  finish_pair
}
# The management server ends by itself, or as it was told; its exit status is $STATUS.
server_ends() {
  mv "$DIR/mgmd.started" "$DIR/node10.started"
  ends 10
}
stop_processes() {
  local f
  end_ours KILL "$DIR"/*.started
  for f in "$DIR"/*.started; do until_true ended "$f"; done
}
# ends NODE: its process has ended; the answer is its exit status.
ends() {
  until_true gone "$(cat "$DIR/node$1.started")"
  STATUS=0
  wait "$(cat "$DIR/node$1.started")" || STATUS=$?
}
count() { ndb-sql --format=csv -e "SELECT count(*) FROM t" | sed -n 2p | tr -d '\r'; }
flip() { # FILE OFFSET: one byte becomes another
  python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 255]))' "$1" "$2"
}
# log_end NODE: position of the end of its redo log.
log_end() { ndb-node --check-files --datadir="$DIR" --ndb-nodeid="$1" | sed -n 's/.*redo log: good.* to \([0-9]*\), complete.*/\1/p'; }
# damage "KILLED.." ID..: two nodes with 1002 rows, of which these processes were killed, and the redo logs of these nodes are
# damaged in the middle.
damage() {
  start_pair
  load_rows 1000
  ndb-sql --durable -e "INSERT INTO t VALUES (2000, 1, NULL)"
  ndb-sql --durable -e "INSERT INTO t VALUES (2001, 1, NULL)"
  # shellcheck disable=SC2086  # names
  kill_all $1
  local id
  for id in "${@:2}"; do flip "$DIR/ndb_${id}_fs/w0/redo.0000" $((4096 + $(log_end "$id") / 2)); done
}

@test "an fsync of the redo log that fails stops the node, is not tried again, and costs nothing" {
  start_with_shim
  load_rows 1000
  echo "/ndb_1_fs/w0/" >"$DIR/shim/fsync"
  ndb-sql --durable -e "INSERT INTO t VALUES (2000, 1, NULL)"
  ends 1
  [ "$STATUS" -eq 1 ]
  grep "CRITICAL.*cannot sync '$DIR/ndb_1_fs/w0/redo.0000': Input/output error" "$DIR/node1.log"
  grep "its files cannot be used; stopping" "$DIR/node1.log"
  cat "$DIR/shim/fsync.calls"
  [ "$(wc -l <"$DIR/shim/fsync.calls")" -eq 1 ]
  [ "$(count)" = 1001 ]
  rm "$DIR"/shim/fsync
  start_node 1
  ndb-mgm wait 1 --timeout=30
  kill_all node2
  [ "$(count)" = 1001 ]
}

@test "a full disk stops the node with a sentence, its peer goes on, and with room it comes back" {
  if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then start_with_shim 3m; else start_with_shim; fi
  local fs=${MOUNTED:-$DIR}/ndb_1_fs
  [ -n "${MOUNTED:-}" ] || echo "/ndb_1_fs/w0/" >"$DIR/shim/full"
  local i
  for i in $(seq 10); do
    seq $((i * 20000 - 19999)) $((i * 20000)) | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet --durable
    kill -0 "$(cat "$DIR/node1.started")" 2>/dev/null || break
  done
  ends 1
  [ "$STATUS" -eq 1 ]
  grep -E "CRITICAL.*($fs/w0/.*: No space left on device|ndb_meta.sqlite': database or disk is full)" "$DIR/node1.log"
  [ "$(count)" = $((i * 20000)) ]
  if [ -n "${MOUNTED:-}" ]; then mount -o remount,size=200m "$MOUNTED"; else rm "$DIR/shim/full"; fi
  start_node 1 ${MOUNTED:+--datadir="$MOUNTED"}
  ndb-mgm wait 1 --timeout=30
  kill_all node2
  [ "$(count)" = $((i * 20000)) ]
}

@test "an fsync of a node's metadata file that fails stops the node with a sentence, the others go on" {
  start_with_shim
  load_rows 1000
  echo "/ndb_meta.sqlite" >"$DIR/shim/fsync"
  ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY)' # an entry of the log, which a majority takes without node 1
  ends 1
  [ "$STATUS" -eq 1 ]
  grep -E "CRITICAL.*metadata log.*ndb_meta.sqlite" "$DIR/node1.log"
  ndb-sql --durable -e 'INSERT INTO u VALUES (1)'
  rm "$DIR"/shim/fsync
  start_node 1
  ndb-mgm wait 1 --timeout=30
  kill_all node2
  [ "$(count)" = 1000 ]
}

@test "an fsync of the management server's metadata file that fails stops the server with a sentence, data nodes go on" {
  start_server_with_shim
  load_rows 1000
  echo "/ndb_meta.sqlite" >"$SHIM/fsync"
  ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY)' || true # whoever leads then may know of it, or not
  server_ends
  [ "$STATUS" -eq 1 ]
  grep -E "CRITICAL.*metadata log.*ndb_meta.sqlite" "$DIR/mgmd.log"
  rm "$SHIM/fsync"
  mgmd_again
  ndb-mgm wait 1 2 --timeout=30
  [ "$(count)" = 1000 ]
}

@test "a torn tail is cut, and said so" {
  start_pair
  load_rows 1000
  ndb-sql --durable -e "INSERT INTO t VALUES (2000, 1, NULL)"
  kill_all node1
  local end
  end=$(log_end 1)
  flip "$DIR/ndb_1_fs/w0/redo.0000" $((4096 + end - 10))
  start_node 1
  ndb-mgm wait 1 --timeout=30
  grep -E "WARNING.*'$DIR/ndb_1_fs/w0/redo.0000' at offset [0-9]+: cut [0-9]+ bytes that were never made durable" "$DIR/node1.log"
  kill_all node2
  [ "$(count)" = 1001 ]
}

@test "a redo log damaged in its middle: the node group's rows are taken" {
  damage node1 1
  start_node 1
  ndb-mgm wait 1 --timeout=30
  grep -E "ERROR.*'$DIR/ndb_1_fs/w0/redo.0000' at offset [0-9]+: " "$DIR/node1.log"
  grep "its files are damaged, its node group has its rows: starting again with --initial" "$DIR/node1.log"
  kill_all node2
  [ "$(count)" = 1002 ]
}

@test "damaged files while the cluster is down: the peer brings it back" {
  damage "node1 node2" 1
  start_node 1
  start_node 2
  ndb-mgm wait 1 2 --timeout=40
  [ "$(count)" = 1002 ]
}

@test "both copies are damaged: refused with file and offset, and nothing is changed" {
  damage "node1 node2" 1 2
  local id
  tree_state "$DIR/ndb_1_fs/w0" >"$DIR/before"
  start_node 1
  start_node 2
  for id in 1 2; do
    ends $id
    [ "$STATUS" -eq 1 ]
    grep -E "ERROR.*'$DIR/ndb_${id}_fs/w0/redo.0000' at offset [0-9]+: the redo log is damaged" "$DIR/node$id.log"
    grep "its files are damaged and no other node has its rows; stopping, nothing was changed" "$DIR/node$id.log"
  done
  tree_state "$DIR/ndb_1_fs/w0" | diff - "$DIR/before"
}

@test "a damaged checkpoint is passed over" {
  DEFAULTS=$'FragmentLogFileSize=4M\nNoOfFragmentLogFiles=3' start_pair
  local i checkpoint
  for i in $(seq 8); do
    seq $((i * 20000 - 19999)) $((i * 20000)) | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet --durable
    checkpoint=$(ls "$DIR"/ndb_1_fs/w0/checkpoint.???? 2>/dev/null | tail -1)
    [ -z "$checkpoint" ] || break
  done
  kill_all node1
  flip "$checkpoint" $(($(stat -c %s "$checkpoint") / 2))
  start_node 1
  ndb-mgm wait 1 --timeout=30
  grep -E "not used, checkpoint [0-9]+: '$checkpoint' at offset [0-9]+: " "$DIR/node1.log"
  kill_all node2
  [ "$(count)" = $((i * 20000)) ]
}

@test "a time of day that jumps back changes nothing" {
  start_with_shim
  ndb-sql -e 'CREATE TABLE bank (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)'
  start_traffic
  touch "$DIR/shim/clock"
  ndb-mgm restart 1
  ndb-mgm wait 1 --timeout=30
  prove
}

@test "a management server whose time of day lies ten days back, while it runs and over a restart, goes on" {
  start_server_with_shim
  touch "$SHIM/clock"
  ndb-config set TransactionInactiveTimeout=50000 --accept-warnings
  kill "$(cat "$DIR/mgmd.started")"
  server_ends
  [ "$STATUS" -eq 0 ]
  mv "$DIR/mgmd.log" "$DIR/mgmd.first.log"
  LD_PRELOAD=$BIN/tests/ndb_shim.so NDB_SHIM=$SHIM mgmd_again
  ndb-mgm wait 1 2 --timeout=30
  ndb-config set TransactionInactiveTimeout=60000 --accept-warnings
  run ndb-config history --format=tsv
  [ "$(echo "$output" | grep -c '^[123]	')" -eq 3 ]
  # It really was another time: the lines of its log say so.
  [[ "$(head -1 "$DIR/mgmd.log")" < "$(date -u -d '9 days ago' +%Y-%m-%d)" ]]
}
