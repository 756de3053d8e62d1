// Sentences from pieces: words("node ", 3, " is down").
#pragma once
#include <string>
#include <string_view>
#include <type_traits>

#include "env/limits.h"

namespace ndb::meta {

inline void append_word(std::string& s, std::string_view v) { s.append(v); }
template <class T>
requires std::is_integral_v<T>
inline void append_word(std::string& s, T v) { s.append(std::to_string(v)); }
template <class... Pieces>
std::string words(const Pieces&... pieces) {
  std::string s;
  (append_word(s, pieces), ...);
  return s;
}
// "1, 2, 3" of any range of numbers or strings; after limits::kNamesShown of them "and 7 more".
template <class Range>
std::string listed(const Range& range) {
  std::string s;
  std::size_t n = 0;
  for (const auto& v : range) {
    if (n++ >= limits::kNamesShown) continue;
    if (!s.empty()) s.append(", ");
    append_word(s, v);
  }
  if (n > limits::kNamesShown) s.append(words(" and ", n - limits::kNamesShown, " more"));
  return s;
}
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline bool same_name(std::string_view a, std::string_view b) {  // ASCII case-insensitive, as SQL
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); i++) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace ndb::meta
