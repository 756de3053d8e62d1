// The deterministic core of a client: transactions and scans in, frames to data nodes out. It is a machine like a node
// is: events in, effects out, no clock, no thread; the same code runs on sockets (os::Loop) and in the simulator.
//
// A transaction lives in a slot: take one with open(), add operations, send() a step, and find its StepResult in
// take(). Slots and the bytes in them are pooled: in steady state an operation allocates nothing. Requests that one
// step makes for one node leave in one frame; a reply finds its slot by the request number, without a search.
//
//   Handle h = m.open();                                      // kNoHandle: all slots are in use
//   m.add(h, wire::Op::insert, table, hash, key, image);      // any number of operations, of any fragments
//   m.send(h, wire::kCommit);                                 // begin and commit in one message: a one-shot
//   ... m.flush(now, out), or the next step, sends ...
//   while (const StepResult* r = m.take()) { ...; m.release(r->handle); }
//
// Without kCommit the transaction stays open (StepResult::state): add() and send() the next step, the last with kCommit
// or kAbort.
//
// Promises
//  * Routing: a step goes to the primary of the first operation's key, which becomes the coordinator.
//  * One-shot transactions, and the first step of others, are repeated by the machine itself when the error is
//  temporary,
//    with a randomised growing pause, until `deadline` is over. When the connection dies before the answer, the outcome
//    is asked for before anything is repeated, and only `aborted` lets it be repeated, as another transaction; so no
//    write happens twice. A one-shot whose commit is learnt in this way has StepResult::answered = false: the results
//    of its operations are not known.
//  * Later steps of an open transaction are never repeated: the error is given to the owner, temporary
//    (is_temporary(error)) when running the whole transaction again may help. Only its commit is followed up by the
//    outcome.
//  * outcome_unknown is said only when no node could tell until the deadline. Such a transaction may still come to
//  pass,
//    when its request lies in a link that is cut and heals, until its outcome is asked for with its id: ask_again().
//  * A node's newer view, a stale_view, silence for kClientPatience or a lost link make it fetch the catalog again,
//    from a data node it has a link with or, when none answers within kClientPatience, from a management server and
//    from data nodes that it connects to for that.
//    As long as something is open and a node of the catalog is gone it looks again every kClientTick: the catalog that
//    says so is about to come.
//  * Writes of a table with unique indexes bring the changes of the index rows along (indexes.h): a step may become two
//    messages, reads under locks and then the writes; its results are those of the owner's operations. A step that
//    has such writes fails as a whole: kKeepGoing does not count for it.
//  * At most kClientWritesMax writing transactions are on their way or open at a time; more wait.
//
// A scan holds one cursor for each fragment, all opened under one view before the first row is given; until then a
// refusal reopens all of them; after that it is an error of the scan, temporary when scanning again may help.
//
// REQUIRES: calls are made between steps, in the thread that steps. Handles are used until release(), once.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "base/prng.h"
#include "client/indexes.h"
#include "client/routing.h"
#include "env/limits.h"
#include "env/machine.h"
#include "meta/catalog.h"
#include "wire/messages.h"

namespace ndb::client {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};

struct ClientOptions {
  std::uint64_t session = 0;                     // 64 random bits, not 0: TxnId::session of all its transactions
  std::uint64_t seed = 0;                        // of pauses
  NodeId node = 0;                               // API node id, or 0
  std::vector<Endpoint> management;              // servers that are asked for the catalog, by the text protocol
  std::shared_ptr<const meta::Catalog> catalog;  // when it is known already
  std::uint32_t slots = 1024;                    // at most limits::kClientSlotsMax
  Time deadline = limits::kClientDeadline;
};

using Handle = std::uint32_t;  // a slot
inline constexpr Handle kNoHandle = UINT32_MAX;

struct StepResult {
  Handle handle = kNoHandle;
  Error error = Error::ok;  // why it was aborted, or of the first operation that failed
  wire::TxnState state = wire::TxnState::open;
  bool answered = false;  // `bytes` holds `results` OpResults
  std::uint16_t results = 0;
  Bytes bytes;            // valid until the next send() on this handle, or release()
  std::uint64_t tag = 0;  // the owner's, of open()
  TxnId id;               // when something was sent
};

// Walks StepResult::bytes.
class ResultReader {
 public:
  explicit ResultReader(const StepResult& r) : rest_(r.bytes), left_(r.results) {}
  // The next operation's result; `image` is the row that a read found. False at the end.
  bool next(Error* error, Bytes* image) {
    if (left_ == 0 || rest_.size() < sizeof(wire::OpResult)) return false;
    auto head = load<wire::OpResult>(rest_.data());
    rest_.remove_prefix(sizeof head);
    if (rest_.size() < head.bytes) return false;
    *error = head.error;
    *image = rest_.substr(0, head.bytes);
    rest_.remove_prefix(head.bytes);
    left_--;
    return true;
  }

