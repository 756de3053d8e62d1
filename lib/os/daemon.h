// Turning a server into a daemon: fork, a session of its own, a pid file, output to a file. The first process waits
// for the child's word on a pipe, so that `ndb-mgmd` and `ndb-node` return 0 only when the server really listens,
// and return the child's status with its sentence on stderr when it could not start.
//
//   auto d = os::daemonise(options);                     // before any thread is started and any loop is made
//   if (!d) ...                                          // could not even fork
//   if (d->is_caller()) return d->caller_status();       // the shell's process: the child is up, or has failed
//   ... listen ...
//   d->ready();                                          // the caller returns 0; stdout and stderr go to the file
//   or d->failed(1, "port 1186 is in use");              // the caller prints it and returns 1
#pragma once
#include <string>

#include "base/errors.h"
#include "base/ids.h"
#include "os/files.h"

namespace ndb::os {

struct DaemonOptions {
  std::string pid_path;     // pid_path(directory, id)
  std::string out_path;     // out_path(directory, id); stdout and stderr are appended to it
  bool foreground = false;  // no fork, no redirection; the pid file is still written and held
};

std::string pid_path(const std::string& directory, NodeId id);  // <directory>/ndb_<id>.pid
std::string out_path(const std::string& directory, NodeId id);  // <directory>/ndb_<id>_out.log

class Daemon {
 public:
  Daemon() = default;
  Daemon(Daemon&&) = default;
  Daemon& operator=(Daemon&&) = delete;
  // In the server: removes the pid file. A server that ends without a word is reported by the caller as failed.
  ~Daemon();

  bool is_caller() const { return caller_; }
  int caller_status() const { return status_; }
  // The server's word to the caller; the first one counts.
  void ready();
  void failed(int status, const std::string& sentence);

 private:
  friend Result<Daemon> daemonise(const DaemonOptions&);
  bool caller_ = false;
  int status_ = 0;
  void say(int status, const std::string& sentence);
  Fd pipe_;  // to the caller, until the word is said
  std::string out_path_;
  std::string pid_path_;
  Fd pid_lock_;
};

// Returns twice: in the caller after the server's word, in the server at once. The working directory and umask stay.
// Refused with Error::in_use when a living process holds the pid file (a lock, so a stale file is no hindrance).
Result<Daemon> daemonise(const DaemonOptions& options);

// Starts this program again in this process with the same arguments: how a node restarts itself. Files opened with
// O_CLOEXEC close; daemonise() in the new image finds that it is a daemon already and does not fork. The program is
// looked up anew, so that an upgraded one is what starts. Returns only on failure.
Failure exec_again(char* const argv[]);

}  // namespace ndb::os
