// The text of an earlier generation becomes a new one: history is never rewritten.
#include "changes.h"
#include "commands.h"

namespace ndb::cli {
namespace {

struct Rollback final : Command {
  std::uint64_t generation = 0;
  ApplyOptions options;

  void declare(Options& o) override {
    o.number("generation", &generation, "whose content is wanted again", "N", true);
    o.flag("--dry-run", &options.dry_run, "only check and say what would happen; nothing is changed");
    o.number("--if-generation", &options.if_generation, "refuse (exit 6) unless this is the present generation", "N");
    o.text("-m,--message", &options.message, "why, for the history", "TEXT");
  }

  int run(Tool& tool) override {
    auto present = read_config(tool);
    if (!present) return tool.fail(present.failure());
    if (present->stock()) return tool.refuse_stock("rollback");
    if (generation == 0) return tool.usage("'0' is no generation to go back to");
    auto old = read_config(tool, generation);
    if (!old) return tool.fail(old.failure());
    if (auto f = options.check(*present)) return tool.fail(f);
    const Comparison c = compare(*present, old->config, false);
    const std::string source = "generation " + std::to_string(generation);
    ApplyOptions lenient = options;  // what it warns of was accepted when that generation was made, or left
    lenient.accept_warnings = true;
    if (int status = judge(tool, lenient, c, source); status != kExitDone) return status;
    if (c.changes.empty()) return report_applied(tool, options, c, present->generation, false);
    tool.on_interrupt("the change may have been made; 'ndb-config history' tells");
    auto r = tool.change("ndb rollback config",
                         {{"generation", std::to_string(generation)},
                          {"expect_generation", std::to_string(present->generation)},
                          {"who", who_am_i()},
                          {"message", options.message}},
                         ChangeOptions{.dry_run = options.dry_run});
    std::uint64_t now = present->generation;
    if (r) {
      if (!options.dry_run) now = std::strtoull(r->value("generation").c_str(), nullptr, 10);
      return report_applied(tool, options, c, now, r->value("changed") == "1");
    }
    print_refused(tool, source);
    return tool.fail(r.failure());
  }
};

}  // namespace

std::unique_ptr<Command> make_rollback() { return make_command<Rollback>(); }
}  // namespace ndb::cli
