// ndb-mgm -e STATEMENT: what NDB's own management client understands.
#include <array>

#include "cli/config.h"
#include "cli/status.h"
#include "cli/tool.h"
#include "commands.h"
#include "mgmt/parameters.h"
#include "mgmt/text_reply.h"
#include "nodes.h"
#include "statement.h"
#include "stock_layout.h"
#include "stock_reports.h"

namespace ndb::cli {
namespace {

constexpr std::array<const char*, 7> kSeverities{"enabled", "debug", "info", "warning", "error", "critical", "alert"};
constexpr const char* kHelp =
    "SHOW                                     nodes, groups and states\n"
    "<id>|ALL STATUS                          what nodes are doing\n"
    "<id>...|ALL START|STOP|RESTART [-n -i -a -f]\n"
    "SHUTDOWN                                 stop all data nodes and management servers\n"
    "CREATE NODEGROUP <id>,<id>...            make a node group\n"
    "DROP NODEGROUP <group>                   dissolve one that holds no rows\n"
    "ENTER SINGLE USER MODE <id>              let only this API node work\n"
    "EXIT SINGLE USER MODE\n"
    "<id>|ALL REPORT MEMORYUSAGE|BACKUPSTATUS|EVENTLOG\n"
    "<id> ACTIVATE|DEACTIVATE                 take a data node out of reserve, or put it there\n"
    "CLUSTERLOG INFO|ON|OFF|TOGGLE [severity...]\n"
    "<id>|ALL CLUSTERLOG|LOGLEVEL <category>=<level>...\n"
    "<id>|ALL NODELOG DEBUG ON|OFF\n"
    "<id>|ALL DUMP <code>...\n"
    "START BACKUP [<number>], ABORT BACKUP <number>\n"
    "TLS INFO\n"
    "PURGE STALE SESSIONS\n";

struct Execute final : Command {
  std::string statement;

  void declare(Options& o) override {
    o.text("-e,--execute", &statement, "a statement of NDB's own management client, such as \"ALL STATUS\"",
           "STATEMENT");
  }

  int run(Tool& tool) override {
    if (statement.empty()) return tool.usage("a subcommand or -e STATEMENT is required; see 'ndb-mgm --help'");
    auto s = read_statement(statement);
    if (!s) return tool.usage(s.failure().text);
    switch (s->kind) {
      case Statement::Kind::nothing:
        return kExitDone;
      case Statement::Kind::help:
        print(kHelp);
        return kExitDone;
      case Statement::Kind::words:
        return dispatch(tool, s->words);
      case Statement::Kind::show:
        return show(tool);
      case Statement::Kind::status:
        return status(tool, s->words);
      case Statement::Kind::memory:
        return memory(tool, s->words);
      case Statement::Kind::backup_status:
        return backup_status(tool, s->words);
      case Statement::Kind::backup:
        return start_backup(tool, s->words);
      case Statement::Kind::dump:
        return dump(tool, s->words);
      case Statement::Kind::tls_info:
        return tls_info(tool);
      case Statement::Kind::refused:
        return tool.refuse(s->words[0]);
      case Statement::Kind::create_group:
        return create_group(tool, s->words);
      case Statement::Kind::drop_group:
        return drop_group(tool, s->words);
      case Statement::Kind::log_info:
        return log_info(tool);
      case Statement::Kind::log_filter:
        return log_filter(tool, s->words);
      case Statement::Kind::log_level:
        return log_level(tool, s->words);
      case Statement::Kind::request:
        return request(tool, s->words);
    }
    return kExitUsage;
  }

 private:
  static int say(const Tool& tool, const std::string& text, bool changed = true) {
    if (!tool.json()) {
      print_line(text);
      return kExitDone;
    }
    print_line(mgmt::Json()
                   .object()
                   .member("format_version", 1)
                   .member("changed", changed)
                   .member("text", text)
                   .end_object()
                   .text());
    return kExitDone;
  }

