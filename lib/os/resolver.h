// Socket addresses: parsed from text, looked up by name, printed.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"

namespace ndb::os {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// A numeric IPv4 or IPv6 address; false: it is a name. Never blocks.
bool parse_address(const std::string& host, std::uint16_t port, SocketAddress* a);
// "127.0.0.1:1186", "[::1]:1186"; an IPv4 address inside IPv6 is shown as IPv4.
std::string address_text(const SocketAddress& a);
std::string host_text(const SocketAddress& a);  // the same without port and brackets
std::uint16_t port_of(const SocketAddress& a);
void set_port(SocketAddress* a, std::uint16_t port);
bool same_address(const SocketAddress& a, const SocketAddress& b);  // port included
// Asks the system's resolver, and waits for it. Never empty when ok.
Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port);
// Of the interfaces of this computer, with port 0.
std::vector<SocketAddress> own_addresses();
// Is one of them among `own`, or a loopback address? (All of 127/8 is loopback, only one address of it an interface's.)
bool is_own(const std::vector<SocketAddress>& addresses, const std::vector<SocketAddress>& own);

// look_up() on a thread. A question whose deadline has passed before its turn comes is answered with nothing, without
// asking: a dead name server cannot pile up questions.
class Resolver {
 public:
  using Answer = std::function<void(std::vector<SocketAddress>)>;  // called on the resolver's thread
  Resolver();
  ~Resolver();  // does not wait for a look-up under way; its answer is dropped
  void ask(std::string host, std::uint16_t port, Time deadline, Answer answer);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The addresses of a small set of names, asked for again and again, without waiting. An answer counts for `fresh`.
class HostTable {
 public:
  // `changed` is called on the resolver's thread when something that was asked for has become known.
  explicit HostTable(std::function<void()> changed, Time fresh = 5 * kSecond);
  ~HostTable();
  // Numeric, without ports; when the name is one of this computer, with all of its addresses. Empty: no such host, or
  // it was not found in time. nullopt: is being looked up.
  std::optional<std::vector<std::string>> addresses(const std::string& host);

 private:
  struct State;
  std::shared_ptr<State> state_;
  Resolver resolver_;  // last: its destructor lets go of the answers
};

}  // namespace ndb::os
