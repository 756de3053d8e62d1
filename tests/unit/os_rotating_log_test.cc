#include "os/rotating_log.h"

#include <catch2/catch.hpp>

#include "os_world.h"

using namespace ndb;
using namespace ndb::os;

namespace {
std::string text_of(const std::string& path) {
  auto text = os::read_file(path);
  return text ? *text : "-";
}
}  // namespace

TEST_CASE("a destination is read, a relative file lies in the directory") {
  auto to = parse_log_destination("FILE:filename=a.log,maxsize=100,maxfiles=3", "/x");
  REQUIRE(to.ok());
  CHECK(to->path == "/x/a.log");
  CHECK(to->bytes_max == 100);
  CHECK(to->files_max == 3);
  CHECK_FALSE(to->console);
  to = parse_log_destination("CONSOLE;SYSLOG:facility=user;FILE:filename=/y/b.log", "/x");
  REQUIRE(to.ok());
  CHECK((to->console && to->syslog && to->path == "/y/b.log"));
  CHECK(parse_log_destination("", "/x")->path.empty());
}

TEST_CASE("a destination that is not known is refused with its word") {
  for (std::string bad : {"PRINTER", "FILE:maxsize=10", "FILE:filename=a,maxsize=0", "FILE:filename=a,maxsize=ten",
                          "FILE:filename=a,maxfiles=0", "FILE:filename=", "FILE:name=a"}) {
    INFO(bad);
    auto to = parse_log_destination(bad, "/x");
    REQUIRE_FALSE(to.ok());
    CHECK(to.failure().sentence().find("LogDestination: '") != std::string::npos);
  }
}

TEST_CASE("a file that grows too long begins anew, and so many older ones are kept") {
  TemporaryDirectory dir;
  const std::string path = dir.path + "/c.log";
  auto log = os::open_log_destination("FILE:filename=c.log,maxsize=20,maxfiles=3", dir.path);
  REQUIRE(log.ok());
  for (const char* line : {"one two", "three\nfour", "five", "six seven eight", "nine", "ten"}) (*log)->add(line);
  CHECK(text_of(path) == "nine\nten\n");
  CHECK(text_of(path + ".1") == "six seven eight\n");  // with "nine\n" it would be one byte too long
  CHECK(text_of(path + ".2") == "five\n");             // so is "one two\nthree four\n" with "five\n"
  CHECK(text_of(path + ".3") == "-");
}

TEST_CASE("a log goes on where the process before ended") {
  TemporaryDirectory dir;
  const std::string to = "FILE:filename=c.log,maxsize=20,maxfiles=2";
  { (*os::open_log_destination(to, dir.path))->add("0123456789"); }
  auto log = os::open_log_destination(to, dir.path);
  (*log)->add("0123456789");
  CHECK(text_of(dir.path + "/c.log") == "0123456789\n");
  CHECK(text_of(dir.path + "/c.log.1") == "0123456789\n");
  (*log)->add("abcdefghijkl");
  CHECK(text_of(dir.path + "/c.log.1") == "0123456789\n");
  CHECK(text_of(dir.path + "/c.log.2") == "-");
}

TEST_CASE("a directory that is not there is refused") {
  CHECK_FALSE(os::open_log_destination("FILE:filename=/nowhere/at/all/c.log", "/").ok());
}
