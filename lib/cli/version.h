// What the tools say for --version.
#pragma once
#include <string_view>

namespace ndb::cli {
inline constexpr std::string_view kToolVersion = "0.1.0";
}  // namespace ndb::cli
