// A configuration as the metadata log carries it.
//
// The image holds the text as it was given and, for each node, the values that matter: the
// effective values of all parameters that are obeyed here, and whatever else somebody wrote. The
// rest is the table's defaults and can be had by parsing the text, so a generation stays some
// kilobytes.
#pragma once
#include "meta/catalog.h"
#include "mgmt/config.h"

namespace ndb::mgmt {

// Requires: `config` came from `text` without errors. The cluster's name is the written one, else
// `name`. A data node in reserve without a NodeGroup wishes for none, so that it can be enabled
// later.
meta::ConfigImage to_image(const Config& config, std::string text, std::string_view name);

// The configuration of an image: its text, parsed again, with the image's name.
ParseResult from_image(const meta::ConfigImage& image);

// The name of a cluster that was given none: MC_ and the time (UTC) of its first configuration,
// MC_20261120192039.
std::string default_cluster_name(std::int64_t seconds_since_1970);

meta::NodeType node_type(Kind) noexcept;  // requires is_node
Kind node_kind(meta::NodeType) noexcept;

}  // namespace ndb::mgmt
