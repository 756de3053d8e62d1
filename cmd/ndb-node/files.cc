// `ndb-node --check-files` and `--dump`: what a node's files hold, for people. Both only read.
#include <iostream>

#include "meta/stored.h"
#include "os/file_disk.h"
#include "os/files.h"
#include "os/sqlite_log_read.h"
#include "os/sqlite_log_store.h"
#include "program.h"
#include "store/checkpoint.h"
#include "store/recover.h"

namespace ndb::node_program {

namespace {

constexpr std::size_t kFileBytesMax = std::size_t{16} << 30;

// Recovery without a use for what it finds.
struct Nobody : store::RecoverySink {
  void reset() override {}
  Failure fragment(const store::CheckpointFragment&, Bytes) override { return {}; }
  Failure row(const FragmentRef&, Sequence, Bytes) override { return {}; }
  Failure fragment_end(const FragmentRef&) override { return {}; }
  Failure created(const FragmentRef&) override { return {}; }
  Failure dropped(const FragmentRef&) override { return {}; }
  Failure state(const FragmentRef&, Bytes) override { return {}; }
  Failure apply(const FragmentRef&, Sequence, Epoch, Bytes) override { return {}; }
};

// Prints lines, and remembers whether all were good news.
struct Report {
  bool good = true;
  void line(const std::string& subject, const std::string& text) { std::cout << subject << ": " << text << "\n"; }
  void wrong(const std::string& subject, const std::string& text) {
    good = false;
    line(subject, "damaged: " + text);
  }
};

// The files of one worker, and what the metadata file says about them.
void check_worker(const std::string& dir, const std::string& name, const meta::Stored& stored, NodeId id,
                  Report* report) {
  auto disk = os::FileDisk::open_to_read(dir + "/" + name);
  if (!disk.ok()) return report->wrong(name, disk.failure().sentence());
  std::vector<std::string> lines;
  const bool good = store::check_disk(**disk, &lines);
  for (const std::string& l : lines) report->line(name, l);
  report->good = report->good && good;
  const store::DiskIdentity& whose = (*disk)->identity();
  if (whose.node != 0 && whose.node != id) {
    report->wrong(name, "its files belong to node " + std::to_string(whose.node));
  }
  if (whose.cluster != 0 && stored.cluster != 0 && whose.cluster != stored.cluster) {
    report->wrong(name, "its files belong to cluster " + std::to_string(whose.cluster) + ", the metadata file to " +
                            std::to_string(stored.cluster));
  }
  Nobody nobody;
  const Epoch upto = stored.cluster == 0 ? UINT64_MAX : stored.durable;  // nobody says what was durable: all of it
  store::Recovery recovery(**disk, nobody, {upto, false});
  if (recovery.run() == store::Recovery::State::failed) {
    return report->wrong(name, "a start is refused: " + recovery.failure().sentence());
  }
  const auto& r = recovery.report();
  if (r.empty) return report->line(name, "a start finds nothing here");
  std::string text = "a start comes to epoch " + std::to_string(r.epoch) + " with checkpoint " +
                     std::to_string(r.checkpoint) + " (" + std::to_string(r.rows) + " rows) and " +
                     std::to_string(r.applied) + " records of the redo log";
  if (r.epoch < stored.durable) {
    text +=
        "; epoch " + std::to_string(stored.durable) + " was durable: what is missing has to come from its node group";
  }
  report->line(name, text);
}

bool check_node(const std::string& data_dir, NodeId id) {
  const std::string dir = file_system_of(data_dir, id);
  std::cout << dir << "\n";
  Report report;
  meta::Stored stored;
  const std::string path = dir + "/" + os::kMetaFileName;
  if (!os::exists(path)) {
    report.line(os::kMetaFileName, "is not there: the node comes as a new member of the metadata log");
  } else if (auto state = os::read_log_file(path); !state.ok()) {
    report.wrong(os::kMetaFileName, state.failure().sentence());
  } else {
    stored = meta::look_at(*state);
    report.line(os::kMetaFileName, "good, snapshot at " + std::to_string(state->snapshot.index) + " and " +
                                       std::to_string(state->entries.size()) + " entries, cluster " +
                                       std::to_string(stored.cluster) + " node " + std::to_string(stored.node) +
                                       " durable epoch " + std::to_string(stored.durable));
    if (stored.node != 0 && stored.node != id) {
      report.wrong(os::kMetaFileName, "it belongs to node " + std::to_string(stored.node));
    }
  }
  auto workers = os::worker_directories(dir);
  if (!workers.ok()) {
    report.wrong(dir, workers.failure().sentence());
  } else {
    for (const std::string& w : *workers) check_worker(dir, w, stored, id, &report);
  }
  std::cout << dir << ": " << (report.good ? "good" : "damaged") << "\n";
  return report.good;
}

// The nodes that have files in a data directory.
Result<std::vector<NodeId>> nodes_in(const std::string& data_dir) {
  auto names = os::list_directory(data_dir);
  if (!names.ok()) return names.failure();
  std::vector<NodeId> ids;
  for (unsigned id = 1; id <= limits::kDataNodeIdMax; id++) {
    if (os::is_directory(file_system_of(data_dir, static_cast<NodeId>(id)))) ids.push_back(static_cast<NodeId>(id));
  }
  return ids;
}

}  // namespace

int check_files(const Options& o) {
  const std::string data_dir = o.data_dir.empty() ? "." : o.data_dir;
  auto found = nodes_in(data_dir);
  if (!found.ok()) return complain(found.failure().sentence());
  std::vector<NodeId> ids = *found;
  if (o.node_id != 0) std::erase_if(ids, [&](NodeId id) { return id != o.node_id; });
  if (ids.empty()) {
    return complain("'" + data_dir + "' has no files of " +
                    (o.node_id != 0 ? "data node " + std::to_string(o.node_id) : "a data node") +
                    " (ndb_<id>_fs); say where they are with --datadir");
  }
  for (NodeId id : ids) {
    if (Failure f = os::check_unlocked(file_system_of(data_dir, id) + "/lock")) {
      return complain(f.sentence() + "; stop the node first");
    }
  }
  bool good = true;
  for (NodeId id : ids) good = check_node(data_dir, id) && good;
  return good ? 0 : 1;
}

int dump_file(const std::string& path) {
  if (os::is_directory(path)) return complain("'" + path + "' is a directory: name one of its files");
  auto bytes = os::read_file(path, kFileBytesMax);
  if (!bytes.ok()) return complain(bytes.failure().sentence());
  if (bytes->starts_with("SQLite format 3")) {
    auto state = os::read_log_file(path);
    if (!state.ok()) return complain(state.failure().sentence());
    std::cout << os::dump_log(*state);
    return 0;
  }
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name == "lock" || name.ends_with(".lock") || name.ends_with(".pid")) {
    if (Failure f = os::check_unlocked(path)) {
      std::cout << f.sentence() << "\n";
      return f.error == Error::in_use ? 0 : 1;
    }
    std::cout << "'" << path << "' is held by nobody; the last process was " << bytes->substr(0, bytes->find('\n'))
              << "\n";
    return 0;
  }
  const std::string text = store::dump_store_file(*bytes);
  if (text.empty()) {
    return complain("'" + path + "' is no file of a data node: neither redo, checkpoint, metadata nor lock");
  }
  std::cout << text;
  return text.find("damaged: ") == std::string::npos ? 0 : 1;
}

}  // namespace ndb::node_program
