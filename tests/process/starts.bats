#!/usr/bin/env bats
# Starts of real nodes: who waits for whom, what is shown meanwhile, and what a node does with files that are damaged.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

# doing ID: what the node says that it does.
doing() { ndb-mgm status "$1" --format=json 2>/dev/null | json 'j["nodes"][0]["doing"]' 2>/dev/null || true; }
# await_doing ID TEXT
await_doing() {
  does() { [[ "$(doing "$1")" == "$2" ]]; }
  until_true does "$1" "$2" || { doing "$1"; return 1; }
}
count() { ndb-sql --format=csv -e "SELECT count(*) FROM t" | sed -n 2p | tr -d '\r'; }

@test "a restart without its peer waits, says for whom and how long, and starts with --nowait-nodes" {
  start_cluster 1 2
  load_rows 1000
  ndb-sql --durable -e "INSERT INTO t VALUES (2000, 1, NULL)"
  kill_all mgmd node1 node2
  mgmd_again
  start_node 1
  # The metadata log needs two of its three members: the management server and this node.
  await_doing 1 "waiting for node 2 (StartPartialTimeout)"
  run ndb-mgm status 1 --format=json
  [ "$(json 'j["nodes"][0]["seconds_left"] > 0 and j["nodes"][0]["phase"]' <<<"$output")" = 5 ]
  run ndb-mgm status
  [ "$status" -eq 3 ]
  [[ "$output" == *" s "*"waiting for node 2 (StartPartialTimeout)"* ]]
  kill_all node1
  start_node 1 --nowait-nodes=2
  ndb-mgm wait 1 --timeout=30
  [ "$(count)" = 1001 ]
  start_node 2
  ndb-mgm wait 2 --timeout=30
}

@test "processes whose caller closed descriptors 0 to 2 start, serve, and hold their locks" {
  start_mgmd 1 2
  kill_all mgmd
  rm "$DIR/mgmd.started"
  local id
  ndb-mgmd -f "$DIR/config.ini" --configdir="$DIR" <&- >&- 2>&- 3>&- 4>&-
  cp "$DIR/ndb_10.pid" "$DIR/mgmd.started"
  for id in 1 2; do
    ndb-node --ndb-nodeid=$id --initial <&- >&- 2>&- 3>&- 4>&-
    cp "$DIR/ndb_$id.pid" "$DIR/node$id.started"
  done
  ndb-mgm wait 1 2 --timeout=60
  for id in 1 2; do
    run ndb-node --ndb-nodeid=$id
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"another one runs"* ]]
  done
  ndb-sql --durable -e 'CREATE TABLE t (id INT PRIMARY KEY)' -e 'INSERT INTO t VALUES (1)' <&- 3>&-
  [ "$(count)" = 1 ]
}

@test "--nowait-nodes is checked before anything else" {
  start_mgmd 1 2
  run ndb-node --ndb-nodeid=1 --nowait-nodes=1,x
  [ "$status" -eq 2 ]
  [ "$output" = "ndb-node: --nowait-nodes: 'x' is no node id and no range of node ids" ]
  run ndb-node --ndb-nodeid=1 --nowait-nodes=5-2
  [ "$status" -eq 2 ]
  [ ! -e "$DIR/ndb_1_fs" ]
}

@test "a first start waits for all, and says for whom; --nostart waits for the order" {
  start_mgmd 1 2
  start_node 1 --initial
  await_doing 1 "waiting for node 2 (first start)"
  start_node 2 --initial --nostart
  await_doing 2 "waiting for the order to start"
  run ndb-mgm status 2 --format=json
  [ "$(json 'j["nodes"][0]["state"], j["nodes"][0]["phase"]' <<<"$output")" = "('not_started', 0)" ]
  ndb-mgm start 2
  ndb-mgm wait 1 2 --timeout=30
}

@test "a node restart reads its own files and fetches only what is missing; after --initial all of it" {
  start_cluster 1 2
  load_rows 20000
  ndb-sql --durable -e "UPDATE t SET n = 0 WHERE id = 1"
  kill_all node2
  ndb-sql --durable -e "INSERT INTO t VALUES (30000, 1, NULL)"
  start_node 2
  ndb-mgm wait 2 --timeout=30
  fetched() { sed -n 's/.*in sync, serving; \([0-9]*\) rows were fetched.*/\1/p' "$DIR/node2.log" | tail -1; }
  echo "fetched $(fetched)"
  [ "$(fetched)" -lt 1000 ]
  ndb-mgm restart 2 --initial
  ndb-mgm wait 2 --timeout=30
  echo "fetched $(fetched)"
  [ "$(fetched)" -eq 20001 ]
  kill_all node1
  [ "$(count)" = 20001 ]
}
