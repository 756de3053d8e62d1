// A session over a cluster in memory.
#pragma once
#include <catch2/catch.hpp>

#include "sql/session.h"
#include "unit/fake_cluster.h"

namespace ndb::tests {

class FakeSchema : public sql::Schema {
 public:
  explicit FakeSchema(FakeCluster& f) : fake_(f) {}
  Result<Version> create_table(const meta::Table& t, bool if_not_exists) override {
    if (fake_.catalog.table(t.name) != nullptr) {
      if (if_not_exists) return Version{0};
      return Failure{Error::table_exists, {}};
    }
    fake_.add_table(t);
    return fake_.catalog.version;
  }
  Result<Version> drop_table(const std::string& name, bool if_exists) override {
    if (fake_.catalog.table(name) == nullptr) {
      if (if_exists) return Version{0};
      return Failure{Error::no_such_table, {}};
    }
    fake_.drop_table(name);
    return fake_.catalog.version;
  }

 private:
  FakeCluster& fake_;
};

// Rows as lines, cells with | between them.
class Lines : public sql::Sink {
 public:
  void columns(const std::vector<std::string>& names) override { header = names; }
  void row(const std::vector<sql::Cell>& cells) override {
    std::string line;
    for (const auto& c : cells) {
      if (&c != &cells.front()) line += "|";
      line += c.kind == sql::Cell::Kind::null ? "NULL" : std::string(c.bytes);
    }
    text += line + "\n";
  }
  std::vector<std::string> header;
  std::string text;
};

struct SqlWorld {
  SqlWorld() {
    auto c = client::Cluster::connect(fake.options(), fake.host());
    REQUIRE(c);
    session = std::make_unique<sql::Session>(*c, std::make_unique<FakeSchema>(fake));
  }
  std::string sql(const std::string& text) {
    Lines lines;
    Failure f = session->execute(text, lines);
    header = lines.header;
    error = f.error;
    return f ? "ERROR " + f.sentence() : lines.text;
  }
  FakeCluster fake;
  std::unique_ptr<sql::Session> session;
  std::vector<std::string> header;
  Error error = Error::ok;
};

}  // namespace ndb::tests
