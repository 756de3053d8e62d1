#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>

#include "cli/output.h"
#include "os/files.h"

namespace ndb::cli {

namespace {
constexpr Time kTerminalEvery = 100 * kMillisecond;
constexpr Time kLogEvery = 10 * kSecond;
}  // namespace

Progress::Progress(std::string what, std::string unit, bool quiet)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) != 0),
      started_(os::monotonic_now()),
      phase_started_(started_) {
  if (!terminal_) next_ = started_ + kLogEvery;
}
Progress::~Progress() { finish(); }

std::string Progress::line(const std::string& what, const std::string& unit, std::uint64_t done, std::uint64_t total,
                           const std::string& doing, double elapsed_s, double rate) {
  std::string s = what + ": " + doing;
  if (total != 0) {
    s += " " + std::to_string(done >= total ? 100 : done * 100 / total) + "%, " + show_count(done) + " of " +
         show_count(total) + " " + unit;
  } else if (done != 0) {
    s += " " + show_count(done) + " " + unit;
  }
  if (rate >= 1) s += ", " + show_count(static_cast<std::uint64_t>(rate)) + " " + unit + "/s";
  if (rate >= 1 && total > done) {
    s += ", " + show_seconds(static_cast<double>(total - done) / rate) + " left";
  } else {
    s += ", " + show_seconds(elapsed_s);
  }
  return s;
}

void Progress::update(std::uint64_t done, std::uint64_t total, const std::string& doing) {
  if (quiet_) return;
  const Time now = os::monotonic_now();
  if (doing != last_doing_) {
    last_doing_ = doing;
    phase_started_ = now;
    phase_from_ = done;
    if (terminal_) next_ = 0;
  }
  if (now < next_) return;
  next_ = now + (terminal_ ? kTerminalEvery : kLogEvery);
  const double phase_s = static_cast<double>(now - phase_started_) / static_cast<double>(kSecond);
  const double rate = phase_s > 0.05 && done > phase_from_ ? static_cast<double>(done - phase_from_) / phase_s : 0;
  const std::string s =
      line(what_, unit_, done, total, doing, static_cast<double>(now - started_) / static_cast<double>(kSecond), rate);
  std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", s.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::finish() {
  if (terminal_ && shown_) std::fputs("\n", stderr);
  shown_ = false;
}

}  // namespace ndb::cli
