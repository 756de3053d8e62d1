#!/usr/bin/env bats
# One management server and two data nodes live on without any one of the three.

setup() {
  load ../cli/cluster
  load live
}
teardown() { finish; }

# lose NAME: kill -9 under traffic; nobody sees an error, nothing is lost; says how long writes stood still.
lose() {
  start_cluster 1 2
  load_rows 1000
  start_traffic --marks="$DIR/marks"
  sleep 0.3
  echo lost >>"$DIR/marks"
  kill_all "$1"
  traffic_goes_on
  if [ "$1" = mgmd ]; then
    mgmd_again
    ndb-mgm wait 1 2 --timeout=30
  else
    # a change of the metadata log needs a majority of what is left
    ndb-sql -e 'CREATE TABLE u (id BIGINT PRIMARY KEY)' -e 'INSERT INTO u VALUES (1)'
  fi
  prove
  # shellcheck disable=SC2016
  echo "# $1 lost: writes stood still for $(json 'j["intervals"][-1]["max_stall_ms"]' <"$DIR/traffic.json") ms" >&3
  [ "$(json 'j["intervals"][-1]["name"] == "lost" and j["intervals"][-1]["operations"] > 500' <"$DIR/traffic.json")" = True ]
}

@test "the management server is lost" { lose mgmd; }
@test "the first data node is lost" { lose node1; }
@test "the second data node is lost" { lose node2; }
