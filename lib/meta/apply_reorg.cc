// A reorganisation as the log sees it: one entry a phase. `switched` is the commit point: before it
// the job can be rolled back by one entry, from there on it only goes forward. A job that copied rows into fragments
// that stay (one that drains a group) goes, when it is rolled back, through `settling` and `cleaning` with the old
// distribution as the new one: what was copied is removed there before the schema lock is given back.
#include "base/probe.h"
#include "meta/apply_rules.h"

namespace ndb::meta::rules {
namespace {

// The phase that follows; none after the last.
Phase successor(Phase p) {
  return p == Phase::cleaning ? Phase::none : static_cast<Phase>(static_cast<std::uint8_t>(p) + 1);
}

// The running job with this id; else why there is none.
Result<Job*> running(Catalog& c, std::uint64_t id) {
  auto i = c.jobs.find(id);
  if (i == c.jobs.end()) return Failure{Error::no_such_job, words("no such job: ", id)};
  Job& j = i->second;
  if (j.state != JobState::running) {
    return Failure{Error::no_such_job,
                   words("job ", id, " (table \"", j.table_name, "\") does not run any more: it is ", name_of(j.state),
                         j.detail.empty() ? "" : ", ", j.detail)};
  }
  return &j;
}

// Whether rows may have been written, as copies, to fragments that stay when the job is rolled back: only when a
// fragment that owns buckets already was to receive more. New fragments just go.
bool leaves_copies(const Distribution& d) {
  if (d.phase <= Phase::prepare) return false;
  std::vector<bool> owns(d.groups.size());
  for (const FragmentId f : d.map) owns[f] = true;
  for (std::uint32_t b = 0; b < d.map.size(); b++) {
    if (d.next[b] != d.map[b] && owns[d.next[b]]) return true;
  }
  return false;
}

// The new distribution becomes the only one. A fragment without a bucket is gone.
void finish(Distribution* d) {
  d->map = std::move(d->next);
  d->next.clear();
  d->phase = Phase::none;
  d->steps.clear();
  std::vector<bool> owns(d->groups.size());
  for (const FragmentId f : d->map) owns[f] = true;
  for (std::size_t f = 0; f < d->groups.size(); f++) {
    if (!owns[f]) d->groups[f] = kNoGroup;
  }
}

}  // namespace

void roll_back(Change& change, std::uint64_t job, Error error, std::string detail) {
  Job& j = change.c.jobs.at(job);
  NDB_CHECK(j.state == JobState::running && !past_commit_point(j.phase));
  const Table* now = change.c.table(j.table);
  NDB_CHECK(now != nullptr);
  Table t = *now;
  Distribution& d = t.distribution;
  const bool copies = leaves_copies(d);
  d.groups.resize(old_fragments(d));
  if (copies) {
    d.next = d.map;
    d.phase = Phase::settling;
    d.steps.push_back({change.index, Phase::settling});
  } else {
    d.next.clear();
    d.phase = Phase::none;
    d.steps.clear();
    j.state = JobState::rolled_back;
  }
  j.phase = d.phase;
  j.error = error == Error::ok ? Error::cancelled : error;
  j.detail = std::move(detail);
  change.table(std::move(t));
}

void give_up_lost_copies(Change& change, bool resumed_too) {
  const Group* lost = lost_target(change.c);
  if (lost == nullptr) return;
  const Job& job = *change.c.running_job();
  if (job.resume_on_failure && !resumed_too) return;
  NDB_PROBE("meta.target_group_lost");
  roll_back(change, job.id, Error::node_failure, lost_target_text(*lost));
}

// No transaction of an earlier phase is left: their nodes have all been away.
void copy_again(Change& change, std::uint64_t job) {
  Job& j = change.c.jobs.at(job);
  NDB_CHECK(j.state == JobState::running && !past_commit_point(j.phase));
  j.leader_epoch = change.c.leader_epoch;
  if (j.phase < Phase::copying) return;
  const Table* now = change.c.table(j.table);
  NDB_CHECK(now != nullptr);
  Table t = *now;
  t.distribution.phase = j.phase = Phase::copying;
  t.distribution.steps = {t.distribution.steps.front(),
                          {change.index, Phase::copying}};  // the new fragments stay what they are
  change.table(std::move(t));
}

Outcome run(Change& change, const StartReorg& x) {
  Catalog& c = change.c;
  const Table* now = c.table(x.table);
  if (now == nullptr) return refuse(Error::no_such_table, words("no such table: \"", x.table, "\""));
  if (auto f = schema_lock(c)) return refuse(std::move(f));
  auto planned = planned_distribution(c, *now, x.drain);
  if (!planned) return refuse(planned.failure());
  if (planned->next.empty()) {
    return nothing_to_do(words("table \"", now->name, "\" uses all node groups as asked already"));
  }
  Table t = *now;
  t.distribution = std::move(*planned);
  t.distribution.phase = Phase::prepare;
  t.distribution.steps = {{change.index, Phase::prepare}};
  Job j;
  j.id = c.next_job++;
  j.table = t.id;
  j.table_name = t.name;
  j.phase = Phase::prepare;
  j.resume_on_failure = x.resume_on_failure;
  j.leader_epoch = c.leader_epoch;
  j.started_s = x.now_s;
  j.rows_to_move = x.rows_to_move;
  const std::uint64_t id = j.id;
  c.jobs[id] = std::move(j);
  while (c.jobs.size() > limits::kJobsKept) c.jobs.erase(c.jobs.begin());
  change.table(std::move(t));
  return done({id});
}

Outcome run(Change& change, const AdvanceReorg& x) {
  Catalog& c = change.c;
  auto job = running(c, x.job);
  if (!job) return refuse(job.failure());
  Job& j = **job;
  if (x.phase != successor(j.phase)) {
    return refuse(Error::version_moved, words("job ", x.job, " is in phase ", name_of(j.phase), ", which ",
                                              name_of(x.phase), " does not follow"));
  }
  if (const Group* lost = lost_target(c); x.phase == Phase::switched && lost != nullptr) {
    return refuse(Error::not_ready, lost_target_text(*lost));
  }
  const Table* now = c.table(j.table);
  NDB_CHECK(now != nullptr && now->distribution.phase == j.phase);
  Table t = *now;
  j.phase = x.phase;
  if (x.rows_moved != 0 && !j.rolling_back()) j.rows_moved = x.rows_moved;
  if (x.phase == Phase::none) {
    finish(&t.distribution);
    j.state = j.rolling_back() ? JobState::rolled_back : JobState::done;
  } else {
    t.distribution.phase = x.phase;
    t.distribution.steps.push_back({change.index, x.phase});
  }
  change.table(std::move(t));
  return done({x.job});
}

Outcome run(Change& change, const AbortReorg& x) {
  Catalog& c = change.c;
  auto job = running(c, x.job);
  if (!job) return refuse(job.failure());
  if ((*job)->rolling_back()) return nothing_to_do(words("job ", x.job, " is being rolled back already"));
  if (past_commit_point((*job)->phase)) {
    return refuse(Error::past_commit_point,
                  words("job ", x.job, " (table \"", (*job)->table_name, "\") is in phase ", name_of((*job)->phase),
                        ", past its commit point: it can only go "
                        "forward; wait for it"));
  }
  roll_back(change, x.job, x.error, x.detail);
  return done({x.job});
}

}  // namespace ndb::meta::rules
