#!/usr/bin/env bats
# Processes, configuration and the statements of NDB's client, on one cluster of two data nodes.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  ndb-mgm wait --timeout=60
}
teardown_file() { stop_cluster; }

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
  ndb-mgm -e '1 STATUS' | grep -q 'not_started'
  run ndb-mgm wait 1 --timeout=1
  [ "$status" -eq 7 ]
  ndb-mgm start 1
  ndb-mgm wait 1 --timeout=60
  ndb-mgm -e '2 RESTART -n'
  ndb-mgm wait 2 --state=not_started --timeout=60
  ndb-mgm -e '2 START'
  ndb-mgm wait --timeout=60
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
  ndb-mgm wait --timeout=60
}

@test "events tell what happened, filtered by severity" {
  ndb-mgm events | grep -q 'node 2 is down'
  [ "$(ndb-mgm events --format=json | json '[j["format_version"], len(j["events"]) > 3]')" = '[1, True]' ]
  ndb-mgm events --severity=alert --format=tsv >"$DIR/alerts"
  [ "$(head -1 "$DIR/alerts")" = "$(printf 'number\twhen\tseverity\tnode\ttext')" ]
  [ "$(cut -f3 "$DIR/alerts" | sort -u | tr '\n' ' ')" = 'alert severity ' ]
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

@test "pending restarts are found and done, and then there are none" {
  ndb-config set MaxNoOfTables=256
  [ "$(ndb-mgm rolling-restart --pending --dry-run --format=json | json '[(s["node"], s["why"]) for s in j["order"]]')" = \
    "[(1, 'MaxNoOfTables'), (2, 'MaxNoOfTables')]" ]
  ndb-mgm rolling-restart --pending --timeout=60
  run ndb-mgm rolling-restart --pending
  [ "$status" -eq 0 ]
  [[ $output == "nothing to do"* ]]
}

@test "rollback makes an old generation a new one" {
  [ "$(ndb-config rollback 2 --dry-run --format=json | json '[j["changed"], j["would_change"]]')" = '[False, True]' ]
  [ "$(ndb-config rollback 2 -m 'back' --format=json | json '[j["changed"], j["generation"]]')" = '[True, 4]' ]
  ndb-config diff 2 4 | grep -q '^no difference'
  run ndb-config rollback 99
  [ "$status" -eq 1 ]
  [[ $output == *"error 9025"* ]]
}

@test "queries of NDB's ndb_config" {
  [ "$(ndb-config -q nodeid,type --type=ndbd -r '\n')" = "$(printf '1,ndbd\n2,ndbd')" ]
  [ "$(ndb-config --query=nodeid,host --fields=: --nodeid=10)" = 10:127.0.0.1 ]
  [ "$(ndb-config --config-from-node=1 -q MaxNoOfTables --nodeid=1)" = 256 ]
  run ndb-config --connections -q nodeid1,nodeid2 -r '\n'
  [[ $output == *1,2* ]]
  run ndb-config -q nodeid --type=toaster
  [ "$status" -eq 2 ]
}

@test "statements of NDB's client" {
  ndb-mgm -e SHOW | grep -q in_sync
  ndb-mgm -e 'all status;' | grep -q in_sync
  [ "$(ndb-mgm -e '2 STATUS' --format=json | json '[n["id"] for n in j["nodes"]]')" = '[2]' ]
  ndb-mgm -e 'ALL REPORT MemoryUsage' | grep -q MiB
  ndb-mgm -e 'CLUSTERLOG OFF DEBUG'
  ndb-mgm -e 'CLUSTERLOG INFO' | grep -q '^debug *no'
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
  [ "$(json '[j["changed"], j["generation"]]' <"$DIR/late.json")" = '[True, 5]' ]
  [ "$(ndb-config history --format=json | json 'j["generation"]')" = 5 ]
}

@test "shutdown ends all processes" {
  run ndb-mgm shutdown --dry-run
  [[ $output == "would stop nodes 1, 2, 10" ]]
  ndb-mgm shutdown
  for f in "$DIR"/*.started; do
    for _ in $(seq 100); do
      kill -0 "$(cat "$f")" 2>/dev/null || break
      sleep 0.1
    done
    run kill -0 "$(cat "$f")"
    [ "$status" -ne 0 ]
  done
  run ndb-mgm show
  [ "$status" -eq 5 ]
}
