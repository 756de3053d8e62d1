#!/usr/bin/env bats
# Processes, configuration and the statements of NDB's client, on one cluster of two data nodes.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  await_sync
}
teardown_file() { stop_cluster; }

kill_mgmd() {
  kill -9 "$(cat "$DIR/mgmd.started")"
  until_true gone "$(cat "$DIR/mgmd.started")"
}
# Returns as soon as it listens.
restart_mgmd() {
  mgmd_again
  listens() { (exec 4<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }
  until_true listens
}

@test "several nodes at once, unknown ones and API nodes are refused, and nothing stops" {
  while read -r number words; do
    # shellcheck disable=SC2086
    run ndb-mgm $words
    echo "$words: $status $output"
    [ "$status" -eq 1 ]
    [[ $output == "ndb-mgm: error $number: "* ]]
  done <<'CASES'
5031 restart 1 2
5031 restart 1,2 --dry-run
9026 restart 77
9026 stop 77 --dry-run
325 stop x
5002 stop 50
5063 start 1
5062 single-user enter 1
CASES
  ndb-mgm status
}

@test "restart --wait comes back with another incarnation" {
  old=$(ndb-mgm show --format=json | json 'j["nodes"][0]["incarnation"]')
  run ndb-mgm restart 1 --dry-run
  [[ $output == "would restart node 1" ]]
  ndb-mgm restart 1 --wait --timeout=60
  [ "$(ndb-mgm show --format=json | json 'j["nodes"][0]["incarnation"]')" -gt "$old" ]
}

@test "restart --nostart comes back and waits; start lets it go on" {
  ndb-mgm restart 1 --nostart --wait --timeout=60
  [ "$(ndb-mgm status 1 --format=json | json '[(n["state"], n["doing"]) for n in j["nodes"]]')" = \
    "[('not_started', 'waiting for the order to start')]" ]
  ndb-mgm -e '1 STATUS' | grep -q '^Node 1: not started'
  run ndb-mgm wait 1 --timeout=1
  [ "$status" -eq 7 ]
  ndb-mgm start 1
  ndb-mgm wait 1 --timeout=60
  ndb-mgm -e '2 RESTART -n'
  ndb-mgm wait 2 --state=not_started --timeout=60
  ndb-mgm -e '2 START'
  await_sync
}

@test "a whole node group is not aborted, and no node restarts alone in single user mode" {
  for line in '-e 1~2~STOP~-a' 'stop 1 2 --abort' 'stop 1 2 --abort --dry-run' '-e 1~2~RESTART~-a'; do
    words=()
    for w in $line; do words+=("${w//\~/ }"); done
    run ndb-mgm "${words[@]}"
    echo "$line: $status $output"
    [ "$status" -eq 1 ]
    [[ $output == *"error 5028"* ]]
  done
  ndb-mgm single-user enter 50
  run ndb-mgm restart 2
  [ "$status" -eq 1 ]
  [[ $output == *"error 5063"*"single user mode"* ]]
  ndb-mgm single-user exit
  ndb-mgm status
}

@test "the last member of a group is not stopped; the other one may be, and status says degraded" {
  ndb-mgm stop 2 --wait --timeout=60
  run ndb-mgm status
  [ "$status" -eq 3 ]
  for line in 'stop 1' 'stop 1 --dry-run' 'restart 1' 'rolling-restart --nodes=1'; do
    # shellcheck disable=SC2086
    run ndb-mgm $line
    echo "$line: $output"
    [ "$status" -eq 1 ]
    [[ $output == *"error 5028"* ]]
  done
  run ndb-nodegroup list --format=tsv
  [[ $output == *"degraded"* ]]
  start_node 2
  await_sync
}

@test "events tell what happened, filtered by severity" {
  ndb-mgm events | grep -q 'node 2 is down'
  [ "$(ndb-mgm events --format=json | json '[j["format_version"], len(j["events"]) > 3]')" = '[1, True]' ]
  ndb-mgm events --severity=alert --format=tsv >"$DIR/alerts"
  [ "$(head -1 "$DIR/alerts")" = "$(printf 'number\twhen\tseverity\tcategory\tnode\ttext')" ]
  [ "$(cut -f3 "$DIR/alerts" | sort -u | tr '\n' ' ')" = 'alert severity ' ]
  ndb-mgm events --category=shutdown --category=noderestart --format=tsv >"$DIR/kinds"
  [ "$(sed 1d "$DIR/kinds" | cut -f4 | sort -u | tr '\n' ' ')" = 'noderestart shutdown ' ]
}

@test "events are followed, an object a line, as they happen" {
  ndb-mgm events --follow --format=json --category=schema --limit=0 >"$DIR/followed" 2>/dev/null 3>&- &
  follower=$!
  is_followed() { # it tells what happens from now on: a table that comes and goes is seen some time
    ndb-sql -e 'CREATE TABLE passing (id INTEGER PRIMARY KEY)' -e 'DROP TABLE passing'
    grep -q passing "$DIR/followed"
  }
  until_true is_followed
  ndb-sql -e 'CREATE TABLE seen (id INTEGER PRIMARY KEY)'
  until_true grep -q "created table 'seen'" "$DIR/followed"
  kill -INT "$follower"
  wait "$follower" && status=0 || status=$?
  [ "$status" -eq 130 ]
  [ "$(grep "'seen'" "$DIR/followed" | json '[j["format_version"], j["severity"], j["category"], j["text"]]')" = \
    "[1, 'info', 'schema', \"created table 'seen'\"]" ]
}

@test "in single user mode only that API node works, others get 299, also those that are connected" {
  mkfifo "$DIR/in"
  ndb-sql <"$DIR/in" >"$DIR/sql.out" 2>&1 3>&- &
  other=$!
  exec 5>"$DIR/in"
  echo 'INSERT INTO seen VALUES (1);' >&5
  has_begun() { [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM seen' | tail -1 | tr -d '\r')" = 1 ]; }
  until_true has_begun
  ndb-mgm -e 'ENTER SINGLE USER MODE 50'
  ndb-mgm -e SHOW | grep -q '^id=50.*allowed single user'
  ndb-mgm -e '1 STATUS' | grep -q 'single user mode'
  echo 'INSERT INTO seen VALUES (2);' >&5
  exec 5>&-
  wait "$other" || true
  cat "$DIR/sql.out"
  grep -q 299 "$DIR/sql.out"
  run ndb-sql -e 'INSERT INTO seen VALUES (3)'
  [[ $output == *299* ]]
  ndb-sql -c "nodeid=50,$NDB_CONNECTSTRING" -e 'INSERT INTO seen VALUES (4)'
  ndb-mgm -e 'EXIT SINGLE USER MODE'
  ndb-sql -e 'INSERT INTO seen VALUES (5)'
  [ "$(ndb-sql --format=csv -e 'SELECT group_concat(id) FROM (SELECT id FROM seen ORDER BY id)' | tail -1 | tr -d '\r"')" = 1,4,5 ]
}

@test "memory is reported" {
  [ "$(ndb-mgm report memory --format=json | json '[n["memory_total"] for n in j["nodes"]]')" = '[33554432, 33554432]' ]
  run ndb-mgm report weather
  [ "$status" -eq 2 ]
}

@test "set changes one parameter and refuses what would hurt" {
  [ "$(ndb-config set DataMemory=48M -m 'more rows' --format=json | json '[j["changed"], j["generation"], j["plan"]["steps"]]')" = '[True, 2, []]' ]
  [ "$(ndb-config -q DataMemory --nodeid=1)" = 50331648 ]
  run ndb-config set DataMemory=16M
  [ "$status" -eq 1 ]
  [[ $output == *"lowered"*"error 9024"*"--accept-warnings"* ]]
  run ndb-config set NoOfReplicas=1 --accept-warnings
  [ "$status" -eq 1 ]
  run ndb-config set DataMemory=1x
  [ "$status" -eq 1 ]
  run ndb-config set DataDir=/elsewhere
  [ "$status" -eq 2 ]
  [[ $output == *"--section"* ]]
  [ "$(ndb-config -q DataMemory --nodeid=1)" = 50331648 ]
}

@test "live: in the running nodes alone; stored: in the configuration alone" {
  run ndb-config set --live MaxNoOfTables=300
  [ "$status" -eq 1 ]
  [[ $output == *"9024"*"TransactionDeadlockDetectionTimeout"* ]]
  run ndb-config set --live DataMemory=1x
  [ "$status" -eq 1 ]
  run ndb-config set --live DataMemory=96M --nodes=1,77
  [ "$status" -ne 0 ]
  total() { ndb-mgm report memory --format=json | json '[n["memory_total"] >> 20 for n in j["nodes"]]'; }
  is_total() { [ "$(total)" = "$1" ]; }
  until_total() { until_true is_total "$1" || { total; return 1; }; }
  [ "$(ndb-config set --live DataMemory=96M --nodes=1 --format=json | json '[j["changed"], j["generation"]]')" = '[True, 2]' ]
  until_total '[96, 48]'
  ndb-config set --live DataMemory=96M
  until_total '[96, 96]'
  [ "$(ndb-config -q DataMemory --nodeid=1)" = 50331648 ]
  ndb-config set --stored DataMemory=128M
  [ "$(ndb-config -q DataMemory --nodeid=1)" = 134217728 ]
  sleep 0.5
  until_total '[96, 96]'
  ndb-mgm show --format=tsv | grep -q "$(printf '^1\tdata\t[^\t]*\tin_sync\t0\t1\\*')"
  ndb-mgm restart 1 --wait --timeout=60
  until_total '[128, 96]'
  ndb-config rollback 2
  ndb-mgm restart 1 --wait --timeout=60
  ndb-mgm restart 2 --wait --timeout=60
  until_total '[48, 48]'
}

@test "a statement that waits for a row of another session ends with 266 after TransactionDeadlockDetectionTimeout, as configured and as told" {
  ndb-sql -e 'CREATE TABLE w (id INT PRIMARY KEY, n INT)' -e 'INSERT INTO w VALUES (1, 0)'
  mkfifo "$DIR/holder.in"
  ndb-sql --format=csv <"$DIR/holder.in" >"$DIR/holder.out" 2>&1 3>&- &
  holder=$!
  exec 5>"$DIR/holder.in"
  echo "BEGIN; UPDATE w SET n = 1 WHERE id = 1; SELECT 'it is' || ' held';" >&5
  until_true grep -q 'it is held' "$DIR/holder.out"
  ends_after() { # MS: the second statement of a transaction waits so long at least, and takes the first one with it
    local from
    from=$(date +%s%3N)
    run ndb-sql <<<'BEGIN; INSERT INTO w VALUES (2, 2); UPDATE w SET n = 2 WHERE id = 1; COMMIT;'
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"error 266: time-out while waiting for a row lock"*"the transaction was rolled back"* ]]
    [ $(($(date +%s%3N) - from)) -ge "$1" ]
    [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM w' | tail -1 | tr -d '\r')" = 1 ]
  }
  [ "$(ndb-config -q TransactionDeadlockDetectionTimeout --nodeid=1)" = 1200 ]
  ends_after 1200
  ndb-config set --live TransactionDeadlockDetectionTimeout=3000
  ends_after 3000
  ndb-config set --live TransactionDeadlockDetectionTimeout=50
  ends_after 50
  ndb-config set --live TransactionDeadlockDetectionTimeout=
  echo 'COMMIT;' >&5
  exec 5>&-
  wait "$holder"
  ndb-sql <<<'BEGIN; INSERT INTO w VALUES (2, 2); UPDATE w SET n = n + 2 WHERE id = 1; COMMIT;'
  [ "$(ndb-sql --format=csv -e 'SELECT n FROM w WHERE id = 1' | tail -1 | tr -d '\r')" = 3 ]
  ndb-sql -e 'DROP TABLE w'
}

@test "pending restarts are found and done, and then there are none" {
  ndb-config set StartFailureTimeout=600000
  [ "$(ndb-mgm rolling-restart --pending --dry-run --format=json | json '[(s["node"], s["why"]) for s in j["order"]]')" = \
    "[(1, 'StartFailureTimeout'), (2, 'StartFailureTimeout')]" ]
  ndb-mgm rolling-restart --pending --timeout=60
  run ndb-mgm rolling-restart --pending
  [ "$status" -eq 0 ]
  [[ $output == "nothing to do"* ]]
}

@test "rollback makes an old generation a new one" {
  [ "$(ndb-config rollback 2 --dry-run --format=json | json '[j["changed"], j["would_change"]]')" = '[False, True]' ]
  [ "$(ndb-config rollback 2 -m 'back' --format=json | json '[j["changed"], j["generation"]]')" = '[True, 6]' ]
  ndb-config diff 2 6 | grep -q '^no difference'
  run ndb-config rollback 99
  [ "$status" -eq 1 ]
  [[ $output == *"error 9025"* ]]
}

@test "queries of NDB's ndb_config" {
  [ "$(ndb-config -q nodeid,type --type=ndbd -r '\n')" = "$(printf '1,ndbd\n2,ndbd')" ]
  [ "$(ndb-config --query=nodeid,host --fields=: --nodeid=10)" = 10:127.0.0.1 ]
  [ "$(ndb-config --config-from-node=1 -q StartFailureTimeout --nodeid=1)" = 600000 ]
  run ndb-config --connections -q nodeid1,nodeid2 -r '\n'
  [[ $output == *1,2* ]]
  generation=$(ndb-mgm show --format=json | json 'j["generation"]')
  [[ $(ndb-config --system -q Name,ConfigGenerationNumber,PrimaryMGMNode) =~ ^MC_[0-9]{14},$generation,0$ ]]
  run ndb-config set LogDestination=PAPER --nodes=10
  [[ $status -eq 1 && $output == *"LogDestination: 'PAPER' is not known"* ]]
  run ndb-config -q nodeid --type=toaster
  [ "$status" -eq 2 ]
}

@test "statements of NDB's client" {
  ndb-mgm -e SHOW | grep -q "$(printf '^id=1\t@127.0.0.1  (mysql-8.4.8 ndb-8.4.8, Nodegroup: 0, \\*)$')"
  ndb-mgm -e SHOW --format=json | json 'j["nodes"]'
  ndb-mgm -e 'all status;' | grep -q '^Node 2: started (mysql-8.4.8 ndb-8.4.8)$'
  [ "$(ndb-mgm -e '2 STATUS' --format=json | json '[n["id"] for n in j["nodes"]]')" = '[2]' ]
  ndb-mgm -e 'ALL REPORT MemoryUsage' | grep -q '^Node 1: Data usage is [0-9]*%([0-9]* 32K pages of total [0-9]*)$'
  ndb-mgm -e 'CLUSTERLOG OFF DEBUG'
  ndb-mgm -e 'ALL CLUSTERLOG SCHEMA=8 CONNECTION=3'
  run ndb-mgm -e '1 CLUSTERLOG WEATHER=8'
  [ "$status" -eq 1 ]
  ndb-mgm -e 'ALL DUMP 1000'
  [ "$(grep -c 'node [12] uses .* of its memory$' "$DIR"/ndb_10_cluster.log)" -eq 2 ]
  for statement in '2 DUMP 7' '1 2 NODELOG DEBUG ON' '50 DUMP 1000'; do
    run ndb-mgm -e "$statement"
    [ "$status" -eq 1 ]
  done
  for statement in '1 DUMP' '1 DUMP x' '1 NODELOG DEBUG' 'TLS' '1 LOGLEVEL'; do
    run ndb-mgm -e "$statement"
    [ "$status" -eq 2 ]
  done
  [ "$(ndb-mgm -e 'ALL REPORT BACKUPSTATUS')" = $'Node 1: Backup not started\nNode 2: Backup not started' ]
  ndb-mgm -e '1 REPORT EVENTLOG' | grep -q 'node 1 connected$'
  ndb-mgm -e '1 2 LOGLEVEL STARTUP=7'
  ndb-mgm -e 'TLS INFO' | grep -q '^this connection is in clear text$'
  run ndb-mgm -e '1 HOSTNAME h'
  [[ $status -eq 1 && $output == *"ndb-config set HostName=h --nodes=1"* ]]
  ndb-mgm -e 'CLUSTERLOG INFO' | grep -q '^Severities enabled: INFO WARNING ERROR CRITICAL ALERT$'
  [ "$(ndb-mgm -e 'CLUSTERLOG TOGGLE INFO')" = 'info disabled' ]
  ndb-mgm -e 'CLUSTERLOG INFO' | grep -q '^Severities enabled: WARNING ERROR CRITICAL ALERT$'
  [ "$(ndb-mgm -e 'CLUSTERLOG ON INFO')" = 'info enabled' ]
  run ndb-mgm -e 'CREATE NODEGROUP 1,2'
  [ "$status" -eq 1 ]
  [[ $output == *"error 322"* ]]
  run ndb-mgm -e 'DROP NODEGROUP 5'
  [ "$status" -eq 1 ]
  ndb-mgm -e 'ENTER SINGLE USER MODE 50'
  run ndb-nodegroup drop 0
  [[ $output == *"error 299"* ]]
  ndb-mgm -e 'EXIT SINGLE USER MODE'
  [ "$(ndb-mgm single-user exit --format=json | json 'j["changed"]')" = False ]
  run ndb-mgm -e 'START BACKUP'
  [ "$status" -eq 1 ]
}

@test "a change that is answered late is made once" {
  kill -STOP "$(cat "$DIR/mgmd.started")"
  ndb-config set DataMemory=64M --format=json >"$DIR/late.json" 3>&- &
  pid=$!
  sleep 1
  kill -CONT "$(cat "$DIR/mgmd.started")"
  wait "$pid"
  [ "$(json '[j["changed"], j["generation"]]' <"$DIR/late.json")" = '[True, 7]' ]
  [ "$(ndb-config history --format=json | json 'j["generation"]')" = 7 ]
}

@test "live: leases, epochs and log levels are one for the whole cluster" {
  level() {
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'get cluster loglevel\n\nbye\n\n' >&4
    timeout 10 cat <&4 | sed -n "s/^$1: //p"
    exec 4>&-
  }
  generation=$(ndb-mgm show --format=json | json 'j["generation"]')
  ndb-config set --live TimeBetweenEpochs=20 TimeBetweenGlobalCheckpoints=200 HeartbeatIntervalDbDb=50 LogLevelSchema=3
  [ "$(level schema)" = 3 ]
  ndb-mgm events --format=json --category=info | grep -q 'the cluster: TimeBetweenEpochs is 20 until its next start'
  ndb-config set --live HeartbeatIntervalDbDb=5000 # longer than ever
  longer() { ndb-mgm events --category=info --severity=debug 2>/dev/null | grep -q 'leases last up to 20000 ms'; }
  until_true longer
  run ndb-config set --live TimeBetweenEpochs=20 --nodes=1
  [ "$status" -eq 1 ]
  [[ $output == *9024*"whole cluster"* ]]
  ndb-config set --live LogLevelSchema=
  [ "$(level schema)" = 7 ]
  [ "$(ndb-mgm show --format=json | json 'j["generation"]')" = "$generation" ]
  ndb-config set --stored LogLevelSchema=12 HeartbeatIntervalDbDb=100 TimeBetweenEpochs=50 --accept-warnings
  [ "$(level schema)" = 7 ]
  ndb-config set LogLevelSchema=13
  [ "$(level schema)" = 13 ]
  ndb-config rollback "$generation"
  ndb-config set --live HeartbeatIntervalDbDb= TimeBetweenEpochs= TimeBetweenGlobalCheckpoints=
}

@test "live: each parameter that running nodes obey is set in them alone, in the configuration alone, and in both" {
  configured() { ndb-config -q "$1" --nodeid=1; }
  local generation name live stored both
  generation=$(ndb-mgm show --format=json | json 'j["generation"]')
  while read -r name live stored both; do
    was=$(configured "$name")
    present=$(ndb-mgm show --format=json | json 'j["generation"]')
    ndb-config set --live "$name=$live"
    [ "$(configured "$name")" = "$was" ]
    [ "$(ndb-mgm show --format=json | json 'j["generation"]')" = "$present" ]
    ndb-mgm events --category=info | grep -q "$name is $live until its next start"
    ndb-config set --stored "$name=$stored" --accept-warnings
    [ "$(configured "$name")" = "$stored" ]
    ndb-mgm events --category=info | grep -q "$name stays what it is until its next start"
    ndb-config set "$name=$both" --accept-warnings
    [ "$(configured "$name")" = "$both" ]
    [ "$(ndb-mgm show --format=json | json 'j["generation"]')" = $((present + 2)) ]
    ndb-config set --live --stored "$name=$stored" --accept-warnings # the same as neither
    [ "$(configured "$name")" = "$stored" ]
  done <<'ROWS'
HeartbeatIntervalDbDb 40 90 100
TimeBetweenEpochs 20 50 60
TimeBetweenGlobalCheckpoints 200 1000 900
TransactionDeadlockDetectionTimeout 150 2500 2000
TransactionInactiveTimeout 60000 70000 80000
LogLevelSchema 3 12 13
ROWS
  ndb-config rollback "$generation"
}

@test "stored: what has no value of its own in running nodes is stored, and says that it holds at once" {
  generation=$(ndb-mgm show --format=json | json 'j["generation"]')
  run ndb-config set --stored MaxNoOfTables=200
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"'MaxNoOfTables' has no value of its own in running nodes: it holds as soon as it is stored"* ]]
  [ "$(ndb-config -q MaxNoOfTables --nodeid=1)" = 200 ]
  run ndb-config set --stored StartPartialTimeout=20000 RedoBuffer=64M
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output != *"'RedoBuffer' has no value of its own"* ]]
  run ndb-config set --live StartFailureTimeout=5000
  [ "$status" -eq 1 ]
  [[ $output == *"set it in the configuration and restart the nodes ('ndb-mgm rolling-restart --pending')"* ]]
  run ndb-config set --live RedoBuffer=64M
  [ "$status" -eq 1 ]
  [[ $output == *"'RedoBuffer' cannot be changed in running nodes alone: it is accepted but not used here"* ]]
  ndb-config rollback "$generation"
}

