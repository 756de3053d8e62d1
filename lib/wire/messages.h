// Every message on a frame link. Hot ones (execute .. stream_ack) have fixed heads that are copied as they are,
// followed by variable parts; the others are written with Writer and read with Reader. docs/PROTOCOL.md has the
// conversations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "wire/frame.h"

namespace ndb::wire {

inline constexpr std::uint32_t kProtocolVersion = 3;

enum class Type : std::uint16_t {
  // --- links; to worker kControl
  hello = 1,    // first message each way: Hello
  refused = 2,  // u16 error, text: the link is closed behind it
  // --- metadata log, process to process
  member = 10,        // bytes of meta::Member, opaque
  get_catalog = 11,   // u32 request, u64 have: answered with catalog when the version is newer than `have`
  catalog = 12,       // u32 request, u64 version, encoded meta::Catalog (empty = not newer)
  heartbeat = 13,     // data node -> leader: Heartbeat
  heartbeat_ok = 14,  // leader -> data node: HeartbeatOk
  node_order = 15,    // leader or mgmd -> data node: NodeOrder
  node_report = 16,   // data node -> asker: u32 request, text (key=value lines)
  epoch_order = 17,   // leader -> data node: EpochOrder
  epoch_report = 18,  // data node -> leader: EpochReport
  relay = 19,  // data node -> mgmd -> data node without a link: u64 to, u64 from (raft ids), bytes of meta::Member
  // --- client <-> worker
  execute = 30,        // Execute, ops
  execute_reply = 31,  // ExecuteReply, results
  scan_open = 32,      // ScanOpen, filter bytes
  scan_next = 33,      // ScanNext
  scan_batch = 34,     // ScanBatch, rows: u32 bytes, image
  scan_close = 35,     // ScanNext; no answer
  outcome = 36,        // u32 request, u64 session, u64 number, u32 table, u16 fragment, u64 hash of the first key: what
                       // became of it? u8 1 = is it durable? u64 epoch of the last answer 3, or 0
  outcome_reply =
      37,  // u32 request, u8: 0 ask again · 1 committed · 2 aborted for good · 3 committed, and durable when
           // the epoch is: ask again; u16 error: why 0; u64 view; u64 epoch of 3
  // --- coordinator <-> participant
  part_execute = 50,
  part_reply,
  part_prepare,
  part_prepared,
  part_commit,
  part_abort,
  part_done,
  part_ask,
  part_answer,
  // --- replication streams
  stream = 70,
  stream_ack,
  stream_resume,
  copy_request,
  copy_rows,
  copy_ack,
  copy_end,
  copy_confirmed,
  // --- reorganisation
  move_rows = 90,
  move_ack,
  sums_request,
  sums_reply,
  job_order,
  job_report,
};

// --- links ---

enum class PeerKind : std::uint8_t { data = 0, api = 1, mgm = 2 };
struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  std::uint64_t cluster_id = 0;  // 0 = does not know yet
  std::string cluster_name;      // empty = does not know yet
  PeerKind kind = PeerKind::api;
  NodeId node = 0;  // 0 = an API client without an id
  std::uint64_t raft_id = 0;
  std::uint32_t incarnation = 0;
  std::uint64_t session = 0;  // API clients: their TxnId::session
  std::uint16_t port = 0;     // where it listens for frame links; 0 = it does not
  std::uint8_t workers = 0;
  std::uint64_t view = 0;  // of the sender's catalog
  // Of an API client: 1 + the worker that this link is for, and for nobody else; 0 = for all. Of a data node to a
  // client: so many workers want links of their own. Left out of the bytes when it is 0.
  std::uint8_t worker_links = 0;
};
void encode(Writer& w, const Hello& h);
bool decode(Reader& r, Hello* h);

struct Heartbeat {
  NodeId node = 0;
  std::uint32_t incarnation = 0;
  std::uint64_t sent = 0;    // sender's clock, ns; echoed: the lease runs from here
  Version version = 0;       // catalog version applied
  View oldest_open = 0;      // no transaction or scan of an older view is open
  Epoch restored = 0;        // joining: 1 + the epoch that its files gave back exactly; 0 = nothing
  Epoch durable_wanted = 0;  // somebody waits for this epoch to be durable; 0 = nobody
  std::uint64_t memory_used = 0, memory_total = 0;
  std::uint64_t rows = 0;      // in primary fragments
  std::uint8_t phase = 0;      // start phase for people, 0..101
  std::uint8_t percent = 0;    // of what it is doing
  std::uint32_t left_s = 0;    // until that is done, as far as one can tell; 0 = one cannot
  std::string doing;           // "fetching rows from node 1"; empty = serving
  std::vector<NodeId> nowait;  // not in sync: whom a start of the cluster shall not wait for (--nowait-nodes)
};
void encode(Writer& w, const Heartbeat& h);
bool decode(Reader& r, Heartbeat* h);

struct HeartbeatOk {
  std::uint64_t sent = 0;      // echoed
  std::uint64_t lease_ns = 0;  // the node may serve until its own `sent` + this
  std::uint64_t leader_epoch = 0;
  std::uint32_t left_s = 0;  // of what follows
  bool in_vain = false;      // a node group whose members have all come does not have its rows any more
  std::string waiting;       // why a start of the cluster has to wait: "for node 2 (StartPartialTimeout)"
};
void encode(Writer& w, const HeartbeatOk& h);
bool decode(Reader& r, HeartbeatOk* h);

