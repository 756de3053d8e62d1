// The metadata log on disk: what was reported is there after a reopen, strange files are refused, a second process is
// kept away, and a failed write ends everything.
#include "os_world.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>

#include "meta/member.h"
#include "os/sqlite_log_store.h"

using namespace ndb;
using namespace ndb::os;
using meta::LogEntry;
using meta::LogSnapshot;

namespace {

struct Reports {
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, int>> all;
  SqliteLogStore::Completed call() {
    return [this](std::uint64_t tag, int status) {
      std::lock_guard lock(mutex);
      all.emplace_back(tag, status);
    };
  }
  std::vector<std::pair<std::uint64_t, int>> take() {
    std::lock_guard lock(mutex);
    return std::exchange(all, {});
  }
};

LogEntry entry(std::uint64_t index, std::uint64_t term, std::string data = "data") {
  return {index, term, 1, std::move(data)};
}

std::string state_text(const meta::LogStore::State& s) {
  std::string t =
      "id " + std::to_string(s.raft_id) + " term " + std::to_string(s.term) + " vote " + std::to_string(s.vote);
  t += " snapshot " + std::to_string(s.snapshot.index) + "/" + std::to_string(s.snapshot.term) + s.snapshot.data;
  for (auto& e : s.entries) t += " " + std::to_string(e.index) + "/" + std::to_string(e.term) + e.data;
  return t;
}

std::string shell(const std::string& path, const std::string& sql) {
  SqliteFile file;
  REQUIRE_FALSE(file.open(path, 1000));
  std::string answer;
  REQUIRE(file.text(sql.c_str(), &answer));
  return answer;
}

}  // namespace

TEST_CASE("what was reported is there after a reopen", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  {
    SqliteLogStore store(dir / kMetaFileName, reports.call());
    REQUIRE_FALSE(store.open());
    CHECK(state_text(store.load()) == "id 0 term 0 vote 0 snapshot 0/0");
    store.set_raft_id(0xfedcba9876543210);
    store.set_term(1);
    store.append_now({entry(1, 1, "first")});
    store.set_vote(7);
    store.append(11, {entry(2, 1), entry(3, 1)});
    store.append(12, {entry(4, 1, std::string("a\0b", 3))});
    store.truncate(4);
    store.append(13, {entry(4, 2, ""), entry(5, 2, "x")});
    store.drain();
    CHECK(reports.take() == std::vector<std::pair<std::uint64_t, int>>{{11, 0}, {12, 0}, {13, 0}});
  }
  std::string expected = "id 18364758544493064720 term 1 vote 7 snapshot 0/0 1/1first 2/1data 3/1data 4/2 5/2x";
  {
    SqliteLogStore store(dir / kMetaFileName, reports.call());
    REQUIRE_FALSE(store.open());
    CHECK(state_text(store.load()) == expected);
    store.set_term(3);  // and the vote is free again
    store.put_snapshot(14, {4, 2, 1, "members", "catalog"}, 3);
    store.drain();
    CHECK(state_text(store.load()) == "id 18364758544493064720 term 3 vote 0 snapshot 4/2catalog 3/1data 4/2 5/2x");
    store.put_snapshot(15, {9, 3, 1, "members", "newer"}, 10);
    store.append(16, {entry(10, 3)});
    store.drain();
    CHECK(reports.take() == std::vector<std::pair<std::uint64_t, int>>{{14, 0}, {15, 0}, {16, 0}});
  }
  SqliteLogStore store(dir / kMetaFileName, reports.call());
  REQUIRE_FALSE(store.open());
  CHECK(state_text(store.load()) == "id 18364758544493064720 term 3 vote 0 snapshot 9/3newer 10/3data");
}

TEST_CASE("a process that is killed leaves what it was told is stored", "[os]") {
  TemporaryDirectory dir;
  int pipes[2];
  REQUIRE(::pipe(pipes) == 0);
  pid_t child = ::fork();
  if (child == 0) {
    SqliteLogStore store(dir / kMetaFileName, [&](std::uint64_t tag, int status) {
      if (status == 0) (void)!::write(pipes[1], &tag, sizeof tag);
    });
    if (store.open()) ::_exit(1);
    store.set_raft_id(1);
    for (std::uint64_t i = 1;; ++i) {
      store.append(i, {entry(i, 1, std::string(500, 'x'))});
      if (i % 16 == 0) store.drain();
    }
  }
  ::close(pipes[1]);
  std::uint64_t tag = 0, last = 0;
  while (last < 300 && ::read(pipes[0], &tag, sizeof tag) == sizeof tag) {
    CHECK(tag == last + 1);
    last = tag;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(pipes[0], &tag, sizeof tag) == sizeof tag) last = tag;
  ::close(pipes[0]);
  REQUIRE(last >= 300);
  Reports reports;
  SqliteLogStore store(dir / kMetaFileName, reports.call());
  REQUIRE_FALSE(store.open());
  auto s = store.load();
  CHECK(s.entries.size() >= last);
  CHECK(s.entries.front().index == 1);
}

