#include "reorg/driver.h"

namespace ndb::reorg {

using meta::Phase;

void Driver::on_report(Bytes body) {
  Reader r(body);
  JobReport j;
  if (decode(r, &j)) on_report(j);
}

void Driver::on_report(const JobReport& r) { reports_[r.node] = r; }

// True when the present primary of every fragment says that it is done with the present phase.
bool Driver::reported_done(const meta::Catalog& c, const meta::Table& t, Error* error, std::uint64_t* rows) const {
  const meta::Distribution& d = t.distribution;
  bool all = true;
  *rows = 0;
  for (FragmentId f = 0; f < d.groups.size(); f++) {
    if (d.groups[f] == kNoGroup) continue;
    const NodeId primary = c.primary(d.groups[f], f);
    const meta::Node* n = c.node(primary);
    auto i = reports_.find(primary);
    if (n == nullptr || i == reports_.end() || i->second.incarnation != n->incarnation || i->second.job != job_ ||
        i->second.view != d.view) {
      all = false;
      continue;
    }
    bool done = false;
    for (const FragmentReport& fr : i->second.fragments) {
      if (fr.fragment != f) continue;
      done = fr.done;
      *rows += fr.rows;
      if (fr.error != Error::ok) *error = fr.error;
    }
    all = all && done;
  }
  return all;
}

void Driver::step(Time now, meta::Member& member, const meta::Leader& leader, env::Outbox& out) {
  if (!member.leading() || !leader.leading()) return;
  auto catalog = member.catalog();
  const meta::Job* job = catalog->running_job();
  if (job == nullptr) return;
  if (job->id != job_) {
    job_ = job->id;
    rows_copied_ = 0;
    asked_ = {};
  }
  const meta::Table* t = catalog->table(job->table);
  if (t == nullptr || job->leader_epoch != catalog->leader_epoch) return;
  if (!asked_.none() && member.proposing(asked_)) return;
  bool ready = false;
  Phase next = Phase::none;
  Error error = Error::ok;
  std::uint64_t rows = 0;
  switch (t->distribution.phase) {
    case Phase::prepare:
    case Phase::doubling:
    case Phase::switched:
    case Phase::settling:
      ready = leader.barrier_reached(*catalog, t->distribution.view);
      next = static_cast<Phase>(static_cast<int>(t->distribution.phase) + 1);
      break;
    case Phase::copying:
    case Phase::deciding:
      ready = reported_done(*catalog, *t, &error, &rows);
      if (t->distribution.phase == Phase::copying) rows_copied_ = rows;
      next = static_cast<Phase>(static_cast<int>(t->distribution.phase) + 1);
      break;
    case Phase::cleaning:
      ready = reported_done(*catalog, *t, &error, &rows);
      error = Error::ok;  // below the commit point there is only forward
      next = Phase::none;
      break;
    case Phase::none: return;
  }
  meta::Command c;
  if (error != Error::ok) {
    c.body = meta::AbortReorg{job->id, error, std::string(error_info(error).sentence)};
    out.log(env::Severity::warning, "reorganisation of table '" + job->table_name +
                                        "' is rolled back: " + std::string(error_info(error).sentence));
  } else if (ready) {
    c.body = meta::AdvanceReorg{job->id, next, next == Phase::none ? rows : rows_copied_};
  } else {
    return;
  }
  asked_ = member.propose(now, std::move(c));
}

Driver::Progress Driver::progress(const meta::Catalog& c) const {
  Progress p;
  const meta::Job* job = c.running_job();
  const meta::Table* t = job == nullptr ? nullptr : c.table(job->table);
  if (t == nullptr) return p;
  p.job = job->id;
  p.phase = t->distribution.phase;
  std::uint32_t fragments = 0, percent = 0;
  for (const auto& [node, r] : reports_) {
    if (r.job != p.job || r.view != t->distribution.view) continue;
    for (const FragmentReport& f : r.fragments) {
      fragments++;
      percent += f.percent;
      if (p.phase == Phase::copying) p.rows_copied += f.rows;
    }
  }
  if (p.phase != Phase::copying) p.rows_copied = rows_copied_;
  p.percent = fragments == 0 ? 0 : percent / fragments;
  return p;
}

}  // namespace ndb::reorg
