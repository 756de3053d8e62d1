// Records of a fragment's replication stream (docs/FORMATS.md). The same bytes travel to the backups, lie in the ring
// until they are committed, and go to the redo log. A record's place in the stream is its sequence number, counted from
// 1; it is not written, the message that carries records says the first one's.
//
//   record head, 32 bytes    u32 bytes in all · u8 kind · u8 0 · u16 changes · u64 session · u64 number · u64 epoch
//   prepare: then the anchor u32 table · u16 fragment · u16 0
//   decide: then u16 n, and n participants u32 table · u16 fragment each
//   change, 16 bytes         u8 kind · u8 0 · u16 key bytes · u32 image bytes · u64 hash, then key, then image
//                            (put: no key, it is in the image; remove: no image)
#pragma once
#include "base/bytes.h"
#include "base/ids.h"

namespace ndb::txn {

enum class RecordKind : std::uint8_t {
  write = 1,    // a transaction on this fragment alone: the record is its commit
  prepare = 2,  // a part of a transaction whose decision lies in the anchor's stream
  commit = 3,   // ... and what was decided
  abort = 4,
  decide = 5,        // in the anchor's stream: committed; carries the anchor's own changes
  decide_abort = 6,  // aborted for good: a later commit of this transaction is forbidden
  rows = 7,          // rows that arrived from another fragment; no transaction
  drop = 8,          // rows that left for another fragment; no transaction
  forget = 9,        // in the anchor's stream: every participant shows the decision
  outcomes = 10,     // outcomes of transactions that were anchored in a fragment whose rows came here; no transaction
  refill = 11,       // in the redo log alone: the rows of these buckets (a bit each) go, a peer sends them anew
};

enum class ChangeKind : std::uint8_t { none = 0, put = 1, remove = 2 };

#pragma pack(push, 1)
struct RecordHead {
  std::uint32_t bytes;
  RecordKind kind;
  std::uint8_t reserved;
  std::uint16_t changes;  // 0xffff = more than fit the field: count by walking
  std::uint64_t session;
  std::uint64_t number;
  Epoch epoch;  // write, decide: of the decision; commit: the same as its decide record's
  TxnId txn() const { return {session, number}; }
};
static_assert(sizeof(RecordHead) == 32);
struct Anchor {
  std::uint32_t table = 0;
  std::uint16_t fragment = 0;
  std::uint16_t reserved = 0;
  FragmentRef ref() const { return {table, fragment}; }
};
static_assert(sizeof(Anchor) == 8);
// Operations only coordinators send, as wire::Op: the result of a write, for a second fragment. Blind.
inline constexpr std::uint8_t kMirrorPut = 20;
inline constexpr std::uint8_t kMirrorRemove = 21;

struct Change {
  ChangeKind kind;
  std::uint8_t reserved;
  std::uint16_t key_bytes;
  std::uint32_t image_bytes;
  std::uint64_t hash;
};
static_assert(sizeof(Change) == 16);
#pragma pack(pop)

struct ChangeView {
  Change head;
  Bytes key;
  Bytes image;
};
// The next change of a run of changes; false at the end or when the rest is damaged (then `rest` is not empty).
inline bool next_change(Bytes& rest, ChangeView* c) {
  if (rest.size() < sizeof(Change)) return false;
  c->head = load<Change>(rest.data());
  std::size_t n = std::size_t{c->head.key_bytes} + c->head.image_bytes;
  if (rest.size() - sizeof(Change) < n) return false;
  c->key = rest.substr(sizeof(Change), c->head.key_bytes);
  c->image = rest.substr(sizeof(Change) + c->head.key_bytes, c->head.image_bytes);
  rest.remove_prefix(sizeof(Change) + n);
  return true;
}

// The next record of a run of records; same contract. `body` = what follows the head.
inline bool next_record(Bytes& rest, RecordHead* h, Bytes* body) {
  if (rest.size() < sizeof(RecordHead)) return false;
  *h = load<RecordHead>(rest.data());
  if (h->bytes < sizeof(RecordHead) || h->bytes > rest.size()) return false;
  *body = rest.substr(sizeof(RecordHead), h->bytes - sizeof(RecordHead));
  rest.remove_prefix(h->bytes);
  return true;
}

}  // namespace ndb::txn
