// A client that reads a whole table, over and over until a scan ends well.
#pragma once
#include <map>
#include <string>

#include "cluster_run.h"

namespace ndb::simtest {

class Scanner : public sim::Actor {
 public:
  explicit Scanner(const TestTable& t) : table_(t) {}
  std::map<std::uint64_t, std::string> rows;
  std::string doubled;  // what is wrong: a row that came twice
  bool done = false;

  void answered(Time, const client::StepResult&, client::ClientMachine&) override {}
  void lost() override {}
  Time act(Time now, client::ClientMachine& m) override;

 private:
  const TestTable& table_;
  client::ScanHandle scan_ = client::kNoScan;
};

}  // namespace ndb::simtest
