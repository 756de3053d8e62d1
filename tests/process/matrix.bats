#!/usr/bin/env bats
# The failure matrix with real processes. A test's name is its cell, word for word what the manual pages print
# (scripts/matrix) and what tests/scenario tells; what is done and what is expected is read from the name. The process that is
# lost kills itself, as kill -9 would, at a fault point (docs/TESTING.md): nothing is left to time.

setup() {
  load ../cli/cluster
  load live
  local rest=${BATS_TEST_DESCRIPTION#*: }
  WORK=${BATS_TEST_DESCRIPTION%%: *}
  OUTCOME=${rest#*: }
  LOST=${rest%% lost *}
  POINT=${rest#* lost }
  POINT=${POINT%% *}
}
teardown() {
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ]; then tail -n 15 "$DIR"/*.log || true; fi
  end_all
  rm -rf "$DIR"
}

end_all() {
  end_ours KILL "$DIR"/*.started
}

# The processes that are lost die here.
fault_point() {
  case "$WORK, $POINT" in
    "creation of a node group, before") echo "append create node groups" ;;
    "creation of a node group, after") echo "apply create node groups" ;;
    "reorganisation"*", before") echo "apply advance reorganisation copying" ;;
    "reorganisation"*", after") echo "apply advance reorganisation switched" ;;
    *) return 1 ;;
  esac
}

victims() {
  case $LOST in
    'an old node') echo node1 ;;
    'a new node') echo node3 ;;
    'all new nodes') echo node3 node4 ;;
    'the master' | 'the whole cluster') echo mgmd ;;
    *) return 1 ;;
  esac
}

# Nodes 1 and 2 in a node group, 3 and 4 outside, one process with its fault point; rows, and traffic that goes on.
begin() {
  read -ra VICTIMS <<<"$(victims)"
  FAULT=$(fault_point)
  [ "${VICTIMS[0]}" != mgmd ] || export NDB_FAULT=$FAULT
  start_mgmd 1 2 3:free 4:free
  unset NDB_FAULT
  local id
  for id in 1 2 3 4; do
    if [[ " ${VICTIMS[*]} " == *" node$id "* ]]; then
      NDB_FAULT=$FAULT start_node "$id" --initial
    else
      start_node "$id" --initial
    fi
  done
  await_sync
  ndb-sql -e 'CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL, word VARCHAR(20))' \
    -e 'CREATE TABLE bank (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)'
  seq 3000 | sed 's/.*/&,&,word&/' | ndb-import --table=t --quiet --durable
  case $WORK in reorganisation*) ndb-nodegroup create --nodes=3,4 ;; esac
  start_traffic --durable
}

# Sends the order once and does not repeat it, as the tools would: whoever gave it is lost with the master.
order_once() {
  exec 4<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'ndb create nodegroup\nnodes: 3 4\nrequest: 00000000000000000000000000000007\n\n' >&4
  timeout 20 cat <&4 || true
  exec 4>&-
}

give_order() {
  case "$WORK, $LOST" in
    "creation"*"node" | "creation"*"nodes") ndb-nodegroup create --nodes=3,4 ;;
    "creation"*) order_once ;;
    *resume-on-failure*) ndb-reorg start --table=t --resume-on-failure ;;
    *) ndb-reorg start --table=t ;;
  esac
}

wait_for_death() {
  local pid
  pid=$(cat "$DIR/$1.started")
  until_true gone "$pid" && return 0
  echo "$1 has not reached '$FAULT'"
  return 1
}

start_again() {
  case $1 in
    mgmd) mgmd_again ;;
    node*) start_node "${1#node}" ;;
  esac
}

# A management server that comes back knows what happened meanwhile when a change of its own, here one that is refused, has an
# outcome of the log.
catch_up() {
  refused() {
    run ndb-nodegroup create --nodes=99
    [ "$status" -eq 1 ]
  }
  until_true refused || { echo "$output"; return 1; }
}

# Nodes that hold rows have come back, not only not been missed yet.
wait_for_second_life() {
  are_back() { [ "$(ndb-mgm show --format=json | json 'all(n["incarnation"] > 1 and n["state"] == "in_sync" for n in j["nodes"] if n["id"] < 3)')" = True ]; }
  until_true are_back
}

groups() { ndb-nodegroup list --format=json | json 'len(j["groups"])'; }
groups_of_table() { ndb-reorg plan --table=t --format=json | json 'j["groups_before"]'; }

# The work came to its end / is as if it had never begun.
check_done() {
  [ "$(groups)" = 2 ]
  case $WORK in
    reorganisation*)
      ndb-reorg wait --timeout=60
      [ "$(groups_of_table)" = '[0, 1]' ]
      ;;
  esac
}
check_undone() {
  case $WORK in
    reorganisation*)
      run ndb-reorg wait --timeout=60
      echo "$output"
      [ "$status" -eq 1 ]
      [[ $output == *"rolled back"* ]]
      [ "$(groups_of_table)" = '[0]' ]
      ;;
    *) [ "$(groups)" = 1 ] ;;
  esac
}