  // For people and scripts in the layout of NDB's own client, else as the subcommand prints it.
  static int show(Tool& tool) {
    if (tool.format() != Format::table) return dispatch(tool, {"show"});
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    if (status->stock) {  // it tells the hosts of nodes that are not connected in its configuration only
      auto stored = read_config(tool);
      for (NodeStatus& n : status->nodes) {
        const mgmt::Node* node = stored ? stored->config.find(n.id) : nullptr;
        if (node != nullptr && n.host.empty()) n.host = mgmt::effective(stored->config, *node, "HostName");
      }
    }
    print(stock_show(*status));
    return kExitDone;
  }

  static Result<std::vector<NodeId>> data_nodes(const ClusterStatus& s, const std::vector<std::string>& words) {
    if (!names_all(words)) return named_nodes(s, words);
    std::vector<NodeId> ids;
    for (const NodeStatus& n : s.nodes) {
      if (n.data()) ids.push_back(n.id);
    }
    return ids;
  }

  // Ends well whatever the nodes do, as scripts expect.
  static int status(Tool& tool, std::vector<std::string> words) {
    if (tool.format() != Format::table) {
      words.insert(words.begin(), "status");
      const int exit = dispatch(tool, words);
      return exit == kExitDegraded ? kExitDone : exit;
    }
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    auto nodes = data_nodes(*status, words);
    if (!nodes) return tool.fail(nodes.failure());
    for (NodeId id : *nodes) print(stock_status(*status, *status->node(id)));
    return kExitDone;
  }

  static int memory(Tool& tool, std::vector<std::string> words) {
    if (tool.format() != Format::table) {
      words.insert(words.begin(), {"report", "memory"});
      return dispatch(tool, words);
    }
    return print_events(tool, mgmt::stock::kMemoryUsage, words, stock_memory);
  }

  static int backup_status(Tool& tool, const std::vector<std::string>& words) {
    return print_events(tool, mgmt::stock::kBackupStatus, words, stock_backup_status);
  }

  static int print_events(Tool& tool, mgmt::stock::EventType type, const std::vector<std::string>& words,
                          std::string (*line)(const NodeEvent&)) {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    auto nodes = data_nodes(*status, words);
    if (!nodes) return tool.fail(nodes.failure());
    auto events = dump_events(tool, type, *nodes);
    if (!events) return tool.fail(events.failure());
    std::string text;
    for (const NodeEvent& e : *events) text += line(e);
    if (!tool.json()) {
      print(text);
      return kExitDone;
    }
    return say(tool, text, false);
  }

  static int start_backup(Tool& tool, const std::vector<std::string>& words) {
    Tool::Keys keys{{"completed", "2"}};
    if (!words.empty()) keys.emplace_back("backupid", words[0]);
    constexpr Time kBackupTimeout = 48 * 3600 * kSecond;
    auto r = tool.order("start backup", keys, kBackupTimeout);
    return r ? say(tool, "Backup " + r->value("id") + " completed") : tool.fail(r.failure());
  }

  static int dump(Tool& tool, const std::vector<std::string>& words) {
    auto status = read_status(tool);
    if (!status) return tool.fail(status.failure());
    auto nodes = data_nodes(*status, {words.begin() + 1, words.end()});
    if (!nodes) return tool.fail(nodes.failure());
    for (NodeId id : *nodes) {
      if (!status->node(id)->connected && names_all({words.begin() + 1, words.end()})) continue;
      auto r = tool.order("dump state", {{"node", std::to_string(id)}, {"args", words[0]}});
      if (!r) return tool.fail(r.failure());
    }
    return say(tool, "dump " + words[0] + " was sent to nodes " + join_ids(*nodes, ", "));
  }

  static int tls_info(Tool& tool) {
    auto r = tool.ask("get tls stats");
    if (!r) return tool.fail(r.failure());
    std::string text = "this connection is in clear text\n";
    for (const char* count : {"accepted", "upgraded", "current", "tls", "authfail"}) {
      text += std::string(count) + ": " + r->value(count) + "\n";
    }
    text.pop_back();
    return say(tool, text, false);
  }

  static int create_group(Tool& tool, const std::vector<std::string>& words) {
    auto ids = parse_node_ids(words);
    if (!ids) return tool.fail(ids.failure());
    const std::string nodes = join_ids(*ids, " ");
    auto r = tool.change("ndb create nodegroup", {{"nodes", nodes}}, {});
    const char* key = "groups";
    if (!r && Tool::unknown_command(r.failure())) {
      r = tool.order("create nodegroup", {{"nodes", nodes}});
      key = "ng";
    }
    return r ? say(tool, "Nodegroup " + r->value(key) + " created") : tool.fail(r.failure());
  }

