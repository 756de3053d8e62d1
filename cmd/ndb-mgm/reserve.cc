// Data nodes in reserve: in the configuration, and ignored until they are enabled.
#include "commands.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

class Reserve : public Command {
 public:
  explicit Reserve(bool enable) : enable_(enable) {}

  void declare(Options& o) override {
    o.number("node", &node_, "a data node", "ID", true);
    change_.declare(o);
  }

  int run(Tool& tool) override {
    const std::string id = std::to_string(node_);
    auto r = tool.change(enable_ ? "ndb enable node" : "ndb disable node", {{"node", id}}, change_);
    if (!r)
      return Tool::unknown_command(r.failure()) ? tool.refuse_stock(enable_ ? "enable" : "disable")
                                                : tool.fail(r.failure());
    const bool changed = r->value("changed") == "1";
    std::string text = "node " + id + (enable_ ? " is enabled; start it with --initial" : " is in reserve");
    if (change_.dry_run)
      text = std::string("would ") + (enable_ ? "enable" : "disable") + " node " + id;
    else if (!changed)
      text = "nothing to do: node " + id + " is so already";
    print_order(tool, text, {static_cast<NodeId>(node_)}, changed, change_.dry_run);
    return kExitDone;
  }

 private:
  bool enable_;
  std::uint64_t node_ = 0;
  ChangeOptions change_;
};

}  // namespace

std::unique_ptr<Command> make_enable() { return std::make_unique<Reserve>(true); }
std::unique_ptr<Command> make_disable() { return std::make_unique<Reserve>(false); }
}  // namespace ndb::cli
