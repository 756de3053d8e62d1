#!/usr/bin/env bats
# The management server as a process: how it starts, what it refuses, and what a person with a socket gets from it.
load cluster.bash

setup() {
  DIR=$(mktemp -d)
  CONFIG=$DIR/config.ini
  printf '[ndbd default]\nNoOfReplicas=1\n[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\nPortNumber=0\n' >"$CONFIG"
  printf '[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[api]\nNodeId=20\n' >>"$CONFIG"
}

teardown() {
  end_ours KILL "$DIR"/pid "$DIR"/*.pid
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 5 "$DIR"/log* || true; fi
  rm -rf "$DIR"
}

run_mgmd() {
  rm -f "$DIR/pid"
  ndb-mgmd -f "$CONFIG" --configdir="$DIR" --port-file="$DIR/port" --nodaemon "$@" >>"$DIR/log" 2>&1 3>&- &
  echo $! >"$DIR/pid"
  until_true serves && return 0
  cat "$DIR/log"
  return 1
}

serves() { [ -s "$DIR/port" ] && ask 'ndb get config' 2>/dev/null | grep -q '^result: Ok'; }

# Says the lines of $1 and prints everything that comes back.
ask() {
  exec 4<>"/dev/tcp/127.0.0.1/$(cat "$DIR/port")" || return 1
  printf '%b\n\nbye\n\n' "$1" >&4
  timeout 10 cat <&4
  exec 4>&-
}

stop_mgmd() {
  local pid
  pid=$(cat "$DIR/pid")
  kill -TERM "$pid"
  until_true gone "$pid"
}

@test "a first start commits the file as generation 1 and answers" {
  run_mgmd
  ask 'get version' | grep -q '^string: mysql-8.4.8 ndb-8.4.8$'
  ask 'get status' | grep -q '^node.1.status: NO_CONTACT$'
  ask 'ndb status' | grep -q '^generation: 1$'
  ask 'ndb get config' | grep -q '^NoOfReplicas=1$'
  ask 'frobnicate' | grep -q "^result: Unknown command, 'frobnicate'$"
}

@test "a server whose connect string names itself does not call itself" {
  printf '%s\n' "$(free_port)" >"$DIR/port"
  NDB_CONNECTSTRING=127.0.0.1:$(cat "$DIR/port") run_mgmd --verbose
  NDB_CONNECTSTRING=127.0.0.1:$(cat "$DIR/port") ndb-mgm wait --state=down --timeout=5
  sleep 1.2 # it called itself once a second
  run grep -iE 'refus|turned away|closing' "$DIR/log"
  echo "$output"
  [ "$status" -ne 0 ]
}

@test "a restart keeps the generation and the port, with or without the file" {
  run_mgmd
  port=$(cat "$DIR/port")
  stop_mgmd
  run_mgmd
  [ "$(cat "$DIR/port")" = "$port" ]
  ask 'ndb status' | grep -q '^generation: 1$'
}

@test "--reload makes a new generation of a changed file, once" {
  run_mgmd
  stop_mgmd
  printf '[api]\nNodeId=21\n' >>"$CONFIG"
  run_mgmd
  ask 'ndb status' | grep -q '^generation: 1$'
  stop_mgmd
  run_mgmd --reload
  reloaded() { ask 'ndb status' | grep -q '^generation: 2$'; }
  until_true reloaded
  stop_mgmd
  run_mgmd --reload
  sleep 0.3
  ask 'ndb status' | grep -q '^generation: 2$'
}

@test "bad files, directories and options are refused with one sentence and nothing is created" {
  refused() {
    run ndb-mgmd "$@"
    [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
    [ "${#lines[@]}" -eq 1 ] || { echo "$output"; return 1; }
    [ "$(ls "$DIR")" = config.ini ]
  }
  refused -f "$DIR/none.ini" --configdir="$DIR" --nodaemon
  [[ $output == *"none.ini"* ]]
  refused -f "$CONFIG" --configdir="$DIR/none" --nodaemon
  [[ $output == *"does not exist"* ]]
  refused -f "$CONFIG" --configdir=relative --nodaemon
  refused -f "$CONFIG" --configdir="$DIR" --ndb-nodeid=11 --nodaemon
  [[ $output == *"11"* ]]
  refused -f "$CONFIG" --configdir="$DIR" --ndb-nodeid=1 --nodaemon
  refused -f "$CONFIG" --configdir="$DIR" --nowait-nodes=0 --nodaemon
  refused -c "$CONFIG" --configdir="$DIR" --nodaemon
  refused --configdir="$DIR" --ndb-nodeid=10 --nodaemon
  printf '[api]\nNodeId=21\nNoSuch=1\n' >>"$CONFIG"
  refused -f "$CONFIG" --configdir="$DIR" --nodaemon
  [[ $output == *"NoSuch"* ]]
  run ndb-mgmd --no-such-option
  [ "$status" -eq 2 ]
}

@test "a port in use is refused and nothing is left behind" {
  run_mgmd
  taken=$(cat "$DIR/port")
  other=$DIR/other
  mkdir "$other"
  sed "s/PortNumber=0/PortNumber=$taken/" "$CONFIG" >"$other/config.ini"
  run ndb-mgmd -f "$other/config.ini" --configdir="$other" --nodaemon
  [ "$status" -eq 1 ]
  [[ $output == *"$taken"* ]]
  [ "$(ls "$other")" = config.ini ]
}

@test "a second server on the same directory is refused, and nothing is changed" {
  run_mgmd
  tree_state "$DIR" | grep -v 'log' >"$BATS_TEST_TMPDIR/before"
  run ndb-mgmd -f "$CONFIG" --configdir="$DIR" --nodaemon
  echo "$output"
  [ "$status" -eq 1 ]
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == *"another one runs on this directory" ]]
  tree_state "$DIR" | grep -v 'log' | diff "$BATS_TEST_TMPDIR/before" -
}

@test "in the background it returns when it listens, and leaves a pid file until it ends" {
  run ndb-mgmd -f "$CONFIG" --configdir="$DIR" --port-file="$DIR/port"
  [ "$status" -eq 0 ]
  [ -s "$DIR/ndb_10.pid" ]
  ask 'check connection' | grep -q '^result: Ok$'
  cp "$DIR/ndb_10.pid" "$DIR/pid"
  stop_mgmd
  [ ! -e "$DIR/ndb_10.pid" ]
}

@test "the full configuration is printed and can be used as a file" {
  ndb-mgmd -f "$CONFIG" --configdir="$DIR" --print-full-config >"$DIR/full.ini"
  grep -q '^DataMemory=' "$DIR/full.ini"
  mv "$DIR/full.ini" "$CONFIG"
  run_mgmd
}

@test "the table of options: what does not go together is refused with status 1 before anything is opened" {
  refused() { # SENTENCE ARGUMENTS..
    run ndb-mgmd "${@:2}" --nodaemon
    [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
    [ "${#lines[@]}" -eq 1 ] || { echo "$output"; return 1; }
    [[ $output == "ndb-mgmd: "*"$1"* ]] || { echo "$output"; return 1; }
    [ "$(ls "$DIR")" = "$files" ]
  }
  sed 's/HostName=127.0.0.1/HostName=192.0.2.1/' "$CONFIG" >"$DIR/elsewhere.ini"
  sed "s|^NodeId=10|NodeId=10\nDataDir=$DIR/none|" "$CONFIG" >"$DIR/nodir.ini"
  sed '/^\[api\]/,$d' "$CONFIG" >"$DIR/noapi.ini"
  files=$(ls "$DIR")
  # of -f, --mycnf and their kin
  refused 'exclude each other' -f "$CONFIG" --mycnf --configdir="$DIR"
  refused 'my.cnf' --mycnf --configdir="$DIR"
  refused 'my.cnf' --cluster-config-suffix=_a --configdir="$DIR"
  refused 'no configuration' -f "$CONFIG" --skip-config-file --configdir="$DIR" --ndb-nodeid=10
  refused "'$DIR/none.ini'" -f "$DIR/none.ini" --initial --configdir="$DIR"
  refused 'no [mysqld] section' -f "$DIR/noapi.ini" --configdir="$DIR"
  # of --configdir
  refused 'no absolute path' -f "$CONFIG" --configdir=here
  refused 'does not exist' -f "$CONFIG" --configdir="$DIR/none"
  # of --nowait-nodes: each its own message
  refused 'there is no node id 0' -f "$CONFIG" --configdir="$DIR" --nowait-nodes=0
  refused 'node ids end at 255' -f "$CONFIG" --configdir="$DIR" --nowait-nodes=250-256
  refused "'x' is no node id" -f "$CONFIG" --configdir="$DIR" --nowait-nodes=11,x
  refused 'ends before it begins' -f "$CONFIG" --configdir="$DIR" --no-wait-nodes=5-3
  # of -c
  refused 'a configuration file is given with -f' -c ./config.ini --configdir="$DIR"
  refused 'a configuration file is given with -f' -c /config.ini --configdir="$DIR"
  # of node ids
  refused 'needs --ndb-nodeid' -f "$CONFIG" --configdir="$DIR" --no-nodeid-checks
  refused 'node id 11 is not in the configuration' -f "$CONFIG" --configdir="$DIR" --ndb-nodeid=11
  refused 'node id 11 is not in the configuration' -f "$CONFIG" --configdir="$DIR" -c nodeid=11,127.0.0.1:1
  refused 'node id 1 is no management server' -f "$CONFIG" --configdir="$DIR" --ndb-nodeid=1
  refused 'no node id' --configdir="$DIR" -c 127.0.0.1:1
  refused 'runs on this computer' -f "$DIR/elsewhere.ini" --configdir="$DIR"
  refused 'which is not this computer' -f "$DIR/elsewhere.ini" --configdir="$DIR" --ndb-nodeid=10
  # of TLS
  refused '--ndb-mgm-tls=strict cannot be obeyed' -f "$CONFIG" --configdir="$DIR" --ndb-mgm-tls=strict
  refused '--ndb-mgm-tls=deferred cannot be obeyed' -f "$CONFIG" --configdir="$DIR" --ndb-mgm-tls=DEFERRED
  # of its own section
  refused "'$DIR/none'" -f "$DIR/nodir.ini" --ndb-nodeid=10 --configdir="$DIR"
  # words that belong to nothing
  refused "'start'" start -f "$CONFIG" --configdir="$DIR"
  refused "'config.ini'" -f "$CONFIG" --configdir="$DIR" config.ini
  run ndb-mgmd --frobnicate -f "$CONFIG" --configdir="$DIR"
  [ "$status" -eq 2 ]
  [[ $output == *"'--frobnicate'"* ]]
  run ndb-mgmd --ndb-nodeid=256 -f "$CONFIG" --configdir="$DIR"
  [ "$status" -eq 2 ]
}

@test "the whole configuration is printed without a look at the port, and nothing is created" {
  run_mgmd
  taken=$(cat "$DIR/port")
  mkdir "$DIR/other"
  sed "s/PortNumber=0/PortNumber=$taken/" "$CONFIG" >"$DIR/other/config.ini"
  run ndb-mgmd -f "$DIR/other/config.ini" --configdir="$DIR/other" -P
  [ "$status" -eq 0 ]
  [[ $output == *"PortNumber=$taken"* ]]
  [ "$(ls "$DIR/other")" = config.ini ]
}

@test "--initial forgets what this node has stored, and leaves what others have in the same directory" {
  run_mgmd
  stop_mgmd
  mkdir "$DIR/ndb_11_mgm"
  echo kept >"$DIR/ndb_11_mgm/ndb_meta.sqlite"
  before=$(md5sum "$DIR/ndb_10_mgm/ndb_meta.sqlite")
  printf 'NoSuch=1\n' >"$DIR/bad.ini"
  run ndb-mgmd -f "$DIR/bad.ini" --ndb-nodeid=10 --configdir="$DIR" --initial --nodaemon
  [ "$status" -eq 1 ]
  [ "$(md5sum "$DIR/ndb_10_mgm/ndb_meta.sqlite")" = "$before" ]
  printf '[api]\nNodeId=21\n' >>"$CONFIG"
  run_mgmd --initial --ndb-nodeid=10
  ask 'ndb get config' | grep -q '^NodeId=21$'
  ask 'ndb status' | grep -q '^generation: 1$'
  [ "$(cat "$DIR/ndb_11_mgm/ndb_meta.sqlite")" = kept ]
}

@test "a connect string beside a file is ignored with a warning" {
  run_mgmd -c 127.0.0.1:1
  grep -q 'connect string are ignored' "$DIR/log"
}

@test "garbage closes its own connection only" {
  run_mgmd
  before=$(ask 'ndb get config')
  head -c 2000 /dev/urandom >"/dev/tcp/127.0.0.1/$(cat "$DIR/port")" || true
  printf 'transporter connect\n\nNDBFgarbagegarbagegarbagegarbage' >"/dev/tcp/127.0.0.1/$(cat "$DIR/port")" || true
  printf 'ndb apply config\nContent-Length: 5000\n\n[ndbd]' >"/dev/tcp/127.0.0.1/$(cat "$DIR/port")" || true
  ask 'check connection' | grep -q '^result: Ok$'
  [ "$(ask 'ndb get config')" = "$before" ]
}

@test "a thousand idle connections, half a request, and a mebibyte of nothing leave the server as it was" {
  run_mgmd
  python3 - "$(cat "$DIR/port")" <<'PYTHON'
import socket, sys
port = int(sys.argv[1])
def connect():
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    return s
idle = [connect() for _ in range(1000)]
half = connect()
half.sendall(b"ndb create nodegroup\nnodes: 1")
flood = connect()
try:
    flood.sendall(b"\0" * (1 << 20))
    flood.settimeout(10)
    while flood.recv(65536):
        pass
except OSError:
    pass
for s in (idle[0], idle[500], idle[999]):
    s.sendall(b"check connection\n\n")
    assert s.recv(1000) == b"check connection reply\nresult: Ok\n\n"
PYTHON
  ask 'check connection' | grep -q '^result: Ok$'
  ask 'ndb status' | grep -q '^generation: 1$'
}

@test "three servers: one may be lost, and one that lost its files is given everything again" {
  local ports id i=0 config=$DIR/three.ini
  mapfile -t ports < <(free_ports 3)
  {
    printf '[ndbd default]\nNoOfReplicas=1\n[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[api]\nNodeId=20\n'
    for id in 10 11 12; do
      printf '[ndb_mgmd]\nNodeId=%s\nHostName=127.0.0.1\nPortNumber=%s\n' "$id" "${ports[i]}"
      i=$((i + 1))
    done
  } >"$config"
  start() {
    mkdir -p "$DIR/m$1"
    ndb-mgmd -f "$config" --ndb-nodeid="$1" --configdir="$DIR/m$1" --nodaemon >>"$DIR/log$1" 2>&1 3>&- &
    echo $! >"$DIR/m$1.pid"
  }
  # says, on the port of the first argument, the second until the third shows up in the answer
  until_told() {
    echo "$1" >"$DIR/port"
    told() { ask "$1" 2>/dev/null | grep -q "$2"; }
    until_true told "$2" "$3"
  }
  start 10
  start 11
  until_told "${ports[0]}" 'ndb status' '^generation: 0$' # the third one is missing
  until_told "${ports[1]}" 'ndb status' '^generation: 0$'
  sleep 0.5
  until_told "${ports[0]}" 'ndb status' '^generation: 0$'
  start 12
  until_told "${ports[2]}" 'ndb status' '^generation: 1$'
  NDB_CONNECTSTRING=127.0.0.1:${ports[2]} until_voters 3
  kill -9 "$(cat "$DIR/m10.pid")"
  until_told "${ports[1]}" 'ndb disable node\nnode: 20\nrequest: 00000000000000000000000000000001' '^result: Ok'
  rm -rf "$DIR/m10/ndb_10_mgm"
  start 10
  until_told "${ports[0]}" 'ndb status' '"disabled":true'
  until_told "${ports[2]}" 'ndb status' '^leader: 1[12]'
}

@test "node ids are given by the addresses of host names, and a name that nobody knows holds up nobody" {
  local here
  here=$(hostname)
  getent hosts "$here" >/dev/null || skip "this computer's name has no address"
  printf '[tcp default]\nAllowUnresolvedHostnames=1\n[ndbd default]\nNoOfReplicas=1\n[ndb_mgmd]\nNodeId=10\nHostName=%s\nPortNumber=0\n' "$here" >"$CONFIG"
  printf '[ndbd]\nNodeId=1\nHostName=%s\n[api]\nNodeId=20\nHostName=%s\n' "$here" "$here" >>"$CONFIG"
  printf '[api]\nNodeId=21\nHostName=no-such-host.invalid\n[api]\nNodeId=22\nHostName=192.0.2.1\n' >>"$CONFIG"
  run_mgmd
  nodeid() { ask "get nodeid\nversion: 525320\nnodetype: 1\nnodeid: $1\nuser: u\npassword: p\npublic key: k\nendian: little\nlog_event: 1"; }
  nodeid 20 | grep -q '^nodeid: 20$'
  nodeid 0 | grep -q '^nodeid: 20$' # free again: the session is over
  nodeid 21 >"$DIR/answer"
  grep -q "^result: id 21 is configured for host 'no-such-host.invalid', whose address cannot be found now, the caller is '127.0.0.1'$" "$DIR/answer"
  grep -q '^error_code: 1103$' "$DIR/answer"
  nodeid 22 | grep -q "^result: id 22 is configured for host '192.0.2.1', the caller is '127.0.0.1'$"
}

@test "options of NDB's server: --interactive, times of the log, TLS" {
  printf '%s\n' "$(free_port)" >"$DIR/port"
  ndb-mgmd -f "$CONFIG" --configdir="$DIR" --port-file="$DIR/port" --interactive --ndb-tls-search-path=/etc/tls \
    --ndb-mgm-tls=relaxed --ndb-log-timestamps=legacy >"$DIR/log" 2>&1 3>&- &
  echo $! >"$DIR/pid"
  answers() { ask 'get version' 2>/dev/null | grep -q '^version'; }
  until_true answers
  kill -0 "$(cat "$DIR/pid")" # in the foreground
  grep -q "no client runs inside this server" "$DIR/log"
  grep -q -- "--ndb-tls-search-path is ignored: this server has no TLS" "$DIR/log"
  grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} INFO -- ' "$DIR/log"
  stop_mgmd
  TZ=EST5 run_mgmd --ndb-log-timestamps=System
  grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{6} -0500 INFO -- ' "$DIR/log"
  stop_mgmd
  : >"$DIR/log"
  run_mgmd --ndb-log-timestamps=utc
  grep -Eq '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{6} INFO -- ' "$DIR/log"
  run ndb-mgmd -f "$CONFIG" --configdir="$DIR" --ndb-log-timestamps=moon
  [ "$status" -eq 2 ]
}
