// NDB's binary configurations: what management servers send to nodes and clients ("get config_v2",
// "get config"). All numbers are big-endian 32-bit words; strings end with a zero byte and are
// padded with zeros; the last word makes the exclusive or of all words zero.
//
//   version 2   "NDBCONF2" · words in all · 2 · 5 · data, API, management nodes · links
//               sections: five of defaults (data, API, mgm, TCP, SHM), system, nodes by id, links
//               section = words in it · entries · kind · entries by key
//               kind = 1 data, 2 API, 3 mgm, 4 TCP, 5 SHM, 6 system
//               entry = type << 28 | key (1 number, 2 text, 4 two words), value
//               What all nodes of a kind have, and most have alike, stands in the defaults, and
//               only the others repeat it.
//   version 1   "NDBCONFV" · entries by key; key = type << 28 | section << 14 | parameter
//               Section 0 has an entry of type 3 for each of 1000 (system), 2000 (nodes) and 3000
//               (links): the number of a list, which has for 0, 1, .. the numbers of the sections
//               of the things themselves; those have 999 (their kind) and 16382 (0, the parent).
//               Texts have at least one byte of padding.
//
// Keys are the table's (mgmt/parameters.h); parameters without a key are not sent. Decoding ignores
// keys that it does not know (newer servers) and refuses everything else that is odd.
#pragma once
#include "base/bytes.h"
#include "base/errors.h"
#include "mgmt/config.h"

namespace ndb::mgmt {

// With all nodes, and the links of `for_node`, or all links when it is 0 or a management server.
std::string encode_config_v2(const Config& config, NodeId for_node);
// bad_definition when there are more links than version 1 can number.
Result<std::string> encode_config_v1(const Config& config, NodeId for_node);

// Either version. What the table's defaults and rules give counts as not written; node groups and
// the chosen ports of links (PortNumber) count as written. `stock`: it is from a server of NDB's.
Result<Config> decode_config(Bytes bytes, bool stock = false);

}  // namespace ndb::mgmt
