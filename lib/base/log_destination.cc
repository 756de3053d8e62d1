#include "base/log_destination.h"

#include <algorithm>
#include <charconv>

namespace ndb {

namespace {

constexpr std::uint32_t kFilesMax = 1000;

Failure unknown(std::string_view word) {
  return {Error::illegal_change,
          "LogDestination: '" + std::string(word) +
              "' is not known; it takes FILE:filename=..,maxsize=..,maxfiles=.., CONSOLE, SYSLOG"};
}

// Cuts off the part up to `separator`.
std::string_view next_part(std::string_view* rest, char separator) {
  const std::size_t end = rest->find(separator);
  std::string_view part = rest->substr(0, end);
  *rest = end == std::string_view::npos ? std::string_view{} : rest->substr(end + 1);
  while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
  while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
  return part;
}

template <class T>
bool read_number(std::string_view text, T* number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size();
}

Failure read_file_options(std::string_view options, const std::string& directory, LogDestination* to) {
  while (!options.empty()) {
    const std::string_view option = next_part(&options, ',');
    const std::string_view value = option.substr(std::min(option.find('=') + 1, option.size()));
    bool good = !value.empty();
    if (option.starts_with("filename=")) {
      to->path = value.starts_with('/') ? std::string(value) : directory + "/" + std::string(value);
    } else if (option.starts_with("maxsize=")) {
      good = read_number(value, &to->bytes_max) && to->bytes_max > 0;
    } else if (option.starts_with("maxfiles=")) {
      good = read_number(value, &to->files_max) && to->files_max > 0 && to->files_max <= kFilesMax;
    } else {
      good = false;
    }
    if (!good) return unknown(option);
  }
  if (to->path.empty()) return unknown("FILE without filename=");
  return {};
}

}  // namespace

Result<LogDestination> parse_log_destination(std::string_view text, const std::string& directory) {
  LogDestination to;
  while (!text.empty()) {
    const std::string_view one = next_part(&text, ';');
    if (one == "CONSOLE") {
      to.console = true;
    } else if (one == "SYSLOG" || one.starts_with("SYSLOG:")) {
      to.syslog = true;
    } else if (one.starts_with("FILE:")) {
      if (Failure f = read_file_options(one.substr(5), directory, &to)) return f;
    } else {
      return unknown(one);
    }
  }
  return to;
}

}  // namespace ndb
