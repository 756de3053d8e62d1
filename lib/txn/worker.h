// The worker machine of a data node: it owns the replicas of some fragments outright (I1) and runs the transactions
// that touch them, as coordinator, as participant, as primary and as backup. Pure: told about messages, time and new
// catalogs; what it wants to say goes straight into the links' frame buffers.
//
// A write at the primary: lock, check, append to the fragment's stream, send to all in-sync replicas; when all have
// acknowledged it is committed, shown to readers and answered (I5). Transactions on one fragment are one stream
// record. Others are prepared in each stream; the decision is one record in the anchor's stream, the anchor being the
// fragment of the first operation, whose primary coordinates.
//
// Files: worker.cc (messages, catalogs, time), execute.cc (requests of clients), part.cc (participants), coordinate.cc,
// lock.cc, stream.cc, copy.cc (filling a joining replica), scan.cc, takeover.cc (changes of view), rows.cc (what
// a reorganisation needs), durable.cc, room.cc (a redo ring that runs full), epoch.cc.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "env/machine.h"
#include "meta/catalog.h"
#include "store/filter.h"
#include "store/memory.h"
#include "store/slab.h"
#include "txn/durable.h"
#include "txn/part.h"
#include "txn/pool.h"
#include "txn/room.h"

namespace ndb::txn {

struct WorkerOptions {
  NodeId node = 0;
  WorkerId worker = 0;
  std::uint64_t memory_bytes = std::uint64_t{98} << 20;  // DataMemory
  Time lock_wait = 1200 * kMillisecond;                  // TransactionDeadlockDetectionTimeout
  Time inactive = kNever;                                // TransactionInactiveTimeout
  store::Memory::Ahead memory_ahead;
};

struct WorkerCounters {
  std::uint64_t reads = 0, writes = 0, commits = 0, aborts = 0, lock_waits = 0, scans = 0, scanned_rows = 0;
  std::uint64_t stream_records = 0, copied_rows = 0, fetched_rows = 0, moved_rows = 0;
};

// One cursor over one fragment.
struct ScanCursor {
  env::LinkId link = 0;
  std::uint32_t request = 0;
  Replica* replica = nullptr;
  View view = 0;  // holds the barrier
  meta::Phase phase = meta::Phase::none;
  std::uint64_t cursor = 0;
  std::uint64_t scanned = 0;
  std::uint16_t batch_rows = 0;
  bool count_only = false;
  store::Filter filter;
  Time since = 0;
};

class Worker : private store::CheckpointWriter::Source, private store::RecoverySink {
 public:
  explicit Worker(WorkerOptions options);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // --- every call happens between begin() and end(): one step of the node
  void begin(Time now, env::Outbox& out, Writer& self);  // self: messages to this node's own workers
  void end();                                            // writes stream records and acknowledgements into the frames
  // Hints for the messages of one frame, in three passes: prefetch, prefetch_row, on_message.
  void prefetch(const wire::Message& m) const;
  void prefetch_row(const wire::Message& m) const;
  // `from`: the data node that sent it; 0 = a client (its link tells which).
  void on_message(const wire::Message& m, env::LinkId link, NodeId from);
  void on_time();  // call when wake() is reached
  Time wake() const;
  void set_catalog(std::shared_ptr<const meta::Catalog> catalog);
  void client_up(env::LinkId link, std::uint64_t session, NodeId api_node);
  void client_down(env::LinkId link);
  void node_up(NodeId node, env::LinkId link);
  void node_down(NodeId node);
  void set_epoch(Epoch e) { epoch_ = e; }
  void serve_until(Time t) { serve_until_ = t; }  // the lease
  void set_lock_wait(Time t) { options_.lock_wait = t; }
  void set_inactive(Time t) { options_.inactive = t; }
  void set_memory(std::uint64_t bytes);
  void stop_accepting() { stopping_ = true; }  // a stop in good order: new transactions go elsewhere
  bool quiet() const;                          // nothing open: safe to stop

