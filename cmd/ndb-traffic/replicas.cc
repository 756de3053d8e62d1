#include "replicas.h"

#include <cstdlib>

#include "cli/json_value.h"
#include "cli/output.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::traffic {

Result<Description> describe(cli::Tool& tool, const std::string& table) {
  auto reply = tool.ask("ndb describe table", {{"name", table}}, 10 * kSecond);
  if (!reply) return reply.failure();
  auto json = cli::JsonValue::parse(reply->bulk);
  if (!json) return json.failure();
  const cli::JsonValue& distribution = (*json)["distribution"];
  Description d;
  d.phase = distribution["phase"].text;
  d.version = (*json)["version"].number();
  for (const cli::JsonValue& f : distribution["fragments"].items) {
    Fragment fragment;
    fragment.number = static_cast<FragmentId>(f["fragment"].number());
    if (!f["group"].is_null()) fragment.members = 1 + f["backups"].items.size();
    for (const cli::JsonValue& r : f["replicas"].items) {
      fragment.replicas.push_back({static_cast<NodeId>(r["node"].number()), r["role"].text, r["rows"].number(),
                                   std::strtoull(r["checksum"].text.c_str(), nullptr, 16)});
    }
    d.fragments.push_back(std::move(fragment));
  }
  return d;
}

std::map<NodeId, std::uint64_t> rows_by_node(const Description& d) {
  std::map<NodeId, std::uint64_t> rows;
  for (const Fragment& f : d.fragments) {
    for (const Replica& r : f.replicas) rows[r.node] += r.rows;
  }
  return rows;
}

namespace {

struct Rows final : cli::Command {
  std::vector<std::string> tables;
  bool by_node = false;

  void declare(cli::Options& o) override {
    o.list("--table", &tables, "a table; may be given several times", "NAME", true);
    o.flag("--by-node", &by_node, "one line a node and table instead of one a replica");
  }

  int run(cli::Tool& tool) override {
    cli::Table out(by_node ? std::vector<std::string>{"table", "node", "rows"}
                           : std::vector<std::string>{"table", "fragment", "node", "role", "rows", "checksum"});
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).name("replicas").array();
    for (const std::string& table : tables) {
      auto d = describe(tool, table);
      if (!d) return tool.fail(d.failure());
      if (by_node) {
        for (const auto& [node, rows] : rows_by_node(*d)) {
          out.row({table, std::to_string(node), std::to_string(rows)});
          j.object().member("table", table).member("node", node).member("rows", rows).end_object();
        }
        continue;
      }
      for (const Fragment& f : d->fragments) {
        for (const Replica& r : f.replicas) {
          char checksum[17];
          std::snprintf(checksum, sizeof checksum, "%016llx", static_cast<unsigned long long>(r.checksum));
          out.row({table, std::to_string(f.number), std::to_string(r.node), r.role, std::to_string(r.rows), checksum});
          j.object().member("table", table).member("fragment", f.number).member("node", r.node).member("role", r.role);
          j.member("rows", r.rows).member("checksum", checksum).end_object();
        }
      }
    }
    j.end_array().end_object();
    if (tool.json()) {
      cli::print_line(j.text());
    } else {
      out.print(tool.format());
    }
    return cli::kExitDone;
  }
};

}  // namespace

std::unique_ptr<cli::Command> make_rows() { return cli::make_command<Rows>(); }

}  // namespace ndb::traffic
