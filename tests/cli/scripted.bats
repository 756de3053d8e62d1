#!/usr/bin/env bats
# The tools against a server that plays a script: one that loses connections, and one that is NDB's own.
source "$BATS_TEST_DIRNAME/cluster.bash"

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mode=deaf
  [[ $BATS_TEST_DESCRIPTION == stock* ]] && mode=stock
  if [[ $BATS_TEST_DESCRIPTION == recorded* ]]; then
    recorded=${NDB_MGM_DIALOGUES:-$BATS_TEST_DIRNAME/../../../shared/fixtures/mgm}
    [ -d "$recorded" ] || skip "no recorded dialogues at '$recorded' (NDB_MGM_DIALOGUES says where)"
    mode=recorded:$recorded
  fi
  start_server "$mode"
}
teardown() { stop_server; }

start_server() { # MODE
  rm -f port
  python3 "$BATS_TEST_DIRNAME/fake_mgmd.py" "$1" log port 3>&- &
  SERVER=$!
  until_true [ -e port ]
  NDB_CONNECTSTRING=127.0.0.1:$(cat port)
  export NDB_CONNECTSTRING
}
stop_server() {
  if [ -n "${SERVER:-}" ]; then kill "$SERVER"; fi
  SERVER=
}

@test "a change whose answer is lost is repeated with the same request id" {
  run ndb-nodegroup create --nodes=3,4
  echo "$output"
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "created node group 1 at version 9" ]]
  [ "$(grep -c '^ndb create nodegroup' log)" = 3 ]
  [ "$(grep -o 'request: [0-9a-f]\{32\}' log | sort -u | wc -l)" = 1 ]
}

@test "stock server: a question goes to the next server when the first closes the connection, or says nothing" {
  local first
  for first in closing silent; do
    rm -f first.port
    python3 "$BATS_TEST_DIRNAME/fake_mgmd.py" "$first" first.log first.port 3>&- &
    FIRST=$!
    until_true [ -e first.port ]
    run timeout 60 ndb-mgm status --connectstring="127.0.0.1:$(cat first.port),$NDB_CONNECTSTRING"
    kill "$FIRST"
    echo "$first: $output"
    [ "$status" -eq 0 ]
    grep -q 'status' first.log
  done
}

@test "events are the newest of all that are remembered, however many answers they take" {
  [ "$(ndb-mgm events --format=json --limit=2 | json '[e["number"] for e in j["events"]]')" = '[2499, 2500]' ]
  [ "$(ndb-mgm events --format=json --limit=5000 | json 'len(j["events"])')" = 2000 ]
  [ "$(ndb-mgm events --format=json --after=2498 | json '[e["number"] for e in j["events"]]')" = '[2499, 2500]' ]
}

@test "another run draws another request id" {
  ndb-nodegroup create --nodes=3,4
  ndb-nodegroup create --nodes=3,4
  [ "$(grep -o 'request: [0-9a-f]\{32\}' log | sort -u | wc -l)" = 2 ]
}

@test "stock server: show, status and list" {
  ndb-mgm show --format=tsv >out
  cat out
  grep -qP '^1\tdata\t10.0.0.1\tin_sync\t0\t' out
  grep -qP '^3\tdata\t\tdown\tnone\t' out
  [ "$(ndb-nodegroup list --format=tsv | sed -n 2p)" = "$(printf '0\t1,2\t2\tcomplete')" ]
  ndb-mgm status 1 2
  run ndb-mgm wait 3 --timeout=1
  [ "$status" -eq 7 ]
}

@test "stock server: node groups, with its errors in words" {
  run ndb-nodegroup create --nodes=3,4
  [[ ${lines[0]} == "created node group 1" ]]
  run ndb-nodegroup create --nodes=3
  [ "$status" -eq 1 ]
  [[ $output == *"error 320"* ]]
  ndb-nodegroup drop 1
  run ndb-nodegroup drop 0
  [ "$status" -eq 1 ]
  [[ $output == *"error 9011"*"fragments of tables"* ]]
  run ndb-nodegroup drop 9
  [[ $output == *"error 9010"* ]]
}

