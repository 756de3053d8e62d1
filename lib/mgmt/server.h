// A management server: one machine that holds a member of the metadata log, the links to the other processes, what runs
// beside the leader, and the text sessions of everybody who operates the cluster (docs/PROTOCOL.md).
//
// Promises
//  * First start: the management server with the lowest node id of the configuration begins the log and proposes the
//    configuration as generation 1, when every other management server of it (but those of `nowait` that are silent)
//    has said Hello and nobody who has, data nodes included, knows of a cluster. The others wait to be taken in; one
//    that has all lower ids in `nowait` begins when these are silent. A server that lost its files is taken in again.
//  * Two servers that have begun a cluster each: the one with the higher node id ends, unless its cluster is in use.
//  * Every text request is answered once, in order; a change is answered when it is applied in this server's catalog.
//  One
//    session never waits for another one. A server that comes back answers questions about the catalog when it has
//    caught up with the log, or when ten seconds are over.
//  * What one peer sends cannot stop the server: malformed text is answered, malformed frames close their link.
//
// The text port is the only one: data nodes and other management servers turn a text link into frames with
// `transporter connect`. Costs: a session costs some 300 bytes and what it has sent and not finished.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/machine.h"
#include "meta/epochs.h"
#include "meta/leader.h"
#include "meta/live.h"
#include "meta/member.h"
#include "meta/peers.h"
#include "mgmt/config.h"
#include "mgmt/session.h"
#include "mgmt/stock_events.h"
#include "mgmt/text_reply.h"
#include "reorg/driver.h"

namespace ndb::mgmt {

// Files that a client names (`reload config`). The core opens none itself.
class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;
  virtual Result<std::string> read(const std::string& path) = 0;
};

// The cluster log: a line an event, as `listen event` gives them.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void add(std::string_view line) = 0;
};

// Addresses of host names of the configuration. Asking never waits: what is not known yet is looked up beside the
// server, which gets a timer event when it is.
class HostNames {
 public:
  virtual ~HostNames() = default;
  // Numeric, without ports; of a name of this computer all that it has. None: nobody knows the name. nullopt: not yet.
  virtual std::optional<std::vector<std::string>> addresses(const std::string& host) = 0;
};

struct ServerOptions {
  NodeId node = 0;
  std::uint64_t raft_id = 0;  // of the store, or a fresh random one
  std::uint64_t seed = 0;
  std::int64_t unix_offset_ns = 0;           // nanoseconds since 1970 = now + this
  std::uint16_t port = 0;                    // where it really listens
  std::string config_text;                   // of the configuration file; empty = none
  std::string config_source;                 // its name
  std::string who;                           // user@host
  bool reload = false;                       // propose the file when it differs from the present generation
  std::vector<NodeId> nowait;                // management servers that the first start does not wait for
  std::vector<meta::Peers::Server> connect;  // of the connect string
  bool alone = false;                        // begin with the file at once, and never look for other management servers
  bool default_logic = true;                 // the first generation gets what its file leaves open: the cluster's name
  bool node_id_checks = true;                // node ids are for callers from the host that the configuration names
  std::string log_name = "MgmtSrvr";         // in the lines of the cluster log
  HostNames* host_names = nullptr;           // none: names are compared as they are written
  EventLog* event_log = nullptr;             // none: the process's own log
};

// Categories of events, with the numbers that stock clients know.
inline constexpr int kStartup = 250, kShutdown = 251, kStatistics = 252, kNodeRestart = 254, kConnection = 255,
                     kInfo = 256, kSchema = 262;

inline constexpr int kExitRestart = 2;  // exit status of the machine: this server was told to restart itself

class Server final : public env::Machine {
 public:
  Server(meta::LogStore& store, ConfigFiles& files, ServerOptions options);
  ~Server() override;
  void step(Time now, const env::Event& event, env::Outbox& out) override;

  std::shared_ptr<const meta::Catalog> catalog() const { return member_->catalog(); }
  bool leading() const { return member_->leading(); }
  meta::Member& member() { return *member_; }
  const meta::Leader& leader() const { return leader_; }  // for tests

 private:
  struct Gather;   // what nodes hold of a table's fragments
  struct Waiting;  // a session whose answer is under way
  struct EventRecord {
    std::uint64_t number = 0;
    std::int64_t when_s = 0;
    env::Severity severity = env::Severity::info;
    int category = 0;
    NodeId node = 0;
    std::string text;
    stock::Body body;  // as NDB's clients read it
  };
  using Handler = void (Server::*)(Session&, const Request&);
  using Handlers = std::map<std::string_view, Handler>;
  static const Handlers& handlers();
  static Handlers stock_handlers();
  static Handlers own_handlers();

