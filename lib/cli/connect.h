// How a tool finds its cluster: the management servers by the rules of ndb(7), a blocking client of their text
// protocol, and a client::Cluster on the real network.
//
// Which management servers: the argument (--connectstring) when it is not empty, else NDB_CONNECTSTRING, else
// `connectstring = "..."` in ./ndb.toml, else localhost:1186. A connect string is a list of host[:port] with commas or
// semicolons between them; `host=`, `mgmd=`, nodeid=N and bind-address=H may stand in it as in NDB's own.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "client/cluster.h"
#include "client/machine.h"

namespace ndb::cli {

inline constexpr std::uint16_t kManagementPort = 1186;

struct ConnectString {
  std::vector<client::Endpoint> servers;
  NodeId node_id = 0;
  std::string text;  // as it was written, for messages
};
Result<ConnectString> parse_connectstring(std::string_view text);
Result<ConnectString> find_connectstring(const std::string& option);

// A conversation with a management server; the first of the list that answers is kept. Every call blocks.
class Management {
 public:
  struct Reply {
    std::string header;
    std::map<std::string, std::string> values;
    std::string bulk;                                        // decoded when it was base64
    const std::string& value(const std::string& key) const;  // empty when absent
  };
  using Keys = std::vector<std::pair<std::string, std::string>>;

  explicit Management(ConnectString servers);
  ~Management();
  Management(const Management&) = delete;
  Management& operator=(const Management&) = delete;

  // Fails with unreachable (nobody answers on any address), timed_out, or what `result` says when it is not Ok: a
  // number of the table of errors and the server's words. Of our own commands ("ndb ...") a server of NDB's gets
  // nothing but one question without keys, once a connection; the answer is then "Unknown command", as from itself.
  Result<Reply> request(const std::string& command, const Keys& keys = {}, const std::string& bulk = {},
                        Time timeout = 15 * kSecond);
  // The same for what changes nothing: when a server closes the connection instead of answering, or says nothing for
  // 3 s while there are others, the next of the list is asked.
  Result<Reply> ask(const std::string& command, const Keys& keys = {}, Time timeout = 15 * kSecond);
  // The last reply that was read whole, also one that refused: what its bulk says besides the sentence.
  const Reply& last_reply() const;
  // 32 hexadecimal digits: the `request` of a change that may be repeated.
  static std::string draw_request_id();

 private:
  Result<Reply> exchange(const std::string& command, const Keys& keys, const std::string& bulk, Time timeout);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Fresh random session and seed, the servers of `c`.
client::ClientOptions client_options(const ConnectString& c);

// Sockets and the clock for the blocking API. The loop runs in the threads that wait (client/cluster.h).
client::MakeHost loop_host();

// Everything together: finds the servers by the rules above and waits for the catalog.
Result<std::shared_ptr<client::Cluster>> connect_cluster(const std::string& connectstring = {},
                                                         Time timeout = 3 * kSecond);
Result<std::shared_ptr<client::Cluster>> connect_cluster(const ConnectString& servers, Time timeout = 3 * kSecond);

}  // namespace ndb::cli