@test "stock server: stop and restart speak its language" {
  run ndb-mgm restart 1
  [ "$status" -eq 1 ]
  [[ $output == *"error 5028"* ]]
  grep -q '^restart node v2 | node: 1 | abort: 0 | initialstart: 0 | nostart: 0 | force: 0$' log
  run ndb-mgm stop 2 --force
  grep -q '^stop v2 | node: 2 | abort: 0 | force: 1$' log
  run ndb-mgm stop 3 # in no group: it has nobody to hand over to, and NDB's would wait for ever
  grep -q '^stop v2 | node: 3 | abort: 1 | force: 0$' log
}

@test "stock server: all data nodes are ordered with its own words for all" {
  ndb-mgm stop all
  grep -q '^stop all | abort: 0 | stop: db$' log
  ndb-mgm -e 'ALL STOP -a'
  grep -q '^stop all | abort: 1 | stop: db$' log
  ndb-mgm restart all --nostart
  grep -q '^restart all | abort: 0 | initialstart: 0 | nostart: 1$' log
  ndb-mgm -e '2 STOP -a'
  grep -q '^stop v2 | node: 2 | abort: 1 | force: 0$' log
}

@test "stock server: a rolling restart goes node by node, and stops where it is refused" {
  ndb-mgm rolling-restart --nodes=2 --timeout=5
  grep -q '^restart node v2 | node: 2 ' log
  [ "$(ndb-mgm rolling-restart --dry-run --format=json | python3 -c 'import json, sys; print([s["node"] for s in json.load(sys.stdin)["order"]])')" = '[1, 2]' ]
  run ndb-mgm rolling-restart --timeout=5
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"error 5028"*"go on with 'ndb-mgm rolling-restart --nodes=1,2'"* ]]
  [ "$(grep -c '^restart node v2' log)" = 2 ]
}

# What each verb does with NDB's own server: a status, the command. A verb that is not in the list fails the test.
VERBS='0 ndb-mgm show
0 ndb-mgm status 1 2
0 ndb-mgm wait 1 2 --timeout=5
0 ndb-mgm restart 2
0 ndb-mgm stop 2
0 ndb-mgm restart 2 --nostart
0 ndb-mgm start 2
0 ndb-mgm rolling-restart --nodes=2 --timeout=5
0 ndb-mgm single-user enter 51
0 ndb-mgm shutdown
0 ndb-config show
0 ndb-config --print-config-ini
0 ndb-config -q nodeid,host --type=ndbd
0 ndb-config params DataMemory
0 ndb-config check out.ini
0 ndb-config diff out.ini
0 ndb-nodegroup list
0 ndb-nodegroup create --nodes=3,4
0 ndb-nodegroup drop 1
1 ndb-mgm rolling-restart --pending
1 ndb-mgm rolling-restart --on-failure=rollback
1 ndb-mgm enable 3
1 ndb-mgm disable 3
1 ndb-mgm events
0 ndb-mgm report memory
1 ndb-config show --effective
1 ndb-config apply other.ini
1 ndb-config set DataMemory=1G
1 ndb-config set --live DataMemory=1G
1 ndb-config set --stored DataMemory=1G
1 ndb-config history
1 ndb-config rollback 1
1 ndb-nodegroup create --nodes=3,4 --dry-run
1 ndb-nodegroup create --nodes=3,4 --if-version=1
1 ndb-nodegroup drop 1 --dry-run
1 ndb-reorg plan --table=t
1 ndb-reorg start --table=t
1 ndb-reorg status
1 ndb-reorg wait
1 ndb-reorg cancel
1 ndb-reorg verify --table=t'

@test "stock server: every verb of every tool works, or says that it does not before anything is sent" {
  local tool verb expected line
  for tool in ndb-mgm ndb-config ndb-nodegroup ndb-reorg; do
    for verb in $("$tool" --help | sed -n '/^Subcommands:/,$s/^  \([a-z][a-z-]*\) .*/\1/p'); do
      grep -q "^[01] $tool $verb" <<<"$VERBS" || { echo "'$tool $verb' is not in the list"; return 1; }
    done
  done
  ndb-config --print-config-ini >out.ini
  sed 's/^DataMemory=.*/DataMemory=1G/' out.ini >other.ini
  while read -r expected line; do
    : >log
    # shellcheck disable=SC2086
    run $line
    echo "$line: $status $output"
    [ "$status" -eq "$expected" ]
    [ "$expected" -eq 0 ] && continue
    [[ $output == *"NDB's own"* ]]
    ! grep -E '^(create|drop|stop|start|restart|enter|exit|set con|set par|reload)' log
  done <<<"$VERBS"
}

