#include "cli/node_list.h"

#include "env/limits.h"
#include "mgmt/text_request.h"

namespace ndb::cli {

Result<std::vector<NodeId>> parse_node_list(std::string_view text) {
  std::vector<NodeId> ids;
  for (std::string_view part : mgmt::split_words(text, ", ")) {
    const std::size_t dash = part.find('-');
    std::int64_t from = 0;
    std::int64_t to = 0;
    const bool good = mgmt::parse_number(part.substr(0, dash), &from) &&
                      mgmt::parse_number(dash == std::string_view::npos ? part : part.substr(dash + 1), &to);
    const std::string quoted = "'" + std::string(part) + "'";
    if (!good) return Failure{Error::bad_node_id, quoted + " is no node id and no range of node ids"};
    if (from < 1) return Failure{Error::bad_node_id, "there is no node id 0"};
    if (to < from) return Failure{Error::bad_node_id, quoted + " ends before it begins"};
    if (to > static_cast<std::int64_t>(limits::kNodeIdMax)) {
      return Failure{Error::bad_node_id,
                     quoted + " is out of range; node ids end at " + std::to_string(limits::kNodeIdMax)};
    }
    for (std::int64_t id = from; id <= to; ++id) ids.push_back(static_cast<NodeId>(id));
  }
  return ids;
}

}  // namespace ndb::cli
