# shellcheck shell=bash
# Traffic on a real cluster, for the tests with kill -9. Sourced by *.bats after ../cli/cluster.bash.

# start_cluster ID[:free]..: a management server 10 and these data nodes, in sync, those with `:free` in no node group; tables
# `t` and `bank`. (All are started at once: the first start waits for nodes without a group.)
start_cluster() {
  start_mgmd "$@" || return 1
  local id
  for id in "$@"; do
    start_node "${id%:free}" --initial
  done
  await_sync "${@%:free}" || return 1
  ndb-sql -e 'CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL, word VARCHAR(20))' \
    -e 'CREATE TABLE bank (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)'
}

# kill_all NAME..: kill -9 and wait until they are gone: a directory is free when its process is.
kill_all() {
  local p
  local pids=()
  for p in "$@"; do
    ended "$DIR/$p.started" || pids+=("$(cat "$DIR/$p.started")")
  done
  [ "${#pids[@]}" -eq 0 ] || kill -9 "${pids[@]}"  # at once: nobody is to be missed by another
  for p in "$@"; do until_true ended "$DIR/$p.started"; done
}

# load_rows N: rows 1..N into t.
load_rows() {
  seq "$1" | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet
}

start_traffic() {
  rm -f "$DIR/stop" "$DIR/journal"
  ndb-traffic run --table=t --bank=bank --accounts=100 --threads=2 --rate=1000 --journal="$DIR/journal" \
    --stop-file="$DIR/stop" --summary="$DIR/traffic.json" "$@" >"$DIR/traffic.log" 2>&1 3>&- &
  TRAFFIC=$!
  echo "$TRAFFIC" >"$DIR/traffic.started"

  begun_or_gone() { [ -e "$DIR/journal" ] || gone "$TRAFFIC"; }
  until_true begun_or_gone && [ -e "$DIR/journal" ] && return 0
  cat "$DIR/traffic.log"
  return 1
}

# Waits until some 500 more writes were acknowledged.
traffic_goes_on() {
  local before
  before=$(stat -c %s "$DIR/journal")
  has_grown() { [ "$(stat -c %s "$DIR/journal")" -ge $(($1 + 16384)) ]; } # 24 bytes a write, in blocks
  until_true has_grown "$before"
}

# Ends the traffic; fails when a client saw an error, or when anything acknowledged is not there.
prove() {
  touch "$DIR/stop"
  local status=0
  wait "$TRAFFIC" || status=$?
  cat "$DIR/traffic.log" "$DIR/traffic.json"
  [ "$status" -eq 0 ] || return 1
  ndb-traffic verify --table=t --bank=bank --journal="$DIR/journal" --timeout=20
}

kill_node() { kill -9 "$(cat "$DIR/node$1.started")"; }

# Ends everything at once; says what the processes said when the test failed. (In good order each data node would wait for the
# others, and for a management server that may be gone.)
finish() {
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 15 "$DIR"/*.log || true; fi
  end_ours KILL "$DIR"/*.started
  rm -rf "$DIR"
}

# logged TEXT FILE..: within 30 s one of the files has it.
logged() { until_true grep -q "$1" "${@:2}"; }
