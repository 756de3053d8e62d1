#!/usr/bin/env bats
# ndb-import: the forms of files it reads, rejected rows, and what it says about the rest. One cluster for the file.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  await_sync
  ndb-sql -e 'CREATE TABLE t (id INT PRIMARY KEY, n TINYINT NOT NULL DEFAULT 7, word VARCHAR(5))'
}
teardown_file() { stop_cluster; }
setup() { ndb-sql -e 'DELETE FROM t'; }

rows() { ndb-sql --format=csv -e 'SELECT * FROM t ORDER BY id' | tail -n +2 | tr -d '\r' | tr '\n' ' '; }
numbers() { json '[j[k] for k in ("changed", "read", "imported", "skipped", "rejected")]'; }

@test "quotes, delimiters, line ends and nulls of RFC 4180" {
  printf '1,1,"a""b"\r\n2,2,"x,y"\r\n3,3,"p\nq"\r\n4,4,\r\n5,5,""' | ndb-import --table=t --quiet
  [ "$(ndb-sql --format=json -e 'SELECT word FROM t ORDER BY id' | json '[r["word"] for r in j["rows"]]')" = \
    "['a\"b', 'x,y', 'p\\nq', None, '']" ]
}

@test "delimiters, comments, columns, a header, records to skip, a word for null" {
  printf '# two\n11;x\n12;y\n' | ndb-import --table=t --columns=id,word --delimiter=';' --comment='#' --quiet
  printf 'word\tid\nz\t13\n' | ndb-import --table=t --header --delimiter='\t' --quiet
  printf 'one\ntwo\n14,5,NIL\n' | ndb-import --table=t --skip=2 --null=NIL --quiet
  printf "15,6,'a,b'\n" | ndb-import --table=t --quote="'" --quiet
  [ "$(rows)" = '11,7,x 12,7,y 13,7,z 14,5, 15,6,"a,b" ' ]
}

@test "rejected rows go to a file with line and reason; more than --max-rejects stop it" {
  printf '1,1,a\n2,300,b\n3,,c\n4\nx,1,d\n6,1,toolong\n1,1,again\n8,1,h\n' >"$DIR/a.csv"
  ndb-import --table=t --rejects="$DIR/rejects.csv" --max-rejects=6 --format=json --quiet "$DIR/a.csv" >"$DIR/out.json" 2>"$DIR/err"
  cat "$DIR/err" "$DIR/rejects.csv"
  [ "$(numbers <"$DIR/out.json")" = '[True, 8, 2, 0, 6]' ]
  [ "$(rows)" = '1,1,a 8,1,h ' ]
  [ "$(sort -t, -k2n "$DIR/rejects.csv" | cut -d, -f2 | tr '\n' ' ')" = '2 3 4 5 6 7 ' ]
  grep -q "^$DIR/a.csv,2,\"column 'n': value out of the range of its column\",\"2,300,b\"" "$DIR/rejects.csv"
  grep -q 'a.csv,3,.*not nullable' "$DIR/rejects.csv"
  grep -q 'a.csv,4,.*1 field, 3 expected' "$DIR/rejects.csv"
  grep -q 'a.csv,7,.*exists already' "$DIR/rejects.csv"
  [ "$(grep -c '^ndb-import: ' "$DIR/err")" = 6 ]
  run ndb-import --table=t --max-rejects=1 --quiet "$DIR/a.csv"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"stopped after 2 rejected rows"* ]]
}

@test "the file of rejected rows is CSV, and holds them as they stood, whatever they are" {
  printf '1,"x\ny",a\n2,1\0002,b\n3,",",c\n4,"a""b",d\n' >"$DIR/a,b.csv"
  ndb-import --table=t --rejects="$DIR/rejects.csv" --max-rejects=9 --quiet "$DIR/a,b.csv" 2>"$DIR/err"
  cat -A "$DIR/rejects.csv" "$DIR/err"
  [ "$(grep -c '^ndb-import: ' "$DIR/err")" = 4 ]
  [ "$(wc -l <"$DIR/err")" = 4 ]
  python3 - "$DIR/rejects.csv" "$DIR/a,b.csv" <<'PY'
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
assert all(len(r) == 4 and r[0] == sys.argv[2] for r in rows), rows
assert [r[3] for r in rows] == ['1,"x\ny",a', '2,1\x002,b', '3,",",c', '4,"a""b",d'], rows
assert [r[1] for r in rows] == ['1', '3', '4', '5'], rows
assert "'x\\x0ay'" in rows[0][2] and "'a\"b'" in rows[3][2], rows
PY
}

