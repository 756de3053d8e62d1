// Single parameters. The present configuration is printed anew with the change, so comments of the text are lost;
// they remain in the generation before.
#include "changes.h"
#include <algorithm>
#include <set>

#include "cli/status.h"
#include "mgmt/config_image.h"
#include "mgmt/text_reply.h"
#include "commands.h"

namespace ndb::cli {
namespace {

// The language that parse_any() takes the text for.
bool is_toml(const std::string& text) {
  return text.starts_with("[[") || text.starts_with("[default.") || text.find("\n[[") != std::string::npos ||
         text.find("\n[default.") != std::string::npos;
}

struct Set final : Command {
  std::vector<std::string> assignments, nodes;
  std::string section;
  bool live = false, stored = false;
  ApplyOptions options;

  void declare(Options& o) override {
    o.list("assignments", &assignments, "parameter=value; nothing behind the = removes it", "NAME=VALUE", true);
    o.list("--nodes", &nodes, "in the sections of these nodes, instead of the defaults", "ID,ID...");
    o.text("--section", &section, "where a parameter of several sections belongs: ndbd, ndb_mgmd, mysqld, tcp, system",
           "NAME");
    o.flag("--live", &live, "in the running nodes, until their next start; without --stored not in the configuration");
    o.flag("--stored", &stored,
           "in the configuration; without --live the running nodes keep their values until they restart");
    options.declare(o);
  }

  int run(Tool& tool) override {
    auto ids = parse_node_ids(nodes);
    if (!ids) return tool.fail(ids.failure());
    auto present = read_config(tool);
    if (!present) return tool.fail(present.failure());
    mgmt::Config next = present->config;
    for (const std::string& a : assignments) {
      const std::size_t equal = a.find('=');
      if (equal == std::string::npos || equal == 0) return tool.usage("'" + a + "' is no NAME=VALUE");
      const std::string name = a.substr(0, equal);
      const std::string value = a.substr(equal + 1);
      mgmt::Kind kind = mgmt::Kind::ndbd;
      std::string why;
      if (!find_section(*present, *ids, name, &kind, &why)) return tool.usage(why);
      const auto problems = mgmt::set_parameter(next, kind, *ids, name,
                                                value.empty() ? std::nullopt : std::optional<std::string_view>(value));
      print_problems(tool, "'" + a + "'", problems);
      if (mgmt::has_errors(problems))
        return tool.fail({Error::illegal_change, "'" + a + "' is not possible; nothing was changed"});
      if (ids->empty() && !live && !present->stock()) {
        if (auto f = look_at_own_values(tool, next, kind, name); f) return tool.fail(f);
      }
    }
    if (live && !stored) return set_live(tool, *present);
    std::vector<Held> held;
    if (stored && !live && !options.dry_run) {
      if (auto f = hold(tool, *present, next, &held)) {
        let_go(tool, held);
        return tool.fail(f);
      }
    }
    std::string source = "set";
    for (const std::string& a : assignments) source += " " + a;
    const int status = apply_text(tool, options, *present, next,
                                  is_toml(present->text) ? mgmt::print_toml(next) : mgmt::print_ini(next), source);
    if (status == kExitDone && (live || !stored) && !options.dry_run && !present->stock()) release(tool, *ids);
    if (status == kExitDone || status == kExitUnknown) return status;
    let_go(tool, held);
    return status;
  }

 private:
  // A default does not reach nodes that have a value of their own: said, and refused when it reaches nobody.
  static Failure look_at_own_values(const Tool& tool, const mgmt::Config& next, mgmt::Kind kind,
                                    const std::string& name) {
    const mgmt::Parameter* p = mgmt::find_parameter(kind, name);
    std::vector<NodeId> own;
    bool reaches = false;
    for (const mgmt::Node& n : next.nodes) {
      if (n.kind != kind) continue;
      if (n.written.count(std::string(p->name)) != 0)
        own.push_back(n.id);
      else
        reaches = true;
    }
    if (own.empty()) return {};
    const std::string who = "nodes " + join_ids(own, ", ") + " have a value of their own";
    if (!reaches) {
      return {Error::illegal_change, "all " + who + " for '" + std::string(p->name) +
                                         "', so a default changes nothing; name them with --nodes"};
    }
    tool.note(who + " for '" + std::string(p->name) + "', which stays; name them with --nodes to change it");
    return {};
  }

  struct Held {
    std::string nodes, name;
  };

  static void let_go(Tool& tool, const std::vector<Held>& held) {
    for (const Held& h : held) tool.ask("ndb set live", {{"nodes", h.nodes}, {"name", h.name}, {"keep", "1"}});
  }

