// What a stored log says before anybody leads: its snapshot, and the commands behind it as if all of them counted.
// (What is committed is known only after an election; but whose files these are does not change.)
#pragma once
#include "meta/catalog.h"
#include "meta/log.h"

namespace ndb::meta {

struct Stored {
  std::uint64_t cluster = 0;  // 0 = none known
  Generation generation;      // of the configuration; number 0 = none
  NodeId node = 0;            // the data node that joined with this store's raft id; 0 = none did
  Epoch durable = 0;          // the last epoch that was made durable
};
Stored look_at(const LogStore::State& state);
// The catalog that will be when all of it turns out to be committed: says where peers may be found before anybody
// leads.
Catalog expect(const LogStore::State& state);

}  // namespace ndb::meta
