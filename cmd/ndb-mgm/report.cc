#include "commands.h"
#include "mgmt/text_reply.h"
#include "nodes.h"
#include "stock_reports.h"

namespace ndb::cli {
namespace {

struct Report final : Command {
  std::string what;
  std::vector<std::string> ids;

  void declare(Options& o) override {
    o.text("what", &what, "memory", "WHAT", true);
    o.list("nodes", &ids, "node ids; none: all data nodes", "ID");
  }

  int run(Tool& tool) override {
    if (what != "memory") return tool.usage("'" + what + "' is nothing to report; there is: memory");
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    if (status->stock) {
      if (auto f = add_stock_memory(tool, &*status)) return tool.fail(f);
    }
    std::vector<NodeId> nodes;
    if (!ids.empty() && !names_all(ids)) {
      auto named = named_nodes(*status, ids);
      if (!named) return tool.fail(named.failure());
      nodes = *named;
    } else {
      for (const NodeStatus& n : status->nodes) {
        if (n.data()) nodes.push_back(n.id);
      }
    }
    Table table({"node", "used", "total", "percent", "rows"});
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).name("nodes").array();
    auto number = [&j](const char* name, const std::optional<std::uint64_t>& v) {
      j.name(name);
      if (v)
        j.value(*v);
      else
        j.null();
    };
    for (NodeId id : nodes) {
      const NodeStatus& n = *status->node(id);
      const bool known = n.memory_used && n.memory_total && *n.memory_total != 0;
      table.row({std::to_string(id), known ? show_bytes(*n.memory_used) : "", known ? show_bytes(*n.memory_total) : "",
                 known ? std::to_string(*n.memory_used * 100 / *n.memory_total) : "",
                 n.rows ? show_count(*n.rows) : ""});
      j.object().member("id", id);
      number("memory_used", n.memory_used);
      number("memory_total", n.memory_total);
      number("rows", n.rows);
      j.end_object();
    }
    if (tool.json())
      print_line(j.end_array().end_object().text());
    else
      table.print(tool.format());
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_report() { return make_command<Report>(); }
}  // namespace ndb::cli
