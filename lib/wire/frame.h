// Frames and messages (docs/FORMATS.md). A frame is what one step sends on one link; it carries whole messages.
//
//   frame header, 24 bytes          u32 magic "NDBF" · u32 payload bytes · u32 crc32c · u32 reserved 0 · u64 epoch
//                                   (the crc covers the header with a zero crc, then the payload)
//   message header, 8 bytes         u32 body bytes · u16 type · u8 to worker · u8 from worker
//
// Anything wrong in a frame closes its link: the peer is not one of us or the bytes are damaged.
#pragma once
#include "base/bytes.h"
#include "base/hash.h"
#include "base/ids.h"
#include "env/limits.h"

namespace ndb::wire {

inline constexpr std::uint32_t kFrameMagic = 0x4642444e;  // "NDBF"
inline constexpr std::size_t kFrameHeaderBytes = 24;
inline constexpr std::size_t kMessageHeaderBytes = 8;

struct FrameHeader {
  std::uint32_t payload_bytes;
  Epoch epoch;
};
enum class FrameState : std::uint8_t { incomplete, whole, damaged };

// Writes the 24 bytes for this payload to `header`.
void seal_frame(char* header, Bytes payload, Epoch epoch) noexcept;
// Looks at the start of what has been received. `whole`: `*h` is set and the payload lies at
// input[24, 24 + payload_bytes), checked.
FrameState open_frame(Bytes input, FrameHeader* h) noexcept;

// Message writing: offset = begin_message(w, type, to, from); ... append the body ...; end_message(w, offset).
template <class Type>
inline std::size_t begin_message(Writer& w, Type type, WorkerId to, WorkerId from) {
  std::size_t at = w.size();
  char* p = w.extend(kMessageHeaderBytes);
  save<std::uint32_t>(p, 0);
  save<std::uint16_t>(p + 4, static_cast<std::uint16_t>(type));
  p[6] = static_cast<char>(to);
  p[7] = static_cast<char>(from);
  return at;
}
inline void end_message(Writer& w, std::size_t at) {
  w.patch<std::uint32_t>(at, static_cast<std::uint32_t>(w.size() - at - kMessageHeaderBytes));
}

struct Message {
  std::uint16_t type = 0;
  WorkerId to = 0;
  WorkerId from = 0;
  Bytes body;
};
// The next message of a payload; false at the end or, with *damaged set, when the rest is no message.
inline bool next_message(Bytes& payload, Message* m, bool* damaged) noexcept {
  if (payload.empty()) return false;
  if (payload.size() < kMessageHeaderBytes) {
    *damaged = true;
    return false;
  }
  auto n = load<std::uint32_t>(payload.data());
  if (payload.size() - kMessageHeaderBytes < n) {
    *damaged = true;
    return false;
  }
  m->type = load<std::uint16_t>(payload.data() + 4);
  m->to = static_cast<WorkerId>(payload[6]);
  m->from = static_cast<WorkerId>(payload[7]);
  m->body = payload.substr(kMessageHeaderBytes, n);
  payload.remove_prefix(kMessageHeaderBytes + n);
  return true;
}

}  // namespace ndb::wire
