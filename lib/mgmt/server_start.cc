// How a management server gets from nothing, or from its files, to a running member of the metadata log.
#include <algorithm>
#include <charconv>

#include "meta/stored.h"
#include "mgmt/config_diff.h"
#include "mgmt/config_image.h"
#include "mgmt/server.h"

namespace ndb::mgmt {

namespace {

constexpr Time kNowaitGrace = 1 * kSecond;        // a server that need not be there is asked for so long
constexpr Time kNodesGrace = 300 * kMillisecond;  // data nodes of a cluster that lives have said Hello by then
constexpr Time kSettle = 10 * kSecond;            // a server that comes back catches up with the log in this time
constexpr Time kSettleNodes = 1 * kSecond;        // and so long it waits for the data nodes' first words

bool contains(const std::vector<NodeId>& ids, NodeId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

std::vector<NodeId> management_nodes(const Config& c) {
  std::vector<NodeId> ids;
  for (const Node& n : c.nodes) {
    if (n.kind == Kind::ndb_mgmd) ids.push_back(n.id);
  }
  return ids;
}

}  // namespace

void Server::fail(std::string text) {
  if (leave_status_ >= 0) return;
  out_->log(env::Severity::critical, std::move(text));
  leave_status_ = 1;
  gives_vote_back_ = member_started_;  // it may be about to get one from those who have just taken it in
  hand_over();
}

void Server::begin() {
  settle_until_ = now_ + kSettle;
  const meta::LogStore::State state = store_.load();
  was_empty_ = state.entries.empty() && !state.snapshot.present() && state.term == 0;
  told_until_ = state.entries.empty() ? state.snapshot.index : state.entries.back().index;
  if (!options_.config_text.empty()) {
    ParseResult parsed = parse_any(options_.config_text);
    if (!parsed.ok()) {
      fail("the configuration file is not valid");  // main has looked at it before, with all its problems
      return;
    }
    file_ = std::move(parsed.config);
  }
  meta::Stored stored = meta::look_at(state);
  stored_cluster_ = stored.cluster;
  stored_config_ = std::move(stored.generation);  // data nodes that are needed for an election have to find their files
  peers_.set_cluster(stored_cluster_);
  peers_.update(member_->catalog(), servers());
  must_bootstrap_ = false;
  if (was_empty_ && file_) {
    must_bootstrap_ = may_begin();
    first_start_from_ = now_ + (options_.alone ? 0 : options_.nowait.empty() ? kNodesGrace : kNowaitGrace);
    const std::string waiting = not_confirmed();
    if (must_bootstrap_ && waiting.find("; ") != std::string::npos) out_->log(env::Severity::info, waiting);
  }
  if (!must_bootstrap_) start_member(false);
}

// The first start is for the lowest id, or for one whose lower ones need not be there.
bool Server::may_begin() const {
  if (options_.alone) return true;
  for (NodeId id : management_nodes(*file_)) {
    if (id == options_.node) return true;
    if (!contains(options_.nowait, id)) return false;
  }
  return false;
}

// The first start is made when all the others are there and nobody knows of a cluster, no data node either: so a server
// that has lost its files does not begin a second one.
void Server::try_first_start() {
  bool missing = false;
  bool taken_in = !options_.alone && known_to_others();
  for (NodeId id : management_nodes(*file_)) {
    if (id == options_.node || options_.alone) continue;
    const bool there = peers_.hello_of(peers_.link_of(id)) != nullptr;
    taken_in |= there && id < options_.node;
    missing |= !there && (now_ < first_start_from_ || !contains(options_.nowait, id));
  }
  if (taken_in) {
    must_bootstrap_ = false;
    start_member(false);
    return;
  }
  if (now_ < first_start_from_) out_->wake_at(first_start_from_);
  if (missing || now_ < first_start_from_) return;
  must_bootstrap_ = false;
  start_member(true);
}

bool Server::known_to_others() const {
  for (wire::PeerKind kind : {wire::PeerKind::mgm, wire::PeerKind::data}) {
    for (env::LinkId link : peers_.links(kind)) {
      const wire::Hello* hello = peers_.hello_of(link);
      if (hello != nullptr && hello->cluster_id != 0) return true;
    }
  }
  return false;
}

// A member that comes back has the catalog of its last snapshot: the entries behind it are known to be committed only
// when a leader says so, and what has happened since comes from there too.
bool Server::caught_up() const {
  if (member_->leading()) return true;
  if (cluster_known() && catalog()->generation == 0) return false;  // of one that lost its files the log is empty
  const meta::Log& log = member_->log();
  const bool heard = led_since_ != kNever && now_ >= led_since_ + 2 * limits::kMetaHeartbeat;
  return heard && log.last_applied() >= told_until_ && log.last_applied() == log.commit_index();
}

bool Server::settled() const {
  if (settled_) return true;
  if (must_bootstrap_) return now_ >= first_start_from_;  // others are asked whether there is a cluster
  return !member_started_ || !cluster_known();
}

bool Server::cluster_known() const { return !was_empty_ || catalog()->generation != 0 || known_to_others(); }

void Server::settle() {
  if (settled_ || !member_started_) return;
  out_->wake_at(settle_until_);
  if (member_->leader_raft_id() == 0)
    led_since_ = kNever;
  else if (led_since_ == kNever)
    led_since_ = now_;
  settled_ = now_ >= settle_until_;
  if (settled_ || !caught_up()) return;
  const bool heard_of_all = std::all_of(seen_->nodes.begin(), seen_->nodes.end(), [&](const auto& n) {
    if (n.second.type != meta::NodeType::data || n.second.state != meta::NodeState::in_sync) return true;
    const meta::Leader::Report* report = leader_.report(n.first);
    return report != nullptr && report->last.version <= seen_->version;
  });
  settled_ = heard_of_all || now_ >= led_since_ + kSettleNodes;
}

std::string Server::not_confirmed() const {
  std::string text = "the cluster has no committed configuration yet";
  std::string missing;
  if (file_) {
    for (NodeId id : management_nodes(*file_)) {
      const bool there = id == options_.node || peers_.link_of(id) != 0 || contains(options_.nowait, id);
      if (!there) missing += (missing.empty() ? "" : ", ") + std::to_string(id);
    }
  }
  return missing.empty() ? text : text + "; waiting for the management servers " + missing;
}

// Another cluster was begun by a server with a lower node id. One that serves nobody yet makes room for it.
void Server::on_turned_away(const meta::Peers::Change& c) {
  if (c.peer != wire::PeerKind::mgm || c.error != Error::wrong_cluster || c.node == 0 || c.node > options_.node) return;
  if (options_.alone || seen_->started) return;
  for (const meta::MemberInfo& m : member_->log().members()) {
    if (m.raft_id != options_.raft_id && peers_.link_of_raft(m.raft_id) != 0) return;
  }
  fail("management server " + std::to_string(c.node) + " has begun a cluster of its own: " + c.text +
       "; of two such servers the one with the higher node id ends; start it with --initial to have it taken in");
}

void Server::start_member(bool bootstrap) {
  if (bootstrap) {
    if (Failure f = member_->bootstrap()) {
      fail("cannot begin the metadata log: " + f.sentence());
      return;
    }
  }
  if (Failure f = member_->start(now_)) {
    fail("cannot open the metadata log: " + f.sentence());
    return;
  }
  member_started_ = true;
}

// Generation 1 of a new cluster, and with --reload a later one.
void Server::propose_file() {
  if (!file_ || !file_request_.none() || leave_status_ >= 0) return;
  const auto now_is = catalog();
  if (now_is->generation == 0 ? !member_->leading() : !options_.reload || file_checked_) return;
  meta::ChangeConfig change;
  change.expect_generation = now_is->generation;
  change.cluster_id = now_is->generation == 0 ? (prng_.next() | 1) : 0;
  std::string name = now_is->name;
  if (now_is->generation == 0 && options_.default_logic) name = default_cluster_name(now_s());
  auto image = std::make_shared<meta::ConfigImage>(to_image(*file_, options_.config_text, name));
  if (now_is->generation != 0) {
    file_checked_ = true;
    ParseResult present = from_image(*now_is->config());
    const std::vector<Change> changes = diff(present.config, *file_);
    if (changes.empty()) return;
    if (has_errors(check_change(present.config, *file_))) {
      fail("the configuration file '" + options_.config_source + "' is no allowed change of generation " +
           std::to_string(now_is->generation));
      return;
    }
  }
  change.generation = {0, now_s(), options_.who, options_.config_source, {}, std::move(image)};
  meta::Command command;
  command.body = std::move(change);
  file_request_ = member_->propose(now_, std::move(command));
}

// A server that came with a file and without a log must not be of another opinion than the cluster that took it in.
void Server::check_file_against_catalog() {
  const auto now_is = catalog();
  if (!file_ || file_checked_ || options_.reload || now_is->generation == 0) return;
  file_checked_ = true;
  if (!was_empty_) return;
  ParseResult present = from_image(*now_is->config());
  const std::vector<Change> changes = diff(present.config, *file_);
  if (changes.empty()) return;
  fail("the configuration file '" + options_.config_source + "' differs from generation " +
       std::to_string(now_is->generation) + " of the cluster:\n" + diff_text(changes) +
       "to take over the cluster's configuration start without --config-file, or with its present text ('ndb-config "
       "show'); "
       "to change it to the file start with --reload");
}

// Where the management servers are: by the catalog, before it is known by what is stored, else by the file, else by the
// connect string.
std::vector<meta::Peers::Server> Server::servers() const {
  if (options_.alone) return {};
  std::vector<meta::Peers::Server> found;
  const auto now_is = catalog();
  const meta::ConfigImage* image = now_is->config() != nullptr ? now_is->config() : stored_config_.image.get();
  if (image != nullptr) {
    for (const meta::ConfigNode& n : image->nodes) {
      if (n.type != meta::NodeType::mgm || n.id == options_.node) continue;
      auto port = n.values.find("PortNumber");
      std::uint16_t number = 1186;
      if (port != n.values.end()) {
        std::from_chars(port->second.data(), port->second.data() + port->second.size(), number);
      }
      found.push_back({n.id, n.host, number});
    }
    return found;
  }
  if (!file_) return options_.connect;
  for (const Node& n : file_->nodes) {
    if (n.kind != Kind::ndb_mgmd || n.id == options_.node) continue;
    found.push_back({n.id, effective(*file_, n, "HostName"),
                     static_cast<std::uint16_t>(effective_number(*file_, n, "PortNumber"))});
  }
  return found;
}

}  // namespace ndb::mgmt
