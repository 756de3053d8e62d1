// The cluster's configuration, fetched: a generation of ours with its text, or what a stock management server
// serves.
#pragma once
#include <string>

#include "cli/tool.h"
#include "mgmt/config.h"

namespace ndb::cli {

struct StoredConfig {
  mgmt::Config config;
  std::string text;  // as it was given; of a stock server: printed from what it serves
  std::uint64_t generation = 0;
  std::uint64_t primary = 0;  // PrimaryMGMNode of a stock server
  std::int64_t when_s = 0;
  std::string who, source, message;
  std::string name;                                     // of the cluster, whether the text says it or not
  bool stock() const noexcept { return config.stock; }  // it is of a server of NDB's
};
// generation 0 = the present one. Fails when the text cannot be parsed (bad_definition): it was accepted once, by
// another version of the product.
Result<StoredConfig> read_config(Tool& tool, std::uint64_t generation = 0);
// What a data node runs with: of ours its generation; a stock server asks the node.
struct ClusterStatus;
Result<StoredConfig> read_config_of_node(Tool& tool, const ClusterStatus& status, NodeId node);
// Every value written out, as ini text; not from a stock server.
Result<std::string> read_effective_config(Tool& tool, std::uint64_t generation = 0);

// "ann@ws1"
std::string who_am_i();

}  // namespace ndb::cli
