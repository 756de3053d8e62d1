#!/usr/bin/env bats
# How management servers come to a configuration and change it, with real servers: the scenarios of docs/TESTING.md.
# Two servers, 10 and 11, without data nodes unless a test starts some.
load cluster.bash

setup() {
  DIR=$(mktemp -d)
  mapfile -t PORTS < <(free_ports 2)
  mkdir "$DIR/m10" "$DIR/m11"
  cd "$DIR" || return 1 # pid files and logs of servers without a DataDir
  P10=${PORTS[0]} P11=${PORTS[1]}
  write two.ini
}

teardown() {
  end_ours KILL "$DIR"/*.started
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 8 "$DIR"/*.log || true; fi
  rm -rf "$DIR"
}

# write FILE [LINE..]: a configuration of two servers; the lines go to the end.
write() {
  {
    printf '[ndbd default]\nNoOfReplicas=1\n[ndbd]\nNodeId=1\nHostName=127.0.0.1\nDataDir=%s\n' "$DIR"
    printf '[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\nPortNumber=%s\n' "$P10"
    printf '[ndb_mgmd]\nNodeId=11\nHostName=127.0.0.1\nPortNumber=%s\n' "$P11"
    printf '[api]\nNodeId=20\n'
    printf '%s\n' "${@:2}"
  } >"$DIR/$1"
}

# start ID [option..]
start() {
  ndb-mgmd --ndb-nodeid="$1" --configdir="$DIR/m$1" --nodaemon "${@:2}" >>"$DIR/$1.log" 2>&1 3>&- &
  echo $! >"$DIR/$1.started"
}
running() { kill -0 "$(cat "$DIR/$1.started")" 2>/dev/null; }
stop() {
  kill -TERM "$(cat "$DIR/$1.started")"
  ended_with "$1" 0
}
port() { [ "$1" = 10 ] && echo "$P10" || echo "$P11"; }
# ask ID TEXT: the reply to a request
ask() {
  exec 4<>"/dev/tcp/127.0.0.1/$(port "$1")" || return 1
  printf '%b\n\nbye\n\n' "$2" >&4
  timeout 10 cat <&4
  exec 4>&-
}
generation() { ask "$1" 'ndb get config' 2>/dev/null | sed -n 's/^generation: //p'; }
server_has() { [ "$(generation "$1")" = "$2" ]; }
# at_generation N ID..: waits until the servers have it
at_generation() {
  local id
  for id in "${@:2}"; do
    until_true server_has "$id" "$1" || { echo "server $id is at generation '$(generation "$id")', not $1"; return 1; }
  done
}
# sees ID OTHER STATUS: what a server says of another node
sees() { ask "$1" 'get status' 2>/dev/null | grep -q "^node.$2.status: $3"; }
both_started() {
  start 10 -f "$DIR/two.ini"
  start 11 -f "$DIR/two.ini"
  at_generation 1 10 11
}

@test "scenario 1: two servers with the same file have generation 1, and keep it over a restart" {
  both_started
  stop 10
  stop 11
  start 10
  start 11 -f "$DIR/two.ini"
  at_generation 1 10 11
}

@test "scenario 2: whatever the order and the options, the end is the same" {
  local first second options
  for first in 10 11; do
    second=$((21 - first))
    for options in '' --reload --initial '--initial --reload'; do
      rm -rf "$DIR"/m1?/*
      # shellcheck disable=SC2086 # several options
      start "$first" -f "$DIR/two.ini" $options
      start "$second" -f "$DIR/two.ini"
      at_generation 1 10 11
      [ "$(ask 10 'ndb get config' | grep ^cluster_id)" = "$(ask 11 'ndb get config' | grep ^cluster_id)" ]
      stop 11
      stop 10
    done
  done
}

@test "scenario 3: --initial with another content while the peer runs ends with 1, and the peer keeps its own" {
  both_started
  stop 11
  write other.ini '[api]' 'NodeId=21'
  start 11 -f "$DIR/other.ini" --initial
  ended_with 11 1
  grep -q 'differs from generation 1' "$DIR/11.log"
  grep -q 'NodeId=21' "$DIR/11.log"
  at_generation 1 10
  start 11 -f "$DIR/two.ini" --initial
  at_generation 1 11
}

@test "scenario 4: a reload on one and then on the other is one new generation" {
  both_started
  write more.ini '[api]' 'NodeId=21'
  stop 10
  start 10 -f "$DIR/more.ini" --reload
  at_generation 2 10 11
  stop 11
  start 11 -f "$DIR/more.ini" --reload
  at_generation 2 11
  ask 11 'ndb config history' | grep -q '"source":"'
  [ "$(ask 11 'ndb config history' | grep -o '"generation":[0-9]*,"when_s"' | wc -l)" = 2 ]
  at_generation 2 10 11
}

@test "scenario 5: --initial with the content of the peer's generation 2 takes over generation 2" {
  both_started
  write more.ini '[api]' 'NodeId=21'
  [ "$(ask 10 "reload config\nconfig_filename: $DIR/more.ini" | sed -n 's/^result: //p')" = Ok ]
  at_generation 2 10 11
  stop 11
  start 11 -f "$DIR/more.ini" --initial
  at_generation 2 11
  running 11
}

@test "scenario 6: a server without a file takes the configuration from its peer, also when that comes later" {
  start 11 -c "127.0.0.1:$P10"
  until_true grep -q 'waiting for a configuration' "$DIR/11.log"
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  at_generation 1 10 11
  stop 11
  start 11
  at_generation 1 11
}

@test "scenario 7: --nowait-nodes starts alone, the other one joins later" {
  start 11 -f "$DIR/two.ini" --nowait-nodes=10
  at_generation 1 11
  start 10 -f "$DIR/two.ini"
  at_generation 1 10
  [ "$(ask 10 'ndb get config' | grep ^cluster_id)" = "$(ask 11 'ndb get config' | grep ^cluster_id)" ]
}

@test "scenario 8: both with --nowait-nodes and different files: the higher id ends when they meet" {
  write other.ini '[api]' 'NodeId=21'
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  start 11 -f "$DIR/other.ini" --nowait-nodes=10
  ended_with 11 1
  at_generation 1 10
  # and when each has begun before they meet
  stop 10
  rm -rf "$DIR"/m1?/*
  start 11 -f "$DIR/other.ini" --nowait-nodes=10
  at_generation 1 11
  stop 11
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  at_generation 1 10
  start 11
  ended_with 11 1
  grep -q 'the higher node id ends' "$DIR/11.log"
  at_generation 1 10
}

@test "both wait for each other with different files: the higher id ends and shows the difference" {
  write other.ini '[api]' 'NodeId=21'
  start 10 -f "$DIR/two.ini"
  start 11 -f "$DIR/other.ini"
  ended_with 11 1
  grep -q 'differs from generation 1' "$DIR/11.log"
  grep -q 'NodeId=21' "$DIR/11.log"
  at_generation 1 10
  running 10
}

@test "scenario 9: without the cache nothing is kept, fetching works, and two run independently" {
  ndb-mgmd --ndb-nodeid=10 -f "$DIR/two.ini" --skip-config-cache --configdir="$DIR/nowhere" --nodaemon >"$DIR/10.log" 2>&1 3>&- &
  echo $! >"$DIR/10.started"
  write other.ini '[api]' 'NodeId=21'
  start 11 -f "$DIR/other.ini" --skip-config-cache
  at_generation 1 10 11
  [ ! -e "$DIR/nowhere" ]
  [ -z "$(find "$DIR/m10" "$DIR/m11" -name '*_mgm')" ]
  ask 10 'ndb get config' | grep -q 'NodeId=20'
  run ask 10 'ndb get config'
  [[ $output != *NodeId=21* ]]
  stop 11
  start 11 -c "127.0.0.1:$P10" --skip-config-cache
  at_generation 1 11
  until_true sees 10 11 CONNECTED
  [ -z "$(find "$DIR/m11" -name '*_mgm')" ]
}

@test "scenario 10: the same file reloaded on both at once is one generation a round" {
  local round id file
  both_started
  write more.ini '[api]' 'NodeId=21'
  for round in 2 3 4 5; do
    file=$([ $((round % 2)) = 0 ] && echo more.ini || echo two.ini)
    for id in 10 11; do
      (ask "$id" "reload config\nconfig_filename: $DIR/$file" >"$DIR/reload$id") 3>&- &
      echo $! >"$DIR/reload$id.pid"
    done
    wait "$(cat "$DIR/reload10.pid")" "$(cat "$DIR/reload11.pid")"
    grep -hq '^result: Ok' "$DIR/reload10" "$DIR/reload11"
    at_generation "$round" 10 11
  done
}

@test "scenario 11: a server finds its node id: in what is stored, in the file, or asks for it" {
  sed '/PortNumber='"$P11"'/d; /NodeId=11/,/HostName/d' "$DIR/two.ini" | sed -e :a -e '/\[ndb_mgmd\]\n*$/{N;s/\[ndb_mgmd\]\n\[api\]/[api]/;ba' -e '}' >"$DIR/one.ini"
  ndb-mgmd -f "$DIR/one.ini" --configdir="$DIR/m10" --nodaemon >"$DIR/10.log" 2>&1 3>&- &
  echo $! >"$DIR/10.started"
  at_generation 1 10
  stop 10
  ndb-mgmd --configdir="$DIR/m10" --nodaemon >>"$DIR/10.log" 2>&1 3>&- &
  echo $! >"$DIR/10.started"
  at_generation 1 10
  run ndb-mgmd -f "$DIR/two.ini" --configdir="$DIR/m11" --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"--ndb-nodeid"* ]]
}

@test "scenario 12: a stopped server is seen as such by the other one, and as connected when it is back" {
  both_started
  until_true sees 10 11 CONNECTED
  stop 11
  until_true sees 10 11 NO_CONTACT
  start 11
  at_generation 1 11
  until_true sees 10 11 CONNECTED
}

@test "scenario 15: a host name that cannot be resolved is refused, or tolerated when the file says so" {
  odd() { # loopback addresses and other names do not go together in one configuration
    write odd.ini "$@"
    sed -i "s/127.0.0.1/no-such-host.invalid/" "$DIR/odd.ini"
  }
  odd
  run ndb-mgmd -f "$DIR/odd.ini" --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon --no-nodeid-checks
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"'no-such-host.invalid'"*"cannot be resolved"*"AllowUnresolvedHostnames"* ]]
  [ -z "$(ls "$DIR/m10")" ]
  odd '[tcp default]' 'AllowUnresolvedHostnames=1'
  start 10 -f "$DIR/odd.ini" --nowait-nodes=11 --bind-address=127.0.0.1 --no-nodeid-checks
  at_generation 1 10
}

@test "scenario 16: two servers lose their link and find each other again; one that was away catches up" {
  # 11 finds 10 at the port of a relay; 10 itself listens on another address of this computer
  start 10 -f "$DIR/two.ini" --bind-address=127.0.0.2 --nowait-nodes=11
  start_relay() {
    python3 "$BATS_TEST_DIRNAME/relay.py" "$P10" 127.0.0.2 "$P10" 3>&- &
    echo $! >"$DIR/relay.started"
  }
  start_relay
  at_generation 1 10
  start 11 -f "$DIR/two.ini"
  at_generation 1 11
  kill -9 "$(cat "$DIR/relay.started")"
  until_true sees 11 10 NO_CONTACT
  until_true gone "$(cat "$DIR/relay.started")"
  start_relay
  write more.ini '[api]' 'NodeId=21'
  reloaded() { ask 11 "reload config\nconfig_filename: $DIR/more.ini" | grep -q '^result: Ok'; }
  until_true reloaded
  at_generation 2 10 11
}

@test "scenario 17: my.cnf is refused before anything is created" {
  run ndb-mgmd --mycnf --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"my.cnf"* ]]
  run ndb-mgmd --mycnf -f "$DIR/two.ini" --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"exclude"* ]]
  [ -z "$(ls "$DIR/m10")" ]
}

@test "scenario 22: everything stops in good order while clients are attached" {
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  start 11 -f "$DIR/two.ini"
  at_generation 1 10 11
  export NDB_CONNECTSTRING=127.0.0.1:$P10,127.0.0.1:$P11
  ndb-node --ndb-nodeid=1 --initial --nodaemon >"$DIR/1.log" 2>&1 3>&- &
  echo $! >"$DIR/1.started"
  ndb-mgm wait --timeout=60
  ndb-sql -e 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
  mkfifo "$DIR/in"
  ndb-sql <"$DIR/in" >"$DIR/sql.log" 2>&1 3>&- &
  echo $! >"$DIR/sql.started"
  exec 5>"$DIR/in"
  echo 'INSERT INTO t VALUES (1);' >&5
  ndb-mgm events --follow >"$DIR/events" 2>&1 3>&- &
  echo $! >"$DIR/events.started"
  exec 6<>"/dev/tcp/127.0.0.1/$P10"
  printf 'listen event\nfilter: SCHEMA=15\n\n' >&6
  ndb-mgm shutdown
  ended_with 1 0
  ended_with 10 0
  ended_with 11 0
  exec 5>&- 6>&-
}

@test "the decision table: what is stored decides, a file that is not asked for is not even read" {
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  at_generation 1 10
  stop 10
  start 10 -f "$DIR/missing.ini"
  at_generation 1 10
  stop 10
  start 10 --reload
  at_generation 1 10
  grep -q -e '--reload without a file' "$DIR/10.log"
  stop 10
  run ndb-mgmd -f "$DIR/missing.ini" --reload --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon
  [ "$status" -eq 1 ]
  run ndb-mgmd -f "$DIR/missing.ini" --initial --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon
  [ "$status" -eq 1 ]
  start 10
  at_generation 1 10
}

@test "before the first configuration: who is waited for is said, and node ids wait" {
  start 10 -f "$DIR/two.ini"
  answers() { ask 10 'check connection' 2>/dev/null | grep -q Ok; }
  until_true answers
  ask 10 'get config_v2\nversion: 525320' | grep -q 'waiting for the management servers 11'
  ask 10 'get config_v2\nversion: 525320\nnodetype: 0\nnode: 1' | grep -q 'waiting for the management servers 11'
  ask 10 'get config_v2\nversion: 525320\nnodetype: 2\nnode: 11' | grep -q '^result: Ok'
  ask 10 'get status' >"$DIR/status"
  grep -q '^nodes: 4' "$DIR/status"
  [ "$(sed -n 's/^node\.\([0-9]*\)\.status: /\1 /p' "$DIR/status" | sort -n | tr '\n' ';')" = \
    '1 NO_CONTACT;10 CONNECTED;11 NO_CONTACT;20 NO_CONTACT;' ]
  grep -q 'waiting for the management servers 11' "$DIR/10.log"
  id='get nodeid\nversion: 525320\nnodetype: 1\nnodeid: 20\nuser: u\npassword: p\npublic key: k\nendian: little\nlog_event: 1'
  ask 10 "$id\ntimeout: 1" | grep -q 'waiting for the management servers 11'
  exec 6<>"/dev/tcp/127.0.0.1/$P10"
  printf '%b\n\n' "$id" >&6
  start 11 -f "$DIR/two.ini"
  [ "$(timeout 20 sed -n '/^nodeid/{p;q}' <&6)" = 'nodeid: 20' ]
  exec 6>&-
}

@test "without the default logic the cluster has no name that the file does not give" {
  start 10 -f "$DIR/two.ini" --nowait-nodes=11
  at_generation 1 10
  ask 10 'ndb get config' | grep -q '^name: MC_2'
  stop 10
  start 10 -f "$DIR/two.ini" --nowait-nodes=11 --initial --skip-default-logic
  at_generation 1 10
  ask 10 'ndb get config' | grep -q '^name: *$'
}

@test "the cluster log is a file that begins anew when it is full" {
  sed -i "s|^NodeId=10|NodeId=10\nDataDir=$DIR/m10\nLogDestination=FILE:filename=c.log,maxsize=400,maxfiles=3|" "$DIR/two.ini"
  start 10 -f "$DIR/two.ini" --nowait-nodes=11 --log-name=Boss
  at_generation 1 10
  grep -q '\[Boss\] INFO -- configuration generation 1' "$DIR/m10"/c.log*
  for i in $(seq 20); do
    ask 10 "report event\nlength: 1\ndata: $i" | grep -q '^result: ok'
  done
  [ "$(cd "$DIR/m10" && echo c.log*)" = 'c.log c.log.1 c.log.2' ]
  [ "$(stat -c %s "$DIR/m10/c.log.1")" -le 400 ]
  grep -q '127.0.0.1.*: 20$' "$DIR/m10/c.log"
  stop 10
  sed -i 's|FILE:filename=c.log|PAPER:filename=c.log|' "$DIR/two.ini"
  run ndb-mgmd -f "$DIR/two.ini" --initial --ndb-nodeid=10 --configdir="$DIR/m10" --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"LogDestination"*"PAPER"* ]]
}