 private:
  Bytes rest_;
  std::uint16_t left_;
};

using ScanHandle = std::uint32_t;
inline constexpr ScanHandle kNoScan = UINT32_MAX;

enum class ScanState : std::uint8_t { opening, running, finished, failed };

struct ScanOptions {
  std::string filter;  // store/filter.h; empty = all rows
  bool count_only = false;
  std::uint16_t batch_rows = 0;  // 0 = the server's choice
  std::uint32_t parallel = limits::kClientScanParallel;
};

// Counted since the start.
struct ClientCounts {
  std::uint64_t sent = 0, answered = 0, retries = 0, outcomes_asked = 0, catalogs = 0, catalog_answers = 0,
                links_lost = 0;
};

class ClientMachine : public env::Machine {
 public:
  explicit ClientMachine(ClientOptions options);
  ~ClientMachine() override;
  ClientMachine(const ClientMachine&) = delete;
  ClientMachine& operator=(const ClientMachine&) = delete;

  void step(Time now, const env::Event& event, env::Outbox& out) override;
  // Sends what was given to send() since the last step. For owners that wrap the machine: after their calls, in a step.
  void flush(Time now, env::Outbox& out);
  // Something waits for flush(): the owner should step.
  bool wants_flush() const {
    return !ready_.empty() || !scans_ready_.empty() || !scans_to_close_.empty() || refresh_now_;
  }

  // --- the catalog
  std::shared_ptr<const meta::Catalog> catalog() const { return catalog_; }  // null until one is known
  const Routing& routing() const { return *routing_; }                       // REQUIRES: catalog() != null
  void refresh();                                          // look for a newer one soon; its arrival shows in catalog()
  const std::string& trouble() const { return trouble_; }  // the last reason why nobody could be reached; empty = none

  // --- transactions
  Handle open(std::uint64_t tag = 0);  // kNoHandle: all slots are in use
  // REQUIRES: the slot is not on its way. `hash` = key_hash of the distribution key (store/row.h makes both).
  void add(Handle h, wire::Op op, TableId table, std::uint64_t hash, Bytes key, Bytes payload = {});
  std::size_t operations(Handle h) const { return slots_[h]->operations; }
  // flags: kCommit, kAbort, kKeepGoing, kDurable. A step without operations only commits or aborts.
  void send(Handle h, std::uint8_t flags);
  // The next transaction that has something to say, each step once; nullptr = none now.
  const StepResult* take();
  // After a result with TxnState::unknown: asks for the outcome by the same id, until a deadline of its own. The result
  // is committed, aborted (whatever of it still lies in a link comes too late) or unknown again.
  // REQUIRES: such a result of this handle was taken, and neither send() nor release() called since.
  void ask_again(Handle h);
  // Gives the slot back. An open transaction is aborted; one that is on its way goes on, unheard.
  void release(Handle h);
  std::uint32_t in_use() const { return in_use_; }

  // --- scans
  ScanHandle scan_open(TableId table, ScanOptions options, std::uint64_t tag = 0);  // kNoScan: too many
  ScanState scan_state(ScanHandle s) const { return scans_[s]->state; }
  Error scan_error(ScanHandle s) const { return scans_[s]->error; }
  // The oldest batch that has arrived: rows, each u32 bytes and image. False: none now. Valid until scan_drop.
  bool scan_batch(ScanHandle s, Bytes* rows, std::uint32_t* count);
  void scan_drop(ScanHandle s);  // done with that batch
  // Rows counted (count_only), rows looked at so far.
  std::uint64_t scan_rows(ScanHandle s) const { return scans_[s]->rows; }
  std::uint64_t scan_scanned(ScanHandle s) const;
  void scan_close(ScanHandle s);  // at any time

  const ClientCounts& counts() const { return counts_; }
  // The newest epoch that an answer came from. What was committed by then is of this epoch or an earlier one, what is
  // sent from now on of this one or a later one.
  Epoch epoch() const { return epoch_; }

