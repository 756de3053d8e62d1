// Without a subcommand: the query of NDB's ndb_config, and --print-config-ini.
#include "changes.h"
#include "cli/status.h"
#include "commands.h"
#include "mgmt/config_query.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

struct QueryCommand final : Command {
  bool ini = false, toml = false, all = false, nodes = false, connections = false, system = false;
  bool configinfo = false, diff_default = false;
  std::string fields, type, host, field_separator = ",", row_separator = " ", file;
  std::uint64_t nodeid = 0, from_node = 0, generation = 0;

  void declare(Options& o) override {
    o.flag("--print-config-ini,--print_config_ini", &ini, "print the configuration as config.ini");
    o.flag("--print-config-toml,--print_config_toml", &toml, "print the configuration as config.toml");
    o.text("-q,--query", &fields, "print these parameters, a row for each node (also nodeid, type, host)",
           "NAME[,NAME...]");
    o.flag("-a,--query-all,--query_all", &all, "print all parameters");
    o.text("--type", &type, "only nodes of a type: ndbd, ndb_mgmd, mysqld", "TYPE");
    o.number("--nodeid", &nodeid, "only this node", "ID");
    o.text("--host", &host, "only nodes on this host", "HOST");
    o.flag("--nodes", &nodes, "rows are nodes (so it is without it)");
    o.flag("--connections", &connections, "rows are links");
    o.flag("--system", &system, "one row, of the cluster");
    o.text("-f,--fields", &field_separator, "what stands between fields (,)", "TEXT");
    o.text("-r,--rows", &row_separator, "what stands between rows (a blank)", "TEXT");
    o.flag("--configinfo", &configinfo, "list all parameters: as 'params'");
    o.flag("--diff-default,--diff_default", &diff_default, "what differs from the defaults: as 'show --defaults'");
    o.text("--config-file,--config_file", &file, "of this file, not of the cluster", "FILE");
    o.number("--config-from-node,--config_from_node", &from_node, "what this data node runs with", "ID");
    o.number("--generation", &generation, "an earlier one; 0 = the present one", "N");
  }

  int run(Tool& tool) override {
    const bool anything = ini || toml || all || configinfo || diff_default || !fields.empty();
    if (!anything) return tool.usage("a subcommand or a query is required; see 'ndb-config --help'");
    if (int{nodes} + int{connections} + int{system} > 1) {
      return tool.usage("only one of --nodes, --connections and --system can be asked for");
    }
    if (configinfo) return make_params()->run(tool);
    mgmt::Config config;
    if (int status = load(tool, &config); status != kExitDone) return status;
    if (ini || toml || diff_default) {
      const std::string text = ini    ? mgmt::print_ini(config)
                               : toml ? mgmt::print_toml(config)
                                      : mgmt::differences_from_defaults(config);
      if (tool.json())
        print_text_json(text);
      else
        print(text);
      return kExitDone;
    }
    return query(tool, std::move(config));
  }

 private:
  static void print_text_json(const std::string& text) {
    mgmt::Json j;
    print_line(
        j.object().member("format_version", 1).member("changed", false).member("text", text).end_object().text());
  }

  int load(Tool& tool, mgmt::Config* config) {
    if (int{!file.empty()} + int{from_node != 0} + int{generation != 0} > 1) {
      return tool.usage("only one of --config-file, --config-from-node and --generation can be read");
    }
    if (!file.empty()) {
      auto f = read_config_file(tool, file);
      if (!f) return tool.fail(f.failure());
      if (!f->ok) return tool.refuse("'" + f->source + "' has errors; correct it first");
      *config = f->config;
      return kExitDone;
    }
    auto stored = from_node != 0 ? of_node(tool) : read_config(tool, generation);
    if (!stored) return tool.fail(stored.failure());
    *config = stored->config;
    system_ = {{"ConfigGenerationNumber", std::to_string(stored->generation)},
               {"PrimaryMGMNode", std::to_string(stored->primary)}};
    if (!stored->name.empty()) system_["Name"] = stored->name;
    return kExitDone;
  }

  Result<StoredConfig> of_node(Tool& tool) const {
    if (from_node > UINT16_MAX) return Failure{Error::no_such_node, "no data node " + std::to_string(from_node)};
    auto status = read_status(tool);
    if (!status) return status.failure();
    return read_config_of_node(tool, *status, static_cast<NodeId>(from_node));
  }

  int query(Tool& tool, mgmt::Config config) {
    for (const auto& [name, value] : system_) config.system[name] = value;
    mgmt::Query q;
    q.of = connections ? mgmt::Query::Of::connections : system ? mgmt::Query::Of::system : mgmt::Query::Of::nodes;
    q.all = all;
    for (std::string_view f : mgmt::split_words(fields)) q.fields.emplace_back(f);
    q.host = host;
    q.field_separator = mgmt::unescape_separator(field_separator);
    q.row_separator = mgmt::unescape_separator(row_separator);
    if (nodeid != 0) q.nodeid = static_cast<NodeId>(nodeid);
    if (!type.empty()) {
      q.type = mgmt::find_kind(type);
      if (!q.type || !mgmt::is_node(*q.type))
        return tool.usage("'" + type + "' is no type of node; there are ndbd, ndb_mgmd, mysqld");
    }
    const mgmt::QueryResult r = mgmt::run_query(config, q);
    for (const std::string& f : r.unknown) tool.note("no parameter '" + f + "'; its field is empty");
    if (tool.json())
      print_text_json(r.text);
    else
      print(r.text);
    return kExitDone;
  }

  std::map<std::string, std::string> system_;  // of the cluster, and in no file
};

}  // namespace

std::unique_ptr<Command> make_query() { return make_command<QueryCommand>(); }
}  // namespace ndb::cli
