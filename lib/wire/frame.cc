#include "wire/frame.h"

namespace ndb::wire {
namespace {
std::uint32_t frame_crc(const char* header, Bytes payload) noexcept {
  char h[kFrameHeaderBytes];
  std::memcpy(h, header, sizeof h);
  save<std::uint32_t>(h + 8, 0);
  return crc32c(payload, crc32c(Bytes(h, sizeof h)));
}
}  // namespace

void seal_frame(char* header, Bytes payload, Epoch epoch) noexcept {
  save<std::uint32_t>(header, kFrameMagic);
  save<std::uint32_t>(header + 4, static_cast<std::uint32_t>(payload.size()));
  save<std::uint32_t>(header + 8, 0);
  save<std::uint32_t>(header + 12, 0);
  save<std::uint64_t>(header + 16, epoch);
  save<std::uint32_t>(header + 8, frame_crc(header, payload));
}

FrameState open_frame(Bytes in, FrameHeader* h) noexcept {
  if (in.size() >= 4 && load<std::uint32_t>(in.data()) != kFrameMagic) return FrameState::damaged;
  if (in.size() < kFrameHeaderBytes) return FrameState::incomplete;
  h->payload_bytes = load<std::uint32_t>(in.data() + 4);
  h->epoch = load<std::uint64_t>(in.data() + 16);
  if (h->payload_bytes > limits::kFrameBytesMax) return FrameState::damaged;
  if (load<std::uint32_t>(in.data() + 12) != 0) return FrameState::damaged;
  if (in.size() - kFrameHeaderBytes < h->payload_bytes) return FrameState::incomplete;
  Bytes payload = in.substr(kFrameHeaderBytes, h->payload_bytes);
  if (load<std::uint32_t>(in.data() + 8) != frame_crc(in.data(), payload)) return FrameState::damaged;
  return FrameState::whole;
}

}  // namespace ndb::wire
