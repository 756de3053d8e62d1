#!/usr/bin/env bats
# Tables with unique indexes: what SQL, the import and a reorganisation make of them. One cluster for the whole file; each
# test goes on where the one before ended.

source "$BATS_TEST_DIRNAME/cluster.bash"

setup_file() {
  start_mgmd 1 2 3:free 4:free
  for id in 1 2 3 4; do start_node $id --initial; done
  await_sync
  ndb-sql -e 'CREATE TABLE p (id INT PRIMARY KEY, email VARCHAR(30) UNIQUE, n INT)'
}
teardown_file() { stop_cluster; }

sql() { ndb-sql --format=csv -e "$1" | tail -n +2 | tr -d '\r'; }
# Rows that the primaries hold, of the table and of its index.
rows() { ndb-reorg verify --table=p --format=json | json '[t["rows"] for t in j["tables"]]'; }

@test "a duplicate is refused with NDB's number, and nothing changes" {
  ndb-sql -e "INSERT INTO p VALUES (1, 'a@x', 1), (2, 'b@x', 2), (3, NULL, 3), (4, NULL, 4)"
  run ndb-sql -e "INSERT INTO p VALUES (5, 'a@x', 5)"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == "ndb-sql: error 893: constraint violation"*": 'email' of table 'p'"* ]]
  run ndb-sql -e "INSERT INTO p VALUES (6, 'c@x', 6), (7, 'b@x', 7)"
  [ "$status" -eq 1 ]
  run ndb-sql -e "UPDATE p SET email = 'b@x' WHERE id = 1"
  [ "$status" -eq 1 ]
  [ "$(rows)" = '[4, 2]' ]
  [ "$(sql 'SELECT id FROM p ORDER BY id' | xargs)" = '1 2 3 4' ]
}

@test "an update moves the index row, a delete frees the value, a roll-back leaves nothing" {
  ndb-sql -e "UPDATE p SET email = 'z@x' WHERE id = 1" -e "INSERT INTO p VALUES (5, 'a@x', 5)"
  [ "$(sql "SELECT id FROM p WHERE email = 'a@x'")" = 5 ]
  [ "$(sql "SELECT id FROM p WHERE email = 'z@x'")" = 1 ]
  ndb-sql -e "DELETE FROM p WHERE email = 'a@x'" -e "INSERT INTO p VALUES (6, 'a@x', 6)"
  printf "BEGIN;\nINSERT INTO p VALUES (7, 'q@x', 7);\nDELETE FROM p WHERE id = 6;\nROLLBACK;\n" | ndb-sql
  [ "$(sql "SELECT id FROM p WHERE email = 'a@x'")" = 6 ]
  [ -z "$(sql "SELECT id FROM p WHERE email = 'q@x'")" ]
  [ "$(rows)" = '[5, 3]' ]
}

@test "OR IGNORE leaves out what others stand in the way of, OR REPLACE removes the others" {
  ndb-sql -e "CREATE TABLE o (id INT PRIMARY KEY, email VARCHAR(30) UNIQUE)" -e "INSERT INTO o VALUES (1, 'a'), (2, 'b'), (3, 'c')"
  ndb-sql -e "UPDATE OR IGNORE o SET email = 'b' WHERE id = 1" -e "UPDATE OR IGNORE o SET id = 2 WHERE id = 1" -e "INSERT OR IGNORE INTO o VALUES (9, 'c')"
  [ "$(sql 'SELECT id || email FROM o ORDER BY id' | xargs)" = '1a 2b 3c' ]
  ndb-sql -e "UPDATE OR REPLACE o SET email = 'b' WHERE id = 1" -e "INSERT OR REPLACE INTO o VALUES (9, 'c')"
  [ "$(sql 'SELECT id || email FROM o ORDER BY id' | xargs)" = '1b 9c' ]
  [ "$(sql "SELECT id FROM o WHERE email = 'b'")" = 1 ]
  ndb-sql -e 'DROP TABLE o'
}

@test "what is kept is shown, and what makes it is accepted" {
  printf '.schema p\n' | ndb-sql | grep -q 'UNIQUE ("email")'
  [ "$(printf '.tables\n' | ndb-sql | xargs)" = p ]
  run ndb-sql -e 'CREATE UNIQUE INDEX i ON p (n)'
  [ "$status" -eq 1 ]
  [[ $output == *"name UNIQUE columns in CREATE TABLE"* ]]
  run ndb-sql -e 'DROP TABLE "p$email"'
  [ "$status" -eq 1 ]
  [[ $output == *"holds a unique index of table \"p\""* ]]
}

@test "rows that are imported bring their index rows; one that is taken is rejected alone" {
  seq 100 2000 | sed 's/.*/&,&@import,&/' >"$DIR/rows.csv"
  echo '2001,1999@import,1' >>"$DIR/rows.csv"
  run ndb-import --table=p --quiet --max-rejects=1 --rejects="$DIR/rejects" "$DIR/rows.csv"
  echo "$output"
  [ "$(grep -c 'constraint violation' "$DIR/rejects")" = 1 ]
  [ "$(rows)" = '[1906, 1904]' ]
  run ndb-import --table='p$email' --quiet "$DIR/rows.csv"
  [ "$status" -eq 1 ]
  [[ $output == *"holds a unique index"* ]]
}

@test "a reorganisation takes the index along, there and back" {
  ndb-nodegroup create --nodes=3,4
  [ "$(ndb-reorg plan --table=P --format=json | json '[(p["table"], p["changed"]) for p in j["plans"]]')" = \
    "[('p', True), ('p\$email', True)]" ]
  ndb-reorg start --table=p --wait --timeout=60
  [ "$(ndb-reorg start --all --wait --format=json | json 'j["changed"]')" = False ]
  [ "$(rows)" = '[1906, 1904]' ]
  ndb-reorg verify --all
  run ndb-sql -e "INSERT INTO p VALUES (5000, '777@import', 1)"
  [ "$status" -eq 1 ]
  [[ $output == *"error 893"* ]]
  [ "$(sql "SELECT id FROM p WHERE email = '777@import'")" = 777 ]
  ndb-reorg start --table=p --drain=1 --wait --timeout=60
  ndb-nodegroup drop 1
  [ "$(rows)" = '[1906, 1904]' ]
}

@test "a reorganisation asked for in the text protocol takes the index along as well" {
  ask() {
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    printf '%b\n\nbye\n\n' "$1" >&4
    timeout 20 cat <&4
    exec 4>&-
  }
  ndb-nodegroup create --nodes=3,4
  ask 'ndb start reorg\ntable: p' >"$DIR/first"
  grep -q '^table: p$' "$DIR/first"
  grep -q '^left: 1$' "$DIR/first"
  ndb-reorg wait --timeout=60
  ask 'ndb start reorg\ntable: p' >"$DIR/second"
  grep -q '^table: p\$email$' "$DIR/second"
  grep -q '^left: 0$' "$DIR/second"
  ndb-reorg wait --timeout=60
  ask 'ndb start reorg\ntable: p' | grep -q '^changed: 0$'
  [ "$(ndb-reorg plan --table=p --format=json | json '[p["changed"] for p in j["plans"]]')" = '[False, False]' ]
  [ "$(rows)" = '[1906, 1904]' ]
}

@test "the table goes with its index" {
  ndb-sql -e 'DROP TABLE p'
  [ "$(ndb-reorg verify --all --format=json | json 'j["tables"]')" = '[]' ]
}