  static int drop_group(Tool& tool, const std::vector<std::string>& words) {
    if (words.size() != 1) return tool.usage("DROP NODEGROUP takes one number");
    auto r = tool.change("ndb drop nodegroup", {{"group", words[0]}}, {});
    if (!r && Tool::unknown_command(r.failure())) {
      r = tool.order("drop nodegroup", {{"ng", words[0]}});
      if (!r) return tool.fail(drop_in_words(r.failure(), words[0]));
    }
    return r ? say(tool, "Drop Node Group " + words[0] + " done") : tool.fail(r.failure());
  }

  static int log_info(Tool& tool) {
    auto r = tool.ask("get info clusterlog");
    if (!r) return tool.fail(r.failure());
    std::string text = r->value("enabled") == "1" ? "Severities enabled:" : "Cluster logging is disabled:";
    for (const char* s : kSeverities) {
      if (std::string_view(s) == "enabled" || r->value(s) != "1") continue;
      text += " ";
      for (const char* c = s; *c != '\0'; ++c) text += static_cast<char>(*c - 'a' + 'A');
    }
    return say(tool, text);
  }

  static int log_filter(Tool& tool, const std::vector<std::string>& words) {
    std::vector<std::size_t> which;
    for (std::size_t w = 1; w < words.size(); ++w) {
      std::size_t i = 0;
      while (i < kSeverities.size() && !mgmt::same_name(words[w], kSeverities[i])) ++i;
      if (mgmt::same_name(words[w], "ALL")) {
        for (std::size_t k = 1; k < kSeverities.size(); ++k) which.push_back(k);
      } else if (i == kSeverities.size()) {
        return tool.usage("'" + words[w] + "' is no severity");
      } else {
        which.push_back(i);
      }
    }
    if (which.empty()) which.push_back(0);
    std::string text;
    for (std::size_t level : which) {
      auto r = tool.order("set logfilter", {{"level", std::to_string(level)}, {"enable", words[0]}});
      // `result` tells whether it is enabled now: 1 or 0
      const std::string now = r ? r->value("result") : r.failure().text;
      if (now != "1" && now != "0") return tool.fail(r.failure());
      std::string word = level == 0 ? "cluster log" : kSeverities[level];
      text += (text.empty() ? "" : "\n") + word + (now == "1" ? " enabled" : " disabled");
    }
    return say(tool, text);
  }

  static int log_level(Tool& tool, const std::vector<std::string>& words) {
    auto nodes = words[1] == "0" ? Result<std::vector<NodeId>>(std::vector<NodeId>{0}) : parse_node_ids(words[1]);
    if (!nodes) return tool.fail(nodes.failure());
    for (std::size_t w = 2; w < words.size(); ++w) {
      const std::size_t equal = words[w].find('=');
      if (equal == std::string::npos) return tool.usage("'" + words[w] + "' is no category=level");
      for (NodeId id : *nodes) {
        auto r = tool.order(words[0], {{"node", std::to_string(id)},
                                       {"category", words[w].substr(0, equal)},
                                       {"level", words[w].substr(equal + 1)}});
        if (!r) return tool.fail(r.failure());
      }
    }
    return say(tool, words[0] == "set loglevel" ? "the levels of the nodes' events are set"
                                                : "the levels of the cluster log are set");
  }

  static int request(Tool& tool, const std::vector<std::string>& words) {
    Tool::Keys keys;
    for (std::size_t w = 1; w < words.size(); ++w) {
      const std::size_t equal = words[w].find('=');
      keys.emplace_back(words[w].substr(0, equal), words[w].substr(equal + 1));
    }
    auto r = tool.order(words[0], keys);
    return r ? say(tool, "'" + words[0] + "' is done") : tool.fail(r.failure());
  }
};

}  // namespace

std::unique_ptr<Command> make_execute() { return make_command<Execute>(); }
}  // namespace ndb::cli
