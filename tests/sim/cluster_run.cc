#include "cluster_run.h"

#include <array>

#include "scanner.h"

namespace ndb::simtest {

std::string TestTable::definition(const std::string& name, bool unique) {
  return "{\"name\":\"" + name +
         "\", \"columns\":[{\"name\":\"id\", \"type\":\"ubigint\", \"nullable\":false},"
         "{\"name\":\"value\", \"type\":\"ubigint\", \"nullable\":" +
         (unique ? "true" : "false") +
         "},"
         "{\"name\":\"data\", \"type\":\"varbinary\", \"length\":8000, \"nullable\":false}],"
         "\"primary_key\":[\"id\"]" +
         (unique ? ", \"unique\":[{\"columns\":[\"value\"]}]}" : "}");
}

bool TestTable::find(const meta::Catalog& c, const std::string& name) {
  const meta::Table* t = c.table(name);
  if (!t) return false;
  auto shape = store::RowShape::make(*t);
  if (!shape) return false;
  shape_ = *shape;
  id_ = t->id;
  return true;
}

std::string TestTable::key(std::uint64_t id) const {
  Writer w;
  std::array v = {store::Value::of_uint(id)};
  NDB_CHECK(shape_.encode_key(v, w) == Error::ok);
  return std::string(w.view());
}

std::string TestTable::image(std::uint64_t id, std::uint64_t value, Bytes data) const {
  Writer w;
  const bool null = value == 0 && shape_.column(1).column.nullable;
  std::array v = {store::Value::of_uint(id), null ? store::Value::null() : store::Value::of_uint(value),
                  store::Value::of_bytes(data)};
  NDB_CHECK(shape_.encode(v, w) == Error::ok);
  return std::string(w.view());
}

std::string TestTable::patch(std::uint64_t value) const {
  Writer w;
  NDB_CHECK(shape_.encode_patch(1, value == 0 ? store::Value::null() : store::Value::of_uint(value), w) == Error::ok);
  return std::string(w.view());
}

void TestTable::add(client::ClientMachine& m, client::Handle h, wire::Op op, std::uint64_t id) const {
  std::string k = key(id);
  m.add(h, op, id_, hash(k), k);
}

void TestTable::put(client::ClientMachine& m, client::Handle h, wire::Op op, std::uint64_t id, std::uint64_t value,
                    Bytes data) const {
  std::string k = key(id);
  m.add(h, op, id_, hash(k), k, image(id, value, data));
}

namespace {
sim::ClusterSettings drawn(std::uint64_t seed) {
  Prng prng(seed ^ 0x73657474696e67u);
  return sim::ClusterSettings::draw(prng);
}

}  // namespace

Time Scanner::act(Time now, client::ClientMachine& m) {
  if (done || !m.catalog() || !m.catalog()->table(table_.id())) return done ? kNever : now + 10 * kMillisecond;
  if (scan_ == client::kNoScan) {
    rows.clear();
    doubled.clear();
    client::ScanOptions o;
    scan_ = m.scan_open(table_.id(), o);
    if (scan_ == client::kNoScan) return now + 10 * kMillisecond;
  }
  Bytes bytes;
  std::uint32_t count = 0;
  while (m.scan_batch(scan_, &bytes, &count)) {
    Reader r(bytes);
    for (std::uint32_t i = 0; i < count; i++) {
      Bytes image = r.bytes32();
      std::uint64_t id = table_.id_of(image);
      if (!rows.emplace(id, std::string(image)).second) doubled = "row " + std::to_string(id) + " twice in one scan";
    }
    m.scan_drop(scan_);
  }
  client::ScanState s = m.scan_state(scan_);
  if (s == client::ScanState::finished) {
    m.scan_close(scan_);
    done = true;
    return kNever;
  }
  if (s == client::ScanState::failed) {
    m.scan_close(scan_);
    scan_ = client::kNoScan;
  }
  return now + 5 * kMillisecond;
}

ClusterRun::ClusterRun(std::uint64_t seed) : ClusterRun(seed, drawn(seed)) {}

ClusterRun::ClusterRun(std::uint64_t seed, const sim::ClusterSettings& settings)
    : world(seed), prng(seed), cluster(world, seed, settings) {
  set_current_world(&world);
}

bool ClusterRun::begin(bool unique) { return cluster.start(kStartLimit) && create_table("t", unique); }

bool ClusterRun::order(sim::Order o, sim::Reply* reply, Time limit) {
  bool answered = false;
  std::string command = o.command;
  o.done = [&](const sim::Reply& r) {
    *reply = r;
    answered = true;
  };
  cluster.op().order(std::move(o));
  if (world.run_until([&] { return answered; }, limit)) return true;
  world.fail("no answer to '" + command + "' within " + sim::time_text(limit) + " s");
  return false;
}

bool ClusterRun::create_table(const std::string& name, bool unique) {
  sim::Reply r;
  sim::Order o;
  o.command = "ndb create table";
  o.bulk = TestTable::definition(name, unique);
  if (!order(std::move(o), &r, kStartLimit)) return false;
  if (!r.ok()) world.fail("create table: " + r.text("result"));
  if (!table.find(*cluster.newest(), name)) world.fail("the table is not in the catalog");
  return !world.failed();
}

void ClusterRun::faults(Time lasts, const sim::NemesisOptions& options) {
  if (world.failed()) return;
  nemesis = std::make_unique<sim::Nemesis>(world, world.seed(), options);
  nemesis->begin();
  world.run_for(lasts);
}

void ClusterRun::change_leases(std::uint64_t seed) {
  if (quiet || world.failed()) return;
  Prng p(seed);
  static const char* const intervals_ms[] = {"50", "100", "200", "400", "600", ""};  // leases of 0.2 to 2.4 s
  sim::Order o;
  o.command = "ndb set live";
  o.keys = {{"nodes", "all"}, {"name", "HeartbeatIntervalDbDb"}};
  if (const char* ms = intervals_ms[p.below(6)]; *ms != 0) o.keys.emplace_back("value", ms);
  o.changes = false;
  const Time next = static_cast<Time>(p.chance(0.5) ? p.between(20, 300) : p.between(300, 4000)) * kMillisecond;
  o.done = [this, next, again = p.next()](const sim::Reply&) {
    world.after(next, [this, again] { change_leases(again); });
  };
  cluster.op().order(std::move(o));
}

void ClusterRun::calm(const std::function<bool()>& idle) {
  if (nemesis) nemesis->calm();
  if (world.failed()) return;
  quiet = true;
  if (!world.run_until(idle, kSettleLimit))
    world.fail("something still waits for an answer after a minute of calm: " + cluster.describe());
  if (world.failed()) return;
  cluster.settle(kSettleLimit);
  world.run_for(kSecond);  // the last commit points travel
}

std::map<std::uint64_t, std::string> ClusterRun::scan_all(const TestTable& t) {
  if (world.failed()) return {};
  Scanner scanner(t);
  sim::ProcessId p = cluster.add_client(scanner, kClientLimit);
  world.start(p);
  if (!world.run_until([&] { return scanner.done; }, kSettleLimit)) world.fail("a scan does not end in the quiet");
  if (!scanner.doubled.empty()) world.fail(scanner.doubled);
  world.kill(p, false);
  return scanner.rows;
}

Verdict ClusterRun::verdict(const std::string& note) {
  const sim::ClusterSettings& s = cluster.settings();
  return verdict_of(world, std::to_string(s.management) + " mgmd, " + std::to_string(s.groups) + " groups, " +
                               std::to_string(s.workers) + " workers; " + note + "; " +
                               (nemesis ? nemesis->profile() : std::string("no faults")));
}

Time draw_length(Prng& prng) { return static_cast<Time>(prng.between(2000, 10000)) * kMillisecond; }

}  // namespace ndb::simtest
