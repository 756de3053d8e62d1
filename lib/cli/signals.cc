#include "cli/signals.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <cstring>
#include <list>

#include "cli/exit.h"

namespace ndb::cli {

namespace {

// Read by the handler. Older texts are kept: a handler may still be reading one, and there are few.
std::atomic<const char*> g_text{nullptr};

void interrupted(int) {
  const char* text = g_text.load();
  if (text != nullptr && ::write(STDERR_FILENO, text, std::strlen(text)) < 0) ::_exit(kExitInterrupted);
  ::_exit(kExitInterrupted);
}

}  // namespace

void on_interrupt(const std::string& tool, const std::string& what_goes_on) {
  const char* line = ::isatty(STDERR_FILENO) != 0 ? "\n" : "";
  static auto& texts = *new std::list<std::string>;  // never destroyed: a signal may be reading one at any time
  texts.push_back(line + tool + ": interrupted; " + what_goes_on + "\n");
  g_text.store(texts.back().c_str());
  struct sigaction action {};
  action.sa_handler = interrupted;
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace ndb::cli
