// What Server keeps about answers under way. Inside lib/mgmt only.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mgmt/report.h"
#include "mgmt/server.h"

namespace ndb::mgmt {

// What the nodes hold of the fragments of one table.
struct Server::Gather {
  std::uint32_t request = 0;  // of the node_order
  TableId table = 0;
  std::set<NodeId> missing;  // have not answered yet
  std::set<NodeId> heard;    // have
  Replicas replicas;
};

struct Server::Waiting {
  enum class Kind : std::uint8_t {
    change,
    gather,
    version,
    node_id,
    host_names,
    everywhere,
    catalog
  } kind = Kind::version;
  env::LinkId link = 0;
  std::uint64_t session = 0;
  Request request;     // what is to be answered
  meta::RequestId id;  // the proposal of a change
  Time deadline = kNever;
  Version above = 0;      // `ndb wait`; everywhere: of the change
  meta::Outcome outcome;  // everywhere: what is to be answered
  std::unique_ptr<Gather> gather;
  std::string bulk;  // JSON made before the proposal (`ndb apply config`)
  bool done = false;
};

std::string_view without_port(std::string_view address);  // nor brackets

inline bool parse_request_id(std::string_view hex, meta::RequestId* id) {
  if (hex.size() != 32) return false;
  for (std::size_t i = 0; i < 32; ++i) {
    const char c = hex[i];
    std::uint64_t v = 0;
    if (c >= '0' && c <= '9')
      v = static_cast<std::uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      v = static_cast<std::uint64_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      v = static_cast<std::uint64_t>(c - 'A' + 10);
    else
      return false;
    std::uint64_t& half = i < 16 ? id->high : id->low;
    half = half << 4 | v;
  }
  return true;
}

inline std::string hex_of(const meta::RequestId& id) {
  std::string s(32, '0');
  for (std::size_t i = 0; i < 32; ++i) {
    const std::uint64_t half = i < 16 ? id.high : id.low;
    s[i] = "0123456789abcdef"[half >> (4 * (15 - i % 16)) & 15];
  }
  return s;
}

}  // namespace ndb::mgmt
