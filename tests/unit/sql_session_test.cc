// SQL over a cluster in memory.
#include <catch2/catch.hpp>

#include "sql/definition.h"
#include "sql/words.h"
#include "unit/sql_world.h"

using namespace ndb;

using World = tests::SqlWorld;

TEST_CASE("definitions become tables") {
  auto c = sql::parse_create_table(
      "create table if not exists \"My Table\" (id integer primary key, n bigint unsigned not null default 7,"
      " d decimal(10,2), s varchar(20) default 'it''s', c char, t datetime(3), b bit(4)) without rowid;");
  REQUIRE(c);
  CHECK(c->if_not_exists);
  const auto& t = c->table;
  CHECK(t.name == "My Table");
  REQUIRE(t.columns.size() == 7);
  CHECK(t.primary_key == std::vector<std::uint16_t>{0});
  CHECK_FALSE(t.columns[0].nullable);
  CHECK(t.columns[0].type == meta::Type::integer);
  CHECK(t.columns[1].type == meta::Type::ubigint);
  CHECK(t.columns[1].default_value == "7");
  CHECK(t.columns[2].precision == 10);
  CHECK(t.columns[3].default_value == "it's");
  CHECK(t.columns[4].length == 1);
  CHECK(t.columns[5].scale == 3);
  // What it prints is accepted again and means the same.
  auto again = sql::parse_create_table(sql::create_statement(t));
  REQUIRE(again);
  CHECK(again->table == t);
  CHECK(sql::parse_create_table("create table t(a int, b int, primary key(b, a))")->table.primary_key ==
        std::vector<std::uint16_t>{1, 0});
}

TEST_CASE("definitions that cannot be kept are refused with the reason") {
  auto why = [](const char* s) { return sql::parse_create_table(s).failure().sentence(); };
  CHECK(why("create table t(a int)").find("PRIMARY KEY") != std::string::npos);
  CHECK(why("create table t(a int primary key, b int check (b > 0))").find("CHECK") != std::string::npos);
  CHECK(why("create table t(a int primary key check (a > 0))").find("CHECK") != std::string::npos);
  CHECK(why("create table t(a geometry primary key)").find("geometry") != std::string::npos);
  CHECK(why("create table t(a primary key)").find("no type") != std::string::npos);
  CHECK(why("create table t(a int primary key, b varchar)").find("length") != std::string::npos);
  CHECK(why("create table t(a int primary key, b date default current_date)").find("constant") != std::string::npos);
  CHECK(why("create table t(a int primary key,,)").find("syntax") != std::string::npos);
}

TEST_CASE("rows go in and come out; the key decides how") {
  World w;
  CHECK(w.sql("create table t(a int, b int, v varchar(20), primary key(a, b))") == "");
  CHECK(w.sql("create table t(a int primary key)").find("exists") != std::string::npos);
  CHECK(w.sql("create table if not exists t(a int primary key)") == "");
  CHECK(w.sql("insert into t values (1, 1, 'one'), (1, 2, 'two'), (2, 1, null)") == "");
  CHECK(w.session->changes() == 3);
  CHECK(w.fake.one_shots == 1);  // the statement is one message
  const auto scans = w.fake.scans;
  CHECK(w.sql("select v from t where a = 1 and b = 2") == "two\n");
  CHECK(w.sql("select v from t where b = 1 and a = 9") == "");
  CHECK(w.header == std::vector<std::string>{"v"});
  CHECK(w.sql("select v from t where a = 1 and b = 'x'") == "");
  CHECK(w.fake.scans == scans);  // by key: no scan
  CHECK(w.sql("select a, b, v from t where a = 1 order by b") == "1|1|one\n1|2|two\n");
  CHECK(w.fake.scans > scans);
  CHECK(w.sql("select * from t where v is null") == "2|1|NULL\n");
  CHECK(w.sql("select count(*) from t") == "3\n");
  CHECK(w.sql("select a, count(*) from t group by a order by a") == "1|2\n2|1\n");
}

TEST_CASE("updates and deletes, also of the key") {
  World w;
  w.sql("create table t(a int primary key, n int)");
  w.sql("insert into t values (1, 10), (2, 20), (3, 30)");
  CHECK(w.sql("update t set n = n + 1 where a = 2") == "");
  CHECK(w.session->changes() == 1);
  CHECK(w.sql("update t set n = n * 2 where n > 25") == "");
  CHECK(w.sql("select * from t order by a") == "1|10\n2|21\n3|60\n");
  CHECK(w.sql("update t set a = 9 where a = 1") == "");
  CHECK(w.sql("update t set a = 9 where a = 2").find("primary key exists") != std::string::npos);
  CHECK(w.sql("select * from t order by a") == "2|21\n3|60\n9|10\n");
  CHECK(w.sql("delete from t where n < 22") == "");
  CHECK(w.sql("delete from t where a = 77") == "");
  CHECK(w.session->changes() == 0);
  CHECK(w.sql("select * from t") == "3|60\n");
  CHECK(w.sql("insert or replace into t values (3, 1), (4, 1)") == "");
  CHECK(w.sql("insert or ignore into t values (4, 5), (5, 5)") == "");
  CHECK(w.sql("select * from t order by a") == "3|1\n4|1\n5|5\n");
  CHECK(w.sql("delete from t") == "");
  CHECK(w.sql("select count(*) from t") == "0\n");
}

