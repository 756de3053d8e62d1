#!/bin/bash
# A test program that needs no control over processes but its own: four data nodes in the configuration from the first
# start, two of them kept in reserve (Disabled). The cluster starts with two; then the others are enabled, started, made a
# node group, and the table is spread over them. No process that runs is restarted.
#
#   examples/test-cluster.sh [--rows N] [--keep]
#
#   --rows N   rows of the table (10000)
#   --keep     leave the cluster running, and its files
#
# Everything runs on 127.0.0.1. The programs are looked for in $NDB_BIN, else in build/release, else in $PATH.
# The last line is JSON. Exit status: 0 every row is there and nobody was restarted. 1 otherwise. 2 usage.
set -euo pipefail

rows=10000 keep=false
while [ $# -gt 0 ]; do
  case "$1" in
    --rows) rows=${2:?--rows needs a number}; shift 2 ;;
    --rows=*) rows=${1#*=}; shift ;;
    --keep) keep=true; shift ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test-cluster.sh: '$1' is not known; see --help" >&2; exit 2 ;;
  esac
done
[[ $rows =~ ^[0-9]+$ ]] || { echo "test-cluster.sh: --rows '$rows' is no number" >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${NDB_BIN:-}" ]; then PATH=$NDB_BIN:$PATH; else PATH=$here/../build/release:$PATH; fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/test-cluster.XXXXXX")
cd "$dir"

clean_up() {
  status=$?
  trap - EXIT
  if $keep; then
    echo "the cluster runs on; NDB_CONNECTSTRING=${NDB_CONNECTSTRING:-} dir=$dir" >&2
    exit "$status"
  fi
  if [ "$status" -ne 0 ]; then tail -n 20 ./*/ndb_*_out.log >&2 2>/dev/null || true; fi
  for pid_file in ./*/ndb_*.pid; do
    [ -s "$pid_file" ] && kill -9 "$(cat "$pid_file")" 2>/dev/null
  done
  cd / && rm -rf "$dir"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { printf '\n%s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
fail() { echo "test-cluster.sh: $*" >&2; exit 1; }
count() { ndb-sql --format=csv -e "SELECT count(*) FROM t" | tail -n 1 | tr -d '\r'; }
incarnations() { ndb-mgm show --format=json | jq -c '[.nodes[] | select(.id <= 2) | .incarnation]'; }

step "1. Four data nodes in the configuration, two of them in reserve."
mkdir -p mgmd node1 node2 node3 node4
{
  printf '[ndbd default]\nNoOfReplicas=2\nDataMemory=64M\n\n'
  printf '[ndb_mgmd]\nNodeId=49\nHostName=localhost\nPortNumber=0\nDataDir=mgmd\n'
  for id in 1 2; do printf '\n[ndbd]\nNodeId=%s\nHostName=localhost\nDataDir=node%s\n' "$id" "$id"; done
  for id in 3 4; do printf '\n[ndbd]\nNodeId=%s\nHostName=localhost\nDataDir=node%s\nDisabled=1\n' "$id" "$id"; done
  printf '\n[mysqld]\n[mysqld]\n[mysqld]\n'
} >config.ini
run ndb-mgmd --config-file=config.ini --bind-address=127.0.0.1 --port-file=mgmd/port
NDB_CONNECTSTRING=127.0.0.1:$(cat mgmd/port)
export NDB_CONNECTSTRING

step "2. The cluster starts without them."
run ndb-node --ndb-nodeid=1 --initial
run ndb-node --ndb-nodeid=2 --initial
run ndb-mgm wait --timeout=60
run ndb-mgm show
if ndb-node --ndb-nodeid=3 --initial 2>refused; then fail "node 3 was let in although it is in reserve"; fi
cat refused
run ndb-sql -e "CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL)"
seq "$rows" | sed 's/.*/&,&/' | ndb-import --table=t --quiet
before=$(incarnations)

step "3. Take them out of reserve, and start them."
run ndb-mgm enable 3
run ndb-mgm enable 4
run ndb-node --ndb-nodeid=3 --initial
run ndb-node --ndb-nodeid=4 --initial
run ndb-mgm wait 3 4 --timeout=60

step "4. Make them a node group, and spread the table over both."
run ndb-nodegroup create --nodes=3,4
run ndb-reorg start --table=t
run ndb-reorg wait
run ndb-reorg verify --table=t
run ndb-mgm show

found=$(count)
after=$(incarnations)
groups=$(ndb-nodegroup list --format=json | jq '.groups | length')
jq -nc --argjson rows "$rows" --argjson found "$found" --argjson groups "$groups" --argjson before "$before" \
  --argjson after "$after" '{rows: $rows, found: $found, groups: $groups, restarted: ($before != $after)}' >result.json
step "In numbers:"
cat result.json
jq -e '.rows == .found and .groups == 2 and (.restarted | not)' result.json >/dev/null
