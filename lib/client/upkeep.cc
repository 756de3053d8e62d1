// Steps that write to tables with unique indexes: the stages in which they go (indexes.h).
//
//   owner        machine                                        coordinator
//     | send ---->| execute (begin): read_exclusive old rows ---->|
//     |           |<------------------------- open, their images -|   not when rows are only inserted
//     |           | execute (commit): the step, index rows ------>|
//     |<- result -|<---------------------------------- committed -|
//
// A step that fails with a temporary error while nothing is begun for its owner starts over with the reads: the
// transaction at the node is another one each time.
#include "base/probe.h"
#include "client/machine.h"

namespace ndb::client {

namespace {
constexpr std::size_t kHead = sizeof(wire::Execute);
constexpr int kRacesMax = 3;  // then a row that is there already is the owner's affair
}  // namespace

std::uint8_t ClientMachine::flags_of(const Slot& s) const {
  unsigned flags = s.flags;
  if (s.stage == Stage::reading) flags &= ~unsigned{wire::kCommit | wire::kDurable | wire::kKeepGoing};
  if (s.stage == Stage::writing) flags &= ~unsigned{wire::kKeepGoing};
  if (s.stage == Stage::ending) flags = wire::kAbort;
  if (s.inside) flags &= ~unsigned{wire::kBegin};
  return static_cast<std::uint8_t>(flags);
}

// Tables that are written to, made ready: ok; stale_view when one of them is not known yet.
Error ClientMachine::look_for_indexed(Slot& s) {
  Error unknown = Error::ok;
  auto find = [&](TableId id) -> std::shared_ptr<const IndexedTable> {
    if (!routing_ || !routing_->knows(id)) {
      unknown = Error::stale_view;
      return nullptr;
    }
    if (!routing_->indexed(id)) return nullptr;
    auto& t = indexed_[id];
    if (t == nullptr) t = IndexedTable::make(*catalog_, id);
    return t;
  };
  if (!s.upkeep) s.upkeep = std::make_unique<Upkeep>();
  const Error e = s.upkeep->begin(s.request.view().substr(kHead), s.operations, find);
  return unknown != Error::ok ? unknown : e;
}

// Turns the owner's step into the stages that keep the indexes. False: it waits for a catalog, or is over.
bool ClientMachine::keep_indexes(Slot& s, Handle h) {
  const Error e = look_for_indexed(s);
  if (e == Error::stale_view) {
    if (catalog_ && s.attempts > 8) {  // it is in no catalog of the last tenth of a second
      end_with(s, h, Error::no_such_table);
      return s.state == SlotState::ready || s.state == SlotState::pausing;
    }
    refresh();
    return false;
  }
  if (e != Error::ok) {
    end_with(s, h, e);
  } else if (!s.upkeep->writes_indexed()) {
    s.indexed = false;
  } else if (s.upkeep->reads() > 0) {
    read_old_rows(s);
  } else {
    write_new_rows(s, h);
  }
  return s.state == SlotState::ready || s.state == SlotState::pausing;
}

void ClientMachine::read_old_rows(Slot& s) {
  s.stage = Stage::reading;
  s.request.truncate(kHead);
  s.upkeep->write_reads(s.request);
  s.operations = static_cast<std::uint16_t>(s.upkeep->reads());
  if (s.begun) return;  // its first step has named the anchor
  const auto first = load<wire::Operation>(s.request.data() + kHead);
  s.table = first.table;
  s.hash = first.hash;
}

void ClientMachine::write_new_rows(Slot& s, Handle h) {
  s.request.truncate(kHead);
  std::uint16_t operations = 0;
  if (Error e = s.upkeep->write_step(s.request, &operations); e != Error::ok) {
    end_with(s, h, e);
    return;
  }
  s.stage = Stage::writing;
  s.operations = operations;
}

void ClientMachine::old_rows_read(Slot& s, Handle h, Bytes results) {
  s.inside = !s.begun;
  s.upkeep->take_images(results);
  s.state = SlotState::ready;
  ready_.push_back(h);
  write_new_rows(s, h);
}

// The transaction cannot be: what the node has of it goes, then the owner hears why.
void ClientMachine::end_with(Slot& s, Handle h, Error verdict) {
  s.verdict = verdict;
  if (!s.begun && !s.inside) {
    finish(s, h, verdict, wire::TxnState::aborted, false);
    return;
  }
  s.stage = Stage::ending;
  s.operations = 0;
  s.request.truncate(kHead);
}

// Nothing has happened; the owner's step is to be tried again.
void ClientMachine::start_over(Slot& s) {
  if (s.stage == Stage::plain) return;
  NDB_PROBE("client.indexes_again");
  s.inside = false;
  s.verdict = Error::ok;
  s.stage = Stage::plain;
  s.request.truncate(kHead);
  s.request.raw(s.upkeep->operations());
  s.operations = s.upkeep->count();
}

// A row that a write was to make was made by somebody else.
Error ClientMachine::judge_race(Slot& s, Error e) const {
  if (s.stage != Stage::writing || e != Error::row_exists || !s.upkeep->raced() || s.races >= kRacesMax) return e;
  NDB_PROBE("client.row_made_meanwhile");
  s.races++;
  return Error::row_changed;
}

}  // namespace ndb::client
