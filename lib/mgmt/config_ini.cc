// NDB's ini dialect: `[section]` or `[section default]`, then `name=value` or `name:value`, `#` to
// the end of the line is a comment wherever it stands.
#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";

std::string_view trim(std::string_view s) {
  const auto a = s.find_first_not_of(kBlank);
  if (a == std::string_view::npos) return {};
  return s.substr(a, s.find_last_not_of(kBlank) - a + 1);
}

// One pair of quotes around a whole value is not part of it.
std::string_view unquote(std::string_view s) {
  if (s.size() >= 2 && (s.front() == '"' || s.front() == '\'') && s.back() == s.front()) {
    return s.substr(1, s.size() - 2);
  }
  return s;
}

class IniReader {
 public:
  ParseResult read(std::string_view text) {
    if (text.size() > limits::kConfigTextBytesMax) {
      error("the text is larger than " + std::to_string(limits::kConfigTextBytesMax) + " bytes");
      return {{}, std::move(problems_)};
    }
    while (!text.empty()) {
      const auto end = text.find('\n');
      line_++;
      read_line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return build_config(sections_, std::move(problems_));
  }

 private:
  void error(std::string text) { add_error(problems_, line_, std::move(text)); }

  void read_line(std::string_view line) {
    if (line.size() > limits::kConfigLineBytesMax) {
      error("the line is longer than " + std::to_string(limits::kConfigLineBytesMax) + " bytes");
      return;
    }
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) return;
    if (line.front() == '[') {
      read_section(line);
      return;
    }
    const auto at = line.find_first_of("=:");
    if (at == std::string_view::npos) {
      error("neither a section nor 'name=value': " + quoted(line));
      return;
    }
    const auto name = trim(line.substr(0, at));
    const auto value = unquote(trim(line.substr(at + 1)));
    if (name.empty()) {
      error("a value without a name: " + quoted(line));
    } else if (sections_.empty()) {
      error("parameter " + quoted(name) + " stands before the first section");
    } else {
      sections_.back().values.push_back({std::string(name), std::string(value), line_});
    }
  }

  void read_section(std::string_view line) {
    RawSection s;
    s.line = line_;
    const auto end = line.find(']');
    if (end != line.size() - 1) {
      error("a section is '[name]' or '[name default]' on a line of its own: " + quoted(line));
    }
    auto name = trim(line.substr(1, (end == std::string_view::npos ? line.size() : end) - 1));
    const auto blank = name.find_first_of(kBlank);
    if (blank != std::string_view::npos && same_name(trim(name.substr(blank)), "default")) {
      s.is_default = true;
      name = name.substr(0, blank);
    }
    s.name = std::string(name);
    sections_.push_back(std::move(s));
  }

  int line_ = 0;
  std::vector<RawSection> sections_;
  std::vector<Problem> problems_;
};

void print_value(std::string& out, Kind kind, std::string_view name, std::string_view value) {
  const Parameter* p = find_parameter(kind, name);
  if (p && p->internal()) return;  // of a decoded configuration
  std::string text = p ? show_value(*p, value) : std::string(value);
  // Quotes keep what trimming or unquoting would take away.
  if (text != unquote(trim(text))) text = "\"" + text + "\"";
  out += std::string(name) + "=" + text + "\n";
}

void print_values(std::string& out, Kind kind, const Values& values) {
  if (auto host = values.find("HostName"); host != values.end()) {
    print_value(out, kind, host->first, host->second);
  }
  for (const auto& [name, value] : values) {
    if (name != "HostName") print_value(out, kind, name, value);
  }
}

}  // namespace

ParseResult parse_ini(std::string_view text) { return IniReader().read(text); }

std::string print_ini(const Config& c) {
  std::string out;
  auto header = [&](Kind kind, std::string_view rest) {
    if (!out.empty()) out += "\n";
    out += "[" + std::string(kind_name(kind)) + std::string(rest) + "]\n";
  };
  if (!c.system.empty()) {
    header(Kind::system, "");
    print_values(out, Kind::system, c.system);
  }
  for (const auto& [kind, values] : c.defaults) {
    header(kind, " default");
    print_values(out, kind, values);
  }
  for (Kind kind : {Kind::ndb_mgmd, Kind::ndbd, Kind::api}) {
    for (const Node& n : c.nodes) {
      if (n.kind != kind) continue;
      header(kind, "");
      print_value(out, kind, "NodeId", std::to_string(n.id));
      print_values(out, kind, n.written);
    }
  }
  for (const Link& l : c.links) {
    if (!says_something(l)) continue;
    header(l.kind, "");
    print_value(out, l.kind, "NodeId1", std::to_string(l.node1));
    print_value(out, l.kind, "NodeId2", std::to_string(l.node2));
    print_values(out, l.kind, l.written);
  }
  return out;
}

}  // namespace ndb::mgmt