  // --- what the node wants to know
  View oldest_open() const;  // the catalog's view when nothing older is open
  bool filled() const;       // joining: every replica is filled and waited for
  // For people: percent of the rows that are here, and who sends the others (added to *from).
  int filled_percent(std::set<NodeId>* from) const;
  std::uint64_t rows_to_fill() const { return 0; }
  std::uint64_t memory_used() const { return memory_.used_bytes(); }
  std::uint64_t memory_total() const { return memory_total_; }
  std::uint64_t primary_rows() const;
  const WorkerCounters& counters() const { return counters_; }
  const meta::Catalog& catalog() const { return *catalog_; }
  Replica* replica(FragmentRef ref) const;
  // Every replica here, by table and fragment.
  void each_replica(const std::function<void(const Replica&)>& f) const;
  bool out_of_memory() const { return broken_; }  // a backup could not hold what it must: the node has to stop

  // --- epochs (epoch.cc)
  // Nothing that was decided here up to e is still on its way to a participant. REQUIRES: the epoch is later than e.
  bool decided_upto(Epoch e) const;
  void mark_streams();        // remembers where the streams are and tells the backups their commit points
  bool marks_shown() const;   // every replica has acknowledged that it shows what lies before the marks
  void flush_epoch(Epoch e);  // what is in the redo log up to e has to get to the disk
  Epoch flushed_epoch() const { return flushed_epoch_; }
  Epoch durable_wanted() const;  // the newest epoch that a client waits for; 0 = nobody does

  // --- the disk (durable.cc). Without one the rows live in memory only.
  void attach_disk(store::Disk& disk, const store::DiskIdentity& identity, std::uint64_t life);
  bool has_disk() const { return durable_ != nullptr; }
  // Joined, replicas made, not filled yet: brings back what the disk holds. True when that is done.
  bool recover_some();
  bool recovered() const;
  Epoch restored() const;      // 1 + the epoch that came back exactly and is still all that is here; 0 = none
  Epoch filled_epoch() const;  // peers have filled it: no earlier epoch can be flushed exactly; 0 = long ago
  bool files_damaged() const;  // recover_some() found nothing that can be used; it has said why, with file and offset
  // For people: what recover_some() is at ("applying redo"), and how far it has come, percent.
  const char* recovering(int* percent) const;
  void on_disk(std::uint64_t tag, int status);
  bool disk_failed() const;
  void checkpoint_step(bool allowed);

  // --- rows between fragments, for a reorganisation (rows.cc)
  struct RowsTaken {         // a batch of share-locked rows
    std::uint32_t part = 0;  // holds the locks; 0 = nothing was taken
    std::uint64_t next = 0;  // cursor for the next batch, store::kScanEnd = done
    std::uint32_t rows = 0;
    std::uint32_t waiting = 0;  // rows that transactions hold: each will come through row_locked
    bool again = false;         // nothing was taken, try this cursor again later
  };
  // Locks and copies the committed rows of the next stretch whose bucket goes to `to`: change bytes appended to `w`.
  RowsTaken take_rows(FragmentRef from, FragmentId to, std::uint64_t cursor, std::size_t rows_max, Writer& w);
  void release_rows(std::uint32_t part);
  bool lock_row(FragmentRef ref, Bytes key, std::uint64_t hash);
  // The row is share-locked by `part` (release_rows), or gone (empty image); !ok: time-out or lost, try again.
  std::function<void(FragmentRef, std::uint32_t part, bool ok, Bytes image, Bytes key, std::uint64_t hash)> row_locked;
  // At the new primary: appends them to the stream; row_moved(tag, ok) is called when they are committed.
  Error put_rows(FragmentRef to, Bytes changes, std::uint64_t tag);
  // Appends removals of the rows of the next stretch that live elsewhere now. Returns the next cursor.
  std::uint64_t drop_rows(FragmentRef from, std::uint64_t cursor, std::size_t rows_max, std::uint32_t* dropped,
                          bool* busy);
  std::function<void(FragmentRef, std::uint64_t tag, bool ok)> row_moved;
  bool leads(FragmentRef ref) const;
  // Writes to buckets [from, to) wait until the next call (from = to: none). True when none is under way in them.
  bool freeze(FragmentRef ref, std::uint16_t from, std::uint16_t to);
  bool quiet_in(FragmentRef ref, std::uint16_t from, std::uint16_t to);  // no row of these buckets is locked
  // Outcomes that a fragment remembers, for the one that its rows go to (txn/outcomes.h), and their arrival there.
  std::uint64_t history(FragmentRef from, std::uint64_t session, Writer& w) const;
  Error put_history(FragmentRef to, Bytes outcomes, std::uint64_t tag);
  Sequence appended(FragmentRef ref) const;  // the last record of its stream; 0 = not its primary
  bool shown(FragmentRef ref, Sequence upto) const;
  bool caught_up(FragmentRef ref) const { return shown(ref, appended(ref)); }

