#include "cli/config.h"

#include <pwd.h>
#include <unistd.h>

#include "cli/status.h"
#include "mgmt/config_binary.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr const char* kClientVersion = "525320";  // 8.4.8, the version of NDB whose protocol this is

Result<StoredConfig> read_stock(Tool& tool, NodeId from_node) {
  Tool::Keys keys{{"version", kClientVersion}, {"node", "0"}, {"nodetype", "-1"}};
  if (from_node != 0) keys.emplace_back("from_node", std::to_string(from_node));
  auto r = tool.ask("get config_v2", keys);
  if (!r) return r.failure();
  auto config = mgmt::decode_config(r->bulk, true);
  if (!config) return config.failure();
  StoredConfig s;
  s.generation = mgmt::to_number((*config).system["ConfigGenerationNumber"]);
  s.primary = mgmt::to_number((*config).system["PrimaryMGMNode"]);
  s.name = (*config).system["Name"];
  (*config).system.erase("ConfigGenerationNumber");
  (*config).system.erase("PrimaryMGMNode");
  s.config = std::move(*config);
  s.text = mgmt::print_ini(s.config);
  return s;
}

}  // namespace

Result<StoredConfig> read_config(Tool& tool, std::uint64_t generation) {
  auto r = tool.ask("ndb get config", {{"generation", std::to_string(generation)}});
  if (!r && Tool::unknown_command(r.failure())) {
    auto stock = read_stock(tool, 0);
    if (stock && generation != 0 && stock->generation != generation) {
      return Failure{Error::no_such_generation, "a stock management server knows only its present generation, " +
                                                    std::to_string(stock->generation)};
    }
    return stock;
  }
  if (!r) return r.failure();
  StoredConfig s;
  s.text = r->bulk;
  s.generation = std::strtoull(r->value("generation").c_str(), nullptr, 10);
  s.when_s = std::strtoll(r->value("when_s").c_str(), nullptr, 10);
  s.who = r->value("who");
  s.source = r->value("source");
  s.message = r->value("message");
  s.name = r->value("name");
  mgmt::ParseResult parsed = mgmt::parse_any(s.text);
  if (!parsed.ok()) {
    for (const mgmt::Problem& p : parsed.problems) {
      if (p.severity == mgmt::Severity::error) {
        return Failure{Error::bad_definition,
                       "generation " + std::to_string(s.generation) + ": " + mgmt::problem_line(p)};
      }
    }
  }
  s.config = std::move(parsed.config);
  return s;
}

Result<StoredConfig> read_config_of_node(Tool& tool, const ClusterStatus& status, NodeId node) {
  const NodeStatus* n = status.node(node);
  if (n == nullptr || !n->data()) return Failure{Error::no_such_node, "no data node " + std::to_string(node)};
  if (n->state == "down" || (!status.stock && n->generation == 0)) {
    return Failure{Error::bad_node_state, "node " + std::to_string(node) + " is not running"};
  }
  return status.stock ? read_stock(tool, node) : read_config(tool, n->generation);
}

Result<std::string> read_effective_config(Tool& tool, std::uint64_t generation) {
  auto r = tool.ask("ndb get config", {{"generation", std::to_string(generation)}, {"effective", "1"}});
  if (!r) return r.failure();
  return r->bulk;
}

std::string who_am_i() {
  const passwd* p = ::getpwuid(::geteuid());
  return (p != nullptr ? std::string(p->pw_name) : std::to_string(::geteuid())) + "@" + os::host_name();
}

}  // namespace ndb::cli
