#include "sim/append_check.h"

#include <algorithm>
#include <set>

namespace ndb::sim {
namespace {

using Outcome = ListTxn::Outcome;
std::string str(std::uint64_t n) { return std::to_string(n); }

class Check {
 public:
  Check(const std::vector<ListTxn>& history, const std::map<std::uint64_t, List>& lists)
      : history_(history), lists_(lists), happened_(history.size()), edges_(history.size()) {}

  std::string run() {
    for (auto step : {&Check::owners, &Check::presence, &Check::reads, &Check::cycle}) {
      if (std::string s = (this->*step)(); !s.empty()) return s;
    }
    return {};
  }

 private:
  const List& list(std::uint64_t key) const {
    static const List empty;
    auto i = lists_.find(key);
    return i == lists_.end() ? empty : i->second;
  }
  std::string owners() {
    for (std::size_t t = 0; t < history_.size(); t++) {
      for (auto [key, element] : history_[t].appends) owner_[element] = t;
    }
    for (const auto& [key, l] : lists_) {
      std::set<std::uint64_t> seen;
      for (std::size_t i = 0; i < l.size(); i++) {
        if (!seen.insert(l[i]).second) return "element " + str(l[i]) + " is twice in list " + str(key);
        auto o = owner_.find(l[i]);
        if (o == owner_.end()) return "element " + str(l[i]) + " of list " + str(key) + " was never appended";
        happened_[o->second] = true;
        if (i > 0) edge(owner_[l[i - 1]], o->second);  // write-write
      }
    }
    return {};
  }
  std::string presence() {
    for (std::size_t t = 0; t < history_.size(); t++) {
      const ListTxn& x = history_[t];
      if (x.outcome == Outcome::aborted && happened_[t]) return x.who + " was aborted, but its elements are there";
      if (x.outcome == Outcome::unknown && !happened_[t]) continue;
      if (x.outcome == Outcome::aborted) continue;
      for (auto [key, element] : x.appends) {
        const List& l = list(key);
        if (std::find(l.begin(), l.end(), element) != l.end()) continue;
        return x.who + (x.outcome == Outcome::committed ? " was committed, but" : " happened in part:") + " element " +
               str(element) + " is missing in list " + str(key);
      }
    }
    return {};
  }
  std::string reads() {
    for (std::size_t t = 0; t < history_.size(); t++) {
      const ListTxn& x = history_[t];
      // What an aborted or unknown transaction has read counts as seen, but makes no dependencies.
      bool counts = x.outcome == Outcome::committed || happened_[t];
      for (const ListTxn::Read& r : x.reads) {
        const List& l = list(r.key);
        if (r.list.size() > l.size() || !std::equal(r.list.begin(), r.list.end(), l.begin())) {
          return x.who + " read a list " + str(r.key) + " of " + str(r.list.size()) +
                 " that is no beginning of the final one";
        }
        bool cut = !r.list.empty() && r.list.size() < l.size() && owner_[l[r.list.size()]] == owner_[r.list.back()];
        if (cut && owner_[r.list.back()] != t) return x.who + " saw half of " + history_[owner_[r.list.back()]].who;
        if (!counts) continue;
        if (!r.list.empty()) edge(owner_[r.list.back()], t);                          // write-read
        if (r.locked && r.list.size() < l.size()) edge(t, owner_[l[r.list.size()]]);  // read-write
      }
    }
    return {};
  }
  void edge(std::size_t a, std::size_t b) {
    if (a != b) edges_[a].push_back(b);
  }
  std::string cycle() {
    enum : char { white, grey, black };
    std::vector<char> colour(history_.size(), white);
    for (std::size_t root = 0; root < history_.size(); root++) {
      if (colour[root] != white) continue;
      std::vector<std::pair<std::size_t, std::size_t>> path = {{root, 0}};
      colour[root] = grey;
      while (!path.empty()) {
        auto& [t, i] = path.back();
        if (i == edges_[t].size()) {
          colour[t] = black;
          path.pop_back();
          continue;
        }
        std::size_t next = edges_[t][i++];
        if (colour[next] == grey) return describe(path, next);
        if (colour[next] == white) {
          colour[next] = grey;
          path.push_back({next, 0});
        }
      }
    }
    return {};
  }
  std::string describe(const std::vector<std::pair<std::size_t, std::size_t>>& path, std::size_t from) const {
    std::string s = "a cycle of dependencies:";
    bool inside = false;
    for (const auto& step : path) {
      inside = inside || step.first == from;
      if (inside) s += " " + history_[step.first].who + " ->";
    }
    return s + " " + history_[from].who;
  }

  const std::vector<ListTxn>& history_;
  const std::map<std::uint64_t, List>& lists_;
  std::vector<bool> happened_;
  std::vector<std::vector<std::size_t>> edges_;
  std::map<std::uint64_t, std::size_t> owner_;
};

}  // namespace

std::string broken_history(const std::vector<ListTxn>& history, const std::map<std::uint64_t, List>& final_lists) {
  return Check(history, final_lists).run();
}

}  // namespace ndb::sim