// Closing an epoch, step by step (docs/PROTOCOL.md). A node answers each step when it is true for it.
enum class EpochStep : std::uint8_t {
  enter = 1,  // it is in a later epoch, and every decision it made up to this one is shown by all participants
  show = 2,   // every replica of its primaries' fragments shows what was in the streams when all had entered
  flush = 3,  // all that is on its disk
};
struct EpochOrder {
  std::uint64_t round = 0;
  Epoch epoch = 0;  // to be closed
  EpochStep step = EpochStep::enter;
};
void encode(Writer& w, const EpochOrder& o);
bool decode(Reader& r, EpochOrder* o);
struct EpochReport {
  NodeId node = 0;
  std::uint32_t incarnation = 0;
  std::uint64_t round = 0;
  Epoch now = 0;     // the epoch that the node is in
  Epoch filled = 0;  // enter: its peers filled it in this epoch; its files hold no end of an earlier one
  EpochStep step = EpochStep::enter;
};
void encode(Writer& w, const EpochReport& o);
bool decode(Reader& r, EpochReport* o);

enum class OrderKind : std::uint8_t {
  stop = 1,
  restart = 2,
  restart_initial = 3,
  start = 4,
  leaving = 5,  // the sender, a management server, ends: its vote may go
  set_parameter = 6,
  report = 7
};
struct NodeOrder {
  OrderKind kind = OrderKind::report;
  std::uint32_t request = 0;
  std::string text;  // set_parameter: name=value; report: what
};
void encode(Writer& w, const NodeOrder& h);
bool decode(Reader& r, NodeOrder* h);

// --- client <-> worker. All structs below go over the wire as they are: no padding, little-endian.
#pragma pack(push, 1)

// A step of a transaction. `execute` goes to the worker that is primary for the first operation's key: it becomes the
// coordinator. begin|commit in one message = the whole transaction (one shot): the fast path.
enum ExecuteFlags : std::uint8_t {
  kBegin = 1,
  kCommit = 2,
  kAbort = 4,
  kKeepGoing = 8,  // a failing operation fails alone; without it the first failing write aborts the transaction
  kDurable = 16,   // answer when the commit's epoch is durable
};
struct Execute {
  std::uint32_t request;  // echoed in the reply; chosen by the client
  std::uint8_t flags;
  std::uint8_t reserved;
  std::uint16_t operations;
  std::uint64_t number;  // TxnId::number; the session is the link's
};
static_assert(sizeof(Execute) == 16);

enum class Op : std::uint8_t {
  read = 1,  // committed image, no lock, never waits
  read_shared = 2,
  read_exclusive = 3,
  insert = 4,   // payload = image; row_exists when there is one
  update = 5,   // payload = patch (store/row.h); no_such_row when there is none
  replace = 6,  // payload = image; no_such_row when there is none
  write = 7,    // payload = image; insert or replace
  remove = 8,   // no_such_row when there is none
};
struct Operation {
  Op kind;
  std::uint8_t keeps_indexes;  // 1: this transaction changes the rows of unique indexes accordingly (client/indexes.h)
  std::uint16_t key_bytes;
  std::uint32_t payload_bytes;
  std::uint32_t table;
  std::uint64_t hash;  // key_hash of the distribution key
  // then key, then payload
};
static_assert(sizeof(Operation) == 20);

enum class TxnState : std::uint8_t { open = 0, committed = 1, aborted = 2, unknown = 3 };
struct ExecuteReply {
  std::uint32_t request;
  Error error;  // why it was aborted, or of the first failed operation
  TxnState state;
  std::uint8_t reserved;
  std::uint16_t results;  // one for each operation of the request that was executed, in order
  std::uint16_t reserved2;
  std::uint64_t view;  // the node's: with stale_view or not_ready the client compares and refreshes
};
static_assert(sizeof(ExecuteReply) == 20);
struct OpResult {
  Error error;
  std::uint16_t reserved;
  std::uint32_t bytes;  // reads: the row image follows
};
static_assert(sizeof(OpResult) == 8);

// A scan holds one cursor for each fragment, all opened under one view before the first row is delivered; any refusal
// with stale_view means: refresh the catalog and open all again (docs/REORG.md says why).
struct ScanOpen {
  std::uint32_t request;
  std::uint32_t table;
  std::uint16_t fragment;
  std::uint16_t batch_rows;    // 0 = the server's choice
  std::uint64_t view;          // Distribution::view of the table in the client's catalog
  std::uint32_t filter_bytes;  // store/filter.h, behind this
  std::uint8_t flags;          // kScanCountOnly
  std::uint8_t reserved[3];
};
static_assert(sizeof(ScanOpen) == 28);
inline constexpr std::uint8_t kScanCountOnly = 1;  // no images; the matches are only counted
struct ScanNext {
  std::uint32_t request;
  std::uint32_t scan;
};
// scan_open is answered with an empty batch (rows = 0, done = 0) that names the scan; each scan_next with a batch.
struct ScanBatch {
  std::uint32_t request;
  std::uint32_t scan;
  Error error;
  std::uint8_t done;  // 1 = this was the last batch, the cursor is closed
  std::uint8_t reserved;
  std::uint32_t rows;
  std::uint64_t scanned;  // rows looked at so far
  std::uint64_t view;
};
static_assert(sizeof(ScanBatch) == 32);
#pragma pack(pop)

}  // namespace ndb::wire
