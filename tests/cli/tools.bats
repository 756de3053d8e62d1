#!/usr/bin/env bats
# What all operators' tools have in common, without a cluster.

BIN=${NDB_BIN:?}
PATH=$BIN:$PATH
TOOLS='ndb-mgm ndb-config ndb-nodegroup ndb-reorg'

verbs() { "$1" --help | sed -n '/^Subcommands:/,$s/^  \([a-z][a-z-]*\) .*/\1/p'; }

@test "help of every tool and subcommand ends well and names the common options" {
  for tool in $TOOLS; do
    [ -n "$(verbs "$tool")" ]
    for verb in '' $(verbs "$tool"); do
      # shellcheck disable=SC2086  # no verb is no word
      run "$tool" $verb --help
      [ "$status" -eq 0 ]
      [[ $output == *--connectstring*--format*--help* ]]
    done
  done
}

@test "a wrong command line is one sentence on stderr and status 2" {
  for line in 'ndb-mgm frobnicate' 'ndb-mgm' 'ndb-mgm restart' 'ndb-mgm show --frob' 'ndb-mgm wait --state=asleep' \
    'ndb-mgm single-user leave' 'ndb-mgm wait --timeout=soon' 'ndb-mgm -e FROB' 'ndb-config' 'ndb-config set' \
    'ndb-config diff 1 2 3' 'ndb-config diff a.ini b.ini' 'ndb-config -q nodeid --nodes --system' \
    'ndb-config params --section=nowhere' 'ndb-nodegroup create' 'ndb-nodegroup drop x' 'ndb-reorg plan' \
    'ndb-reorg start --all --table=t' 'ndb-reorg show --format=yaml' 'ndb-node --frob' 'ndb-node stray' 'ndb-node --ndb-nodeid=x' \
    'ndb-import --frob' 'ndb-sql --frob' 'ndb-mgmd --frob' 'ndb-mgmd --ndb-nodeid=x'; do
    # shellcheck disable=SC2086  # words of a line
    out=$($line 2>"$BATS_TEST_TMPDIR/err") && status=0 || status=$?
    echo "$line: $status $(cat "$BATS_TEST_TMPDIR/err")"
    [ "$status" -eq 2 ]
    [ -z "$out" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
    [[ $(cat "$BATS_TEST_TMPDIR/err") == "${line%% *}: "[a-z\'-]* ]]
  done
}

@test "a cluster that cannot be reached is status 5, with nothing on stdout" {
  for line in 'ndb-mgm show' 'ndb-mgm status' 'ndb-mgm events' 'ndb-mgm stop 1' 'ndb-mgm rolling-restart' \
    'ndb-config show' 'ndb-config --print-config-ini' 'ndb-config set DataMemory=1G' 'ndb-config history' \
    'ndb-nodegroup list' 'ndb-nodegroup create --nodes=3,4' 'ndb-nodegroup drop 1' 'ndb-reorg start --table=t' \
    'ndb-reorg status' 'ndb-reorg cancel'; do
    # shellcheck disable=SC2086
    out=$($line --connectstring=127.0.0.1:1 2>"$BATS_TEST_TMPDIR/err") && status=0 || status=$?
    echo "$line: $status $(cat "$BATS_TEST_TMPDIR/err")"
    [ "$status" -eq 5 ]
    [ -z "$out" ]
    grep -q "127.0.0.1:1'; start ndb-mgmd" "$BATS_TEST_TMPDIR/err"
  done
}

@test "where the management servers are: option, environment, ndb.toml" {
  cd "$BATS_TEST_TMPDIR" || return 1
  printf 'connectstring = "127.0.0.1:3"\n' >ndb.toml
  run env -u NDB_CONNECTSTRING ndb-mgm show
  [[ $output == *"127.0.0.1:3"* ]]
  NDB_CONNECTSTRING=127.0.0.1:2 run ndb-mgm show
  [[ $output == *"127.0.0.1:2"* ]]
  NDB_CONNECTSTRING=127.0.0.1:2 run ndb-mgm show -c 127.0.0.1:1
  [[ $output == *"127.0.0.1:1"* ]]
}

@test "what cannot be printed is one sentence and status 1: a full disk, a closed descriptor" {
  printf '[ndbd default]\nNoOfReplicas=1\nDataDir=%s\n[ndb_mgmd]\nNodeId=10\nHostName=127.0.0.1\n[ndbd]\nNodeId=1\nHostName=127.0.0.1\n[mysqld]\n' \
    "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/c.ini"
  for line in 'ndb-mgm --version' 'ndb-mgm -e HELP' 'ndb-config params' 'ndb-config params --format=json' 'ndb-sql --help' \
    'ndb-sql --version' 'ndb-import --help' 'ndb-node --version' 'ndb-mgmd --help' 'ndb-traffic --version' \
    "ndb-mgmd -P -f $BATS_TEST_TMPDIR/c.ini"; do
    # shellcheck disable=SC2086
    $line >/dev/full 2>"$BATS_TEST_TMPDIR/full" && full=0 || full=$?
    # shellcheck disable=SC2086
    $line >&- 2>"$BATS_TEST_TMPDIR/closed" && closed=0 || closed=$?
    echo "$line: $full $closed $(cat "$BATS_TEST_TMPDIR/full" "$BATS_TEST_TMPDIR/closed")"
    [ "$full $closed" = '1 1' ]
    for file in full closed; do
      [ "$(cat "$BATS_TEST_TMPDIR/$file")" = "${line%% *}: cannot write to standard output" ]
    done
  done
}

@test "every tool starts within 50 ms" {
  for tool in $TOOLS; do
    "$tool" --version >/dev/null # into the cache of files
    best=1000000
    for _ in $(seq 100); do # others may have the processors: the best of many is what the tool needs
      began=$(date +%s%N)
      "$tool" --version >/dev/null
      took=$((($(date +%s%N) - began) / 1000))
      [ "$took" -lt "$best" ] && best=$took
      [ "$best" -lt 50000 ] && break
    done
    echo "$tool: $best us"
    [ "$best" -lt 50000 ]
  done
}

@test "every error of the table stands in ndb(7)" {
  page=$BATS_TEST_DIRNAME/../../man/ndb.7
  for number in $(sed -n 's/^NDB_ERROR([a-z_]*, \([1-9][0-9]*\), .*/\1/p' "$BATS_TEST_DIRNAME/../../lib/base/errors.def"); do
    grep -q "^\.It $number Ta" "$page" || {
      echo "$number is missing"
      return 1
    }
  done
}

@test "completion offers subcommands, options and words" {
  # shellcheck disable=SC1091
  source "$BATS_TEST_DIRNAME/../../completions/bash/ndb-mgm"
  complete_line() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _ndb_tool
    echo "${COMPREPLY[*]}"
  }
  [ "$(complete_line ndb-mgm roll)" = rolling-restart ]
  [ "$(complete_line ndb-mgm rolling-restart --on)" = --on-failure ]
  [ "$(complete_line ndb-mgm rolling-restart --on-failure r)" = rollback ]
  [ "$(complete_line ndb-mgm wait --state = no)" = not_started ]
  [ "$(complete_line ndb-nodegroup '')" = 'list create drop' ]
}

@test "a file is checked without a cluster: all mistakes at once" {
  cd "$BATS_TEST_TMPDIR" || return 1
  printf '[ndbd default]\nNoOfReplicas=2\nNoOfReplicas=9x\nFrob=1\n[ndbd]\nNodeId=1\n' >bad.ini
  run ndb-config check bad.ini
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"line 3"*"line 4"* ]]
  run ndb-config check missing.ini
  [ "$status" -eq 1 ]
  [[ $output == *"'missing.ini'"* ]]
}

@test "parameters are explained; a wrong name gets the right one" {
  run ndb-config params datamemory
  [ "$status" -eq 0 ]
  [[ $output == *DataMemory* ]]
  run ndb-config params DataMemry
  [ "$status" -eq 1 ]
  [[ $output == *"did you mean 'DataMemory'"* ]]
  ndb-config params --format=json | python3 -c 'import json, sys; j = json.load(sys.stdin); assert len(j["parameters"]) > 200 and j["changed"] is False'
  [ "$(ndb-config params --format=tsv | head -1)" = "$(printf 'section\tparameter\ttype\tdefault\trestart\tnote')" ]
}
