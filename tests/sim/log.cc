// The workload `log`: members of the metadata log alone, which propose commands at random while processes die, links
// break and the network falls apart. Law: I2, I4, one linear order; when calm comes, everybody gets to the same
// version.
#include <map>
#include <set>

#include "meta/member.h"
#include "random_command.h"
#include "sim/log_disk.h"
#include "sim/metadata_checks.h"
#include "sim/nemesis.h"
#include "wire/frame.h"
#include "workload.h"

namespace ndb::simtest {
namespace {

constexpr std::uint16_t kPort = 2000;
constexpr std::uint16_t kHello = 1, kMember = 10;
constexpr Time kSettle = 20 * kSecond;

struct Setting {
  std::uint32_t members = 3;
  std::uint32_t voters = 3;
  std::uint32_t management = 1;
  std::uint32_t snapshot_threshold = 0, snapshot_trailing = 1;
  Time pause_between = 100 * kMillisecond;
};

class LogMachine : public env::Machine {
 public:
  LogMachine(const Setting& s, std::uint64_t raft_id, std::uint64_t seed, meta::LogStore& store)
      : setting_(s),
        prng_(seed),
        empty_(store.load().raft_id == 0),
        member_(store, {raft_id, seed, s.snapshot_threshold, s.snapshot_trailing}) {}

  void step(Time now, const env::Event& e, env::Outbox& out) override {
    switch (e.kind) {
      case env::EventKind::start:
        begin(now, out);
        break;
      case env::EventKind::no_link:
        redial_.emplace(now + limits::kConnectRetry, e.tag);
        break;
      case env::EventKind::link_up:
        if (e.tag != 0) dialled_[e.link] = e.tag;
        greet(e.link, out);
        break;
      case env::EventKind::link_down:
        lost(now, e.link);
        break;
      case env::EventKind::frame:
        receive(now, e);
        break;
      case env::EventKind::stored:
        member_.stored(now, e.tag, e.status);
        break;
      default:
        break;
    }
    if (now >= member_.wake()) member_.tick(now);
    while (!redial_.empty() && redial_.begin()->first <= now) {
      dial(redial_.begin()->second, out);
      redial_.erase(redial_.begin());
    }
    want();
    if (!*quiet) work(now);
    finish(out);
    out.wake_at(member_.wake());
    if (!redial_.empty()) out.wake_at(redial_.begin()->first);
    if (!*quiet) out.wake_at(next_proposal_);
  }

  meta::Member& member() { return member_; }
  std::size_t open() const { return open_.size(); }
  const bool* quiet = nullptr;
  sim::MetadataChecks* checks = nullptr;
  sim::ProcessId process = 0;
  sim::World* world = nullptr;

 private:
  void begin(Time now, env::Outbox& out) {
    if (empty_ && member_.raft_id() == 1) NDB_CHECK(!member_.bootstrap());
    Failure f = member_.start(now);
    if (f) world->fail("a member does not start: " + f.sentence());
    for (std::uint64_t other = 1; other < member_.raft_id(); other++) dial(other, out);
    next_proposal_ = now;
  }
  void dial(std::uint64_t raft_id, env::Outbox& out) { out.connect(raft_id, "m" + std::to_string(raft_id), kPort); }
  void greet(env::LinkId link, env::Outbox& out) {
    Writer& w = out.link(link);
    std::size_t at = wire::begin_message(w, kHello, kControl, kControl);
    w.u64(member_.raft_id());
    wire::end_message(w, at);
  }
  void lost(Time now, env::LinkId link) {
    if (auto i = raft_of_.find(link); i != raft_of_.end()) {
      std::uint64_t raft_id = i->second;
      raft_of_.erase(i);
      link_of_.erase(raft_id);
      for (const auto& [other, id] : raft_of_) {  // an older connection may have come up late and be gone again
        if (id == raft_id) link_of_[raft_id] = other;
      }
    }
    if (auto i = dialled_.find(link); i != dialled_.end()) {
      redial_.emplace(now + limits::kConnectRetry, i->second);
      dialled_.erase(i);
    }
  }
  void receive(Time now, const env::Event& e) {
    Bytes rest = e.data;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      if (m.type == kHello) {
        raft_of_[e.link] = load<std::uint64_t>(m.body.data());
        link_of_[raft_of_[e.link]] = e.link;
      } else if (auto from = raft_of_.find(e.link); from != raft_of_.end()) {
        member_.receive(now, from->second, m.body);
      }
    }
    if (damaged) world->fail("a damaged payload arrived");
  }
  void want() {
    std::vector<meta::WantedMember> wanted;
    for (std::uint64_t id = 1; id <= setting_.members; id++) {
      bool alive = id == member_.raft_id() || link_of_.count(id) != 0;
      wanted.push_back({id, id <= setting_.voters, alive, id <= setting_.management});
    }
    member_.want_members(std::move(wanted));
  }
  void work(Time now) {
    if (now < next_proposal_) return;
    next_proposal_ = now + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(2 * setting_.pause_between)));
    meta::Command c = random_command(prng_, *member_.catalog());
    if (!unknown_.empty() && prng_.chance(0.5)) {  // a repeat of one whose outcome nobody knows
      c = *unknown_.begin();
      unknown_.erase(unknown_.begin());
    }
    if (c.request.none()) c.request = member_.draw_request_id();
    checks->proposed(c.request);
    open_[c.request] = c;
    member_.propose(now, c);
  }
  void finish(env::Outbox& out) {
    if (member_.failed) world->fail("a member failed: " + member_.failure);
    if (member_.replaced) checks->replaced(process, *member_.catalog());
    member_.replaced = false;
    for (const auto& a : member_.applied) checks->applied(process, a);
    member_.applied.clear();
    for (const auto& f : member_.finished) {
      auto i = open_.find(f.request);
      if (i == open_.end()) continue;
      checks->finished(process, f);
      if (f.outcome.error == Error::timed_out) unknown_.push_back(i->second);
      open_.erase(i);
    }
    member_.finished.clear();
    for (const auto& s : member_.sends) {
      auto i = link_of_.find(s.to_raft_id);
      if (i == link_of_.end()) continue;
      Writer& w = out.link(i->second);
      std::size_t at = wire::begin_message(w, kMember, kControl, kControl);
      w.raw(s.bytes);
      wire::end_message(w, at);
    }
    member_.sends.clear();
  }

  const Setting& setting_;
  Prng prng_;
  bool empty_;
  meta::Member member_;
  std::map<env::LinkId, std::uint64_t> raft_of_;
  std::map<std::uint64_t, env::LinkId> link_of_;
  std::map<env::LinkId, std::uint64_t> dialled_;
  std::multimap<Time, std::uint64_t> redial_;
  std::map<meta::RequestId, meta::Command> open_;
  std::vector<meta::Command> unknown_;
  Time next_proposal_ = 0;
};

