#!/usr/bin/env bats
# One management server and two data nodes live on without any one of the three; a node that was stopped for a while finds
# that it was declared dead.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

# lose NAME: kill -9 under traffic; nobody sees an error, nothing is lost; says how long writes stood still.
lose() {
  start_cluster 1 2
  load_rows 1000
  start_traffic --marks="$DIR/marks"
  sleep 0.3
  echo lost >>"$DIR/marks"
  kill -9 "$(cat "$DIR/$1.started")"
  sleep 1.5
  if [ "$1" = mgmd ]; then
    ndb-mgmd -f "$DIR/config.ini" --configdir="$DIR" --nodaemon >>"$DIR/mgmd.log" 2>&1 3>&- &
    echo $! >"$DIR/mgmd.started"
    ndb-mgm wait 1 2 --timeout=30
  else
    # a change of the metadata log needs a majority of what is left
    ndb-sql -e 'CREATE TABLE u (id BIGINT PRIMARY KEY)' -e 'INSERT INTO u VALUES (1)'
  fi
  prove
  # shellcheck disable=SC2016
  echo "# $1 lost: writes stood still for $(json 'j["intervals"][-1]["max_stall_ms"]' <"$DIR/traffic.json") ms" >&3
  [ "$(json 'j["intervals"][-1]["name"] == "lost" and j["intervals"][-1]["operations"] > 500' <"$DIR/traffic.json")" = True ]
}

@test "the management server is lost" { lose mgmd; }
@test "the first data node is lost" { lose node1; }
@test "the second data node is lost" { lose node2; }

# state ID
state() { ndb-mgm status "$1" --format=json | json 'j["nodes"][0]["state"]'; }
await_state() {
  for _ in $(seq 300); do
    [ "$(state "$1")" = "$2" ] && return 0
    sleep 0.05
  done
  return 1
}

@test "a node stopped beyond its lease restarts itself when it goes on, and never shows old rows" {
  start_cluster 1 2
  ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY, n INT NOT NULL)' -e 'INSERT INTO u VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)'
  start_traffic
  local pid i
  pid=$(cat "$DIR/node1.started")
  kill -STOP "$pid"
  # declared dead: the other one serves, and rows change
  for _ in $(seq 300); do
    grep -q "declaring node 1 dead" "$DIR"/mgmd.log "$DIR"/node2.log && break
    sleep 0.05
  done
  ndb-sql -e "UPDATE u SET n = -1"
  kill -CONT "$pid"
  for i in $(seq 40); do
    run ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
    [ "$status" -eq 0 ]
    [[ "${lines[1]}" == 5,-5* ]]
    grep -q "declared dead by the cluster, restarting" "$DIR/node1.log" && [ "$i" -gt 10 ] && break
  done
  grep "declared dead by the cluster, restarting" "$DIR/node1.log"
  ndb-mgm wait 1 --timeout=30
  [ "$(cat "$DIR/ndb_1.pid" | tr -d '\n')" = "$pid" ]
  prove
  # what it has fetched is right, too
  kill -9 "$(cat "$DIR/node2.started")"
  run ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
  [[ "${lines[1]}" == 5,-5* ]]
}