@test "stock server: its configuration is shown and compared" {
  ndb-config --print-config-ini >out.ini
  grep -q '^\[ndbd' out.ini
  ndb-config check out.ini
  ndb-config diff out.ini | grep -q '^no difference'
  [ -n "$(ndb-config -q nodeid --type=ndbd)" ]
}

@test "stock server: gets no keys of commands that it does not know, for it would take them for commands" {
  ndb-config --print-config-ini >out.ini
  ndb-config diff out.ini
  run ndb-config apply out.ini
  run ndb-config rollback 1
  run ndb-nodegroup drop 9
  run ndb-mgm wait 3 --timeout=1
  cat log
  [ "$(grep -c '^ndb ' log)" -gt 0 ]
  run grep '^ndb .*|' log
  [ "$status" -ne 0 ]
}

@test "stock server: the use of memory, from the events that follow its answer" {
  ndb-mgm report memory --format=tsv >out
  cat out
  [ "$(cut -f1-4 out | sed -n 2,3p)" = "$(printf '1\t12.5 MiB\t119.9 MiB\t10\n2\t25.0 MiB\t119.9 MiB\t20')" ]
  [ "$(ndb-mgm -e '2 REPORT MEMORYUSAGE' | head -1)" = 'Node 1: Data usage is 10%(400 32K pages of total 3836)' ]
}

@test "stock server: what it cannot do is refused before anything is done" {
  refused_by_stock 'ndb-reorg start --table=t' 'ndb-reorg status' 'ndb-reorg cancel' 'ndb-config history' \
    'ndb-config set DataMemory=1G' 'ndb-mgm events' 'ndb-mgm enable 3' 'ndb-nodegroup create --nodes=3,4 --dry-run'
  run grep -E '^(create|drop|stop|restart|set)' log
  [ "$status" -ne 0 ]
}

@test "recorded server: nodes, groups and states, in our layout and in its own" {
  ndb-mgm show --format=tsv >out
  cat out
  [ "$(cut -f1,2,4,5 out | sed -n 2,6p)" = "$(printf '1\tdata\tin_sync\t0\n2\tdata\tin_sync\t0\n3\tdata\tin_sync\tnone\n4\tdata\tin_sync\tnone\n10\tmgm\tconnected\t')" ]
  ndb-mgm -e SHOW >out
  cat out
  grep -q "$(printf '^\\[ndbd(NDB)\\]\t4 node(s)$')" out
  grep -q "$(printf '^id=1\t@127.0.0.1  (mysql-8.4.8 ndb-8.4.8, Nodegroup: 0, \\*)$')" out
  grep -q '^id=21 (not connected, accepting connect from 127.0.0.1)$' out
  ndb-mgm -e 'ALL STATUS' | grep -q '^Node 4: started (mysql-8.4.8 ndb-8.4.8)$'
  ndb-mgm status 1 2
  ndb-mgm wait 1 2 --timeout=1
  [ "$(ndb-nodegroup list --format=tsv | sed -n '2,3p' | cut -f1,2,4)" = "$(printf '0\t1,2\tcomplete\n-\t3,4\tno group')" ]
}

@test "recorded server: node groups" {
  run ndb-nodegroup create --nodes=3,4
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "created node group 1" ]]
  run ndb-nodegroup create --nodes=3,3
  [ "$status" -eq 1 ]
  [[ $output == *"error 326"* ]]
  run ndb-nodegroup create --nodes=3
  [[ $output == *"error 320"* ]]
  run ndb-nodegroup drop 1
  [ "$status" -eq 0 ]
  run ndb-nodegroup drop 0
  [[ $output == *"error 9011"* ]]
  run ndb-nodegroup drop 5
  [[ $output == *"error 9010"* ]]
}

