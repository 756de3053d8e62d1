// All groups of one command are made by one change of the cluster: all or none.
#include "cli/status.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct Create final : Command {
  std::vector<std::string> nodes;
  ChangeOptions change;

  void declare(Options& o) override {
    o.list("--nodes", &nodes, "the members of a new group; give it again for several groups", "ID,ID...", true);
    change.declare(o);
  }

  int run(Tool& tool) override {
    std::string words;
    for (const std::string& group : nodes) {
      auto ids = parse_node_ids(group);
      if (!ids) return tool.fail(ids.failure());
      if (ids->empty()) return tool.fail({Error::wrong_number_of_nodes, "no nodes are given for a new node group"});
      words += (words.empty() ? "" : ", ") + join_ids(*ids, " ");
    }
    auto r = tool.change("ndb create nodegroup", {{"nodes", words}}, change);
    if (!r && Tool::unknown_command(r.failure())) return stock(tool, words);
    if (!r) return tool.fail(r.failure());
    const bool changed = r->value("changed") == "1";
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", changed).member("dry_run", change.dry_run);
      if (change.dry_run) j.member("would_change", r->value("would_change") == "1");
      j.member("version", std::strtoull(r->value("version").c_str(), nullptr, 10)).name("groups").array();
      for (NodeId g : ids_of(r->value("groups"))) j.value(g);
      print_line(j.end_array().member("request", r->value("request")).end_object().text());
      return kExitDone;
    }
    const std::vector<NodeId> made = ids_of(r->value("groups"));
    const std::string many = made.size() == 1 ? "node group " : "node groups ";
    if (change.dry_run) {
      print_line("would create " + many + join_ids(made, ", "));
      return kExitDone;
    }
    print_line((changed ? "created " : "already there: ") + many + join_ids(made, ", ") + " at version " +
               r->value("version"));
    tool.note("new tables use every group now; spread the old ones with 'ndb-reorg start --all'");
    return kExitDone;
  }

  // Group numbers; 0 is one.
  static std::vector<NodeId> ids_of(const std::string& words) {
    std::vector<NodeId> ids;
    for (std::string_view w : mgmt::split_words(words)) {
      std::int64_t n = 0;
      if (mgmt::parse_number(w, &n)) ids.push_back(static_cast<NodeId>(n));
    }
    return ids;
  }

  // NDB's own server makes one group a request and compares no versions.
  int stock(Tool& tool, const std::string& words) {
    if (change.dry_run) return tool.refuse_stock("create --dry-run");
    if (change.if_version != 0) return tool.refuse_stock("create --if-version");
    if (nodes.size() > 1) return tool.refuse_stock("create with several groups");
    auto r = tool.order("create nodegroup", {{"nodes", words}});
    if (!r) return tool.fail(r.failure());
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", true).name("groups").array();
      for (NodeId g : ids_of(r->value("ng"))) j.value(g);
      print_line(j.end_array().end_object().text());
    } else {
      print_line("created node group " + r->value("ng"));
    }
    return kExitDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_create() { return make_command<Create>(); }
}  // namespace ndb::cli
