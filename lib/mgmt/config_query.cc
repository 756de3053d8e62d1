#include "mgmt/config_query.h"

#include <algorithm>

namespace ndb::mgmt {
namespace {

struct Row {
  Kind kind;
  Values values;
};

std::vector<Row> rows_of(const Config& c, const Query& q) {
  std::vector<Row> out;
  if (q.of == Query::Of::system) {
    out.push_back({Kind::system, effective_system(c)});
  } else if (q.of == Query::Of::nodes) {
    for (const Node& n : c.nodes) {
      if (q.type && *q.type != n.kind) continue;
      if (q.nodeid && *q.nodeid != n.id) continue;
      if (!q.host.empty() && !same_name(q.host, effective(c, n, "HostName"))) continue;
      out.push_back({n.kind, effective_values(c, n)});
    }
  } else {
    for (const Link& l : all_links(c)) {
      if (q.nodeid && *q.nodeid != l.node1 && *q.nodeid != l.node2) continue;
      out.push_back({l.kind, effective_values(c, l)});
    }
  }
  return out;
}

std::string field(const Row& row, std::string_view name) {
  if (same_name(name, "type")) return std::string(kind_name(row.kind));
  if (same_name(name, "host") && is_node(row.kind)) name = "HostName";
  const Parameter* p = find_parameter(row.kind, name);
  const auto it = p ? row.values.find(p->name) : row.values.end();
  return it == row.values.end() ? std::string() : it->second;
}

bool known(const Query& q, std::string_view name) {
  if (same_name(name, "type")) return q.of != Query::Of::system;
  if (same_name(name, "host")) return q.of == Query::Of::nodes;
  auto any = [&](std::initializer_list<Kind> kinds) {
    return std::any_of(kinds.begin(), kinds.end(), [&](Kind k) { return find_parameter(k, name) != nullptr; });
  };
  if (q.of == Query::Of::system) return any({Kind::system});
  return q.of == Query::Of::nodes ? any({Kind::ndbd, Kind::ndb_mgmd, Kind::api}) : any({Kind::tcp, Kind::shm});
}

std::vector<std::string> all_fields(const std::vector<Row>& rows) {
  std::vector<std::string> out;
  for (const Parameter& p : parameters()) {
    const bool wanted = std::any_of(rows.begin(), rows.end(), [&](const Row& r) { return r.kind == p.kind; });
    if (wanted && std::find(out.begin(), out.end(), p.name) == out.end()) out.emplace_back(p.name);
  }
  return out;
}

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); i++) out += (i ? separator : "") + words[i];
  return out;
}

}  // namespace

QueryResult run_query(const Config& c, const Query& q) {
  QueryResult result;
  const std::vector<Row> rows = rows_of(c, q);
  const std::vector<std::string> fields = q.all ? all_fields(rows) : q.fields;
  for (const std::string& f : q.all ? std::vector<std::string>{} : fields) {
    if (!known(q, f)) result.unknown.push_back(f);
  }
  std::vector<std::string> lines;
  if (q.all && !rows.empty()) lines.push_back(joined(fields, q.field_separator));
  for (const Row& row : rows) {
    std::vector<std::string> words;
    for (const std::string& f : fields) words.push_back(field(row, f));
    lines.push_back(joined(words, q.field_separator));
  }
  result.rows = rows.size();
  if (!lines.empty()) result.text = joined(lines, q.row_separator) + "\n";
  return result;
}

std::string unescape_separator(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); i++) {
    const char next = i + 1 < s.size() ? s[i + 1] : '\0';
    if (s[i] != '\\' || (next != 'n' && next != 't' && next != '\\')) {
      out += s[i];
      continue;
    }
    out += next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
    i++;
  }
  return out;
}

std::string differences_from_defaults(const Config& c) {
  std::string out;
  auto section = [&](Kind kind, const std::string& title, const Values& values) {
    std::string lines;
    for (const Parameter& p : parameters()) {
      const auto it = p.kind == kind ? values.find(p.name) : values.end();
      if (it == values.end() || it->second == p.default_value) continue;
      const std::string usual = p.mandatory() ? "(mandatory)" : p.unset() ? "(null)" : show_value(p, p.default_value);
      lines += std::string(p.name) + "," + show_value(p, it->second) + "," + usual + "\n";
    }
    if (lines.empty()) return;
    out += (out.empty() ? "" : "\n") + title + "\nCONFIG_PARAMETER,ACTUAL_VALUE,DEFAULT_VALUE\n" + lines;
  };
  section(Kind::system, "[SYSTEM]", effective_system(c));
  for (const Node& n : c.nodes) {
    section(n.kind, "[" + std::string(kind_name(n.kind)) + "] node " + std::to_string(n.id), effective_values(c, n));
  }
  return out;
}

std::string describe_parameter(const Parameter& p) {
  std::string out =
      "[" + std::string(kind_name(p.kind)) + "] " + std::string(p.name) + ": " + std::string(p.meaning) + "\n";
  out += "  type " + std::string(type_name(p.type)) + ", default " +
         (p.mandatory() ? "must be given or is worked out"
          : p.unset()   ? "none"
                        : show_value(p, p.default_value));
  if (p.type == ValueType::integer || p.type == ValueType::size) out += ", range " + show_range(p);
  if (!p.words.empty()) {
    std::string words(p.words);
    std::replace(words.begin(), words.end(), '|', ' ');
    out += ", one of " + words;
  }
  out += "\n  a change takes: " + std::string(restart_name(p.restart));
  if (p.deprecated()) out += "\n  deprecated";
  if (p.internal()) out += "\n  set by the management server, refused in a file";
  if (!p.used()) out += "\n  not used: accepted, without effect";
  return out + "\n";
}

}  // namespace ndb::mgmt
