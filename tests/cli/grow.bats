#!/usr/bin/env bats
# The main job with the tools alone: nodes are added to the configuration, started, made a node group, and the tables are
# spread over it. One cluster for the whole file; each test goes on where the one before ended.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  await_sync
  ndb-sql -e 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)' -e 'CREATE TABLE u (id INTEGER PRIMARY KEY)'
  seq 3000 | sed 's/.*/&,&/' | ndb-import --table=t --quiet
}
teardown_file() { stop_cluster; }

@test "show prints nodes, groups, states and the generation" {
  run ndb-mgm show
  echo "$output"
  [[ ${lines[0]} == *"started, configuration generation 1"* ]]
  ndb-mgm show --format=tsv | grep -qP '^1\tdata\t127.0.0.1\tin_sync\t0\t1\t'
  [ "$(ndb-mgm show --format=json | json '[j["format_version"], j["changed"], len(j["nodes"]), j["groups"]]')" = \
    "[1, False, 5, [{'id': 0, 'members': [1, 2]}]]" ]
}

@test "bad node groups get NDB's numbers, and nothing changes" {
  before=$(ndb-nodegroup list --format=json | json 'j["groups"]')
  while read -r number words; do
    # shellcheck disable=SC2086
    run ndb-nodegroup create $words
    echo "$words: $status $output"
    [ "$status" -eq 1 ]
    [[ $output == "ndb-nodegroup: error $number: "[a-z\'0-9]* ]]
  done <<'CASES'
322 --nodes=3,4
322 --nodes=1,2
322 --nodes=10,50
325 --nodes=147,148
325 --nodes=3,x
320 --nodes=,
CASES
  [ "$(ndb-nodegroup list --format=json | json 'j["groups"]')" = "$before" ]
  run ndb-nodegroup drop 7
  [ "$status" -eq 1 ]
  [[ $output == *"error 9010"*7* ]]
}

@test "what show prints, apply accepts and changes nothing" {
  ndb-config --print-config-ini >"$DIR/same.ini"
  [ "$(ndb-config apply "$DIR/same.ini" --format=json | json '[j["changed"], j["generation"]]')" = '[False, 1]' ]
  ndb-config show --print-config-toml >"$DIR/same.toml"
  [ "$(ndb-config apply "$DIR/same.toml" --format=json | json 'j["changed"]')" = False ]
  ndb-config show --effective | ndb-config diff - | grep -q '^no difference'
}

@test "two data nodes are added to the configuration" {
  ndb-config --print-config-ini >"$DIR/new.ini"
  for id in 3 4; do
    printf '[ndbd]\nNodeId=%s\nHostName=127.0.0.1\nDataDir=%s\nNodeGroup=65536\n' "$id" "$DIR" >>"$DIR/new.ini"
  done
  run ndb-config diff "$DIR/new.ini"
  [[ $output == *"NodeId=3"*"Node added"*"NodeId=4"*"Node added"*"no node needs to restart"* ]]
  run ndb-config apply "$DIR/new.ini" --if-generation=7
  [ "$status" -eq 6 ]
  [ "$(ndb-config apply "$DIR/new.ini" --dry-run --format=json | json '[j["changed"], j["would_change"]]')" = '[False, True]' ]
  [ "$(ndb-config apply "$DIR/new.ini" -m 'two more' --format=json | json '[j["changed"], j["generation"]]')" = '[True, 2]' ]
  [ "$(ndb-config history --format=json | json '[g["message"] for g in j["generations"]]')" = "['two more', '']" ]
}

@test "a rolling restart takes one node after the other" {
  [ "$(ndb-mgm rolling-restart --dry-run --format=json | json '[s["node"] for s in j["order"]]')" = '[1, 2]' ]
  old=$(ndb-mgm show --format=json | json '[n["incarnation"] for n in j["nodes"] if n["id"] < 3]')
  ndb-mgm rolling-restart --timeout=60 --format=json >"$DIR/rolling.json"
  cat "$DIR/rolling.json"
  [ "$(tail -1 "$DIR/rolling.json" | json '[j["event"], j["restarted"], j["failed"]]')" = "['done', [1, 2], []]" ]
  [ "$(ndb-mgm show --format=json | json '[n["incarnation"] for n in j["nodes"] if n["id"] < 3]')" != "$old" ]
  ndb-mgm status 1 2
  [ "$(ndb-mgm show --format=json | json '[n["generation"] for n in j["nodes"] if n["id"] < 3]')" = '[2, 2]' ]
}

@test "waiting for nodes that are not there ends with 7" {
  run ndb-mgm wait 3 4 --timeout=1
  [ "$status" -eq 7 ]
  [[ $output == *"node 3 is down, node 4 is down"* ]]
  run ndb-nodegroup create --nodes=3,4
  [ "$status" -eq 1 ]
  [[ $output == *"error 324"* ]]
}

@test "a new node group, checked first, made once" {
  start_node 3 --initial
  start_node 4 --initial
  ndb-mgm wait 3 4 --timeout=60
  run ndb-nodegroup create --nodes=3
  [[ $output == *"error 320"* ]]
  run ndb-nodegroup create --nodes=3,3
  [[ $output == *"error 326"* ]]
  run ndb-nodegroup create --nodes=3,4 --if-version=1
  [ "$status" -eq 6 ]
  [ "$(ndb-nodegroup create --nodes=3,4 --dry-run --format=json | json '[j["changed"], j["would_change"]]')" = '[False, True]' ]
  [ "$(ndb-nodegroup list --format=json | json 'j["free"]')" = '[3, 4]' ]
  [ "$(ndb-nodegroup create --nodes=3,4 --format=json | json '[j["changed"], j["groups"]]')" = '[True, [1]]' ]
  run ndb-nodegroup create --nodes=3,4
  [[ $output == *"error 322"*"already in node group 1"* ]]
}

@test "a reorganisation is planned, started, waited for, and then nothing is left to do" {
  run ndb-reorg wait
  [ "$status" -eq 0 ]
  run ndb-reorg plan --table=nowhere
  [ "$status" -eq 1 ]
  [[ $output == *"error 723"*nowhere* ]]
  [ "$(ndb-reorg plan --table=t --format=json | json '[j["changed"], j["groups_after"], j["buckets_moved"]]')" = '[True, [0, 1], 1920]' ]
  run ndb-reorg status
  [[ $output == *"no reorganisation yet"* ]]
  [ "$(ndb-reorg start --table=t --format=json | json 'j["changed"]')" = True ]
  [ "$(ndb-reorg wait --timeout=60 --format=json | json '[j["state"], j["table"]]')" = "['done', 't']" ]
  [ "$(ndb-reorg start --table=t --format=json | json 'j["changed"]')" = False ]
  ndb-reorg start --all --wait --timeout=60
  [ "$(ndb-reorg start --all --wait --format=json | json '[j["changed"], j["jobs"]]')" = '[False, []]' ]
  [ "$(ndb-reorg status --all --format=json | json 'len(j["jobs"])')" = 2 ]
}

@test "replicas are equal, and no row is lost" {
  ndb-reorg verify --all --format=json >"$DIR/verify.json"
  [ "$(json '[j["replicas_equal"], j["missing"], [t["rows"] for t in j["tables"] if t["table"] == "t"]]' <"$DIR/verify.json")" = \
    '[True, 0, [3000]]' ]
  [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM t' | tail -1 | tr -d '\r')" = 3000 ]
}

@test "cancelling when nothing runs is nothing to do" {
  [ "$(ndb-reorg cancel --format=json | json 'j["changed"]')" = False ]
  run ndb-reorg cancel --job=1
  [ "$status" -eq 1 ]
  [[ $output == *"error 9030"* ]]
}

@test "a group that holds rows is not dropped; drained, it is" {
  run ndb-nodegroup drop 1
  [ "$status" -eq 1 ]
  [[ $output == *"error 9011"*"t"* ]]
  ndb-reorg start --all --drain=1 --wait --timeout=60
  ndb-nodegroup drop 1
  [ "$(ndb-nodegroup list --format=json | json '[len(j["groups"]), j["free"]]')" = '[1, [3, 4]]' ]
  [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM t' | tail -1 | tr -d '\r')" = 3000 ]
}

@test "Ctrl-C ends the waiting with 130 and says what goes on" {
  ndb-mgm wait 3 --state=down --timeout=30 2>"$DIR/err" 3>&- &
  pid=$!
  until_true talks "$pid"
  kill -INT "$pid"
  wait "$pid" && status=0 || status=$?
  [ "$status" -eq 130 ]
  grep -q '^ndb-mgm: interrupted; nothing was changed$' "$DIR/err"
}
