// The same configuration in TOML:
//
//   [system]        one table
//   [default.ndbd]  what [ndbd default] is in ini; it speaks for all [[ndbd]], wherever it stands
//   [[ndbd]]        one for each node; so [[ndb_mgmd]], [[mysqld]], and [[tcp]], [[shm]] for links
//
// Names are those of ini, in any case. Values are integers, booleans, or strings that say what ini
// would say ("512M"). The only file that sees toml++.
#include <algorithm>
#include <cctype>
#include <stdexcept>

// toml++ 3.3 asserts on some malformed texts (a header that begins with no letter); here that is
// one more parse error. With NDEBUG it would take the condition for granted instead.
#undef NDEBUG
#define TOML_EXCEPTIONS 1
[[noreturn]] static inline void toml_is_malformed() { throw std::invalid_argument("malformed"); }
#define TOML_ASSERT(condition) ((condition) ? void() : toml_is_malformed())
#include <toml++/toml.h>

#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

int line_of(const toml::node& n) { return static_cast<int>(n.source().begin.line); }
int line_of(const toml::key& k) { return static_cast<int>(k.source().begin.line); }

// The first line that begins with brackets and something that begins no name; 0 = none.
int bad_header(std::string_view text) {
  int line = 0;
  while (!text.empty()) {
    line++;
    const auto end = text.find('\n');
    const std::string_view all = text.substr(0, end);
    const auto at = all.find_first_not_of(" \t");
    if (at != std::string_view::npos && all[at] == '[') {
      const auto name = all.find_first_not_of(" \t[", at);
      if (name == std::string_view::npos || (!std::isalnum(static_cast<unsigned char>(all[name])) &&
                                             std::string_view("_-'\"").find(all[name]) == std::string_view::npos)) {
        return line;
      }
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return 0;
}

class TomlReader {
 public:
  ParseResult read(std::string_view text) {
    if (text.size() > limits::kConfigTextBytesMax) {
      error(0, "the text is larger than " + std::to_string(limits::kConfigTextBytesMax) + " bytes");
      return {{}, std::move(problems_)};
    }
    int line = 1;
    for (char c : text) {
      if (c == '\n') line++;
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
        error(line, "a control character");
        return {{}, std::move(problems_)};
      }
    }
    toml::table table;
    try {
      table = toml::parse(text);
    } catch (const toml::parse_error& e) {
      std::string why(e.description());
      for (char& c : why) c = c == '\n' ? ' ' : c;
      error(static_cast<int>(e.source().begin.line), "no TOML: " + why);
      return {{}, std::move(problems_)};
    } catch (const std::invalid_argument&) {
      error(bad_header(text), "no TOML: malformed section header");
      return {{}, std::move(problems_)};
    }
    for (const auto& [key, node] : table) read_top(key, node);
    std::stable_sort(sections_.begin(), sections_.end(), [](const RawSection& a, const RawSection& b) {
      return std::pair(!a.is_default, a.line) < std::pair(!b.is_default, b.line);
    });
    return build_config(sections_, std::move(problems_));
  }

 private:
  void error(int line, std::string text) { add_error(problems_, line, std::move(text)); }

  void read_top(const toml::key& key, const toml::node& node) {
    const std::string_view name = key.str();
    if (same_name(name, "system")) {
      read_section(name, false, line_of(key), node);
    } else if (same_name(name, "default")) {
      const toml::table* all = node.as_table();
      if (!all) {
        error(line_of(key), "'default' holds tables such as [default.ndbd]");
        return;
      }
      for (const auto& [kind, values] : *all) read_section(kind.str(), true, line_of(kind), values);
    } else if (const toml::array* list = node.as_array()) {
      for (const toml::node& element : *list) read_section(name, false, line_of(element), element);
    } else {
      error(line_of(key), quoted(name) + " is neither [system] nor a list of tables such as [[ndbd]]");
    }
  }

  void read_section(std::string_view name, bool is_default, int line, const toml::node& node) {
    const toml::table* values = node.as_table();
    if (!values) {
      error(line, quoted(name) + " is no table");
      return;
    }
    RawSection s;
    s.name = std::string(name);
    s.is_default = is_default;
    s.line = line;
    for (const auto& [key, value] : *values) {
      const int at = line_of(key);
      if (const auto* text = value.as_string()) {
        s.values.push_back({std::string(key.str()), text->get(), at});
      } else if (const auto* number = value.as_integer()) {
        s.values.push_back({std::string(key.str()), std::to_string(number->get()), at});
      } else if (const auto* truth = value.as_boolean()) {
        s.values.push_back({std::string(key.str()), truth->get() ? "1" : "0", at});
      } else {
        error(at, "parameter " + quoted(key.str()) + " is neither a number, a string, true nor false");
      }
    }
    sections_.push_back(std::move(s));
  }

  std::vector<RawSection> sections_;
  std::vector<Problem> problems_;
};

// No ini line starts like this, and no configuration does without such a line in TOML (unless with
// inline tables).
bool looks_like_toml(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.substr(0, 2) == "[[" || line.substr(0, 9) == "[default.") return true;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return false;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void print_value(std::string& out, Kind kind, std::string_view name, std::string_view value) {
  const Parameter* p = find_parameter(kind, name);
  if (p && p->internal()) return;  // of a decoded configuration
  const std::string text = p ? show_value(*p, value) : std::string(value);
  const bool number = p && (p->type == ValueType::integer || p->type == ValueType::size) &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  const bool bare = number || (p && p->type == ValueType::boolean);
  out += std::string(name) + " = " + (bare ? text : toml_string(text)) + "\n";
}

void print_values(std::string& out, Kind kind, const Values& values) {
  if (auto host = values.find("HostName"); host != values.end()) print_value(out, kind, host->first, host->second);
  for (const auto& [name, value] : values) {
    if (name != "HostName") print_value(out, kind, name, value);
  }
}

}  // namespace

ParseResult parse_toml(std::string_view text) { return TomlReader().read(text); }

std::string print_toml(const Config& c) {
  std::string out;
  auto header = [&](const std::string& name) {
    if (!out.empty()) out += "\n";
    out += name + "\n";
  };
  if (!c.system.empty()) {
    header("[system]");
    print_values(out, Kind::system, c.system);
  }
  for (const auto& [kind, values] : c.defaults) {
    header("[default." + std::string(kind_name(kind)) + "]");
    print_values(out, kind, values);
  }
  for (Kind kind : {Kind::ndb_mgmd, Kind::ndbd, Kind::api}) {
    for (const Node& n : c.nodes) {
      if (n.kind != kind) continue;
      header("[[" + std::string(kind_name(kind)) + "]]");
      print_value(out, kind, "NodeId", std::to_string(n.id));
      print_values(out, kind, n.written);
    }
  }
  for (const Link& l : c.links) {
    if (!says_something(l)) continue;
    header("[[" + std::string(kind_name(l.kind)) + "]]");
    print_value(out, l.kind, "NodeId1", std::to_string(l.node1));
    print_value(out, l.kind, "NodeId2", std::to_string(l.node2));
    print_values(out, l.kind, l.written);
  }
  return out;
}

ParseResult parse_any(std::string_view text) { return looks_like_toml(text) ? parse_toml(text) : parse_ini(text); }

}  // namespace ndb::mgmt