struct Members {
  sim::World world;
  Setting setting;
  sim::MetadataChecks checks{world};
  std::vector<std::unique_ptr<sim::LogDisk>> disks;
  std::vector<LogMachine*> machines;  // of running processes
  bool quiet = false;

  Members(std::uint64_t seed, Prng& prng) : world(seed) {
    setting.members = static_cast<std::uint32_t>(prng.between(3, 7));
    setting.voters = static_cast<std::uint32_t>(prng.between(1, setting.members));
    setting.management = static_cast<std::uint32_t>(prng.between(1, 3));
    if (prng.chance(0.6)) {
      setting.snapshot_threshold = static_cast<std::uint32_t>(prng.between(5, 60));
      setting.snapshot_trailing = static_cast<std::uint32_t>(prng.between(1, 20));
    }
    setting.pause_between = static_cast<Time>(prng.between(20, 400)) * kMillisecond;
    machines.resize(setting.members);
    for (std::uint32_t i = 0; i < setting.members; i++) add(i, prng);
  }
  void add(std::uint32_t i, Prng& prng) {
    disks.push_back(std::make_unique<sim::LogDisk>(world, prng.next()));
    sim::LogDisk* disk = disks.back().get();
    sim::ProcessSpec s;
    s.name = "member " + std::to_string(i + 1);
    s.host = "m" + std::to_string(i + 1);
    s.ports = {{kPort, false}};
    s.make = [this, i, disk](const sim::StartInfo& info) {
      auto m = std::make_unique<LogMachine>(setting, i + 1, info.seed, disk->store());
      m->checks = &checks;
      m->process = info.process;
      m->world = &world;
      m->quiet = &quiet;
      machines[i] = m.get();
      return m;
    };
    s.lost = [this, i, disk](bool) {
      machines[i] = nullptr;
      disk->crashed();
    };
    s.stepped = [disk] { disk->stepped(); };
    s.clock_offset = static_cast<Time>(prng.below(1000)) * kSecond;
    s.clock_drift_ppm = static_cast<std::int64_t>(prng.below(400)) - 200;
    disk->attach(world.add(std::move(s)));
  }
  std::string describe() const {
    std::string s;
    for (LogMachine* m : machines) {
      if (!s.empty()) s += ", ";
      if (!m) {
        s += "dead";
        continue;
      }
      const meta::Log& log = m->member().log();
      s += "version " + std::to_string(m->member().catalog()->version) + " term " + std::to_string(log.term()) +
           " leader " + std::to_string(log.leader_raft_id()) + (m->member().leading() ? " leading" : "") +
           (m->open() ? " open " + std::to_string(m->open()) : "") + " members";
      for (const auto& i : log.members()) {
        s += " " + std::to_string(i.raft_id) +
             (i.role == meta::Role::voter   ? "v"
              : i.role == meta::Role::spare ? "s"
                                            : "");
      }
    }
    return s;
  }
  // Everybody has the same version, nothing is open, somebody leads.
  bool settled() const {
    std::set<Version> versions;
    bool leading = false;
    for (LogMachine* m : machines) {
      if (!m || m->open() != 0) return false;
      versions.insert(m->member().catalog()->version);
      leading = leading || m->member().leading();
    }
    return leading && versions.size() == 1;
  }
};

}  // namespace

Verdict run_log(std::uint64_t seed) {
  Prng prng(seed);
  Members m(seed, prng);
  set_current_world(&m.world);
  std::vector<sim::ProcessId> all;
  for (sim::ProcessId p = 0; p < m.setting.members; p++) {
    all.push_back(p);
    m.world.after(static_cast<Time>(prng.below(300)) * kMillisecond, [&m, p] { m.world.start(p); });
  }
  sim::NemesisOptions options;
  options.victims = all;
  sim::Nemesis nemesis(m.world, seed, options);
  bool up = m.world.run_until([&] { return m.checks.changes() > 0; }, kSettle);
  if (!up) m.world.fail("no first change within 20 s without a fault");
  nemesis.begin();
  m.world.run_for(static_cast<Time>(prng.between(3, 15)) * kSecond);
  nemesis.calm();
  m.world.run_for(kSecond);
  m.quiet = true;
  if (!m.world.run_until([&] { return m.settled(); }, kSettle)) {
    m.world.fail("the members do not agree within 20 s of calm: " + m.describe());
  }
  return verdict_of(m.world, std::to_string(m.setting.members) + " members, " + std::to_string(m.checks.entries()) +
                                 " entries, " + std::to_string(m.checks.changes()) + " changes, " +
                                 std::to_string(m.checks.answered()) + " answered; " + nemesis.profile());
}

}  // namespace ndb::simtest
