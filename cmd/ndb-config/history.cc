#include "cli/json_value.h"
#include "cli/tool.h"
#include "commands.h"

namespace ndb::cli {
namespace {

struct History final : Command {
  std::uint64_t limit = 20;

  void declare(Options& o) override { o.number("--limit", &limit, "at most so many, newest first (20); 0 = all", "N"); }

  int run(Tool& tool) override {
    auto r = tool.ask("ndb config history", {{"limit", std::to_string(limit)}});
    if (!r) return Tool::unknown_command(r.failure()) ? tool.refuse_stock("history") : tool.fail(r.failure());
    if (tool.json()) {
      print_line(with_changed(r->bulk, false));
      return kExitDone;
    }
    auto v = JsonValue::parse(r->bulk);
    if (!v) return tool.fail(v.failure());
    Table table({"generation", "when", "who", "source", "nodes", "message"});
    for (const JsonValue& g : (*v)["generations"].items) {
      table.row({g["generation"].text, show_when(static_cast<std::int64_t>(g["when_s"].number())), g["who"].text,
                 g["source"].text, g["nodes"].text, g["message"].text});
    }
    table.print(tool.format());
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_history() { return make_command<History>(); }
}  // namespace ndb::cli
