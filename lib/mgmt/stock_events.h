// Events as NDB's clients read them: blocks of "name=value" lines, with the numbers and fields of NDB's event types
// (docs/PROTOCOL.md, section 7). What NDB has no type for is an InfoEvent: a text.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace ndb::mgmt::stock {

enum EventType : int {
  kConnected = 0,
  kDisconnected = 1,
  kStartStarted = 10,
  kStartCompleted = 11,
  kInfoEvent = 49,
  kMemoryUsage = 50,
  kStopCompleted = 53,
  kStopForced = 59,
  kBackupStatus = 62,
  kSavedEvent = 81,
};

enum MemoryBlock : int { kIndexes = 248, kRows = 249 };

// The type and its fields, each line with its end.
struct Body {
  int type = kInfoEvent;
  std::string fields;
};
Body connected(NodeId node, bool up);
Body start(bool completed);
Body stop(bool forced);
Body info(std::string_view text);  // cut after 95 bytes: a client has room for 24 words
Body memory_usage(std::uint64_t used_pages, std::uint64_t total_pages, MemoryBlock block);
Body no_backup();
// An event of the past, as REPORT EVENTLOG shows it; its text is cut after 95 bytes.
Body saved(std::uint64_t number, std::int64_t when_s, std::string_view text);

std::string block(const Body& body, std::int64_t when_s, NodeId node);

}  // namespace ndb::mgmt::stock
