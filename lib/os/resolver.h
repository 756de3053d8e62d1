// Socket addresses: parsed from text, looked up by name, printed.
#pragma once
#include <functional>
#include <memory>
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
std::uint16_t port_of(const SocketAddress& a);
void set_port(SocketAddress* a, std::uint16_t port);
bool same_address(const SocketAddress& a, const SocketAddress& b);  // port included
// Asks the system's resolver, and waits for it. Never empty when ok.
Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port);

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

}  // namespace ndb::os
