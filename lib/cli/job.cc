#include "cli/job.h"

#include "cli/json_value.h"
#include "cli/progress.h"
#include "os/files.h"

namespace ndb::cli {

namespace {

constexpr Time kLookEvery = 200 * kMillisecond;  // for progress; phases end the waiting at once

Job read(const JsonValue& v) {
  Job j;
  j.id = v["id"].number();
  j.kind = v["kind"].text;
  j.table = v["table"].text;
  j.phase = v["phase"].text;
  j.detail = v["detail"].text;
  j.state = v["state"].text;
  j.percent = v["percent"].number();
  j.rows_to_move = v["rows_to_move"].number();
  j.rows_moved = v["rows_moved"].number();
  j.error = v["error"].number();
  j.started_s = static_cast<std::int64_t>(v["started_s"].number());
  j.resume_on_failure = v["resume_on_failure"].boolean();
  return j;
}

}  // namespace

Result<Job> parse_job(std::string_view json) {
  auto v = JsonValue::parse(json);
  if (!v) return v.failure();
  Job j = read(*v);
  j.json = std::string(json);
  return j;
}

Result<Job> read_job(Tool& tool, std::uint64_t id, Time patience) {
  auto r = tool.ask("ndb show job", {{"job", std::to_string(id)}}, patience);
  if (r) return parse_job(r->bulk);
  if (id == 0 && r.error() == Error::no_such_job) return Job{};
  return r.failure();
}

Result<std::vector<Job>> read_jobs(Tool& tool) {
  auto r = tool.ask("ndb list jobs");
  if (!r) return r.failure();
  auto v = JsonValue::parse(r->bulk);
  if (!v) return v.failure();
  std::vector<Job> jobs;
  for (const JsonValue& j : (*v)["jobs"].items) jobs.push_back(read(j));
  return jobs;
}

Result<Job> wait_for_job(Tool& tool, std::uint64_t id, Time timeout) {
  const Time deadline = timeout == 0 ? kNever : os::monotonic_now() + timeout;
  std::unique_ptr<Progress> progress;
  std::uint64_t version = 0;
  while (true) {
    auto job = read_job(tool, id, kJobPatience);
    if (!job || !job->running() || os::monotonic_now() >= deadline) return job;
    if (!progress) progress = std::make_unique<Progress>(job->table, "rows");
    progress->update(job->rows_moved, job->phase == "copying" ? job->rows_to_move : 0, job->phase);
    version = tool.wait_for_change(version, kLookEvery);
  }
}

Result<std::vector<TableName>> read_tables(Tool& tool) {
  auto r = tool.ask("ndb list tables");
  if (!r) return r.failure();
  auto v = JsonValue::parse(r->bulk);
  if (!v) return v.failure();
  std::vector<TableName> tables;
  for (const JsonValue& t : (*v)["tables"].items) {
    tables.push_back(
        {t["name"].text, t["phase"].text, t["columns"].number(), t["fragments"].number(), t["index_of"].text});
  }
  return tables;
}

}  // namespace ndb::cli
