// The table of all configuration parameters: which section they belong to, what they may say, what
// a change of them costs. The rows are in parameters.def; nothing else in the product names a
// default or a range.
//
// Canonical values. A configuration holds every value as text in one spelling: numbers in decimal
// and in plain units (bytes, never "512M"), booleans as 1 and 0, closed words as the table spells
// them. `parse_value` makes it from what a user wrote, `show_value` writes it back the short way.
// So values can be compared as strings.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ndb::mgmt {

// Kinds of sections. The order is that of NDB's diff: system, nodes, connections.
enum class Kind : std::uint8_t { system, ndbd, ndb_mgmd, api, tcp, shm };
inline constexpr std::size_t kKinds = 6;

enum class ValueType : std::uint8_t { integer, size, boolean, text, word, cpus };

// What it takes until a changed value is obeyed, from cheap to dear. In messages: online, N, IN, S,
// IS.
enum class Restart : std::uint8_t { online, node, initial_node, system, initial_system };

struct Parameter {
  Kind kind;
  std::string_view name;
  ValueType type;
  std::string_view default_value;  // canonical
  std::uint64_t least, most;       // for integer, size, boolean and each processor of cpus
  std::string_view words;          // closed list, joined by '|'; empty = open
  Restart restart;
  unsigned flags;
  std::uint32_t key;  // in NDB's binary configuration; 0 = never sent
  std::string_view meaning;

  bool unset() const noexcept;       // no default value
  bool mandatory() const noexcept;   // must be known in the end (often computed)
  bool deprecated() const noexcept;  // accepted with a warning
  bool internal() const noexcept;    // not to be written by users
  bool hidden() const noexcept;      // a debug name
  bool used() const noexcept;        // obeyed here; the others are accepted and do nothing
};

std::span<const Parameter> parameters() noexcept;                       // in the order of the table
const Parameter* find_parameter(Kind, std::string_view name) noexcept;  // without regard to case; "Id" is NodeId
const Parameter* find_parameter_by_key(Kind, std::uint32_t key) noexcept;
const Parameter* similar_parameter(Kind, std::string_view name) noexcept;  // for "did you mean"; may be null

std::string_view kind_name(Kind) noexcept;                      // system ndbd ndb_mgmd mysqld tcp shm, as in a file
std::string_view kind_type_name(Kind) noexcept;                 // SYSTEM DB MGM API TCP SHM
std::optional<Kind> find_kind(std::string_view name) noexcept;  // the names above and mgm, db, api; any case
std::string_view restart_name(Restart) noexcept;                // online N IN S IS
std::string_view type_name(ValueType) noexcept;

bool is_node(Kind) noexcept;
bool is_link(Kind) noexcept;
bool same_name(std::string_view a, std::string_view b) noexcept;  // without regard to ASCII case
// Parameters of data nodes that can be changed in running processes alone, and those among them that the leader of the
// metadata log or the management servers obey: one value for the whole cluster.
inline constexpr int kLevelDefault = 7;  // of the cluster log, where no LogLevel.. is written
bool can_be_live(std::string_view name) noexcept;
bool one_for_all_nodes(std::string_view name) noexcept;

// The canonical value, or in *error a sentence without a subject ("is no number", "is out of range
// 1 to 4").
std::optional<std::string> parse_value(const Parameter&, std::string_view text, std::string* error);
// Sizes with the largest suffix that divides them, booleans as true and false, the rest as it is.
std::string show_value(const Parameter&, std::string_view canonical);
std::string show_range(const Parameter&);
// Canonical text to a number; 0 for anything else.
std::uint64_t to_number(std::string_view canonical) noexcept;

}  // namespace ndb::mgmt
