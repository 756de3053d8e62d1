#include "changes.h"
#include "commands.h"
#include "mgmt/config_query.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct Show final : Command {
  bool ini = false, toml = false, effective = false, defaults = false;
  std::uint64_t generation = 0;

  void declare(Options& o) override {
    o.flag("--print-config-ini,--print_config_ini", &ini, "as config.ini, whatever it was given as");
    o.flag("--print-config-toml,--print_config_toml", &toml, "as config.toml, whatever it was given as");
    o.number("--generation", &generation, "an earlier one; 0 = the present one", "N");
    o.flag("--effective", &effective, "every value that holds, also those that nobody wrote");
    o.flag("--defaults", &defaults, "only what differs from the defaults, beside them");
  }

  int run(Tool& tool) override {
    if (int{ini} + int{toml} + int{effective} + int{defaults} > 1) {
      return tool.usage(
          "only one of --print-config-ini, --print-config-toml, --effective and --defaults can be "
          "shown");
    }
    auto stored = read_config(tool, generation);
    if (!stored) return tool.fail(stored.failure());
    std::string text = stored->text;
    if (ini) text = mgmt::print_ini(stored->config);
    if (toml) text = mgmt::print_toml(stored->config);
    if (defaults) text = mgmt::differences_from_defaults(stored->config);
    if (effective) {
      auto all = read_effective_config(tool, stored->generation);
      if (!all)
        return Tool::unknown_command(all.failure()) ? tool.refuse_stock("show --effective") : tool.fail(all.failure());
      text = *all;
    }
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", false).member("generation", stored->generation);
      j.member("when_s", stored->when_s).member("who", stored->who).member("source", stored->source);
      print_line(j.member("message", stored->message).member("text", text).end_object().text());
      return kExitDone;
    }
    print(text);
    if (!text.empty() && text.back() != '\n') print("\n");
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_show() { return make_command<Show>(); }
}  // namespace ndb::cli
