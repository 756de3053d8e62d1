#!/usr/bin/env bats
# Data nodes with several workers, each in a thread of its own: traffic, kill -9, a reorganisation, restarts.

setup() {
  load ../cli/cluster
  load live
  # As in ../cli/cluster.bash, with WORKER_THREADS (yes).
  start_node() {
    ndb-node --ndb-nodeid="$1" --nodaemon --worker-threads="${WORKER_THREADS:-yes}" "${@:2}" >>"$DIR/node$1.log" 2>&1 3>&- &
    echo $! >"$DIR/node$1.started"
  }
  export DEFAULTS='ThreadConfig=ldm={count=2}'
}
teardown() { finish; }

query() { ndb-sql --format=csv -e "$1" | tail -n 1 | tr -d '\r'; }

# threads_of NODE: its threads that step workers
threads_of() { grep -l '^worker [0-9]' "/proc/$(cat "$DIR/node$1.started")"/task/*/comm | wc -l; }

# links_of NODE: connections to its port
links_of() {
  local port
  port=$(ss -Hltnp | sed -n "s/.*:\([0-9]*\) .*pid=$(cat "$DIR/node$1.started"),.*/\1/p" | head -n 1)
  ss -Htn state established "sport = :$port" | wc -l
}
links_more_than() { [ "$(links_of 1)" -gt "$1" ]; }

@test "two workers a node: kill -9 while a table is reorganised, then the whole cluster" {
  start_cluster 1 2 3:free 4:free
  for id in 1 2 3 4; do [ "$(threads_of $id)" -eq 2 ]; done
  load_rows 40000
  ndb-nodegroup create --nodes=3,4
  before=$(links_of 1)
  start_traffic
  until_true links_more_than $((before + 2))  # each client has one for the node and two for its workers
  ndb-reorg start --table=t
  kill_all node2
  sleep 1
  start_node 2
  ndb-mgm wait 2 --timeout=60
  ndb-reorg wait --timeout=30 || [ $? -ne 7 ]
  for _ in 1 2 3 4 5; do
    if ndb-reorg start --table=t --wait --timeout=30; then break; fi
    sleep 1
  done
  prove
  [ "$(query 'SELECT count(*), sum(n) FROM t WHERE id <= 40000')" = 40000,800020000 ]
  ndb-sql --durable -e "INSERT INTO t VALUES (-1, 1, 'last')"

  kill_all node1 node2 node3 node4
  for id in 1 2 3 4; do start_node $id; done
  ndb-mgm wait 1 2 3 4 --timeout=60
  [ "$(query 'SELECT count(*), sum(n) FROM t WHERE id BETWEEN -1 AND 40000')" = 40001,800020001 ]
}

@test "four workers a node: bulk load, a stop in good order, a start" {
  DEFAULTS='ThreadConfig=ldm={count=4}'
  start_cluster 1 2
  load_rows 30000
  [ "$(threads_of 1)" -eq 4 ]
  ndb-mgm restart 2 --wait --timeout=60
  ndb-mgm wait 2 --timeout=60
  [ "$(query 'SELECT count(*), sum(n) FROM t')" = 30000,450015000 ]
}

@test "two workers that take turns in one thread" {
  WORKER_THREADS=no
  start_cluster 1 2
  load_rows 30000
  [ "$(threads_of 1)" -eq 0 ]
  before=$(links_of 1)
  start_traffic
  traffic_goes_on
  [ "$(links_of 1)" -lt $((before + 3)) ]
  prove
  kill_all node1
  ndb-mgm wait 2 --timeout=60
  [ "$(query 'SELECT count(*), sum(n) FROM t WHERE id <= 40000')" = 30000,450015000 ]
  start_node 1
  ndb-mgm wait 1 --timeout=60
  kill_node 2
  [ "$(query 'SELECT count(*), sum(n) FROM t WHERE id <= 40000')" = 30000,450015000 ]
}