 private:
  enum class SlotState : std::uint8_t {
    free,
    building,  // the owner's: operations are being added, or an open transaction waits for its next step
    ready,     // in ready_: to be sent by flush()
    sent,      // on its way
    pausing,   // to be sent again at next_try
    must_ask,  // the outcome is to be asked for at next_try
    asking,    // the outcome has been asked for
    complete,  // released by the owner while on its way, and answered now
  };
  // What a step has become, when unique indexes have to be kept (upkeep.cc).
  enum class Stage : std::uint8_t {
    plain,    // what the owner said
    reading,  // old rows are read under locks; then
    writing,  // the owner's operations and those on index rows
    ending,   // it cannot be: what was begun is aborted, `verdict` is told
  };
  struct Slot {
    SlotState state = SlotState::free;
    std::uint8_t flags = 0;
    bool begun = false;        // its first step was answered with `open`
    bool writes = false;       // the step has operations that change rows or take locks
    bool abandoned = false;    // released while on its way
    bool commit_sent = false;  // a commit may be somewhere: the outcome counts
    bool finished = false;     // committed, aborted or given up: nothing to abort in release()
    bool only_asks = false;    // ask_again(): nothing is repeated
    bool reported = false;     // in done_, not taken yet
    bool indexed = false;      // writes to a table with unique indexes, or one that is not known yet
    Stage stage = Stage::plain;
    bool inside = false;  // begun at its node by a stage of a step that may still be repeated
    std::uint8_t races = 0;
    Error verdict = Error::ok;
    std::unique_ptr<Upkeep> upkeep;
    std::uint16_t generation = 0;
    std::uint16_t operations = 0;
    std::uint16_t attempts = 0;
    Error last_error = Error::ok;
    NodeId node = 0;  // where it was sent
    Route route{};    // of an open transaction: fixed by its first step
    std::uint32_t incarnation = 0;
    env::LinkId link = 0;
    TableId table = 0;  // of the first operation
    std::uint64_t hash = 0;
    std::uint64_t number = 0;
    Epoch durable_when = 0;  // committed; durable when this epoch is
    Time deadline = 0, sent_at = 0, next_try = 0;
    Writer request;  // Execute and its operations, kept for repeats
    Writer reply;
    StepResult result;
  };
  struct Peer {
    enum class State : std::uint8_t { idle, connecting, greeting, up } state = State::idle;
    NodeId node = 0;
    std::string host;
    std::uint16_t port = 0;
    std::uint32_t incarnation = 0;
    env::LinkId link = 0;
    std::uint32_t connects = 0;  // part of the connect's tag
    Time next_connect = 0;
    bool wanted = false;  // somebody waits for it
    bool closing = false;
    bool lost = false;    // its link died, or its port refused, under the catalog of now
    bool silent = false;  // asked for the catalog and did not answer; nothing was heard from it since
    Time since = 0;       // of the state
    View view = 0;        // the newest one heard of
    // Workers of this node that take us on links of their own (wire::Hello::worker_links), and these links: each a Peer
    // with `lane` = 1 + the worker. Until such a link is up, what is for its worker goes over the node's.
    std::uint8_t worker_links = 0;
    std::uint8_t lane = 0;
    std::vector<Peer> lanes;
  };
  struct LinkEnd {
    NodeId node = 0;  // 0 = none
    std::uint8_t lane = 0;
  };
  enum class CursorState : std::uint8_t { unsent, opening, open, reading, done };
  struct Cursor {
    CursorState state = CursorState::unsent;
    Route route;
    env::LinkId link = 0;
    std::uint32_t scan = 0;  // the node's number
    std::uint64_t scanned = 0;
    Time sent_at = 0;
  };
  struct Batch {
    Writer bytes;
    std::uint32_t rows = 0;
  };
  struct Scan {
    bool used = false;
    ScanState state = ScanState::opening;
    Error error = Error::ok;
    bool delivered = false;  // a batch was given out: opening again is not possible
    std::uint16_t generation = 0;
    std::uint16_t attempts = 0;
    TableId table = 0;
    ScanOptions options;
    std::uint64_t tag = 0;
    std::uint64_t rows = 0;
    Time deadline = 0, next_try = 0;
    std::vector<Cursor> cursors;
    std::deque<Batch> batches;
    std::vector<Batch> spare;
  };

