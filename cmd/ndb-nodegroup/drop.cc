#include "cli/status.h"
#include "cli/tool.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct Drop final : Command {
  std::uint64_t group = 0;
  ChangeOptions change;

  void declare(Options& o) override {
    o.number("group", &group, "number of the node group", "N", true);
    change.declare(o);
  }

  int run(Tool& tool) override {
    auto r = tool.change("ndb drop nodegroup", {{"group", std::to_string(group)}}, change);
    bool stock = false;
    if (!r && Tool::unknown_command(r.failure())) {
      if (change.dry_run || change.if_version != 0) return tool.refuse_stock("drop --dry-run or --if-version");
      stock = true;
      r = tool.order("drop nodegroup", {{"ng", std::to_string(group)}});
    }
    if (!r) return tool.fail(stock ? drop_in_words(r.failure(), std::to_string(group)) : r.failure());
    const bool changed = stock || r->value("changed") == "1";
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", changed).member("dry_run", change.dry_run);
      if (change.dry_run) j.member("would_change", r->value("would_change") == "1");
      if (!stock) j.member("version", std::strtoull(r->value("version").c_str(), nullptr, 10));
      print_line(j.member("group", group).end_object().text());
    } else if (change.dry_run) {
      print_line("would drop node group " + std::to_string(group));
    } else {
      print_line((changed ? "dropped node group " : "already gone: node group ") + std::to_string(group));
      if (changed) tool.note("its nodes are in no group now; they can be stopped, or used for another one");
    }
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_drop() { return make_command<Drop>(); }
}  // namespace ndb::cli
