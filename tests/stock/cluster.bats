#!/usr/bin/env bats
# Our tools, and a cluster of NDB's own: ndb_mgmd and four ndbd. NDB_STOCK: the folder of these programs.

source "$BATS_TEST_DIRNAME/../cli/cluster.bash"

setup_file() {
  [ -x "${NDB_STOCK:-}/ndbd" ] || skip "set NDB_STOCK to a folder that holds ndb_mgmd and ndbd"
  DIR=$(mktemp -d)
  PORT=$(free_port)
  export DIR PORT NDB_CONNECTSTRING=127.0.0.1:$PORT
  local defaults=$'DataMemory=80M\nNoOfFragmentLogFiles=4\nFragmentLogFileSize=4M\nSharedGlobalMemory=20M\nStartPartialTimeout=3000\nStartNoNodegroupTimeout=2000'
  DEFAULTS=$defaults write_config 1 2 3:free 4:free | sed '/^DataMemory=32M$/d; s/^NodeId=50$/&\nHostName=127.0.0.1/' >"$DIR/config.ini"
  "$NDB_STOCK/ndb_mgmd" -f "$DIR/config.ini" --configdir="$DIR" --skip-config-cache --nodaemon >"$DIR/mgmd.log" 2>&1 3>&- &
  echo $! >"$DIR/mgmd.started"
  listens() { (exec 4<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }
  until_true listens
  for id in 1 2 3 4; do
    "$NDB_STOCK/ndbd" --ndb-nodeid="$id" --nodaemon --ndb-connectstring="$NDB_CONNECTSTRING" >"$DIR/node$id.log" 2>&1 3>&- &
    echo $! >"$DIR/node$id.started"
  done
  ndb-mgm wait --timeout=120
}
# Each ndbd has a child that does the work, and is left when its parent is killed.
teardown_file() {
  [ -n "${DIR:-}" ] || return 0
  local f workers=()
  for f in "$DIR"/node*.started; do mapfile -t -O "${#workers[@]}" workers < <(pgrep -P "$(cat "$f")"); done
  stop_cluster
  [ "${#workers[@]}" -eq 0 ] || kill -9 "${workers[@]}" 2>/dev/null || true
}

@test "show, status, and the layout of NDB's own client" {
  [ "$(ndb-mgm show --format=tsv | cut -f1,2,4,5 | sed -n 2,6p)" = "$(printf '1\tdata\tin_sync\t0\n2\tdata\tin_sync\t0\n3\tdata\tin_sync\tnone\n4\tdata\tin_sync\tnone\n10\tmgm\tconnected\t')" ]
  [ "$(ndb-mgm show --format=json | json 'j["stock"]')" = True ]
  ndb-mgm status
  for statement in SHOW 'ALL STATUS' 'ALL REPORT MEMORYUSAGE' 'ALL REPORT BACKUPSTATUS' 'CLUSTERLOG INFO'; do
    diff -b <(ndb-mgm -e "$statement") <("$NDB_STOCK/ndb_mgm" -e "$statement" | sed '/^Connected to/d') |
      { ! grep '^[<>] .'; }
  done
}

@test "the configuration is shown, queried, compared with a file" {
  ndb-config --print-config-ini >"$DIR/printed.ini"
  ndb-config check "$DIR/printed.ini"
  ndb-config diff "$DIR/printed.ini" | grep -q '^no difference'
  ndb-config diff "$DIR/config.ini" 2>/dev/null | grep -q '^no difference'
  sed 's/DataMemory=80M/DataMemory=90M/' "$DIR/config.ini" >"$DIR/other.ini"
  ndb-config diff "$DIR/other.ini" 2>/dev/null >"$DIR/difference"
  cat "$DIR/difference"
  grep -q '^+DataMemory=94371840' "$DIR/difference"
  [ "$(grep -c '^+' "$DIR/difference")" -eq 4 ]
  for words in '--query=nodeid,host,type' '--type=ndbd --query=nodeid,DataMemory,LogLevelStartup,HeartbeatIntervalDbDb' \
    '--connections --query=nodeid1,nodeid2,type' '--config_from_node=1 --nodeid=1 --query=nodeid,DataMemory'; do
    # shellcheck disable=SC2086
    [ "$(ndb-config $words)" = "$("$NDB_STOCK/ndb_config" --ndb-connectstring="$NDB_CONNECTSTRING" $words)" ]
  done
}

@test "node groups" {
  run ndb-nodegroup create --nodes=3
  [[ $status -eq 1 && $output == *"error 320"* ]]
  ndb-nodegroup create --nodes=3,4
  ndb-nodegroup list --format=tsv | grep -q "$(printf '^1\t3,4\t2\t')"
  ndb-nodegroup drop 1
  run ndb-nodegroup drop 1
  [[ $status -eq 1 && $output == *"error 9010"* ]]
}

@test "restart, stop, single user mode" {
  ndb-mgm restart 3 --wait --timeout=120 # in no group
  ndb-mgm restart 1 --nostart --wait --timeout=120
  ndb-mgm start 1
  ndb-mgm wait 1 --timeout=120
  run ndb-mgm restart 1 2
  [[ $status -eq 1 && $output == *"error 5031"* ]]
  ndb-mgm single-user enter 50
  ndb-mgm show | grep -q 'single user'
  ndb-mgm single-user exit
  ndb-mgm wait --timeout=30
  until_true sh -c '! ndb-mgm show | grep -q "single user"'
}

@test "a rolling restart of all data nodes" {
  ndb-mgm rolling-restart --timeout=180
  [ "$(ndb-mgm show --format=tsv | grep -c in_sync)" -eq 4 ]
}

@test "what it cannot do is said, and nothing happens" {
  refused_by_stock "ndb-config apply $DIR/other.ini" 'ndb-config history' 'ndb-config rollback 1' 'ndb-config set DataMemory=90M' 'ndb-mgm events' \
    'ndb-mgm enable 3' 'ndb-mgm rolling-restart --pending' 'ndb-reorg status' 'ndb-nodegroup create --nodes=3,4 --dry-run'
}

@test "stop and shutdown" {
  ndb-mgm stop 2 --wait
  run ndb-mgm stop 1
  [ "$status" -eq 1 ]
  ndb-mgm shutdown
  for id in 1 2 3 4; do until_true gone "$(cat "$DIR/node$id.started")"; done
}
