// Tables with unique indexes in SQL.
#include <catch2/catch.hpp>

#include "sql/definition.h"
#include "unit/sql_world.h"

using namespace ndb;
using namespace ndb::tests;

namespace {

struct People : SqlWorld {
  People() {
    sql("CREATE TABLE p (id INT PRIMARY KEY, email VARCHAR(30) UNIQUE, first INT, last INT, UNIQUE (first, last))");
    sql("INSERT INTO p VALUES (1, 'a@x', 1, 1), (2, 'b@x', 1, 2), (3, NULL, NULL, 2), (4, NULL, NULL, 2)");
  }
  std::size_t index_rows(const std::string& name) { return fake.rows[fake.catalog.table(name)->id].size(); }
  std::string all() { return sql("SELECT id, email FROM p ORDER BY id"); }
};

const char* const kViolation = "ERROR constraint violation: a value of a unique index exists already";

}  // namespace

TEST_CASE("UNIQUE becomes an index that is named after its columns") {
  auto c = sql::parse_create_table(
      "CREATE TABLE p (id INT PRIMARY KEY UNIQUE, email VARCHAR(30) UNIQUE, b INT, a INT, UNIQUE (b, a), UNIQUE (a))");
  REQUIRE(c);
  const auto& unique = c->table.unique;
  REQUIRE(unique.size() == 3);
  CHECK(unique[0].name == "email");
  CHECK(unique[0].columns == std::vector<std::uint16_t>{1});
  CHECK(unique[1].name == "b_a");
  CHECK(unique[1].columns == std::vector<std::uint16_t>{2, 3});
  CHECK(unique[2].name == "a");
  auto again = sql::parse_create_table(sql::create_statement(c->table));
  REQUIRE(again);
  CHECK(again->table.unique == unique);

  CHECK_FALSE(sql::parse_create_table("CREATE TABLE p (id INT PRIMARY KEY, d DOUBLE UNIQUE)"));
  CHECK_FALSE(sql::parse_create_table("CREATE TABLE p (id INT PRIMARY KEY, n INT UNIQUE ON CONFLICT REPLACE)"));
}

TEST_CASE("a value is had by one row, nulls by any number") {
  People w;
  CHECK(w.all() == "1|a@x\n2|b@x\n3|NULL\n4|NULL\n");
  CHECK(w.index_rows("p$email") == 2);
  CHECK(w.index_rows("p$first_last") == 2);
  CHECK(w.sql("INSERT INTO p VALUES (5, 'a@x', 9, 9)").rfind(kViolation, 0) == 0);
  CHECK(w.error == Error::unique_violation);
  CHECK(w.sql("INSERT INTO p VALUES (5, 'c@x', 1, 2)").find(std::string(kViolation) + ": 'first_last' of table 'p'") ==
        0);
  CHECK(w.sql("INSERT INTO p VALUES (5, 'c@x', 5, 5), (6, 'c@x', 6, 6)").find(std::string(kViolation) + ": 'email'") ==
        0);
  CHECK(w.sql("BEGIN; UPDATE p SET last = 1 WHERE id = 2").find(std::string(kViolation) + ": 'first_last'") == 0);
  CHECK(w.sql("UPDATE p SET email = 'b@x' WHERE id = 1").rfind(kViolation, 0) == 0);
  CHECK(w.all() == "1|a@x\n2|b@x\n3|NULL\n4|NULL\n");
  CHECK(w.index_rows("p$email") == 2);
  CHECK(w.index_rows("p$first_last") == 2);
}

TEST_CASE("an update moves the index row, a delete frees the value, a new key takes it along") {
  People w;
  CHECK(w.sql("UPDATE p SET email = 'z@x' WHERE id = 1").empty());
  CHECK(w.sql("INSERT INTO p VALUES (5, 'a@x', 5, 5)").empty());
  CHECK(w.sql("DELETE FROM p WHERE id = 5").empty());
  CHECK(w.sql("INSERT INTO p VALUES (6, 'a@x', 5, 5)").empty());
  CHECK(w.sql("UPDATE p SET id = 7 WHERE id = 6").empty());
  CHECK(w.sql("SELECT id FROM p WHERE email = 'a@x'") == "7\n");
  CHECK(w.sql("UPDATE p SET email = NULL WHERE id = 7").empty());
  CHECK(w.sql("SELECT id FROM p WHERE email = 'a@x'").empty());
  CHECK(w.index_rows("p$email") == 2);
  CHECK(w.sql("DELETE FROM p").empty());
  CHECK(w.index_rows("p$email") == 0);
  CHECK(w.index_rows("p$first_last") == 0);
}

TEST_CASE("a rolled back transaction leaves nothing in the index") {
  People w;
  w.sql("BEGIN; INSERT INTO p VALUES (5, 'c@x', 5, 5); UPDATE p SET email = 'd@x' WHERE id = 1; ROLLBACK");
  CHECK(w.index_rows("p$email") == 2);
  CHECK(w.sql("SELECT id FROM p WHERE email = 'c@x'").empty());
  CHECK(w.sql("SELECT id FROM p WHERE email = 'a@x'") == "1\n");
  CHECK(w.sql("BEGIN; DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (9, 'a@x', 1, 1); COMMIT").empty());
  CHECK(w.sql("SELECT id FROM p WHERE email = 'a@x'") == "9\n");
}

