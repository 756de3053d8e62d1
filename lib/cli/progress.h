// Long work, watched: on a terminal one line on stderr that is written again and again (percent, rate, time left),
// otherwise a line at the beginning of every ten seconds. Nothing on stdout.
#pragma once
#include <cstdint>
#include <string>

#include "base/ids.h"

namespace ndb::cli {

class Progress {
 public:
  // `what`: "ips"; `unit`: "rows". `quiet` = says nothing at all.
  Progress(std::string what, std::string unit, bool quiet = false);
  ~Progress();  // ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // total 0 = not known: no percent, no time left. `doing`: the phase.
  void update(std::uint64_t done, std::uint64_t total, const std::string& doing);
  void finish();

  // What a line says after `elapsed` seconds. Pure, for tests.
  static std::string line(const std::string& what, const std::string& unit, std::uint64_t done, std::uint64_t total,
                          const std::string& doing, double elapsed_s, double rate);

 private:
  std::string what_, unit_, last_doing_;
  bool quiet_, terminal_, shown_ = false;
  Time started_, next_ = 0;
  Time phase_started_;  // rate and time left are those of the phase
  std::uint64_t phase_from_ = 0;
};

}  // namespace ndb::cli
