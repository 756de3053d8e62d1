// The redo log as text, for `ndb-node --dump` and for people who look for what went wrong.
#include <cstdio>

#include "store/redo.h"
#include "store/redo_file.h"

namespace ndb::store {
namespace {

// One file of a ring as a log of its own.
class OneFile : public DiskReader {
 public:
  OneFile(Bytes file, std::uint64_t first) : file_(file.substr(RedoLayout::kHeaderBytes)), first_(first) {}
  Inventory list() override { return {first_, first_ + file_.size(), {}, {}}; }
  Result<Bytes> read_redo(std::uint64_t position, std::size_t max) override {
    return file_.substr(static_cast<std::size_t>(position - first_), max);
  }
  Result<Bytes> read_checkpoint(std::uint64_t, std::uint64_t, std::size_t) override { return Bytes(); }
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t) override { return std::uint64_t{0}; }
  std::string redo_place(std::uint64_t position) const override {
    return "offset " + std::to_string(position - first_ + RedoLayout::kHeaderBytes);
  }
  std::string checkpoint_place(std::uint64_t, std::uint64_t) const override { return {}; }

 private:
  Bytes file_;
  std::uint64_t first_;
};

void dump_entry(const RedoEntry& e, std::string* out) {
  *out += "  ";
  *out += redo_kind_name(e.kind);
  if (e.ref.table != 0) *out += " table " + std::to_string(e.ref.table) + " fragment " + std::to_string(e.ref.fragment);
  if (e.sequence != 0) *out += " sequence " + std::to_string(e.sequence);
  *out += " epoch " + std::to_string(e.epoch);
  if (!e.record.empty()) *out += " bytes " + std::to_string(e.record.size());
  *out += '\n';
}

}  // namespace

std::string dump_redo(DiskReader& disk, std::uint64_t from) {
  const DiskReader::Inventory inventory = disk.list();
  std::string out;
  if (from < inventory.redo_begin) from = inventory.redo_begin;
  if (from > inventory.redo_end) from = inventory.redo_end;
  RedoReader reader(disk, inventory, from);
  if (!reader.resync()) return out + "no blocks\n";
  RedoBlock b;
  RedoReader::State state;
  while ((state = reader.next(&b)) == RedoReader::State::block) {
    char life[24];
    std::snprintf(life, sizeof life, "%016llx", static_cast<unsigned long long>(b.life));
    out += "block at " + std::to_string(b.position) + " bytes " + std::to_string(b.bytes) + " epoch " +
           std::to_string(b.epoch) + " durable " + std::to_string(b.durable) + " life " + life +
           (b.first_of_life ? " (begins)\n" : "\n");
    RedoEntry e;
    while (next_redo_entry(b.entries, &e)) dump_entry(e, &out);
  }
  if (state == RedoReader::State::damaged) return out + "damaged: " + reader.failure().sentence() + "\n";
  out += "end at " + std::to_string(reader.position());
  if (reader.cut_bytes() != 0) {
    out += ", " + std::to_string(reader.cut_bytes()) + " bytes behind it are of no use: " + reader.reason();
  }
  return out + "\n";
}

std::string dump_redo_file(Bytes file) {
  RedoFileHeader h;
  if (std::string wrong = RedoFileHeader::decode(file, &h); !wrong.empty()) return "damaged: " + wrong + "\n";
  std::string out = "redo file " + std::to_string(h.number) + " of " + std::to_string(h.layout.files) + ", " +
                    std::to_string(h.layout.file_bytes) + " bytes, cluster " + std::to_string(h.identity.cluster) +
                    " node " + std::to_string(h.identity.node) + " worker " + std::to_string(h.identity.worker) +
                    " of " + std::to_string(h.identity.workers);
  if (!h.entered) return out + ", empty\n";
  out += ", first position " + std::to_string(h.first) + "\n";
  if (file.size() < RedoLayout::kHeaderBytes) return out + "damaged: the file ends in its header\n";
  OneFile one(file.substr(0, h.layout.file_bytes), h.first);
  return out + dump_redo(one);
}

}  // namespace ndb::store
