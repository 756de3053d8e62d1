#!/usr/bin/env bats
# A data node that the network cuts off: it serves nobody before another takes over, and comes back by itself. Real cuts, by
# network namespaces, so as root only.

setup() {
  load ../cli/cluster
  load live
  if [ "$(id -u)" -ne 0 ] || ! ip netns add "ndbcut$$" 2>/dev/null; then skip "network namespaces need root"; fi
  HUB=ndbcut$$
}
teardown() {
  if [ -n "${HUB:-}" ]; then
    finish
    local i
    for i in 1 2 10; do ip netns del "$HUB-$i" 2>/dev/null || true; done
    ip netns del "$HUB"
  fi
}

# A bridge in a namespace of its own, where the tools run; each process in another one behind a cable, 10.77.0.ID.
start_apart() {
  DIR=$(mktemp -d)
  PORT=1186
  export DIR PORT NDB_CONNECTSTRING=10.77.0.10:1186
  ip -n "$HUB" link add bridge type bridge
  ip -n "$HUB" addr add 10.77.0.254/24 dev bridge
  ip -n "$HUB" link set bridge up
  ip -n "$HUB" link set lo up
  local i
  for i in 1 2 10; do
    ip netns add "$HUB-$i"
    ip -n "$HUB" link add "cable$i" type veth peer name eth netns "$HUB-$i"
    ip -n "$HUB" link set "cable$i" master bridge up
    ip -n "$HUB-$i" addr add "10.77.0.$i/24" dev eth
    ip -n "$HUB-$i" link set eth up
    ip -n "$HUB-$i" link set lo up
  done
  {
    printf '[ndbd default]\nNoOfReplicas=2\nDataMemory=32M\nDataDir=%s\n' "$DIR"
    printf '[ndb_mgmd]\nNodeId=10\nHostName=10.77.0.10\nPortNumber=1186\nDataDir=%s\n' "$DIR"
    for i in 1 2; do printf '[ndbd]\nNodeId=%s\nHostName=10.77.0.%s\n' "$i" "$i"; done
    printf '[mysqld]\nNodeId=50\n[mysqld]\nNodeId=51\n'
  } >"$DIR/config.ini"
  ip netns exec "$HUB-10" ndb-mgmd -f "$DIR/config.ini" --configdir="$DIR" --nodaemon >"$DIR/mgmd.log" 2>&1 3>&- &
  echo $! >"$DIR/mgmd.started"
  for i in 1 2; do
    ip netns exec "$HUB-$i" ndb-node --ndb-nodeid="$i" --nodaemon --initial >"$DIR/node$i.log" 2>&1 3>&- &
    echo $! >"$DIR/node$i.started"
  done
  here ndb-mgm wait 1 2 --timeout=60
}
here() { ip netns exec "$HUB" "$@"; }
cut() { ip -n "$HUB" link set "cable$1" down; }
# isolate on: the processes do not hear each other, the tools hear all of them.
isolate() {
  local i
  for i in 1 2 10; do ip -n "$HUB" link set "cable$i" type bridge_slave isolated "$1"; done
}
heal() { ip -n "$HUB" link set "cable$1" up; }

@test "a data node that is cut off stops, another takes over, and it comes back by itself when the cut heals" {
  start_apart
  here ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY, n INT NOT NULL)' -e 'INSERT INTO u VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)'
  local pid i
  pid=$(cat "$DIR/node1.started")
  cut 1
  logged "declaring node 1 dead" "$DIR/mgmd.log" "$DIR/node2.log"
  here ndb-sql -e "UPDATE u SET n = -1"
  heal 1
  # from now on it can be asked again: never the old rows
  for i in $(seq 200); do
    run here ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
    [ "$status" -eq 0 ]
    [[ "${lines[1]}" == 5,-5* ]]
    [ "$i" -gt 10 ] && grep -q "declared dead by the cluster, restarting" "$DIR/node1.log" && break
  done
  logged "declared dead by the cluster, restarting" "$DIR/node1.log"
  here ndb-mgm wait 1 --timeout=30
  [ "$(tr -d '\n' <"$DIR/ndb_1.pid")" = "$pid" ]
  # what it has fetched is right, too
  kill -9 "$(cat "$DIR/node2.started")"
  run here ndb-sql --format=csv -e "SELECT count(*), sum(n) FROM u"
  [[ "${lines[1]}" == 5,-5* ]]
}

@test "whoever has a majority serves, a minority does not, and all come back by themselves" {
  start_apart
  here ndb-sql -e 'CREATE TABLE u (id INT PRIMARY KEY, n INT NOT NULL)' -e 'INSERT INTO u VALUES (1, 1)'
  cut 10
  # both data nodes are a majority of three; the server was the leader
  logged "leading the metadata log" "$DIR/node1.log" "$DIR/node2.log"
  heal 10
  here ndb-mgm wait 1 2 --timeout=30
  here ndb-sql -e "UPDATE u SET n = 2"
  # Each of the three alone is none, though clients reach all of them: nobody serves, not even what it has in memory.
  isolate on
  run here timeout 3 ndb-sql -e "UPDATE u SET n = 3"
  [ "$status" -ne 0 ]
  run here timeout 3 ndb-sql --format=csv -e "SELECT n FROM u"
  echo "$output"
  [ "$status" -ne 0 ]
  isolate off
  here ndb-mgm wait 1 2 --timeout=40
  here ndb-sql -e "UPDATE u SET n = 4"
  run here ndb-sql --format=csv -e "SELECT n FROM u"
  [[ "${lines[1]}" == 4* ]]
}
