// The links of one process to the other processes of its cluster, and who is behind them. A management server and a
// data node each hold one Peers and hand it what their step is given.
//
// Who connects to whom (one link for each pair of processes):
//   data node          -> every management server    text port: the request "transporter connect", then frames
//   data node, higher id -> data node, lower id      address and port from the catalog
//   mgm server, higher id -> mgm server, lower id    text port, as above
//   API client         -> data nodes (and management servers)
// The one that connected says Hello first; the other checks it and answers with its own, or with Refused and closes. A
// missing link is tried again every limits::kConnectRetry. A link without a Hello within limits::kHelloTimeout is
// closed.
//
// A data node that has not been let in yet also connects to data nodes with higher ids, which cannot know its address.
// Data nodes that are down in the catalog are tried by all other data nodes, every limits::kMetaElection: one that
// comes back may have a vote in the log without knowing anybody's address. So are, whatever their ids, those whose link
// has been missing for longer than that.
//
// Refused are: another protocol version, cluster id or cluster name (both values in the text), a node id that is not
// in the configuration or is disabled, one of another kind, an incarnation older than the catalog's, and a node id
// whose holder (another raft id) was heard within the last limits::kLease. What one side does not know yet (0, empty)
// is not compared. A second Hello of the same process replaces its first link: `down`, then `up`.
//
// A data node that the catalog thinks up, that has no link and that we do not connect to anyway is knocked at (its
// port, every limits::kKnockRetry; a knock that is answered is closed again): so everybody learns at once of a port
// that refuses, which is the failure detector's fast way.
//
// Use: on_event() for each event first (true: it was about a link of ours and is dealt with; link_down of a peer also
// leaves a Change); for each message of a frame on_message() first (true: dealt with); tick() at the end of every step;
// then drain `changes`. A link that a text session has turned over (`transporter connect` was read, Outbox::upgrade
// called) is given with adopt(). Costs: nothing but small maps; no allocation in steady state.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "env/machine.h"
#include "meta/catalog.h"
#include "wire/messages.h"

namespace ndb::meta {

class Peers {
 public:
  // What our own Hello says. cluster_id and cluster_name are taken over from the catalog by update().
  struct Self {
    wire::PeerKind kind = wire::PeerKind::data;
    NodeId node = 0;
    std::uint64_t raft_id = 0;
    std::uint32_t incarnation = 0;  // 0 = not let in yet
    std::uint16_t port = 0;         // where we accept frame links
    std::uint8_t workers = 0;
    std::uint64_t cluster_id = 0;
    std::string cluster_name;
    std::uint8_t worker_links = 0;  // so many workers want links of their own with clients
  };
  // Where a management server listens. node 0: from a connect string, its id shows in its Hello. port 0: not dialled.
  struct Server {
    NodeId node = 0;
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const Server&, const Server&) = default;
  };
  struct Change {
    enum class Kind : std::uint8_t {
      up,            // said a good Hello
      down,          // its link is gone
      port_refused,  // no link, and its port refuses connections: that process is dead
      turned_away,   // it refused us: error and text say why (and we go on trying)
    } kind = Kind::up;
    NodeId node = 0;  // 0: an API client without a node id, or a server whose id is not known yet
    wire::PeerKind peer = wire::PeerKind::data;
    env::LinkId link = 0;  // up, down
    std::uint64_t raft_id = 0;
    std::uint32_t incarnation = 0;  // of its Hello; port_refused: the catalog's at that time
    std::uint64_t session = 0;
    std::uint8_t worker_links = 0;  // of its Hello: 1 + the worker that this link of a client is for
    Error error = Error::ok;
    std::string text;
  };

  explicit Peers(Self self);

  const Self& self() const { return self_; }
  void set_incarnation(std::uint32_t incarnation) { self_.incarnation = incarnation; }
  void set_cluster(std::uint64_t cluster_id) { self_.cluster_id = cluster_id; }  // before a catalog tells it
  void set_port(std::uint16_t port) { self_.port = port; }
  void set_worker_links(std::uint8_t n) { self_.worker_links = n; }

  // The catalog to check Hellos against and to find data nodes in, and the management servers. Call it again when
  // either changed. Links to nodes that the catalog does not allow any more are closed in the next tick().
  void update(std::shared_ptr<const Catalog> catalog, std::vector<Server> servers);
  void update(std::shared_ptr<const Catalog> catalog);