TEST_CASE("a look-up by a unique index is two reads, and no scan") {
  People w;
  const std::size_t before = w.fake.operations;
  CHECK(w.sql("SELECT id FROM p WHERE email = 'b@x'") == "2\n");
  CHECK(w.fake.operations - before == 2);
  CHECK(w.sql("SELECT id FROM p WHERE first = 1 AND last = 2") == "2\n");
  CHECK(w.sql("SELECT id FROM p WHERE email = 'nobody'").empty());
  CHECK(w.sql("SELECT id FROM p WHERE first = 1.5 AND last = 2").empty());
  CHECK(w.sql("UPDATE p SET first = 7 WHERE email = 'b@x'").empty());
  CHECK(w.fake.scans == 0);
  CHECK(w.sql("SELECT id FROM p WHERE email = 'B@X' COLLATE NOCASE") == "2\n");  // the index cannot tell
  CHECK(w.fake.scans > 0);
  // Within a transaction that has changed the table its own rows count.
  CHECK(w.sql("BEGIN; UPDATE p SET email = 'c@x' WHERE id = 1; SELECT id FROM p WHERE email = 'c@x';"
              "SELECT id FROM p WHERE email = 'a@x'; ROLLBACK") == "1\n");
}

TEST_CASE("OR IGNORE and OR REPLACE look at unique values, too") {
  People w;
  CHECK(w.sql("INSERT OR IGNORE INTO p VALUES (5, 'a@x', 5, 5), (6, 'c@x', 6, 6), (7, 'c@x', 7, 7)").empty());
  CHECK(w.all() == "1|a@x\n2|b@x\n3|NULL\n4|NULL\n6|c@x\n");
  CHECK(w.sql("REPLACE INTO p VALUES (8, 'a@x', 1, 2)").empty());  // two rows make room
  CHECK(w.all() == "3|NULL\n4|NULL\n6|c@x\n8|a@x\n");
  CHECK(w.index_rows("p$email") == 2);
  CHECK(w.index_rows("p$first_last") == 2);
}

TEST_CASE("the tables of indexes are not seen, and an index cannot be added") {
  People w;
  CHECK(w.session->tables().size() == 1);
  CHECK(w.sql("SELECT * FROM \"p$email\"").rfind("ERROR no such table", 0) == 0);
  CHECK(w.sql("CREATE UNIQUE INDEX i ON p (last)") ==
        "ERROR indexes cannot be added to a table: name UNIQUE columns in CREATE TABLE");
  CHECK(w.sql("DROP TABLE p").empty());
  CHECK(w.fake.catalog.tables.empty());
}

TEST_CASE("UPDATE OR IGNORE leaves the rows that others stand in the way of, by a unique value or by the key") {
  People w;
  CHECK(w.sql("UPDATE OR IGNORE p SET email = 'b@x' WHERE id = 1").empty());
  CHECK(w.all() == "1|a@x\n2|b@x\n3|NULL\n4|NULL\n");
  CHECK(w.sql("UPDATE OR IGNORE p SET id = 2 WHERE id = 1").empty());  // it is not lost on its way
  CHECK(w.all() == "1|a@x\n2|b@x\n3|NULL\n4|NULL\n");
  CHECK(w.sql("UPDATE OR IGNORE p SET id = id + 1").empty());  // 4 goes to 5; the others were in each other's way
  CHECK(w.sql("SELECT count(*) FROM p") == "4\n");
  CHECK(w.sql("UPDATE OR IGNORE p SET email = 'one@x'").empty());  // the first one has it
  CHECK(w.sql("SELECT count(*) FROM p WHERE email = 'one@x'") == "1\n");
  CHECK(w.sql("UPDATE OR IGNORE p SET id = 40, email = 'forty@x' WHERE email = 'b@x'").empty());
  CHECK(w.sql("SELECT email FROM p WHERE id = 40") == "forty@x\n");
  CHECK(w.index_rows("p$email") == 2);
}

TEST_CASE("UPDATE OR REPLACE removes the rows that stand in the way, and only them") {
  People w;
  CHECK(w.sql("UPDATE OR REPLACE p SET email = 'b@x' WHERE id = 1").empty());
  CHECK(w.all() == "1|b@x\n3|NULL\n4|NULL\n");
  CHECK(w.sql("UPDATE OR REPLACE p SET id = 3 WHERE id = 1").empty());
  CHECK(w.all() == "3|b@x\n4|NULL\n");
  CHECK(w.index_rows("p$email") == 1);
  CHECK(w.index_rows("p$first_last") == 1);
  CHECK(w.sql("UPDATE OR REPLACE p SET email = 'c@x'").empty());  // each takes it from the one before
  CHECK(w.sql("SELECT count(*) FROM p") == "1\n");
  CHECK(w.index_rows("p$email") == 1);
  CHECK(w.sql("UPDATE OR REPLACE p SET email = 'c@x', first = 7, last = 7").empty());  // nobody else has it
  CHECK(w.sql("SELECT first, last FROM p") == "7|7\n");
}

TEST_CASE("UPDATE OR REPLACE and OR IGNORE within a transaction see what it did") {
  People w;
  CHECK(
      w.sql("BEGIN; INSERT INTO p VALUES (9, 'n@x', 9, 9); UPDATE OR IGNORE p SET email = 'n@x' WHERE id = 1").empty());
  CHECK(w.sql("UPDATE OR REPLACE p SET email = 'n@x' WHERE id = 2; COMMIT").empty());
  CHECK(w.all() == "1|a@x\n2|n@x\n3|NULL\n4|NULL\n");
}
