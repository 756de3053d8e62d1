#include "statement.h"

#include <algorithm>

#include "mgmt/parameters.h"
#include "mgmt/text_request.h"

namespace ndb::cli {

namespace {

using Words = std::vector<std::string>;
using Kind = Statement::Kind;

bool is(const std::string& word, std::string_view key) { return mgmt::same_name(word, key); }

bool is_number(const std::string& w) { return !w.empty() && w.find_first_not_of("0123456789") == std::string::npos; }

Failure bad(const std::string& word) {
  return {Error::bad_definition,
          "invalid command: '" + word + "' is not understood; 'ndb-mgm -e HELP' lists the statements"};
}

// -n -i -a -f behind RESTART and STOP.
Result<Statement> order(const std::string& verb, const Words& nodes, const Words& options) {
  Statement s{Kind::words, {verb}};
  for (const std::string& o : options) {
    if (verb == "restart" && is(o, "-n"))
      s.words.push_back("--nostart");
    else if (verb == "restart" && is(o, "-i"))
      s.words.push_back("--initial");
    else if (verb != "start" && is(o, "-a"))
      s.words.push_back("--abort");
    else if (verb != "start" && is(o, "-f"))
      s.words.push_back("--force");
    else
      return bad(o);
  }
  s.words.insert(s.words.end(), nodes.begin(), nodes.end());
  return s;
}

Result<Statement> report(const Words& nodes, const Words& rest) {
  if (rest.empty()) return bad("REPORT");
  std::string what = rest[0];
  std::transform(what.begin(), what.end(), what.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (what.starts_with("m")) return Statement{Kind::memory, nodes};
  if (what.starts_with("b")) return Statement{Kind::backup_status, nodes};
  if (what.starts_with("e")) {
    Statement s{Kind::words, {"events"}};
    if (nodes != Words{"all"}) {
      for (const std::string& n : nodes) s.words.insert(s.words.end(), {"--node", n});
    }
    return s;
  }
  return bad(rest[0]);
}

Statement levels(const char* command, const Words& nodes, const Words& rest) {
  std::string ids;
  for (const std::string& n : nodes) ids += (ids.empty() ? "" : " ") + (n == "all" ? "0" : n);
  Statement s{Kind::log_level, {command, ids}};
  s.words.insert(s.words.end(), rest.begin(), rest.end());
  return s;
}

Statement dump(const std::string& codes, const Words& nodes) {
  Statement s{Kind::dump, {codes}};
  s.words.insert(s.words.end(), nodes.begin(), nodes.end());
  return s;
}

// <id> ..., ALL, then a verb.
Result<Statement> about_nodes(const Words& w) {
  std::size_t i = 0;
  Words nodes;
  while (i < w.size() && is_number(w[i])) nodes.push_back(w[i++]);
  if (nodes.empty()) {
    nodes.push_back("all");
    i = 1;
  }
  if (i == w.size()) return bad(w.back());
  const std::string verb = w[i];
  const Words rest(w.begin() + static_cast<std::ptrdiff_t>(i) + 1, w.end());
  if (is(verb, "STATUS")) return Statement{Kind::status, nodes};
  if (is(verb, "START")) return order("start", nodes, rest);
  if (is(verb, "STOP")) return order("stop", nodes, rest);
  if (is(verb, "RESTART")) return order("restart", nodes, rest);
  if (is(verb, "REPORT")) return report(nodes, rest);
  if (is(verb, "ACTIVATE") && nodes.size() == 1) return Statement{Kind::words, {"enable", nodes[0]}};
  if (is(verb, "DEACTIVATE") && nodes.size() == 1) return Statement{Kind::words, {"disable", nodes[0]}};
  if (is(verb, "DUMP") && !rest.empty()) {
    std::string codes;
    for (const std::string& code : rest) {
      if (!is_number(code)) return bad(code);
      codes += (codes.empty() ? "" : " ") + code;
    }
    return dump(codes, nodes);
  }
  if (is(verb, "CLUSTERLOG") && !rest.empty()) return levels("set cluster loglevel", nodes, rest);
  if (is(verb, "LOGLEVEL") && !rest.empty()) return levels("set loglevel", nodes, rest);
  if (is(verb, "NODELOG") && rest.size() == 2 && is(rest[0], "DEBUG")) {
    if (is(rest[1], "ON")) return dump("103001", nodes);
    if (is(rest[1], "OFF")) return dump("103002", nodes);
  }
  if (is(verb, "HOSTNAME") && rest.size() == 1) {
    return Statement{Kind::refused,
                     {"a host is part of the configuration: 'ndb-config set HostName=" + rest[0] +
                      " --nodes=" + nodes[0] + "' changes it"}};
  }
  return bad(verb);
}

Result<Statement> node_group(const Words& w) {
  if (w.size() < 3 || !is(w[1], "NODEGROUP")) return bad(w.size() < 2 ? w[0] : w[1]);
  return Statement{is(w[0], "CREATE") ? Kind::create_group : Kind::drop_group, {w.begin() + 2, w.end()}};
}

Result<Statement> cluster_log(const Words& w) {
  if (w.size() < 2) return bad(w[0]);
  if (is(w[1], "INFO")) return Statement{Kind::log_info, {}};
  const char* enable = is(w[1], "ON")                             ? "1"
                       : is(w[1], "OFF")                          ? "0"
                       : is(w[1], "TOGGLE") || is(w[1], "FILTER") ? "-1"
                                                                  : nullptr;
  if (enable == nullptr) return bad(w[1]);
  Statement s{Kind::log_filter, {enable}};
  s.words.insert(s.words.end(), w.begin() + 2, w.end());
  return s;
}

Result<Statement> backup(const Words& w) {
  if (w.size() < 2 || !is(w[1], "BACKUP")) return bad(w.size() < 2 ? w[0] : w[1]);
  if (is(w[0], "ABORT")) {
    if (w.size() != 3 || !is_number(w[2])) return bad(w.back());
    return Statement{Kind::request, {"abort backup", "id=" + w[2]}};
  }
  Statement s{Kind::backup, {}};
  if (w.size() > 2 && is_number(w[2])) s.words.push_back(w[2]);
  return s;
}

}  // namespace

Result<Statement> read_statement(std::string_view text) {
  text = text.substr(0, text.find('#'));
  while (!text.empty() && (text.back() == ';' || text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  Words w;
  for (std::string_view word : mgmt::split_words(text)) w.emplace_back(word);
  if (w.empty()) return Statement{};
  const std::string& first = w[0];
  auto followed_by = [&](std::initializer_list<const char*> keys) {
    std::size_t i = 1;
    for (const char* k : keys) {
      if (i >= w.size() || !is(w[i++], k)) return false;
    }
    return true;
  };
  if (is_number(first) || is(first, "ALL")) return about_nodes(w);
  if (is(first, "SHOW")) return Statement{Kind::show, {}};
  if (is(first, "SHUTDOWN")) return Statement{Kind::words, {"shutdown"}};
  if (is(first, "CREATE") || is(first, "DROP")) return node_group(w);
  if (is(first, "CLUSTERLOG")) return cluster_log(w);
  if (is(first, "TLS") && followed_by({"INFO"})) return Statement{Kind::tls_info, {}};
  if (is(first, "START") && followed_by({"TLS"})) {
    return Statement{Kind::refused, {"this program has no TLS; the connection stays in clear text"}};
  }
  if (is(first, "START") || is(first, "ABORT")) return backup(w);
  if (is(first, "ENTER") && followed_by({"SINGLE", "USER", "MODE"}) && w.size() == 5) {
    return Statement{Kind::words, {"single-user", "enter", w[4]}};
  }
  if (is(first, "EXIT") && followed_by({"SINGLE", "USER", "MODE"}))
    return Statement{Kind::words, {"single-user", "exit"}};
  if (is(first, "PURGE")) return Statement{Kind::request, {"purge stale sessions"}};
  if (is(first, "HELP") || first == "?") return Statement{Kind::help, {}};
  for (const char* idle : {"QUIT", "EXIT", "BYE", "CONNECT", "PROMPT"}) {
    if (is(first, idle)) return Statement{};
  }
  return bad(first);
}

}  // namespace ndb::cli
