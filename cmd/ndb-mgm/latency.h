// How long a commit takes as a client sees it: the median of a few transactions that lock one key, which no row has to
// have, and commit. Asked before and after each node of a rolling restart.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/prng.h"
#include "client/cluster.h"

namespace ndb::cli {

class LatencyProbe {
 public:
  // Looks for a table whose primary key is made of whole numbers. Without one, or when no client is let in, there is
  // nothing to measure.
  explicit LatencyProbe(const std::string& connectstring);
  bool measures() const { return static_cast<bool>(table_); }
  // Nothing when no transaction went well.
  std::optional<Time> median();

 private:
  std::shared_ptr<client::Cluster> cluster_;
  client::Table table_;
  std::size_t key_bytes_ = 0;
  Prng prng_;
};

}  // namespace ndb::cli
