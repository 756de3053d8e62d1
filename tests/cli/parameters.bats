#!/usr/bin/env bats
# shellcheck disable=SC2034  # REPLICAS and DEFAULTS are read by start_mgmd
# Parameters that 'ndb-config params' does not mark as "not used" are obeyed, with real processes. (Memory, time-outs of
# transactions, ports, directories and redo files have their tests elsewhere.)
load cluster.bash

setup() { unset REPLICAS DEFAULTS; }
teardown() {
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 5 "$DIR"/*.log || true; fi
  stop_cluster
}

@test "StartFailureTimeout: a start that leads nowhere ends; one that waits for its order has not begun" {
  export DEFAULTS='StartFailureTimeout=5000' # a start that leads somewhere is over much sooner, also beside other tests
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial --nostart
  ended_with node1 1
  grep -q 'the start was not over in 5000 ms (StartFailureTimeout): waiting for node 2' "$DIR/node1.log"
  kill -0 "$(cat "$DIR/node2.started")"
  ndb-mgm status 2 | grep -q 'waiting for the order to start'
  start_node 1 --initial
  ndb-mgm start 2
  ndb-mgm wait --timeout=30
  sleep 5
  ndb-mgm status
}

@test "MaxNoOfTables: no more than so many, and more as soon as the configuration allows it" {
  export REPLICAS=1 DEFAULTS='MaxNoOfTables=8'
  start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait --timeout=30
  for i in 1 2 3 4 5 6 7 8; do echo "CREATE TABLE t$i (id INTEGER PRIMARY KEY);"; done | ndb-sql
  run ndb-sql -e 'CREATE TABLE t9 (id INTEGER PRIMARY KEY)'
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"error 707"*"8 tables (MaxNoOfTables)"* ]]
  ndb-config set MaxNoOfTables=9
  ndb-sql -e 'CREATE TABLE t9 (id INTEGER PRIMARY KEY)'
  run ndb-sql -e 'CREATE TABLE t10 (id INTEGER PRIMARY KEY)'
  [[ $output == *"error 707"* ]]
}

@test "FileSystemPath and Diskless: where a node keeps its files, and that it keeps none" {
  export REPLICAS=1 DEFAULTS='FileSystemPath=/nowhere'
  start_mgmd 1
  run ndb-node --ndb-nodeid=1 --initial --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"'/nowhere' does not exist"* ]]
  stop_cluster
  place=$(mktemp -d)
  export DEFAULTS=FileSystemPath=$place
  start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait --timeout=30
  [ -e "$place/ndb_1_fs/ndb_meta.sqlite" ]
  [ -e "$place/ndb_1_fs/w0/redo.0000" ]
  [ ! -e "$DIR/ndb_1_fs" ]
  stop_cluster
  rm -rf "$place"
  export DEFAULTS='Diskless=1'
  start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait --timeout=30
  [ ! -e "$DIR/ndb_1_fs/w0" ]
}

@test "epochs: their times are obeyed as soon as the configuration has them" {
  export REPLICAS=1 DEFAULTS='TimeBetweenGlobalCheckpoints=30000'
  start_mgmd 1
  start_node 1 --initial
  ndb-mgm wait --timeout=30
  ndb-sql -e 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
  ndb-config set TimeBetweenGlobalCheckpoints=20 TimeBetweenEpochs=10
  # a durable commit waits for an epoch: ten of them in less than ten times thirty seconds
  began=$(date +%s)
  for i in 1 2 3 4 5 6 7 8 9 10; do ndb-sql --durable -e "INSERT INTO t VALUES ($i)"; done
  [ $(($(date +%s) - began)) -lt 100 ]
}

@test "RealtimeScheduler: the threads that serve go before others where the system allows it, else the log says so" {
  export DEFAULTS=$'RealtimeScheduler=1\nThreadConfig=ldm={count=2}'
  start_mgmd 1 2
  start_node 1 --initial --worker-threads=yes
  start_node 2 --initial --worker-threads=yes
  await_sync
  real_time() { # NODE: the names of its threads with a real-time policy
    local t
    for t in "/proc/$(cat "$DIR/node$1.started")/task"/*; do
      if chrt -p "${t##*/}" | grep -q 'policy: SCHED_RR'; then cat "$t/comm"; fi
    done | sort | paste -sd,
  }
  if chrt -r 1 true; then
    real_time 1
    [ "$(real_time 1)" = "ndb-node,worker 0,worker 1" ]
  else
    [ "$(real_time 1)" = "" ]
    grep -q 'RealtimeScheduler=1 is not obeyed: the system does not allow real-time scheduling' "$DIR/node1.log"
  fi
  ndb-config set RealtimeScheduler=0
  ndb-mgm restart 1
  ndb-mgm wait --timeout=30
  [ "$(real_time 1)" = "" ]
}

@test "what is marked as not used is warned about once, and does nothing" {
  start_mgmd 1 2
  run ndb-config set RedoBuffer=64M
  [ "$status" -eq 0 ]
  [ "$(grep -c "'RedoBuffer' is accepted but not used here" <<<"$output")" = 1 ]
  [[ $output == *"no node needs to restart"* ]]
  [ "$(ndb-config params RedoBuffer --format=json | json 'j["parameters"][0]["used"]')" = False ]
}