@test "set: what keeps its value is said, and what nobody would hear of is refused" {
  local generation
  generation=$(ndb-mgm show --format=json | json 'j["generation"]')
  refused() { # WORDS OF THE SENTENCE, ARGUMENTS..
    run ndb-config set "${@:2}"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *$1* ]]
    [ "$(ndb-mgm show --format=json | json 'j["generation"]')" = "$generation" ]
  }
  refused "the name of a cluster cannot change ('MC_"*"' to 'foo'); start a new cluster" Name=foo
  refused "all nodes 10 have a value of their own for 'PortNumber'"*"--nodes" PortNumber=1 --section=ndb_mgmd
  refused "'NodeId' cannot be set: a node keeps its id; remove the node and add another one" NodeId=9 --nodes=2
  ndb-config --print-config-ini >"$DIR/named.ini"
  printf '[system]\nName=foo\n' >>"$DIR/named.ini"
  run ndb-config apply "$DIR/named.ini"
  [ "$status" -eq 1 ]
  [[ $output == *"the name of a cluster cannot change"* ]]
  run ndb-config diff "$DIR/named.ini"
  [[ $output == *"+Name=foo"* ]]
  run ndb-config set TransactionInactiveTimeout=70000 --nodes=1 --dry-run
  [ "$status" -eq 0 ]
  ndb-config --print-config-ini >"$DIR/own.ini"
  printf '[ndbd]\nNodeId=3\nHostName=127.0.0.1\nDataDir=%s\nNodeGroup=65536\nStartFailureTimeout=9000\n' "$DIR" >>"$DIR/own.ini"
  ndb-config apply "$DIR/own.ini"
  run ndb-config set StartFailureTimeout=8000 --dry-run
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"nodes 3 have a value of their own for 'StartFailureTimeout', which stays; name them with --nodes"* ]]
  ndb-config rollback "$generation"
}