  // --- machine.cc
  void on_frame(Time now, const env::Event& e, env::Outbox& out);
  void on_message(Time now, Peer& p, const wire::Message& m, env::Outbox& out);
  void tick(Time now, env::Outbox& out);
  // --- links.cc
  void on_link_up(Time now, const env::Event& e, env::Outbox& out);
  void on_link_down(Time now, const env::Event& e, env::Outbox& out);
  void on_no_link(Time now, const env::Event& e, env::Outbox& out);
  Peer* peer(NodeId node, std::uint8_t lane = 0);
  Peer* peer_of_tag(std::uint64_t tag);
  Peer* peer_of_link(env::LinkId link);
  Peer* up(NodeId node, Time now, env::Outbox& out);  // nullptr: not now; a connection is being made
  Peer* up(const Route& r, Time now, env::Outbox& out);
  void connect_peers(Time now, env::Outbox& out);
  void connect_peer(Peer& p, Time now, env::Outbox& out);
  // --- catalog.cc
  void adopt(std::shared_ptr<const meta::Catalog> c, Time now, env::Outbox& out);
  void look_for_catalog(Time now, env::Outbox& out);
  void on_catalog(Time now, Bytes body, env::Outbox& out);
  void on_management_text(Time now, Bytes text, env::Outbox& out);
  void finish_management(Time now, env::Outbox& out, const std::string& trouble);
  void saw_view(View v);
  bool misses_a_node() const;  // one of the catalog's, while something is open
  bool anything_open() const;
  // --- transactions.cc
  bool try_send(Slot& s, Handle h, Time now, env::Outbox& out);  // false: no route or no link now
  void ask_outcome(Slot& s, Handle h, Time now, env::Outbox& out);
  void on_execute_reply(Time now, Bytes body);
  void on_outcome_reply(Time now, Bytes body);
  void step_lost(Slot& s, Handle h, Time now);
  void failed_step(Slot& s, Handle h, Time now, Error e);
  bool draw_number(Slot& s);  // false: too many writes without a known outcome
  void drop_number(Slot& s);
  void pause(Slot& s, Time now, SlotState next);
  void finish(Slot& s, Handle h, Error e, wire::TxnState state, bool answered);
  void expire(Slot& s, Handle h);
  void recycle(Slot& s, Handle h);
  bool repeatable(const Slot& s) const { return !s.begun; }
  Slot* slot_of_request(std::uint32_t request, Handle* h);
  std::uint32_t request_of(const Slot& s, Handle h) const;
  void note_trouble(Time t);
  // --- upkeep.cc
  bool keep_indexes(Slot& s, Handle h);  // false: cannot be sent, or was finished
  Error look_for_indexed(Slot& s);
  void read_old_rows(Slot& s);
  void write_new_rows(Slot& s, Handle h);
  void old_rows_read(Slot& s, Handle h, Bytes results);
  void end_with(Slot& s, Handle h, Error verdict);
  void start_over(Slot& s);
  std::uint8_t flags_of(const Slot& s) const;
  Error judge_race(Slot& s, Error e) const;
  // --- scans.cc
  void flush_scan(Scan& s, ScanHandle h, Time now, env::Outbox& out);
  void open_cursors(Scan& s, ScanHandle h, Time now, env::Outbox& out);
  void read_cursors(Scan& s, ScanHandle h, Time now, env::Outbox& out);
  void on_scan_batch(Time now, Peer& p, WorkerId from, Bytes body, env::Outbox& out);
  void scan_failed(Scan& s, ScanHandle h, Time now, Error e, env::Outbox& out);
  void close_cursors(Scan& s, ScanHandle h, env::Outbox& out);
  void scans_lost(Time now, env::LinkId link, env::Outbox& out);

  ClientOptions options_;
  Prng prng_;
  ClientCounts counts_;
  Epoch epoch_ = 0;
  std::shared_ptr<const meta::Catalog> catalog_;
  std::unique_ptr<const Routing> routing_;
  std::map<TableId, std::shared_ptr<const IndexedTable>> indexed_;  // those that were written to
  std::string trouble_;

  std::vector<Peer> peers_;        // by node id; made when a catalog names it
  std::vector<LinkEnd> link_end_;  // by link
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Handle> free_;
  std::vector<Handle> ready_;
  std::vector<Handle> ready_now_;
  std::vector<Handle> done_;  // from done_head_ on
  std::size_t done_head_ = 0;
  std::uint32_t in_use_ = 0;
  // Nodes remember outcomes by number mod kClientWritesMax: a number whose place is still in doubt is skipped.
  std::uint64_t next_number_ = 1;
  std::uint64_t next_read_number_ = std::uint64_t{1} << 40;  // one-shots that only read leave no outcome
  std::vector<bool> in_doubt_;                               // by number mod kClientWritesMax
  std::vector<std::unique_ptr<Scan>> scans_;
  std::vector<ScanHandle> scans_ready_;
  std::vector<std::pair<env::LinkId, std::pair<WorkerId, std::uint32_t>>> scans_to_close_;

  // looking for a newer catalog
  bool refresh_now_ = false;
  bool refresh_wanted_ = false;
  View wanted_view_ = 0;
  Time next_refresh_ = 0;
  std::uint32_t catalog_request_ = 0;  // 0 = none under way
  Time catalog_asked_ = 0;
  NodeId catalog_from_ = 0;
  enum class Management : std::uint8_t { idle, connecting, asking } management_ = Management::idle;
  std::size_t management_next_ = 0;
  env::LinkId management_link_ = 0;
  Time management_since_ = 0;
  std::string management_text_;
  Time next_tick_ = 0;
  Time earliest_try_ = kNever;  // of pausing slots and scans
  bool retry_now_ = false;      // the next tick repeats whatever pauses
};

}  // namespace ndb::client
