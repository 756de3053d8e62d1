// Files, locks, names and daemons.
#include "os_world.h"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>

#include "os/daemon.h"
#include "os/files.h"
#include "os/resolver.h"

using namespace ndb;
using namespace ndb::os;

TEST_CASE("a file is written whole or not at all", "[os]") {
  TemporaryDirectory dir;
  REQUIRE_FALSE(write_file_atomically(dir / "a", "one"));
  REQUIRE_FALSE(write_file_atomically(dir / "a", "two"));
  CHECK(*read_file(dir / "a") == "two");
  CHECK(*list_directory(dir.path) == std::vector<std::string>{"a"});  // no temporary stays
  REQUIRE_FALSE(make_directories(dir / "b/directory"));
  Failure f = write_file_atomically(dir / "b", "over a directory");
  CHECK(f.error == Error::os_failed);
  CHECK(f.text == "cannot replace '" + (dir / "b") + "': Is a directory");
  CHECK(*list_directory(dir.path) == std::vector<std::string>{"a", "b"});
  CHECK(write_file_atomically(dir / "none/x", "").text.find("No such file") != std::string::npos);
}

TEST_CASE("failures of files are sentences", "[os]") {
  TemporaryDirectory dir;
  auto missing = read_file(dir / "missing");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.failure().text == "cannot open '" + (dir / "missing") + "': No such file or directory");
  REQUIRE_FALSE(append_file(dir / "log", "abc"));
  REQUIRE_FALSE(append_file(dir / "log", "def"));
  CHECK(*read_file(dir / "log") == "abcdef");
  CHECK_FALSE(read_file(dir / "log", 5).ok());
  CHECK(read_file(dir / "log", 6).ok());
  Failure f = make_directories(dir / "log/below");
  CHECK(f.text == "cannot create the directory '" + (dir / "log") + "': Not a directory");
  REQUIRE_FALSE(make_directories(dir / "x/y//z"));
  REQUIRE_FALSE(make_directories(dir / "x/y/z"));
  CHECK(is_directory(dir / "x/y/z"));
  CHECK_FALSE(is_directory(dir / "log"));
  REQUIRE_FALSE(remove_file(dir / "log"));
  REQUIRE_FALSE(remove_file(dir / "log"));
  CHECK_FALSE(exists(dir / "log"));
  CHECK(remove_file(dir / "x").error == Error::os_failed);
  CHECK(*free_bytes(dir.path) > 0);
}

TEST_CASE("a directory's lock has one holder, and says who", "[os]") {
  TemporaryDirectory dir;
  {
    auto held = lock_file(dir / "lock");
    REQUIRE(held.ok());
    auto second = lock_file(dir / "lock");
    REQUIRE_FALSE(second.ok());
    CHECK(second.error() == Error::in_use);
    CHECK(second.failure().text == "'" + (dir / "lock") + "' is held by process " + std::to_string(::getpid()) +
                                       ": another one runs on this directory");
  }
  CHECK(lock_file(dir / "lock").ok());
}

TEST_CASE("times, seeds and names", "[os]") {
  CHECK(utc_text(0) == "1970-01-01 00:00:00.000000");
  CHECK(utc_text(1792526977123456789) == "2026-10-20 20:09:37.123456");
  CHECK(utc_text(-1) == "1969-12-31 23:59:59.999999");
  CHECK(random_seed() != random_seed());
  CHECK_FALSE(host_name().empty());
  Time a = monotonic_now();
  CHECK(monotonic_now() >= a);
}

TEST_CASE("local hosts are known as such", "[os]") {
  CHECK(is_local_host("localhost"));
  CHECK(is_local_host("127.0.0.1"));
  CHECK(is_local_host("127.4.5.6"));
  CHECK(is_local_host("::1"));
  CHECK(is_local_host(host_name()));
  CHECK_FALSE(is_local_host("192.0.2.1"));  // reserved for documentation
  CHECK_FALSE(is_local_host("no-such-host.invalid"));
}

TEST_CASE("addresses are parsed and printed", "[os]") {
  SocketAddress a;
  REQUIRE(parse_address("10.1.2.3", 1186, &a));
  CHECK(address_text(a) == "10.1.2.3:1186");
  REQUIRE(parse_address("fe80::1", 1, &a));
  CHECK(address_text(a) == "[fe80::1]:1");
  REQUIRE(parse_address("::ffff:10.1.2.3", 7, &a));
  CHECK(address_text(a) == "10.1.2.3:7");
  CHECK_FALSE(parse_address("localhost", 1, &a));
  CHECK_FALSE(parse_address("", 1, &a));
}

