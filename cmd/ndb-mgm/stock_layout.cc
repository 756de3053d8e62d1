#include "stock_layout.h"

namespace ndb::cli {

namespace {

constexpr std::uint64_t kSpokenVersion = 8 << 16 | 4 << 8 | 8;  // what our own server says it speaks

std::string version_words(const NodeStatus& n) {
  const std::uint64_t v = n.ndb_version != 0 ? n.ndb_version : kSpokenVersion;
  const std::string number =
      std::to_string(v >> 16 & 255) + "." + std::to_string(v >> 8 & 255) + "." + std::to_string(v & 255);
  return "mysql-" + number + " ndb-" + number;
}

std::string state_words(const ClusterStatus& s, const NodeStatus& n) {
  if (!n.connected) return "not connected";
  if (n.state == "in_sync") return s.single_user != 0 || n.doing == "single user mode" ? "single user mode" : "started";
  if (n.state == "joining") return "starting";
  if (n.state == "not_started") return "not started";
  return n.state;
}

// The data node with the lowest dynamic id.
NodeId master_of(const ClusterStatus& s) {
  const NodeStatus* lowest = nullptr;
  for (const NodeStatus& n : s.nodes) {
    if (!n.data() || !n.connected) continue;
    if (lowest == nullptr || n.dynamic_id < lowest->dynamic_id) lowest = &n;
  }
  return lowest == nullptr ? NodeId{0} : lowest->id;
}

std::string show_node(const ClusterStatus& s, const NodeStatus& n, NodeId master) {
  const bool single = s.single_user == n.id && n.type == "api";
  if (!n.connected) {
    return "id=" + std::to_string(n.id) + " (not connected, accepting connect from " +
           (n.host.empty() ? "any host" : n.host) + (single ? ", allowed single user" : "") + ")\n";
  }
  const std::string& address = n.address.empty() ? n.host : n.address;
  std::string line = "id=" + std::to_string(n.id) + "\t@" + address + "  (" + version_words(n);
  if (n.data()) {
    if (const std::string state = state_words(s, n); state != "started") line += ", " + state;
    line += n.group ? ", Nodegroup: " + std::to_string(*n.group) : ", no nodegroup";
    if (n.id == master) line += ", *";
  }
  if (single) line += ", allowed single user";
  return line + ")\n";
}

}  // namespace

std::string stock_show(const ClusterStatus& s) {
  std::string text = "Cluster Configuration\n---------------------\n";
  const NodeId master = master_of(s);
  struct Part {
    const char* type;
    const char* header;
  };
  for (const Part& part : {Part{"data", "[ndbd(NDB)]"}, Part{"mgm", "[ndb_mgmd(MGM)]"}, Part{"api", "[mysqld(API)]"}}) {
    std::string lines;
    std::size_t count = 0;
    for (const NodeStatus& n : s.nodes) {
      if (n.type != part.type) continue;
      ++count;
      lines += show_node(s, n, master);
    }
    text += std::string(part.header) + "\t" + std::to_string(count) + " node(s)\n" + lines + "\n";
  }
  return text;
}

std::string stock_status(const ClusterStatus& s, const NodeStatus& n) {
  const std::string line = "Node " + std::to_string(n.id) + ": " + state_words(s, n);
  if (!n.connected) return line + "\n";
  const std::string phase = n.state == "joining" ? " (Last completed phase " + std::to_string(n.phase) + ")" : "";
  return line + phase + " (" + version_words(n) + ")\n";
}

}  // namespace ndb::cli
