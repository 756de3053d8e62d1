#!/usr/bin/env bats
# A data node that is stopped for half a minute and goes on: it finds that it was declared dead, restarts itself, and shows nobody
# an old row.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

@test "a node stopped for 30 s restarts itself when it goes on, as a node restart, and never shows old rows" {
  start_cluster 1 2
  ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY, n INT NOT NULL)' -e 'CREATE TABLE r (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)'
  seq 2000 | sed 's/.*/&,1/' | ndb-import --table=u --quiet --durable
  # asked all the time, by clients that have links to both nodes: every answer must fit one order of all operations
  ndb-traffic registers --table=r --rows=3 --threads=2 --rate=60 --seconds=200 --stop-file="$DIR/stop.registers" \
    --summary="$DIR/registers.json" >"$DIR/registers.log" 2>&1 3>&- &
  echo $! >"$DIR/registers.started"
  sleep 0.5
  local pid before
  pid=$(cat "$DIR/node1.started")
  before=$SECONDS
  kill -STOP "$pid"
  logged "declaring node 1 dead" "$DIR"/mgmd.log "$DIR"/node2.log
  ndb-sql -e "UPDATE u SET n = -1 WHERE id <= 10"
  while [ $((SECONDS - before)) -le 30 ]; do sleep 1; done
  kill -CONT "$pid"
  for _ in $(seq 20); do
    run ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
    [ "$status" -eq 0 ]
    [[ "${lines[1]}" == 2000,1980* ]]
  done
  logged "declared dead by the cluster, restarting" "$DIR/node1.log"
  ndb-mgm wait 1 --timeout=60
  [ "$(tr -d '\n' <"$DIR/ndb_1.pid")" = "$pid" ]
  # by its own files, so it fetched what had changed alone
  local fetched
  fetched=$(sed -n 's/.*in sync, serving; \([0-9]*\) rows were fetched.*/\1/p' "$DIR/node1.log" | tail -1)
  echo "fetched $fetched"
  [ "$fetched" -ge 10 ] && [ "$fetched" -lt 500 ]
  touch "$DIR/stop.registers"
  wait "$(cat "$DIR/registers.started")"
  cat "$DIR/registers.json"
  # nobody stood still with the node: 32 s of which one operation may have waited for the takeover
  [ "$(json 'j["operations"] > 500 and j["longest_ms"] < 10000' <"$DIR/registers.json")" = True ]
  # what it has fetched is right, too
  kill -9 "$(cat "$DIR/node2.started")"
  run ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
  [[ "${lines[1]}" == 2000,1980* ]]
}
