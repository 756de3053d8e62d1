// One connection of the management protocol.
#pragma once
#include <map>
#include <string>

#include "env/machine.h"
#include "mgmt/text_commands.h"
#include "mgmt/text_request.h"

namespace ndb::mgmt {

inline constexpr std::uint32_t kTextVersion = 8 << 16 | 4 << 8 | 8;  // of NDB, whose protocol this is
inline constexpr std::string_view kTextVersionWords = "mysql-8.4.8 ndb-8.4.8";

struct Session {
  explicit Session(env::LinkId l, std::uint64_t n, std::string peer)
      : link(l), number(n), address(std::move(peer)), reader(text_commands()) {}

  env::LinkId link;
  std::uint64_t number;  // links are used again, numbers are not
  std::string address;   // of the peer, with its port
  RequestReader reader;
  std::uint32_t client_version = 0;
  std::size_t arrived = 0;  // bytes of the text event that is being read; 0 = none is
  bool busy = false;        // an answer is under way: later requests wait in the reader
  bool ending = false;      // nothing is read any more
  bool listening = false;   // `listen event`: one way from now on
  bool parsable = false;
  std::map<int, int> levels;  // of `listen event`: category -> level
};

}  // namespace ndb::mgmt
