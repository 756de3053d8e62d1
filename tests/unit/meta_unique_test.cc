// Tables with unique indexes as the log sees them: the hidden tables come and go with their table.
#include "unit/meta_story.h"

using namespace ndb;
using namespace ndb::meta;
using namespace ndb::meta::test;

namespace {

// (id bigint primary key, email varchar(20), first int, last int), unique (email), unique (first, last)
CreateTable people(const std::string& name = "people") {
  CreateTable x;
  x.table.name = name;
  x.table.columns = {{"id", Type::bigint, 0, 0, 0, false, {}},
                     {"email", Type::varchar, 20, 0, 0, true, "nobody"},
                     {"first", Type::integer, 0, 0, 0, true, {}},
                     {"last", Type::integer, 0, 0, 0, false, {}}};
  x.table.primary_key = {0};
  x.table.unique = {{"email", {1}, 0}, {"name", {2, 3}, 0}};
  return x;
}

std::string refused(const Table& t) {
  const Failure f = check_definition(t);
  CHECK(f.error == Error::bad_definition);
  return f.text;
}

}  // namespace

TEST_CASE("a table with unique indexes comes and goes with the tables that hold them") {
  Story s = small_cluster();
  const Outcome made = s.ok(people());
  REQUIRE(made.ids.size() == 1);  // the table's own
  const Table& t = *s.c.table("people");
  REQUIRE(s.c.tables.size() == 3);
  CHECK(t.id == made.ids[0]);
  const Table* email = s.c.table("people$email");
  const Table* name = s.c.table("PEOPLE$name");
  REQUIRE(email != nullptr);
  REQUIRE(name != nullptr);
  CHECK(t.unique[0].table == email->id);
  CHECK(t.unique[1].table == name->id);
  CHECK(email->index_of == t.id);
  CHECK(email->distribution.map == t.distribution.map);
  CHECK(email->primary_key == std::vector<std::uint16_t>{0});
  CHECK(email->columns[0].name == "email");
  CHECK_FALSE(email->columns[0].nullable);
  CHECK_FALSE(email->columns[0].default_value.has_value());
  CHECK(email->columns[1].name == "id");
  CHECK(name->primary_key == std::vector<std::uint16_t>{0, 1});
  CHECK(name->columns.size() == 3);

  CHECK(s.refused(Error::bad_definition, DropTable{"people$email", false}) ==
        "table \"people$email\" holds a unique index of table \"people\" and goes with that");
  s.ok(DropTable{"people", false});
  CHECK(s.c.tables.empty());
}

TEST_CASE("the tables of indexes need names and places") {
  Story s = small_cluster();
  s.ok(s.create("people$name"));
  CHECK(s.refused(Error::table_exists, people()) ==
        "table \"people$name\", which is to hold a unique index, exists already");
  CHECK(s.c.tables.size() == 1);
}

TEST_CASE("hidden tables count for MaxNoOfTables") {
  Story s;
  ConfigImage image = image_of(2, {1, 2});
  for (ConfigNode& n : image.nodes) n.values["MaxNoOfTables"] = "4";
  s.configure(image);
  s.ok(LeaderStarts{1});
  s.join({1, 2});
  s.ok(StartCluster{{1, 2}});
  s.ok(people());
  s.refused(Error::too_many_tables, people("others"));
  s.ok(s.create("t"));
}

TEST_CASE("what cannot be a unique index") {
  const Table good = people().table;
  Table t = good;
  t.unique[0].columns = {4};
  CHECK(refused(t) == "a unique index names a column that does not exist");
  t = good;
  t.unique[0].columns = {};
  CHECK(refused(t).rfind("unique index \"email\": table \"people$email\" needs a primary key", 0) == 0);
  t = good;
  t.unique[1].columns = {3, 3};
  CHECK(refused(t).rfind("unique index \"name\": two columns have the name", 0) == 0);
  t = good;
  t.columns[2].type = Type::float64;
  CHECK(refused(t) == "unique index \"name\": column \"first\" of type double cannot be in the primary key");
  t = good;
  t.columns[1].length = 2000;
  CHECK(refused(t) == "unique index \"email\": a primary key could take 2002 bytes, more than 1024");
  t = good;
  t.unique[1].name = "EMAIL";
  CHECK(refused(t) == "two unique indexes have the name \"EMAIL\"");
  t = good;
  t.name = std::string(limits::kNameBytesMax - 3, 'x');
  CHECK(refused(t) == "unique index \"email\": the name of its table is longer than 128 bytes");
  t = good;
  t.unique.resize(limits::kUniqueIndexesMax + 1);
  CHECK(refused(t) == "a table takes at most 16 unique indexes");
}

TEST_CASE("a table with unique indexes has a format of its own, one without has the old one") {
  Writer w;
  encode(w, table_named("t"));
  CHECK(w.view()[0] == 1);
  w.clear();
  Table t = people().table;
  encode(w, t);
  CHECK(w.view()[0] == 2);
  Reader r(w.view());
  Table back;
  REQUIRE(decode(r, &back));
  CHECK(r.done());
  CHECK(back == t);
  for (std::size_t n = 0; n < w.size(); n++) {
    Reader cut(w.view().substr(0, n));
    CHECK_FALSE(decode(cut, &back));
  }
  t.unique.clear();  // nothing to say in format 2
  std::string bytes;
  {
    Writer plain;
    encode(plain, t);
    bytes = std::string(plain.view());
  }
  bytes[0] = 2;
  bytes.append(8, '\0');
  Reader two(bytes);
  CHECK_FALSE(decode(two, &back));
}

TEST_CASE("a catalog whose indexes and tables do not know each other is refused") {
  Story s = small_cluster();
  s.ok(people());
  auto survives = [&](const Catalog& c) {
    Writer w;
    encode(w, c);
    Reader r(w.view());
    Catalog back;
    return decode(r, &back);
  };
  CHECK(survives(s.c));
  const TableId email = s.c.table("people$email")->id;
  Catalog c = s.c;
  c.tables.erase(email);
  CHECK_FALSE(survives(c));
  c = s.c;
  Table t = *c.table("people");
  t.unique.erase(t.unique.begin());
  c.tables[t.id] = std::make_shared<const Table>(t);
  CHECK_FALSE(survives(c));
  c = s.c;
  t = *c.table(email);
  t.columns[1].type = Type::integer;
  c.tables[email] = std::make_shared<const Table>(t);
  CHECK_FALSE(survives(c));
}

TEST_CASE("an index is spread by a job of its own") {
  Story s = small_cluster();
  s.ok(people());
  s.ok(CreateGroups{{{3, 4}}});
  s.finish(s.ok(s.reorganise("people")).ids.at(0));
  CHECK(s.c.table("people")->distribution.groups.size() == 4);
  CHECK(s.c.table("people$email")->distribution.groups.size() == 2);
  s.finish(s.ok(s.reorganise("people$email")).ids.at(0));
  CHECK(s.c.table("people$email")->distribution.groups.size() == 4);
  CHECK(s.c.table("people$email")->index_of == s.c.table("people")->id);
}
