#include "keeper.h"

#include <algorithm>

namespace ndb::simtest {

Time Keeper::act(Time now, client::ClientMachine& m) {
  if (!m.catalog() || !m.catalog()->table(all_.run.table.id())) return now + 10 * kMillisecond;
  Time again = kNever;
  for (std::size_t i = 0; i < lanes_.size(); i++) {
    Lane& l = lanes_[i];
    if (l.busy || all_.run.quiet) continue;
    if (now >= l.next) begin(i, m);
    if (!l.busy && l.next < again) again = l.next;
  }
  return again;
}

void Keeper::answered(Time now, const client::StepResult& r, client::ClientMachine& m) {
  Lane& l = lanes_[r.tag];
  if (r.state == wire::TxnState::committed) {
    all_.acked++;
    for (const Change& c : l.changes) all_.may_be[c.id] = {c.value};
    if (l.reads && r.answered) check_read(l, r);
  } else if (r.state == wire::TxnState::unknown) {
    if (!l.in_doubt) give_up(l);
    if (!l.reads) {  // no other change of its rows before it is known what became of this one
      l.in_doubt = true;
      m.ask_again(r.handle);
      return;
    }
  } else if (l.in_doubt) {
    for (const Change& c : l.changes) all_.may_be[c.id] = c.before;
  } else {
    all_.refused++;
    if (!l.reads) check_refusal(l, r);
  }
  m.release(r.handle);
  l.busy = l.in_doubt = false;
  l.next = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * pause_)));
}

void Keeper::lost() {
  for (Lane& l : lanes_) {
    if (l.busy) give_up(l);
    l = Lane();
  }
}

bool Keeper::is_idle() const {
  return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.busy; });
}

bool Keeper::taken(std::uint64_t id) const {
  for (const Lane& l : lanes_) {
    if (!l.busy) continue;
    if (l.reads && l.read_id == id) return true;
    for (const Change& c : l.changes) {
      if (c.id == id) return true;
    }
  }
  return false;
}

const std::set<std::uint64_t>& Keeper::now_is(std::uint64_t id) {
  auto [i, fresh] = all_.may_be.try_emplace(id);
  if (fresh) i->second = {kAbsent};
  return i->second;
}

void Keeper::begin(std::size_t i, client::ClientMachine& m) {
  Lane& l = lanes_[i];
  client::Handle h = m.open(i);
  if (h == client::kNoHandle) return;
  l.changes.clear();
  l.reads = prng_.chance(0.3);
  std::uint64_t n = l.reads ? 1 : 1 + prng_.below(4);
  const TestTable& t = all_.run.table;
  for (std::uint64_t k = 0; k < n; k++) {
    std::uint64_t id = first_ + prng_.below(ids_);
    bool again = std::any_of(l.changes.begin(), l.changes.end(), [&](const Change& c) { return c.id == id; });
    if (taken(id) || again) continue;
    if (l.reads) {
      l.read_id = id;
      t.add(m, h, prng_.chance(0.7) ? wire::Op::read : wire::Op::read_shared, id);
      continue;
    }
    Change c = draw(id);
    l.changes.push_back(c);
    if (c.op == wire::Op::remove) {
      t.add(m, h, c.op, id);
    } else {
      t.put(m, h, c.op, id, c.value, std::string(prng_.below(all_.data_bytes), 'x'));
    }
  }
  if (m.operations(h) == 0) {
    m.release(h);
    l.next += pause_;
    return;
  }
  l.busy = true;
  const std::uint8_t flags = l.reads ? wire::kKeepGoing : all_.durable ? wire::kDurable : 0;
  m.send(h, static_cast<std::uint8_t>(wire::kCommit | flags));
}

Keeper::Change Keeper::draw(std::uint64_t id) {
  const std::set<std::uint64_t>& is = now_is(id);
  std::uint64_t value = all_.next_value++;
  if (is.size() > 1) return {id, value, wire::Op::write};
  if (*is.begin() == kAbsent) return {id, value, prng_.chance(0.7) ? wire::Op::insert : wire::Op::write};
  if (prng_.chance(0.3)) return {id, kAbsent, wire::Op::remove};
  return {id, value, prng_.chance(0.6) ? wire::Op::replace : wire::Op::write};
}

void Keeper::give_up(Lane& l) {
  all_.unknown++;
  for (Change& c : l.changes) {
    c.before = now_is(c.id);
    all_.may_be[c.id].insert(c.value);
  }
}

void Keeper::check_read(const Lane& l, const client::StepResult& r) {
  client::ResultReader reader(r);
  Error e = Error::ok;
  Bytes image;
  if (!reader.next(&e, &image) || (e != Error::ok && e != Error::no_such_row)) return;
  std::uint64_t value = e == Error::ok ? all_.run.table.value_of(image) : kAbsent;
  all_.reads++;
  if (now_is(l.read_id).contains(value)) {
    if (!all_.durable) all_.may_be[l.read_id] = {value};  // nobody else changes it; what is read may not be durable yet
    return;
  }
  all_.run.world.fail("row " + std::to_string(l.read_id) + " was read as " + std::to_string(value) + ", expected " +
                      words(l.read_id) + "; " + whereabouts(l.read_id));
}

std::string Keeper::whereabouts(std::uint64_t id) const {
  const std::string key = all_.run.table.key(id);
  return all_.run.cluster.whereabouts(all_.run.table.id(), key, all_.run.table.hash(key));
}

void Keeper::check_refusal(const Lane& l, const client::StepResult& r) {
  if (r.error != Error::row_exists && r.error != Error::no_such_row) return;
  std::string s;
  for (const Change& c : l.changes) s += " " + std::to_string(c.id) + " (" + words(c.id) + ") " + whereabouts(c.id);
  all_.run.world.fail("refused with " + std::string(error_info(r.error).sentence) + ":" + s);
}

std::string Keeper::words(std::uint64_t id) {
  std::string s;
  for (std::uint64_t v : now_is(id)) s += (s.empty() ? "" : " or ") + std::to_string(v);
  return s;
}

void check_rows(ClusterRun& run, Rows& rows) {
  if (run.world.failed()) return;
  std::uint64_t stored = run.cluster.check_rows("t");
  auto found = run.scan_all();
  if (run.world.failed()) return;
  std::uint64_t expected = 0;
  for (const auto& [id, values] : rows.may_be) {
    auto i = found.find(id);
    std::uint64_t value = i == found.end() ? kAbsent : run.table.value_of(i->second);
    expected += value != kAbsent;
    if (values.contains(value)) continue;
    return run.world.fail("at the end row " + std::to_string(id) + " is " + std::to_string(value) + ", expected " +
                          std::to_string(*values.rbegin()) + " (0 = absent)");
  }
  if (found.size() != expected) return run.world.fail("rows that nobody wrote");
  if (stored != found.size()) {
    run.world.fail("the nodes hold " + std::to_string(stored) + " rows, a scan finds " + std::to_string(found.size()));
  }
}

}  // namespace ndb::simtest
