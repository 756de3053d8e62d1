#!/usr/bin/env bats
# Rolling restarts with real processes: two management servers, two data nodes, a client that writes meanwhile.
source "$BATS_TEST_DIRNAME/../cli/cluster.bash"

setup() {
  DIR=$(mktemp -d)
  local ports
  mapfile -t ports < <(free_ports 2)
  PORT=${ports[0]} PORT2=${ports[1]}
  export EXTRA
  EXTRA=$(printf '\n[ndb_mgmd]\nNodeId=11\nHostName=127.0.0.1\nPortNumber=%s\nDataDir=%s' "$PORT2" "$DIR")
  export DIR PORT NDB_CONNECTSTRING=127.0.0.1:$PORT2,127.0.0.1:$PORT
  write_config 1 2 >"$DIR/config.ini"
  mkdir "$DIR/m10" "$DIR/m11"
  local id
  for id in 10 11; do
    ndb-mgmd -f "$DIR/config.ini" --ndb-nodeid="$id" --configdir="$DIR/m$id" --nodaemon >"$DIR/mgmd$id.log" 2>&1 3>&- &
    echo $! >"$DIR/mgmd$id.started"
  done
  start_node 1 --initial
  start_node 2 --initial
  await_sync
  ndb-sql -e 'CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)'
}
teardown() {
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 8 "$DIR"/*.log || true; fi
  for f in "$DIR"/*.started; do kill -CONT "$(cat "$f")" 2>/dev/null || true; done
  stop_cluster
}
incarnations() { ndb-mgm show --format=json | json '[n["incarnation"] for n in j["nodes"] if n["type"] == "data"]'; }

@test "events tell each step, commits are measured, and one management server may be down" {
  kill -9 "$(cat "$DIR/mgmd11.started")"
  before=$(incarnations)
  ndb-mgm rolling-restart --timeout=60 --format=json >"$DIR/events.json"
  cat "$DIR/events.json"
  [ "$(python3 -c 'import json, sys; print([(e["event"], e.get("node")) for e in map(json.loads, sys.stdin)])' <"$DIR/events.json")" = \
    "[('restarting', 1), ('restarted', 1), ('restarting', 2), ('restarted', 2), ('done', None)]" ]
  [ "$(sed -n 2p "$DIR/events.json" | json '[j["step"], j["steps"], j["left_ms"] > 0]')" = '[1, 2, True]' ]
  [ "$(incarnations)" != "$before" ]
  ndb-mgm status
}

@test "it stops at a latency that is not healthy, and says how to go on" {
  before=$(incarnations)
  run ndb-mgm rolling-restart --max-latency-us=1 --timeout=15 # for the restart and for a better latency
  echo "$output"
  [ "$status" -eq 3 ]
  [[ $output == *"a commit takes "*" us, more than 1 "*"rolling-restart --nodes=1,2"* ]]
  [ "$(ndb-mgm show --format=json | json '[n["incarnation"] for n in j["nodes"] if n["id"] == 2]')" = "[${before##*, }" ]
}

# Node 1 runs from a program of its own, which is another one when it wants to restart itself.
node1_without_a_way_back() {
  ndb-mgm stop 1 --wait --timeout=60
  cp "$BIN/ndb-node" "$DIR/ndb-node"
  start_copy
  ndb-config set StartFailureTimeout=600000
  printf '#!/bin/sh\nexit 1\n' >"$DIR/broken"
  chmod +x "$DIR/broken"
  mv "$DIR/broken" "$DIR/ndb-node"
}
node1_finds_a_way_back() {
  rm "$DIR/ndb-node"
  cp "$BIN/ndb-node" "$DIR/ndb-node"
  start_copy
}
start_copy() {
  "$DIR/ndb-node" --ndb-nodeid=1 --nodaemon >>"$DIR/node1.log" 2>&1 3>&- &
  echo $! >"$DIR/node1.started"
  await_sync
}

@test "a node that does not come back stops it, the others stay as they are, and it goes on when told" {
  node1_without_a_way_back
  before=$(incarnations)
  run ndb-mgm rolling-restart --pending --timeout=8
  echo "$output"
  [ "$status" -eq 7 ]
  [[ $output == *"node 1 did not come back in sync within 8 s: it is down"*"go on with 'ndb-mgm rolling-restart --pending', or go back with 'ndb-config rollback 1'"* ]]
  [ "$(incarnations)" = "$before" ]
  node1_finds_a_way_back
  ndb-mgm rolling-restart --pending --timeout=60
  [ "$(ndb-mgm show --format=json | json '[n["generation"] for n in j["nodes"] if n["type"] == "data"]')" = '[2, 2]' ]
}

@test "with --on-failure=rollback the configuration goes back to the generation before" {
  node1_without_a_way_back
  run ndb-mgm rolling-restart --pending --timeout=8 --on-failure=rollback
  echo "$output"
  [ "$status" -eq 3 ]
  [[ $output == *"did not come back"*"generation 1's again, as generation 3"* ]]
  [ "$(ndb-config -q StartFailureTimeout --nodeid=1)" = 0 ]
  ndb-config history | grep -q 'a rolling restart failed: node 1 did not come back'
}

@test "after Ctrl-C the rest is restarted, and nobody twice" {
  node1_without_a_way_back
  before=$(incarnations)
  ndb-mgm rolling-restart --pending --timeout=60 >"$DIR/out" 2>"$DIR/err" 3>&- &
  rolling=$!
  is_down() { [ "$(ndb-mgm status 1 --format=json | json 'j["nodes"][0]["state"]')" = down ]; }
  until_true is_down
  kill -INT "$rolling"
  wait "$rolling" && status=0 || status=$?
  cat "$DIR/out" "$DIR/err"
  [ "$status" -eq 130 ]
  grep -q "node 1 goes on restarting; go on with 'ndb-mgm rolling-restart --pending'" "$DIR/err"
  node1_finds_a_way_back
  ndb-mgm rolling-restart --pending --timeout=60
  [ "$(ndb-mgm show --format=json | json '[n["generation"] for n in j["nodes"] if n["type"] == "data"]')" = '[2, 2]' ]
  [ "$(incarnations)" = "$(json '[n + 1 for n in j]' <<<"$before")" ]
}

@test "a canary is watched, and nodes restart with --initial when told so" {
  seq 500 | sed 's/.*/&,&/' | ndb-import --table=t --quiet
  run ndb-mgm rolling-restart --nodes=2 --initial --timeout=60
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"node 2 is back in sync after "*" (1 of 1)"* ]]
  run ndb-mgm rolling-restart --canary --timeout=60
  [ "$status" -eq 0 ]
  [[ $output == *"node 1 is back in sync after "*" (1 of 2), about "*" left"*"node 2 is back"*"restarted nodes 1, 2 in "* ]]
  [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM t' | tail -1 | tr -d '\r')" = 500 ]
  ndb-reorg verify --all
}
