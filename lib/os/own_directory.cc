#include "os/own_directory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "os/files.h"

namespace ndb::os {

Failure check_access(const std::string& what, const std::string& path) {
  if (exists(path) && !is_directory(path)) return {Error::os_failed, what + " '" + path + "' is no directory"};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) == 0) return {};
  return os_failure("write in " + what, path, errno);
}

Failure check_place(const std::string& what, const std::string& file) {
  const std::string directory = std::filesystem::path(file).parent_path().string();
  return check_access("the directory of " + what, directory.empty() ? "." : directory);
}

Failure check_contents(const OwnDirectory& d, const std::string& advice) {
  if (!exists(d.path)) return {};
  auto names = list_directory(d.path);
  if (!names) return names.failure();
  auto foreign = std::find_if(names->begin(), names->end(), [&](const std::string& n) { return !d.is_ours(n); });
  if (foreign == names->end() || std::any_of(names->begin(), names->end(), d.is_ours)) return {};
  return {Error::os_failed,
          "directory '" + d.path + "' holds files of another program ('" + *foreign + "'): " + advice};
}

Failure remove_contents(const OwnDirectory& d, const std::string& kept) {
  auto names = list_directory(d.path);
  if (!names) return names.failure();
  for (const std::string& name : *names) {
    if (!d.is_ours(name) || name == kept) continue;
    std::error_code e;
    std::filesystem::remove_all(d.path + "/" + name, e);
    if (e) return {Error::os_failed, "cannot remove '" + d.path + "/" + name + "': " + e.message()};
  }
  return sync_directory(d.path);
}

}  // namespace ndb::os
