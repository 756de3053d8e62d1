// A cluster's configuration: what somebody wrote, and what follows from it.
//
//   text (config.ini | config.toml)  --parse-->  Config  --print-->  text
//
// A Config holds only what was written (canonical values, mgmt/parameters.h) plus node ids, which
// are made explicit, and the node groups that the rules give. Everything else is asked for:
// `effective_values` adds the section's defaults, the table's defaults and the defaults by rule
// (FileSystemPath follows DataDir, ..), `all_links` adds the links that nobody writes down. Two
// configurations are equal when these structures are; printing and parsing again, in either
// language, gives an equal one.
//
// Parsing never stops at the first mistake: all problems of a text come back at once, each with its
// line. A Config that comes with an error must not be used for anything but showing.
//
// Pure: no file, no clock, no name resolution. So two rules are left to the management server: the
// cluster's Name when none is written, and whether host names resolve (`hosts`).
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "mgmt/parameters.h"

namespace ndb::mgmt {

using Values = std::map<std::string, std::string,
                        std::less<>>;  // parameter, as in the table -> canonical value

struct Node {
  Kind kind = Kind::ndbd;
  NodeId id = 0;
  Values written;            // without NodeId
  GroupId group = kNoGroup;  // data nodes: as written, or by the rule
  friend bool operator==(const Node&, const Node&) = default;
};

// A link that somebody wrote down. Of two ends the data node is `node2` unless both are data nodes
// or both are management servers; then the lower id is `node1`. (A text may name them the other way
// round.)
struct Link {
  Kind kind = Kind::tcp;
  NodeId node1 = 0;
  NodeId node2 = 0;
  Values written;  // without NodeId1, NodeId2
  friend bool operator==(const Link&, const Link&) = default;
};

struct Config {
  Values system;
  std::map<Kind, Values> defaults;  // [x default]
  std::vector<Node> nodes;          // by id
  std::vector<Link> links;          // by (node1, node2); only written ones
  bool stock = false;               // of a cluster of NDB's: its defaults hold, where this product has its own
  friend bool operator==(const Config&, const Config&) = default;

  const Node* find(NodeId id) const noexcept;
  Node* find(NodeId id) noexcept;
};

enum class Severity : std::uint8_t { warning, error };
struct Problem {
  int line = 0;  // 0 = the whole
  Severity severity = Severity::error;
  std::string text;  // one sentence, lower case, subject quoted
  friend bool operator==(const Problem&, const Problem&) = default;
};
bool has_errors(const std::vector<Problem>&) noexcept;
std::string problem_line(const Problem&);  // "line 12: error: .."

struct ParseResult {
  Config config;
  std::vector<Problem> problems;  // by line
  bool ok() const noexcept { return !has_errors(problems); }
};

ParseResult parse_ini(std::string_view text);
ParseResult parse_toml(std::string_view text);
// TOML when a line starts with "[[" or "[default.", else ini.
ParseResult parse_any(std::string_view text);
std::string print_ini(const Config&);
std::string print_toml(const Config&);

// Fills in the node groups and checks everything that concerns more than one value. For a Config
// that was made or changed by a program; parsing has done it already.
std::vector<Problem> finish(Config&);

// Sets (or, with an empty optional, removes) one parameter: in the [x default] section of `kind`
// when `nodes` is empty, else in the sections of these nodes. The result is finished; on errors
// `config` is unchanged.
std::vector<Problem> set_parameter(Config& config, Kind kind, const std::vector<NodeId>& nodes, std::string_view name,
                                   std::optional<std::string_view> value);

// What holds in the end. `effective` gives "" where there is no value.
Values effective_values(const Config&, const Node&);  // with NodeId, and NodeGroup for data nodes
Values effective_values(const Config&, const Link&);  // with NodeId1, NodeId2, NodeIdServer, PortNumber, HostName1/2
Values effective_system(const Config&);
std::string effective(const Config&, const Node&, std::string_view name);
std::uint64_t effective_number(const Config&, const Node&, std::string_view name);

// How many workers a ThreadConfig asks for, "ldm={count=2}"; none when it does not say.
std::optional<std::uint64_t> ldm_threads(std::string_view thread_config);
std::vector<Link> all_links(const Config&);     // written and implied, by (node1, node2)
bool in_reserve(const Config&, const Node&);    // Disabled, or not NodeActive
std::uint32_t replicas(const Config&);          // NoOfReplicas; the default without data nodes
std::vector<std::string> hosts(const Config&);  // all host names, sorted, each once, without empty ones
bool loopback_host(std::string_view) noexcept;  // localhost, 127.x, ::1

}  // namespace ndb::mgmt
