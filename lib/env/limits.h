// Every bound of the system, in one file. Full means refuse with a temporary error, never grow.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace ndb::limits {

// the cluster
inline constexpr std::uint32_t kNodeIdMax = 255;
inline constexpr std::uint32_t kDataNodeIdMax = 144;
inline constexpr std::uint32_t kReplicasMax = 4;
inline constexpr std::uint32_t kGroupsMax = 72;  // ids 0..71
inline constexpr std::uint32_t kWorkersMax = 32;
inline constexpr std::uint32_t kVotersMax = 7;
// tables
inline constexpr std::uint32_t kTablesMax = 20320;
inline constexpr std::uint32_t kColumnsMax = 512;
inline constexpr std::uint32_t kKeyColumnsMax = 32;
inline constexpr std::uint32_t kUniqueIndexesMax = 16;  // of one table
inline constexpr std::uint32_t kNameBytesMax = 128;
inline constexpr std::uint32_t kBuckets =
    3840;  // per table: divisible by every count of fragments up to 6, by 8, 10, 12 ..
inline constexpr std::uint32_t kFragmentsMax = 1536;
inline constexpr std::uint32_t kRowBytesMax = 30000;
inline constexpr std::uint32_t kKeyBytesMax = 1024;
// filters of scans
inline constexpr std::size_t kFilterBytesMax = std::size_t{16} << 10;
inline constexpr std::uint32_t kFilterItemsMax = 256;
inline constexpr std::uint32_t kFilterDepthMax = 32;
// the metadata log
inline constexpr std::uint32_t kMetaSnapshotEntries = 1024;  // this many entries after a snapshot follows the next
inline constexpr std::uint32_t kMetaTrailingEntries = 256;  // kept before a snapshot for members that are a little late
inline constexpr std::uint32_t kMetaMembersMax = 1024;
inline constexpr std::uint32_t kMetaOpenProposalsMax = 4096;
inline constexpr std::uint32_t kMetaEntriesPerMessageMax = 65536;
// frames
inline constexpr std::size_t kFrameBytesMax = std::size_t{64} << 20;  // a larger one closes the link
inline constexpr std::size_t kFrameBytesFull = std::size_t{8} << 20;  // a sender refuses new work beyond this
inline constexpr std::size_t kReceiveBytes = std::size_t{256} << 10;  // read from one link in one step
inline constexpr Epoch kEpochLeapMax = 1u << 20;                      // a peer that claims more is not believed
inline constexpr std::size_t kPartBytesFull = 2 * kReceiveBytes;  // waiting for a worker in a thread: no link is read
inline constexpr std::uint32_t kLinksMax = 4096;
// Of a node's workers, with clients: what is left is for clients that have no link yet. Afterwards they share one.
inline constexpr std::uint32_t kWorkerLinksMax = kLinksMax / 2;
inline constexpr std::size_t kUnsentBytesMax = std::size_t{256} << 20;  // a peer that reads this little is cut off
inline constexpr std::size_t kAcceptsPerRound = 64;
// transactions, per worker
inline constexpr std::uint32_t kOpenTransactionsMax = 16384;
inline constexpr std::uint32_t kOpenOperationsMax = 65536;
inline constexpr std::uint32_t kOpenScansMax = 1024;
inline constexpr std::uint32_t kOperationsPerTransactionMax = 32768;
inline constexpr std::size_t kStreamBytesMax = std::size_t{16} << 20;  // unacknowledged, per fragment
inline constexpr std::uint32_t kScanBatchRows = 1024;
inline constexpr std::uint32_t kScanBatchBytes = 256u << 10;
// redo and checkpoints, per worker
inline constexpr std::size_t kRedoBlockBytes = std::size_t{256} << 10;  // a block that reaches this is closed
inline constexpr std::size_t kRedoBlockBytesMax = kFrameBytesMax + kRedoBlockBytes;  // with one huge record in it
inline constexpr std::size_t kRedoBufferBytesMax = std::size_t{64} << 20;  // appended, not written to the file yet
inline constexpr std::size_t kRedoWriteBytes = std::size_t{1} << 20;       // written at once, without a flush
// of a worker's ring and buffer, whichever is smaller (txn/room.h)
inline constexpr std::uint64_t kRedoUnderWayMax = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kRedoReserveMax = std::uint64_t{8} << 20;
inline constexpr std::uint64_t kRedoAmpleMax = std::uint64_t{48} << 20;
inline constexpr std::uint64_t kRedoFileBytesMin = std::uint64_t{64} << 10;
inline constexpr std::uint32_t kRedoFilesMin = 3;
inline constexpr std::size_t kCheckpointChunkBytes = std::size_t{256} << 10;    // about, of rows
inline constexpr std::size_t kCheckpointChunkBytesMax = std::size_t{64} << 20;  // a fragment's state is one chunk
inline constexpr std::uint32_t kCheckpointFragmentsMax = 1u << 20;              // in one file
// clients
inline constexpr std::uint32_t kClientSlotsMax = 65536;  // transactions in flight of one client machine
inline constexpr std::uint32_t kClientWritesMax =
    512;                                               // of one session without a known outcome: txn::Outcomes::kWindow
