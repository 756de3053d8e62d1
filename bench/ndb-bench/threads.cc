#include "threads.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bench {

std::vector<ThreadUse> thread_use(pid_t process) {
  std::vector<ThreadUse> all;
  std::error_code gone;
  std::filesystem::directory_iterator tasks("/proc/" + std::to_string(process) + "/task", gone), end;
  for (; !gone && tasks != end; tasks.increment(gone)) {
    const std::string dir = tasks->path().string();
    ThreadUse u;
    u.thread = static_cast<pid_t>(std::atoi(tasks->path().filename().c_str()));
    double ns = 0;
    if (!(std::ifstream(dir + "/schedstat") >> ns)) continue;
    u.seconds = ns / 1e9;
    std::ifstream comm(dir + "/comm");
    std::getline(comm, u.name);
    std::ifstream status(dir + "/status");
    for (std::string word; status >> word;) {
      if (word == "voluntary_ctxt_switches:") status >> u.waits;
      if (word == "nonvoluntary_ctxt_switches:") status >> u.preempted;
    }
    all.push_back(u);
  }
  std::sort(all.begin(), all.end(), [](const ThreadUse& a, const ThreadUse& b) { return a.thread < b.thread; });
  return all;
}

std::vector<ThreadUse> used_between(const std::vector<ThreadUse>& before, std::vector<ThreadUse> after) {
  std::erase_if(after, [&](ThreadUse& a) {
    auto b = std::find_if(before.begin(), before.end(), [&](const ThreadUse& x) { return x.thread == a.thread; });
    if (b == before.end()) return true;
    a.seconds -= b->seconds;
    a.waits -= b->waits;
    a.preempted -= b->preempted;
    return false;
  });
  return after;
}

}  // namespace bench