 private:
  friend class WorkerTest;
  // worker.cc
  bool serving() const { return now_ < serve_until_; }
  // As far as the catalog is known here: it serves, or may have until a moment ago.
  bool in_sync(NodeId node) const {
    const meta::Node* n = catalog_->node(node);
    return n != nullptr && n->state == meta::NodeState::in_sync;
  }
  TableState* table_state(TableId id) const { return id < tables_.size() ? tables_[id].get() : nullptr; }
  Writer& link_writer(env::LinkId link) { return link == env::kSelf ? *self_ : out_->link(link); }
  env::LinkId link_to(NodeId n) const { return n == options_.node ? env::kSelf : links_[n]; }
  bool can_reach(NodeId n) const { return n == options_.node || links_[n] != 0; }
  template <class Body>
  void send(NodeId node, WorkerId worker, wire::Type type, const Body& body) {
    if (!can_reach(node)) return;
    Writer& w = link_writer(link_to(node));
    std::size_t at = wire::begin_message(w, type, worker, options_.worker);
    w.put(body);
    wire::end_message(w, at);
  }
  void view_begins(View v);
  void view_ends(View v);
  // execute.cc
  Replica* first_touched(const wire::Message& m, std::uint64_t* hash) const;
  void on_execute(const wire::Message& m, env::LinkId link);
  bool read_now(const wire::Execute& head, Bytes ops, env::LinkId link, WorkerId client);
  void refuse(env::LinkId link, WorkerId to, std::uint32_t request, Error e,
              wire::TxnState state = wire::TxnState::aborted);
  void on_outcome(const wire::Message& m, env::LinkId link);
  Error route(const wire::Operation& op, bool locks, Replica** replica, meta::Targets* targets) const;
  void start_direct(const wire::Execute& head, Bytes ops, env::LinkId link, Replica& r);
  // part.cc
  void run_part(std::uint32_t p);
  enum class Step : std::uint8_t { done, wait, failed };
  Step run_op(std::uint32_t p, const wire::Operation& op, Bytes key, Bytes payload);
  Step op_read(std::uint32_t p, const wire::Operation& op, Bytes key);
  Step op_insert(std::uint32_t p, const wire::Operation& op, Bytes key, Bytes image);
  Step op_change(std::uint32_t p, const wire::Operation& op, Bytes key, Bytes payload);
  Step put_image(std::uint32_t p, std::size_t touched, const wire::Operation& op, Bytes image);
  Step fail_op(Part& part, Error e);
  bool room_for_writes() const;
  void add_result(Part& part, Error e, Bytes image);
  Bytes pending_image(const Part& part, const Touched& t) const;
  void record_change(Part& part, Touched& t, ChangeKind kind, Bytes key, Bytes image);
  void part_done_running(std::uint32_t p);
  void tell_row_locked(std::uint32_t p, bool ok);
  static bool moves_rows(const Part& part) { return !part.direct && part.coordinator_node == 0; }
  void end_direct(std::uint32_t p, Error e, wire::TxnState state);
  // The reply of a commit: now, or when its epoch is durable.
  void hold_reply(env::LinkId link, Epoch epoch, Bytes message);
  void release_replies();
  void append_part(std::uint32_t p, RecordKind kind);
  void apply_part(std::uint32_t p, Sequence sequence);
  void undo_part(std::uint32_t p);           // releases everything and frees it; says nothing to anybody
  void fail_part(std::uint32_t p, Error e);  // undo and tell
  void on_part_execute(const wire::Message& m, NodeId from);
  void on_part_prepare(const PartWord& w, NodeId from, WorkerId from_worker);
  void on_part_commit(const PartWord& w, NodeId from, WorkerId from_worker);
  void on_part_abort(const PartWord& w);
  void on_part_ask(const PartWord& w, NodeId from, WorkerId from_worker);
  void on_part_answer(const PartWord& w);
  void tell_coordinator(const Part& part, std::uint32_t p, wire::Type type, Error e);
  std::uint32_t find_part(const PartWord& w) const;
  void forbid(Replica& r, const TxnId& t);
  void settle_prepared(Replica& r, const TxnId& t, bool commit, Epoch epoch);
  // coordinate.cc
  void on_step(const wire::Execute& head, Bytes ops, env::LinkId link);
  Error plan_round_one(Coordination& c, std::uint32_t n, const wire::Execute& head);
  void send_round(std::uint32_t c, bool second);
  void on_part_reply(const wire::Message& m);
  void round_done(std::uint32_t c);
  void begin_commit(std::uint32_t c);
  void decide(std::uint32_t c);
  void decided(std::uint32_t c);
  void on_part_prepared(const PartWord& w);
  void on_part_done(const PartWord& w);
  void member_shows(std::uint32_t c, Member& m);
  void member_done(std::uint32_t c, Member& m);
  void answer_committed(std::uint32_t c);
  void finish_commit(std::uint32_t c);
  void abort_coordination(std::uint32_t c, Error e, bool tell_client);
  void reply_coordination(Coordination& c, wire::TxnState state);
  void free_coordination(std::uint32_t c);
  std::uint16_t member_for(Coordination& c, FragmentRef ref);
  void coordination_lost_node(NodeId node);
  void resend_commits();
  // lock.cc
  enum class Grant : std::uint8_t { granted, wait, full };
  Grant acquire(std::uint32_t p, store::RowRef row, LockMode mode, std::size_t* touched);
  Step lock_row(std::uint32_t p, store::RowRef row, LockMode mode, std::size_t* touched);
  void release_lock(std::uint32_t p, Touched& t, bool row_goes);
  void wait_for(std::uint32_t p, std::uint32_t lock, LockMode mode);
  void leave_queue(std::uint32_t p);
  void wake_part(std::uint32_t p);
  void grant_waiters(std::uint32_t lock);
  void run_ready();
  void expire_waits();
  static std::size_t find_touched(Part& part, const Lock& l, std::uint32_t p);
  // stream.cc
  Sequence append(Replica& r, RecordKind kind, const TxnId& txn, const Anchor* anchor, Bytes changes,
                  std::uint32_t count, std::uint32_t part, std::uint64_t tag, Epoch epoch = 0);
  void mark_dirty(Replica& r);
  void advance(Replica& r);
  void commit_to(Replica& r, Sequence upto);
  std::uint64_t fetch_row_of(const Replica& r, std::uint64_t at) const;
  void complete(Replica& r, Sequence seq, const RecordHead& head, Bytes body, const Pending* pending);
  Bytes note_decision(Replica& r, const RecordHead& head, Bytes body);
  void apply_changes(Replica& r, Bytes changes, Sequence seq, bool arrived = false);
  bool writes_once_too_late(const Part& part, const wire::Operation& op) const;
  bool put_under_writer(Replica& r, const ChangeView& c, Bytes key, Sequence seq);
  void on_stream(const wire::Message& m, NodeId from);
  void on_stream_ack(const StreamAck& a, NodeId from, bool resume);
  void flush_streams();
  void send_stream(Replica& r, Peer& p);
  void tell_commit_points();
  // copy.cc
  void on_copy_request(const wire::Message& m, NodeId from, WorkerId from_worker);
  void log_copied(const Replica& r, RecordKind kind);
  void drop_buckets(Replica& r, Bytes bitmap);
  bool copy_fits(const CopyRows& h, std::size_t bytes);
  void on_copy_rows(const wire::Message& m, NodeId from);
  void on_copy_ack(const CopyWord& w, NodeId from);
  void on_copy_end(const wire::Message& m, NodeId from);
  void pump_copy(Replica& r, CopySession& s);
  void pump_copies();
  void request_copies();
  void withdraw_copies();
  static void forget_copy(Replica& r, NodeId joining);
  void request_copy(const Replica& r, std::uint64_t window);
  bool worth_a_look(const Replica& r) const;
  // scan.cc
  void on_scan_open(const wire::Message& m, env::LinkId link);
  void on_scan_next(const wire::ScanNext& n, env::LinkId link, WorkerId client);
  void close_scan(std::uint32_t s);
  void expire_scans();
  void scan_reply(env::LinkId link, WorkerId to, std::uint32_t request, std::uint32_t scan, Error e, bool done,
                  std::uint64_t scanned);
  // durable.cc
  void encode_state(const Replica& r, Writer& w);
  static bool decode_state(Replica& r, Reader& in);
  void log_redo(const Replica& r, Sequence seq, Epoch epoch, Bytes record);
  void log_created(Replica& r);
  void log_dropped(const Replica& r);
  void end_redo();
  std::uint64_t disk_tag();
  store::Fragment* next(store::CheckpointFragment* f, Writer& state) override;
  void empty(Replica& r, bool logged);  // of rows and of what is remembered; logged: the redo log says that it exists
  void reset() override;
  Failure fragment(const store::CheckpointFragment& f, Bytes state) override;
  Failure state(const FragmentRef& ref, Bytes state) override;
  Failure row(const FragmentRef& ref, Sequence sequence, Bytes image) override;
  Failure fragment_end(const FragmentRef& ref) override;
  Failure created(const FragmentRef& ref) override;
  Failure dropped(const FragmentRef& ref) override;
  Failure apply(const FragmentRef& ref, Sequence sequence, Epoch epoch, Bytes record) override;
  // room.cc
  std::uint64_t redo_share() const;
  std::uint64_t redo_room() const;
  bool fits_redo(std::uint64_t bytes) const;
  Error admit(const Replica& r, std::size_t bytes) const;
  void count_room(Replica& r);
  void count_sources();
  void watch_room();
  void tell_sources();
  void resume_filling();
  StreamAck stream_ack(const Replica& r) const;
  // takeover.cc
  void update_tables(const meta::Catalog& c);
  void update_replica(Replica& r, const meta::Catalog& c);
  void become_primary(Replica& r, const meta::Catalog& c, bool was_leading);
  void become_backup(Replica& r, bool was_leading);
  void hand_over_prepared(Replica& r, std::uint32_t p);
  void fail_running_parts(Replica& r);
  void settle_takeover(Replica& r);
  void cut_stream(Replica& r, Sequence first);
  void restart_filling(Replica& r);
  void drop_replica(std::unique_ptr<Replica> r);
  void adopt_decisions(Replica& r);
  void check_coordinations();
  void ask_anchors();