  // Running nodes keep the present values of what would otherwise reach them at once.
  static Failure hold(Tool& tool, const StoredConfig& present, const mgmt::Config& next, std::vector<Held>* held) {
    auto status = read_status(tool);
    if (!status) return status.failure();
    if (status->stock) return {};  // apply_text() refuses
    std::set<std::string> at_once;
    for (const mgmt::Change& c : mgmt::diff(present.config, next)) {
      if (c.section != mgmt::Kind::ndbd || c.parameter.empty() || c.restart != mgmt::Restart::online || !c.used)
        continue;
      if (!mgmt::can_be_live(c.parameter)) {
        if (at_once.insert(c.parameter).second) {
          tool.note("'" + c.parameter + "' has no value of its own in running nodes: it holds as soon as it is stored");
        }
        continue;
      }
      const NodeStatus* n = status->node(c.nodes[0]);
      if (n == nullptr || !n->connected) continue;
      const bool one = mgmt::one_for_all_nodes(c.parameter);
      const bool told = std::any_of(held->begin(), held->end(), [&](const Held& h) { return h.name == c.parameter; });
      if (one && told) continue;
      const std::string who = one ? "all" : std::to_string(n->id);
      auto r = tool.order("ndb set live",
                          {{"nodes", who},
                           {"name", c.parameter},
                           {"keep", "1"},
                           {"value", mgmt::effective(present.config, *present.config.find(n->id), c.parameter)}});
      if (!r) return r.failure();
      held->push_back({who, c.parameter});
    }
    return {};
  }

  // What running nodes were told alone before no longer hides the configuration's value.
  void release(Tool& tool, const std::vector<NodeId>& ids) const {
    for (const std::string& a : assignments) {
      const mgmt::Parameter* p = mgmt::find_parameter(mgmt::Kind::ndbd, a.substr(0, a.find('=')));
      if (p == nullptr || !mgmt::can_be_live(p->name)) continue;
      const bool all = ids.empty() || mgmt::one_for_all_nodes(p->name);
      tool.order("ndb set live", {{"nodes", all ? "all" : join_ids(ids, " ")}, {"name", std::string(p->name)}});
    }
  }

  int set_live(Tool& tool, const StoredConfig& present) const {
    if (present.stock()) return tool.refuse_stock("set --live");
    const std::string who = nodes.empty() ? "all" : join_words(nodes);
    for (const std::string& a : assignments) {
      const std::size_t equal = a.find('=');
      if (options.dry_run) continue;
      Tool::Keys keys{{"nodes", who}, {"name", a.substr(0, equal)}};
      if (equal + 1 < a.size()) keys.emplace_back("value", a.substr(equal + 1));
      auto r = tool.order("ndb set live", keys);
      if (!r) return tool.fail(r.failure());
    }
    if (tool.json()) {
      mgmt::Json j;
      j.object().member("format_version", 1).member("changed", !options.dry_run);
      j.member("dry_run", options.dry_run).member("generation", present.generation);
      print_line(j.end_object().text());
    } else {
      print_line(std::string(options.dry_run ? "would hold" : "holds") + " in " +
                 (who == "all" ? "all running data nodes" : "nodes " + who) +
                 " until their next start; the configuration stays generation " + std::to_string(present.generation));
    }
    return kExitDone;
  }

  static std::string join_words(const std::vector<std::string>& words) {
    auto ids = parse_node_ids(words);
    return ids ? join_ids(*ids, " ") : std::string{};
  }

  bool find_section(const StoredConfig& present, const std::vector<NodeId>& ids, const std::string& name,
                    mgmt::Kind* kind, std::string* why) const {
    if (!ids.empty()) {
      for (NodeId id : ids) {
        const mgmt::Node* n = present.config.find(id);
        if (n == nullptr) {
          *why = "no node " + std::to_string(id) + " in the configuration";
          return false;
        }
        if (id != ids.front() && n->kind != *kind) {
          *why = "nodes of different kinds cannot be changed together";
          return false;
        }
        *kind = n->kind;
      }
      return true;
    }
    if (!section.empty()) {
      const auto found = mgmt::find_kind(section);
      if (!found)
        *why = "'" + section + "' is no section";
      else
        *kind = *found;
      return found.has_value();
    }
    std::string all;
    int count = 0;
    for (mgmt::Kind k :
         {mgmt::Kind::system, mgmt::Kind::ndb_mgmd, mgmt::Kind::api, mgmt::Kind::tcp, mgmt::Kind::ndbd}) {
      if (mgmt::find_parameter(k, name) == nullptr) continue;
      *kind = k;
      ++count;
      all += (all.empty() ? "" : ", ") + std::string(mgmt::kind_name(k));
    }
    if (count == 1) return true;
    *why = count == 0 ? "no parameter '" + name + "'; 'ndb-config params' lists them"
                      : "'" + name + "' belongs to several sections (" + all + "); say which with --section or --nodes";
    return false;
  }
};

}  // namespace

std::unique_ptr<Command> make_set() { return make_command<Set>(); }
}  // namespace ndb::cli
