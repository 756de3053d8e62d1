// What workers say to each other: coordinator and participant, primary and backup, and what the copy of a fragment
// needs. Fixed heads, copied as they are; coordinate.cc has the ladder.
#pragma once
#include "base/errors.h"
#include "txn/record.h"
#include "wire/messages.h"

namespace ndb::txn {

#pragma pack(push, 1)

// coordinator -> participant: run these operations (wire::Operation, key, payload each) under this transaction.
enum PartFlags : std::uint8_t {
  kPartKeepGoing = 1,
  kPartPrepare = 2,     // these are all operations: log "prepared" when they have worked
  kPartWantImages = 4,  // results of writes carry the new image: it goes to a second fragment too
};
struct PartExecute {
  std::uint32_t coordinator;  // the coordinator's number for the transaction
  std::uint32_t part;         // the participant's number for its part; 0 = the first message
  std::uint64_t session;
  std::uint64_t number;
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint16_t slot;  // which part it is to the coordinator
  std::uint8_t flags;
  std::uint8_t reserved;
  std::uint16_t operations;
  Anchor anchor;
  View view;  // that the transaction began in
};
struct PartReply {
  std::uint32_t coordinator;
  std::uint32_t part;
  std::uint64_t session;  // numbers are each session's own, and a coordinator's number is given out again
  std::uint64_t number;
  std::uint16_t slot;
  Error error;            // of the first failed operation; the part is gone then (unless kPartKeepGoing)
  std::uint16_t results;  // wire::OpResult, bytes each
  std::uint8_t prepared;
  std::uint8_t wrote;  // kPart...
  TxnId txn() const { return {session, number}; }
};
inline constexpr std::uint8_t kPartWrote = 1;
// Until second places are compared nobody reads them, and comparing waits for whatever is not finished there. From then
// on a client's answer waits until its changes show here, too.
inline constexpr std::uint8_t kPartReadSoon = 2;
// All the rest of the conversation: part_prepare, part_prepared, part_commit, part_abort, part_done; part_ask and
// part_answer (what became of it? asked of the anchor's primary by a participant that holds a prepared part).
struct PartWord {
  std::uint32_t coordinator;
  std::uint32_t part;
  std::uint64_t session;
  std::uint64_t number;
  std::uint32_t table;  // the part's fragment
  std::uint16_t fragment;
  std::uint16_t slot;
  Anchor anchor;
  Error error;          // part_prepared: ok or why not; part_answer: ok = committed
  std::uint16_t flags;  // part_done: kPartShown
  Epoch epoch;          // part_commit, part_answer: of the decision
  TxnId txn() const { return {session, number}; }
  FragmentRef ref() const { return {table, fragment}; }
};
static_assert(sizeof(PartWord) == 52);
// part_done: the changes show at the participant, whose backups do not hold its commit record yet; it says part_done
// again when they do. (Should it be lost before, who leads after it serves nobody until it has asked the anchor.)
inline constexpr std::uint16_t kPartShown = 1;

// primary -> backup: records [first, first + records) of the fragment's stream, and how far it is committed. Everything
// that the backup holds from `first` on and behind is cut off before (after a change of primary).
struct Stream {
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint16_t records;
  View group_view;
  Sequence first;
  Sequence committed;
};
// backup -> primary. stream_resume: "in this view I hold everything up to `held`, go on from there".
struct StreamAck {
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint16_t share;  // of the whole worker: what its redo log takes from this source (room.h), KiB
  View group_view;
  Sequence held;
  Sequence committed;  // and has shown to readers
  View followed;       // the last view in which a primary has told it what the stream is
};
// joining -> primary: fill my replica. copy_end's answer and copy_ack use it too.
struct CopyWord {
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint16_t reserved;
  View group_view;
  // copy_ack: batches received so far, or kCopyBeginsAnew; copy_request: bytes that may be under way, 0 = any
  std::uint64_t batch;
};
// The joining replica has begun anew and cannot take rows now: nobody waits for it.
inline constexpr std::uint64_t kCopyBeginsAnew = UINT64_MAX;
// primary -> joining: committed rows (u32 bytes, u64 sequence, image each). The first batch empties the replica and
// names the place in the stream from which records follow; prepared transactions come with it as prepare records.
struct CopyRows {
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint8_t flags;    // kCopyFirst, kCopySome
  std::uint8_t percent;  // of the fragment, with this batch
  View group_view;
  Sequence committed;  // kCopyFirst: the stream goes on behind this
  std::uint64_t batch;
  std::uint32_t rows;
  std::uint32_t prepared_bytes;
};
inline constexpr std::uint8_t kCopyFirst = 1;
inline constexpr std::uint8_t kCopySome =
    2;  // with kCopyFirst: only these buckets (a bit each, before the state) are replaced
#pragma pack(pop)

}  // namespace ndb::txn
