// What a text is made of, when it is UTF-8.
#pragma once
#include <cstddef>
#include <string_view>

namespace ndb {

// Bytes of the code point at the front of a text that is not empty, 1 to 4; 0 when what stands there is no UTF-8: a
// byte that begins nothing, a sequence that is cut off, a longer form than needed, half of a surrogate pair, more than
// U+10FFFF.
inline std::size_t code_point_bytes(std::string_view text) noexcept {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return 0;
  const std::size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (text.size() < bytes) return 0;
  const unsigned char next = byte(1);
  if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) || (c == 0xf0 && next < 0x90) ||
      (c == 0xf4 && next > 0x8f)) {
    return 0;
  }
  for (std::size_t i = 1; i < bytes; i++) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

inline bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t bytes = code_point_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace ndb
