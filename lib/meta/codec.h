// What the codecs of this folder share: bounded strings and counts. Everything that comes in is
// checked against the bytes that are left before anything is allocated, so garbage costs no more
// than its own length.
#pragma once
#include <string>

#include "base/bytes.h"
#include "env/limits.h"

namespace ndb::meta::codec {

inline constexpr std::uint8_t kFormat = 1;  // first byte of an encoded table, catalog or command

inline std::string text(Reader& r, std::size_t max) {
  const std::uint32_t n = r.u32();
  if (n > max) {
    r.fail();
    return {};
  }
  return std::string(r.raw(n));
}
inline bool flag(Reader& r) {
  const std::uint8_t v = r.u8();
  if (v > 1) r.fail();
  return v == 1;
}
inline void flag(Writer& w, bool v) { w.u8(v ? 1 : 0); }
template <class E>
E number(Reader& r, E last, E first = E{}) {  // an enum of one byte
  const std::uint8_t v = r.u8();
  if (v > static_cast<std::uint8_t>(last) || v < static_cast<std::uint8_t>(first)) {
    r.fail();
    return first;
  }
  return static_cast<E>(v);
}
// How many of something follow, each of at least `bytes_each`.
inline std::uint32_t count(Reader& r, std::size_t max, std::size_t bytes_each) {
  const std::uint32_t n = r.u32();
  if (n > max || std::size_t{n} * bytes_each > r.left()) {
    r.fail();
    return 0;
  }
  return n;
}
inline void count(Writer& w, std::size_t n) { w.u32(static_cast<std::uint32_t>(n)); }
inline void format(Reader& r) {
  if (r.u8() != kFormat) r.fail();
}

}  // namespace ndb::meta::codec
