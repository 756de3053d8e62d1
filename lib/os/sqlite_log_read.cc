#include "os/sqlite_log_read.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include "base/hash.h"
#include "meta/command.h"
#include "os/files.h"

namespace ndb::os {

namespace {

constexpr int kBusyMs = 1000;
constexpr std::uint16_t kCommand = 1, kBarrier = 2;  // raft's types of entries

// A directory of our own that goes with everything in it.
struct Scratch {
  std::string path;
  Scratch() {
    const char* tmp = std::getenv("TMPDIR");
    std::string name = std::string(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") + "/ndb_read_XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path = name;
  }
  ~Scratch() {
    std::error_code e;
    if (!path.empty()) std::filesystem::remove_all(path, e);
  }
};

std::string hex(std::uint64_t v) {
  std::string s(16, '0');
  for (std::size_t i = 16; i-- > 0; v >>= 4) s[i] = "0123456789abcdef"[v & 15];
  return s;
}

std::string dump_snapshot(const meta::LogSnapshot& s) {
  std::string out = "snapshot at " + std::to_string(s.index) + " term " + std::to_string(s.term) + " bytes " +
                    std::to_string(s.data.size());
  meta::Catalog c;
  Reader r(s.data);
  if (!meta::decode(r, &c)) return out + ": damaged, it is no catalog\n";
  out += ": catalog version " + std::to_string(c.version) + " cluster " + std::to_string(c.cluster_id) + " '" + c.name +
         "' generation " + std::to_string(c.generation) + " durable epoch " + std::to_string(c.durable_epoch) + "\n";
  for (const auto& [id, n] : c.nodes) {
    out += std::string("  ") + meta::name_of(n.type) + " node " + std::to_string(id);
    if (n.type == meta::NodeType::data) {
      out += std::string(" ") + meta::name_of(n.state) + " incarnation " + std::to_string(n.incarnation);
      if (n.group != kNoGroup) out += " group " + std::to_string(n.group);
    }
    out += "\n";
  }
  for (const auto& [id, t] : c.tables) {
    out += "  table " + std::to_string(id) + " '" + t->name + "' fragments " +
           std::to_string(t->distribution.groups.size()) + "\n";
  }
  return out;
}

}  // namespace

std::uint32_t log_checksum(const meta::LogEntry& e) {
  Writer w;
  w.u64(e.index);
  w.u64(e.term);
  w.u16(e.type);
  return crc32c(e.data, crc32c(w.view()));
}

std::uint32_t log_checksum(const meta::LogSnapshot& s) {
  Writer w;
  w.u64(s.index);
  w.u64(s.term);
  w.u64(s.membership_index);
  return crc32c(s.data, crc32c(s.membership, crc32c(w.view())));
}

std::string judge_log_file(SqliteFile& file, bool* empty) {
  std::int64_t id = 0, version = 0, things = 0;
  if (!file.number("PRAGMA application_id", &id) || !file.number("PRAGMA user_version", &version) ||
      !file.number("SELECT count(*) FROM sqlite_master", &things)) {
    return (file.is_damaged() ? "it is damaged: " : "") + file.error();
  }
  *empty = id == 0 && version == 0 && things == 0;
  if (!*empty && id != kLogApplicationId) return "it belongs to another program";
  if (version > kLogVersion) {
    return "it was written by a newer version (format " + std::to_string(version) + ", this one knows " +
           std::to_string(kLogVersion) + ")";
  }
  return {};
}

bool read_log(SqliteFile& file, meta::LogStore::State* s, std::string* fault) {
  SqliteStatement numbers(file, "SELECT key, value FROM raft");
  while (numbers.row()) {
    std::string key = numbers.blob_at(0);
    if (key == "raft_id") s->raft_id = numbers.number_at(1);
    if (key == "node_id") s->node = static_cast<NodeId>(numbers.number_at(1));
    if (key == "term") s->term = numbers.number_at(1);
    if (key == "vote") s->vote = numbers.number_at(1);
  }
  SqliteStatement snapshot(file, "SELECT idx, term, membership_index, membership, data, crc FROM snapshot");
  if (snapshot.row()) {
    s->snapshot = {snapshot.number_at(0), snapshot.number_at(1), snapshot.number_at(2), snapshot.blob_at(3),
                   snapshot.blob_at(4)};
    if (log_checksum(s->snapshot) != snapshot.number_at(5)) {
      *fault = "its snapshot is damaged (checksum)";
      return false;
    }
  }
  SqliteStatement entries(file, "SELECT idx, term, type, data, crc FROM log ORDER BY idx");
  while (entries.row()) {
    meta::LogEntry e{entries.number_at(0), entries.number_at(1), static_cast<std::uint16_t>(entries.number_at(2)),
                     entries.blob_at(3)};
    if (log_checksum(e) != entries.number_at(4)) {
      *fault = "entry " + std::to_string(e.index) + " is damaged (checksum)";
      return false;
    }
    if (!s->entries.empty() && s->entries.back().index + 1 != e.index) {
      *fault = "entry " + std::to_string(s->entries.back().index + 1) + " is missing";
      return false;
    }
    s->entries.push_back(std::move(e));
  }
  if (numbers.good() && snapshot.good() && entries.good()) return true;
  *fault = file.error();
  return false;
}

std::string check_log(SqliteFile& file, meta::LogStore::State* s) {
  std::string verdict;
  if (!file.text("PRAGMA quick_check(1)", &verdict)) return "it is damaged: " + file.error();
  if (verdict != "ok") return "it is damaged: " + verdict;
  std::string fault;
  return read_log(file, s, &fault) ? std::string() : fault;
}

Result<meta::LogStore::State> read_log_file(const std::string& path) {
  if (Failure f = check_unlocked(path + kLockSuffix)) return f;
  Scratch scratch;
  if (scratch.path.empty()) return os_failure("make a directory in", "$TMPDIR", errno);
  const std::string copy = scratch.path + "/copy.sqlite";
  for (const char* part : {"", "-wal"}) {
    if (*part != '\0' && !exists(path + part)) continue;
    auto bytes = read_file(path + part);
    if (!bytes.ok()) return bytes.failure();
    if (Failure f = append_file(copy + part, *bytes)) return f;
  }
  auto refused = [&](const std::string& why) {
    return Failure{Error::os_failed, "metadata file '" + path + "': " + why};
  };
  SqliteFile file;
  if (Failure f = file.open(copy, kBusyMs)) return refused(f.sentence());
  bool empty = false;
  if (std::string wrong = judge_log_file(file, &empty); !wrong.empty()) return refused(wrong);
  meta::LogStore::State s;
  if (empty) return s;
  if (std::string wrong = check_log(file, &s); !wrong.empty()) return refused(wrong);
  return s;
}

std::string dump_log(const meta::LogStore::State& s) {
  std::string out = "metadata file, raft id " + std::to_string(s.raft_id) + " term " + std::to_string(s.term) +
                    " vote " + std::to_string(s.vote);
  out += s.node != 0 ? " management server " + std::to_string(s.node) + "\n" : "\n";
  if (s.snapshot.present()) out += dump_snapshot(s.snapshot);
  for (const meta::LogEntry& e : s.entries) {
    out += "entry " + std::to_string(e.index) + " term " + std::to_string(e.term) + " bytes " +
           std::to_string(e.data.size()) + " ";
    meta::Command c;
    Reader r(e.data);
    if (e.type != kCommand) {
      out += e.type == kBarrier ? "barrier" : "membership";
    } else if (!meta::decode(r, &c)) {
      out += "damaged, it is no command";
    } else {
      out += meta::name_of(c.body);
      if (!c.request.none()) out += " request " + hex(c.request.high) + hex(c.request.low);
    }
    out += "\n";
  }
  return out + "end: entries " + std::to_string(s.entries.size()) + "\n";
}

}  // namespace ndb::os
