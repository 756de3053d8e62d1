// Requests that break the rules: the stated complaint, nothing changed, and the server answers the next one.
#include "base/prng.h"
#include "mgmt_server_world.h"

using namespace ndb;
using namespace ndb::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

const std::string kAlive = "check connection reply\nresult: Ok\n\n";

struct Arguments {
  std::vector<std::string> all, numbers, mandatory;
  bool bulk = false;
};
Arguments arguments_of(const mgmt::CommandSpec& c) {
  Arguments a;
  for (std::string_view word : mgmt::split_words(c.arguments, ",")) {
    std::string name(word);
    if (name == "*") continue;
    const bool number = name.starts_with('#');
    if (number) name.erase(0, 1);
    const bool mandatory = name.ends_with('!');
    if (mandatory) name.pop_back();
    if (name == "Content-Length") a.bulk = true;
    if (number) a.numbers.push_back(name);
    if (mandatory) a.mandatory.push_back(name);
    a.all.push_back(name);
  }
  return a;
}

// What is said to a fresh session; nothing may come of it.
std::string refused(ServerWorld& w, const std::string& text) {
  const Version before = w.catalog()->version;
  const std::string reply = w.ask(text);
  CHECK(w.catalog()->version == before);
  CHECK(w.ask("check connection\n\n") == kAlive);
  return reply;
}

}  // namespace

TEST_CASE("every command refuses an argument that it does not have") {
  ServerWorld w;
  for (const mgmt::CommandSpec& c : mgmt::text_commands()) {
    INFO(c.name);
    CHECK(refused(w, std::string(c.name) + "\nno such argument: 1\n\n") ==
          "result: Unknown argument, 'no such argument'\n\n");
  }
}

TEST_CASE("every command refuses an argument that is given twice, and a number that is none") {
  ServerWorld w;
  for (const mgmt::CommandSpec& c : mgmt::text_commands()) {
    const Arguments a = arguments_of(c);
    for (const std::string& name : a.all) {
      INFO(c.name << ", " << name);
      const std::string twice = std::string(c.name) + "\n" + name + ": 1\n" + name + ": 1\n\n";
      CHECK(refused(w, twice) == "result: Argument given twice, '" + name + "'\n\n");
    }
    for (const std::string& name : a.numbers) {
      INFO(c.name << ", " << name);
      for (const char* odd : {"one", "1x", "", "0x10", "99999999999999999999"}) {
        CHECK(refused(w, std::string(c.name) + "\n" + name + ": " + odd + "\n\n") ==
              "result: Type mismatch, '" + name + "'\n\n");
      }
    }
  }
}

TEST_CASE("every command says which argument is missing") {
  ServerWorld w;
  for (const mgmt::CommandSpec& c : mgmt::text_commands()) {
    const Arguments a = arguments_of(c);
    for (const std::string& missing : a.mandatory) {
      std::string request = std::string(c.name) + "\n";
      for (const std::string& name : a.mandatory) {
        if (name != missing) request += name + ": 1\n";
      }
      INFO(request);
      CHECK(refused(w, request + "\n") == "result: Missing arg., '" + missing + "'\n\n");
    }
  }
}

TEST_CASE("a command that does not exist, a line without a separator, a line that is too long") {
  ServerWorld w;
  CHECK(refused(w, "make coffee\nsugar: 2\n\n") == "result: Unknown command, 'make coffee'\n\n");
  CHECK(refused(w, "get status\nnonsense\n\n") == "result: Invalid arg. format, 'nonsense'\n\n");
  const std::string longest(510 - std::string("types: ").size(), 'x');
  CHECK_THAT(w.ask("get status\ntypes: " + longest + "\n\n"), StartsWith("node status\n"));
  CHECK(refused(w, "get status\ntypes: " + longest + "more\n\n") == "result: Invalid arg. format, 'line too long'\n\n");
  CHECK(refused(w, std::string(1 << 20, 'x')) == "result: Invalid arg. format, 'line too long'\n\n");
}

