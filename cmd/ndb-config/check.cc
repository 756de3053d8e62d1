#include <algorithm>

#include "changes.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct Check final : Command {
  std::string file;

  void declare(Options& o) override {
    o.text("file", &file, "config.ini or config.toml; - = standard input", "FILE", true);
  }

  int run(Tool& tool) override {
    auto f = read_config_file(tool, file);
    if (!f) return tool.fail(f.failure());
    const auto errors = std::count_if(f->problems.begin(), f->problems.end(),
                                      [](const mgmt::Problem& p) { return p.severity == mgmt::Severity::error; });
    if (!f->ok) {
      return tool.refuse("'" + f->source + "' has " + std::to_string(errors) + (errors == 1 ? " error" : " errors") +
                         "; correct it and check again");
    }
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", false).member("nodes", f->config.nodes.size());
      print_line(j.member("warnings", f->problems.size()).end_object().text());
      return kExitDone;
    }
    print_line("'" + f->source + "' is correct: " + std::to_string(f->config.nodes.size()) + " nodes" +
               (f->problems.empty() ? "" : ", " + std::to_string(f->problems.size()) + " warnings"));
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_check() { return make_command<Check>(); }
}  // namespace ndb::cli
