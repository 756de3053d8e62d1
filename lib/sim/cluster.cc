#include "sim/cluster.h"

#include <algorithm>

namespace ndb::sim {
namespace {
constexpr std::uint16_t kManagementPort = 1186;
constexpr std::uint16_t kDataPort = 2202;
constexpr NodeId kFirstManagement = 145;
constexpr std::uint32_t kDurableRounds = 3;  // what a node in sync holds is on its disk after so many durable epochs
constexpr Time kAngel = 100 * kMillisecond;  // until a process that wants to be restarted is
std::string host(const char* kind, std::size_t i) { return kind + std::to_string(i); }
}  // namespace

ClusterSettings ClusterSettings::draw(Prng& prng) {
  ClusterSettings s;
  s.management = prng.chance(0.5) ? 1 : 3;
  s.groups = static_cast<std::uint32_t>(prng.between(1, 2));
  s.workers = static_cast<std::uint8_t>(1u << prng.below(3));
  s.lock_wait_ms = static_cast<std::uint32_t>(prng.between(50, 1200));
  s.diskless = prng.chance(0.15);
  s.redo_files = static_cast<std::uint32_t>(prng.between(3, 6));
  s.redo_file_kib = 128u << prng.below(4);
  s.epoch_ms = static_cast<std::uint32_t>(prng.between(20, 2000));
  s.worker_links = s.workers > 1 && s.lock_wait_ms % 4 != 0;  // three in four, without a draw of its own
  return s;
}

Cluster::Cluster(World& world, std::uint64_t seed, ClusterSettings settings)
    : world_(world), prng_(seed ^ 0x636c7573746572u), settings_(settings), checks_(world) {
  for (std::uint32_t i = 0; i < settings_.management; i++) add_management(i);
  for (std::uint32_t i = 0; i < data_nodes(); i++) add_data(static_cast<NodeId>(i + 1));
  std::vector<std::string> hosts;
  for (std::uint32_t i = 0; i < settings_.management; i++) hosts.push_back(host("m", i + 1));
  ProcessSpec s = spec_for("operator", "op", 0, false);
  s.make = [this, hosts](const StartInfo& info) {
    auto o = std::make_unique<Operator>(info.seed, hosts, kManagementPort);
    operator_ = o.get();
    return o;
  };
  operator_process_ = world_.add(std::move(s));
  processes_.emplace_back();
}

std::string Cluster::config_text() const {
  std::string s = "[ndbd default]\nNoOfReplicas=" + std::to_string(settings_.replicas) +
                  "\nDataMemory=16M\nTransactionDeadlockDetectionTimeout=" + std::to_string(settings_.lock_wait_ms) +
                  "\nDiskless=" + (settings_.diskless ? "1" : "0") +
                  "\nTimeBetweenGlobalCheckpoints=" + std::to_string(settings_.epoch_ms) + "\n";
  for (std::uint32_t i = 0; i < settings_.management; i++) {
    s += "[ndb_mgmd]\nNodeId=" + std::to_string(kFirstManagement + i) + "\nHostName=" + host("m", i + 1) + "\n";
  }
  for (std::uint32_t i = 0; i < data_nodes(); i++) {
    s += "[ndbd]\nNodeId=" + std::to_string(i + 1) + "\nHostName=" + host("n", i + 1) +
         "\nServerPort=" + std::to_string(kDataPort) + "\n";
    if (i >= settings_.groups * settings_.replicas) s += "NodeGroup=65536\n";
  }
  return s + "[mysqld]\n[mysqld]\n";
}

ProcessSpec Cluster::spec_for(std::string name, std::string where, std::uint16_t port, bool text) {
  ProcessSpec s;
  s.name = std::move(name);
  s.host = std::move(where);
  if (port != 0) s.ports = {{port, text}};
  s.clock_offset = static_cast<Time>(prng_.below(100000)) * kMillisecond;
  s.clock_drift_ppm = static_cast<std::int64_t>(prng_.below(401)) - 200;
  return s;
}

std::uint64_t Cluster::raft_id(ProcessId p) {
  std::uint64_t stored = processes_[p].disk->store().durable().raft_id;
  return stored != 0 ? stored : processes_[p].raft_id = (prng_.next() >> 1) | 1;
}

void Cluster::add_management(std::uint32_t i) {
  auto p = static_cast<ProcessId>(world_.processes());
  ProcessSpec s = spec_for("mgmd " + std::to_string(kFirstManagement + i), host("m", i + 1), kManagementPort, true);
  s.make = [this, p, i](const StartInfo& info) {
    mgmt::ServerOptions o;
    o.node = static_cast<NodeId>(kFirstManagement + i);
    o.raft_id = raft_id(p);
    o.seed = info.seed;
    o.unix_offset_ns = 1700000000 * kSecond;
    o.port = kManagementPort;
    o.config_text = config_text();
    o.config_source = "config.ini";
    o.who = "sim@sim";
    return std::make_unique<mgmt::Server>(processes_[p].disk->store(), files_, std::move(o));
  };
  s.lost = [this, p](bool) { processes_[p].disk->crashed(); };
  s.exited = [this, p](int status) { exited(p, status); };
  s.stepped = [this, p] { stepped(p); };
  management_.push_back(world_.add(std::move(s)));
  processes_.emplace_back();
  processes_[p].disk = std::make_unique<LogDisk>(world_, prng_.next());
  processes_[p].disk->attach(p);
}

void Cluster::add_data(NodeId id) {
  auto p = static_cast<ProcessId>(world_.processes());
  ProcessSpec s = spec_for("node " + std::to_string(id), host("n", id), kDataPort, false);
  s.make = [this, p, id](const StartInfo& info) {
    node::NodeOptions o;
    o.node = id;
    o.raft_id = raft_id(p);
    o.seed = info.seed;
    for (std::uint32_t i = 0; i < settings_.management; i++)
      o.servers.push_back({0, host("m", i + 1), kManagementPort});
    o.address = host("n", id);
    o.port = kDataPort;
    o.workers = settings_.workers;
    o.worker_links = settings_.worker_links;
    if (processes_[p].rows) {
      o.has_rows = processes_[p].rows->hold_rows();
      o.disks = processes_[p].rows->disks();
      o.disk_cluster = 1;
    }
    return std::make_unique<node::Node>(processes_[p].disk->store(), std::move(o));
  };
  s.lost = [this, p](bool power) { lost(p, power); };
  s.exited = [this, p](int status) { exited(p, status); };
  s.stepped = [this, p] { stepped(p); };
  data_.push_back(world_.add(std::move(s)));
  processes_.emplace_back();
  processes_[p].disk = std::make_unique<LogDisk>(world_, prng_.next());
  processes_[p].disk->attach(p);
  if (settings_.diskless) return;
  const store::RedoLayout layout{store::RedoLayout::kHeaderBytes + (std::uint64_t{settings_.redo_file_kib} << 10),
                                 settings_.redo_files};
  processes_[p].rows = std::make_unique<RowDisks>(world_, prng_.next(), settings_.workers, layout);
  processes_[p].rows->attach(p);
}

ProcessId Cluster::add_client(Actor& actor, Time deadline) {
  std::size_t n = clients_.size() + 1;
  ProcessSpec s = spec_for("client " + std::to_string(n), host("c", n), 0, false);
  s.make = [this, &actor, deadline](const StartInfo& info) {
    client::ClientOptions o;
    o.session = info.seed | 1;
    o.seed = info.seed;
    o.slots = 64;
    o.deadline = deadline;
    for (std::uint32_t i = 0; i < settings_.management; i++)
      o.management.push_back({host("m", i + 1), kManagementPort});
    return std::make_unique<ClientProcess>(std::move(o), actor);
  };
  s.lost = [&actor](bool) { actor.lost(); };
  clients_.push_back(world_.add(std::move(s)));
  processes_.emplace_back();
  return clients_.back();
}

// --- looking at it

const meta::Member* Cluster::member_of(ProcessId p) const {
  env::Machine* m = world_.machine(p);
  if (!m) return nullptr;
  if (p < management_.size()) return &static_cast<mgmt::Server*>(m)->member();
  return &static_cast<node::Node*>(m)->member();
}

node::Node* Cluster::data_node(NodeId id) const { return static_cast<node::Node*>(world_.machine(data_[id - 1u])); }
mgmt::Server* Cluster::server(std::uint32_t i) const {
  return static_cast<mgmt::Server*>(world_.machine(management_[i]));
}

std::shared_ptr<const meta::Catalog> Cluster::newest() const {
  std::shared_ptr<const meta::Catalog> best;
  for (ProcessId p = 0; p < management_.size() + data_.size(); p++) {
    const meta::Member* m = member_of(p);
    if (m && (!best || m->catalog()->version > best->version)) best = m->catalog();
  }
  return best ? best : std::make_shared<const meta::Catalog>();
}

bool Cluster::serves(NodeId id) const {
  const node::Node* n = data_node(id);
  if (!n || !n->in_sync() || n->stopping()) return false;
  auto c = newest();
  const meta::Node* now = c->node(id);
  const meta::Node* own = n->member().catalog()->node(id);
  return now && own && now->state == meta::NodeState::in_sync && now->incarnation == own->incarnation;
}

bool Cluster::healthy() const {
  auto c = newest();
  if (!c->started) return false;
  for (ProcessId p = 0; p < management_.size() + data_.size(); p++) {
    const meta::Member* own = member_of(p);
    if (!own || own->catalog()->version != c->version) return false;
  }
  for (NodeId id = 1; id <= data_nodes(); id++) {
    if (!serves(id)) return false;
  }
  return true;
}

bool Cluster::all_applied() const {
  for (ProcessId p = 0; p < management_.size() + data_.size(); p++) {
    const meta::Member* m = member_of(p);
    if (m != nullptr && m->log().last_applied() != m->log().last_index()) return false;
  }
  return true;
}

// "101 term 3 leader 100 of 100v 101v 102": raft ids by their last digits; v = voter, s = spare.
std::string Cluster::members_of(const meta::Log& log) {
  std::string s = std::to_string(log.raft_id() % 1000) + " term " + std::to_string(log.term()) + " leader " +
                  std::to_string(log.leader_raft_id() % 1000) + " of";
  for (const auto& i : log.members()) {
    s += " " + std::to_string(i.raft_id % 1000) +
         (i.role == meta::Role::voter   ? "v"
          : i.role == meta::Role::spare ? "s"
                                        : "");
  }
  return s;
}

std::string Cluster::describe() const {
  auto c = newest();
  std::string s = "version " + std::to_string(c->version);
  for (ProcessId p = 0; p < management_.size() + data_.size(); p++) {
    const meta::Member* own = member_of(p);
    s += "; " + world_.name(p) + (own ? " at " + std::to_string(own->catalog()->version) : std::string(" dead"));
    if (p < management_.size()) {
      if (own && static_cast<mgmt::Server*>(world_.machine(p))->leading()) s += " leading";
      const auto& d = processes_[p].disk->store().durable();
      s += " (" + std::to_string(d.raft_id % 1000) + " term " + std::to_string(d.term) + ", stored from " +
           std::to_string(d.snapshot.index) + " " + std::to_string(d.entries.size()) + " entries)";
    }
    if (own) s += " (" + members_of(own->log()) + ")";
    if (p >= management_.size()) {
      const meta::Node* n = c->node(static_cast<NodeId>(p - management_.size() + 1));
      if (n) s += std::string(" ") + meta::name_of(n->state);
    }
  }
  return s;
}

void Cluster::stepped(ProcessId p) {
  processes_[p].disk->stepped();
  if (processes_[p].rows) processes_[p].rows->stepped();
  auto c = member_of(p)->catalog();
  if (c.get() == processes_[p].seen) return;
  if (c->version != 0) checks_.replaced(p, *c);
  look_for_restarts(*c);
  processes_[p].seen = c.get();
  processes_[p].keep = std::move(c);
}

void Cluster::look_for_restarts(const meta::Catalog& c) {
  if (c.durable_epoch > durable_seen_) {
    durable_seen_ = c.durable_epoch;
    for (NodeId id = 1; id <= data_nodes(); id++) {
      Process& p = processes_[data_[id - 1u]];
      if (!serves(id)) continue;
      if (p.incomplete != 0) p.incomplete--;
      p.settled++;
    }
  }
  for (const auto& [id, g] : c.groups) {
    if (g.restarted <= restart_seen_) continue;
    restart_seen_ = g.restarted;
    restored_epoch_ = c.durable_epoch;
    restarts_++;
    world_.remark("the cluster came back at epoch " + std::to_string(c.durable_epoch));
  }
}

void Cluster::lost(ProcessId p, bool power) {
  processes_[p].settled = 0;
  processes_[p].disk->crashed();
  if (processes_[p].rows) processes_[p].rows->crashed(power);
}

void Cluster::exited(ProcessId p, int status) {
  lost(p, false);
  if (status == node::kExitRestart || status == node::kExitRestartInitial) {
    if (status == node::kExitRestartInitial) {
      processes_[p].disk->wipe();
      if (processes_[p].rows) processes_[p].rows->wipe();
    }
    world_.after(kAngel, [this, p] { world_.start(p); });
  } else if (status != 0 && processes_[p].incomplete != 0) {
    // Without its files it is not let in as long as nobody else has its rows in memory: somebody tries again.
    world_.after(kSecond, [this, p] { world_.start(p); });
  } else if (status != 0) {
    world_.fail(world_.name(p) + " ended with status " + std::to_string(status));
  }
}

bool Cluster::start(Time limit) {
  for (ProcessId p = 0; p < management_.size() + data_.size(); p++) {
    world_.after(static_cast<Time>(prng_.below(300)) * kMillisecond, [this, p] { world_.start(p); });
  }
  world_.start(operator_process_);
  if (world_.run_until([this] { return world_.now() > kSecond / 3 && healthy(); }, limit)) return true;
  world_.fail("the cluster does not start: " + describe());
  return false;
}

// --- faults

std::vector<ProcessId> Cluster::heirs(ProcessId p, bool* lonely) const {
  *lonely = false;
  std::vector<ProcessId> found;
  if (p < management_.size() || p >= management_.size() + data_.size()) return found;
  auto id = static_cast<NodeId>(p - management_.size() + 1);
  auto c = newest();
  const meta::Node* n = c->node(id);
  const meta::Group* g = n ? c->group(n->group) : nullptr;
  if (!g) {
    *lonely = !c->started;
    return found;
  }
  for (NodeId other : g->members) {
    if (other != id && serves(other) && !world_.paused(data_[other - 1u])) found.push_back(data_[other - 1u]);
  }
  *lonely = found.empty() && n->state == meta::NodeState::in_sync;
  return found;
}

bool Cluster::may(Fault f, ProcessId p) const {
  bool lonely = false;
  if (f == Fault::kill || f == Fault::power) heirs(p, &lonely);
  return !lonely;
}

NemesisOptions Cluster::nemesis_options() const {
  NemesisOptions o;
  o.victims = management_;
  o.victims.insert(o.victims.end(), data_.begin(), data_.end());
  o.bystanders = clients_;
  o.may = [this](Fault f, ProcessId p) { return may(f, p); };
  o.heirs = [this](ProcessId p) {
    bool lonely = false;
    return heirs(p, &lonely);
  };
  return o;
}

NemesisOptions Cluster::ruthless_options() {
  NemesisOptions o = nemesis_options();
  if (settings_.diskless) return o;
  o.may = nullptr;
  o.heirs = nullptr;
  o.lose_files = [this](ProcessId p) {
    return p >= management_.size() && p < management_.size() + data_.size() &&
           lose_files(static_cast<NodeId>(p - management_.size() + 1));
  };
  o.crowd = [this](Prng& prng) {
    std::vector<ProcessId> all;
    if (prng.chance(0.5)) {  // one group
      const auto c = newest();
      if (c->groups.empty()) return all;
      auto g = c->groups.begin();
      std::advance(g, prng.below(c->groups.size()));
      for (NodeId id : g->second.members) all.push_back(data_[id - 1u]);
      return all;
    }
    all = data_;
    if (prng.chance(0.3)) all.insert(all.end(), management_.begin(), management_.end());
    return all;
  };
  return o;
}

// Without its files a node is no voter any more; of two voters the other one alone could decide nothing, not even that.
bool Cluster::log_survives_loss(NodeId id) {
  const meta::Member* newest = nullptr;
  for (ProcessId p : data_) {
    const meta::Member* m = member_of(p);
    if (m && (!newest || m->catalog()->version >= newest->catalog()->version)) newest = m;
  }
  if (!newest) return false;
  const std::uint64_t raft_id = processes_[data_[id - 1u]].disk->store().durable().raft_id;
  std::size_t voters = 0;
  bool votes = false;
  for (const meta::MemberInfo& m : newest->log().members()) {
    if (m.role != meta::Role::voter) continue;
    voters++;
    votes |= m.raft_id == raft_id;
  }
  return !votes || voters >= 3;
}

bool Cluster::lose_files(NodeId id) {
  const auto c = newest();
  const meta::Node* n = c->node(id);
  const meta::Group* g = n ? c->group(n->group) : nullptr;
  if (!g || settings_.diskless) return false;
  // With its files goes a voter of the metadata log: one at a time.
  for (NodeId other = 1; other <= data_nodes(); other++) {
    if (other != id && processes_[data_[other - 1u]].incomplete != 0) return false;
  }
  bool safe = false;
  for (NodeId other : g->members)
    safe = safe || (other != id && serves(other) && processes_[data_[other - 1u]].settled >= kDurableRounds);
  const ProcessId p = data_[id - 1u];
  if (!safe || !log_survives_loss(id)) return false;
  world_.kill(p, true);
  world_.remark(world_.name(p) + " has lost its files; " + describe());
  processes_[p].disk->wipe();
  processes_[p].rows->wipe();
  processes_[p].incomplete = kDurableRounds;
  return true;
}

bool Cluster::settle(Time limit) {
  if (world_.run_until([this] { return healthy() && all_applied(); }, limit)) return true;
  world_.fail("the cluster is not whole again within " + time_text(limit) + " s of calm: " + describe());
  return false;
}

// --- the rows

bool Cluster::check_fragment(const meta::Catalog& c, const meta::Table& t, FragmentId f, std::uint64_t* rows) {
  const FragmentRef ref{t.id, f};
  const std::string where = "table " + t.name + " fragment " + std::to_string(f);
  const meta::Group* g = t.distribution.groups[f] == kNoGroup ? nullptr : c.group(t.distribution.groups[f]);
  std::uint64_t checksum = 0, count = 0;
  bool first = true;
  for (NodeId id = 1; id <= data_nodes(); id++) {
    bool member = g && std::find(g->members.begin(), g->members.end(), id) != g->members.end();
    node::Node* n = data_node(id);
    for (std::size_t w = 0; n && w < n->workers(); w++) {
      txn::Replica* r = n->worker(w).replica(ref);
      if (!r) continue;
      const std::string at = where + " at node " + std::to_string(id);
      if (!member) {
        if (r->rows.rows() != 0) world_.fail(at + ": rows where none should be");
        continue;
      }
      if (r->rows.rows_uncommitted() != 0) world_.fail(at + ": uncommitted rows in the quiet");
      std::vector<store::RowRef> found;
      for (std::uint64_t cursor = 0; cursor != store::kScanEnd;) cursor = r->rows.scan(cursor, found);
      for (store::RowRef row : found) {
        std::uint64_t hash = r->rows.shape().hash_of_image(r->rows.image(row));
        if (t.distribution.map[meta::bucket_of(hash)] != f) world_.fail(at + ": a row that lives elsewhere");
      }
      if (found.size() != r->rows.rows()) world_.fail(at + ": a scan finds another number of rows");
      world_.remark(at + ": " + (r->leads() ? "leads" : "follows") + ", appended " + std::to_string(r->appended) +
                    ", committed " + std::to_string(r->committed) + ", prepared " + std::to_string(r->prepared.size()) +
                    ", rows " + std::to_string(r->rows.rows()) + ", checksum " + std::to_string(r->rows.checksum()));
      if (!first && (checksum != r->rows.checksum() || count != r->rows.rows())) {
        world_.fail(at + ": differs from the other replica: " + std::to_string(r->rows.rows()) + " rows, not " +
                    std::to_string(count));
      }
      first = false;
      checksum = r->rows.checksum();
      count = r->rows.rows();
    }
  }
  *rows += count;
  return !world_.failed();
}

std::string Cluster::whereabouts(TableId table, Bytes key, std::uint64_t hash) const {
  const char* const roles[] = {"joining", "backup", "takeover", "primary"};
  const auto c = newest();
  const meta::Table* t = c->table(table);
  if (t == nullptr) return "the table is gone";
  const meta::Distribution& d = t->distribution;
  const std::uint16_t b = meta::bucket_of(hash);
  std::string s = "bucket " + std::to_string(b) + " of fragment " + std::to_string(d.map[b]);
  if (d.moves(b)) s += " -> " + std::to_string(d.next[b]);
  s += std::string(", phase ") + meta::name_of(d.phase);
  for (NodeId id = 1; id <= data_nodes(); id++) {
    node::Node* n = data_node(id);
    for (std::size_t w = 0; n && w < n->workers(); w++) {
      for (FragmentId f = 0; f < d.groups.size(); f++) {
        txn::Replica* r = n->worker(w).replica({table, f});
        const store::RowRef ref = r == nullptr ? 0 : r->rows.find(key, hash);
        if (ref == 0) continue;
        const store::Row* row = r->rows.row(ref);
        s += "; node " + std::to_string(id) + " fragment " + std::to_string(f) + " (" +
             roles[static_cast<std::size_t>(r->role)] + ", committed " + std::to_string(r->committed) + " of " +
             std::to_string(r->appended) + "): sequence " + std::to_string(row->sequence) +
             (row->committed() ? "" : ", uncommitted");
      }
    }
  }
  return s;
}

std::uint64_t Cluster::check_rows(const std::string& table) {
  auto c = newest();
  const meta::Table* t = c->table(table);
  if (!t) return world_.fail("table " + table + " is gone"), 0;
  std::uint64_t rows = 0;
  for (std::size_t f = 0; f < t->distribution.groups.size(); f++) {
    if (!check_fragment(*c, *t, static_cast<FragmentId>(f), &rows)) return 0;
  }
  return rows;
}

}  // namespace ndb::sim
