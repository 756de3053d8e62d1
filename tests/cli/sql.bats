#!/usr/bin/env bats
# ndb-sql: where statements come from, how results are printed, transactions, and what is refused. One cluster for the file.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2
  start_node 1 --initial
  start_node 2 --initial
  await_sync
  ndb-sql -e 'CREATE TABLE t (id INT PRIMARY KEY, n TINYINT NOT NULL, word VARCHAR(5), u SMALLINT UNSIGNED)'
}
teardown_file() { stop_cluster; }

count() { ndb-sql --format=csv -e 'SELECT count(*) FROM t' | tail -n 1 | tr -d '\r'; }

@test "results as table, csv and json" {
  ndb-sql -e "INSERT INTO t VALUES (1, 10, 'one', 1), (2, 20, NULL, 2), (3, 30, 'a\"b', NULL)"
  [ "$(ndb-sql --format=csv -e 'SELECT * FROM t ORDER BY id')" = $'id,n,word,u\r\n1,10,one,1\r\n2,20,,2\r\n3,30,"a""b",\r' ]
  [ "$(ndb-sql --format=json -e 'SELECT word, n FROM t WHERE id = 2')" = \
    '{"format_version":1,"changed":false,"rows":[{"word":null,"n":20}]}' ]
  run ndb-sql -e 'SELECT id, word FROM t ORDER BY id'
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 'id  word' ]
  [ "${lines[3]}" = ' 2  NULL' ]
}

@test "JSON is JSON, whatever bytes a text holds, and a line a statement, whatever failed" {
  printf "INSERT INTO t VALUES (5, 1, '\xe9\x7f\n', 0);\nSELECT word FROM t WHERE id = 5;\nDELETE FROM t WHERE id = 5;\n" |
    ndb-sql --format=json >"$DIR/out"
  [ "$(sed -n 2p "$DIR/out" | json 'j["rows"][0]["word"] == "\ufffd\x7f\n"')" = True ]
  # The second row cannot be computed.
  run ndb-sql --format=json --force <<<"SELECT 1 UNION ALL SELECT abs(-9223372036854775808); SELECT 2 AS x;"
  [ "$status" -eq 1 ]
  [ "$(json 'j["rows"]' <<<"${lines[-1]}")" = "[{'x': 2}]" ]
}

@test "a script on standard input and in a file; it ends at the first failure, with --force at its end" {
  printf "INSERT INTO t VALUES (10, 1, 'x', 0);\nINSERT INTO t VALUES (10, 1, 'x', 0);\nINSERT INTO t VALUES (11, 1, 'x', 0);\n" \
    >"$DIR/script.sql"
  run ndb-sql "$DIR/script.sql"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == "ndb-sql: error 630: "* ]]
  [ "$(count)" = 4 ]
  run ndb-sql --force <"$DIR/script.sql"
  [ "$status" -eq 1 ]
  [ "$(count)" = 5 ]
  run ndb-sql "$DIR/no.sql"
  [ "$status" -eq 1 ]
  [[ $output == *"no.sql': No such file"* ]]
  [[ $(ndb-sql <<<'.schema T') == 'CREATE TABLE "t" '* ]]
  ndb-sql -e 'CREATE TABLE "a b" (id INT PRIMARY KEY)'
  [[ $(ndb-sql <<<'.schema "a b"') == 'CREATE TABLE "a b" '* ]]
  run ndb-sql <<<'.schema nosuch'
  [ "$status" -eq 1 ]
  [[ $output == "ndb-sql: error 723: no such table: 'nosuch'" ]]
  for command in 'ndb-sql .' 'ndb-sql <.'; do
    run bash -c "$command"
    echo "$command: $status $output"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
  done
}

