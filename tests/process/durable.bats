#!/usr/bin/env bats
# Everything is killed at once, or shut down; what was answered as durable is there when the cluster comes back.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

start_again() {
  mgmd_again
  local id
  for id in "$@"; do start_node "$id"; done
  ndb-mgm wait "$@" --timeout=60
}

@test "kill -9 of the whole cluster: every row that was answered as durable is there" {
  start_cluster 1 2
  seq 20000 | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet --durable
  ndb-sql --durable -e "UPDATE t SET n = 0 WHERE id <= 10" -e "DELETE FROM t WHERE id = 20000"
  kill_all node1 node2 mgmd
  start_again 1 2
  run ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM t"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "${lines[1]}" =~ ^19999,199989945 ]]
  # and it goes on from there
  ndb-sql --durable -e "INSERT INTO t VALUES (20000, 1, NULL)"
  kill_all node1 node2
  start_node 1
  start_node 2
  ndb-mgm wait 1 2 --timeout=60
  run ndb-sql --format=csv -e "SELECT count(*) FROM t"
  [[ "${lines[1]}" =~ ^20000 ]]
}

@test "a shutdown in good order loses nothing, durable or not" {
  start_cluster 1 2
  load_rows 5000
  ndb-mgm shutdown
  local pid
  for pid in $(cat "$DIR"/*.started); do until_true gone "$pid"; done
  start_again 1 2
  run ndb-sql --format=csv -e "SELECT count(*) FROM t"
  echo "$output"
  [[ "${lines[1]}" =~ ^5000 ]]
}
