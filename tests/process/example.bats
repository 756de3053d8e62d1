#!/usr/bin/env bats
# examples/add-node.sh, the whole job on 20,000 rows, and examples/test-cluster.sh.

EXAMPLE=$BATS_TEST_DIRNAME/../../examples/add-node.sh

@test "the cluster grows while it serves, and the last line says so in numbers" {
  json=$("$EXAMPLE" --rows 20000 --json | tail -n 1)
  echo "$json"
  [ "$(jq -r '[.lost, .duplicated, .dml_errors] | add' <<<"$json")" = 0 ]
  [ "$(jq -r .replicas_equal <<<"$json")" = true ]
  [ "$(jq -r .rows <<<"$json")" = 20000 ]
  [ "$(jq -r '.rows_moved > 5000' <<<"$json")" = true ]
  [ "$(jq -r '.dml_ok > 1000' <<<"$json")" = true ]
  [ "$(jq -rc 'keys' <<<"$json")" = \
    '["dml_errors","dml_ok","duplicated","lost","max_stall_ms","p99_ms_before","p99_ms_during","reorg_seconds","replicas_equal","rolling_restart_seconds","rows","rows_after","rows_moved","total_seconds"]' ]
}

@test "a wrong option is a usage error, and nothing is started" {
  run "$EXAMPLE" --rows many
  [ "$status" -eq 2 ]
  run "$EXAMPLE" --nonsense
  [ "$status" -eq 2 ]
}

@test "nodes kept in reserve are ignored until they are enabled, and nobody is restarted for them" {
  run "$BATS_TEST_DIRNAME/../../examples/test-cluster.sh" --rows 3000
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"kept in reserve"* ]]
  [ "${lines[${#lines[@]} - 1]}" = '{"rows":3000,"found":3000,"groups":2,"restarted":false}' ]
}
