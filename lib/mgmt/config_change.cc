// The rules of changing a configuration that is in use.
#include <algorithm>
#include <set>

#include "mgmt/config_diff.h"
#include "mgmt/config_raw.h"
#include "mgmt/text_reply.h"

namespace ndb::mgmt {
namespace {

// Sentences with "{}" for the nodes they are about; nodes with the same sentence share one.
class Sentences {
 public:
  void say(Severity severity, const std::string& text, NodeId id) {
    for (Entry& e : entries_) {
      if (e.severity == severity && e.text == text) {
        e.ids.push_back(id);
        return;
      }
    }
    entries_.push_back({severity, text, {id}});
  }

  std::vector<Problem> problems() const {
    std::vector<Problem> out;
    for (const Entry& e : entries_) {
      std::string text = e.text;
      const auto at = text.find("{}");
      if (at != std::string::npos) text.replace(at, 2, node_list(e.ids));
      out.push_back({0, e.severity, std::move(text)});
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Problem& a, const Problem& b) { return a.severity > b.severity; });
    return out;
  }

 private:
  struct Entry {
    Severity severity;
    std::string text;
    std::vector<NodeId> ids;
  };

  std::vector<Entry> entries_;
};

// A sentence for a parameter whose every change is worth one. "{}" = the nodes, "$1" and "$2" = the
// values.
struct Rule {
  Kind kind;
  std::string_view name;
  Severity severity;
  std::string_view text;
};

constexpr Rule kRules[] = {
    {Kind::ndbd, "NoOfReplicas", Severity::error,
     "NoOfReplicas cannot change from $1 to $2 in a cluster that lives ({}); take a backup, start "
     "a new cluster with the "
     "new number, and restore"},
    {Kind::ndbd, "ServerPort", Severity::warning,
     "ServerPort of {} changes from $1 to $2: a running node keeps its port; restart it, or remove "
     "it and add another node"},
    {Kind::ndbd, "FragmentLogFileSize", Severity::warning,
     "FragmentLogFileSize of {} changes from $1 to $2: takes a restart with --initial, one node "
     "after the other"},
    {Kind::ndbd, "NoOfFragmentLogFiles", Severity::warning,
     "NoOfFragmentLogFiles of {} changes from $1 to $2: takes a restart with --initial, one node "
     "after the other; a node "
     "refuses to start without it"},
    {Kind::ndbd, "DataDir", Severity::warning,
     "DataDir of {} changes from $1 to $2: the node does not find its files there; restart it with "
     "--initial, or move "
     "them while it is down"},
    {Kind::ndbd, "FileSystemPath", Severity::warning,
     "FileSystemPath of {} changes from $1 to $2: the node does not find its files there; restart "
     "it with --initial, or "
     "move them while it is down"},
    {Kind::ndbd, "BackupDataDir", Severity::warning,
     "BackupDataDir of {} changes from $1 to $2: backups taken before stay in the old directory"},
    {Kind::ndbd, "Diskless", Severity::warning,
     "Diskless of {} changes from $1 to $2: meant for a new cluster only; take a backup first"},
    {Kind::ndbd, "LockPagesInMainMemory", Severity::warning,
     "LockPagesInMainMemory of {} changes from $1 to $2: raise the system's limit on locked memory "
     "(ulimit -l) first"},
    {Kind::ndb_mgmd, "HostName", Severity::warning,
     "HostName of management {} changes from $1 to $2: change the connect strings of all nodes and "
     "tools, and use another "
     "management server meanwhile"},
    {Kind::ndb_mgmd, "PortNumber", Severity::warning,
     "PortNumber of management {} changes from $1 to $2: change the connect strings of all nodes "
     "and tools, and use "
     "another management server meanwhile"},
};

// Maxima of objects that may be in use, and memory that may be full.
bool worse_when_lower(const Change& c) {
  if (c.section != Kind::ndbd || to_number(c.new_value) >= to_number(c.old_value)) return false;
  for (std::string_view name : {"DataMemory", "DiskPageBufferMemory", "SharedGlobalMemory", "TransactionMemory"}) {
    if (c.parameter == name && c.new_value != "0") return true;
  }
  for (std::string_view name :
       {"MaxNoOfTables", "MaxNoOfAttributes", "MaxNoOfOrderedIndexes", "MaxNoOfUniqueHashIndexes", "MaxNoOfTriggers"}) {
    if (c.parameter == name) return true;
  }
  return false;
}

std::string filled(std::string_view text, const Change& c) {
  std::string out(text);
  auto put = [&](const char* mark, const std::string& value) {
    const auto at = out.find(mark);
    if (at != std::string::npos) out.replace(at, 2, value.empty() ? "nothing" : quoted(value));
  };
  put("$1", c.old_value);
  put("$2", c.new_value);
  return out;
}

// "1500, 3000, 6000": values on the way, each at most twice or at least half of the one before.
std::string steps(std::uint64_t from, std::uint64_t to) {
  std::string out;
  while (from != to && from > 0 && to > 0) {
    const bool up = to > from;
    from = up ? (to - from > from ? from * 2 : to) : ((from + 1) / 2 > to ? (from + 1) / 2 : to);
    out += (out.empty() ? "" : ", ") + std::to_string(from);
  }
  return out;
}

class Judge {
 public:
  Judge(const Config& from, const Config& to) : from_(from), to_(to) {}