@test "a transaction is there whole, or not at all" {
  local before
  before=$(count)
  printf "BEGIN;\nINSERT INTO t VALUES (20, 1, 'x', 0);\nINSERT INTO t VALUES (21, 1, 'x', 0);\nROLLBACK;\n" | ndb-sql
  [ "$(count)" = "$before" ]
  run ndb-sql <<<$'BEGIN;\nINSERT INTO t VALUES (20, 1, \'x\', 0);\nINSERT INTO t VALUES (1, 1, \'x\', 0);\nCOMMIT;'
  [ "$status" -eq 1 ]
  [[ $output == *"error 630"*"rolled back"* ]]
  [ "$(count)" = "$before" ]
  # What ends without COMMIT is undone.
  printf "BEGIN;\nINSERT INTO t VALUES (20, 1, 'x', 0);\n" | ndb-sql
  [ "$(count)" = "$before" ]
  printf "BEGIN;\nINSERT INTO t VALUES (20, 1, 'x', 0);\nUPDATE t SET n = 2 WHERE id = 20;\nCOMMIT;\n" | ndb-sql --durable
  [ "$(count)" = $((before + 1)) ]
}

@test "what does not fit is refused with a sentence, and nothing changes" {
  local before number sql
  before=$(count)
  while IFS='|' read -r number words sql; do
    run ndb-sql -e "$sql"
    echo "$sql: $status $output"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "ndb-sql: error $number: "*"$words"* ]]
  done <<'CASES'
630|exists already|INSERT INTO t VALUES (1, 1, 'x', 0)
839|'n'|INSERT INTO t VALUES (50, NULL, 'x', 0)
899|'n'|INSERT INTO t VALUES (50, 128, 'x', 0)
899|'u'|INSERT INTO t VALUES (50, 1, 'x', -1)
899|'u'|UPDATE t SET u = 65536 WHERE id = 1
899|'id'|INSERT INTO t VALUES (3000000000, 1, 'x', 0)
899|'id'|INSERT INTO t VALUES ('abc', 1, 'x', 0)
899|'word'|INSERT INTO t VALUES (50, 1, 'longer', 0)
723|nowhere|SELECT * FROM nowhere
702|nocol|SELECT nocol FROM t
702|syntax|SELEC
723|"nosuch"|DROP TABLE "nosuch"
721|"t"|CREATE TABLE t (id INT PRIMARY KEY)
702|PRIMARY KEY|CREATE TABLE nokey (id INT)
702|"a"|CREATE TABLE wide (id INT PRIMARY KEY, a VARBINARY(40000))
CASES
  [ "$(count)" = "$before" ]
  ndb-sql -e 'CREATE TABLE texts (id INT PRIMARY KEY, a TEXT)'
  run ndb-sql -e 'INSERT INTO texts VALUES (1, hex(zeroblob(20000)))'
  [ "$status" -eq 1 ]
  [[ $output == *"'a'"* ]]
  run ndb-sql --format=yaml
  [ "$status" -eq 2 ]
}

@test "memory that is full: a clear error, nothing changed, and the cluster goes on" {
  ndb-sql -e 'CREATE TABLE fat (id INT PRIMARY KEY, a VARBINARY(20000))'
  run ndb-sql <<<"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 4000)
    INSERT INTO fat SELECT i, zeroblob(20000) FROM c;"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == "ndb-sql: error 827: "* ]]
  [ "$(ndb-sql --format=csv -e 'SELECT count(*) FROM fat' | tail -n 1 | tr -d '\r')" = 0 ]
  ndb-sql -e "INSERT INTO t VALUES (60, 1, 'x', 0)"
  ndb-sql -e "DELETE FROM t WHERE id = 60" -e 'DROP TABLE fat'
}

@test "Ctrl-C ends it with 130 and undoes what was open" {
  local before
  before=$(count)
  mkfifo "$DIR/in"
  ndb-sql <"$DIR/in" >"$DIR/out" 2>&1 3>&- &
  local pid=$!
  exec 5>"$DIR/in"
  printf "BEGIN;\nINSERT INTO t VALUES (70, 1, 'x', 0);\nSELECT 'inserted';\n" >&5
  until_true grep -q inserted "$DIR/out"
  kill -INT "$pid"
  local status=0
  wait "$pid" || status=$?
  exec 5>&-
  cat "$DIR/out"
  [ "$status" -eq 130 ]
  [ "$(count)" = "$before" ]
}
