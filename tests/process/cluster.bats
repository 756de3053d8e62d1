#!/usr/bin/env bats
# A cluster of real processes: it starts, stops, loses a node without losing a row, and is restarted while it serves.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

@test "two nodes and a management server start, serve and stop" {
  start_cluster 1 2
  ndb-sql -e "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, NULL)"
  run ndb-sql --format=csv -e "SELECT sum(n) FROM t"
  [ "$status" -eq 0 ]
  [[ "${lines[1]}" =~ ^30 ]]
  ndb-mgm shutdown
  local pid
  for pid in $(cat "$DIR"/*.started); do until_true gone "$pid"; done
  run ndb-mgm show
  [ "$status" -eq 5 ]
}

@test "acknowledged rows stay when a node is killed, and the node gets them back" {
  start_cluster 1 2
  load_rows 5000
  start_traffic
  sleep 0.5
  kill_all node1
  sleep 1.5
  run ndb-sql --format=csv -e "SELECT count(*) FROM t WHERE id <= 5000"
  [ "$status" -eq 0 ]
  [[ "${lines[1]}" =~ ^5000 ]]
  start_node 1
  ndb-mgm wait 1 --timeout=60
  sleep 0.5
  kill_all node2
  sleep 1
  start_node 2
  ndb-mgm wait 2 --timeout=60
  prove
}

@test "a management server that is killed and comes back is not missed by clients" {
  start_cluster 1 2
  start_traffic
  kill_all mgmd
  sleep 0.3
  mgmd_again
  sleep 2
  ndb-mgm wait 1 2 --timeout=60
  prove
}

@test "a rolling restart under traffic is seen by no client" {
  start_cluster 1 2
  load_rows 5000
  start_traffic
  ndb-mgm rolling-restart --timeout=60
  ndb-mgm rolling-restart --timeout=60 --initial
  prove
}
