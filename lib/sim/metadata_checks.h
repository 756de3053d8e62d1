// Laws of the metadata log, checked on what its members report:
//   I2  members at the same version have byte-identical catalogs, reached by the same command
//   I4  one request id is one change
//   order: a request proposed after another one was answered comes behind it in the log
// and what must be true in every catalog, whatever commands led to it.
#pragma once
#include <map>
#include <string>

#include "meta/member.h"
#include "sim/world.h"

namespace ndb::sim {

// Empty, or what is wrong with this catalog.
std::string broken_rule(const meta::Catalog& c);

class MetadataChecks {
 public:
  explicit MetadataChecks(World& world) : world_(world) {}

  void applied(ProcessId p, const meta::Member::Applied& a);
  // A catalog that came whole, as a snapshot.
  void replaced(ProcessId p, const meta::Catalog& c);
  void proposed(const meta::RequestId& id);
  void finished(ProcessId p, const meta::Member::Finished& f);

  std::uint64_t entries() const { return entries_.size(); }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t changes() const { return changes_; }

 private:
  struct Entry {
    std::uint64_t fingerprint = 0;
    std::uint64_t command = 0;
  };
  struct Request {
    Version floor = 0;  // everything up to here was answered before it was proposed
    Version index = 0;  // of its first entry; 0 = not seen yet
    meta::Outcome outcome;
  };
  void first_seen(const meta::Member::Applied& a);
  std::uint64_t check_fingerprint(ProcessId p, const meta::Catalog& c);

  World& world_;
  std::map<Version, Entry> entries_;
  std::map<meta::RequestId, Request> requests_;
  Version answered_up_to_ = 0;
  std::uint64_t answered_ = 0, changes_ = 0;
};

}  // namespace ndb::sim
