#include <catch2/catch.hpp>

#include "env/limits.h"
#include "mgmt/text_commands.h"
#include "mgmt/text_request.h"

using namespace ndb;
using namespace ndb::mgmt;

namespace {

using Got = RequestReader::Got;

// What a whole input comes to, fed in pieces of `piece` bytes: requests as "name{key=value,..}[bulk]", complaints as
// "!text", the end of all reading as "!!text".
std::vector<std::string> read_all(std::string_view input, std::size_t piece = 1) {
  RequestReader reader(text_commands());
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    reader.feed(input.substr(at, piece));
    Request r;
    std::string complaint;
    for (Got got; (got = reader.next(&r, &complaint)) != Got::nothing;) {
      if (got == Got::request) {
        std::string s(r.command->name);
        for (const auto& [k, v] : r.values) s += "{" + k + "=" + v + "}";
        if (!r.bulk.empty()) s += "[" + r.bulk + "]";
        if (r.bad_bulk) s += "[bad]";
        seen.push_back(std::move(s));
      } else {
        seen.push_back((got == Got::broken ? "!!" : "!") + complaint);
        if (got == Got::broken) return seen;
      }
    }
  }
  return seen;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("requests come out whole however they are cut") {
  const std::string input =
      "get version\n\nset clientversion\nbuild: 8\nminor= 4 \r\nmajor :8\n\n\nget status\ntypes:\"NDB MGM\"\n\n";
  const Lines expected = {"get version", "set clientversion{build=8}{major=8}{minor=4}", "get status{types=NDB MGM}"};
  for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, input.size()}) {
    CHECK(read_all(input, piece) == expected);
  }
}

TEST_CASE("each mistake has its words") {
  CHECK(read_all("frobnicate\n\nget version\n\n") == Lines{"!Unknown command, 'frobnicate'", "get version"});
  CHECK(read_all("get status\ncolour: 3\n\n") == Lines{"!Unknown argument, 'colour'"});
  CHECK(read_all("start\nnode: two\n\n") == Lines{"!Type mismatch, 'node'"});
  CHECK(read_all("start\nnode: 2x\n\n") == Lines{"!Type mismatch, 'node'"});
  CHECK(read_all("start\nnode: 2\nnode: 3\n\n") == Lines{"!Argument given twice, 'node'"});
  CHECK(read_all("start\n\n") == Lines{"!Missing arg., 'node'"});
  CHECK(read_all("start\nnode 2\n\n") == Lines{"!Invalid arg. format, 'node 2'"});
  CHECK(read_all("start\nfoo: 1\nnode: x\n\n") == Lines{"!Unknown argument, 'foo'"});  // the first one counts
}

TEST_CASE("a request behind a mistake is read") {
  CHECK(read_all("start\nnode: x\n\nget version\n\n") == Lines{"!Type mismatch, 'node'", "get version"});
  CHECK(read_all("no such\nkey: 1\nother: 2\n\nget version\n\n") ==
        Lines{"!Unknown command, 'no such'", "get version"});
  CHECK(read_all("help\nget version\n\n") == Lines{"!Unknown command, 'help'", "get version"});
}

TEST_CASE("long values are continued") {
  CHECK(read_all("start backup\nencryption_password:\"abc\"\n+encryption_password:\"def\"\n\n") ==
        Lines{"start backup{encryption_password=abcdef}"});
  CHECK(read_all("start backup\n+encryption_password:\"def\"\n\n") ==
        Lines{"!Invalid arg. format, 'encryption_password'"});
}

TEST_CASE("bulk follows the empty line") {
  const std::string set = "set config_v2\nContent-Type: ndbconfig/octet-stream\nContent-Transfer-Encoding: base64\n";
  CHECK(read_all(set + "Content-Length: 5\n\nab\ncd\nget version\n\n") ==
        Lines{"set config_v2{Content-Length=5}{Content-Transfer-Encoding=base64}{Content-Type=ndbconfig/octet-stream}"
              "[ab\ncd]",
              "get version"});
  CHECK(read_all(set + "Content-Length: 2\n\nab\r\nget version\n\n").back() == "get version");
  CHECK(read_all(set + "Content-Length: 2\n\nabc\n\n").back() == "!!Invalid arg. format, 'Content-Length'");
  for (const char* bad : {"0", "-1", "1048577"}) {
    Lines got = read_all(set + "Content-Length: " + bad + "\n\nget version\n\n");
    REQUIRE(got.size() == 2);
    CHECK(got[0].ends_with("[bad]"));
    CHECK(got[1].starts_with("!!"));
  }
  CHECK(read_all("set config_v2\nContent-Length: 3\n\nabc\n") == Lines{"!!Missing arg., 'Content-Type'"});
  CHECK(read_all("set ports\nnode: 3\nnum_ports: 2\n\n1=4000\n2=4001\n\nget version\n\n") ==
        Lines{"set ports{node=3}{num_ports=2}[1=4000\n2=4001\n]", "get version"});
}

TEST_CASE("a line has a bound") {
  const std::string longest(limits::kTextLineBytesMax - 1, 'x');
  CHECK(read_all(longest + "\n\nget version\n\n").size() == 2);
  CHECK(read_all(longest + "x\n\n", 100) == Lines{"!!Invalid arg. format, 'line too long'"});
  CHECK(read_all(std::string(100000, 'x'), 1000).size() == 1);
}

TEST_CASE("what follows a request is left unread") {
  RequestReader reader(text_commands());
  reader.feed("transporter connect\n\nNDBFxyz");
  Request r;
  std::string complaint;
  REQUIRE(reader.next(&r, &complaint) == Got::request);
  CHECK(reader.unread() == 7);
}

TEST_CASE("the table of commands is in order") {
  std::map<std::string_view, int> names;
  for (const CommandSpec& c : text_commands()) {
    INFO(c.name);
    CHECK(++names[c.name] == 1);
    CHECK(c.name.size() < limits::kTextLineBytesMax);
  }
}