inline constexpr std::uint32_t kClientScansMax = 255;  // open scans of one client machine
inline constexpr std::uint32_t kClientScanParallel = 4;  // cursors of one scan that are read at the same time
// memory
inline constexpr std::size_t kPageBytes = std::size_t{32} << 10;
// management protocol
inline constexpr std::size_t kTextLineBytesMax = 512;
inline constexpr std::size_t kTextBulkBytesMax = std::size_t{1} << 20;  // characters of base64
inline constexpr std::size_t kEventsKept = 2000;                        // of the cluster log, in memory
inline constexpr std::size_t kDebugEventsKept = 200;                    // of them, such as come every two seconds
inline constexpr std::uint32_t kRequestIdsKept = 4096;
inline constexpr std::size_t kConfigLineBytesMax = 1024;
inline constexpr std::size_t kConfigProblemsMax = 500;  // reported for one text
inline constexpr std::uint32_t kGenerationsKept = 1000;
// the catalog
inline constexpr std::uint32_t kJobsKept = 64;
inline constexpr std::size_t kConfigTextBytesMax = std::size_t{1} << 20;  // one generation, as given
inline constexpr std::size_t kMetaTextBytesMax = std::size_t{64} << 10;   // a reason, a message, a parameter's value
inline constexpr std::size_t kOutcomeTextBytesMax = 2048;                 // kRequestIdsKept of them are kept
inline constexpr std::uint32_t kParametersMax = 4096;                     // values of one node in a configuration
inline constexpr std::uint32_t kNamesShown = 10;                          // in a refusal; then "and 7 more"
// times
inline constexpr Time kMetaHeartbeat = 20 * kMillisecond;  // leader of the metadata log to members
inline constexpr Time kMetaElection = 500 * kMillisecond;  // 1x to 2x of it, randomised
inline constexpr Time kMetaLostMin =
    10 * kMillisecond;  // an election, once the link to the leader broke: the process is gone,
inline constexpr Time kMetaLostMax = 60 * kMillisecond;  // or the followers that still hear of it say so; randomised
inline constexpr Time kMetaTick = 10 * kMillisecond;
inline constexpr Time kMetaSnapshotResend = 5 * kSecond;  // an unanswered snapshot is sent again
inline constexpr Time kProposeTimeout = 10 * kSecond;     // then the outcome of a proposal is unknown
inline constexpr Time kProposeRepeat = 200 * kMillisecond;
inline constexpr Time kMetaMirror = 1 * kSecond;             // the readable copy of the catalog may be this old
inline constexpr Time kLeadershipReturn = 5 * kSecond;       // before it is handed to a management server
inline constexpr Time kMembershipStep = 100 * kMillisecond;  // before a refused change of membership is tried again
inline constexpr Time kNodeHeartbeat = 20 * kMillisecond;    // data node to leader
inline constexpr Time kLease = 200 * kMillisecond;           // a primary serves no longer without an answer
inline constexpr Time kConnectRetry = 50 * kMillisecond;
inline constexpr Time kConnectTimeout = 2 * kSecond;     // name look-up included
inline constexpr Time kKnockRetry = 10 * kMillisecond;   // at the port of a node whose link dropped
inline constexpr Time kRefusedRetry = 1 * kSecond;       // a peer that refused us is tried again
inline constexpr Time kHelloTimeout = 2 * kSecond;       // a frame link without a Hello is closed
inline constexpr Time kCloseFlush = 2 * kSecond;         // a closed link may take this long to take its last bytes
inline constexpr Time kClientDeadline = 30 * kSecond;    // a one-shot transaction or a scan, retries included
inline constexpr Time kClientBackOffMin = kMillisecond;  // before a retry, doubled and randomised up to
inline constexpr Time kClientBackOffMax = 50 * kMillisecond;
inline constexpr Time kClientPatience = 200 * kMillisecond;  // without an answer, then the catalog is looked at again
inline constexpr Time kClientTick = 10 * kMillisecond;       // resolution of a client's retries and deadlines

static_assert(kRowBytesMax + 64 < kPageBytes, "a row fits a page");
static_assert(kKeyBytesMax < kRowBytesMax);
static_assert(kFrameBytesFull + kStreamBytesMax < kFrameBytesMax);
static_assert(kUnsentBytesMax > 2 * kFrameBytesMax);
static_assert(kRedoUnderWayMax + kRedoReserveMax < kRedoAmpleMax && kRedoAmpleMax < kRedoBufferBytesMax);
static_assert(kReceiveBytes < kFrameBytesFull);
static_assert(kLease > 4 * kNodeHeartbeat);
// A reorganisation that is to be resumed ends when nobody of a group that it copies to has been in sync for this long,
// while all others serve: longer than it takes to miss them, too.
inline constexpr Time kTargetPatience = kSecond;
static_assert(kTargetPatience > 2 * kLease);

}  // namespace ndb::limits
