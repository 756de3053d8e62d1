#!/usr/bin/env bats
# kill -9 during a reorganisation: it is done or rolled back, and no acknowledged row is lost or doubled either way.

setup() {
  load ../cli/cluster
  load live
  start_cluster 1 2 3:free 4:free
  load_rows 40000
  ndb-nodegroup create --nodes=3,4
  start_traffic
}
teardown() { finish; }

# Waits for the end of the job, done or rolled back, then tries again until the table is spread.
reorganise_to_the_end() {
  local status=0
  ndb-reorg wait --timeout=30 || status=$?
  if [ "$status" -eq 7 ]; then
    ndb-mgm show
    ndb-reorg status
    return 1
  fi
  for _ in 1 2 3 4 5; do
    if ndb-reorg start --table=t --wait --timeout=30; then return 0; fi
    sleep 1
  done
  return 1
}

@test "an old node is killed" {
  ndb-reorg start --table=t
  kill_all node1
  sleep 1
  start_node 1
  ndb-mgm wait 1 --timeout=60
  reorganise_to_the_end
  prove
}

@test "a new node is killed" {
  ndb-reorg start --table=t
  kill_all node4
  sleep 1
  start_node 4
  ndb-mgm wait 4 --timeout=60
  reorganise_to_the_end
  prove
}

@test "the management server is killed" {
  ndb-reorg start --table=t
  kill_all mgmd
  sleep 0.5
  mgmd_again
  sleep 1
  ndb-mgm wait 1 2 3 4 --timeout=60
  reorganise_to_the_end
  prove
}