  // --- server_quorum.cc
  struct Votes {
    std::size_t all = 0, own = 0, others = 0;  // own, others: of those that are here
  };
  Votes votes() const;
  bool vote_is_needed() const;
  std::string no_quorum() const;  // why the log can have no leader; empty: enough of those who vote are here
  void watch_quorum();
  // --- server.cc: events, messages, the drain
  void on_frame(const env::Event& event);
  void on_message(env::LinkId link, const wire::Message& message);
  void act();
  void send_epoch_orders();
  void leave(int status, bool alone);
  void hand_over();
  bool waits_to_leave();
  void drain();
  void drain_changes();
  void drain_applied();
  void catalog_changed();
  void send(env::LinkId link, wire::Type type, Bytes body);
  std::int64_t now_s() const { return (now_ + options_.unix_offset_ns) / kSecond; }

  // --- server_start.cc: from nothing to a running member
  void begin();
  bool may_begin() const;
  void try_first_start();
  void start_member(bool bootstrap);
  void propose_file();
  void check_file_against_catalog();
  void fail(std::string text);  // logs and exits with status 1
  void on_turned_away(const meta::Peers::Change& change);
  std::string not_confirmed() const;  // why there is no configuration yet, and who is waited for
  void settle();
  bool settled() const;  // what is asked about the catalog can be answered
  bool caught_up() const;
  bool cluster_known() const;
  bool known_to_others() const;  // a server or a data node that has said Hello knows of a cluster
  std::vector<meta::Peers::Server> servers() const;

  // --- server_commands.cc: sessions
  void on_text(const env::Event& event);
  void read_requests(Session& session);
  void answer(Session& session, std::string bytes);
  void complain(Session& session, const Request& request, const Failure& failure);  // the usual reply
  void end_session(env::LinkId link);
  Session* session(env::LinkId link, std::uint64_t number);
  // Marks the session as waiting; the answer comes from finish_*(), or at the deadline.
  Waiting& wait(Session& session, const Request& request, Time deadline);
  void check_waiting();
  void resume(Waiting& w);
  void finish_version(Waiting& w, bool over);
  void finish_waiting(Waiting& w, const meta::Outcome& outcome);
  void answer_change(Waiting& w, const meta::Outcome& outcome);

  // --- server_session.cc
  void get_version(Session&, const Request&);
  void set_client_version(Session&, const Request&);
  void check_connection(Session&, const Request&);
  void get_mgmd_nodeid(Session&, const Request&);
  void get_session_id(Session&, const Request&);
  void get_session(Session&, const Request&);
  void list_sessions(Session&, const Request&);
  void purge_stale_sessions(Session&, const Request&);
  void end_session_request(Session&, const Request&);
  void bye(Session&, const Request&);
  void start_tls(Session&, const Request&);
  void list_certs(Session&, const Request&);
  void get_tls_stats(Session&, const Request&);
  void transporter_connect(Session&, const Request&);

  // --- server_node_ids.cc
  void get_nodeid(Session&, const Request&);
  void finish_node_id(Waiting& w, bool over);
  void look_for_hosts(Session&, const Request&);
  void finish_host_names(Waiting& w, bool over);
  void give_nodeid(Session&, const Request&);
  Failure allocate_node(Session&, meta::NodeType type, NodeId wanted, NodeId* given);
  enum class Home : std::uint8_t { yes, no, nowhere, unknown };
  Home home(const std::string& host, std::string_view caller) const;
  bool hosts_known(const Session&, const Request&) const;
  bool node_taken(NodeId id, const Session& asker) const;
  bool dedicated(NodeId id) const;
  struct Reserved {  // a node id that was given to a session
    std::uint64_t session = 0;
    std::string address;  // of the session's peer
    Time until = 0;
  };
  const Reserved* reserved(NodeId id) const;

  // --- server_status.cc
  void get_status(Session&, const Request&);
  void show_variables(Session&, const Request&);
  void show_config(Session&, const Request&);
  // --- server_ports.cc
  using Pair = std::pair<NodeId, NodeId>;  // the lower id first; 0, 0 = no such connection
  const meta::Node* node_of(const Request& r, std::string_view key) const;
  Pair connection_of(const Request& r) const;
  void get_connection_parameter(Session&, const Request&);
  void set_connection_parameter(Session&, const Request&);
  void set_ports(Session&, const Request&);

