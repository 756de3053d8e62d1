#!/usr/bin/env bats
# Every row of tests/fixtures/config-rows.txt given to the programs: what ndb-config check says, and that ndb-mgmd does
# not begin with a bad file. (What a running server says of them: tests/unit/mgmt_config_rows_test.cc.)
load cluster.bash

setup_file() {
  ROWS=$(mktemp -d)
  export ROWS
  # row-N.ini the text, row-N.error and row-N.warning the sentences that are expected, a line each
  python3 - "$BATS_TEST_DIRNAME/../fixtures/config-rows.txt" "$ROWS" <<'PYTHON'
import re, sys
nodes = "".join(f"[{kind}]\nNodeId={id}\n{rest}" for kind, id, rest in (
    ("ndb_mgmd", 10, "HostName=127.0.0.1\n"), ("ndbd", 1, "HostName=127.0.0.1\n"), ("ndbd", 2, "HostName=127.0.0.1\n"),
    ("ndbd", 3, "HostName=127.0.0.1\nNodeGroup=65536\n"), ("mysqld", 20, "HostName=127.0.0.1\n"), ("mysqld", 21, "")))
fourth = "[ndbd]\nNodeId=4\nHostName=127.0.0.1\nNodeGroup=65536\n"
for number, row in enumerate(open(sys.argv[1]).read().split("\n=== ")[1:]):
    lines = row.rstrip("\n").split("\n")[1:]
    said = [line[2:].split(" ", 1) for line in lines if line.startswith("> ")]
    text = "\n".join(line for line in lines if not line.startswith("> ")) + "\n"
    text = text.replace("{cluster}\n", nodes + fourth).replace("{cluster-without-4}\n", nodes)
    name = f"{sys.argv[2]}/row-{number}"
    open(name + ".ini", "w").write(text)
    for kind in ("error", "warning"):
        open(f"{name}.{kind}", "w").write("".join(s[1] + "\n" for s in said if s[0] == kind))
PYTHON
}
teardown_file() { rm -rf "$ROWS"; }

@test "every rule of configurations: ndb-config check says it, status 1 for mistakes and 0 for warnings" {
  local file line count=0
  for file in "$ROWS"/row-*.ini; do
    run ndb-config check "$file"
    if [ -s "${file%ini}error" ]; then expected=1; else expected=0; fi
    [ "$status" -eq "$expected" ] || { cat "$file"; echo "status $status: $output"; return 1; }
    while read -r line; do
      [[ $output == *"$line"* ]] || { cat "$file"; echo "not said: $line; but: $output"; return 1; }
    done < <(cat "${file%ini}error" "${file%ini}warning")
    count=$((count + 1))
  done
  [ "$count" -ge 100 ]
}

@test "every rule of configurations: ndb-mgmd does not begin with a mistake, says the first one, and creates nothing" {
  local file count=0
  mkdir "$ROWS/store"
  for file in "$ROWS"/row-*.ini; do
    [ -s "${file%ini}error" ] || continue
    run ndb-mgmd -f "$file" --ndb-nodeid=10 --configdir="$ROWS/store" --nodaemon
    [ "$status" -eq 1 ] || { cat "$file"; echo "status $status: $output"; return 1; }
    [ "${#lines[@]}" -eq 1 ] || { echo "$output"; return 1; }
    [[ $output == *"configuration file '$file' is not valid: "*"error: "* ]]
    count=$((count + 1))
  done
  [ "$count" -gt 50 ]
  [ -z "$(ls "$ROWS/store")" ]
}
