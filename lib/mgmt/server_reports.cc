// What NDB's clients ask of data nodes: `dump events` (REPORT ..) and `dump state` (DUMP ..), answered from what the
// nodes have told anyhow.
#include <algorithm>

#include "env/limits.h"
#include "mgmt/server.h"

namespace ndb::mgmt {

namespace {

// "1,3-5" or "1 3"; empty when a word is none.
std::vector<NodeId> read_nodes(std::string_view words) {
  std::vector<NodeId> ids;
  for (std::string_view word : split_words(words, " \t,")) {
    const std::size_t dash = word.find('-');
    std::int64_t first = 0, last = 0;
    if (!parse_number(word.substr(0, dash), &first)) return {};
    if (dash == std::string_view::npos) last = first;
    if (dash != std::string_view::npos && !parse_number(word.substr(dash + 1), &last)) return {};
    if (first < 1 || last < first || last > limits::kNodeIdMax) return {};
    for (std::int64_t id = first; id <= last; ++id) ids.push_back(static_cast<NodeId>(id));
  }
  return ids;
}

}  // namespace

// The data nodes that are connected, or those of `wanted` among them.
std::vector<NodeId> Server::reporting_nodes(const std::vector<NodeId>& wanted) const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : seen_->nodes) {
    if (node.type != meta::NodeType::data || !connected(node)) continue;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), id) != wanted.end()) ids.push_back(id);
  }
  return ids;
}

std::vector<stock::Body> Server::memory_of(NodeId id) const {
  const meta::Leader::Report* report = leader_.report(id);
  if (report == nullptr) return {};
  const std::uint64_t total = report->last.memory_total / limits::kPageBytes;
  const std::uint64_t used = (report->last.memory_used + limits::kPageBytes - 1) / limits::kPageBytes;
  // rows; indexes, which lie in the same memory here
  return {stock::memory_usage(used, total, stock::kRows), stock::memory_usage(0, total, stock::kIndexes)};
}

void Server::dump_events(Session& s, const Request& r) {
  const auto type = r.number("type");
  const std::vector<NodeId> wanted = read_nodes(r.text("nodes"));
  std::string wrong;
  if (type != stock::kMemoryUsage && type != stock::kBackupStatus && type != stock::kSavedEvent)
    wrong = "ndb_logevent_type " + std::to_string(type) + " not supported";
  else if (wanted.empty() && !r.text("nodes").empty())
    wrong = "invalid nodes: '" + std::string(r.text("nodes")) + "'";
  if (!wrong.empty()) {
    answer(s, Reply(reply_header(r)).key("result", wrong).done());
    return;
  }
  std::string blocks;
  std::size_t count = 0;
  auto add = [&](const stock::Body& body, NodeId node) {
    blocks += stock::block(body, 0, node);
    ++count;
  };
  if (type == stock::kSavedEvent) {
    for (const EventRecord& e : events_) {
      if (e.severity == env::Severity::debug) continue;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), e.node) == wanted.end()) continue;
      add(stock::saved(e.number, e.when_s, e.text), e.node != 0 ? e.node : options_.node);
    }
  } else {
    for (NodeId id : reporting_nodes(wanted)) {
      if (type == stock::kBackupStatus) add(stock::no_backup(), id);
      if (type != stock::kMemoryUsage) continue;
      for (const stock::Body& body : memory_of(id)) add(body, id);
    }
  }
  answer(s, Reply(reply_header(r)).ok().key("events", count).done() + blocks);
}

// Of the codes of NDB's developers one is obeyed: 1000, the use of memory into the cluster log.
void Server::dump_state(Session& s, const Request& r) {
  constexpr std::string_view kMemoryIntoLog = "1000";
  const meta::Node* node = node_of(r, "node");
  std::string wrong;
  if (node == nullptr || node->type != meta::NodeType::data)
    wrong = "no data node with id " + std::string(r.text("node"));
  else if (!connected(*node))
    wrong = "5030-no contact with node " + std::string(r.text("node"));
  else if (r.text("args") != kMemoryIntoLog)
    wrong = "5001-nodes here know one dump code, 1000 (the use of memory), not '" + std::string(r.text("args")) + "'";
  if (!wrong.empty()) {
    answer(s, Reply(reply_header(r)).key("result", wrong).done());
    return;
  }
  if (const meta::Leader::Report* report = leader_.report(node->id)) {
    const std::uint64_t total = report->last.memory_total, used = report->last.memory_used;
    event(env::Severity::info, kStatistics, node->id,
          "node " + std::to_string(node->id) + " uses " + std::to_string(total == 0 ? 0 : used * 100 / total) + "% (" +
              std::to_string(used) + " bytes of " + std::to_string(total) + ") of its memory",
          memory_of(node->id).front());
  }
  answer(s, Reply(reply_header(r)).ok().done());
}

}  // namespace ndb::mgmt
