#include "reorg/driver.h"

#include "base/probe.h"

namespace ndb::reorg {

using meta::Phase;

void Driver::on_report(Bytes body) {
  Reader r(body);
  JobReport j;
  if (decode(r, &j)) on_report(j);
}

void Driver::on_report(const JobReport& r) { reports_[r.node] = r; }

// `all`: the present primary of every fragment says that it is done with the present phase.
Driver::Done Driver::reported_done(const meta::Catalog& c, const meta::Table& t) const {
  const meta::Distribution& d = t.distribution;
  Done sum;
  sum.all = true;
  for (FragmentId f = 0; f < d.groups.size(); f++) {
    if (d.groups[f] == kNoGroup) continue;
    const NodeId primary = c.primary(d.groups[f], f);
    const meta::Node* n = c.node(primary);
    auto i = reports_.find(primary);
    if (n == nullptr || i == reports_.end() || i->second.incarnation != n->incarnation || i->second.job != job_ ||
        i->second.view != d.view) {
      sum.all = false;
      continue;
    }
    bool done = false;
    for (const FragmentReport& fr : i->second.fragments) {
      if (fr.fragment != f) continue;
      done = fr.done;
      sum.rows += fr.rows;
      sum.epoch = std::max(sum.epoch, fr.epoch);
      if (fr.error != Error::ok) sum.error = fr.error;
    }
    sum.all = sum.all && done;
  }
  return sum;
}

void Driver::step(Time now, meta::Member& member, const meta::Leader& leader, env::Outbox& out) {
  durable_wanted_ = 0;
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
  if (const meta::Group* lost = lost_target(*catalog); lost != nullptr) {
    give_up(now, *catalog, *lost, leader, member, out);
    return;
  }
  target_lost_ = kNever;
  const Phase phase = t->distribution.phase;
  Done done;
  switch (phase) {
    case Phase::none:
      return;
    case Phase::prepare:
    case Phase::doubling:
    case Phase::switched:
    case Phase::settling:
      done.all = leader.barrier_reached(*catalog, t->distribution.view);
      break;
    case Phase::copying:
      rows_copied_ = (done = reported_done(*catalog, *t)).rows;
      break;
    case Phase::deciding:
    case Phase::cleaning:
      done = reported_done(*catalog, *t);
      if (!done.all || done.epoch <= catalog->durable_epoch) break;
      durable_wanted_ = done.epoch;
      done.all = false;
      break;
  }
  meta::Command c;
  if (done.error != Error::ok && !past_commit_point(phase)) {  // below the commit point there is only forward
    c.body = meta::AbortReorg{job->id, done.error, std::string(error_info(done.error).sentence)};
    out.log(env::Severity::warning, "reorganisation of table '" + job->table_name +
                                        "' is rolled back: " + std::string(error_info(done.error).sentence));
  } else if (done.all) {
    const Phase next = phase == Phase::cleaning ? Phase::none : static_cast<Phase>(static_cast<int>(phase) + 1);
    c.body = meta::AdvanceReorg{job->id, next, next == Phase::none ? done.rows : rows_copied_};
  } else {
    return;
  }
  asked_ = member.propose(now, std::move(c));
}

// A job that is to be resumed goes on when the whole cluster was lost; when the others are still there after a while,
// those that it copied to were lost alone.
void Driver::give_up(Time now, const meta::Catalog& catalog, const meta::Group& lost, const meta::Leader& leader,
                     meta::Member& member, env::Outbox& out) {
  const meta::Job& job = *catalog.running_job();
  if (target_lost_ == kNever || !leader.all_rows_served(now, catalog)) target_lost_ = now;
  const Time until = target_lost_ + limits::kTargetPatience;
  if (now < until) return out.wake_at(until);
  NDB_PROBE("reorg.target_lost");
  const std::string why = lost_target_text(lost);
  out.log(env::Severity::warning, "reorganisation of table '" + job.table_name + "' is rolled back: " + why);
  meta::Command c;
  c.body = meta::AbortReorg{job.id, Error::node_failure, why};
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
