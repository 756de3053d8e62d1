// How a management server gets from nothing, or from its files, to a running member of the metadata log.
#include <algorithm>
#include <charconv>

#include "meta/stored.h"
#include "mgmt/config_diff.h"
#include "mgmt/config_image.h"
#include "mgmt/server.h"

namespace ndb::mgmt {

namespace {

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
  leave_at_ = now_;
}

void Server::begin() {
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
    const std::vector<NodeId> ids = management_nodes(*file_);
    must_bootstrap_ = !ids.empty() && ids.front() == options_.node;
    if (must_bootstrap_ && ids.size() > 1) {
      out_->log(env::Severity::info, "waiting for the other management servers of the configuration before the first start");
    }
  }
  if (!must_bootstrap_) start_member(false);
}

// The first start is made when all the others are there and none of them knows of a cluster: so a server that has lost
// its files does not begin a second one.
void Server::try_first_start() {
  bool missing = false;
  for (NodeId id : management_nodes(*file_)) {
    if (id == options_.node) continue;
    const wire::Hello* hello = peers_.hello_of(peers_.link_of(id));
    if (hello != nullptr && hello->cluster_id != 0) {
      must_bootstrap_ = false;
      start_member(false);
      return;
    }
    missing |= hello == nullptr && std::find(options_.nowait.begin(), options_.nowait.end(), id) == options_.nowait.end();
  }
  if (missing) return;
  must_bootstrap_ = false;
  start_member(true);
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
  const std::string name = now_is->generation == 0 ? default_cluster_name(now_s()) : now_is->name;
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
       std::to_string(now_is->generation) + " of the cluster:\n" + diff_text(changes));
}

// Where the management servers are: by the catalog, before there is one by the file, else by the connect string.
std::vector<meta::Peers::Server> Server::servers() const {
  const auto now_is = catalog();
  if (now_is->config() == nullptr && !file_) return options_.connect;
  std::vector<meta::Peers::Server> found;
  if (const meta::ConfigImage* image = now_is->config()) {
    for (const meta::ConfigNode& n : image->nodes) {
      if (n.type != meta::NodeType::mgm || n.id == options_.node) continue;
      auto port = n.values.find("PortNumber");
      std::uint16_t number = 1186;
      if (port != n.values.end()) {
        std::from_chars(port->second.data(), port->second.data() + port->second.size(), number);
      }
      found.push_back({n.id, n.host, number});
    }
  } else {
    for (const Node& n : file_->nodes) {
      if (n.kind != Kind::ndb_mgmd || n.id == options_.node) continue;
      found.push_back({n.id, effective(*file_, n, "HostName"),
                       static_cast<std::uint16_t>(effective_number(*file_, n, "PortNumber"))});
    }
  }
  return found;
}

}  // namespace ndb::mgmt
