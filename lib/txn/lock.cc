// Row locks. A lock's queue is served in order: when the last holder lets go, the lock is given to the one at the head
// (or to all sharers at the head), who then repeats its operation and finds itself the owner. Waiting is bounded by
// TransactionDeadlockDetectionTimeout, which is also how deadlocks end.
#include "txn/worker.h"

namespace ndb::txn {

std::size_t Worker::find_touched(Part& part, const Lock& l, std::uint32_t p) {
  if (l.owner == p) return l.op;
  for (std::size_t i = 0; i < part.touched.size(); i++) {
    const Touched& t = part.touched[i];
    if (t.lock != 0 && t.row == l.row && part.replica == l.replica) return i;
  }
  return SIZE_MAX;
}

Worker::Grant Worker::acquire(std::uint32_t p, store::RowRef row_ref, LockMode mode, std::size_t* touched) {
  Part& part = parts_[p];
  store::Row* row = part.replica->rows.row(row_ref);
  if (row->lock == 0) {
    std::uint32_t n = locks_.take();
    if (n == 0) return Grant::full;
    Lock& l = locks_[n];
    l = Lock{};
    l.replica = part.replica;
    l.row = row_ref;
    row->lock = n;
    if (mode == LockMode::exclusive) {
      l.owner = p;
      l.op = static_cast<std::uint32_t>(part.touched.size());
    } else {
      l.shared = 1;
    }
    *touched = part.touched.size();
    Touched t;
    t.row = row_ref;
    t.lock = n;
    t.mode = mode;
    part.touched.push_back(t);
    return Grant::granted;
  }
  std::uint32_t n = row->lock;
  Lock& l = locks_[n];
  if (l.owner == p) {
    *touched = l.op;
    return Grant::granted;
  }
  if (l.owner == 0) {
    std::size_t mine = find_touched(part, l, p);
    if (mine != SIZE_MAX) {
      if (mode == LockMode::shared) {
        *touched = mine;
        return Grant::granted;
      }
      if (l.shared == 1) {  // the only sharer: it may become the owner
        l.shared = 0;
        l.owner = p;
        l.op = static_cast<std::uint32_t>(mine);
        part.touched[mine].mode = LockMode::exclusive;
        *touched = mine;
        return Grant::granted;
      }
    } else if (mode == LockMode::shared && l.wait_head == 0) {
      l.shared++;
      *touched = part.touched.size();
      Touched t;
      t.row = row_ref;
      t.lock = n;
      t.mode = mode;
      part.touched.push_back(t);
      return Grant::granted;
    }
  }
  wait_for(p, n, mode);
  return Grant::wait;
}

void Worker::wait_for(std::uint32_t p, std::uint32_t n, LockMode mode) {
  Part& part = parts_[p];
  Lock& l = locks_[n];
  NDB_CHECK(part.wait_ticket == 0);
  part.wait_lock = n;
  part.wait_mode = mode;
  part.wait_next = 0;
  part.wait_ticket = next_ticket_++;
  if (l.wait_tail != 0) {
    parts_[l.wait_tail].wait_next = p;
  } else {
    l.wait_head = p;
  }
  l.wait_tail = p;
  counters_.lock_waits++;
  waits_.push_back({now_ + options_.lock_wait, p, part.wait_ticket});
}

void Worker::leave_queue(std::uint32_t p) {
  Part& part = parts_[p];
  if (part.wait_ticket == 0) return;
  part.wait_ticket = 0;
  if (part.wait_lock == 0) return;
  Lock& l = locks_[part.wait_lock];
  std::uint32_t before = 0;
  std::uint32_t at = l.wait_head;
  while (at != 0 && at != p) {
    before = at;
    at = parts_[at].wait_next;
  }
  NDB_CHECK(at == p);
  if (before != 0) {
    parts_[before].wait_next = part.wait_next;
  } else {
    l.wait_head = part.wait_next;
  }
  if (l.wait_tail == p) l.wait_tail = before;
  std::uint32_t n = part.wait_lock;
  part.wait_lock = 0;
  part.wait_next = 0;
  // Sharers may have stood behind an exclusive waiter that has left now.
  grant_waiters(n);
}

void Worker::wake_part(std::uint32_t p) {
  Part& part = parts_[p];
  part.wait_ticket = 0;
  part.wait_lock = 0;
  part.wait_next = 0;
  ready_.push_back(p);
}

// Gives a lock to those at the head of its queue who can have it now, and forgets it when nobody wants it.
void Worker::grant_waiters(std::uint32_t n) {
  Lock& l = locks_[n];
  while (l.wait_head != 0 && l.owner == 0) {
    std::uint32_t p = l.wait_head;
    Part& part = parts_[p];
    if (part.wait_mode == LockMode::exclusive) {
      if (l.shared > 1) break;
      if (l.shared == 1) {
        std::size_t mine = find_touched(part, l, p);
        if (mine == SIZE_MAX) break;
        l.shared = 0;
        l.op = static_cast<std::uint32_t>(mine);
        part.touched[mine].mode = LockMode::exclusive;
      } else {
        l.op = static_cast<std::uint32_t>(part.touched.size());
        Touched t;
        t.row = l.row;
        t.lock = n;
        part.touched.push_back(t);
      }
      l.owner = p;
    } else {
      l.shared++;
      Touched t;
      t.row = l.row;
      t.lock = n;
      t.mode = LockMode::shared;
      part.touched.push_back(t);
    }
    l.wait_head = part.wait_next;
    if (l.wait_head == 0) l.wait_tail = 0;
    wake_part(p);
  }
  if (l.owner == 0 && l.shared == 0 && l.wait_head == 0) {
    l.replica->rows.row(l.row)->lock = 0;
    locks_.give(n);
  }
}

// Lets go of one row. `row_goes`: the caller removes the row right after; whoever waits starts over with a new look-up.
void Worker::release_lock(std::uint32_t p, Touched& t, bool row_goes) {
  std::uint32_t n = t.lock;
  t.lock = 0;
  Lock& l = locks_[n];
  if (l.owner == p) {
    l.owner = 0;
  } else {
    NDB_CHECK(l.shared > 0);
    l.shared--;
  }
  if (!row_goes) {
    grant_waiters(n);
    return;
  }
  NDB_CHECK(l.owner == 0 && l.shared == 0);
  while (l.wait_head != 0) {
    std::uint32_t w = l.wait_head;
    l.wait_head = parts_[w].wait_next;
    wake_part(w);
  }
  l.replica->rows.row(l.row)->lock = 0;
  locks_.give(n);
}

void Worker::run_ready() {
  while (!ready_.empty()) {
    std::uint32_t p = ready_.front();
    ready_.pop_front();
    if (parts_.used(p) && parts_[p].state == PartState::waiting && parts_[p].wait_ticket == 0) {
      parts_[p].state = PartState::running;
      run_part(p);
    }
  }
}

void Worker::expire_waits() {
  while (!waits_.empty()) {
    const Wait w = waits_.front();
    bool live = parts_.used(w.part) && parts_[w.part].wait_ticket == w.ticket;
    if (live && w.deadline > now_) break;
    waits_.pop_front();
    if (!live) continue;
    leave_queue(w.part);
    fail_part(w.part, Error::lock_timeout);
  }
}

}  // namespace ndb::txn
