#include "changes.h"
#include "commands.h"

namespace ndb::cli {
namespace {

struct Apply final : Command {
  std::string file;
  ApplyOptions options;

  void declare(Options& o) override {
    o.text("file", &file, "config.ini or config.toml; - = standard input", "FILE", true);
    options.declare(o);
  }

  int run(Tool& tool) override {
    auto f = read_config_file(tool, file);
    if (!f) return tool.fail(f.failure());
    if (!f->ok) return tool.fail({Error::illegal_change, "'" + f->source + "' has errors; nothing was changed"});
    auto present = read_config(tool);
    if (!present) return tool.fail(present.failure());
    return apply_text(tool, options, *present, f->config, f->text, f->source);
  }
};

}  // namespace

std::unique_ptr<Command> make_apply() { return make_command<Apply>(); }
}  // namespace ndb::cli
