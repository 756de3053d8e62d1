#!/usr/bin/env bats
# Bad input to a cluster that is about to grow: what a schema change in progress, missing memory and strangers on the ports get.
# Nodes 1 and 2 have rows, 3 and 4 little memory and no node group. One cluster for the file.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  local id
  EXTRA=''
  for id in 3 4; do
    EXTRA+=$'\n'"[ndbd]"$'\n'"NodeId=$id"$'\n'"HostName=127.0.0.1"$'\n'"DataDir=$DIR"$'\n'"DataMemory=2M"$'\n'"NodeGroup=65536"$'\n'
  done
  write_config 1 2 >"$DIR/new.ini"
  ndb-config apply "$DIR/new.ini"
  for id in 1 2 3 4; do
    ndb-node --ndb-nodeid=$id --nodaemon --initial --port-file="$DIR/port$id" >>"$DIR/node$id.log" 2>&1 3>&- &
    echo $! >"$DIR/node$id.started"
  done
  await_sync
  ndb-sql -e 'CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(300))' -e 'CREATE TABLE u (id INT PRIMARY KEY)'
  seq 20000 | sed "s/.*/&,$(printf 'x%.0s' $(seq 280))/" | ndb-import --table=t --quiet
  ndb-nodegroup create --nodes=3,4
}
teardown_file() { stop_cluster; }

teardown() {
  if [ -n "${HOLDER:-}" ]; then kill -9 "$HOLDER" 2>/dev/null || true; fi
}

# A transaction that is open, and ended with a word: the process HOLDER reads from descriptor 5.
hold_transaction() {
  rm -f "$DIR/in" "$DIR/out"
  mkfifo "$DIR/in"
  ndb-sql <"$DIR/in" >"$DIR/out" 2>&1 3>&- &
  HOLDER=$!
  exec 5>"$DIR/in"
  printf "BEGIN;\nINSERT INTO u VALUES (1);\nSELECT 'open';\n" >&5
  until_true grep -q open "$DIR/out"
}
end_transaction() {
  printf '%s;\n' "$1" >&5
  exec 5>&-
  wait "$HOLDER"
  HOLDER=
}

@test "too little memory on the new nodes: refused before it starts, with the numbers" {
  for verb in plan start; do
    run ndb-reorg $verb --table=t
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output =~ "error 9032: the rows to move need "[0-9]+" KiB at node 3, which has "[0-9]+" KiB of its 2048 KiB DataMemory free" ]]
  done
  [ "$(ndb-reorg status --all --format=json | json 'j["jobs"]')" = '[]' ]
  ndb-reorg start --table=u --wait --timeout=60
}

@test "a table that is spread already is nothing to do" {
  run ndb-reorg start --table=u --format=json
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(json 'j["changed"]' <<<"$output")" = False ]
  run ndb-reorg start --table=u
  [ "$status" -eq 0 ]
  [[ $output == *"nothing to do: table 'u'"* ]]
}

@test "while a schema change runs the others are told who holds it" {
  # A transaction that is open keeps a job waiting: it began before double writing did.
  hold_transaction
  ndb-reorg start --table=u --drain=1
  local job
  job=$(ndb-reorg status --format=json | json 'j["id"]')
  for command in 'ndb-reorg start --table=t' 'ndb-nodegroup drop 1' 'ndb-sql -e DROP~TABLE~t' 'ndb-reorg start --table=u'; do
    words=()
    for w in $command; do words+=("${w//\~/ }"); done
    run "${words[@]}"
    echo "$command: $status $output"
    [ "$status" -eq 1 ]
    [[ $output == *"error 701"*"\"u\""*"job $job"* ]]
  done
  ndb-reorg cancel
  run ndb-reorg wait
  [ "$status" -eq 1 ]
  [[ $output == *"rolled back"* ]]
  end_transaction ROLLBACK
}

@test "Ctrl-C while a job is waited for: 130, and the job goes on" {
  hold_transaction
  ndb-reorg start --table=u --drain=1 --wait >"$DIR/wait.out" 2>"$DIR/wait.err" 3>&- 5>&- &
  local pid=$! status=0
  until_true grep -q '^started job' "$DIR/wait.out"
  kill -INT "$pid"
  wait "$pid" || status=$?
  cat "$DIR/wait.err"
  [ "$status" -eq 130 ]
  grep -q 'goes on' "$DIR/wait.err"
  [ "$(ndb-reorg status --format=json | json 'j["state"]')" = running ]
  end_transaction COMMIT
  ndb-reorg wait --timeout=60
}

@test "garbage on a data node's port closes its own connection, is logged, and that is all" {
  local port
  port=$(cat "$DIR/port1")
  head -c 2000 /dev/urandom >"/dev/tcp/127.0.0.1/$port" || true
  printf 'GET / HTTP/1.0\r\n\r\n' >"/dev/tcp/127.0.0.1/$port"
  printf 'NDBF\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377' >"/dev/tcp/127.0.0.1/$port"
  three_are_logged() { [ "$(grep -c 'what it sent is no frame' "$DIR/node1.log")" -ge 3 ]; }
  until_true three_are_logged
  ndb-mgm status 1
  [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM t' | tail -n 1 | tr -d '\r')" = 20000 ]
}

@test "another version or another cluster is refused with both values" {
  local port
  port=$(cat "$DIR/port1")
  hello() { python3 "$BATS_TEST_DIRNAME/hello.py" "$port" "$1"; }
  [ "$(hello node=0)" = accepted ]
  run hello protocol=7
  echo "$output"
  [[ $output == *"protocol version 7 at the peer, 3 here"* ]]
  run hello cluster=5:other
  echo "$output"
  [[ $output == *"cluster 'other' (0000000000000005) at the peer, cluster "*" here"* ]]
  run hello node=99
  echo "$output"
  [[ $output == *"node id 99 is not in the configuration"* ]]
}
