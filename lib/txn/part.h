// A Part is a transaction's share in one fragment, at the fragment's primary: its locks and its changes that are not
// committed. A Coordination is a transaction at its coordinator. Both live in pools.
#pragma once
#include <vector>

#include "base/errors.h"
#include "env/machine.h"
#include "store/slab.h"
#include "txn/messages.h"
#include "txn/replica.h"

namespace ndb::txn {

enum class LockMode : std::uint8_t { shared, exclusive };

// The lock of one row; exists while somebody holds it or waits for it. Row::lock is its number.
struct Lock {
  Replica* replica = nullptr;
  store::RowRef row = 0;
  std::uint32_t owner = 0;                     // the Part that holds it exclusively
  std::uint32_t op = 0;                        // index of the owner's Touched entry
  std::uint32_t shared = 0;                    // number of shared holders
  std::uint32_t wait_head = 0, wait_tail = 0;  // Parts, in order
};

// A row that a Part holds.
struct Touched {
  store::RowRef row = 0;
  std::uint32_t lock = 0;
  std::uint64_t hash = 0;
  std::uint32_t change = kNone;  // offset of its change in Part::changes
  LockMode mode = LockMode::exclusive;
  bool inserted = false;  // the row in the store is our own uncommitted insert
  bool removed = false;
  static constexpr std::uint32_t kNone = UINT32_MAX;
};

enum class PartState : std::uint8_t {
  free,
  running,
  waiting,
  idle,     // waiting = for a lock; idle = everything asked for was done
  logging,  // its write, prepare or decide record is not committed yet
  prepared,
  finishing,  // its commit record is not committed yet; the rows show the result already
};

struct Part {
  PartState state = PartState::free;
  TxnId txn;
  Replica* replica = nullptr;
  // whom to tell
  bool direct = false;          // the client itself: a whole transaction on this fragment
  env::LinkId link = 0;         // direct
  std::uint32_t request = 0;    // direct
  NodeId coordinator_node = 0;  // else
  WorkerId coordinator_worker = 0;
  std::uint32_t coordinator = 0;
  std::uint16_t slot = 0;
  std::uint8_t flags = 0;     // PartFlags
  bool durable = false;       // direct: answer when the epoch of the commit is durable
  Epoch epoch = 0;            // direct: of the commit
  bool abort_wanted = false;  // while logging: abort as soon as it is prepared
  Anchor anchor;
  View view = 0;   // direct: the view it began in
  Time since = 0;  // of the last step
  Time asked = 0;  // prepared: when the anchor was asked
  // operations to do
  Writer input;
  std::size_t input_at = 0;
  std::uint16_t operations_left = 0;
  std::uint32_t wait_lock = 0;
  std::uint32_t wait_next = 0;
  std::uint64_t wait_ticket = 0;  // 0 = not waiting
  LockMode wait_mode = LockMode::exclusive;
  // what it holds and what it wants
  std::vector<Touched> touched;
  Writer changes;  // Change, key, image each; dead ones have kind none
  std::uint32_t dead = 0;
  std::uint32_t live = 0;
  // results of the request under way
  Writer results;
  std::uint16_t results_count = 0;
  Error first_error = Error::ok;

  void reset() {
    state = PartState::free;
    touched.clear();
    changes.clear();
    input.clear();
    results.clear();
    input_at = 0;
    operations_left = 0;
    wait_lock = wait_next = 0;
    wait_ticket = 0;
    dead = live = 0;
    results_count = 0;
    first_error = Error::ok;
    direct = false;
    abort_wanted = false;
    durable = false;
    epoch = 0;
    link = 0;
    request = 0;
    coordinator_node = 0;
    flags = 0;
    replica = nullptr;
    coordinator = 0;
    asked = 0;
    anchor = {};
  }
};

enum class CoordState : std::uint8_t {
  open,  // interactive, waiting for the client
  executing,
  preparing,
  deciding,    // the decide record is not committed yet
  committing,  // decided; waiting until every participant shows it
};

struct Member {  // one participant
  FragmentRef ref;
  NodeId node = 0;
  WorkerId worker = 0;
  std::uint32_t part = 0;  // its number for it; 0 = nothing came back yet
  bool busy = false;       // an answer is awaited
  bool wrote = false;
  bool locked = false;  // rows there are locked for this transaction
  bool prepared = false;
  bool awaited = false;  // the client's answer waits until its changes show
  bool done = false;
  std::vector<std::uint16_t> sent;  // operations of the request under way, in the order sent
};

struct Doing {           // one operation of the request under way
  std::uint32_t at = 0;  // offset of the Operation in Coordination::body
  std::uint32_t result_at = 0;
  std::uint32_t result_bytes = 0;
  Error error = Error::ok;
  bool executed = false;
  bool doubled = false;      // its result goes to `second` too
  std::uint16_t second = 0;  // fragment
};

struct Coordination {
  CoordState state = CoordState::open;
  TxnId txn;
  env::LinkId link = 0;
  std::uint32_t request = 0;
  std::uint8_t flags = 0;
  View view = 0;
  Time since = 0;
  Time resent = 0;
  std::vector<Member> members;     // [0] is the anchor, on this worker
  std::uint32_t members_used = 0;  // the vector keeps its memory
  std::vector<Doing> doing;
  Writer body;  // operations of the request under way
  Writer results;
  std::uint32_t outstanding = 0;
  std::uint32_t awaited = 0;  // of these
  Epoch epoch = 0;            // of the decision
  std::uint8_t round = 0;     // 1 = first targets, 2 = second targets
  Error error = Error::ok;
  void reset() {
    state = CoordState::open;
    members_used = 0;
    doing.clear();
    body.clear();
    results.clear();
    outstanding = 0;
    awaited = 0;
    round = 0;
    epoch = 0;
    error = Error::ok;
    resent = 0;
  }
};

}  // namespace ndb::txn
