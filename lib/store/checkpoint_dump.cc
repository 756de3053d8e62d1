// Checkpoints as text, and the check of everything that a worker's disk holds.
#include "store/checkpoint.h"

namespace ndb::store {
namespace {

class OneFile : public DiskReader {
 public:
  explicit OneFile(Bytes file) : file_(file) {}
  Inventory list() override { return {}; }
  Result<Bytes> read_redo(std::uint64_t, std::size_t) override { return Bytes(); }
  Result<Bytes> read_checkpoint(std::uint64_t, std::uint64_t offset, std::size_t max) override {
    return offset < file_.size() ? file_.substr(static_cast<std::size_t>(offset), max) : Bytes();
  }
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t) override { return std::uint64_t{file_.size()}; }
  std::string redo_place(std::uint64_t) const override { return {}; }
  std::string checkpoint_place(std::uint64_t, std::uint64_t offset) const override {
    return "offset " + std::to_string(offset);
  }

 private:
  Bytes file_;
};

std::string name(const FragmentRef& ref) {
  return "table " + std::to_string(ref.table) + " fragment " + std::to_string(ref.fragment);
}

}  // namespace

std::string dump_checkpoint(DiskReader& disk, std::uint64_t id, bool rows) {
  CheckpointReader reader(disk, id);
  if (Failure f = reader.open()) return "damaged: " + f.sentence() + "\n";
  const CheckpointHead& h = reader.head();
  std::string out = "checkpoint " + std::to_string(h.id) + " cluster " + std::to_string(h.identity.cluster) + " node " +
                    std::to_string(h.identity.node) + " worker " + std::to_string(h.identity.worker) + " of " +
                    std::to_string(h.identity.workers) + "\nredo from " + std::to_string(h.from.position) +
                    ", complete epoch " + std::to_string(h.complete) + ", newest epoch " +
                    std::to_string(reader.end().newest) + "\n";
  while (true) {
    switch (reader.next()) {
      case CheckpointReader::Item::fragment:
        out += name(reader.fragment().ref) + " sequence " + std::to_string(reader.fragment().sequence) +
               " redo position " + std::to_string(reader.fragment().redo_position) + " state bytes " +
               std::to_string(reader.state().size()) + "\n";
        break;
      case CheckpointReader::Item::rows: {
        std::uint64_t n = 0;
        Sequence sequence;
        Bytes image;
        std::string lines;
        while (reader.row(&sequence, &image)) {
          n++;
          if (rows) {
            lines += "    row sequence " + std::to_string(sequence) + " bytes " + std::to_string(image.size()) + "\n";
          }
        }
        out += "  rows " + std::to_string(n) + "\n" + lines;
        break;
      }
      case CheckpointReader::Item::fragment_end:
        break;
      case CheckpointReader::Item::end:
        return out + "end: fragments " + std::to_string(reader.end().fragments) + " rows " +
               std::to_string(reader.end().rows) + "\n";
      case CheckpointReader::Item::failed:
        return out + "damaged: " + reader.failure().sentence() + "\n";
    }
  }
}

std::string dump_checkpoint_file(Bytes file, bool rows) {
  constexpr std::size_t kIdAt = 8 + 16 + 16;  // in the head chunk
  if (file.size() < kIdAt + 8) return "damaged: the file ends in its head\n";
  OneFile one(file);
  return dump_checkpoint(one, load<std::uint64_t>(file.data() + kIdAt), rows);
}

std::string dump_store_file(Bytes file) {
  if (file.starts_with(RedoFileHeader::kMagic)) return dump_redo_file(file);
  if (file.starts_with("NDBCKPT1")) return dump_checkpoint_file(file);
  return {};
}

bool check_disk(DiskReader& disk, std::vector<std::string>* lines) {
  const DiskReader::Inventory inventory = disk.list();
  bool good = inventory.notes.empty();
  for (const std::string& n : inventory.notes) lines->push_back("damaged: " + n);
  RedoPlace from;
  bool chained = inventory.redo_begin == 0;
  for (std::uint64_t id : inventory.checkpoints) {
    CheckpointReader reader(disk, id);
    Failure f = reader.open();
    while (!f) {
      const CheckpointReader::Item item = reader.next();
      if (item == CheckpointReader::Item::end) break;
      if (item == CheckpointReader::Item::failed) f = reader.failure();
    }
    if (f) {
      lines->push_back("damaged: " + f.sentence());
      good = false;
      continue;
    }
    lines->push_back(disk.checkpoint_place(id, 0) + ": good, " + std::to_string(reader.end().rows) + " rows of " +
                     std::to_string(reader.end().fragments) + " fragments, newest epoch " +
                     std::to_string(reader.end().newest));
    const std::uint64_t position = reader.head().from.position;
    if (!chained && position >= inventory.redo_begin && position <= inventory.redo_end) {
      from = reader.head().from;
      chained = true;
    }
  }
  if (inventory.redo_end == 0) {
    lines->push_back("no redo log");
    return good;
  }
  RedoReader reader = chained ? RedoReader(disk, inventory, from) : RedoReader(disk, inventory, inventory.redo_begin);
  RedoReader::State state = RedoReader::State::end;
  std::uint64_t blocks = 0, begin = from.position;
  Epoch complete = 0;
  if (chained || reader.resync()) {
    begin = reader.position();
    RedoBlock b;
    RedoEntry e;
    while ((state = reader.next(&b)) == RedoReader::State::block) {
      blocks++;
      while (next_redo_entry(b.entries, &e)) {
        if (e.kind == RedoKind::complete) complete = e.epoch;
        if (e.kind == RedoKind::restart && e.epoch < complete) complete = e.epoch;
      }
    }
  }
  if (state == RedoReader::State::damaged) {
    lines->push_back("damaged: " + reader.failure().sentence());
    return false;
  }
  std::string line = "redo log: good, " + std::to_string(blocks) + " blocks from position " + std::to_string(begin) +
                     " to " + std::to_string(reader.position()) + ", complete up to epoch " + std::to_string(complete);
  if (reader.cut_bytes() != 0) {
    line += "; " + std::to_string(reader.cut_bytes()) + " bytes behind " + disk.redo_place(reader.position()) +
            " will be cut (" + reader.reason() + ")";
  }
  lines->push_back(line);
  return good;
}

}  // namespace ndb::store