  // --- server_status.cc, our own
  void ndb_status(Session&, const Request&);
  void ndb_wait(Session&, const Request&);
  void ndb_get_catalog(Session&, const Request&);
  void ndb_list_tables(Session&, const Request&);
  void ndb_describe_table(Session&, const Request&);
  void ndb_list_jobs(Session&, const Request&);
  void ndb_show_job(Session&, const Request&);
  const char* status_word(const meta::Node& node) const;
  bool connected(const meta::Node& node) const;
  bool known_everywhere(Version version) const;
  bool ends(const meta::Node& node) const;
  void forget_orders(NodeId lost);
  std::string address_of(const meta::Node& node) const;  // without the port
  std::map<NodeId, meta::Node> nodes_of_file() const;
  NodeId leader_node() const;                     // 0 = unknown
  NodeId node_of_raft(std::uint64_t raft) const;  // 0 = unknown

  // --- server_config.cc
  void get_config(Session&, const Request&);
  void set_config(Session&, const Request&);
  void reload_config(Session&, const Request&);
  void ndb_get_config(Session&, const Request&);
  void ndb_config_history(Session&, const Request&);
  void ndb_apply_config(Session&, const Request&);
  void ndb_rollback_config(Session&, const Request&);
  struct NewConfig {
    std::string text;
    std::string source, who, message;
    std::uint64_t expect_generation = 0;  // 0 = any
    bool accept_warnings = false;
  };
  void apply_config(Session&, const Request&, NewConfig next);

  // --- server_change.cc
  void create_nodegroup(Session&, const Request&);
  void drop_nodegroup(Session&, const Request&);
  void enter_single_user(Session&, const Request&);
  void exit_single_user(Session&, const Request&);
  void ndb_create_nodegroup(Session&, const Request&);
  void ndb_drop_nodegroup(Session&, const Request&);
  void ndb_create_table(Session&, const Request&);
  void ndb_drop_table(Session&, const Request&);
  void ndb_start_reorg(Session&, const Request&);
  static Failure parse_group_ids(std::string_view words, std::vector<GroupId>* groups);
  std::vector<const meta::Table*> tables_to_move(const meta::Table& t, const std::vector<GroupId>& drain) const;
  void ndb_cancel_reorg(Session&, const Request&);
  void ndb_enable_node(Session&, const Request&);
  void ndb_disable_node(Session&, const Request&);
  void set_enabled(Session&, const Request&, bool enabled);
  // Proposes, or with dry_run answers at once. `bulk` is JSON for the reply.
  void change(Session&, const Request&, meta::CommandBody body, std::string bulk = {});
  void add_job(const Request& request, std::uint64_t id, Reply* reply) const;
  std::string change_reply(const Request& request, const meta::RequestId& id, const meta::Outcome& outcome,
                           const std::string& bulk) const;

  // --- server_gather.cc
  void gather(Session&, const Request&, const meta::Table& table);
  void on_node_report(env::LinkId link, Bytes body);
  void finish_gather(Waiting& w);

  // --- server_nodes.cc: stop, restart, start
  void start_node(Session&, const Request&);
  void start_all(Session&, const Request&);
  void stop_node(Session&, const Request&);
  void stop_all(Session&, const Request&);
  void restart_node(Session&, const Request&);
  void restart_all(Session&, const Request&);
  void ndb_stop_node(Session&, const Request&);
  void ndb_restart_node(Session&, const Request&);
  void ndb_start_node(Session&, const Request&);
  struct Order {
    wire::OrderKind kind = wire::OrderKind::stop;
    std::vector<NodeId> nodes;
    bool abort = false;  // at once: transactions are not waited for
    bool force = false;  // and whatever becomes of a node group
    bool nostart = false;
    bool whole = false;       // the whole cluster
    int ordered = 0;          // filled in
    bool disconnect = false;  // filled in: this server itself is among them
  };
  std::vector<NodeId> all_nodes(meta::NodeType type) const;
  Failure parse_nodes(std::string_view words, std::vector<NodeId>* nodes) const;
  Failure check_order(const Order& order) const;
  Failure give_order(Order* order);
  void order_nodes(Session&, const Request&, Order order, std::string_view done);
  void obey(wire::OrderKind kind, bool whole);  // an order to this server itself
  void on_node_order(env::LinkId link, Bytes body);

