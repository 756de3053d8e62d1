// The frame of a tool with subcommands: its table in, an exit status out. dispatch.cc is the one place that knows CLI11
// for operators' tools: it takes seconds to compile.
//
// Every subcommand has -c/--connectstring, --format and --help besides its own options; usage errors are one
// sentence on stderr and status 2.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "cli/tool.h"

namespace ndb::cli {

// One call of a tool with these words, options and all, inside a process that has a Tool already.
int dispatch_words(Tool& tool, const char* name, const char* summary, std::span<const Subcommand> table,
                   std::vector<std::string> words);
int tool_main(const char* name, const char* summary, std::span<const Subcommand> table, int argc, char** argv);

}  // namespace ndb::cli
