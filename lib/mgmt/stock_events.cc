#include "mgmt/stock_events.h"

#include <algorithm>

#include "env/limits.h"
#include "mgmt/session.h"

namespace ndb::mgmt::stock {

namespace {

constexpr std::size_t kTextBytesMost = 95;

// The bytes of a text as little-endian words, a zero byte behind it.
std::string words_of(std::string_view text) {
  text = text.substr(0, kTextBytesMost);
  std::string out;
  for (std::size_t at = 0; at <= text.size(); at += 4) {
    std::uint32_t word = 0;
    for (std::size_t i = at; i < std::min(at + 4, text.size()); ++i) {
      word |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << (8 * (i - at));
    }
    out += std::to_string(word) + " ";
  }
  return out;
}

std::string version_field() { return "version=" + std::to_string(kTextVersion) + "\n"; }

}  // namespace

Body connected(NodeId node, bool up) {
  return {up ? kConnected : kDisconnected, "node=" + std::to_string(node) + "\n"};
}

Body start(bool completed) { return {completed ? kStartCompleted : kStartStarted, version_field()}; }

// action 0: it does not come back by itself; sphase 255: not while it started.
Body stop(bool forced) {
  if (!forced) return {kStopCompleted, "action=0\nsignum=0\n"};
  return {kStopForced, "action=0\nsignum=0\nerror=0\nsphase=255\nextra=0\n"};
}

Body info(std::string_view text) { return {kInfoEvent, "data=" + words_of(text) + "\n"}; }

Body memory_usage(std::uint64_t used_pages, std::uint64_t total_pages, MemoryBlock block) {
  return {kMemoryUsage, "gth=0\npage_size_bytes=" + std::to_string(limits::kPageBytes) + "\npages_used=" +
                            std::to_string(used_pages) + "\npages_total=" + std::to_string(total_pages) +
                            "\nblock=" + std::to_string(int{block}) + "\n"};
}

Body no_backup() {
  return {kBackupStatus,
          "starting_node=0\nbackup_id=0\nn_bytes_lo=0\nn_bytes_hi=0\nn_records_lo=0\nn_records_hi=0\nn_log_bytes_lo=0\n"
          "n_log_bytes_hi=0\nn_log_records_lo=0\nn_log_records_hi=0\n"};
}

Body saved(std::uint64_t number, std::int64_t when_s, std::string_view text) {
  return {kSavedEvent, "data=25 " + std::to_string(number) + " " + std::to_string(when_s) + " " +
                           std::to_string(kInfoEvent) + " " + words_of(text) + "\n"};
}

std::string block(const Body& body, std::int64_t when_s, NodeId node) {
  return "log event reply\ntype=" + std::to_string(body.type) + "\ntime=" + std::to_string(when_s) +
         "\nsource_nodeid=" + std::to_string(node) + "\n" + body.fields + "\n";
}

}  // namespace ndb::mgmt::stock