  // --- server_live.cc
  void ndb_set_live(Session&, const Request&);
  void set_live(const std::string& text);
  Failure live_nodes(const Request& r, const Parameter& p, std::vector<NodeId>* nodes) const;
  Failure live_value(const Request& r, const Parameter& p, const std::vector<NodeId>& nodes, std::string* value) const;

  // --- server_events.cc
  void event(env::Severity severity, int category, NodeId node, std::string text);
  void event(env::Severity severity, int category, NodeId node, std::string text, stock::Body body);
  void applied_event(const meta::Member::Applied& applied);
  int level_of(int category) const;
  void forget_level(std::string_view parameter);
  std::string event_line(const EventRecord& e) const;
  void write_event(Session& session, const EventRecord& e);
  void ping_listeners();
  void get_clusterlog(Session&, const Request&);
  void get_loglevel(Session&, const Request&);
  void set_loglevel(Session&, const Request&);
  void set_logfilter(Session&, const Request&);
  void listen_event(Session&, const Request&);
  void report_event(Session&, const Request&);
  void dump_events(Session&, const Request&);
  std::vector<NodeId> reporting_nodes(const std::vector<NodeId>& wanted) const;
  std::vector<stock::Body> memory_of(NodeId id) const;
  void dump_state(Session&, const Request&);
  void ndb_list_events(Session&, const Request&);
  void refuse_test_command(Session&, const Request&);
  void refuse_backup(Session&, const Request&);

  ServerOptions options_;
  meta::LogStore& store_;
  ConfigFiles& files_;
  Prng prng_;
  std::unique_ptr<meta::Member> member_;
  meta::Peers peers_;
  meta::Leader leader_;
  reorg::Driver driver_;
  meta::EpochClock epochs_;
  std::uint64_t stored_cluster_ = 0;  // as the stored log says, until the catalog is known
  meta::Generation stored_config_;
  bool member_started_ = false;
  bool must_bootstrap_ = false;  // nothing stored here, and the lowest id: the first start is ours to make
  Time first_start_from_ = 0;  // so long servers of `nowait` and data nodes of a living cluster have time to say Hello
  bool was_empty_ = false;     // nothing was stored here at the start
  bool file_checked_ = false;
  Version told_until_ = 0;  // entries up to here were told as events by an earlier life of this server
  bool settled_ = false;
  Time settle_until_ = 0;       // questions about the catalog wait so long for it
  Time alone_since_ = kNever;   // no leader of the log is known since then
  std::string told_no_quorum_;  // into our log
  Time led_since_ = kNever;     // a leader of the log has been known since then
  std::optional<Config> file_;  // the configuration file, parsed
  meta::RequestId file_request_;
  std::shared_ptr<const meta::Catalog> seen_;  // the catalog at the last drain
  Time now_ = 0;
  env::Outbox* out_ = nullptr;  // during a step

  std::map<env::LinkId, std::unique_ptr<Session>> sessions_;
  std::uint64_t next_session_ = 1;
  std::map<NodeId, Reserved> reserved_;
  std::vector<std::unique_ptr<Waiting>> waiting_;
  std::uint32_t next_report_ = 1;  // numbers of node_order requests
  std::map<Pair, int> ports_;      // told with `set ports`; negative: chosen by the system
  struct Ordered {
    Time at = 0;
    std::uint64_t incarnation = 0;  // of the process that was told
  };
  std::map<NodeId, Ordered> ordered_;  // stop or restart was ordered, and the node is not known to have gone down since
  Time system_stop_ = 0;               // the whole cluster was ordered to stop; 0 = no
  bool gives_vote_back_ = false;       // this server asks to be demoted before it ends
  std::uint64_t told_leader_ = 0;      // that was asked
  int leave_status_ = -1;  // this server ends with this status, at the latest at leave_at_; -1 = it does not
  Time leave_at_ = kNever;
  Time leave_behind_nodes_ = kNever;  // a shutdown of everything: this server goes last
  std::deque<EventRecord> events_;
  std::uint64_t next_event_ = 1;
  std::array<bool, 7> log_enabled_{true, false, true, true, true, true, true};  // whole, debug .. alert
  std::map<int, int> log_levels_;                                               // category -> level
  meta::LiveValues live_;
  Time next_ping_ = 0;
};

}  // namespace ndb::mgmt