namespace {

// Runs `server` as a daemon of a child of ours, as a shell would; the answer is what the shell sees.
struct Seen {
  int status = -1;
  std::string error;
};

Seen start_daemon(const DaemonOptions& o, const std::function<void(Daemon&)>& server) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t shell = ::fork();
  REQUIRE(shell >= 0);
  if (shell == 0) {
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    ::fcntl(STDOUT_FILENO, F_SETFD, FD_CLOEXEC);
    int status = 0;
    {
      auto d = daemonise(o);
      if (!d) {
        std::fprintf(stderr, "%s\n", d.failure().text.c_str());
        status = 1;
      } else if (d->is_caller()) {
        status = d->caller_status();
      } else {
        server(*d);
      }
    }
    std::fflush(nullptr);
    ::_exit(status);
  }
  ::close(ends[1]);
  Seen seen;
  int status = 0;
  REQUIRE(::waitpid(shell, &status, 0) == shell);
  seen.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  char buffer[1024];
  ssize_t n = ::read(ends[0], buffer, sizeof buffer);
  if (n > 0) seen.error.assign(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  return seen;
}

bool eventually(const std::function<bool()>& f) {
  for (int i = 0; i < 5000; ++i) {
    if (f()) return true;
    ::usleep(1000);
  }
  return false;
}

}  // namespace

TEST_CASE("a daemon's caller returns when the server is up, or with its failure", "[os]") {
  TemporaryDirectory dir;
  DaemonOptions o;
  o.pid_path = pid_path(dir.path, 3);
  o.out_path = out_path(dir.path, 3);
  CHECK(o.pid_path == dir / "ndb_3.pid");
  CHECK(o.out_path == dir / "ndb_3_out.log");

  SECTION("up") {
    Seen seen = start_daemon(o, [&](Daemon& d) {
      ::usleep(50000);
      (void)append_file(dir / "listening", "yes");
      d.ready();
      std::printf("said by the daemon\n");
      std::fflush(stdout);
      for (int i = 0; i < 20000 && !exists(dir / "end"); ++i) ::usleep(1000);
    });
    CHECK(seen.status == 0);
    CHECK(seen.error.empty());
    CHECK(exists(dir / "listening"));
    auto pid = read_file(o.pid_path);
    REQUIRE(pid.ok());
    CHECK(::kill(std::stoi(*pid), 0) == 0);
    CHECK(::getsid(std::stoi(*pid)) == std::stoi(*pid));
    CHECK(eventually([&] { return *read_file(o.out_path) == "said by the daemon\n"; }));

    Seen second = start_daemon(o, [](Daemon& d) { d.ready(); });
    CHECK(second.status == 1);
    CHECK(second.error.find("is held by process " + pid->substr(0, pid->size() - 1)) != std::string::npos);

    REQUIRE_FALSE(append_file(dir / "end", ""));
    CHECK(eventually([&] { return !exists(o.pid_path); }));
  }
  SECTION("failed with a sentence") {
    Seen seen = start_daemon(o, [](Daemon& d) { d.failed(5, "port 1186 is in use"); });
    CHECK(seen.status == 5);
    CHECK(seen.error == "port 1186 is in use\n");
    CHECK(eventually([&] { return !exists(o.pid_path); }));
  }
  SECTION("died without a word") {
    Seen seen = start_daemon(o, [](Daemon&) { ::kill(::getpid(), SIGKILL); });
    CHECK(seen.status == 1);
    CHECK(seen.error == "the server was ended by signal 9 before it was ready\n");
    Seen again = start_daemon(o, [](Daemon& d) { d.ready(); });  // a stale pid file is no hindrance
    CHECK(again.status == 0);
  }
  SECTION("no directory") {
    o.pid_path = dir / "missing/ndb_3.pid";
    Seen seen = start_daemon(o, [](Daemon& d) { d.ready(); });
    CHECK(seen.status == 1);
    CHECK(seen.error.find("No such file or directory") != std::string::npos);
  }
}

TEST_CASE("a program started again stays the daemon that it was", "[os]") {
  TemporaryDirectory dir;
  DaemonOptions o;
  o.pid_path = dir / "pid";
  o.out_path = dir / "out";
  // The second image is a shell, which only tells what it was given.
  std::string script = "echo $$ $NDB_DAEMON_PID > " + (dir / "told");
  Seen seen = start_daemon(o, [&](Daemon& d) {
    d.ready();
    std::string sh = "sh";
    std::string c = "-c";
    char* argv[] = {sh.data(), c.data(), script.data(), nullptr};
    (void)exec_again(argv);
  });
  CHECK(seen.status == 0);
  REQUIRE(eventually([&] {
    auto t = read_file(dir / "told");
    return t.ok() && !t->empty() && t->back() == '\n';
  }));
  std::string told = *read_file(dir / "told");
  auto space = told.find(' ');
  CHECK(told.substr(0, space) + "\n" == told.substr(space + 1));
  CHECK(*read_file(o.pid_path) == told.substr(space + 1));
}

TEST_CASE("a process marked as a daemon does not fork again", "[os]") {
  TemporaryDirectory dir;
  DaemonOptions o;
  o.pid_path = dir / "pid";
  o.out_path = dir / "out";
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string own = std::to_string(::getpid());
    ::setenv("NDB_DAEMON_PID", own.c_str(), 1);
    auto d = daemonise(o);
    bool right =
        d.ok() && !d->is_caller() && *read_file(o.pid_path) == own + "\n" && std::getenv("NDB_DAEMON_PID") == nullptr;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
