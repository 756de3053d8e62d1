// How a subcommand names its options, without the library that reads them (cli/dispatch.cc knows it: it is slow
// to compile, so every tool includes it once). Names: "-f,--force"; a name without dashes is an argument by place.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ndb::cli {

class Tool;

class Options {
 public:
  virtual ~Options() = default;
  virtual void flag(const char* names, bool* value, const char* help) = 0;
  virtual void text(const char* names, std::string* value, const char* help, const char* meta,
                    bool required = false) = 0;
  virtual void number(const char* names, std::uint64_t* value, const char* help, const char* meta = "N",
                      bool required = false) = 0;
  // Given several times, or (an argument by place) several words.
  virtual void list(const char* names, std::vector<std::string>* values, const char* help, const char* meta,
                    bool required = false) = 0;
  virtual void choice(const char* names, std::string* value, const char* help, std::vector<std::string> words) = 0;
};

// One subcommand. Made, told its options, run once.
class Command {
 public:
  virtual ~Command() = default;
  virtual void declare(Options& options) = 0;
  virtual int run(Tool& tool) = 0;  // the exit status
};

// A row of a tool's table. The one with an empty name is what the tool does without a subcommand.
struct Subcommand {
  const char* name;
  const char* summary;
  std::unique_ptr<Command> (*make)();
};

template <class C>
std::unique_ptr<Command> make_command() {
  return std::make_unique<C>();
}

}  // namespace ndb::cli