TEST_CASE("a bulk that is shorter or longer than announced") {
  ServerWorld w;
  const Version before = w.catalog()->version;
  const std::string config = kConfig + "[api]\nNodeId=22\n";
  const env::LinkId waits = w.open();
  w.step(event(env::EventKind::text, waits,
               "ndb apply config\nContent-Length: " + std::to_string(config.size() + 100) + "\n\n" + config + "\n"));
  w.run(100 * kMillisecond);
  CHECK(w.received[waits].empty());  // the rest may still come
  const env::LinkId cut = w.open();
  w.step(event(env::EventKind::text, cut,
               "ndb apply config\nContent-Length: " + std::to_string(config.size() - 10) + "\n\n" + config + "\n"));
  w.run(100 * kMillisecond);
  CHECK(w.received[cut] == "result: Invalid arg. format, 'Content-Length'\n\n");
  CHECK(w.closed.count(cut) == 1);
  CHECK(w.catalog()->version == before);
  for (const char* length : {"0", "-1", "1048577"}) {
    for (const char* command : {"ndb apply config", "ndb create table"}) {
      const std::string reply =
          refused(w, std::string(command) + "\nContent-Length: " + length + "\n\n" + config + "\n");
      CHECK_THAT(reply, Contains("result: ") && !Contains("result: Ok"));
    }
  }
  CHECK(w.ask("check connection\n\n") == kAlive);
}

TEST_CASE("a mebibyte of garbage, in pieces of any size, closes its own session at most") {
  ServerWorld w;
  const Version before = w.catalog()->version;
  const env::LinkId other = w.open();
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Prng prng(seed);
    const env::LinkId link = w.open();
    for (std::size_t sent = 0; sent < (1 << 20) && w.closed.count(link) == 0;) {
      std::string piece(1 + prng.below(seed < 5 ? 300 : 60000), '\0');
      for (char& c : piece) {
        c = static_cast<char>(prng.below(256));
        if (seed % 2 == 0 && prng.below(20) == 0) c = '\n';  // lines, too
        if (seed % 2 == 0 && prng.below(40) == 0) c = ':';
      }
      w.step(event(env::EventKind::text, link, piece));
      sent += piece.size();
    }
    CHECK(w.say(other, "check connection\n\n") == kAlive);
  }
  CHECK(w.catalog()->version == before);
}

TEST_CASE("half a request and then silence holds nobody up") {
  ServerWorld w;
  const Version before = w.catalog()->version;
  for (const char* half :
       {"ndb create nodegroup\nnodes: 3", "ndb apply config\nContent-Length: 1000\n\n[ndbd", "g", "get status\n"}) {
    const env::LinkId silent = w.open();
    w.step(event(env::EventKind::text, silent, half));
    w.run(2 * kSecond);
    INFO(half);
    CHECK(w.received[silent].empty());
    CHECK(w.closed.count(silent) == 0);
    CHECK(w.ask("check connection\n\n") == kAlive);
    w.step(event(env::EventKind::link_down, silent));
  }
  CHECK(w.catalog()->version == before);
  CHECK_THAT(w.ask("list sessions\n\n"), !Contains("session: 2\n"));  // those that have gone are forgotten
}

TEST_CASE("a thousand idle sessions") {
  ServerWorld w;
  const Version before = w.catalog()->version;
  std::vector<env::LinkId> idle;
  for (int i = 0; i < 1000; ++i) idle.push_back(w.open());
  w.run(100 * kMillisecond);
  CHECK(w.ask("check connection\n\n") == kAlive);
  CHECK(w.say(idle[500], "check connection\n\n") == kAlive);
  CHECK(w.catalog()->version == before);
  CHECK_THAT(w.ask("ndb disable node\nnode: 4\n\n"), Contains("changed: 1"));
}