  WorkerOptions options_;
  std::uint64_t memory_total_;
  std::uint64_t memory_soft_;  // new rows are refused beyond; what was promised may still be applied
  store::Memory memory_;
  store::Slab slab_;
  std::shared_ptr<const meta::Catalog> catalog_;
  std::vector<std::unique_ptr<TableState>> tables_;  // by table id
  std::vector<std::unique_ptr<TableState>> dropped_;
  std::vector<std::unique_ptr<Replica>> graveyard_;  // emptied a little at a time

  Time now_ = 0;
  Epoch epoch_ = 1;
  Epoch flushed_epoch_ = 0;
  std::unique_ptr<Durable> durable_;
  RedoRoom room_;
  env::Outbox* out_ = nullptr;
  Writer* self_ = nullptr;
  Time serve_until_ = 0;
  bool stopping_ = false;
  bool broken_ = false;

  env::LinkId links_[256] = {};
  struct Client {
    std::uint64_t session = 0;
    NodeId api_node = 0;
    bool up = false;
  };
  std::vector<Client> clients_;  // by link

  Pool<Part> parts_;
  Pool<Coordination> coords_;
  Pool<Lock> locks_;
  Pool<ScanCursor> scans_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> open_by_session_;  // interactive transactions

  struct HeldReply {
    env::LinkId link = 0;
    Epoch epoch = 0;
    std::string message;
  };
  std::deque<HeldReply> held_replies_;  // ascending by epoch
  Epoch outcome_wanted_ = 0;            // somebody who asked for an outcome waits for it to be durable
  std::deque<std::uint32_t> ready_;     // parts whose lock was granted
  struct Wait {
    Time deadline;
    std::uint32_t part;
    std::uint64_t ticket;
  };
  std::deque<Wait> waits_;  // in order of deadline: the time-out is the same for all
  std::uint64_t next_ticket_ = 1;

  std::vector<std::pair<NodeId, StreamAck>> early_resumes_;  // of views that this node does not know yet
  std::vector<std::uint32_t> to_abort_;  // parts that became prepared after their abort was asked for
  std::vector<Replica*> dirty_;          // streams with something to send at the end of the step
  std::vector<Replica*> acks_;
  bool commits_untold_ = false;  // some backup does not know the newest commit point
  Time tell_commits_at_ = kNever;
  Time next_round_ = 0;  // of the slow chores
  struct OpenView {
    View view;
    std::uint64_t count;
  };
  std::deque<OpenView> open_views_;
  WorkerCounters counters_;
  std::vector<store::RowRef> refs_;  // scratch
  Writer scratch_, scratch2_;
};

}  // namespace ndb::txn
