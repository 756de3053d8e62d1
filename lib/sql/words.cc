#include "sql/words.h"

#include <sqlite3.h>

namespace ndb::sql {

namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Skips a comment or white space at `at`; false: there is none.
bool skip_nothing(std::string_view s, std::size_t* at) {
  if (s[*at] == ' ' || s[*at] == '\t' || s[*at] == '\n' || s[*at] == '\r' || s[*at] == '\f') {
    ++*at;
    return true;
  }
  if (s.substr(*at, 2) == "--") {
    const std::size_t end = s.find('\n', *at);
    *at = end == std::string_view::npos ? s.size() : end + 1;
    return true;
  }
  if (s.substr(*at, 2) == "/*") {
    const std::size_t end = s.find("*/", *at + 2);
    *at = end == std::string_view::npos ? s.size() : end + 2;
    return true;
  }
  return false;
}

// Behind the quoted thing that begins at `at`.
std::size_t quoted_end(std::string_view s, std::size_t at) {
  const char close = s[at] == '[' ? ']' : s[at];
  for (std::size_t i = at + 1; i < s.size(); i++) {
    if (s[i] != close) continue;
    if (close != ']' && i + 1 < s.size() && s[i + 1] == close) {
      i++;
      continue;
    }
    return i + 1;
  }
  return s.size();
}

}  // namespace

std::vector<std::string> words(std::string_view s, std::size_t most) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < s.size() && all.size() < most;) {
    if (skip_nothing(s, &at)) continue;
    std::size_t end = at + 1;
    if (s[at] == '\'' || s[at] == '"' || s[at] == '`' || s[at] == '[') {
      end = quoted_end(s, at);
      all.emplace_back(s.substr(at, end - at));
    } else {
      if (is_word(s[at])) {
        while (end < s.size() && is_word(s[end])) end++;
      }
      std::string w(s.substr(at, end - at));
      for (char& c : w) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
      }
      all.push_back(std::move(w));
    }
    at = end;
  }
  return all;
}

std::size_t statement_end(const std::string& sql, std::size_t from) {
  for (std::size_t at = from; at < sql.size();) {
    if (skip_nothing(sql, &at)) continue;
    const char c = sql[at];
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
      at = quoted_end(sql, at);
    } else if (c == ';') {
      at++;
      if (sqlite3_complete(sql.substr(from, at - from).c_str()) != 0) return at;
    } else {
      at++;
    }
  }
  return std::string::npos;
}

std::string unquoted(const std::string& w) {
  if (w.size() < 2 || (w[0] != '"' && w[0] != '`' && w[0] != '[' && w[0] != '\'')) return w;
  std::string out;
  for (std::size_t i = 1; i + 1 < w.size(); i++) {
    out += w[i];
    if (w[0] != '[' && w[i] == w[0]) i++;  // doubled
  }
  return out;
}

bool insert_columns(std::string_view sql, std::vector<std::string>* columns) {
  const auto w = words(sql);
  columns->clear();
  std::size_t at = 0;
  while (at < w.size() && w[at] != "INTO") at++;
  if (at == w.size() || (w[0] != "INSERT" && w[0] != "REPLACE" && w[0] != "WITH")) return false;
  at += 2;                                     // the table
  if (at < w.size() && w[at] == ".") at += 2;  // main.table
  if (at < w.size() && w[at] == "AS") at += 2;
  if (at < w.size() && w[at] == "DEFAULT") return true;
  if (at >= w.size() || w[at] != "(") return false;
  for (at++; at < w.size() && w[at] != ")"; at++) {
    if (w[at] == ",") continue;
    std::string name = unquoted(w[at]);
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    columns->push_back(std::move(name));
  }
  return true;
}

bool blank(std::string_view s) {
  for (std::size_t at = 0; at < s.size();) {
    if (s[at] == ';')
      at++;
    else if (!skip_nothing(s, &at))
      return false;
  }
  return true;
}

}  // namespace ndb::sql
