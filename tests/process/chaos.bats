#!/usr/bin/env bats
# scripts/chaos for half a minute each: real processes are killed, stopped and cut off while the cluster grows and shrinks.

CHAOS=$BATS_TEST_DIRNAME/../../scripts/chaos

@test "a node group keeps one member: nothing acknowledged is lost, shared rows are linearizable" {
  json=$("$CHAOS" --minutes 0.5 --seed 11 --bin "$NDB_BIN" | tail -n 1)
  echo "$json"
  [ "$(jq -r '[.good, .linearizable, .replicas_equal, .bank_ok] | all' <<<"$json")" = true ]
  [ "$(jq -r '.lost + .wrong + .duplicated' <<<"$json")" = 0 ]
  [ "$(jq -r '.kills + .pauses + .cuts + .restarts > 5 and .operations > 500 and .orders > 3' <<<"$json")" = true ]
}

@test "nothing is spared, and what was answered as durable is there" {
  json=$("$CHAOS" --minutes 0.5 --seed 12 --power --bin "$NDB_BIN" | tail -n 1)
  echo "$json"
  [ "$(jq -r '[.good, .replicas_equal, .bank_ok] | all' <<<"$json")" = true ]
  [ "$(jq -r '.lost + .wrong + .duplicated' <<<"$json")" = 0 ]
  [ "$(jq -r '.kills > 0 and .operations > 100' <<<"$json")" = true ]
}

@test "wrong usage is status 2, and nothing is started" {
  run "$CHAOS" --minutes 0 --bin "$NDB_BIN"
  [ "$status" -eq 2 ]
  run "$CHAOS" --nonsense
  [ "$status" -eq 2 ]
}