  std::vector<Problem> run() {
    for (const Change& c : diff(from_, to_)) {
      if (c.parameter.empty()) {
        if (is_node(c.section)) node_comes_or_goes(c);
      } else if (c.section == Kind::system && c.parameter == "Name") {
        say_error(filled("the name of a cluster cannot change ($1 to $2); start a new cluster "
                         "under the new name and "
                         "restore a backup into it",
                         c),
                  0);
      } else if (is_node(c.section)) {
        value(c, c.nodes[0]);
      }
    }
    return sentences_.problems();
  }

 private:
  void say_error(const std::string& text, NodeId id) { sentences_.say(Severity::error, text, id); }
  void say_warning(const std::string& text, NodeId id) { sentences_.say(Severity::warning, text, id); }

  bool resting(NodeId id) const {
    const Node* a = from_.find(id);
    return a && in_reserve(from_, *a);
  }

  void node_comes_or_goes(const Change& c) {
    const NodeId id = c.nodes[0];
    const Node* a = from_.find(id);
    const Node* b = to_.find(id);
    if (a && b) {
      if (c.kind == ChangeKind::removed) {
        say_error("{} cannot change from " + std::string(kind_name(a->kind)) + " to " +
                      std::string(kind_name(b->kind)) + "; take a node id that was not used before",
                  id);
      }
      return;
    }
    if (c.kind == ChangeKind::removed && c.section == Kind::ndbd) {
      say_warning(
          "data {} would be removed: stop it first, and it must be outside of every node group "
          "(ndb-nodegroup drop)",
          id);
    } else if (c.kind == ChangeKind::removed && c.section == Kind::ndb_mgmd) {
      say_warning(
          "management {} would be removed: take it out of the connect strings of all nodes and "
          "tools first",
          id);
    } else if (c.kind == ChangeKind::added && c.section == Kind::ndb_mgmd) {
      say_warning(
          "management {} is new: put it into the connect strings of all nodes and tools; one or "
          "three servers "
          "are better than two",
          id);
    }
  }

  void value(const Change& c, NodeId id) {
    for (const Rule& r : kRules) {
      if (r.kind != c.section || r.name != c.parameter) continue;
      if (r.name == "ServerPort" && resting(id)) continue;
      if (follows(c, id)) continue;
      sentences_.say(r.severity, filled(r.text, c), id);
    }
    if (worse_when_lower(c)) {
      say_warning(
          filled(c.parameter + " of {} is lowered from $1 to $2: a node that uses more does not start again", c), id);
    }
    if (c.section != Kind::ndbd) return;
    if (c.parameter == "NodeGroup") group(c, id);
    if (c.parameter == "HostName" && !resting(id)) {
      say_warning(filled("HostName of data {} changes from $1 to $2: the node must be stopped, "
                         "moved with its files, and "
                         "started there; or disable it first, or remove it and add another node",
                         c),
                  id);
    }
    if (c.parameter == "NoOfFragmentLogParts") log_parts(c, id);
    if (c.parameter == "HeartbeatIntervalDbDb" || c.parameter == "HeartbeatIntervalDbApi") heartbeat(c, id);
  }

  // FileSystemPath and BackupDataDir follow DataDir; one sentence is enough.
  bool follows(const Change& c, NodeId id) const {
    if (c.parameter != "FileSystemPath" && c.parameter != "BackupDataDir") return false;
    return written_value(from_, *from_.find(id), c.parameter).empty() &&
           written_value(to_, *to_.find(id), c.parameter).empty();
  }

  void group(const Change& c, NodeId id) {
    const bool gone = written_value(to_, *to_.find(id), "NodeGroup").empty();
    if (resting(id) || (gone && to_number(c.old_value) == kNoGroup)) {
      if (gone) {
        say_warning(
            "NodeGroup of data {} is no longer 65536: it counts only when a cluster starts for the "
            "first time; "
            "ndb-nodegroup says where the node is",
            id);
      }
      return;
    }
    say_error(filled("NodeGroup of data {} cannot change from $1 to $2; node groups are made and "
                     "dropped with ndb-nodegroup, "
                     "and tables move with ndb-reorg",
                     c),
              id);
  }

  void log_parts(const Change& c, NodeId id) {
    if (to_number(c.new_value) < to_number(c.old_value)) {
      say_error(filled("NoOfFragmentLogParts of {} cannot go down from $1 to $2; it may only grow", c), id);
    } else {
      say_warning(filled("NoOfFragmentLogParts of {} grows from $1 to $2 and cannot go down again; here "
                         "it has no effect, each worker has one part",
                         c),
                  id);
    }
  }

  void heartbeat(const Change& c, NodeId id) {
    const auto a = to_number(c.old_value), b = to_number(c.new_value);
    if (a == 0 || b == 0 || (b <= 2 * a && a <= 2 * b)) return;
    say_warning(
        filled(c.parameter + " of {} changes from $1 to $2, more than a factor of two: nodes with the old value "
                             "could declare others dead; go in steps: ",
               c) +
            steps(a, b),
        id);
  }

  const Config& from_;
  const Config& to_;
  Sentences sentences_;
};

}  // namespace

std::vector<Problem> check_change(const Config& from, const Config& to) { return Judge(from, to).run(); }

}  // namespace ndb::mgmt
