// Lists of node ids as options take them: "1,3-5".
#pragma once
#include <string_view>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"

namespace ndb::cli {

// Ascending or not, as written. Refused with a sentence that quotes the part that is none.
Result<std::vector<NodeId>> parse_node_list(std::string_view text);

}  // namespace ndb::cli
