// Connect strings.
#include <catch2/catch.hpp>

#include <cstdlib>

#include "cli/connect.h"

using namespace ndb;

namespace {
std::string servers(std::string_view text) {
  auto c = cli::parse_connectstring(text);
  if (!c) return "!";
  std::string all;
  for (const auto& s : c->servers) all += (all.empty() ? "" : " ") + s.host + " " + std::to_string(s.port);
  return all;
}
}  // namespace

TEST_CASE("connect strings are read as NDB's own") {
  CHECK(servers("") == "localhost 1186");
  CHECK(servers("db1") == "db1 1186");
  CHECK(servers("db1:1187,db2") == "db1 1187 db2 1186");
  CHECK(servers("nodeid=4,host=db1:1; mgmd=db2:2 ,") == "db1 1 db2 2");
  CHECK(servers("bind-address=10.0.0.9,db1") == "db1 1186");
  CHECK(servers("[::1]:1190,fe80::1,[::2]") == "::1 1190 fe80::1 1186 ::2 1186");
  CHECK(cli::parse_connectstring("nodeid=4,db1")->node_id == 4);
}

TEST_CASE("what is no connect string is refused with its part") {
  for (const char* bad :
       {"db1:0", "db1:65536", "db1:x", ":5", "nodeid=256", "nodeid=", "a b", "x=y", "[::1", "[::1]5"}) {
    INFO(bad);
    auto c = cli::parse_connectstring(bad);
    CHECK_FALSE(c);
    CHECK(c.failure().text.find(bad) != std::string::npos);
  }
}

TEST_CASE("the option counts before the environment") {
  ::setenv("NDB_CONNECTSTRING", "fromenv:5", 1);
  CHECK(cli::find_connectstring("")->servers[0].host == "fromenv");
  CHECK(cli::find_connectstring("given")->servers[0].host == "given");
  ::unsetenv("NDB_CONNECTSTRING");
}

TEST_CASE("request ids are 32 digits and different") {
  const std::string a = cli::Management::draw_request_id(), b = cli::Management::draw_request_id();
  CHECK(a.size() == 32);
  CHECK(a.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(a != b);
}
