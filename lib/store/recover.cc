#include "base/probe.h"
#include "store/recover.h"

#include <algorithm>

namespace ndb::store {

Recovery::Recovery(DiskReader& disk, RecoverySink& sink, RecoveryOptions options)
    : disk_(disk), sink_(sink), options_(options) {}
Recovery::~Recovery() = default;

Recovery::State Recovery::step(std::size_t bytes_max) {
  if (!begun_) begin();
  switch (phase_) {
    case Phase::choose:
      return choose();
    case Phase::scan:
      return scan(bytes_max);
    case Phase::load:
      return load(bytes_max);
    case Phase::replay:
      return replay(bytes_max);
    case Phase::ended:
      break;
  }
  return failure_ ? State::failed : State::done;
}

Recovery::State Recovery::fail(Failure f) {
  failure_ = std::move(f);
  phase_ = Phase::ended;
  return State::failed;
}

void Recovery::begin() {
  begun_ = true;
  inventory_ = disk_.list();
  report_.notes = inventory_.notes;
  report_.checkpoints = inventory_.checkpoints;
  candidates_ = inventory_.checkpoints;
  if (!candidates_.empty()) report_.checkpoint_next = candidates_.back() + 1;
}

void Recovery::give_up_checkpoint(std::string why) {
  NDB_PROBE("store.checkpoint_of_no_use");
  reasons_.push_back("checkpoint " + std::to_string(candidates_.back()) + ": " + why);
  report_.notes.push_back("not used, " + reasons_.back());
  candidates_.pop_back();
  checkpoint_.reset();
  phase_ = Phase::choose;
}

// The newest checkpoint that may do; its redo is walked before it is loaded.
Recovery::State Recovery::choose() {
  restarts_.clear();
  gaps_.clear();
  cuts_.clear();
  contained_.clear();
  if (candidates_.empty()) {
    if (reasons_.empty() && inventory_.redo_end == 0) {
      report_.empty = true;
      phase_ = Phase::ended;
      return State::done;
    }
    if (inventory_.redo_begin != 0 || inventory_.redo_end == 0) {
      std::string text = "there is no usable checkpoint and the redo log does not reach back to its beginning";
      for (const std::string& r : reasons_) text += "; " + r;
      for (const std::string& n : inventory_.notes) text += "; " + n;
      return fail({Error::os_failed, std::move(text)});
    }
    from_ = {};
    complete_ = 0;
  } else {
    checkpoint_ = std::make_unique<CheckpointReader>(disk_, candidates_.back());
    if (Failure f = checkpoint_->open()) {
      give_up_checkpoint(f.sentence());
      return State::working;
    }
    from_ = checkpoint_->head().from;
    complete_ = checkpoint_->head().complete;
    if (from_.position < inventory_.redo_begin || from_.position > inventory_.redo_end) {
      give_up_checkpoint("the redo log that it needs, from position " + std::to_string(from_.position) + ", is gone");
      return State::working;
    }
    if (checkpoint_->end().newest > options_.upto) {
      give_up_checkpoint("it holds epoch " + std::to_string(checkpoint_->end().newest) +
                         ", which is later than the last durable one, " + std::to_string(options_.upto));
      return State::working;
    }
  }
  redo_ = std::make_unique<RedoReader>(disk_, inventory_, from_);
  work_done_ = 0;
  work_all_ = (checkpoint_ ? checkpoint_->size() : 0) + 2 * (inventory_.redo_end - from_.position);
  phase_ = Phase::scan;
  return State::working;
}

// What makes earlier entries void. Both lists ascend in position and in what they limit to: a later limit that is
// lower hides those before it.
void Recovery::note_entry(const RedoEntry& e, std::uint64_t position) {
  if (e.kind == RedoKind::complete) {
    complete_ = std::max(complete_, e.epoch);
  } else if (e.kind == RedoKind::restart) {
    complete_ = std::min(complete_, e.epoch);
    while (!gaps_.empty() && gaps_.back().from >= e.epoch) gaps_.pop_back();
    while (!restarts_.empty() && restarts_.back().epoch >= e.epoch) restarts_.pop_back();
    restarts_.push_back({position, e.epoch});
  } else if (e.kind == RedoKind::filled) {
    gaps_.push_back({complete_, e.epoch});
  } else if (e.kind == RedoKind::cut) {
    std::vector<Cut>& cuts = cuts_[e.ref];
    while (!cuts.empty() && cuts.back().sequence >= e.sequence) cuts.pop_back();
    cuts.push_back({position, e.sequence});
  }
}

Recovery::State Recovery::scan(std::size_t bytes_max) {
  const std::uint64_t stop = redo_->position() + bytes_max;
  while (redo_->position() < stop) {
    RedoBlock b;
    switch (redo_->next(&b)) {
      case RedoReader::State::end:
        return judge_scan();
      case RedoReader::State::damaged:
        return fail(redo_->failure());
      case RedoReader::State::block:
        break;
    }
    RedoEntry e;
    Bytes rest = b.entries;
    while (!rest.empty()) {
      const std::uint64_t at = b.position + b.bytes - rest.size();
      NDB_CHECK(next_redo_entry(rest, &e));
      if (e.kind != RedoKind::record) note_entry(e, at);
    }
    work_done_ += b.bytes;
  }
  return State::working;
}

Epoch Recovery::complete_upto(Epoch e) const {
  e = std::min(e, complete_);
  for (auto g = gaps_.rbegin(); g != gaps_.rend(); ++g) {
    if (g->from < e && e < g->to) e = g->from;
  }
  return e;
}

Recovery::State Recovery::judge_scan() {
  report_.end = redo_->position();
  report_.cut_bytes = redo_->cut_bytes();
  report_.keep = from_;
  report_.epoch = complete_upto(options_.upto);
  if (options_.exactly && report_.epoch < options_.upto) {
    return fail({Error::os_failed, disk_.redo_place(report_.end) + ": the redo log ends here (" +
                                       (redo_->reason().empty() ? "end of the file" : redo_->reason()) +
                                       "); it is complete up to epoch " + std::to_string(report_.epoch) +
                                       " only, but epoch " + std::to_string(options_.upto) + " was durable"});
  }
  if (checkpoint_ && checkpoint_->end().newest > report_.epoch) {
    give_up_checkpoint("it holds epoch " + std::to_string(checkpoint_->end().newest) +
                       ", but the redo log is complete up to epoch " + std::to_string(report_.epoch) + " only");
    return State::working;
  }
  if (checkpoint_ && !restarts_.empty() && checkpoint_->end().newest > restarts_.front().epoch) {
    give_up_checkpoint("it holds epoch " + std::to_string(checkpoint_->end().newest) +
                       ", but the node came back at epoch " + std::to_string(restarts_.front().epoch) + " after it");
    return State::working;
  }
  if (report_.cut_bytes != 0) {
    NDB_PROBE("store.torn_tail");
    report_.notes.push_back(disk_.redo_place(report_.end) + ": cut " + std::to_string(report_.cut_bytes) +
                            " bytes that were never made durable (" + redo_->reason() + ")");
  }
  work_all_ = (checkpoint_ ? checkpoint_->size() : 0) + 2 * (report_.end - from_.position);
  redo_ = std::make_unique<RedoReader>(disk_, inventory_, from_);
  phase_ = checkpoint_ ? Phase::load : Phase::replay;
  return State::working;
}

Recovery::State Recovery::load(std::size_t bytes_max) {
  const std::uint64_t before = checkpoint_->offset();
  const FragmentRef& ref = checkpoint_->fragment().ref;
  while (checkpoint_->offset() - before < bytes_max) {
    Failure f;
    switch (checkpoint_->next()) {
      case CheckpointReader::Item::fragment:
        contained_[ref] = checkpoint_->fragment().redo_position;
        report_.fragments++;
        f = sink_.fragment(checkpoint_->fragment(), checkpoint_->state());
        break;
      case CheckpointReader::Item::rows: {
        Sequence sequence;
        Bytes image;
        while (!f && checkpoint_->row(&sequence, &image)) {
          report_.rows++;
          f = sink_.row(ref, sequence, image);
        }
        break;
      }
      case CheckpointReader::Item::fragment_end:
        f = sink_.fragment_end(ref);
        break;
      case CheckpointReader::Item::end:
        report_.checkpoint = checkpoint_->head().id;
        report_.definitions = checkpoint_->head().definitions;
        work_done_ += checkpoint_->offset() - before;
        phase_ = Phase::replay;
        return State::working;
      case CheckpointReader::Item::failed:
        give_up_checkpoint(checkpoint_->failure().sentence());
        report_.rows = report_.fragments = 0;
        sink_.reset();
        return State::working;
    }
    if (f) return fail(std::move(f));
  }
  work_done_ += checkpoint_->offset() - before;
  return State::working;
}

bool Recovery::is_void(const RedoEntry& e, std::uint64_t position) const {
  auto restart = std::upper_bound(restarts_.begin(), restarts_.end(), position,
                                  [](std::uint64_t p, const Restart& r) { return p < r.position; });
  if (restart != restarts_.end() && e.epoch > restart->epoch) return true;
  if (e.kind != RedoKind::record || cuts_.empty()) return false;
  auto cuts = cuts_.find(e.ref);
  if (cuts == cuts_.end()) return false;
  auto cut = std::upper_bound(cuts->second.begin(), cuts->second.end(), position,
                              [](std::uint64_t p, const Cut& c) { return p < c.position; });
  return cut != cuts->second.end() && e.sequence > cut->sequence;
}

Failure Recovery::replay_entry(const RedoEntry& e, std::uint64_t position) {
  const bool record = e.kind == RedoKind::record;
  if (!record && e.kind != RedoKind::created && e.kind != RedoKind::dropped && e.kind != RedoKind::state) return {};
  auto contained = contained_.find(e.ref);
  if (contained != contained_.end() && position < contained->second) {
    report_.contained += record;
    return {};
  }
  if (is_void(e, position)) {
    report_.voided += record;
    return {};
  }
  if (e.epoch > report_.epoch) {
    report_.later += record;
    return {};
  }
  if (e.kind == RedoKind::created) return sink_.created(e.ref);
  if (e.kind == RedoKind::dropped) return sink_.dropped(e.ref);
  if (e.kind == RedoKind::state) return sink_.state(e.ref, e.record);
  report_.applied++;
  return sink_.apply(e.ref, e.sequence, e.epoch, e.record);
}

Recovery::State Recovery::replay(std::size_t bytes_max) {
  const std::uint64_t stop = redo_->position() + bytes_max;
  while (redo_->position() < report_.end && redo_->position() < stop) {
    RedoBlock b;
    if (redo_->next(&b) != RedoReader::State::block) {  // it was there when the log was walked the first time
      return fail(redo_->failure() ? redo_->failure()
                                   : Failure{Error::os_failed, disk_.redo_place(redo_->position()) +
                                                                   ": the redo log reads differently than before"});
    }
    RedoEntry e;
    Bytes rest = b.entries;
    while (!rest.empty()) {
      const std::uint64_t at = b.position + b.bytes - rest.size();
      NDB_CHECK(next_redo_entry(rest, &e));
      if (Failure f = replay_entry(e, at)) return fail(std::move(f));
    }
    work_done_ += b.bytes;
  }
  if (redo_->position() < report_.end) return State::working;
  phase_ = Phase::ended;
  return State::done;
}

const char* Recovery::doing() const {
  switch (phase_) {
    case Phase::choose:
      return "looking for a checkpoint";
    case Phase::scan:
      return "checking the redo log";
    case Phase::load:
      return "reading checkpoint";
    case Phase::replay:
      return "applying redo";
    case Phase::ended:
      break;
  }
  return "";
}

int Recovery::percent() const {
  if (phase_ == Phase::ended) return 100;
  if (work_all_ == 0) return 0;
  return static_cast<int>(std::min<std::uint64_t>(99, work_done_ * 100 / work_all_));
}

}  // namespace ndb::store
