#include "stock_reports.h"

#include <algorithm>
#include <cstdlib>

#include "mgmt/text_reply.h"

namespace ndb::cli {

std::uint64_t NodeEvent::number(const char* field) const {
  const auto i = fields.find(field);
  return i == fields.end() ? 0 : std::strtoull(i->second.c_str(), nullptr, 10);
}

std::vector<NodeEvent> read_node_events(std::string_view blocks) {
  std::vector<NodeEvent> events;
  while (!blocks.empty()) {
    const std::size_t end = std::min(blocks.find("\n\n"), blocks.size());
    std::string_view block = blocks.substr(0, end);
    blocks.remove_prefix(std::min(end + 2, blocks.size()));
    NodeEvent e;
    while (!block.empty()) {
      const std::size_t eol = std::min(block.find('\n'), block.size());
      const std::string_view line = block.substr(0, eol);
      block.remove_prefix(std::min(eol + 1, block.size()));
      const std::size_t equal = line.find('=');
      if (equal != std::string_view::npos) e.fields.emplace(line.substr(0, equal), line.substr(equal + 1));
    }
    e.node = static_cast<NodeId>(e.number("source_nodeid"));
    if (e.node != 0) events.push_back(std::move(e));
  }
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
  return events;
}

Result<std::vector<NodeEvent>> dump_events(Tool& tool, mgmt::stock::EventType type, const std::vector<NodeId>& nodes) {
  Tool::Keys keys{{"type", std::to_string(int{type})}};
  if (!nodes.empty()) keys.emplace_back("nodes", join_ids(nodes, ","));
  auto r = tool.ask("dump events", keys);
  if (!r) return r.failure();
  return read_node_events(r->bulk);
}

std::string stock_memory(const NodeEvent& e) {
  const std::uint64_t used = e.number("pages_used"), total = e.number("pages_total"), block = e.number("block");
  const char* what = block == mgmt::stock::kRows ? "Data" : block == mgmt::stock::kIndexes ? "Index" : "<unknown>";
  return "Node " + std::to_string(e.node) + ": " + what + " usage is " +
         std::to_string(total == 0 ? 0 : used * 100 / total) + "%(" + std::to_string(used) + " " +
         std::to_string(e.number("page_size_bytes") >> 10) + "K pages of total " + std::to_string(total) + ")\n";
}

std::string stock_backup_status(const NodeEvent& e) {
  const std::string who = "Node " + std::to_string(e.node) + ": ";
  if (e.number("starting_node") == 0) return who + "Backup not started\n";
  auto both = [&](const std::string& name) {
    return std::to_string(e.number((name + "_hi").c_str()) << 32 | e.number((name + "_lo").c_str()));
  };
  return who + "Local backup status: backup " + std::to_string(e.number("backup_id")) + " started from node " +
         std::to_string(e.number("starting_node")) + "\n #Records: " + both("n_records") +
         " #LogRecords: " + both("n_log_records") + "\n Data: " + both("n_bytes") +
         " bytes Log: " + both("n_log_bytes") + " bytes\n";
}

Failure add_stock_memory(Tool& tool, ClusterStatus* status) {
  auto events = dump_events(tool, mgmt::stock::kMemoryUsage, {});
  if (!events) return events.failure();
  for (NodeStatus& n : status->nodes) {
    for (const NodeEvent& e : *events) {
      if (e.node != n.id || e.number("block") != mgmt::stock::kRows) continue;
      n.memory_used = e.number("pages_used") * e.number("page_size_bytes");
      n.memory_total = e.number("pages_total") * e.number("page_size_bytes");
    }
  }
  return {};
}

}  // namespace ndb::cli