@test "recorded server: stop, restart, a rolling restart" {
  ndb-mgm stop 4
  grep -q '^stop v2 | node: 4 | abort: 1 | force: 0$' log
  ndb-mgm restart 2
  ndb-mgm restart 2 --wait --timeout=5
  ndb-mgm rolling-restart --dry-run --format=json | python3 -c 'import json, sys; assert [s["node"] for s in json.load(sys.stdin)["order"]] == [1, 2, 3, 4]'
  ndb-mgm rolling-restart --timeout=5
  [ "$(grep -c '^restart node v2' log)" = 6 ]
}

@test "recorded server: its configuration is decoded, queried, compared, printed" {
  [ "$(ndb-config -q nodeid,type,host,datamemory,noofreplicas --type=ndbd -r '\n')" = \
    "$(printf '%s,ndbd,127.0.0.1,125829120,2\n' 1 2 3 4)" ]
  ndb-config --print-config-ini >out.ini
  ndb-config check out.ini
  ndb-config diff out.ini | grep -q '^no difference'
  ndb-config show --print-config-toml | grep -q 'DataMemory'
  [ "$(ndb-config --connections -q nodeid1,nodeid2 -r '\n' | grep -c '^1,\|^2,')" -gt 3 ]
}

@test "recorded server: what it cannot do is refused before anything is sent" {
  ndb-config --print-config-ini >out.ini
  refused_by_stock 'ndb-config history' 'ndb-config rollback 1' 'ndb-config apply out.ini' 'ndb-mgm events' 'ndb-mgm enable 3' \
    'ndb-mgm rolling-restart --pending' 'ndb-mgm rolling-restart --on-failure=rollback' 'ndb-config set --live DataMemory=1G' 'ndb-nodegroup drop 1 --dry-run' 'ndb-reorg status'
  run grep -E '^(create|drop|stop|restart|set con|reload)' log
  [ "$status" -ne 0 ]
}

# Each dialogue by itself: our tool is asked what the stock client was, and says what that printed.
@test "recorded server: every dialogue, one after the other" {
  local name command words said compared=0
  stop_server
  for name in "$recorded"/*.cmd; do
    name=$(basename "$name" .cmd)
    start_server "recorded:$recorded:$name"
    said=$(grep -v -e '^Connected to' -e '^exit ' "$recorded/$name.out")
    command=$(sed -n 's/^command: //p' "$recorded/$name.cmd")
    case $command in
      'ndb_mgm -e '*) run ndb-mgm -e "${command#ndb_mgm -e }" ;;
      'ndb_waiter -t '*) run ndb-mgm wait --timeout="${command##* }" ;;
      'ndb_config '*)
        read -ra words <<<"${command#ndb_config }"
        run ndb-config "${words[@]}"
        ;;
      *) false ;;
    esac
    echo "$name: $command: $status"
    echo "$output"
    case $name in
      show* | *status* | clusterlog-info)
        [ "$status" -eq 0 ]
        while read -r line; do [[ $output == *"${line% }"* ]] || { echo "missing: $line"; return 1; }; done < <(grep -E '^(id=|Node|Sev|\[)' <<<"$said")
        ;;
      config-*) [ "$output" = "$said" ] ;;
      *-ok | *-again | stop-* | restart-* | single-user-* | start-backup | waiter) [ "$status" -eq 0 ] ;;
      create-nodegroup-*)
        [ "$status" -eq 1 ]
        [[ $output == *"error $(sed -n 's/^\* *\([0-9]*\): Error$/\1/p' <<<"$said"): "* ]]
        ;;
      drop-nodegroup-missing) [[ $status -eq 1 && $output == *"error 9010"* ]] ;;
      drop-nodegroup-used) [[ $status -eq 1 && $output == *"error 9011"* ]] ;;
      bad-command) [ "$status" -eq 2 ] ;;
      report-memory) [ "$output" = "$(sed '/^$/d' <<<"$said")" ] ;;
      *) echo "nobody compares $name"; return 1 ;;
    esac
    compared=$((compared + 1))
    stop_server
  done
  [ "$compared" -gt 20 ]
}
