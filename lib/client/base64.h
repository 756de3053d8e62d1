// Base64 as the bulk of the management protocol carries it; white space is skipped.
#pragma once
#include <string>

#include "base/bytes.h"

namespace ndb::client {

inline bool base64_decode(Bytes text, std::string* out) {
  out->clear();
  out->reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int have = 0;
  bool padded = false;
  for (char c : text) {
    std::uint32_t v;
    if (c >= 'A' && c <= 'Z')
      v = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      v = static_cast<std::uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      v = static_cast<std::uint32_t>(c - '0' + 52);
    else if (c == '+')
      v = 62;
    else if (c == '/')
      v = 63;
    else if (c == '=') {
      padded = true;
      continue;
    } else if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
      continue;
    else
      return false;
    if (padded) return false;
    bits = bits << 6 | v;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out->push_back(static_cast<char>(bits >> have & 0xff));
    }
  }
  return true;
}

}  // namespace ndb::client
