#!/usr/bin/env bats
# NDB's own ndb_mgm, ndb_config and ndb_waiter, and a cluster of this product. NDB_STOCK: the folder of these programs.

source "$BATS_TEST_DIRNAME/../cli/cluster.bash"

setup_file() {
  [ -x "${NDB_STOCK:-}/ndb_mgm" ] || skip "set NDB_STOCK to a folder that holds ndb_mgm, ndb_config and ndb_waiter"
  start_mgmd 1 2 3:free 4:free
  for id in 1 2 3 4; do start_node "$id" --initial; done
  ndb-mgm wait --timeout=60
}
teardown_file() { [ -z "${DIR:-}" ] || stop_cluster; }

mgm() { timeout 60 "$NDB_STOCK/ndb_mgm" -e "$*"; }
# said TEXT..: each is part of what it printed last.
said() {
  local text
  for text in "$@"; do
    [[ $output == *"$text"* ]] || { echo "no '$text' in: $output"; return 1; }
  done
}

@test "SHOW and STATUS" {
  run mgm SHOW
  [ "$status" -eq 0 ]
  said '[ndbd(NDB)]	4 node(s)' 'id=1	@127.0.0.1  (mysql-8.4.8 ndb-8.4.8, Nodegroup: 0, *)' \
    'id=3	@127.0.0.1  (mysql-8.4.8 ndb-8.4.8, no nodegroup)' 'id=10	@127.0.0.1  (mysql-8.4.8 ndb-8.4.8)' \
    'id=50 (not connected, accepting connect from any host)'
  run mgm ALL STATUS
  [ "$status" -eq 0 ]
  said 'Node 1: started (mysql-8.4.8 ndb-8.4.8)' 'Node 4: started'
  run mgm 10 STATUS
  said 'Node 10: connected'
  run mgm 77 STATUS
  [ "$status" -eq 255 ]
}

@test "reports, and the cluster log" {
  run mgm ALL REPORT MEMORYUSAGE
  said 'Node 1: Data usage is 0%(' 'Node 4: Index usage is 0%('
  run mgm ALL REPORT BACKUPSTATUS
  said 'Node 1: Backup not started' 'Node 4: Backup not started'
  run mgm 1 REPORT EVENTLOG
  said 'Node 1: node 1 connected'
  run mgm CLUSTERLOG TOGGLE INFO
  said 'INFO disabled'
  run mgm CLUSTERLOG INFO
  said 'Severities enabled: WARNING ERROR CRITICAL ALERT'
  run mgm CLUSTERLOG ON INFO
  said 'INFO enabled'
  run mgm CLUSTERLOG OFF
  said 'Cluster logging is disabled'
  run mgm CLUSTERLOG ON
  said 'Cluster logging is enabled'
  run mgm ALL CLUSTERLOG STARTUP=7
  said 'Executing CLUSTERLOG STARTUP=7 on node 4 OK!'
  run mgm ALL DUMP 1000
  [ "$status" -eq 0 ]
  run mgm TLS INFO
  [ "$status" -eq 0 ]
  run mgm PURGE STALE SESSIONS
  [ "$status" -eq 0 ]
}

@test "node groups and single user mode" {
  run mgm CREATE NODEGROUP 3,4
  said 'Nodegroup 1 created'
  run mgm SHOW
  said 'id=3	@127.0.0.1  (mysql-8.4.8 ndb-8.4.8, Nodegroup: 1)'
  run mgm CREATE NODEGROUP 3,4
  [ "$status" -eq 255 ]
  said '322: Error'
  run mgm DROP NODEGROUP 1
  said 'Drop Node Group 1 done'
  run mgm DROP NODEGROUP 7
  [ "$status" -eq 255 ]
  run mgm ENTER SINGLE USER MODE 50
  said 'Single user mode entered' 'Access is granted for API node 50 only.'
  run mgm SHOW
  said 'single user mode, Nodegroup: 0' 'allowed single user'
  run mgm EXIT SINGLE USER MODE
  [ "$status" -eq 0 ]
  run "$NDB_STOCK/ndb_waiter" --ndb-connectstring="$NDB_CONNECTSTRING" --timeout=20
  [ "$status" -eq 0 ]
}

@test "backups are refused" {
  run mgm START BACKUP
  [ "$status" -eq 255 ]
  said 'Backup failed' '3001: Could not start backup'
}

@test "ndb_config: queries, connections, the running configuration of a node" {
  local config=("$NDB_STOCK/ndb_config" "--ndb-connectstring=$NDB_CONNECTSTRING")
  [ "$("${config[@]}" -q nodeid,type -r '\n')" = $'1,ndbd\n2,ndbd\n3,ndbd\n4,ndbd\n10,ndb_mgmd\n50,mysqld\n51,mysqld' ]
  [ "$("${config[@]}" --type=ndbd --nodeid=2 -q DataMemory,NoOfReplicas -f :)" = 33554432:2 ]
  [ "$("${config[@]}" --connections -q nodeid1,nodeid2 | tr ' ' '\n' | wc -l)" -eq 18 ]
  [ "$("${config[@]}" --system -q ConfigGenerationNumber)" = 1 ]
  "${config[@]}" --config_from_node=1 --nodeid=1 -q DataMemory | grep -q '^33554432$'
  # Ours says the same to the same question.
  for words in '--query=nodeid,host,type' '--type=ndbd --query=nodeid,NodeGroup,DataMemory,MaxNoOfTables' '--connections --query=nodeid1,nodeid2,type'; do
    # shellcheck disable=SC2086
    [ "$("${config[@]}" $words)" = "$(ndb-config $words)" ]
  done
}

@test "restart, stop and start of nodes; a session that listens hears of it" {
  mkfifo "$DIR/in"
  timeout 60 "$NDB_STOCK/ndb_mgm" <"$DIR/in" >"$DIR/session" 2>&1 3>&- &
  local session=$!
  exec 7>"$DIR/in"
  echo SHOW >&7
  until_true grep -q 'mysqld(API)' "$DIR/session"
  run mgm 1 RESTART -n
  said 'Node 1 is being restarted'
  "$NDB_STOCK/ndb_waiter" --ndb-connectstring="$NDB_CONNECTSTRING" --not-started -w 1 -t 20
  run mgm 1 START
  said 'Database node 1 is being started.'
  "$NDB_STOCK/ndb_waiter" --ndb-connectstring="$NDB_CONNECTSTRING" -t 30
  until_true grep -q 'Node 1: Started (version 8.4.8)' "$DIR/session"
  exec 7>&-
  wait "$session"
  run mgm 1 2 RESTART
  [ "$status" -eq 255 ]
  said '5031-'
  run mgm ALL RESTART
  [ "$status" -eq 0 ]
  "$NDB_STOCK/ndb_waiter" --ndb-connectstring="$NDB_CONNECTSTRING" -t 60
  run mgm 2 STOP
  said 'Node 2 has shutdown.'
  run mgm 1 STOP
  [ "$status" -eq 255 ]
  said '5028-'
}

@test "SHUTDOWN ends everything" {
  run mgm SHUTDOWN
  [ "$status" -eq 0 ]
  said 'NDB Cluster node(s) have shutdown' 'Disconnecting to allow management server to shutdown.'
  until_true gone "$(cat "$DIR/mgmd.started")"
  for id in 1 3 4; do until_true gone "$(cat "$DIR/node$id.started")"; done
}
