// How a tool ends: the exit status (the table of ndb(7)) and the one sentence on stderr.
#pragma once
#include <string>
#include <string_view>

#include "base/errors.h"

namespace ndb::cli {

enum ExitStatus : int {
  kExitDone = 0,     // or nothing to do
  kExitRefused = 1,  // refused or failed, nothing changed
  kExitUsage = 2,
  kExitDegraded = 3,      // done, but the cluster is degraded
  kExitUnknown = 4,       // outcome unknown, safe to repeat
  kExitUnreachable = 5,   // cluster not reachable
  kExitMoved = 6,         // version or generation moved on
  kExitStillRunning = 7,  // --timeout ended first
  kExitInterrupted = 130,
};

// By the table of errors; 1 for numbers that it does not have (a stock server's).
int exit_status(Error error) noexcept;
// What to do about it, for errors whose sentence comes without; may be empty.
std::string_view advice(Error error) noexcept;
// "<tool>: error <number>: <sentence>; <advice>" without a number for errors that no number of NDB or ours names
// (usage). One line, no line end.
std::string error_line(std::string_view tool, const Failure& failure);
// Prints error_line() on stderr; the answer is the exit status.
int report_failure(std::string_view tool, const Failure& failure);
// Prints "<tool>: <sentence>" on stderr; the answer is `status`.
int report_refusal(std::string_view tool, std::string_view sentence, int status = kExitRefused);
// Lower-case, one line, as all messages of the tools: of what the reader of command lines says.
std::string usage_sentence(std::string text);
// For the end of main(): the status, or kExitRefused and a sentence instead of kExitDone when something that was
// printed on stdout has not arrived (a full disk, a closed descriptor).
int end_output(std::string_view tool, int status);
// Something that was printed on stdout is lost.
bool output_failed() noexcept;

}  // namespace ndb::cli