TEST_CASE("transactions: their own changes are seen, ROLLBACK undoes, a failure rolls back") {
  World w;
  w.sql("create table t(a int primary key, n int)");
  w.sql("insert into t values (1, 1), (2, 2)");
  CHECK(w.sql("begin") == "");
  CHECK(w.sql("insert into t values (3, 3)") == "");
  CHECK(w.sql("update t set n = 22 where a = 2") == "");
  CHECK(w.sql("delete from t where a = 1") == "");
  CHECK(w.sql("select * from t order by a") == "2|22\n3|3\n");
  CHECK(w.sql("select count(*) from t") == "2\n");
  CHECK(w.sql("select n from t where a = 1") == "");
  CHECK(w.sql("rollback") == "");
  CHECK(w.sql("select * from t order by a") == "1|1\n2|2\n");
  CHECK(w.sql("begin; insert into t values (4, 4); commit") == "");
  CHECK(w.sql("select n from t where a = 4") == "4\n");
  w.sql("begin; insert into t values (5, 5)");
  CHECK(w.sql("insert into t values (1, 1)").find("rolled back") != std::string::npos);
  CHECK_FALSE(w.session->in_transaction());
  CHECK(w.sql("select count(*) from t") == "3\n");
  w.sql("begin; insert into t values (6, 6)");
  CHECK(w.sql("select nonsense from t").find("no such column") != std::string::npos);
  CHECK(w.session->in_transaction());  // a statement that was never understood changes nothing
  w.sql("commit");
  CHECK(w.sql("select count(*) from t") == "4\n");
}

TEST_CASE("PRAGMA durable makes the commits that follow wait, and can be asked") {
  World w;
  w.sql("create table t(a int primary key)");
  CHECK(w.sql("pragma durable") == "0\n");
  CHECK(w.header == std::vector<std::string>{"durable"});
  w.sql("insert into t values (1)");
  CHECK_FALSE(w.fake.last_durable);
  CHECK(w.sql("PRAGMA durable = on; insert into t values (2); pragma durable;") == "1\n");
  CHECK(w.fake.last_durable);
  CHECK(w.sql("pragma durable(0)") == "");
  w.sql("insert into t values (3)");
  CHECK_FALSE(w.fake.last_durable);
  CHECK(w.sql("pragma durable = maybe") == "ERROR PRAGMA durable is on or off, not 'MAYBE'");
  CHECK(w.sql("pragma durable on") == "ERROR PRAGMA durable takes '= on' or '= off', or nothing");
}

TEST_CASE("a statement is all or nothing") {
  World w;
  w.sql("create table t(a int primary key, n tinyint not null)");
  CHECK(w.sql("insert into t values (1, 1), (2, 2), (1, 3)").find("primary key exists") != std::string::npos);
  CHECK(w.error == Error::row_exists);
  CHECK(w.sql("insert into t values (1, 1), (2, 200)").find("'n'") != std::string::npos);
  CHECK(w.error == Error::value_out_of_range);
  CHECK(w.sql("insert into t values (1, null)").find("not nullable") != std::string::npos);
  CHECK(w.sql("insert into t values (1, 'abc')").find("out of the range") != std::string::npos);
  CHECK(w.sql("select count(*) from t") == "0\n");
}

TEST_CASE("temporary errors are repeated, others are told") {
  World w;
  w.sql("create table t(a int primary key, n int)");
  w.sql("insert into t values (1, 1)");
  w.fake.fail_next = {Error::lock_timeout, Error::ok, Error::node_failure};
  CHECK(w.sql("update t set n = n + 1 where a = 1") == "");
  CHECK(w.sql("select n from t") == "2\n");
  w.fake.fail_next = {Error::ok, Error::memory_full};
  CHECK(w.sql("update t set n = n + 1 where a = 1").find("DataMemory") != std::string::npos);
  CHECK(w.sql("select n from t") == "2\n");
}

TEST_CASE("every type survives") {
  World w;
  CHECK(w.sql("create table t(k varchar(10) primary key, i bigint unsigned, f float, g double, d decimal(12,3),"
              " e decimal(40,5), c char(5), x varbinary(10), day date, at datetime(6), y year, b bit(8), z text)") ==
        "");
  CHECK(w.sql("insert into t values ('k', '18446744073709551615', 1.5, 0.1, 12.345, "
              "'12345678901234567890123456.78901', 'ab',"
              " x'00ff', '2026-11-20', '2026-11-20 01:02:03.000004', 2026, 255, 'long text')") == "");
  const std::string row = w.sql("select * from t");
  CHECK(row.rfind("k|18446744073709551615|1.5|0.1|12.345|12345678901234567890123456.78901|ab|", 0) == 0);
  CHECK(row.find("|2026-11-20|2026-11-20 01:02:03.000004|2026|255|long text\n") != std::string::npos);
  CHECK(w.sql("update t set k = 'l'") == "");  // all other columns pass through SQLite and back
  CHECK(w.sql("select hex(x), d, e from t where k = 'l'") == "00FF|12.345|12345678901234567890123456.78901\n");
  CHECK(w.sql("select count(*) from t where day > '2026-11-19' and d < 13 and i > 5 and c = 'ab'") == "1\n");
  CHECK(w.sql("select count(*) from t where day > '2026-11-20'") == "0\n");
  CHECK(w.sql("insert into t(k, day) values ('m', '2026-13-01')").find("'day'") != std::string::npos);
}

