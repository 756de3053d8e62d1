// Does a history of transactions over lists make sense? (The idea of Elle: Kingsbury, Alvaro, VLDB 2020. When every
// element is unique and lists only grow, the order of writes can be read off the lists.)
//
// A transaction reads lists and appends elements to them. Checked:
//   * what was read is a prefix of the final list; the final list holds no element twice
//   * every element of a committed transaction is there, none of an aborted one (G1a), and all or none of an unknown
//   one
//   * nothing of another transaction's middle is seen (G1b): of two appends of one transaction to one list, both or
//   none
//   * no cycle of write-write and write-read dependencies (G0, G1c), nor, through locked reads, of read-write ones (G2)
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ndb::sim {

using List = std::vector<std::uint64_t>;

struct ListTxn {
  enum class Outcome : std::uint8_t { committed, aborted, unknown } outcome = Outcome::unknown;
  struct Read {
    std::uint64_t key;
    List list;            // without what this transaction itself appended
    bool locked = false;  // nobody else could change it until the transaction ended
  };
  std::vector<Read> reads;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> appends;  // key, element (unique)
  std::string who;
};

// Empty, or what is wrong. `final_lists`: as they are at the end, after every transaction.
std::string broken_history(const std::vector<ListTxn>& history, const std::map<std::uint64_t, List>& final_lists);

}  // namespace ndb::sim
