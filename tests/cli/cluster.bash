# A small real cluster for the tests of the tools: sourced by *.bats. All processes listen on 127.0.0.1 with ports from the
# system and live under a fresh directory; they are ended by their own ids.
BIN=${NDB_BIN:?set NDB_BIN to the folder of the programs}
PATH=$BIN:$PATH

# A configuration with a management server 10, data nodes $1.. and two API nodes; $REPLICAS (2), lines in $DEFAULTS go to
# [ndbd default], lines in $EXTRA to the end.
write_config() {
  printf '[ndbd default]\nNoOfReplicas=%s\nDataMemory=32M\n%s\n\n' "${REPLICAS:-2}" "${DEFAULTS:-}"
  printf '[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\nPortNumber=%s\nDataDir=%s\n' "$PORT" "$DIR"
  local id
  for id in "$@"; do
    printf '\n[ndbd]\nNodeId=%s\nHostName=127.0.0.1\nDataDir=%s\n' "${id%:*}" "$DIR"
    case $id in *:free) printf 'NodeGroup=65536\n' ;; esac
  done
  printf '\n[mysqld]\nNodeId=50\n\n[mysqld]\nNodeId=51\n%s\n' "${EXTRA:-}"
}

# free_ports N: so many ports that nobody listens on now, all different.
free_ports() {
  python3 -c 'import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held: s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' "$1"
}
free_port() { free_ports 1; }

# until_true COMMAND..: again and again until it succeeds, for half a minute.
until_true() {
  local end=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$end" ]; do
    "$@" && return 0
    sleep 0.05
  done
  "$@"
}
# gone PID: it has ended.
gone() { ! kill -0 "$1" 2>/dev/null; }
# ours PID: a process of this test that runs. One that has ended leaves its number to the next program, which may be of another
# test. (One that was just begun has no environment of its own yet, but is a child of this shell.)
ours() {
  grep -qs "^PPid:[[:blank:]]*$BASHPID\$" "/proc/$1/status" && return 0
  [[ $(readlink "/proc/$1/cwd" 2>/dev/null) == "$DIR"* ]] || grep -qsF -- "$DIR" "/proc/$1/environ" "/proc/$1/cmdline"
}
# ended FILE: the process whose number it holds is gone. A zombie is not: its other threads may hold files yet.
ended() {
  local pid
  pid=$(cat "$1")
  ! grep -qs '^State:.*zombie' "/proc/$pid/status" && ! ours "$pid"
}
# ended_with NAME STATUS: waits for the end of a child of this shell.
ended_with() {
  local pid status=0
  pid=$(cat "$DIR/$1.started")
  until_true gone "$pid" || { echo "$1 has not ended"; return 1; }
  wait "$pid" || status=$?
  [ "$status" -eq "$2" ] || { echo "$1 ended with $status"; return 1; }
}
# end_ours SIGNAL FILE..: the processes whose numbers these files hold, as far as they still run.
end_ours() {
  local f pid
  for f in "${@:2}"; do
    [ -s "$f" ] || continue
    pid=$(cat "$f")
    if ours "$pid"; then kill "-$1" "$pid" 2>/dev/null || true; fi
  done
}
# talks PID: it has a connection, so it has said what Ctrl-C is to say.
talks() { find "/proc/$1/fd" -lname "socket:*" | grep -q .; }

has_generation() { ndb-config history --format=tsv 2>/dev/null | grep -q '^1'; }

start_mgmd() {
  DIR=$(mktemp -d)
  PORT=$(free_port)
  export DIR PORT NDB_CONNECTSTRING=127.0.0.1:$PORT
  write_config "$@" >"$DIR/config.ini"
  mgmd_again
  until_true has_generation && return 0
  cat "$DIR/mgmd.log"
  return 1
}

# mgmd_again [OPTION..]: the management server, once more on what it has stored; returns at once.
mgmd_again() {
  ndb-mgmd -f "$DIR/config.ini" --configdir="$DIR" --nodaemon "$@" >>"$DIR/mgmd.log" 2>&1 3>&- 4>&- &
  echo $! >"$DIR/mgmd.started"
}

start_node() {
  ndb-node --ndb-nodeid="$1" --nodaemon "${@:2}" >>"$DIR/node$1.log" 2>&1 3>&- &
  echo $! >"$DIR/node$1.started"
}

# until_voters N: so many, or more, have a vote in the metadata log. What is killed before may leave no majority behind.
until_voters() {
  voters() { ndb-mgm show --format=json 2>/dev/null | json 'sum(n["vote"] for n in j["nodes"])' 2>/dev/null || echo 0; }
  has_voters() { [ "$(voters)" -ge "$1" ]; }
  until_true has_voters "$1"
}

# await_sync [ID..]: a cluster with two data nodes or more serves, and may lose any process. Else it says why not.
await_sync() {
  ndb-mgm wait --timeout=60 "$@" && until_voters 3 && return 0
  ndb-mgm show || true
  ndb-mgm status --all || true
  tail -n 20 "$DIR"/*.log
  return 1
}

# Data nodes first: the last one to go would wait for a management server that is gone.
stop_cluster() {
  end_and_wait "$DIR"/node*.started
  end_and_wait "$DIR"/*.started
  rm -rf "$DIR"
}
end_and_wait() {
  local f
  end_ours TERM "$@"
  for f in "$@"; do
    [ -e "$f" ] || continue
    for _ in $(seq 50); do
      ended "$f" && break
      sleep 0.1
    done
    end_ours KILL "$f"
  done
}

# tree_state DIRECTORY: names, sizes, times and sums of all files there; two equal answers: nothing was changed.
tree_state() { (cd "$1" && find . ! -type f -printf '%p %y %m\n' | sort && find . -type f -printf '%p %s %T@ %m\n' -exec md5sum {} + | sort); }

# json EXPRESSION: of the JSON on standard input, called j
json() {
  python3 -c 'import json, sys; j = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

# refused_by_stock LINE..: each is refused with status 1, because the management server is NDB's own.
refused_by_stock() {
  local line
  for line in "$@"; do
    # shellcheck disable=SC2086
    run $line
    echo "$line: $status $output"
    [[ $status -eq 1 && $output == *"NDB's own"* ]] || return 1
  done
}
