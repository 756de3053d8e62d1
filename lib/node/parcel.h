// What a node and its units tell each other (unit.h). With one worker the unit obeys each word at once, in the node's
// step; with more, words travel in parcels, and a unit is a machine of its own that lags behind the node.
//
//   Node --ToUnit: words, and messages of peers and clients, in the order in which the node saw them--> Unit
//   Node <--FromUnit: what it says on links, and to the other units; then its state-------------------- Unit
//
// A unit obeys in order, so it is what it would be in the node's thread, later. What the node promises to others for
// its units (heartbeats, reports of epochs and jobs, "in sync", "leaving") it reads from their states, each of which
// says how much the unit had heard; so a promise is never ahead of the units. Links: `heard` also tells what a unit
// wrote for an earlier holder of a link's number.
//
// A client whose Hello names a worker has its link to the unit alone: the word `client_here` goes in the order of all
// words, what the node has read of the link by then goes with it or before, and the socket goes with that parcel. So
// the unit sees the link's messages in their order, and nothing of the number's earlier holders after them. What it
// hears there makes it move to a later epoch by itself; its parcels tell the node, before anything else they hold.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "env/machine.h"
#include "meta/catalog.h"
#include "reorg/messages.h"
#include "txn/worker.h"

namespace ndb::node {

struct Word {
  enum class Kind : std::uint8_t {
    messages,   // from `link` and `node` (0 = a client): bytes [a, b) of the parcel; backlog = unsent bytes of the link
    client_up,  // link, session a, node
    client_here,  // the same; its link comes with this parcel (env::Parcel::links)
    client_down,  // link
    node_up,      // node, link
    node_down,    // node
    catalog,      // the node obeys this one from here on
    state,        // a: bits of State
    lease,        // serve until a
    memory,       // a bytes
    lock_wait,    // a ns
    inactive,     // a ns
    epoch_step,   // step a of closing epoch b: Status::epoch_done becomes `number` when it is done here
    no_new,       // no new transactions: the node is about to stop
    stored,       // an order to its disk has ended: tag a, status
    report,       // say your counters and fragments
  } kind = Kind::messages;
  NodeId node = 0;
  env::LinkId link = 0;
  int status = 0;
  std::uint64_t a = 0, b = 0;
  std::uint64_t number = 0;
  std::uint64_t backlog = 0;
  std::shared_ptr<const meta::Catalog> catalog = nullptr;
};

enum State : std::uint64_t {
  kJoined = 1,   // let in: the disk may be read
  kInSync = 2,   // checkpoints may be written
  kDamaged = 4,  // some unit's files are: nobody goes on with his
};

// Of one moment: all that it says is true together.
struct Status {
  std::uint64_t heard = 0;  // the node's words up to this mark
  Version version = 0;      // of its catalog
  View oldest_open = 0;
  Epoch durable_wanted = 0;
  Epoch filled_epoch = 0;
  Epoch restored = 0;
  std::uint64_t epoch_done = 0;
  std::uint64_t fetched_rows = 0;
  std::uint32_t own_links = 0;  // of clients
  bool filled = false;
  bool quiet = false;
  bool recovered = false;
  bool damaged = false;
  bool disk_failed = false;
  bool out_of_memory = false;
  friend bool operator==(const Status&, const Status&) = default;
};

// For people; every now and then.
struct Details {
  std::uint64_t memory_used = 0, memory_total = 0, rows = 0;
  txn::WorkerCounters counters;
  const char* recovering = "";
  int recovered_percent = 0;
  int filled_percent = 100;
  std::set<NodeId> fills_from;
};

struct FromUnit;

struct ToUnit : env::Parcel {
  std::uint64_t mark = 0;
  Epoch epoch = 0;
  std::vector<Word> words;
  Writer bytes;
  std::vector<std::unique_ptr<FromUnit>> empties;  // buffers that go round
};

struct FromUnit : env::Parcel {
  struct Piece {
    env::LinkId link = 0;
    std::size_t begin = 0, end = 0;
  };
  unsigned answers = 0;  // to so many ToUnits
  Epoch epoch = 0;
  Status status;
  std::vector<Piece> pieces;  // of `bytes`: what the unit says on links
  Writer bytes;
  Writer others;  // messages to other units of this node
  std::vector<std::pair<env::Severity, std::string>> logs;
  bool has_details = false;
  Details details;
  bool has_job = false;
  reorg::JobReport job;
  std::uint64_t reports = 0;  // report words heard
  std::string fragments;      // to the latest of them
  std::vector<std::unique_ptr<ToUnit>> empties;
};

}  // namespace ndb::node
