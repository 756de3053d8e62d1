// A directory that one process has to itself. Everything here that refuses only looks, so that a refused start leaves
// all as it was.
#pragma once
#include <string>

#include "base/errors.h"

namespace ndb::os {

struct OwnDirectory {
  std::string path;
  bool (*is_ours)(const std::string& name);  // files that this kind of process makes there
};

// May this process read and write in it? "cannot write in <what> '<path>': Permission denied".
Failure check_access(const std::string& what, const std::string& path);
// May it make or replace this file? "cannot write in the directory of <what> '<directory>': Permission denied".
Failure check_place(const std::string& what, const std::string& file);
// Refused: it holds files, and none of them is ours; `advice` ends the sentence. Fine when it does not exist.
Failure check_contents(const OwnDirectory& d, const std::string& advice);
// Removes what is ours, the file `kept` excepted. On disk when it returns.
Failure remove_contents(const OwnDirectory& d, const std::string& kept);

}  // namespace ndb::os