TEST_CASE("filters agree with SQLite's own idea of a comparison") {
  World w;
  w.sql("create table t(a int primary key, n smallint, s varchar(10), f double)");
  w.sql("insert into t values (1, 5, 'b', 1.5), (2, null, 'a', null), (3, -7, 'abc', -0.5), (4, 32767, '', 3)");
  w.sql("create temp table u as select * from t");
  for (const char* where : {"n = 5",          "n <> 5",
                            "n < 5.5",        "n > 99999",
                            "n < 99999",      "n >= '5'",
                            "n is not null",  "s > 'a'",
                            "s <= 'abc'",     "s = 'a '",
                            "s < 5",          "s like 'a%'",
                            "f > 1",          "f = 3",
                            "f < 'x'",        "n = null",
                            "n in (5, -7)",   "n between -10 and 10 and s <> 'b'",
                            "not (n = 5)",    "s = 'B' collate nocase",
                            "a > 1 or n < 0", "a = 1.0",
                            "a = '1'",        "a = 1.5"}) {
    INFO(where);
    const std::string ours = w.sql(std::string("select a from t where ") + where + " order by a");
    CHECK(ours == w.sql(std::string("select a from u where ") + where + " order by a"));
  }
  CHECK(w.sql("select u.a, t.s from u join t on t.a = u.a where u.n > 0 order by 1") == "1|b\n4|\n");
}

TEST_CASE("defaults, missing tables, tables that others made or dropped") {
  World w;
  w.sql("create table t(a int primary key, n int default 7, s varchar(9) default 'x y')");
  CHECK(w.sql("insert into t(a) values (1)") == "");
  CHECK(w.sql("select * from t") == "1|7|x y\n");
  CHECK(w.sql("insert into t(a, n) values (2, null); select * from t where a = 2") == "2|NULL|x y\n");
  CHECK(w.sql("insert into t values (3, null, null); select * from t where a = 3") == "3|NULL|NULL\n");
  CHECK(w.sql("select * from nowhere").find("no such table: nowhere") != std::string::npos);
  CHECK(w.error == Error::no_such_table);
  auto t = sql::parse_create_table("create table other(k int primary key)");
  w.fake.add_table(t->table);
  CHECK(w.sql("insert into other values (5)") == "");
  CHECK(w.sql("drop table t") == "");
  CHECK(w.sql("select * from t").find("no such table") != std::string::npos);
  CHECK(w.sql("drop table t").find("no such table") != std::string::npos);
  CHECK(w.sql("drop table if exists t") == "");
  CHECK(w.sql("create table t(a int primary key); insert into t values (1); select a from t") == "1\n");
}

TEST_CASE("what SQLite would keep to itself is refused") {
  World w;
  w.sql("create table t(a int primary key)");
  for (const char* no : {"create view v as select 1", "create index i on t(a)", "savepoint s",
                         "alter table t rename to u", "attach ':memory:' as x", "create table u as select 1 as a"}) {
    INFO(no);
    CHECK(w.sql(no).rfind("ERROR", 0) == 0);
  }
  CHECK(w.sql("create temp view v as select a from t; select * from v") == "");
}

TEST_CASE("a statement with a zero byte is refused; a definition has to be UTF-8, a value may be anything") {
  World w;
  CHECK(w.sql(std::string("select 1;\0\n", 11)).find("zero byte") != std::string::npos);
  CHECK(w.sql(std::string("select '\0'", 10)).find("zero byte") != std::string::npos);
  CHECK(w.sql("create table t(a int primary key, s varchar(5) default '\xe9')").find("UTF-8") != std::string::npos);
  CHECK(w.sql("create table \"t\xe9\"(a int primary key)").find("UTF-8") != std::string::npos);
  CHECK(w.sql("create table t(a int primary key, s varchar(5) default '\xc3\xa9')") == "");
  CHECK(w.sql("insert into t values (1, '\xe9')") == "");
  CHECK(w.sql("select s from t") == "\xe9\n");
}

TEST_CASE("statements are told apart") {
  CHECK(sql::Session::complete("select 1;"));
  CHECK_FALSE(sql::Session::complete("select 1"));
  CHECK_FALSE(sql::Session::complete("select ';"));
  CHECK(sql::Session::complete("select ';'; -- and that is all\n"));
  CHECK(sql::Session::complete("  "));
  CHECK(sql::words("Create /* no */ Table [a b](x)") ==
        std::vector<std::string>{"CREATE", "TABLE", "[a b]", "(", "X", ")"});
}