TEST_CASE("a second one on the same directory is refused", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  SqliteLogStore first(dir / kMetaFileName, reports.call());
  REQUIRE_FALSE(first.open());
  SqliteLogStore second(dir / kMetaFileName, reports.call());
  Failure f = second.open();
  CHECK(f.error == Error::in_use);
  CHECK(f.text.find(std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("files that are not ours are refused and stay as they are", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  auto refusal = [&](const std::string& name) {
    SqliteLogStore store(dir / name, reports.call());
    Failure f = store.open();
    CHECK(f.error == Error::os_failed);
    return f.text;
  };
  REQUIRE_FALSE(write_file_atomically(dir / "text", std::string(5000, 'x')));
  CHECK(refusal("text").find("file is not a database") != std::string::npos);
  CHECK(*read_file(dir / "text") == std::string(5000, 'x'));
  {
    SqliteFile other;
    REQUIRE_FALSE(other.open(dir / "other", 0));
    REQUIRE(other.run("CREATE TABLE t(a)"));
  }
  std::string before = *read_file(dir / "other");
  CHECK(refusal("other").find("another program") != std::string::npos);
  CHECK(*read_file(dir / "other") == before);
  { REQUIRE_FALSE(SqliteLogStore(dir / "newer", reports.call()).open()); }
  {
    SqliteFile newer;
    REQUIRE_FALSE(newer.open(dir / "newer", 0));
    REQUIRE(newer.run("PRAGMA user_version=2"));
  }
  CHECK(refusal("newer").find("newer version (format 2") != std::string::npos);
  CHECK(refusal("no/directory").find("No such file") != std::string::npos);
}

TEST_CASE("a damaged file is refused", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  {
    SqliteLogStore store(dir / "a", reports.call());
    REQUIRE_FALSE(store.open());
    store.append_now({entry(1, 1, "needle-in-the-file"), entry(2, 1), entry(3, 1)});
  }
  std::string bytes = *read_file(dir / "a");
  std::size_t at = bytes.find("needle-in");
  REQUIRE(at != std::string::npos);
  std::string changed = bytes;
  changed[at] = 'N';  // SQLite has no checksums of its own
  REQUIRE_FALSE(write_file_atomically(dir / "a", changed));
  SqliteLogStore store(dir / "a", reports.call());
  CHECK(store.open().text.find("entry 1 is damaged") != std::string::npos);
  REQUIRE_FALSE(write_file_atomically(dir / "b", bytes.substr(0, bytes.size() / 2)));
  SqliteLogStore cut(dir / "b", reports.call());
  CHECK(cut.open().text.find("damaged") != std::string::npos);
  REQUIRE_FALSE(write_file_atomically(dir / "c", bytes));
  {
    SqliteFile file;
    REQUIRE_FALSE(file.open(dir / "c", 0));
    REQUIRE(file.run("DELETE FROM log WHERE idx = 2"));
  }
  SqliteLogStore gap(dir / "c", reports.call());
  CHECK(gap.open().text.find("entry 2 is missing") != std::string::npos);
}

TEST_CASE("after a failed write nothing is reported as stored any more", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  SqliteLogStore store(dir / "a", reports.call());
  REQUIRE_FALSE(store.open());
  store.set_term(1);
  store.append(1, {entry(1, 1)});
  store.drain();
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{}, tight{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  tight = before;
  tight.rlim_cur = 64 << 10;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  store.append(2, {entry(2, 1, std::string(1 << 20, 'x'))});
  store.drain();
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, SIG_DFL);
  store.append(3, {entry(3, 1)});  // there would be room again
  store.set_term(2);
  store.drain();
  CHECK(reports.take() == std::vector<std::pair<std::uint64_t, int>>{{1, 0}, {2, 1}, {3, 1}});
  CHECK(store.failed());
  CHECK(store.failure().find("cannot write '" + (dir / "a") + "'") == 0);
}

TEST_CASE("a member lives on a file, and people can read it", "[os]") {
  TemporaryDirectory dir;
  Reports reports;
  Time now = kSecond;
  auto work = [&](SqliteLogStore& store, meta::Member& m, Time until) {
    while (now < until) {
      now += 10 * kMillisecond;
      store.drain();
      for (auto [tag, status] : reports.take()) m.stored(now, tag, status);
      m.tick(now);
    }
  };
  {
    SqliteLogStore store(dir / kMetaFileName, reports.call());
    REQUIRE_FALSE(store.open());
    meta::Member m(store, {1, 1});
    REQUIRE_FALSE(m.bootstrap());
    REQUIRE_FALSE(m.start(now));
    meta::ChangeConfig c;
    auto image = std::make_shared<meta::ConfigImage>();
    image->text = "[ndb_mgmd]\n";
    image->nodes.push_back({49, meta::NodeType::mgm, "here", false, kNoGroup, false, {}});
    c.cluster_id = 5;
    c.generation.image = image;
    c.generation.who = "anna@here";
    c.generation.when_s = 1000000000;
    m.propose(now, {{}, 0, c});
    work(store, m, now + 2 * kSecond);
    REQUIRE(m.leading());
    REQUIRE(m.finished.size() == 1);
    CHECK(m.finished[0].outcome.text.empty());
    CHECK(m.catalog()->generation == 1);
    store.drain();
  }
  std::string path = dir / kMetaFileName;
  CHECK(shell(path, "SELECT who || ' ' || committed FROM generations") == "anna@here 2001-09-09 01:46:40");
  CHECK(shell(path, "SELECT id || type || host || state FROM nodes") == "49managementheredown");
  CHECK(shell(path, "SELECT count(*) FROM log WHERE type = 1") == "2");
  SqliteLogStore store(path, reports.call());
  REQUIRE_FALSE(store.open());
  meta::Member m(store, {1, 2});
  REQUIRE_FALSE(m.start(now));
  work(store, m, now + kSecond);
  CHECK(m.leading());
  CHECK(m.catalog()->generation == 1);
  CHECK(m.catalog()->leader_epoch == 2);
}