@test "a file that a spreadsheet wrote: a byte order mark, a header, CR LF" {
  printf '\xef\xbb\xbfid,word\r\n1,a\r\n' | ndb-import --table=t --header --quiet
  (printf '\xef'; sleep 0.1; printf '\xbb\xbf2,2,b\r\n') | ndb-import --table=t --quiet
  [ "$(rows)" = '1,7,a 2,2,b ' ]
}

@test "a row that exists already is rejected, replaced or left as it is" {
  echo 1,1,a | ndb-import --table=t --quiet
  run ndb-import --table=t --quiet <<<1,2,b
  [ "$status" -eq 1 ]
  [ "$(rows)" = '1,1,a ' ]
  [ "$(echo 1,2,b | ndb-import --table=t --ignore-existing --quiet --format=json | numbers)" = '[False, 1, 0, 1, 0]' ]
  [ "$(rows)" = '1,1,a ' ]
  [ "$(echo 1,2,b | ndb-import --table=t --replace --quiet --format=json | numbers)" = '[True, 1, 1, 0, 0]' ]
  [ "$(rows)" = '1,2,b ' ]
}

@test "--dry-run reads and checks everything, and changes nothing" {
  [ "$(printf '1,1,a\n2,300,b\n' | ndb-import --table=t --dry-run --max-rejects=1 --quiet --format=json 2>/dev/null | json 'j["changed"], j["rejected"]')" = \
    '(False, 1)' ]
  [ "$(rows)" = '' ]
}

@test "what cannot be imported at all is one sentence" {
  while IFS='|' read -r code words options; do
    # shellcheck disable=SC2086
    run ndb-import $options <<<1
    echo "$options: $status $output"
    [ "$status" -eq "$code" ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "ndb-import: "*"$words"* ]]
  done <<'CASES'
1|nowhere|--table=nowhere
1|'zz'|--table=t --columns=id,zz
1|'id'|--table=t --columns=n
1|no.csv|--table=t no.csv
2|--table|--quiet
2|--delimiter|--table=t --delimiter=ab
5|127.0.0.1:1|--table=t --connectstring=127.0.0.1:1
CASES
}

@test "several files, one after the other; thousands of rows at once" {
  seq 1 5000 | sed 's/.*/&,1,w/' >"$DIR/one.csv"
  seq 5001 10000 | sed 's/.*/&,1,w/' >"$DIR/two.csv"
  [ "$(ndb-import --table=t --quiet --format=json "$DIR/one.csv" "$DIR/two.csv" | numbers)" = '[True, 10000, 10000, 0, 0]' ]
  [ "$(ndb-sql --format=csv -e 'SELECT count(*), sum(id) FROM t' | tail -n 1 | tr -d '\r')" = 10000,50005000 ]
}

@test "rows from a pipe are in the table while the pipe is still open" {
  mkfifo "$DIR/slow"
  ndb-import --table=t --quiet "$DIR/slow" >"$DIR/out" 2>&1 3>&- &
  local pid=$!
  exec 5>"$DIR/slow"
  printf '1,1,a\n2,2,b\n3,3' >&5
  are_rows() { [ "$(rows)" = "$1" ]; }
  until_true are_rows '1,1,a 2,2,b '
  printf ',c\n4,4,d' >&5
  exec 5>&-
  wait "$pid"
  [ "$(rows)" = '1,1,a 2,2,b 3,3,c 4,4,d ' ]
}

@test "Ctrl-C ends it with 130; rows that were imported stay" {
  mkfifo "$DIR/pipe"
  ndb-import --table=t --batch=1 "$DIR/pipe" >"$DIR/out" 2>&1 3>&- &
  local pid=$! status=0
  exec 5>"$DIR/pipe" # open until the end: the import waits for more
  seq 1 400000 | sed 's/.*/&,1,w/' >&5 2>/dev/null 3>&- &
  local writer=$!
  any_row() { [ "$(ndb-sql --format=csv -e 'SELECT count(*) > 0 FROM t' | tail -n 1 | tr -d '\r')" = 1 ]; }
  until_true any_row
  kill -INT "$pid"
  wait "$pid" || status=$?
  exec 5>&-
  wait "$writer" || true # it lost its reader
  cat "$DIR/out"
  [ "$status" -eq 130 ]
  any_row
}