  bool on_event(Time now, const env::Event& event, env::Outbox& out);
  bool on_message(Time now, env::LinkId link, const wire::Message& message, env::Outbox& out);
  // An accepted text link that was turned into a frame link in this step.
  void adopt(Time now, env::LinkId link, std::string address);
  void tick(Time now, env::Outbox& out);     // dials, knocks, times out, and states its wish with wake_at()
  void drop(NodeId node, env::Outbox& out);  // closes that node's link
  void forget(env::LinkId link);             // somebody else reads it from here on

  // 0 = no such link; only links that have said Hello count.
  env::LinkId link_of(NodeId node) const;
  env::LinkId link_of_raft(std::uint64_t raft_id) const;
  NodeId node_of(env::LinkId link) const;  // 0 also for API clients without an id
  std::uint64_t raft_of(env::LinkId link) const;
  bool known(env::LinkId link) const;                         // has said Hello
  wire::PeerKind kind_of(env::LinkId link) const;             // requires known(link)
  std::uint64_t session_of(env::LinkId link) const;           // API clients: TxnId::session; 0 else
  const std::string& address_of(env::LinkId link) const;      // the peer's address text; empty = unknown link
  const wire::Hello* hello_of(env::LinkId link) const;        // nullptr unless known(link)
  std::vector<env::LinkId> links(wire::PeerKind kind) const;  // ascending

  std::vector<Change> changes;  // drained by the owner

 private:
  enum class Stage : std::uint8_t { upgrading, hello_due, waiting, open, closing };
  struct Link {
    Stage stage = Stage::waiting;
    bool ours = false;       // we connected: we say Hello first
    std::size_t server = 0;  // 1 + index into servers_ that this link came from; 0 = none
    NodeId expected = 0;     // whom we dialled; 0 = anybody
    Time deadline = kNever;  // for its Hello
    Time heard = 0;
    std::string address;
    wire::Hello hello;  // of the peer, when open
  };
  struct Dial {              // one for each server entry, and one for each data node we connect to or knock at
    bool under_way = false;  // a connect, or its link before it is open
    Time next = 0;
    std::uint32_t incarnation = 0;  // in the catalog when the connect began
    Time missed_since = kNever;     // a data node that we have no link to
  };

  bool link_up(Time now, const env::Event& event, env::Outbox& out);
  bool link_down(Time now, env::LinkId id);
  bool no_link(Time now, const env::Event& event);
  Dial* dial_of_tag(std::uint64_t tag);
  Dial* dial_of(const Link& link);
  Link* find(env::LinkId id);
  const Link* find(env::LinkId id) const;
  Link& make(Time now, env::LinkId id, std::string address);
  void received_hello(Time now, env::LinkId id, Link& link, Bytes body, env::Outbox& out);
  void received_refusal(Time now, env::LinkId id, Link& link, Bytes body, env::Outbox& out);
  Failure check(const wire::Hello& hello) const;
  Failure check_fresh(Time now, const wire::Hello& hello, const Link& link) const;
  bool loses_to(env::LinkId old_id, const Link& link, const wire::Hello& hello) const;
  void refuse(env::LinkId id, Link& link, const Failure& why, env::Outbox& out);
  void retire(env::LinkId id, env::Outbox& out);  // an open link: `down` now, then close
  void unmap(env::LinkId id, const Link& link);
  void tell(Change::Kind kind, env::LinkId id, const Link& link);
  void say_hello(env::LinkId id, env::Outbox& out, std::uint8_t worker_links = 0);
  void close(env::LinkId id, Link& link, env::Outbox& out);
  void dial_servers(Time now, env::Outbox& out);
  void dial_nodes(Time now, env::Outbox& out);
  void wish(Time t, env::Outbox& out);
  bool wants_server(std::size_t index) const;
  bool let_in() const;

  Self self_;
  std::shared_ptr<const Catalog> catalog_;
  std::vector<Server> servers_;
  std::uint32_t servers_round_ = 0;  // grows when servers_ changes: answers to older dials are ignored
  std::vector<NodeId> server_ids_;   // learnt from Hellos, beside servers_
  std::vector<Dial> server_dials_;
  std::map<NodeId, Dial> node_dials_;
  std::vector<std::unique_ptr<Link>> links_;  // by id
  std::map<NodeId, env::LinkId> by_node_;     // data nodes and management servers
  std::map<std::uint64_t, env::LinkId> by_raft_;
  bool recheck_ = false;
  Time next_ = 0;  // when tick() has something to do; 0 = at once
};

}  // namespace ndb::meta