@test "a management server that comes back answers when it knows what there is" {
  before=$(ndb-mgm show --format=json | json '[j["generation"], [n["state"] for n in j["nodes"]]]')
  for question in 'ndb-mgm show --format=json' 'ndb-sql -e "SELECT count(*) FROM seen"' 'ndb-nodegroup list'; do
    kill_mgmd
    restart_mgmd
    run bash -c "$question"
    echo "$question: $status $output"
    [ "$status" -eq 0 ]
    [ "${question#*json}" = "$question" ] || [ "$(json '[j["generation"], [n["state"] for n in j["nodes"]]]' <<<"$output")" = "$before" ]
  done
  [[ $output == *complete* ]]
}

@test "the only management server loses its files: the data nodes have the cluster, and no second one is begun" {
  ndb-config show >"$DIR/present.ini"
  question='[j["cluster_id"], j["generation"], [n["state"] for n in j["nodes"]]]'
  before=$(ndb-mgm show --format=json | json "$question")
  kill_mgmd
  rm -r "$DIR/ndb_10_mgm"
  run timeout 30 ndb-mgmd -f "$DIR/config.ini" --configdir="$DIR" --nodaemon # the text of generation 1
  [ "$status" -eq 1 ]
  [[ $output == *"differs from generation "*"DataMemory"*"without --config-file"*"--reload"* ]]
  rm -rf "$DIR/ndb_10_mgm"
  cp "$DIR/present.ini" "$DIR/config.ini"
  restart_mgmd
  run ndb-mgm show --format=json
  echo "$output"
  [ "$(json "$question" <<<"$output")" = "$before" ]
  ndb-sql -e 'INSERT INTO seen VALUES (6)'
  ndb-config history --format=tsv | grep -q '^1' # all generations are back
}

@test "shutdown ends all processes" {
  run ndb-mgm shutdown --dry-run
  [[ $output == "would stop nodes 1, 2, 10" ]]
  ndb-mgm shutdown
  for f in "$DIR"/*.started; do until_true gone "$(cat "$f")"; done
  run ndb-mgm show
  [ "$status" -eq 5 ]
}