# Nobody was sent back to its disks.
check_served() {
  [ "$(ndb-mgm show --format=json | json 'all(n["incarnation"] == 1 and n["state"] == "in_sync" for n in j["nodes"] if n["id"] < 3)')" = True ]
}

run_cell() {
  begin
  give_order
  local p
  for p in "${VICTIMS[@]}"; do wait_for_death "$p"; done
  case "$OUTCOME, $LOST" in
    'goes on with'*)
      check_done # while they are still dead
      [ "$LOST" != 'all new nodes' ] || check_served
      for p in "${VICTIMS[@]}"; do start_again "$p"; done
      ;;
    'rolled back, all new nodes')
      run ndb-reorg wait --timeout=60
      echo "$output"
      [ "$status" -eq 1 ]
      [[ $output == *"rolled back"* ]]
      check_served
      for p in "${VICTIMS[@]}"; do start_again "$p"; done
      ;;
    'rolled back, '*)
      start_again mgmd
      catch_up
      check_undone
      ;;
    'rolled forward, '*)
      start_again mgmd
      catch_up
      check_done
      ;;
    'comes back on new groups, all new nodes')
      for p in "${VICTIMS[@]}"; do start_again "$p"; done
      ;;
    'comes back on '*)
      kill_all node1 node2 node3 node4
      for p in mgmd node1 node2 node3 node4; do start_again $p; done
      ;;
    *) return 1 ;;
  esac
  catch_up
  case $OUTCOME in 'comes back on '*) wait_for_second_life ;; esac
  await_sync
  case "$OUTCOME, $LOST" in
    'rolled back, all new nodes') check_undone ;;
    'comes back on old groups, '*) check_undone ;;
    'comes back on new groups, '*) check_done ;;
  esac
  # What was undone can be done now.
  case "$OUTCOME, $WORK" in
    "rolled back, creation"* | *"old groups, creation"*) until_true ndb-nodegroup create --nodes=3,4 ;; # nodes without rows are still coming back
    "rolled back, "* | *"old groups, "*) until_true ndb-reorg start --table=t --wait --timeout=60 ;;
  esac
  check_done
  prove
}


@test "creation of a node group: an old node lost before the commit point: goes on with its heir" { run_cell; }
@test "creation of a node group: an old node lost after the commit point: goes on with its heir" { run_cell; }
@test "creation of a node group: a new node lost before the commit point: goes on with its heir" { run_cell; }
@test "creation of a node group: a new node lost after the commit point: goes on with its heir" { run_cell; }
@test "creation of a node group: all new nodes lost before the commit point: goes on without them" { run_cell; }
@test "creation of a node group: all new nodes lost after the commit point: goes on without them" { run_cell; }
@test "creation of a node group: the master lost before the commit point: rolled back" { run_cell; }
@test "creation of a node group: the master lost after the commit point: rolled forward" { run_cell; }
@test "creation of a node group: the whole cluster lost before the commit point: comes back on old groups" { run_cell; }
@test "creation of a node group: the whole cluster lost after the commit point: comes back on new groups" { run_cell; }
@test "reorganisation: an old node lost before the commit point: goes on with its heir" { run_cell; }
@test "reorganisation: an old node lost after the commit point: goes on with its heir" { run_cell; }
@test "reorganisation: a new node lost before the commit point: goes on with its heir" { run_cell; }
@test "reorganisation: a new node lost after the commit point: goes on with its heir" { run_cell; }
@test "reorganisation: all new nodes lost before the commit point: rolled back" { run_cell; }
@test "reorganisation: all new nodes lost after the commit point: comes back on new groups" { run_cell; }
@test "reorganisation: the master lost before the commit point: rolled back" { run_cell; }
@test "reorganisation: the master lost after the commit point: rolled forward" { run_cell; }
@test "reorganisation: the whole cluster lost before the commit point: comes back on old groups" { run_cell; }
@test "reorganisation: the whole cluster lost after the commit point: comes back on new groups" { run_cell; }
@test "reorganisation, --resume-on-failure: all new nodes lost before the commit point: rolled back" { run_cell; }
@test "reorganisation, --resume-on-failure: all new nodes lost after the commit point: comes back on new groups" { run_cell; }
@test "reorganisation, --resume-on-failure: the master lost before the commit point: rolled forward" { run_cell; }
@test "reorganisation, --resume-on-failure: the master lost after the commit point: rolled forward" { run_cell; }
@test "reorganisation, --resume-on-failure: the whole cluster lost before the commit point: comes back on new groups" { run_cell; }
@test "reorganisation, --resume-on-failure: the whole cluster lost after the commit point: comes back on new groups" { run_cell; }
