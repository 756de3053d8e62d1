#include "os/daemon.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ndb::os {
namespace {

constexpr const char* kMark = "NDB_DAEMON_PID";  // set by exec_again to the process that is a daemon already

// The word on the pipe: i32 status, then the sentence up to the end. No word at all: the server died.
int hear(int fd, pid_t child) {
  std::string word;
  char buffer[512];
  while (true) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    word.append(buffer, static_cast<std::size_t>(n));
  }
  if (word.size() >= 4) {
    int status = load<std::int32_t>(word.data());
    if (word.size() > 4) std::fprintf(stderr, "%s\n", word.c_str() + 4);
    return status;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "the server was ended by signal %d before it was ready\n", WTERMSIG(status));
    return 1;
  }
  int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  std::fprintf(stderr, "the server ended with status %d before it was ready\n", exit_status);
  return exit_status != 0 ? exit_status : 1;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

void redirect(int from, int to) {
  if (from >= 0) ::dup2(from, to);
}

bool marked() {
  const char* mark = std::getenv(kMark);
  bool own = mark != nullptr && std::to_string(::getpid()) == mark;
  ::unsetenv(kMark);
  return own;
}

}  // namespace

std::string pid_path(const std::string& directory, NodeId id) {
  return directory + "/ndb_" + std::to_string(id) + ".pid";
}

std::string out_path(const std::string& directory, NodeId id) {
  return directory + "/ndb_" + std::to_string(id) + "_out.log";
}

Daemon::~Daemon() {
  if (pid_lock_) ::unlink(pid_path_.c_str());
}

void Daemon::say(int status, const std::string& sentence) {
  if (!pipe_) return;
  std::string word(4, '\0');
  save<std::int32_t>(word.data(), status);
  word += sentence;
  [[maybe_unused]] auto n = ::write(pipe_.get(), word.data(), word.size());
  pipe_.reset();
}

void Daemon::ready() {
  if (!pipe_) return;
  std::fflush(stdout);
  std::fflush(stderr);
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Fd out(::open(out_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  redirect(null.get(), STDIN_FILENO);
  redirect(out ? out.get() : null.get(), STDOUT_FILENO);
  redirect(out ? out.get() : null.get(), STDERR_FILENO);
  say(0, "");
}

void Daemon::failed(int status, const std::string& sentence) {
  if (pipe_) {
    say(status, sentence);
  } else {
    std::fprintf(stderr, "%s\n", sentence.c_str());
  }
}

Result<Daemon> daemonise(const DaemonOptions& options) {
  Daemon d;
  d.out_path_ = options.out_path;
  d.pid_path_ = options.pid_path;
  if (!options.foreground && !marked()) {
    {
      // Asked here already, for a plain answer; made and taken for good later. A refused start leaves nothing behind.
      if (Failure f = check_unlocked(options.pid_path)) return f;
      for (const std::string& path : {options.pid_path, options.out_path}) {
        const std::string place = exists(path) ? path : directory_of(path);
        if (::access(place.c_str(), W_OK) != 0) return os_failure("open", path, errno);
      }
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return os_failure("make a pipe", "", errno);
    Fd reading(ends[0]);
    Fd writing(ends[1]);
    std::fflush(stdout);
    std::fflush(stderr);
    pid_t child = ::fork();
    if (child < 0) return os_failure("start a process", "", errno);
    if (child > 0) {
      writing.reset();
      d.caller_ = true;
      d.status_ = hear(reading.get(), child);
      return d;
    }
    ::setsid();
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    d.pipe_ = std::move(writing);
  }
  auto lock = lock_file(options.pid_path);
  if (!lock) {
    if (!d.pipe_) return lock.failure();
    d.say(1, lock.failure().text);
    ::_exit(1);
  }
  d.pid_lock_ = std::move(*lock);
  return d;
}

Failure exec_again(char* const argv[]) {
  ::setenv(kMark, std::to_string(::getpid()).c_str(), 1);
  ::execvp(argv[0], argv);
  ::execv("/proc/self/exe", argv);
  int e = errno;
  ::unsetenv(kMark);
  return os_failure("start again", argv[0], e);
}

}  // namespace ndb::os
