#!/bin/bash
# Grows a running cluster from two data nodes to four, while clients read and write, and proves that nothing was lost.
#
#   examples/add-node.sh [--rows N] [--json] [--keep] [--dir DIR]
#
#   --rows N   N generated rows instead of those of Debian's tor-geoipdb
#   --json     what is done goes to standard error; standard output is one JSON line
#   --keep     leave the cluster running, and its files
#   --dir DIR  where the files go (a scratch directory that is removed at the end)
#
# Everything runs on 127.0.0.1. The programs are looked for in $NDB_BIN, else in build/release, else in $PATH.
# Exit status: 0 nothing lost, nothing doubled, no client saw an error, replicas equal. 1 otherwise. 2 usage.
set -euo pipefail

rows=0 json=false keep=false dir=''
while [ $# -gt 0 ]; do
  case "$1" in
    --rows) rows=${2:?--rows needs a number}; shift 2 ;;
    --rows=*) rows=${1#*=}; shift ;;
    --json) json=true; shift ;;
    --keep) keep=true; shift ;;
    --dir) dir=${2:?--dir needs a directory}; shift 2 ;;
    --dir=*) dir=${1#*=}; shift ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "add-node.sh: '$1' is not known; see --help" >&2; exit 2 ;;
  esac
done
[[ $rows =~ ^[0-9]+$ ]] || { echo "add-node.sh: --rows '$rows' is no number" >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${NDB_BIN:-}" ]; then PATH=$NDB_BIN:$PATH; else PATH=$here/../build/release:$PATH; fi
if [ -n "$dir" ]; then mkdir -p "$dir"; else dir=$(mktemp -d "${TMPDIR:-/tmp}/add-node.XXXXXX"); scratch=$dir; fi
exec 3>&1
$json && exec 1>&2
cd "$dir"

traffic=''
clean_up() {
  status=$?
  trap - EXIT
  if [ -n "$traffic" ]; then kill "$traffic" 2>/dev/null || true; fi
  if $keep; then
    echo "the cluster runs on; NDB_CONNECTSTRING=${NDB_CONNECTSTRING:-} dir=$dir" >&2
    exit "$status"
  fi
  if [ "$status" -ne 0 ]; then tail -n 20 ./*/ndb_*_out.log ./*.err >&2 2>/dev/null || true; fi
  for pid_file in ./*/ndb_*.pid; do
    [ -s "$pid_file" ] && kill -9 "$(cat "$pid_file")" 2>/dev/null
  done
  cd / && rm -rf "${scratch:-/nonexistent}"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

now() { echo "${EPOCHREALTIME/,/.}"; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
step() { printf '\n%s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }                  # shows a command, then runs it
mark() { echo "$1" >>marks; }                          # from here on, latencies count for this interval
fail() { echo "add-node.sh: $*" >&2; exit 1; }

began=$(now)

step "1. Start a management server and two data nodes."
mkdir -p mgmd node1 node2 node3 node4
sed 's/^PortNumber=.*/PortNumber=0/' "$here/config.ini" >config.ini  # 0: a free port, written to the port file
run ndb-mgmd --config-file=config.ini --bind-address=127.0.0.1 --port-file=mgmd/port
NDB_CONNECTSTRING=127.0.0.1:$(cat mgmd/port)
export NDB_CONNECTSTRING
run ndb-node --ndb-nodeid=1 --initial
run ndb-node --ndb-nodeid=2 --initial
run ndb-mgm wait 1 2 --timeout=60
run ndb-mgm show

step "2. Create the tables and load rows."
run ndb-sql -e "CREATE TABLE ips (id BIGINT PRIMARY KEY, family TINYINT NOT NULL, first VARCHAR(39) NOT NULL,
                  last VARCHAR(39) NOT NULL, country CHAR(2) NOT NULL)" \
            -e "CREATE TABLE bank (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)"
dotted='function ip(n) { return int(n/16777216) "." int(n/65536)%256 "." int(n/256)%256 "." n%256 }'
if [ "$rows" -gt 0 ]; then
  awk -v n="$rows" "$dotted"' BEGIN { for (i = 1; i <= n; i++) {
    printf "%d,4,%s,%s,%c%c\n", i, ip(i * 256), ip(i * 256 + 255), 65 + i % 26, 65 + i % 7 } }' </dev/null >ips.csv
else
  [ -r /usr/share/tor/geoip ] || fail "/usr/share/tor/geoip is not there: install tor-geoipdb, or give --rows N"
  awk -F, "$dotted"' /^#/ { next }
    FILENAME ~ /6$/ { print ++id ",6," $1 "," $2 "," $3; next }
    { print ++id ",4," ip($1) "," ip($2) "," $3 }' /usr/share/tor/geoip /usr/share/tor/geoip6 >ips.csv
fi
rows=$(wc -l <ips.csv)
load_began=$(now)
run ndb-import --table=ips ips.csv
echo "$rows rows in $(since "$load_began") s"
loaded=$(ndb-sql --format=csv -e "SELECT count(*) FROM ips" | tail -n 1 | tr -d "\r")
[ "$loaded" = "$rows" ] || fail "$loaded of $rows rows arrived"

step "3. Start live traffic: reads, updates, inserts, deletes, and transfers between the accounts of a bank."
: >marks
ndb-traffic run --table=ips --bank=bank --accounts=1000 --threads=4 --rate=2000 --journal=journal --marks=marks \
  --stop-file=stop --summary=traffic.json 2>traffic.err &
traffic=$!
until [ -e journal ]; do
  kill -0 "$traffic" 2>/dev/null || fail "the traffic did not start: $(cat traffic.err)"
  sleep 0.05
done
mark before
sleep 3
run ndb-traffic rows --by-node --table=ips --table=bank

step "4. Add nodes 3 and 4 to the configuration, in no node group."
mark config
ndb-config --print-config-ini >new.ini
for id in 3 4; do
  printf '\n[ndbd]\nNodeId=%s\nHostName=localhost\nDataDir=node%s\nNodeGroup=65536\n' "$id" "$id" >>new.ini
done
run ndb-config diff new.ini || [ $? -le 1 ]
run ndb-config apply new.ini --message="two more data nodes"

step "5. Restart the data nodes one after the other."
mark restart
run ndb-mgm rolling-restart --dry-run
restart_began=$(now)
run ndb-mgm rolling-restart
rolling_restart_seconds=$(since "$restart_began")
echo "the rolling restart took $rolling_restart_seconds s"

step "6. Start nodes 3 and 4."
mark new-nodes
run ndb-node --ndb-nodeid=3 --initial
run ndb-node --ndb-nodeid=4 --initial
run ndb-mgm wait 3 4 --timeout=60

step "7. Make a node group of them. A table created now uses both groups."
mark group
run ndb-nodegroup create --nodes=3,4
run ndb-sql -e "CREATE TABLE later (id BIGINT PRIMARY KEY, word VARCHAR(20))" \
            -e "INSERT INTO later VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four'), (5, 'five')"
run ndb-traffic rows --by-node --table=later

step "8. Spread the tables over both node groups."
run ndb-reorg plan --table=ips
mark during
reorg_began=$(now)
run ndb-reorg start --table=ips
run ndb-reorg wait
moved_ips=$(ndb-reorg status --format=json | jq '[.. | objects | .rows_moved? // empty] | first')
run ndb-reorg start --table=bank
run ndb-reorg wait
moved_bank=$(ndb-reorg status --format=json | jq '[.. | objects | .rows_moved? // empty] | first')
reorg_seconds=$(since "$reorg_began")
mark after
run ndb-reorg start --all   # nothing is left to do
echo "the reorganisation took $reorg_seconds s"
sleep 1

step "9. Stop the traffic, and prove it."
touch stop
traffic_status=0
wait "$traffic" || traffic_status=$?
traffic=''
cat traffic.err
[ -s traffic.json ] || fail "the traffic ended with status $traffic_status and without a summary"
run ndb-traffic rows --by-node --table=ips --table=bank
proof_status=0
ndb-traffic verify --table=ips --bank=bank --journal=journal --format=json >proof.json || proof_status=$?
[ -s proof.json ] || fail "the proof ended with status $proof_status and without a result"
run ndb-traffic verify --table=ips --bank=bank --journal=journal || true
if run ndb-nodegroup drop 1; then fail "a node group that holds rows was dropped"; fi

jq -nc --slurpfile t traffic.json --slurpfile p proof.json --argjson rows "$rows" \
  --argjson rows_moved "$((${moved_ips:-0} + ${moved_bank:-0}))" --argjson reorg_seconds "$reorg_seconds" \
  --argjson rolling_restart_seconds "$rolling_restart_seconds" --argjson total_seconds "$(since "$began")" '
  def p99(name): [$t[0].intervals[] | select(.name == name) | .p99_ms] | first;
  {rows: $rows, rows_after: $p[0].rows, rows_moved: $rows_moved, lost: ($p[0].lost + $p[0].wrong),
   duplicated: $p[0].duplicated, replicas_equal: ($p[0].replicas_equal and $p[0].misplaced == 0),
   dml_ok: $t[0].dml_ok, dml_errors: ($t[0].dml_errors + $t[0].wrong_reads),
   p99_ms_before: p99("before"), p99_ms_during: p99("during"), max_stall_ms: $t[0].max_stall_ms,
   reorg_seconds: $reorg_seconds, rolling_restart_seconds: $rolling_restart_seconds,
   total_seconds: $total_seconds}' >result.json
if $json; then cat result.json >&3; else step "The whole job in numbers:"; jq . result.json; fi
jq -e '.lost == 0 and .duplicated == 0 and .dml_errors == 0 and .replicas_equal' result.json >/dev/null &&
  [ "$proof_status" -eq 0 ] && [ "$traffic_status" -eq 0 ]
