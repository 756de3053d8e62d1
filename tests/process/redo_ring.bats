#!/usr/bin/env bats
# The smallest redo ring allowed, and more than it holds: writers wait for checkpoints, nobody ends.

setup() {
  load ../cli/cluster
  load live
  export DEFAULTS=$'FragmentLogFileSize=4M\nNoOfFragmentLogFiles=3'
  ROWS=36000 # of 440 bytes: a third more than the ring
}
teardown() { finish; }

# Killed and gone: until then its directory is taken.
end_node() {
  local pid
  pid=$(cat "$DIR/node$1.started")
  kill -9 "$pid"
  wait "$pid" || true
}

rows_of_text() { awk -v n="$ROWS" 'BEGIN { t = sprintf("%440s", ""); gsub(/ /, "x", t); for (i = 1; i <= n; i++) print i "," t }'; }

check_rows() {
  run ndb-sql --format=csv -e "SELECT count(*), sum(length(word)) FROM big"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "${lines[1]%$'\r'}" == "$ROWS,$((ROWS * 440))" ]]
}

@test "an import larger than the redo ring is held back, and a node that begins anew is filled with more than its ring" {
  start_cluster 1 2
  ndb-sql -e 'CREATE TABLE big (id BIGINT PRIMARY KEY, word VARCHAR(500))'
  rows_of_text | ndb-import --table=big --quiet
  check_rows
  # One transaction that the ring can never take is refused; in pieces it is taken.
  run ndb-sql -e "UPDATE big SET word = upper(word)"
  [ "$status" -eq 1 ]
  [[ "$output" == *'error 9006: '* ]]
  local from
  for from in $(seq 1 1000 "$ROWS"); do echo "UPDATE big SET word = upper(word) WHERE id >= $from AND id < $from + 1000;"; done |
    ndb-sql
  end_node 2
  start_node 2 --initial
  ndb-mgm wait 1 2 --timeout=60
  # What is there now was fetched or kept: the other one goes, too, and this one has it all.
  end_node 1
  check_rows
  start_node 1
  ndb-mgm wait 1 2 --timeout=60
  check_rows
  # And all of it comes back from the disks.
  ndb-sql --durable -e 'INSERT INTO t VALUES (1, 1, NULL)'
  end_node 1
  end_node 2
  start_node 1
  start_node 2
  ndb-mgm wait 1 2 --timeout=60
  check_rows
  run grep -c 'could not log what it had to' "$DIR/node1.log" "$DIR/node2.log"
  [[ "$output" != *:[1-9]* ]]
}

# How far a node's redo log has been written since its first start; its process has ended.
log_end() { ndb-node --check-files --datadir="$DIR" --ndb-nodeid="$1" | sed -n 's/.*redo log: good.* to \([0-9]*\), complete.*/\1/p'; }

@test "three laps of the smallest ring beside other clients, then kill -9 of everything: all that was answered as durable is there" {
  start_cluster 1 2
  ndb-sql -e 'CREATE TABLE big (id BIGINT PRIMARY KEY, word VARCHAR(500))'
  start_traffic --durable
  for _ in 1 2 3; do rows_of_text | ndb-import --table=big --quiet --durable --replace; done
  touch "$DIR/stop"
  wait "$TRAFFIC" # nobody saw an error, only waits
  kill_all node1 node2 mgmd
  local id
  for id in 1 2; do [ "$(log_end $id)" -gt $((3 * 12 * 1024 * 1024)) ]; done
  mgmd_again
  start_node 1
  start_node 2
  ndb-mgm wait 1 2 --timeout=60
  ndb-traffic verify --table=t --bank=bank --journal="$DIR/journal" --timeout=20
  check_rows
  # And it takes another lap.
  rows_of_text | tr x y | ndb-import --table=big --quiet --replace
  check_rows
}
